"""Which objects a scan shows: kinds, and filters with the syntax of docker's `--filter`."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from dockersweep.errors import UsageError
from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Kind, Network, Object, ObjectRef, Volume
from dockersweep.model.naming import name_of, objects_of, ref_of
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.names.patterns import compile_pairs, compile_pattern
from dockersweep.units import parse_age

Test = Callable[[Object], bool]


class Selection(Struct, frozen=True):
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


def selected(survey: Survey, selection: Selection) -> frozenset[ObjectRef]:
    """Return the objects that a selection names."""
    return frozenset(ref_of(item) for item in _selected(survey, selection))


def _selected(survey: Survey, selection: Selection) -> Iterator[Object]:
    by_key: defaultdict[str, list[Test]] = defaultdict(list)
    for key, value in selection.filters:
        by_key[key].append(FILTERS[key](value, survey))
    for kind in selection.kinds or (None,):
        for item in objects_of(survey.inventory, kind):
            if all(_any(tests, item) for tests in by_key.values()):
                yield item


def _any(tests: Iterable[Test], item: Object) -> bool:
    return any(test(item) for test in tests)


def _by_name(pattern: str, survey: Survey) -> Test:
    matches = compile_pattern(pattern)

    def test(item: Object) -> bool:
        names = (name_of(item), *(item.tags if isinstance(item, Image) else ()))
        return any(matches(name) for name in names)

    return test


def _by_label(pattern: str, survey: Survey) -> Test:
    matches = compile_pairs([pattern])
    return lambda item: not isinstance(item, BuildCacheRecord) and bool(matches(item.labels))


def _by_project(project: str, survey: Survey) -> Test:
    return lambda item: not isinstance(item, BuildCacheRecord) and item.project == project


def _by_state(state: str, survey: Survey) -> Test:
    return lambda item: isinstance(item, Container) and item.state == state


def _by_driver(driver: str, survey: Survey) -> Test:
    return lambda item: isinstance(item, Volume | Network) and item.driver == driver


def _until(age: str, survey: Survey) -> Test:
    limit = parse_age(age).before(survey.now)

    def test(item: Object) -> bool:
        since = survey.since(ref_of(item), item)
        return since is not None and since.instant <= limit

    return test


FILTERS: dict[str, Callable[[str, Survey], Test]] = {
    "name": _by_name,
    "label": _by_label,
    "project": _by_project,
    "state": _by_state,
    "driver": _by_driver,
    "until": _until,
}
