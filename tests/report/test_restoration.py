"""What `restore` shows on a terminal."""

from msgspec.structs import replace

from dockersweep.model.restoring import Restoration, Restored
from dockersweep.report.formats import formatted
from dockersweep.report.restoration import restoration_layout
from tests.rig.inventories import ENGINE, NOW

LACKS = "without the holes of sparse files, which the engine's API does not take"
VOLUME = Restored(
    kind="volume", id="v", name="v", as_name="v", action="create", how="archive", run=12, status="restored",
    detail=None,
)  # fmt: skip
WEB = replace(VOLUME, kind="container", name="web", as_name="web")


def shown(*restored: Restored, width: int | None = 80) -> str:
    document = Restoration(
        schema="dockersweep.restoration/1", engine=ENGINE, started_at=NOW, finished_at=NOW, asked_for="run 12", run=13,
        ended_early=None, restored=restored,
    )  # fmt: skip
    return formatted(restoration_layout(document), "table", width)


def test_a_note_that_many_rows_have_is_told_once() -> None:
    for count, told in ((2, 2), (5, 1)):
        volumes = [replace(VOLUME, name=f"v{number}", told=(LACKS, f"own {number}")) for number in range(count)]
        text = shown(*volumes, width=None)
        assert text.count(LACKS) == told
        assert text.count("[1]; own") == (count if told == 1 else 0)
        assert (f"[1] {LACKS}" in text) == (told == 1)


def test_the_image_of_a_container_stands_below_the_table_in_full() -> None:
    image = "dockersweep-restored/a-very-long-name-of-a-container-with-numbers-1234567890:12"
    text = shown(*(replace(WEB, told=(f"its image is {image}: web's own files are one more layer of it",)),))
    assert image in text.replace("\n", " ")
    many = shown(*(replace(WEB, name=f"w{n}", told=(f"its image is {image}{n}: w{n}'s own",)) for n in range(8)))
    assert many.count("dockersweep-restored/") == 5
    assert "So it is with 3 other containers" in many


def test_what_is_never_as_it_was_is_told_of_the_kinds_that_came_back() -> None:
    text = " ".join(shown(VOLUME).split())
    assert "Not as they were: creation times. The same rule can remove again" in text
    assert "--keep-label dockersweep.restored-from." in text
    image = replace(VOLUME, kind="image", name="app:1", as_name="app:1")
    assert "keep it with --keep-image NAME." in " ".join(shown(image).split())
    assert "; an image with --keep-image NAME." in " ".join(shown(VOLUME, image).split())
    assert "Not as they were" not in shown(replace(VOLUME, status="skipped", detail="it is there", is_back=True))
