"""What belongs together: compose projects, repositories, ages, and layers that several images share."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from dockersweep.model.plan import ObjectRef
from dockersweep.model.report import Group, ReportedObject, SharedLayers
from dockersweep.policy.disk_report.footprint import Footprint
from dockersweep.units import DAY, WEEK

BANDS: tuple[tuple[str, int | None], ...] = (
    ("under a day", DAY),
    ("a day to a week", WEEK),
    ("a week to a month", 30 * DAY),
    ("a month to a quarter", 91 * DAY),
    ("older", None),
)
UNKNOWN_AGE = "unknown"


def projects(objects: Iterable[ReportedObject], footprint: Footprint) -> tuple[Group, ...]:
    """Return the compose projects, the largest first."""
    return _largest_first(_grouped(objects, lambda one: one.project), footprint)


def repositories(objects: Iterable[ReportedObject], footprint: Footprint) -> tuple[Group, ...]:
    """Return the repositories, the largest first."""
    of_images = _grouped((one for one in objects if one.kind == "image"), lambda one: one.repository)
    return _largest_first(of_images, footprint, has_versions=True)


def ages(objects: Iterable[ReportedObject], footprint: Footprint) -> tuple[Group, ...]:
    """Return the bands of age, the youngest first, and last what is of unknown age; each is there, also if empty."""
    grouped = _grouped(objects, lambda one: _band(one.age_seconds))
    names = (*(name for name, _ in BANDS), UNKNOWN_AGE)
    return tuple(_group(name, grouped.get(name, []), footprint) for name in names)


def sharing(footprint: Footprint) -> tuple[SharedLayers, ...]:
    """Return how many layers stand under how many images, the most shared first."""
    found = footprint.layers_by_images()
    return tuple(
        SharedLayers(images=images, layers=len(sizes), size_bytes=_sum(sizes))
        for images, sizes in sorted(found.items(), reverse=True)
    )


def _band(age_seconds: int | None) -> str:
    if age_seconds is None:
        return UNKNOWN_AGE
    return next(name for name, end in BANDS if end is None or age_seconds < end)


def _grouped(
    objects: Iterable[ReportedObject], key: Callable[[ReportedObject], str | None]
) -> dict[str, list[ReportedObject]]:
    found: dict[str, list[ReportedObject]] = {}
    for one in objects:
        name = key(one)
        if name is not None:
            found.setdefault(name, []).append(one)
    return found


def _largest_first(
    grouped: dict[str, list[ReportedObject]], footprint: Footprint, has_versions: bool = False
) -> tuple[Group, ...]:
    found: Iterator[Group] = (_group(name, objects, footprint, has_versions) for name, objects in grouped.items())
    return tuple(sorted(found, key=lambda group: (-(group.size_bytes or 0), group.name)))


def _group(name: str, objects: Sequence[ReportedObject], footprint: Footprint, has_versions: bool = False) -> Group:
    size, unused = footprint.together(ObjectRef(kind=one.kind, id=one.id) for one in objects)
    versions = len(objects) if has_versions else None
    return Group(name=name, objects=len(objects), size_bytes=size, unused_bytes=unused, versions=versions)


def _sum(sizes: Iterable[int | None]) -> int | None:
    listed = list(sizes)
    return None if None in listed else sum(size or 0 for size in listed)
