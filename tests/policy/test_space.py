"""What a space target asks for, against the published cases of the kubelet and of BuildKit."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.model.disk import Disk
from dockersweep.model.policy import Space, Target
from dockersweep.policy.planning.space_wanted import kept_bytes, space_wanted
from dockersweep.policy.planning.target import going_on
from dockersweep.units import parse_age, parse_percent, parse_size

GIB, GB = 2**30, 10**9


def space(text: str) -> Space:
    """Return an amount of space as a policy file has it."""
    if text.endswith("%"):
        return Space(text=text, percent=parse_percent(text))
    return Space(text=text, size_bytes=parse_size(text))


def target(**amounts: Any) -> Target:
    """Return a target; texts stand for what a policy file has."""
    read: dict[str, Any] = {key: space(value) if isinstance(value, str) else value for key, value in amounts.items()}
    return Target(older_than=parse_age("0s"), **read)


def disk(total: int, free: int, total_inodes: int | None = None, free_inodes: int | None = None) -> Disk:
    """Return a disk."""
    return Disk(total_bytes=total, free_bytes=free, total_inodes=total_inodes, free_inodes=free_inodes)


@pytest.mark.parametrize(
    ("source", "available", "capacity", "wanted"),
    [
        ("TestGarbageCollectBelowLowThreshold", 600, 1000, 0),
        ("TestGarbageCollectBelowSuccess", 50, 1000, 150),
        ("TestGarbageCollectNotEnoughFreed", 50, 1000, 150),
    ],
)
def test_the_kubelets_cases(source: str, available: int, capacity: int, wanted: int) -> None:
    want = space_wanted(target(start_above="90%", stop_below="80%"), disk(capacity, available), None)
    assert (want.begins, want.wanted_bytes, want.wanted_inodes) == (wanted > 0, wanted, None), source


@pytest.mark.parametrize(
    "seen", [None, disk(0, 0)], ids=["TestGarbageCollectCadvisorFailure", "invalid capacity, GarbageCollect"]
)
def test_the_kubelets_disk_that_cannot_be_measured(seen: Disk | None) -> None:
    want = space_wanted(target(start_above="90%", stop_below="80%"), seen, 10)
    assert (want.begins, want.wanted_bytes) == (None, None)
    assert "the engine's disk cannot be measured from here" in want.text


def test_a_further_round_is_not_said_to_start_where_it_stops() -> None:
    first = target(start_above="80%", stop_below="70%", inodes_above_percent=90.0, inodes_below_percent=80.0)
    short = space_wanted(going_on(first, 0), disk(100 * GB, 12 * GB, 1000, 40), None)
    assert short.text == (
        "88% of the disk is used; down to 70% takes 18.0 GB; "
        "96% of the inodes of the disk are used; down to 80% takes 160 inodes"
    )
    held = space_wanted(going_on(target(start_above="9GB", stop_below="5GB"), 0), None, 8 * GB)
    assert held.text == "the engine holds 8.00 GB; down to 5.00 GB takes 3.00 GB"


def test_a_share_is_the_one_that_df_prints() -> None:
    # 5% are reserved for root: df says 80%, of all blocks 81% are not free for others.
    reserved = Disk(total_bytes=1000, used_bytes=760, free_bytes=190, total_inodes=None, free_inodes=None)
    not_over = space_wanted(target(start_above="81%"), reserved, None)
    assert (not_over.begins, not_over.text) == (False, "80% of the disk is used, not over 81%")
    over = space_wanted(target(start_above="80%", stop_below="70%"), reserved, None)
    assert (over.begins, over.wanted_bytes) == (True, 95)
    full = msgspec.structs.replace(reserved, used_bytes=950, free_bytes=0)
    assert space_wanted(target(start_above="100%", stop_below="90%"), full, None).wanted_bytes == 95
    large = Disk(total_bytes=105 * GIB, used_bytes=90 * GIB, free_bytes=10 * GIB, total_inodes=None, free_inodes=None)
    assert space_wanted(target(min_free="20%"), large, None).wanted_bytes == 21 * GB - 10 * GIB


@given(st.integers(1, 10**15), st.integers(0, 10**15), st.integers(0, 100), st.integers(0, 100))
def test_the_kubelets_formula_for_all_whole_percents(total: int, free: int, one: int, other: int) -> None:
    high, low = max(one, other), min(one, other)
    want = space_wanted(target(start_above=f"{high}%", stop_below=f"{low}%"), disk(total, free), None)
    available = min(free, total)
    begins = 100 - available * 100 // total >= high
    to_free = total * (100 - low) // 100 - available
    assert want.wanted_bytes == (max(0, to_free) if begins else 0)
    assert want.begins == (begins and to_free > 0)


# The names are those of the cases of TestCalculateKeepBytes, cache/manager_test.go; each disk has 10,000 bytes.
KEEP_BYTES = [
    ("empty", 1000, 9000, {}, 0),
    ("only buildkit max", 1000, 9000, {"max_used": 2000}, 2000),
    ("only buildkit free", 7000, 3000, {"min_free": 5000}, 5000),
    ("only buildkit free with min", 7000, 3000, {"min_free": 5000, "reserved": 6000}, 6000),
    ("only buildkit free all", 7000, 3000, {"min_free": 5000, "reserved": 2000, "max_used": 4000}, 4000),
    ("mixed max", 4000, 2000, {"max_used": 2000}, 2000),
    ("mixed free", 4000, 2000, {"min_free": 5000}, 1000),
    ("mixed free with min", 4000, 2000, {"min_free": 5000, "reserved": 2000}, 2000),
    ("mixed free all", 4000, 2000, {"min_free": 5000, "reserved": 2000, "max_used": 4000}, 2000),
]


@pytest.mark.parametrize(("source", "held", "free", "limits", "keep"), KEEP_BYTES)
def test_build_kits_cases(source: str, held: int, free: int, limits: dict[str, int], keep: int) -> None:
    unset = {"max_used": 0, "min_free": 0, "reserved": 0}
    assert kept_bytes(held, free, **{**unset, **limits}) == keep
    want = space_wanted(target(**{key: f"{size}B" for key, size in limits.items()}), disk(10_000, free), held)
    # A target that asks for nothing is refused as a policy, and asks for nothing; BuildKit prunes all.
    wanted = max(0, held - keep) if source != "empty" else 0
    assert (want.begins, want.wanted_bytes) == (wanted > 0, wanted)


@pytest.mark.parametrize(
    ("limit", "total", "size"),
    [
        ("80%", 100 * GIB, 81 * GB),
        ("80%", 1000 * GIB, 801 * GB),
        ("20%", 10_000, GB),
        ("12.5%", 100 * GIB, 13 * GB),
        ("7GB", 100 * GIB, 7 * GB),
    ],
)
def test_a_share_of_the_disk_is_read_as_build_kit_does(limit: str, total: int, size: int) -> None:
    want = space_wanted(target(max_used=limit), disk(total, 0), 1000 * GB)
    assert want.wanted_bytes == 1000 * GB - size


def test_what_build_kit_holds_exactly_is_left_alone() -> None:
    assert space_wanted(target(max_used="2000B"), None, 2000).begins is False
    assert space_wanted(target(min_free="1000B"), disk(10_000, 1000), 7000).begins is False
    assert space_wanted(target(max_used="2000B"), None, 2001).wanted_bytes == 1


def test_a_limit_of_nothing_is_not_set() -> None:
    for limits in ({"max_used": "0B"}, {"min_free": "0%"}, {"max_used": "0B", "min_free": "0B", "reserved": "0B"}):
        want = space_wanted(target(**limits), disk(10_000, 0), 5000)
        assert (want.begins, want.wanted_bytes, want.text) == (False, 0, "the target asks for no space")
    assert space_wanted(target(max_used="0B", min_free="3000B"), disk(10_000, 2000), 5000).wanted_bytes == 1000


NO_SIZES = "what the engine holds cannot be measured from here: not all sizes are known"
NO_INODES_LEFT = "96% of the inodes of the disk are used, over 90%; down to 90% takes 60 inodes"
TOO_MUCH_HELD = "the engine holds 125 GB, over the 120 GB that it may hold; down to that takes 5.00 GB"
LARGE = disk(100 * GB, 8 * GB, total_inodes=1000, free_inodes=40)


@pytest.mark.parametrize(
    ("amounts", "seen", "held", "answer", "text"),
    [
        (
            {"start_above": "85%", "stop_below": "70%"}, LARGE, None, (True, 22 * GB, None),
            "92% of the disk is used, over 85%; down to 70% takes 22.0 GB",
        ),
        (
            {"start_above": "92%", "stop_below": "70%"}, LARGE, None, (True, 22 * GB, None),
            "92% of the disk is used, which reaches 92%; down to 70% takes 22.0 GB",
        ),
        (
            {"start_above": "95%", "stop_below": "70%"}, LARGE, None, (False, 0, None),
            "92% of the disk is used, not over 95%",
        ),
        (
            # After a round only the rounding up is left over.
            {"start_above": "70%", "stop_below": "70%"}, disk(1000, 305), None, (False, 0, None),
            "70% of the disk is used, not over 70%",
        ),
        (
            {"start_above": "90.5%", "stop_below": "85.5%"}, LARGE, None, (True, 6_500_000_000, None),
            "92% of the disk is used, over 90.5%; down to 85.5% takes 6.50 GB",
        ),
        ({"start_above": "90%"}, LARGE, None, (True, 2 * GB, None), None),
        (
            {"start_above": "120GB", "stop_below": "100GB"}, None, 130 * GB, (True, 30 * GB, None),
            "the engine holds 130 GB, over 120 GB; down to 100 GB takes 30.0 GB",
        ),
        (
            {"start_above": "120GB", "stop_below": "100GB"}, LARGE, 120 * GB, (False, 0, None),
            "the engine holds 120 GB, not over 120 GB",
        ),
        (
            {"start_above": "120GB", "stop_below": "100GB"}, LARGE, None, (None, None, None),
            NO_SIZES,
        ),
        (
            {"start_above": "85%", "stop_below": "10GB"}, LARGE, 130 * GB, (None, None, None),
            "85% and 10GB cannot be compared",
        ),
        (
            {"inodes_above_percent": 90.0, "inodes_below_percent": 80.0}, LARGE, None, (True, 0, 160),
            "96% of the inodes of the disk are used, over 90%; down to 80% takes 160 inodes",
        ),
        ({"inodes_above_percent": 90.0}, LARGE, None, (True, 0, 60), None),
        (
            {"inodes_above_percent": 90.0}, disk(10, 1), None, (None, 0, None),
            "the inodes of the engine's disk cannot be measured: its file system does not count them",
        ),
        ({"inodes_above_percent": 90.0}, None, None, (None, 0, None), None),
        (
            {"start_above": "95%", "inodes_above_percent": 90.0}, LARGE, None, (True, 0, 60),
            "92% of the disk is used, not over 95%; " + NO_INODES_LEFT,
        ),
        ({"start_above": "90%", "inodes_above_percent": 90.0}, disk(100, 1), None, (True, 9, None), None),
        ({"start_above": "90%", "inodes_above_percent": 90.0}, disk(100, 90), None, (None, 0, None), None),
        (
            {"max_used": "120GB", "min_free": "10GB"}, LARGE, 125 * GB, (True, 5 * GB, None),
            "8.00 GB of the disk are free, under 10.0 GB; " + TOO_MUCH_HELD,
        ),
        (
            {"max_used": "120GB"}, None, 12 * GB, (False, 0, None),
            "the engine holds 12.0 GB, not over the 120 GB that it may hold",
        ),
        ({"reserved": "10GB"}, None, 12 * GB, (True, 2 * GB, None), None),
        ({"max_used": "10%"}, None, 12 * GB, (None, None, None), None),
        ({"max_used": "10GB", "min_free": "1GB"}, None, 12 * GB, (None, None, None), None),
        (
            {"max_used": "120GB", "min_free": "5GB"}, LARGE, None, (None, None, None),
            "8.00 GB of the disk are free, not under 5.00 GB; " + NO_SIZES,
        ),
        (
            {"min_free": "10GB"}, LARGE, None, (True, 2 * GB, None),
            "8.00 GB of the disk are free, under 10.0 GB; up to that takes 2.00 GB",
        ),
        ({"min_free": "5GB"}, LARGE, None, (False, 0, None), "8.00 GB of the disk are free, not under 5.00 GB"),
        ({"free_bytes": 20 * GB}, None, None, (True, 20 * GB, None), "free 20.0 GB"),
        ({"free_bytes": 0}, None, None, (False, 0, None), "nothing more to free"),
        ({}, LARGE, 0, (False, 0, None), "the target asks for no space"),
    ],
)  # fmt: skip
def test_what_is_wanted_and_how_it_is_told(
    amounts: dict[str, Any],
    seen: Disk | None,
    held: int | None,
    answer: tuple[bool | None, int | None, int | None],
    text: str | None,
) -> None:
    want = space_wanted(target(**amounts), seen, held)
    assert (want.begins, want.wanted_bytes, want.wanted_inodes) == answer
    assert text is None or want.text == text


spaces = st.one_of(
    st.integers(0, 10**13).map(lambda size: Space(text="s", size_bytes=size)),
    st.integers(0, 100).map(lambda share: Space(text="p", percent=share)),
)
disks = st.builds(disk, st.integers(0, 10**13), st.integers(0, 10**13), st.integers(0, 10**6), st.integers(0, 10**6))
targets = st.one_of(
    st.builds(target, start_above=spaces, stop_below=st.none() | spaces, inodes_above_percent=st.none() | st.just(7.5)),
    st.builds(target, max_used=st.none() | spaces, min_free=st.none() | spaces, reserved=st.none() | spaces),
)


@given(targets, st.none() | disks, st.none() | st.integers(0, 10**13))
def test_what_begins_wants_something_and_nobody_wants_more_than_is_used(
    asked: Target, seen: Disk | None, held: int | None
) -> None:
    want = space_wanted(asked, seen, held)
    amounts = [want.wanted_bytes, want.wanted_inodes]
    assert all(amount is None or amount >= 0 for amount in amounts)
    assert (want.begins is True) == any(amounts)
    if want.begins is False:
        assert want.wanted_bytes == 0
    if held is not None and (asked.max_used or asked.min_free or asked.reserved):
        assert (want.wanted_bytes or 0) <= held
    assert want.text
