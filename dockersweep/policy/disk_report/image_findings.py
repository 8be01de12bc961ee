"""What there is to find about images."""

from dockersweep.model.inventory import STOPPED_STATES
from dockersweep.model.naming import image_name
from dockersweep.model.plan import ObjectRef
from dockersweep.policy.disk_report.scene import Evidence, Found, Scene
from dockersweep.policy.protections import is_cleaned_up_by_others
from dockersweep.units import DAY, format_duration, format_size

OLD_SECONDS = 30 * DAY
MANY_VERSIONS = 10
DAYS_LOOKED_AT = 7
DAYS_THAT_ARE_DAILY = 5


def kept_by_one_old_container(scene: Scene) -> Found:
    """Images that nothing needs but a single container which stopped long ago."""
    for image in scene.inventory.images:
        holders = scene.containers_of_image.get(image.id, [])
        if len(holders) != 1 or holders[0].state not in STOPPED_STATES:
            continue
        holder = holders[0]
        if is_cleaned_up_by_others(holder):
            # Nobody is to remove it by hand, and no sweep the image of a service.
            continue
        since = scene.seconds_since(holder.finished_at or holder.created_at)
        if since is not None and since >= OLD_SECONDS:
            size = scene.objects[ObjectRef(kind="image", id=image.id)].own_bytes
            text = f"{image_name(image)}: {format_size(size)}, {holder.name} stopped {format_duration(since)} ago"
            yield Evidence(text, size, name=holder.name)


def many_versions(scene: Scene) -> Found:
    """Repositories with ten images or more, where some are of no use."""
    for group in scene.repositories:
        count = group.versions or 0
        if count >= MANY_VERSIONS and group.unused_bytes != 0:
            unused = f"{format_size(group.unused_bytes)} of {format_size(group.size_bytes)} unused"
            text = f"{group.name}: {count} versions, {unused}"
            yield Evidence(text, group.unused_bytes, name=group.name)


def dangling_every_day(scene: Scene) -> Found:
    """Images without a tag that came on most days of the last week, whether or not they are still there.

    An intermediate of the legacy builder has no tag either, but a child.
    """
    parents = {image.parent_id for image in scene.inventory.images}
    lives = [life for life in scene.arrivals if life.id not in parents]
    days = {life.first_seen_at.date() for life in lives}
    if len(days) < DAYS_THAT_ARE_DAILY:
        return
    former = sorted({name for life in lives for name in life.names[1:] if ":" in name})
    title = f"{len(lives)} came on {len(days)} of the last {DAYS_LOOKED_AT} days"
    if not former:
        yield Evidence("none of them ever had a tag", title=title)
    for tag in former:
        count = sum(tag in life.names for life in lives)
        yield Evidence(f"{tag}: {count} lost this tag to a newer build", rank=count, title=title)
