"""What a rule keeps, of random objects: held to an oracle that compares every object with every other."""

import re
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from dockersweep.model.inventory import Image, Object
from dockersweep.model.naming import id_of
from dockersweep.model.policy import Count, Keep
from dockersweep.policy.judging.retention import Unit, retain
from dockersweep.units import Age, parse_age
from dockersweep.words.reasons import about_text
from tests.rig.inventories import NOW, ago, image, volume

Spoken = list[tuple[Object, tuple[str, ...]]]

FORMS = {"hourly": "%Y-%m-%d %H", "daily": "%Y-%m-%d", "weekly": "%G week %V", "monthly": "%Y-%m", "yearly": "%Y"}
VERSION = re.compile(r"v?(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(?:-([a-z]+))?", re.ASCII)


def oracle_repository(reference: str) -> str:
    for prefix in ("docker.io/", "library/"):
        if reference.startswith(prefix):
            reference = reference[len(prefix) :]
    path, slash, name = reference.rpartition("/")
    return path + slash + re.split("[:@]", name)[0]


def oracle_group_words(keep: Keep, seen: Object, unit: Unit) -> set[str]:
    """The groups that a unit is counted in, as reasons say them."""
    if keep.group_by == "repository":
        names = [unit[1]] if unit[1] is not None else getattr(seen, "digests", ())
        return {f" of {oracle_repository(name)}" for name in names} or {" of images without a repository"}
    if keep.group_by == "project":
        project = getattr(seen, "project", None)
        return {f" of project {project}" if project else " of images without a project"}
    return {""}


def oracle_time(seen: Object) -> datetime | None:
    return seen.built_at if isinstance(seen, Image) else seen.created_at


def oracle_units(spoken: Spoken) -> list[tuple[Object, Unit]]:
    return [(seen, (id_of(seen), tag)) for seen, tags in spoken for tag in (tags or (None,))]


def oracle_place(place: int) -> str:
    return f"{place}{'th' if place in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(place % 10, 'th')}"


def oracle_newest(place: int) -> str:
    return "newest" if place == 1 else f"{oracle_place(place)} newest"


def oracle_counted(keep: Keep, newer: list[datetime], own: datetime, older: int, group: str) -> set[str]:
    """The reasons for something with those before it in its group, in any order, and so many after it."""
    found = set()
    if keep.last == "all":
        found.add(f"keeps all{group} (keep.last = all)")
    elif keep.last is not None and len(newer) < keep.last:
        found.add(f"{oracle_newest(len(newer) + 1)}{group} (keep.last)")
    elif isinstance(keep.last, int) and own == sorted(newer, reverse=True)[keep.last - 1]:
        found.add(f"as new as the {oracle_newest(keep.last)}{group} (keep.last)")
    if keep.within is not None and own >= keep.within.before(max([*newer, own])):
        found.add(f"within {keep.within.words()} of the newest{group}")
    for word, form in FORMS.items():
        most: Count | None = getattr(keep, word)
        before = {f"{instant:{form}}" for instant in newer}
        is_first = f"{own:{form}}" not in before
        if most is not None and (is_first or older == 0) and (most == "all" or len(before) < most):
            place, setting = f"{oracle_place(len(before) + 1)} ", f"keep.{word}"
            if most == "all":
                place, setting = "", f"{setting} = all"
            found.add(f"{'' if is_first else 'oldest, '}{place}{word}{group} ({setting})")
    return found


