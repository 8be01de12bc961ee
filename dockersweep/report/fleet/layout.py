"""What a verb did on several hosts: first the hosts where it did not end well, then a row a host, then the sums."""

from collections.abc import Callable, Iterator, Sequence

from dockersweep.model.fleet import Amount, Fleet, FleetHost, HostStatus
from dockersweep.model.inventory import KINDS, Kind
from dockersweep.model.plan import Interval
from dockersweep.report.fleet.question import ways_back_words
from dockersweep.report.headline import kind_counts
from dockersweep.report.layout import Cell, Column, Layout, Section, rows_of, without
from dockersweep.report.local_time import local_time
from dockersweep.report.text import capital
from dockersweep.units import format_size
from dockersweep.words.amounts import format_interval, plural
from dockersweep.words.lists import both, first_of

STATUS_WORDS: dict[HostStatus, str] = {
    "not-reached": "not reached",
    "failed": "failed",
    "refused": "refused",
    "not-begun": "not begun",
    "done": "done",
}
"""The status of a host in words, the worst first."""
_SHOWN: tuple[Kind, ...] = ("container", "image", "volume", "build-cache")
_HOST = Column("HOST", shortens=True)
_OF_KINDS = tuple(
    Column(heading, right=True, wraps=True, breaks_at_commas=True, narrowest=7)
    for heading in ("CONTAINERS", "IMAGES", "VOLUMES", "CACHE")
)
_USED = Column("USED", right=True)
_END = (_USED, Column("STATUS", wraps=True, narrowest=7))
_MOST_NAMES = 5
_WHY = (Column("HOST", shortens=True), Column("WHY", wraps=True))


def fleet_layout(fleet: Fleet, only_sums: bool = False) -> Layout:
    """Return the layout of what a verb did on several hosts; `only_sums` leaves out the rows of those where all is
    well."""
    title = f"{capital(fleet.verb)} on {plural(len(fleet.hosts), 'host')}"
    return Layout(title, _sections(fleet, only_sums), rows_of(fleet.hosts, _CELLS))


def _sections(fleet: Fleet, only_sums: bool) -> Iterator[Section]:
    yield Section(sentences=(headline(fleet), *_ways_back(fleet), _hosts(fleet)))
    yield from problem_sections(fleet)
    yield _table(fleet, only_sums)
    yield Section(sentences=tuple(_notes(fleet)))


def _ways_back(fleet: Fleet) -> Iterator[str]:
    words = ways_back_words([host for host in fleet.hosts if host.same_as is None])
    if words:
        yield f"{words}."


def _table(fleet: Fleet, only_sums: bool) -> Section:
    freed = Column("FREED" if fleet.verb in ("sweep", "apply") else "FREES", right=True, wraps=True, narrowest=7)
    rows = [] if only_sums else [_row(host) for host in sorted(fleet.hosts, key=_worst_first)]
    whole = Section(columns=(_HOST, *_OF_KINDS, freed, *_END), rows=[*rows, _sums(fleet)])
    if all(host.sums.used_bytes is None for host in fleet.hosts):
        whole = without((_USED,), whole)
    # A report says what its policy frees, not of which kinds.
    return without(_OF_KINDS, whole) if fleet.verb == "report" else whole


def problem_sections(fleet: Fleet) -> Iterator[Section]:
    """Yield a section for each status of hosts where the verb did not end well, the worst first."""
    for status, words in STATUS_WORDS.items():
        hosts = [host for host in fleet.hosts if host.status == status]
        if status == "done" or not hosts:
            continue
        title = f"{words.upper() if status == 'not-reached' else capital(words)}: {plural(len(hosts), 'host')}"
        if status == "not-begun":
            why = fleet.rollout.stopped if fleet.rollout is not None else None
            stopped = [f"Stopped: {why}."] if why is not None else []
            yield Section(title, sentences=[*stopped, ", ".join(host.name for host in hosts)], indent=2)
        else:
            yield Section(title, columns=_WHY, rows=[(host.name, _why(host)) for host in hosts], header=False, indent=2)


