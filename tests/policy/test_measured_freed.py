"""What came back, held against what was predicted."""

from unittest.mock import patch

import msgspec

from dockersweep.engine.removing.removal import exact_bytes
from dockersweep.model.disk import Disk
from dockersweep.model.inventory import Inventory
from dockersweep.model.outcome import DiskMeasurement, Outcome, Status
from dockersweep.policy.bytes import layer_graph
from dockersweep.policy.bytes.measured_freed import disagree, exact_parts, freed_on_disks, prediction_of, reclaimed_of
from dockersweep.policy.bytes.on_disks import OnDisks
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.units import parse_age
from tests.policy.test_reclaim import part, stored
from tests.rig.inventories import NOW, image, plan_of, reclaim_of, record, volume

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


def disk(gone: set[str], *still_there: str, free: int | None = None, volumes: int | None = None) -> DiskMeasurement:
    """What was measured; with `volumes` those that are gone were measured together, and took that much."""
    together = frozenset(one for one in gone if one.startswith("volume:")) if volumes is not None else frozenset()
    return DiskMeasurement(
        gone=frozenset(gone), still_there=frozenset(still_there), volumes=together, volume_bytes=volumes,
        free_space_bytes=free,
    )  # fmt: skip


def reckoned(*outcomes: Outcome, gone: set[str] | None, seen: Inventory = SEEN) -> tuple[int, int | None, int | None]:
    reclaimed = reclaimed_of(
        seen.storage, outcomes, prediction_of(reclaim_of(seen), outcomes), None if gone is None else disk(gone)
    )
    return reclaimed.low_bytes, reclaimed.high_bytes, reclaimed.measured_bytes


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
    reclaimed = reclaimed_of(
        SEEN.storage,
        BOTH,
        prediction_of(reclaim_of(SEEN), BOTH),
        disk({"volume:v"}, "layer:a", "image:sha256:app", free=7),
    )
    assert reclaimed.surprises == (
        "still there: layer:a (40000000 bytes) in layer:a",
        "gone without being told: volume:v (5000000 bytes) in volume:v",
    )
    assert (reclaimed.measured_bytes, reclaimed.measured_by, reclaimed.free_space_bytes) == (0, "disk", 7)
    assert reclaimed_of(SEEN.storage, BOTH, prediction_of(reclaim_of(SEEN), BOTH), disk({"layer:a"})).surprises == ()


def test_what_somebody_else_removed_meanwhile_is_not_freed_by_us() -> None:
    assert reckoned(*BOTH, gone={"layer:a", "volume:v"})[2] == 40 * MEGABYTE
    theirs = outcome("volume", "v", "gone")
    assert reckoned(*BOTH, theirs, gone={"layer:a", "volume:v"})[2] == 40 * MEGABYTE


def test_volumes_count_as_they_were_just_before_they_went() -> None:
    ours = (outcome("volume", "v"),)
    reclaimed = reclaimed_of(
        SEEN.storage, ours, prediction_of(reclaim_of(SEEN), ours), disk({"volume:v"}, volumes=26 * MEGABYTE)
    )
    assert reclaimed.measured_bytes == 26 * MEGABYTE


def test_one_percent_and_one_megabyte_are_not_worth_a_word() -> None:
    assert not disagree(measured=99 * MEGABYTE, low=100 * MEGABYTE, high=100 * MEGABYTE)
    assert not disagree(measured=0, low=MEGABYTE, high=MEGABYTE)
    assert not disagree(measured=500 * MEGABYTE, low=0, high=None)
    assert disagree(measured=97 * MEGABYTE, low=100 * MEGABYTE, high=100 * MEGABYTE)
    assert disagree(measured=103 * MEGABYTE, low=0, high=100 * MEGABYTE)


def test_what_was_never_measured_is_not_freed_as_nothing() -> None:
    unmeasured = msgspec.structs.replace(PARTS[3], low_bytes=0, high_bytes=None)
    seen = stored(volume("v"), parts=[unmeasured])
    assert reckoned(outcome("volume", "v"), gone={"volume:v"}, seen=seen) == (0, None, None)


