"""What a sweep says of the bytes that came back."""

from typing import Any

import msgspec
import pytest

from dockersweep.model.inventory import Kind
from dockersweep.model.outcome import Archived, Outcome, OutcomeDocument, Reclaimed
from dockersweep.model.plan import Interval
from dockersweep.model.recovery import Recovery
from dockersweep.report.formats import formatted
from dockersweep.report.outcome import outcome_layout
from dockersweep.report.outcome_ending import failure_lines
from tests.rig.inventories import ENGINE, NOW, ago

MEGABYTE = 1_000_000


def told(reclaimed: dict[str, Any], freed: int | None = None, **document: Any) -> str:
    """The text of a sweep that removed one image, of which that was measured; 21 MB were predicted."""
    removed = Outcome(
        kind="image", id="sha256:a", name="app:1", action="remove", status="removed", detail=None, freed_bytes=freed
    )
    measured = Reclaimed(**{**PREDICTED, "measured_bytes": None, **reclaimed})
    document = {"outcomes": (removed,), "reclaimed": measured, **document}
    return formatted(outcome_layout(msgspec.structs.replace(DOCUMENT, **document)), "table", None)


PREDICTED: dict[str, Any] = {"low_bytes": 21 * MEGABYTE, "high_bytes": 21 * MEGABYTE}
DOCUMENT = OutcomeDocument(
    schema="dockersweep.outcome/1", engine=ENGINE, started_at=NOW, finished_at=NOW, ended_early=None, outcomes=(),
    reclaimed=Reclaimed(**PREDICTED, measured_bytes=None), warnings=(), size_base="disk",
    predicted=Interval(**PREDICTED),
)  # fmt: skip


@pytest.mark.parametrize(
    ("reclaimed", "text"),
    [
        ({"measured_bytes": 21 * MEGABYTE}, "Freed 21.0 MB of disk blocks (predicted 21.0 MB).\n"),
        (
            {"measured_bytes": 21 * MEGABYTE, "free_space_bytes": 16 * MEGABYTE},
            "Freed 21.0 MB of disk blocks (predicted 21.0 MB). Meanwhile something else took 5.00 MB of the same disk.",
        ),
        (
            {"measured_bytes": 21 * MEGABYTE, "free_space_bytes": 26 * MEGABYTE},
            "Meanwhile something else freed 5.00 MB of the same disk.",
        ),
        (
            {"measured_bytes": 5 * MEGABYTE, "low_bytes": 5 * MEGABYTE, "high_bytes": 6 * MEGABYTE},
            "Freed 5.00 MB of disk blocks (predicted 5.00 MB to 6.00 MB); planned was 21.0 MB.",
        ),
        ({}, "Predicted to free 21.0 MB of disk blocks; how much was freed is not known."),
        (
            {"measured_bytes": MEGABYTE, "surprises": ("still there: layer:\x1b[31m",)},
            "What was measured is not what was predicted; to find out why, look at:\n  still there: layer:\\x1b[31m\n",
        ),
    ],
)
def test_what_was_freed_stands_beside_what_was_predicted(reclaimed: dict[str, Any], text: str) -> None:
    assert text in told(reclaimed)


ARCHIVED = Archived(
    folder="/srv/archive", objects=3, archived_bytes=8 * MEGABYTE, until=ago(days=-14), on_engine_disk=True
)


def test_what_the_archive_took_of_the_same_disk_is_told_after_what_was_freed() -> None:
    measured = {"measured_bytes": 21 * MEGABYTE, "free_space_bytes": 13 * MEGABYTE}
    text = told(measured, archived=ARCHIVED, run=12)
    freed = "Freed 21.0 MB of disk blocks (predicted 21.0 MB)."
    assert f"{freed} The archive took 8.00 MB of the same disk, so it gained 13.0 MB.\n" in text
    assert (
        "In the archive in /srv/archive until 8 Dec: 3 objects, 8.00 MB: `dockersweep restore 12` takes back what can "
        "be made again.\n"
    ) in text
    more = told({**measured, "free_space_bytes": 9 * MEGABYTE}, archived=ARCHIVED)
    assert "so it gained 13.0 MB. Meanwhile something else took 4.00 MB of the same disk." in more
    assert "In the archive in /srv/archive until 8 Dec: 3 objects, 8.00 MB.\n" in more
    full = told({"measured_bytes": 8 * MEGABYTE}, archived=ARCHIVED)
    assert "The archive took 8.00 MB of the same disk: no net gain yet." in full
    assert "The archive took 8.00 MB of the same disk.\n" in told({}, archived=ARCHIVED)


