"""From the bytes of a fleet file to its tables, and to all of its problems and their places.

Whether policies, contexts and certificates are there is checked elsewhere, for what has no problem here: a person gets
all problems of a file at once.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from msgspec import Struct, convert

from dockersweep.fleet.hosts import Rollout
from dockersweep.model.fleetfile import DefaultsTable, FleetFile, HostTable, RolloutTable
from dockersweep.policy.language.key_checks import FileFormat, key_problems, problem_of_version, pruned
from dockersweep.policy.language.problems import KeyProblem, Problem, placed, quoted
from dockersweep.policy.language.toml_positions import Path, Positions
from dockersweep.policy.language.toml_text import read_toml
from dockersweep.units import parse_age, parse_percent

VERSION = 1


class WrittenHost(Struct, frozen=True):
    """A host of a fleet file, without the keys that have a problem."""

    path: Path
    """Where it stands."""
    table: HostTable
    has_address: bool
    """Whether nothing is wrong with how it is reached, as far as the file tells."""


class FleetReading(Struct, frozen=True):
    """The result of reading a fleet file. What has a problem is left out of the tables."""

    positions: Positions
    """The places of keys and values."""
    problems: tuple[Problem, ...]
    """Everything that makes the file invalid by itself, by line."""
    defaults: DefaultsTable
    hosts: tuple[WrittenHost, ...]
    rollout: RolloutTable

    def all_problems(self, others: Iterable[KeyProblem]) -> tuple[Problem, ...]:
        """Return the problems together with others that were found outside of the file, by line."""
        return tuple(sorted((*self.problems, *placed(others, self.positions)), key=_place))


def read_fleet_file(data: bytes) -> FleetReading:
    """Read a fleet file, valid or not."""
    toml = read_toml(data)
    if isinstance(toml, Problem):
        return FleetReading(Positions(""), (toml,), DefaultsTable(), (), RolloutTable())
    tables, positions = toml.tables, Positions(toml.text)
    of_version = problem_of_version(tables, VERSION)
    if of_version is not None:
        return FleetReading(positions, placed([of_version], positions), DefaultsTable(), (), RolloutTable())
    of_keys = key_problems(tables, _FORMAT)
    wrong = defaultdict[Path, list[Path]](list)
    for problem in of_keys:
        table = problem.path[: 2 if problem.path[:1] == ("host",) else 1]
        wrong[table].append(problem.path[len(table) :])
    problems = placed([*of_keys, *_of_names(tables, wrong), *_of_addresses(tables)], positions)
    return FleetReading(
        positions,
        problems,
        convert(_kept(tables.get("defaults"), wrong[("defaults",)]), DefaultsTable),
        tuple(_hosts(tables, wrong)),
        convert(_kept(tables.get("rollout"), wrong[("rollout",)]), RolloutTable),
    )


def rollout_of(table: RolloutTable, hosts: int) -> Rollout:
    """Return how so many selected hosts are swept; a share of them is rounded down."""
    limit = None if table.max_failures is None else failures_of(str(table.max_failures), hosts)
    splay = None if table.splay is None else float(parse_age(table.splay).seconds)
    return Rollout(canary=table.canary, max_failures=limit, splay_seconds=splay)


def failures_of(written: str, hosts: int) -> int:
    """Return how many failures of so many hosts are meant by a number, or by a share with its %, rounded down."""
    if not written.endswith("%"):
        return int(written)
    # Not as a float: 29% of 100 would be 28.
    return int(Fraction(str(parse_percent(written))) * hosts / 100)


def _place(problem: Problem) -> tuple[int, int, str]:
    return problem.line or 0, problem.column or 0, problem.text


def _correction(value: object, path: Path) -> str:
    match value, path:
        case str(), ("host",):
            return f': write [[host]], and below it name = "..." and host = {quoted(value)}'
        case str(), (*_, "groups"):
            return f": write groups = [{quoted(value)}]"
        case _:
            return ""


_FORMAT = FileFormat(
    type=FleetFile,
    several="host",
    missing={
        "version": "version is missing: this dockersweep reads version 1, so write version = 1 at the top",
        "host": 'no host is named: write [[host]], and below it name = "..." and host = "ssh://..."',
        "name": 'a host needs a name by which the output calls it: write name = "..."',
    },
    correction=_correction,
)


def _kept(table: object, wrong: list[Path]) -> dict[str, Any]:
    """Return a table without what is wrong in it; empty if it is none."""
    return pruned(table, wrong) if isinstance(table, dict) else {}


def _written_hosts(tables: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    hosts = tables.get("host")
    for index, written in enumerate(hosts if isinstance(hosts, list) else ()):
        if isinstance(written, dict):
            yield ("host", index), written


def _hosts(tables: dict[str, Any], wrong: Mapping[Path, list[Path]]) -> Iterator[WrittenHost]:
    for path, written in _written_hosts(tables):
        of_host = wrong.get(path, [])
        # The name of a host does not matter for what is checked of it.
        kept = {"name": "-", **_kept(written, of_host)}
        is_sound = all(inner[:1] in _BESIDE_THE_ADDRESS for inner in of_host)
        yield WrittenHost(path, convert(kept, HostTable), is_sound and ("host" in kept) != ("context" in kept))


_BESIDE_THE_ADDRESS: tuple[Path, ...] = ((), ("name",), ("groups",), ("policy",))


def _of_names(tables: dict[str, Any], wrong: Mapping[Path, list[Path]]) -> Iterator[KeyProblem]:
    first: dict[str, Path] = {}
    for path, written in _written_hosts(tables):
        if "name" not in written or ("name",) in wrong.get(path, []):
            continue
        other = first.setdefault(written["name"], path)
        if other != path:
            text = f"another host has the name {quoted(written['name'])} already: give each its own"
            yield KeyProblem((*path, "name"), text, at="value", other=other)


def _of_addresses(tables: dict[str, Any]) -> Iterator[KeyProblem]:
    for path, written in _written_hosts(tables):
        if "host" in written and "context" in written:
            yield KeyProblem((*path, "context"), "a host has either host or context: leave one of them out")
        elif "host" not in written and "context" not in written:
            text = 'this host has no address: write host = "ssh://..." or context = "..."'
            yield KeyProblem(path, text)
