"""Whether a run that removes may go on to further hosts."""

from collections.abc import Iterable

from dockersweep.fleet.hosts import Rollout
from dockersweep.model.fleet import FleetHost
from dockersweep.words.amounts import plural


def why_stop(rollout: Rollout, finished: Iterable[FleetHost], canaries: frozenset[str]) -> str | None:
    """Return why no further host is to be begun, after those that are finished; None to go on.

    `canaries` are the names of the hosts that go first.
    """
    failures = 0
    for host in finished:
        if host.sums.ended_by == "surprise":
            return f"more was removed on {host.name} than was asked for"
        if host.status == "done":
            continue
        failures += 1
        if host.name in canaries:
            return f"{host.name}, which goes first, did not end well"
    if rollout.max_failures is not None and failures > rollout.max_failures:
        return f"{plural(failures, 'host')} did not end well, over the limit of {rollout.max_failures}"
    return None
