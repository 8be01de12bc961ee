"""Which hosts of a run are meant: --group, --only and --not."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

from msgspec import Struct

from dockersweep.errors import UsageError
from dockersweep.fleet.hosts import Host
from dockersweep.policy.language.problems import quoted
from dockersweep.policy.names.patterns import compile_pattern
from dockersweep.words.lists import first_of

_MOST_NAMED = 10


class Selection(Struct, frozen=True, kw_only=True):
    """Which hosts are meant; an empty one means all."""

    groups: tuple[str, ...] = ()
    """A host has to be in any of them."""
    only: tuple[str, ...] = ()
    """Patterns; any of them has to match the name."""
    without: tuple[str, ...] = ()
    """Patterns of --not; none of them may match the name."""

    def words(self) -> str:
        """Return its flags as they are written."""
        flags = (("--group", self.groups), ("--only", self.only), ("--not", self.without))
        return " ".join(f"{flag} {value}" for flag, values in flags for value in values)


def selected(hosts: Sequence[Host], selection: Selection) -> tuple[Host, ...]:
    """Return the hosts that are meant, in their order.

    Raises UsageError for a group or a pattern of no host, which is mostly a slip, and where no host is left.
    """
    _check_groups(hosts, selection.groups)
    only = _matching("--only", selection.only, hosts)
    without = _matching("--not", selection.without, hosts)
    kept = tuple(
        host
        for host in hosts
        if (not selection.groups or set(selection.groups) & set(host.groups))
        and (not selection.only or host.name in only)
        and host.name not in without
    )
    if not kept:
        raise UsageError(f"no host is left: {selection.words()} leaves out all {len(hosts)}")
    return kept


def _check_groups(hosts: Sequence[Host], groups: Iterable[str]) -> None:
    known = tuple(dict.fromkeys(group for host in hosts for group in host.groups))
    for group in groups:
        if group not in known:
            instead = _instead(group, "groups", known) if known else "only a fleet file gives groups to hosts"
            raise UsageError(f"--group {group}: no host is in this group; {instead}")


def _matching(flag: str, patterns: Iterable[str], hosts: Sequence[Host]) -> set[str]:
    """Return the names that any of the patterns matches."""
    names = [host.name for host in hosts]
    return {name for pattern in patterns for name in _of_pattern(flag, pattern, names)}


def _of_pattern(flag: str, pattern: str, names: Sequence[str]) -> Iterator[str]:
    try:
        test = compile_pattern(pattern)
    except UsageError as error:
        raise UsageError(f"{flag}: {error}") from None
    matching = [name for name in names if test(name)]
    if not matching:
        raise UsageError(f"{flag} {pattern} matches no host; {_instead(pattern, 'hosts', names)}")
    yield from matching


def _instead(written: str, what: str, known: Sequence[str]) -> str:
    near = get_close_matches(written, known, n=1)
    return f"did you mean {quoted(near[0])}?" if near else f"{what}: {first_of(known, _MOST_NAMED)}"
