"""When a run that removes goes no further."""

from dockersweep.fleet.hosts import Rollout
from dockersweep.fleet.rollout import why_stop
from dockersweep.model.fleet import FleetHost, HostStatus, HostSums

CANARIES = frozenset({"first"})


def host(name: str, status: HostStatus = "done", *, surprise: bool = False) -> FleetHost:
    sums = HostSums(ended_by="surprise" if surprise else None)
    return FleetHost(name=name, address=name, status=status, sums=sums)


def test_it_goes_on_while_all_end_well() -> None:
    assert why_stop(Rollout(canary=1, max_failures=0), [host("first"), host("b")], CANARIES) is None
    assert why_stop(Rollout(), [], frozenset()) is None


def test_a_canary_that_does_not_end_well_ends_it() -> None:
    for status in ("refused", "failed", "not-reached"):
        why = why_stop(Rollout(canary=1), [host("first", status)], CANARIES)
        assert why == "first, which goes first, did not end well"


def test_without_a_limit_other_failures_end_nothing() -> None:
    assert why_stop(Rollout(), [host("a", "failed"), host("b", "not-reached")], frozenset()) is None


def test_one_failure_more_than_the_limit_ends_it() -> None:
    failed = [host("a", "failed"), host("b", "refused")]
    assert why_stop(Rollout(max_failures=2), failed, frozenset()) is None
    assert why_stop(Rollout(max_failures=1), failed, frozenset()) == ("2 hosts did not end well, over the limit of 1")
    assert why_stop(Rollout(max_failures=0), failed[:1], frozenset()) == (
        "1 host did not end well, over the limit of 0"
    )


def test_more_than_was_asked_for_ends_it_whatever_the_limits() -> None:
    why = why_stop(Rollout(), [host("a", "failed", surprise=True)], frozenset())
    assert why == "more was removed on a than was asked for"