def test_what_others_removed_may_have_given_what_ours_did_not() -> None:
    seen = stored(image("old"), record("r", shared=True), parts=[
        part("layer:a", size=100), part("layer:b", "layer:a"), part("image:sha256:old", "layer:b"),
    ], base="lengths")  # fmt: skip
    outcomes = (
        outcome("image", "sha256:old", "gone"),
        msgspec.structs.replace(outcome("volume", "r"), kind="build-cache"),
    )
    with patch.object(layer_graph, "may_hold", lambda *_: {"r": frozenset({"layer:a", "layer:b"})}):
        reclaimed = reclaimed_of(seen.storage, outcomes, prediction_of(reclaim_of(seen), outcomes), None)
    assert (reclaimed.low_bytes, reclaimed.high_bytes) == (0, 100)


def test_the_top_of_what_is_not_told_apart_proves_nothing() -> None:
    top = msgspec.structs.replace(part("layer:b", "layer:a", size=100), undivided_layers=2)
    storage = stored(image("old"), parts=[part("layer:a", size=0), top], base="lengths").storage
    assert exact_parts(storage) == {"layer:a": 0}
    assert exact_parts(None) == {}


def test_a_removal_proves_only_what_does_not_depend_on_others() -> None:
    """The record's row has the layer, because the image goes before it; should that stay, nothing came back."""
    seen = stored(image("old"), record("r"), volume("v"), parts=[
        part("layer:a", size=100), part("image:sha256:old", "layer:a"), part("build-cache:r", "layer:a"),
        part("volume:v", size=7),
    ])  # fmt: skip
    flags = PolicyFlags(older_than=parse_age("0s"))
    removals = {one.kind: one for one in plan_of(seen, policy_from_flags(flags), NOW).removals}
    assert removals["build-cache"].reclaim.low_bytes == 100
    assert exact_bytes(removals["build-cache"]) is None
    assert exact_bytes(removals["volume"]) == 7


def place(name: str) -> Disk:
    return Disk(total_bytes=1, free_bytes=1, total_inodes=None, free_inodes=None, mount_point=name, places=(name,))


APART = msgspec.structs.replace(
    stored(
        image("app", "app:1"),
        volume("v"),
        volume("w"),
        parts=[
            part("layer:a", size=40 * MEGABYTE),
            part("image:sha256:app", "layer:a"),
            msgspec.structs.replace(PARTS[3], folder="volumes/v"),
            msgspec.structs.replace(part("volume:w", size=7 * MEGABYTE), folder="/srv/w"),
        ],
    ),
    disk=place("/var/lib/docker"),
    other_disks=(place("/var/lib/docker/volumes"), place("/srv")),
)


def on_each(measured: DiskMeasurement | None, *outcomes: Outcome) -> list[int | None]:
    on_disks = OnDisks(APART, Survey(APART, NOW).layer_graph)
    found = freed_on_disks(on_disks, outcomes, prediction_of(reclaim_of(APART), outcomes), measured)
    assert not found or [one.disk for one in found] == ["/var/lib/docker", "/var/lib/docker/volumes", "/srv"]
    return [one.measured_bytes for one in found]


def test_what_went_counts_on_its_own_disk() -> None:
    went = (outcome("image", "sha256:app"), outcome("volume", "v"))
    gone = {"layer:a", "image:sha256:app", "volume:v"}
    assert on_each(disk(gone, volumes=6 * MEGABYTE), *went) == [40 * MEGABYTE, 6 * MEGABYTE, 0]
    assert on_each(disk(gone - {"layer:a"}, volumes=6 * MEGABYTE), *went) == [0, 6 * MEGABYTE, 0]
    assert on_each(None, *went) == []
    # What others had removed, and what went without us, is not ours.
    assert on_each(disk(gone), outcome("volume", "v", "gone")) == [0, 0, 0]


def test_volumes_of_two_disks_that_were_measured_together_are_as_large_as_the_scan_saw_them() -> None:
    both = disk({"volume:v", "volume:w"}, volumes=13 * MEGABYTE)
    assert on_each(both, outcome("volume", "v"), outcome("volume", "w")) == [0, 5 * MEGABYTE, 7 * MEGABYTE]
