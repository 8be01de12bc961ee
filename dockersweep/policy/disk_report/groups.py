"""Objects in groups: compose projects, repositories, ages; and layers that several images share."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence

from dockersweep.model.quantities import known_sum
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
_ENDS = [end for _, end in BANDS if end is not None]
UNKNOWN_AGE = "unknown"

Objects = Mapping[int, ReportedObject]
"""Node in the layer graph -> object of the report."""


def projects(objects: Objects, footprint: Footprint) -> tuple[Group, ...]:
    """Return the compose projects, the largest first."""
    return _largest_first(_grouped(objects, lambda item: item.project), footprint)


def repositories(objects: Objects, footprint: Footprint) -> tuple[Group, ...]:
    """Return the repositories, the largest first."""
    of_images = _grouped(objects, lambda item: item.repository)
    return _largest_first(of_images, footprint, has_versions=True)


def ages(objects: Objects, footprint: Footprint) -> tuple[Group, ...]:
    """Return the age bands, the youngest first, unknown ages last; empty ones too."""
    grouped = _grouped(objects, lambda item: _band(item.age_seconds))
    names = (*(name for name, _ in BANDS), UNKNOWN_AGE)
    return tuple(_group(name, grouped.get(name, []), footprint) for name in names)


def sharing(footprint: Footprint) -> tuple[SharedLayers, ...]:
    """Return how many layers are shared by how many images, the most shared first."""
    sizes_by_images = footprint.layers_by_images()
    return tuple(
        SharedLayers(images=images, layers=len(sizes), size_bytes=known_sum(sizes))
        for images, sizes in sorted(sizes_by_images.items(), reverse=True)
    )


def _band(age_seconds: int | None) -> str:
    return UNKNOWN_AGE if age_seconds is None else BANDS[bisect_right(_ENDS, age_seconds)][0]


def _grouped(objects: Objects, key: Callable[[ReportedObject], str | None]) -> dict[str, list[int]]:
    nodes_by_name: dict[str, list[int]] = {}
    for node, item in objects.items():
        name = key(item)
        if name is not None:
            nodes_by_name.setdefault(name, []).append(node)
    return nodes_by_name


def _largest_first(
    grouped: dict[str, list[int]], footprint: Footprint, has_versions: bool = False
) -> tuple[Group, ...]:
    groups: Iterator[Group] = (_group(name, nodes, footprint, has_versions) for name, nodes in grouped.items())
    return tuple(sorted(groups, key=lambda group: (-(group.size_bytes or 0), group.name)))


def _group(name: str, nodes: Sequence[int], footprint: Footprint, has_versions: bool = False) -> Group:
    size, unused = footprint.together(nodes)
    versions = len(nodes) if has_versions else None
    return Group(name=name, objects=len(nodes), size_bytes=size, unused_bytes=unused, versions=versions)
