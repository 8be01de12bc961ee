"""Hosts are folded to one document: engines counted once, the worst status, what is unknown stays so."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import get_args

import pytest

from dockersweep.fleet.folding import fold, status_of, worst
from dockersweep.model.fleet import Amount, Fleet, FleetHost, HostStatus, HostSums, RolloutOutcome
from dockersweep.model.plan import Interval, exactly

BEGUN = datetime(2026, 12, 1, tzinfo=UTC)
ORDER = (1, 130, 5, 3, 2, 4, 10, 0)


def host(name: str, engine: str | None = None, exit_status: int | None = 0, **sums: object) -> FleetHost:
    """A host that is done, where nothing else is said."""
    status: HostStatus = "not-begun" if exit_status is None else status_of(exit_status, engine is not None)
    return FleetHost(
        name=name,
        address=f"ssh://{name}",
        status=status,
        engine_identity=engine,
        exit_status=exit_status,
        sums=HostSums(**sums),  # type: ignore[arg-type]
    )


def folded(*hosts: FleetHost, allow_unreached: int = 0, rollout: RolloutOutcome | None = None) -> Fleet:
    return fold("plan", hosts, BEGUN, BEGUN + timedelta(seconds=3), allow_unreached, rollout)


def test_the_worst_status_is_that_of_the_order_and_a_signal_is_as_an_interruption() -> None:
    for first, second in permutations(ORDER, 2):
        assert worst((first, second)) == min(first, second, key=ORDER.index)
    assert worst(()) == 0
    assert worst((143, 5)) == 143
    assert worst((143, 1)) == 1


@pytest.mark.parametrize(
    ("exit_status", "has_answered", "expected"),
    [
        (0, True, "done"), (10, True, "done"), (4, True, "refused"), (4, False, "refused"), (5, False, "not-reached"),
        (5, True, "failed"), (3, True, "failed"), (1, True, "failed"), (2, False, "failed"), (130, True, "failed"),
    ],
)  # fmt: skip
def test_the_status_of_a_host_follows_from_its_exit_status(
    exit_status: int, has_answered: bool, expected: HostStatus
) -> None:
    assert status_of(exit_status, has_answered) == expected
    assert expected in get_args(HostStatus)


def test_an_engine_counts_once() -> None:
    volumes = {"volume": Amount(objects=2, bytes=exactly(100))}
    fleet = folded(
        host("a", "one", freed=volumes, total=exactly(100), used_bytes=1000),
        host("b", "one", freed=volumes, total=exactly(100), used_bytes=1000),
        host("c", "two", freed=volumes, total=Interval(low_bytes=5, high_bytes=50), used_bytes=10),
    )
    assert [one.same_as for one in fleet.hosts] == [None, "a", None]
    assert fleet.sums.engines == 2
    assert fleet.sums.freed == {"volume": Amount(objects=4, bytes=exactly(200))}
    assert fleet.sums.total == Interval(low_bytes=105, high_bytes=150)
    assert fleet.sums.used_bytes == 1010


def test_what_is_not_known_of_one_engine_is_not_known_of_all() -> None:
    fleet = folded(host("a", "one", used_bytes=None), host("b", "two", used_bytes=5, total=exactly(1)))
    assert fleet.sums.used_bytes is None
    assert fleet.sums.total == exactly(1)


def test_hosts_that_were_not_reached_count_with_no_engine() -> None:
    fleet = folded(host("a", None, 5), host("b", "one"))
    assert (fleet.exit_status, fleet.sums.engines) == (5, 1)
    assert fleet.sums.hosts == {"not-reached": 1, "done": 1}


def test_so_many_unreached_hosts_are_no_failure_as_are_allowed() -> None:
    hosts = host("a", None, 5), host("b", None, 5), host("c", "one")
    assert folded(*hosts, allow_unreached=1).exit_status == 5
    assert folded(*hosts, allow_unreached=2).exit_status == 0
    assert folded(*hosts, host("d", "two", 3), allow_unreached=2).exit_status == 3
    # It answered, and what it said could not be read.
    assert folded(host("a", "one", 5), allow_unreached=2).exit_status == 5


def test_a_rollout_that_was_stopped_is_no_success() -> None:
    stopped = RolloutOutcome(canary=1, max_failures=None, stopped="a did not end well")
    assert folded(host("a", "one", 4), host("b", exit_status=None), rollout=stopped).exit_status == 3
    whole = RolloutOutcome(canary=1, max_failures=None)
    assert folded(host("a", "one"), rollout=whole).exit_status == 0
