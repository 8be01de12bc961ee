"""What came back, held against what was predicted."""

from dockersweep.model.inventory import Inventory
from dockersweep.model.outcome import Outcome, Status
from dockersweep.policy.reckoning import disagree, prediction_of, reckon
from tests.inventories import image, volume
from tests.test_reclaim import part, stored

MEGABYTE = 1_000_000
PARTS = [
    part("layer:a", size=40 * MEGABYTE),
    part("image:sha256:app", "layer:a"),
    part("image:sha256:old", "layer:a"),
    part("volume:v", size=5 * MEGABYTE),
]
SEEN = stored(image("app", "app:1"), image("old", "old:1"), volume("v"), parts=PARTS)


def outcome(kind: str, name: str, status: Status = "removed", freed: int | None = None) -> Outcome:
    return Outcome(
        kind="image" if kind == "image" else "volume", id=name, name=name, action="remove", status=status, detail=None,
        freed_bytes=freed,
    )  # fmt: skip


BOTH = (outcome("image", "sha256:app"), outcome("image", "sha256:old"))


def reckoned(*outcomes: Outcome, gone: set[str] | None, seen: Inventory = SEEN) -> tuple[int, int | None, int | None]:
    told = reckon(seen, outcomes, prediction_of(seen, outcomes), gone, None)
    return told.low_bytes, told.high_bytes, told.measured_bytes


def test_what_went_is_predicted_anew() -> None:
    assert reckoned(*BOTH, gone=set()) == (40 * MEGABYTE, 40 * MEGABYTE, 0)
    assert reckoned(BOTH[0], outcome("image", "sha256:old", "skipped"), gone=set()) == (0, 0, 0)


def test_what_others_had_removed_is_not_counted_as_ours() -> None:
    gone_already = outcome("image", "sha256:old", "gone")
    assert reckoned(BOTH[0], gone_already, gone={"layer:a"}) == (40 * MEGABYTE, 40 * MEGABYTE, 40 * MEGABYTE)
    assert reckoned(outcome("volume", "v", "gone"), gone=set())[:2] == (0, 0)


def test_the_disk_tells_by_what_is_gone_and_the_answers_where_it_cannot() -> None:
    assert reckoned(*BOTH, gone={"layer:a", "image:sha256:app"})[2] == 40 * MEGABYTE
    assert reckoned(*BOTH, gone=None)[2] is None
    proven = (outcome("image", "sha256:app", freed=0), outcome("image", "sha256:old", freed=39))
    assert reckoned(*proven, gone=None)[2] == 39


def test_surprises_name_what_to_look_at() -> None:
    told = reckon(SEEN, BOTH, prediction_of(SEEN, BOTH), {"volume:v"}, 7)
    assert told.surprises == (
        "still there: layer:a (40000000 bytes) in layer:a",
        "still there: image:sha256:app (0 bytes) in image:sha256:app",
        "still there: image:sha256:old (0 bytes) in image:sha256:old",
        "gone without being told: volume:v (5000000 bytes) in volume:v",
    )
    assert (told.measured_by, told.free_space_bytes) == ("disk", 7)
    assert reckon(SEEN, BOTH, prediction_of(SEEN, BOTH), {"layer:a"}, 7).surprises == ()


def test_one_percent_and_one_megabyte_are_not_worth_a_word() -> None:
    assert not disagree(measured=99 * MEGABYTE, low=100 * MEGABYTE, high=100 * MEGABYTE)
    assert not disagree(measured=0, low=MEGABYTE, high=MEGABYTE)
    assert not disagree(measured=500 * MEGABYTE, low=0, high=None)
    assert disagree(measured=97 * MEGABYTE, low=100 * MEGABYTE, high=100 * MEGABYTE)
    assert disagree(measured=103 * MEGABYTE, low=0, high=100 * MEGABYTE)
