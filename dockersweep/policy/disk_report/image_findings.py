"""Findings about images: the function that finds each, and its row."""

from collections.abc import Iterator

from dockersweep.model.inventory import STOPPED_STATES, ObjectRef
from dockersweep.model.naming import image_name, ref_of
from dockersweep.policy.disk_report.evidence import Evidence
from dockersweep.policy.disk_report.finding_facts import FindingFacts
from dockersweep.policy.disk_report.finding_row import FindingRow, FixTemplate
from dockersweep.policy.judging.hard_protections import is_cleaned_up_by_others
from dockersweep.units import DAY, format_duration, format_size

OLD_SECONDS = 30 * DAY
MANY_VERSIONS = 10
DAYS_OF_ARRIVALS = 7
FEWEST_DAYS = 5


def kept_by_one_old_container(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield the images whose only holder is a container that stopped long ago."""
    for image in facts.inventory.images:
        holders = facts.containers_of_image.get(image.id, [])
        if len(holders) != 1 or holders[0].state not in STOPPED_STATES:
            continue
        holder = holders[0]
        if is_cleaned_up_by_others(holder):
            # Its owner removes it, and no sweep removes an image that a service needs.
            continue
        since = facts.seconds_since(holder.finished_at or holder.created_at)
        if since is not None and since >= OLD_SECONDS:
            size = facts.objects[ObjectRef(kind="image", id=image.id)].own_bytes
            text = f"{image_name(image)}: {format_size(size)}, {holder.name} stopped {format_duration(since)} ago"
            goes = facts.goes(ref_of(holder))
            yield Evidence(text, size, rank=0 if goes else 1, name=holder.name, fix_helps=not goes)


def many_versions(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield the repositories with ten images or more, some of them unused."""
    for group in facts.repositories:
        count = group.versions or 0
        if count >= MANY_VERSIONS and group.unused_bytes != 0:
            unused = f"{format_size(group.unused_bytes)} of {format_size(group.size_bytes)} unused"
            text = f"{group.name}: {count} versions, {unused}"
            yield Evidence(text, group.unused_bytes, name=group.name)


def dangling_every_day(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield the tags that dangling images lost, if some arrived on most days of the last week, existing or not.

    Parents are left out: intermediate images of the legacy builder have no tag either.
    """
    parents = {image.parent_id for image in facts.inventory.images}
    lives = [life for life in facts.arrivals if life.id not in parents]
    days = {life.first_seen_at.date() for life in lives}
    if len(days) < FEWEST_DAYS:
        return
    former = sorted({name for life in lives for name in life.names[1:] if ":" in name})
    title = f"{len(lives)} came on {len(days)} of the last {DAYS_OF_ARRIVALS} days"
    if not former:
        yield Evidence("none of them ever had a tag", title=title)
    for tag in former:
        count = sum(tag in life.names for life in lives)
        yield Evidence(f"{tag}: {count} lost this tag to a newer build", rank=count, title=title)


IMAGE_FINDINGS = (
    FindingRow(
        "DS006",
        "note",
        title_of_one="1 image is only held by an old stopped container",
        title_of_many="{} images are only held by old stopped containers",
        fix=FixTemplate(
            "{command} if the container is no longer needed; once the image has been unused for a day, dockersweep "
            "sweep --all-images removes it (it lists all unused images and asks)",
            command="docker rm {name}",
        ),
        find=kept_by_one_old_container,
        fix_of_the_rest=FixTemplate(
            "{command} removes {name} and the image at once (it lists all unused images and asks); a sweep without the "
            "flag removes only {name}, and the image stays for another day",
            command="dockersweep sweep --all-images",
        ),
    ),
    FindingRow(
        "DS007",
        "note",
        title_of_one="1 repository has many versions",
        title_of_many="{} repositories have many versions",
        fix=FixTemplate(
            "to keep the newest and remove the rest, {rule}",
            rule=('kind = "image"', "match.repository = {pattern}", "keep.last = 5", 'remove.unused_for = "14d"'),
        ),
        find=many_versions,
    ),
    FindingRow(
        "DS010",
        "note",
        title_of_one="builds leave dangling images every day: {}",
        title_of_many="builds leave dangling images every day: {}",
        fix=FixTemplate(
            "tag each build with a version (docker build -t NAME:VERSION), and run dockersweep sweep --yes daily",
        ),
        find=dangling_every_day,
    ),
)
