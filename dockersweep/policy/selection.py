"""Which objects a scan shows: kinds, and filters in the words of docker's own `--filter`."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from dockersweep.errors import UsageError
from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Inventory, Kind, Network, Object, Volume
from dockersweep.model.naming import name_of, objects_of, ref_of
from dockersweep.model.plan import ObjectRef
from dockersweep.policy.ages import since_of
from dockersweep.policy.patterns import compile_pairs, compile_pattern
from dockersweep.units import parse_age

Test = Callable[[Object], bool]


@dataclass(frozen=True)
class Selection:
    """Kinds (all where empty), and filters: values of one key are alternatives, different keys must all hold."""

    kinds: tuple[Kind, ...] = ()
    filters: tuple[tuple[str, str], ...] = ()


def parse_filter(text: str) -> tuple[str, str]:
    """Read `key=value`. Raises UsageError for a key that does not exist or a value that is missing."""
    key, separator, value = text.partition("=")
    if key not in FILTERS:
        raise UsageError(f'there is no filter "{key}"; there are {", ".join(FILTERS)}, written like name=web-*')
    if not separator or not value:
        raise UsageError(f'the filter "{text}" has no value: write {key}=VALUE')
    if key == "until":
        parse_age(value)
    return key, value


def selected(inventory: Inventory, selection: Selection, now: datetime) -> frozenset[ObjectRef]:
    """Return the objects that a selection names."""
    return frozenset(ref_of(seen) for seen in _selected(inventory, selection, now))


def _selected(inventory: Inventory, selection: Selection, now: datetime) -> Iterator[Object]:
    by_key: defaultdict[str, list[Test]] = defaultdict(list)
    for key, value in selection.filters:
        by_key[key].append(FILTERS[key](value, now))
    for kind in selection.kinds or (None,):
        for seen in objects_of(inventory, kind):
            if all(_any(tests, seen) for tests in by_key.values()):
                yield seen


def _any(tests: Iterable[Test], seen: Object) -> bool:
    return any(test(seen) for test in tests)


def _by_name(pattern: str, now: datetime) -> Test:
    matches = compile_pattern(pattern)

    def test(seen: Object) -> bool:
        names = (name_of(seen), *(seen.tags if isinstance(seen, Image) else ()))
        return any(matches(name) for name in names)

    return test


def _by_label(pattern: str, now: datetime) -> Test:
    matches = compile_pairs([pattern])
    return lambda seen: not isinstance(seen, BuildCacheRecord) and matches(seen.labels)


def _by_project(project: str, now: datetime) -> Test:
    return lambda seen: not isinstance(seen, BuildCacheRecord) and seen.project == project


def _by_state(state: str, now: datetime) -> Test:
    return lambda seen: isinstance(seen, Container) and seen.state == state


def _by_driver(driver: str, now: datetime) -> Test:
    return lambda seen: isinstance(seen, Volume | Network) and seen.driver == driver


def _until(age: str, now: datetime) -> Test:
    limit = parse_age(age).before(now)

    def test(seen: Object) -> bool:
        since = since_of(seen, ())
        return since is not None and since.instant <= limit

    return test


FILTERS: dict[str, Callable[[str, datetime], Test]] = {
    "name": _by_name,
    "label": _by_label,
    "project": _by_project,
    "state": _by_state,
    "driver": _by_driver,
    "until": _until,
}
