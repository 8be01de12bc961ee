"""What there is to find about volumes."""

import re
from collections.abc import Iterator
from datetime import datetime

from dockersweep.model.inventory import Volume
from dockersweep.model.plan import ObjectRef
from dockersweep.policy.disk_report.scene import Evidence, Found, Scene
from dockersweep.units import DAY, format_duration, format_size

LONG_SECONDS = 30 * DAY
GONE_SECONDS = DAY
"""A project that is being made anew has no containers for a moment."""
# buildx: driver/docker-container, the volume of a builder's node.
_BUILDER_STATE = re.compile(r"(buildx_buildkit_.+)_state")


def unused_for_long(scene: Scene) -> Found:
    """Volumes that nothing was ever seen to use, or has not for a month; others of this file tell of their own."""
    told_below = {volume.name for volume in scene.unmarked_volumes}
    for volume in _not_named_by_unseen_services(scene):
        if _builder_of(volume) or _project_is_gone(scene, volume) or volume.name in told_below:
            continue
        told, instant = _last_known(volume)
        since = scene.seconds_since(instant)
        if since is not None and since >= LONG_SECONDS:
            yield _evidence(scene, volume, told.format(format_duration(since)))


def of_gone_projects(scene: Scene) -> Found:
    """Volumes of compose projects that have no container left."""
    for volume in _not_named_by_unseen_services(scene):
        if _project_is_gone(scene, volume):
            yield _evidence(scene, volume, f"project {volume.project}", volume.project or "")


def of_gone_builders(scene: Scene) -> Found:
    """The state of builders whose container is gone: buildx leaves it where a builder is removed with its container."""
    names = {one.name for one in scene.inventory.containers}
    for volume in _idle(scene):
        builder = _builder_of(volume)
        if builder is not None and builder not in names:
            yield _evidence(scene, volume, f"there is no container {builder}")


def not_marked_anonymous(scene: Scene) -> Found:
    """Volumes that a rule for anonymous ones does not match, for want of the engine's label."""
    for volume in scene.unmarked_volumes:
        created = "unknown" if volume.created_at is None else f"{volume.created_at:%Y-%m-%d}"
        yield _evidence(scene, volume, f"created {created}")


def _idle(scene: Scene) -> Iterator[Volume]:
    for volume in scene.inventory.volumes:
        if not scene.objects[ObjectRef(kind="volume", id=volume.name)].in_use:
            yield volume


def _not_named_by_unseen_services(scene: Scene) -> Iterator[Volume]:
    """Of what services may use that cannot be seen, nothing tells that it is of no use."""
    return (volume for volume in _idle(scene) if scene.inventory.services is not None or volume.anonymous)


def _builder_of(volume: Volume) -> str | None:
    found = _BUILDER_STATE.fullmatch(volume.name)
    return None if found is None else found[1]


def _project_is_gone(scene: Scene, volume: Volume) -> bool:
    since = scene.seconds_since(volume.created_at)
    is_young = since is not None and since < GONE_SECONDS
    return volume.project is not None and not is_young and volume.project not in scene.projects_with_containers


def _last_known(volume: Volume) -> tuple[str, datetime | None]:
    """Return since when nothing is known to use a volume, and what that rests on: before the first scan that saw it,
    it may have been used till yesterday."""
    unused, first = volume.first_seen_unused_at, volume.first_seen_at
    if unused is not None and unused != first:
        return "not used for {}", unused
    if volume.created_at is not None:
        return "created {} ago, never seen in use", volume.created_at
    return "first seen {} ago, never in use", unused


def _evidence(scene: Scene, volume: Volume, why: str, matched_by: str = "") -> Evidence:
    size = scene.objects[ObjectRef(kind="volume", id=volume.name)].size_bytes
    return Evidence(f"{volume.name}: {format_size(size)}, {why}", size, name=volume.name, matched_by=matched_by)