@pytest.mark.parametrize("on_engine_disk", [False, None])
def test_an_archive_elsewhere_takes_nothing_of_what_was_freed(on_engine_disk: bool | None) -> None:
    archived = msgspec.structs.replace(ARCHIVED, on_engine_disk=on_engine_disk)
    text = told({"measured_bytes": 21 * MEGABYTE}, archived=archived)
    assert "Freed 21.0 MB of disk blocks (predicted 21.0 MB).\n" in text
    assert "In the archive in /srv/archive until 8 Dec: 3 objects, 8.00 MB" in text


def test_what_is_lost_with_its_data_is_named_also_beside_an_archive() -> None:
    def removed(kind: Kind, name: str, freed: int | None, **recovery: Any) -> Outcome:
        way = Recovery(**{"how": "none", "text": "no room", **recovery})
        return Outcome(
            kind=kind, id=name, name=name, action="remove", status="removed", detail=None, freed_bytes=freed,
            recovery=way,
        )  # fmt: skip

    gone = removed("volume", "s8cr", 7 * MEGABYTE), removed("container", "job", None)
    others = removed("volume", "kept", 5, how="archive"), removed("container", "empty", 0, without_data=True)
    skipped = msgspec.structs.replace(gone[0], name="there", status="skipped")
    lost = "Cannot be recovered: volume s8cr (7.00 MB), container job.\n"
    assert lost in told({}, outcomes=(*others, *gone, skipped), archived=ARCHIVED, run=12)
    assert lost in told({}, outcomes=(*gone, *others))
    assert "recovered" not in told({}, outcomes=others)


def test_what_could_not_be_archived_is_a_problem_and_what_is_in_use_is_none() -> None:
    def skipped(name: str, detail: str, *, is_not_archived: bool = False) -> Outcome:
        return Outcome(
            kind="volume", id=name, name=name, action="remove", status="skipped", detail=detail, freed_bytes=None,
            is_not_archived=is_not_archived,
        )  # fmt: skip

    full = "not archived: the archive has no room: its disk has 1.00 MB free, and 10% stays free (min_free)"
    left = skipped("used", "in use: container web"), skipped("large", full, is_not_archived=True)
    seen = msgspec.structs.replace(DOCUMENT, outcomes=left)
    assert failure_lines(seen) == [f"Skipped: volume large: {full}"]
    many = tuple(skipped(f"v{number}", "not archived: why", is_not_archived=True) for number in range(23))
    lines = failure_lines(msgspec.structs.replace(DOCUMENT, outcomes=many))
    assert (len(lines), lines[-1]) == (21, "Skipped: 3 more")


def step(name: str, action: Any, status: Any = "removed", tag: str = "t:1") -> Outcome:
    return Outcome(kind="image", id=name, name=tag, action=action, status=status, detail=None, freed_bytes=None)


def test_it_counts_as_the_plan_did() -> None:
    whole = [step("a", "untag"), step("a", "untag", tag="t:2"), step("a", "remove")]
    half = [step("b", "untag"), step("b", "remove", "skipped")]
    none = [step("c", "untag", "skipped"), step("c", "remove", "skipped")]
    stays = [step("d", "untag"), step("d", "untag", "skipped", tag="t:2")]
    text = told({}, outcomes=(*whole, *half, *none, *stays))
    assert "Removed 1 image, 2 tags of images that stay; 3 skipped." in text


def test_what_the_answers_prove_is_told_where_not_all_is_measured() -> None:
    text = told({}, freed=20 * MEGABYTE, size_base="lengths")
    assert "free 21.0 MB as the engine counts; the engine's answers prove 20.0 MB." in text