def oracle_by_time(keep: Keep, spoken: Spoken, seen: Object, unit: Unit) -> set[str]:
    own = oracle_time(seen)
    if own is None:
        return {f"nothing tells when it was {'built' if isinstance(seen, Image) else 'created'}"}
    if own > NOW:
        return {f"dated in the future ({own:%Y-%m-%dT%H:%M:%SZ})"}
    found = set()
    for group in oracle_group_words(keep, seen, unit):
        # A dictionary, as an image is one member however many of its tags are in the group.
        others = {
            id_of(other): instant
            for other, other_unit in oracle_units(spoken)
            if group in oracle_group_words(keep, other, other_unit) and id_of(other) != id_of(seen)
            if (instant := oracle_time(other)) is not None and instant <= NOW
        }
        newer = [instant for name, instant in others.items() if (instant, name) > (own, id_of(seen))]
        found |= oracle_counted(keep, newer, own, len(others) - len(newer), group)
    return found


def oracle_by_version(count: Count, parts: int, spoken: Spoken, tag: str) -> set[str]:
    """The reason for a tag by the first so many parts of versions; of letters alone, pre-releases sort as text."""
    found = VERSION.fullmatch(tag.rpartition(":")[2])
    if found is None:
        return set()
    siblings = [
        other
        for _, (_, name) in oracle_units(spoken)
        if name is not None and oracle_repository(name) == oracle_repository(tag)
        if (other := VERSION.fullmatch(name.rpartition(":")[2]))
    ]

    def line(of: re.Match[str]) -> tuple[int, ...]:
        return tuple(int(of[part]) for part in range(1, parts + 1))

    def rank(of: re.Match[str]) -> tuple[bool, int, int, int, str]:
        return of[4] is None, int(of[1]), int(of[2]), int(of[3]), of[4] or ""

    released = {line(other) for other in siblings if other[4] is None}
    is_released = line(found) in released
    newer_lines = {
        line(other) for other in siblings if line(other) > line(found) and (line(other) in released) == is_released
    }
    if any(line(other) == line(found) and rank(other) > rank(found) for other in siblings):
        return set()
    if count != "all" and len(newer_lines) >= count:
        return set()
    return {f"newest{'' if is_released else ' pre-release'} of version {'.'.join(map(str, line(found)))}"}


def oracle(keep: Keep, spoken: Spoken) -> dict[Unit, set[str]]:
    kept: dict[Unit, set[str]] = {}
    counts = any(getattr(keep, field) is not None for field in ("last", "within", *FORMS))
    for seen, unit in oracle_units(spoken):
        reasons = oracle_by_time(keep, spoken, seen, unit) if counts else set()
        if unit[1] is not None:
            name = unit[1].rpartition(":")[2]
            reasons |= {
                f"tag matches {prefix}*" for prefix in (one[:-1] for one in keep.tags) if name.startswith(prefix)
            }
            for count, parts in ((keep.majors, 1), (keep.minors, 2)):
                if count is not None:
                    reasons |= oracle_by_version(count, parts, spoken, unit[1])
        if reasons:
            kept[unit] = reasons
    return kept


# Few repositories, days and numbers, so that much falls together; and from a year's end, where weeks are odd.
REPOSITORIES = st.sampled_from(["app", "docker.io/library/app", "localhost/app", "host:5000/app", "host:5000/b"])
TAGS = st.one_of(
    st.sampled_from(["latest", "1.2", "v1", "1.2.3.4"]),
    st.builds(
        "{}{}.{}.{}{}".format,
        st.sampled_from(["", "v"]),
        *[st.integers(0, 2)] * 3,
        st.sampled_from(["", "", "-a", "-b"]),
    ),
)
REFERENCES = st.builds("{}:{}".format, REPOSITORIES, TAGS)
INSTANTS = st.one_of(
    st.none(),
    st.builds(
        lambda start, hours, seconds: start + timedelta(hours=hours, seconds=seconds),
        st.sampled_from(
            [NOW - timedelta(hours=40), datetime(2025, 12, 27, tzinfo=UTC), datetime(2020, 2, 28, tzinfo=UTC)]
        ),
        st.integers(0, 200),
        st.integers(0, 3599),
    ),
    st.sampled_from([NOW, NOW + timedelta(seconds=1), ago(days=30), ago(days=31)]),
)