def _why(host: FleetHost) -> str:
    if host.message is not None:
        return host.message
    return f"{plural(host.sums.failed, 'removal')} failed or not attempted" if host.sums.failed else "it did not say"


def headline(fleet: Fleet) -> str:
    """Return what there is in all, in one sentence: "24 objects to remove, freeing 43.1 MB on 3 engines, ..."."""
    sums = fleet.sums
    counts = {kind: amount.objects for kind, amount in sums.freed.items()}
    objects = both(kind_counts(counts)) or ("nothing" if sums.total.is_exact else "nothing known")
    frees = format_interval(sums.total)
    predicted = " (predicted)" if any(host.sums.is_predicted for host in fleet.hosts) else ""
    what = {
        "scan": f"{objects} unused, {frees} would be freed",
        "plan": f"{objects} to remove, freeing {frees}",
        "report": f"the policies would free {frees}",
        "sweep": f"{objects} removed, {frees} freed{predicted}",
        "apply": f"{objects} removed, {frees} freed{predicted}",
    }.get(fleet.verb, "")
    engines = f"on {plural(sums.engines, 'engine')}"
    at = local_time(fleet.finished_at)
    return f"{capital(what)} {engines}, {at}."


def _hosts(fleet: Fleet) -> str:
    counts = fleet.sums.hosts
    listed = [f"{counts[status]} {words}" for status, words in STATUS_WORDS.items() if status in counts]
    return f"{plural(len(fleet.hosts), 'host')}: {', '.join(listed)}."


def _notes(fleet: Fleet) -> Iterator[str]:
    if any(_is_at_least(host) for host in fleet.hosts):
        yield "A + behind a size means at least so much: not all sizes are known."
    if fleet.rollout is not None and fleet.rollout.canary:
        first = [host.name for host in fleet.hosts[: fleet.rollout.canary]]
        yield f"{first_of(first, _MOST_NAMES)} first, alone (--canary); the others only if all is well there."
    yield from _policies(fleet)
    for host in fleet.hosts:
        if host.sums.others:
            counts = ", ".join(f"{count} {words}" for words, count in host.sums.others.items())
            yield f"{host.name}: {counts}."
        if host.same_as is not None:
            yield f"{host.name} is the same engine as {host.same_as}: the sums count it once."
        for note in host.notes:
            yield f"{host.name}: {note}."
        for limit in host.sums.over_limits:
            yield f"{host.name}: over a limit, so no sweep there: {limit}."
    yield from problem_lines(fleet)
    warned = [host.name for host in fleet.hosts if host.sums.warnings > len(host.sums.problems) + host.sums.is_unseen]
    if warned:
        yield f"More warnings on {plural(len(warned), 'host')}; --verbose shows them, and the objects of each host."


def _is_at_least(host: FleetHost) -> bool:
    amounts = [amount.bytes for amount in host.sums.freed.values()]
    return any(of.high_bytes is None and of.low_bytes for of in (*amounts, *filter(None, [host.sums.total])))


def _policies(fleet: Fleet) -> Iterator[str]:
    """Yield which policy judged which hosts, where it is not the same for all."""
    of_policies: dict[str, list[str]] = {}
    for host in fleet.hosts:
        if host.policy_source is not None:
            of_policies.setdefault(host.policy_source, []).append(host.name)
    if len(of_policies) > 1:
        for source, names in of_policies.items():
            yield f"By {source}: {first_of(names, _MOST_NAMES)}."


