"""The conditions of a rule, one row each: a key of `match` and `not`, its kinds, and how it tests an object.

Everything else about conditions follows from the rows: which kinds have a key, how its value is read from a file, when
one rule covers another, whether an object matches, and what a mismatching object has instead. A new condition is a row
here, its field in `model.policy.Match` and `model.policyfile.MatchTable`, and its phrases.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from dockersweep.model.image_references import tag_of, whole_repository_of
from dockersweep.model.inventory import KINDS, Kind, Object
from dockersweep.model.policy import Match
from dockersweep.model.reason import Restart
from dockersweep.model.restarts import restart_of, restarts_by_itself
from dockersweep.policy.names.image_patterns import compile_names
from dockersweep.policy.names.patterns import Test, compile_pairs, compile_patterns

LABELED: tuple[Kind, ...] = ("container", "image", "volume", "network")
SIZED: tuple[Kind, ...] = ("container", "image", "volume", "build-cache")
DECLARED: tuple[Kind, ...] = ("image", "volume", "network")
MANY = 10_000
"""How many drivers, types, projects or repositories are cached: many objects share them."""

Values = Literal["patterns", "pairs", "choices", "switch", "size over", "size under"]
"""The value of a condition: patterns for a text, KEY or KEY=VALUE, a choice of values, true or false, or a size."""


class ConditionFacts(NamedTuple):
    """What conditions need from an inventory beyond the object itself."""

    size_of: Callable[[Object], int | None]
    services_of: Callable[[Object], tuple[str, ...] | None]
    """Returns the services that name an object, None where one that cannot be seen may name it."""
    is_declared: Callable[[Object], bool | None]
    """Returns whether a file declares an object, None where no file was read."""


ObjectTest = Callable[[Any], object]
"""Whether an object matches. Called only with objects of the condition's kinds, so the attribute exists."""


class Condition(Struct, frozen=True, kw_only=True):
    """One condition of a rule."""

    field: str
    """Its field in `model.policy.Match`."""
    kinds: tuple[Kind, ...]
    """The kinds of objects that have it."""
    values: Values
    test: Callable[[Any, ConditionFacts], Callable[[Any], object]]
    """Wanted value -> the test of an object, or of a name."""
    is_of_names: bool = False
    """Whether it tests names: each tag of an image by itself."""
    has: Callable[[Any], str | int | Restart | None] | None = None
    """Returns what a mismatching object has instead, where the reason shows that."""
    is_unknown: Callable[[Any, ConditionFacts], ObjectTest] | None = None
    """Wanted value -> the test whether it is unknown if an object matches, where that is possible."""
    keeps_unknown: bool = False
    """Whether a rule keeps an object that may match: the loss may be permanent."""
    is_on_all: bool = False
    """Whether every object of its kinds has this text, so that `*` matches all."""
    has_flag: bool = False
    """Whether a default rule has it, and a flag adds a rule for its opposite."""

    @property
    def key(self) -> str:
        """Return its key in policy files."""
        return self.field.removesuffix("_bytes")


def _text_test(get: Callable[[Any], str | None]) -> Callable[[Sequence[str], ConditionFacts], ObjectTest]:
    def prepare(wanted: Sequence[str], facts: ConditionFacts) -> ObjectTest:
        test = lru_cache(MANY)(compile_patterns(wanted))

        def matches(item: Any) -> object:
            text = get(item)
            return text is not None and test(text)

        return matches

    return prepare


def _digest(wanted: Sequence[str], facts: ConditionFacts) -> ObjectTest:
    test = compile_names(wanted)
    return lambda image: any(test(digest) or test(digest.partition("@")[2]) for digest in image.digests)


def _labels(wanted: Sequence[str], facts: ConditionFacts) -> ObjectTest:
    test = compile_pairs(wanted)
    return lambda item: test(item.labels)


def _options(wanted: Sequence[str], facts: ConditionFacts) -> ObjectTest:
    test = compile_pairs(wanted)
    return lambda volume: test(volume.options)


def _service(wanted: Sequence[str], facts: ConditionFacts) -> ObjectTest:
    test = compile_patterns(wanted)
    return lambda item: any(test(name) for name in facts.services_of(item) or ())


def _over(wanted: int, facts: ConditionFacts) -> ObjectTest:
    return lambda item: (facts.size_of(item) or 0) > wanted


def _under(wanted: int, facts: ConditionFacts) -> ObjectTest:
    def matches(item: Any) -> bool:
        size = facts.size_of(item)
        return size is not None and size < wanted

    return matches


def _name(wanted: Sequence[str], facts: ConditionFacts) -> Test:
    return compile_names(wanted)


def _repository(wanted: Sequence[str], facts: ConditionFacts) -> Test:
    test = lru_cache(MANY)(compile_names(wanted))
    return lambda name: test(whole_repository_of(name))