@st.composite
def images(draw: st.DrawFn) -> Spoken:
    """Images whose tags are each on one of them, as in an engine."""
    references = draw(st.lists(REFERENCES, max_size=14, unique=True))
    made: list[Image] = []
    for number in range(draw(st.integers(0, 9))):
        own = tuple(references.pop() for _ in range(min(len(references), draw(st.integers(0, 3)))))
        digests = tuple(f"{name}@sha256:{number}" for name in draw(st.lists(REPOSITORIES, max_size=2)))
        project = draw(st.sampled_from([None, "shop"]))
        made.append(replace(image(f"{number}", *own, digests=digests), built_at=draw(INSTANTS), project=project))
    return [(one, one.tags) for one in draw(st.permutations(made))]


VOLUMES: st.SearchStrategy[Spoken] = st.lists(INSTANTS, max_size=12).map(
    lambda times: [(replace(volume(f"{n}"), created_at=instant), ()) for n, instant in enumerate(times)]
)
COUNTS = st.one_of(st.none(), st.integers(1, 4), st.just("all"))
AGES = st.one_of(st.none(), st.sampled_from([parse_age(text) for text in ("1s", "3h", "1d12h", "30d", "1mo", "6y")]))
PATTERNS = st.lists(st.sampled_from(["*", "v*", "1.*", "la*"]), max_size=2, unique=True).map(tuple)


def keeps(*group_by: str) -> st.SearchStrategy[Keep]:
    return st.builds(
        Keep,
        group_by=st.sampled_from(group_by),
        last=COUNTS,
        within=AGES,
        hourly=COUNTS,
        daily=COUNTS,
        weekly=COUNTS,
        monthly=COUNTS,
        yearly=COUNTS,
        tags=PATTERNS,
        majors=COUNTS,
        minors=COUNTS,
    )


IMAGE_KEEPS = keeps("repository", "project", "none")


def check_with_oracle(keep: Keep, spoken: Spoken) -> None:
    kept = retain(keep, spoken, NOW).kept
    assert {unit: set(map(about_text, reasons)) for unit, reasons in kept.items()} == oracle(keep, spoken)
    assert all(len(set(reasons)) == len(reasons) for reasons in kept.values()), "a reason is told once"


@given(IMAGE_KEEPS, images())
def test_images_as_the_oracle_says(keep: Keep, spoken: Spoken) -> None:
    check_with_oracle(keep, spoken)


@given(keeps("none"), VOLUMES)
def test_volumes_as_the_oracle_says(keep: Keep, spoken: Spoken) -> None:
    check_with_oracle(keep, spoken)


@given(IMAGE_KEEPS, images(), st.randoms(use_true_random=False))
def test_the_order_of_what_comes_in_says_nothing(keep: Keep, spoken: Spoken, random: Random) -> None:
    shuffled = random.sample(spoken, len(spoken))
    assert retain(keep, shuffled, NOW).kept == retain(keep, spoken, NOW).kept


def more_of(less: object, other: object) -> object:
    """What asks for at least as much as the first of two counts, ages or lists of patterns."""
    if isinstance(less, tuple) and isinstance(other, tuple):
        return tuple(dict.fromkeys((*less, *other)))
    if isinstance(less, Age) and isinstance(other, Age):
        return min(less, other, key=lambda age: age.before(NOW))
    if isinstance(less, int) and isinstance(other, int):
        return max(less, other)
    return other if less is None or (other == "all" and isinstance(less, int)) else less


@given(IMAGE_KEEPS, IMAGE_KEEPS, images())
def test_to_ask_for_more_never_keeps_less(keep: Keep, other: Keep, spoken: Spoken) -> None:
    asked = {field: more_of(less, asdict(other)[field]) for field, less in asdict(keep).items() if field != "group_by"}
    assert retain(keep, spoken, NOW).kept.keys() <= retain(replace(keep, **asked), spoken, NOW).kept.keys()
