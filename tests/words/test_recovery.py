"""What is said of ways back, and of what has none."""

import pytest

from dockersweep.model.inventory import Kind
from dockersweep.model.recovery import EarlyDeletion, How, Recovery
from dockersweep.words.recovery import (
    Removed,
    counted_words,
    deleted_early_text,
    lost_words,
    may_go_sentence,
    recovery_words,
    short_way_back,
    way_back_text,
)
from tests.rig.inventories import ago


def removed(kind: Kind, name: str, size: int | None = 5, how: How = "none", *, without_data: bool = False) -> Removed:
    return Removed(kind, name, size, Recovery(how=how, text="told", without_data=without_data))


DATA, JOB = removed("volume", "pg-old", 2_100_000_000), removed("container", "job-7", 12_000)
EMPTY = removed("container", "empty", 0, without_data=True)
BUILT = [removed("image", f"sha256:{number}", without_data=True) for number in range(38)]


@pytest.mark.parametrize(
    ("lost", "sentence", "names"),
    [
        ([], "", ""),
        (
            [JOB, DATA],
            "2 cannot be recovered: volume pg-old (2.10 GB), container job-7 (12.0 kB)",
            "volume pg-old (2.10 GB), container job-7 (12.0 kB)",
        ),
        (
            [DATA, EMPTY],
            "1 cannot be recovered: volume pg-old (2.10 GB); 1 more holds no data: container empty",
            "volume pg-old (2.10 GB); 1 more holds no data: container empty",
        ),
        (
            [EMPTY],
            "1 cannot be recovered, and holds no data: container empty",
            "container empty (no data)",
        ),
        (
            [*BUILT, EMPTY, DATA],
            (
                "1 cannot be recovered: volume pg-old (2.10 GB); 39 more hold no data: 1 container, 38 images left by "
                "builds"
            ),
            "volume pg-old (2.10 GB); 39 more hold no data: 1 container, 38 images left by builds",
        ),
    ],
)
def test_what_cannot_be_recovered_is_named_and_what_holds_no_data_is_told_apart(
    lost: list[Removed], sentence: str, names: str
) -> None:
    assert recovery_words(lost, 0, "") == sentence
    assert lost_words(lost) == names


def test_at_most_five_are_named() -> None:
    many = [removed("volume", f"v{number}", None) for number in range(12)]
    words = "volume v0, volume v1, volume v2, volume v3, volume v4 and 7 more"
    assert recovery_words(many, 0, "") == f"12 cannot be recovered: {words}"
    assert recovery_words([*many, EMPTY], 0, "").endswith("and 7 more; 1 more holds no data: 1 container")


def test_the_ways_are_counted() -> None:
    ways = [
        *(removed("image", str(number), how="pull") for number in range(12)),
        removed("build-cache", "r", how="rebuild"),
        removed("network", "n", how="recreate"),
        removed("volume", "v", 1_200_000_000, how="archive"),
    ]
    assert recovery_words([*ways, DATA], 2, "kept 14 days") == (
        "12 can be pulled again, 1 can be built again, 1 can be created again, 2 tags can be put back, 1 goes to the "
        "archive (1.20 GB, kept 14 days); 1 cannot be recovered: volume pg-old (2.10 GB)"
    )
    assert recovery_words([], 1, "") == "1 tag can be put back"
    counts: dict[How, int] = {"pull": 12, "archive": 3, "none": 2}
    assert counted_words(counts) == "12 can be pulled again, 3 go to the archive; 2 cannot be recovered"
    assert counted_words({}) == ""


@pytest.mark.parametrize(
    ("recovery", "text"),
    [
        (Recovery(how="pull", text="app@sha256:1"), "can be pulled again as app@sha256:1"),
        (Recovery(how="rebuild", text="builds make it again"), "builds make it again"),
        (Recovery(how="recreate", text="the ledger keeps its definition"), "the ledger keeps its definition"),
        (
            Recovery(how="archive", text="complete", until=ago(days=-14)),
            "goes to the archive (complete, until 2026-12-08T12:00:00Z)",
        ),
        (Recovery(how="none", text="no archive"), "cannot be recovered (no archive)"),
    ],
)
def test_each_way_has_its_text(recovery: Recovery, text: str) -> None:
    assert way_back_text(recovery) == text


def test_what_went_to_make_room_is_named() -> None:
    runs = [EarlyDeletion(folder=f"run-{n}", run=n or None, objects={}, until=ago(days=-3)) for n in range(7)]
    assert deleted_early_text(runs[:1]) == "to make room, run-0 (empty) was deleted from it before its time"
    named = "run-0 (empty), run 1 (empty), run 2 (empty), run 3 (empty), run 4 (empty) and 2 more"
    assert deleted_early_text(runs) == f"to make room, {named} were deleted from it before their time"
    assert may_go_sentence(()) == ""


@pytest.mark.parametrize(
    ("recovery", "short", "of_what_stays"),
    [
        (
            Recovery(how="pull", text="app@sha256:1"),
            "can be pulled again",
            "could be pulled again as app@sha256:1",
        ),
        (
            Recovery(how="archive", text="complete", until=ago(days=-14)),
            "goes to the archive",
            "would go to the archive (complete)",
        ),
        (
            Recovery(how="archive", text="without ACLs and xattrs", until=ago(days=-14)),
            "goes to the archive without ACLs and xattrs",
            "would go to the archive (without ACLs and xattrs)",
        ),
        (
            Recovery(how="none", text="no archive"),
            "cannot be recovered (no archive)",
            "could not be recovered (no archive)",
        ),
        (Recovery(how="recreate", text="its image stays"), "its image stays", "its image stays"),
    ],
)
def test_each_way_has_a_text_for_rows_and_one_for_what_is_kept(
    recovery: Recovery, short: str, of_what_stays: str
) -> None:
    assert short_way_back(recovery) == short
    assert way_back_text(recovery, stays=True) == of_what_stays