def _tag(wanted: Sequence[str], facts: ConditionFacts) -> Test:
    test = compile_patterns(wanted)
    return lambda name: bool(tag := tag_of(name)) and test(tag)


def _size_is_unknown(wanted: int, facts: ConditionFacts) -> ObjectTest:
    return lambda item: facts.size_of(item) is None


def _may_be_of_project(wanted: Sequence[str], facts: ConditionFacts) -> ObjectTest:
    test = lru_cache(MANY)(compile_patterns(wanted))

    def may_match(item: Any) -> object:
        project = getattr(item, "maybe_project", None)
        return project is not None and test(project)

    return may_match


# The order of the tests; the first that fails is the reason: for a volume with options not its name, but these.
CONDITIONS: tuple[Condition, ...] = (
    Condition(
        field="state",
        kinds=("container",),
        values="choices",
        test=lambda wanted, facts: lambda container: container.state in wanted,
        has=lambda container: container.state,
    ),
    Condition(
        field="exit_code",
        kinds=("container",),
        values="choices",
        test=lambda wanted, facts: lambda container: container.exit_code in wanted,
        has=lambda container: container.exit_code,
        is_unknown=lambda wanted, facts: (
            lambda container: container.exit_code is None and container.state in ("exited", "dead")
        ),
    ),
    Condition(
        field="restarts_by_itself",
        kinds=("container",),
        values="switch",
        test=lambda wanted, facts: lambda container: restarts_by_itself(container) is wanted,
        has=restart_of,
        is_unknown=lambda wanted, facts: lambda container: restarts_by_itself(container) is None,
    ),
    Condition(
        field="tagged",
        kinds=("image",),
        values="switch",
        test=lambda wanted, facts: lambda image: bool(image.tags) == wanted,
        has_flag=True,
    ),
    Condition(
        field="recoverable",
        kinds=("image",),
        values="switch",
        test=lambda wanted, facts: lambda image: image.in_registry is not None and image.in_registry == wanted,
        is_unknown=lambda wanted, facts: lambda image: image.in_registry is None,
        keeps_unknown=True,
    ),
    Condition(field="digest", kinds=("image",), values="patterns", test=_digest),
    Condition(
        field="driver",
        kinds=("volume", "network"),
        values="patterns",
        test=_text_test(lambda item: item.driver),
        has=lambda item: item.driver,
        is_on_all=True,
    ),
    Condition(
        field="has_options",
        kinds=("volume",),
        values="switch",
        test=lambda wanted, facts: lambda volume: bool(volume.options) == wanted,
    ),
    Condition(field="options", kinds=("volume",), values="pairs", test=_options),
    Condition(
        field="anonymous",
        kinds=("volume",),
        values="switch",
        test=lambda wanted, facts: lambda volume: volume.anonymous == wanted,
        has_flag=True,
    ),
    Condition(
        field="type",
        kinds=("build-cache",),
        values="patterns",
        test=_text_test(lambda record: record.type),
        is_on_all=True,
    ),
    Condition(field="labels", kinds=LABELED, values="pairs", test=_labels),
    Condition(
        field="project",
        kinds=LABELED,
        values="patterns",
        test=_text_test(lambda item: item.project),
        has=lambda item: item.project,
        is_unknown=_may_be_of_project,
        keeps_unknown=True,
    ),
    Condition(
        field="service",
        kinds=LABELED,
        values="patterns",
        test=_service,
        is_unknown=lambda wanted, facts: lambda item: facts.services_of(item) is None,
        keeps_unknown=True,
    ),
    Condition(
        field="declared",
        kinds=DECLARED,
        values="switch",
        test=lambda wanted, facts: lambda item: facts.is_declared(item) is wanted,
        is_unknown=lambda wanted, facts: lambda item: facts.is_declared(item) is None,
        keeps_unknown=True,
    ),
    Condition(field="size_over_bytes", kinds=SIZED, values="size over", test=_over, is_unknown=_size_is_unknown),
    Condition(field="size_under_bytes", kinds=SIZED, values="size under", test=_under, is_unknown=_size_is_unknown),
    Condition(field="name", kinds=KINDS, values="patterns", test=_name, is_of_names=True, is_on_all=True),
    Condition(
        field="repository", kinds=("image",), values="patterns", test=_repository, is_of_names=True, is_on_all=True
    ),
    Condition(field="tag", kinds=("image",), values="patterns", test=_tag, is_of_names=True, is_on_all=True),
)
CONDITION_OF: dict[str, Condition] = {condition.field: condition for condition in CONDITIONS}
assert set(CONDITION_OF) == set(Match.__struct_fields__), "every field of Match needs its condition"