def problem_lines(fleet: Fleet) -> Iterator[str]:
    """Yield the warnings that need a person, each with the hosts that have it."""
    of_problems: dict[str, list[str]] = {}
    for host in fleet.hosts:
        for problem in host.sums.problems:
            of_problems.setdefault(problem, []).append(host.name)
    for problem, names in of_problems.items():
        yield f"{first_of(names, _MOST_NAMES)}: {problem}"
    unseen = [host.name for host in fleet.hosts if host.sums.is_unseen]
    if unseen:
        yield (
            f"{first_of(unseen, _MOST_NAMES)}: Warning: sweep: with --yes it would be refused: nobody has looked yet, "
            "and much would go; look with `dockersweep plan` from a terminal, as this user, or give --yes-first-time"
        )


def _worst_first(host: FleetHost) -> tuple[int, int, str]:
    total = host.sums.total
    return list(STATUS_WORDS).index(host.status), -(total.low_bytes if total else 0), host.name


def _row(host: FleetHost) -> tuple[str, ...]:
    sums = host.sums
    is_known = sums.total is not None
    status = STATUS_WORDS[host.status] if host.same_as is None else "same engine"
    return (
        host.name,
        *(_amount(sums.freed.get(kind)) if is_known else "" for kind in _SHOWN),
        "" if sums.total is None else _in_short(sums.total),
        format_size(sums.used_bytes) if sums.used_bytes is not None else "",
        status,
    )


def _sums(fleet: Fleet) -> tuple[str, ...]:
    sums = fleet.sums
    used = "" if sums.used_bytes is None else format_size(sums.used_bytes)
    return ("total", *(_amount(sums.freed.get(kind)) for kind in _SHOWN), _in_short(sums.total), used, "")


def _amount(amount: Amount | None) -> str:
    if amount is None or not amount.objects:
        return "0"
    known = _in_short(amount.bytes)
    return str(amount.objects) if known == "unknown" else f"{amount.objects}, {known}"


def _in_short(interval: Interval) -> str:
    """Return the same as `format_interval`, with "2.00 MB+" for at least so much."""
    is_least = interval.high_bytes is None and interval.low_bytes
    return f"{format_size(interval.low_bytes)}+" if is_least else format_interval(interval)


def _objects(kind: Kind) -> Callable[[FleetHost], Cell]:
    return lambda host: host.sums.freed[kind].objects if kind in host.sums.freed else None


def _low(kind: Kind) -> Callable[[FleetHost], Cell]:
    return lambda host: host.sums.freed[kind].bytes.low_bytes if kind in host.sums.freed else None


def _high(kind: Kind) -> Callable[[FleetHost], Cell]:
    return lambda host: host.sums.freed[kind].bytes.high_bytes if kind in host.sums.freed else None


def _of_kinds(kinds: Sequence[Kind]) -> dict[str, Callable[[FleetHost], Cell]]:
    cells: dict[str, Callable[[FleetHost], Cell]] = {}
    for kind in kinds:
        name = kind.replace("-", "_")
        cells |= {f"{name}_objects": _objects(kind), f"{name}_low_bytes": _low(kind), f"{name}_high_bytes": _high(kind)}
    return cells


_CELLS: dict[str, Callable[[FleetHost], Cell]] = {
    "host": lambda host: host.name,
    "address": lambda host: host.address,
    "groups": lambda host: " ".join(host.groups),
    "engine_id": lambda host: host.engine_id,
    "same_as": lambda host: host.same_as,
    "swarm_node_id": lambda host: host.swarm_node_id,
    "status": lambda host: host.status,
    "exit_status": lambda host: host.exit_status,
    "message": lambda host: host.message,
    "seconds": lambda host: None if host.seconds is None else f"{host.seconds:.3f}",
    "policy_sha256": lambda host: host.policy_sha256,
    **_of_kinds(KINDS),
    "low_bytes": lambda host: host.sums.total.low_bytes if host.sums.total else None,
    "high_bytes": lambda host: host.sums.total.high_bytes if host.sums.total else None,
    "used_bytes": lambda host: host.sums.used_bytes,
    "failed_removals": lambda host: host.sums.failed,
    "warnings": lambda host: host.sums.warnings,
}
