"""From what became of a verb on each host to the document of all of them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from dockersweep.model.fleet import Amount, Fleet, FleetHost, FleetSums, FleetVerb, HostStatus, RolloutOutcome
from dockersweep.model.inventory import KINDS
from dockersweep.model.plan import NOTHING
from dockersweep.model.quantities import known_sum

ERROR, INTERRUPTED, UNREACHED, SOME_FAILED, REFUSED, SOMETHING_TO_REMOVE = 1, 130, 5, 3, 4, 10
_WORST_FIRST = (ERROR, INTERRUPTED, UNREACHED, SOME_FAILED, 2, REFUSED, SOMETHING_TO_REMOVE, 0)
_SIGNALS = 128
"""A status above it is that of a process which a signal has ended."""


def status_of(exit_status: int, has_answered: bool) -> HostStatus:
    """Return what the exit status of a verb on one host says of the host."""
    if exit_status in (0, SOMETHING_TO_REMOVE):
        return "done"
    if exit_status == REFUSED:
        return "refused"
    return "not-reached" if exit_status == UNREACHED and not has_answered else "failed"


def worst(statuses: Iterable[int]) -> int:
    """Return the worst of several exit statuses; 0 for none."""

    def place(status: int) -> int:
        known = INTERRUPTED if status > _SIGNALS else status
        return _WORST_FIRST.index(known) if known in _WORST_FIRST else 0

    return min(statuses, key=place, default=0)


def fold(
    verb: FleetVerb,
    hosts: Sequence[FleetHost],
    started_at: datetime,
    finished_at: datetime,
    allow_unreached: int = 0,
    rollout: RolloutOutcome | None = None,
) -> Fleet:
    """Return the document of all hosts; up to `allow_unreached` hosts that were not reached are no failure."""
    compared = with_same_engines(hosts)
    unreached = [host for host in compared if host.status == "not-reached"]
    left_out = unreached if len(unreached) <= allow_unreached else []
    statuses = [host.exit_status for host in compared if host.exit_status is not None and host not in left_out]
    if rollout is not None and rollout.stopped is not None:
        statuses.append(SOME_FAILED)
    return Fleet(
        schema="dockersweep.fleet/1",
        verb=verb,
        started_at=started_at,
        finished_at=finished_at,
        exit_status=worst(statuses),
        hosts=compared,
        sums=sums_of_hosts(compared),
        rollout=rollout,
        allow_unreached=allow_unreached,
    )


def with_same_engines(hosts: Sequence[FleetHost]) -> tuple[FleetHost, ...]:
    """Return the hosts; of those that are one engine each names the first where all is well, or else the first."""
    first: dict[str, str] = {}
    for host in sorted(hosts, key=lambda host: host.status != "done"):
        if host.engine_identity is not None and host.same_as is None:
            first.setdefault(host.engine_identity, host.name)
    of_status = {host.name: host for host in hosts}
    return tuple(_compared(host, first, of_status) for host in hosts)


def _compared(host: FleetHost, first: Mapping[str, str], of_name: Mapping[str, FleetHost]) -> FleetHost:
    if host.same_as is not None:
        # It left the engine to another one, and is no better than that.
        other = of_name.get(host.same_as)
        if other is None or other.status == "done" or host.status != "done":
            return host
        message = f"{other.name} is the same engine, and did not end well"
        return replace(host, status=other.status, exit_status=other.exit_status, message=message)
    known = None if host.engine_identity is None else first.get(host.engine_identity)
    return host if known in (None, host.name) else replace(host, same_as=known)


def sums_of_hosts(hosts: Sequence[FleetHost]) -> FleetSums:
    """Return the sums over hosts, each engine counted once."""
    counted = [host for host in hosts if host.same_as is None and host.engine_identity is not None]
    total = NOTHING
    for host in counted:
        total += host.sums.total or NOTHING
    return FleetSums(
        hosts=dict(Counter(host.status for host in hosts)),
        engines=len(counted),
        freed={kind: amount for kind in KINDS if (amount := _added(counted, kind)).objects},
        total=total,
        used_bytes=known_sum(host.sums.used_bytes for host in counted) if counted else None,
    )


def _added(hosts: Iterable[FleetHost], kind: str) -> Amount:
    objects, freed = 0, NOTHING
    for host in hosts:
        of_kind = host.sums.freed.get(kind)  # type: ignore[call-overload]
        if of_kind is not None:
            objects, freed = objects + of_kind.objects, freed + of_kind.bytes
    return Amount(objects=objects, bytes=freed)
