"""Findings about volumes: the function that finds each, and its row."""

import re
from collections.abc import Iterator

from dockersweep.model.inventory import ObjectRef, Volume
from dockersweep.model.last_use import KnownProject
from dockersweep.model.naming import ref_of
from dockersweep.policy.disk_report.evidence import Evidence
from dockersweep.policy.disk_report.finding_facts import FindingFacts
from dockersweep.policy.disk_report.finding_row import FindingRow, FixTemplate
from dockersweep.policy.judging import unmarked_volumes
from dockersweep.policy.judging.aged import aged
from dockersweep.units import DAY, format_duration, format_size
from dockersweep.words.ages import age_text

LONG_SECONDS = 30 * DAY
# buildx: driver/docker-container, the volume of a builder's node.
_BUILDER_STATE = re.compile(r"(buildx_buildkit_.+)_state")


def unused_for_long(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield the volumes without a known use in a month, except those of other findings."""
    unmarked = {volume.name for volume in facts.unmarked_volumes}
    for volume in _not_named_by_unseen_services(facts):
        if _builder_of(volume) or volume.project in facts.idle_projects or volume.name in unmarked:
            continue
        if volume.options:
            # Its data may be elsewhere, so its size here means nothing.
            continue
        survey = facts.survey
        since = survey.since(ref_of(volume), volume)
        if since is not None and since.seconds(survey.now) >= LONG_SECONDS:
            yield _evidence(facts, volume, age_text(aged(volume, since, survey.now, survey.watch)))


def of_gone_projects(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield the unused volumes of compose projects that have had no container here for a day or longer, except those
    that the policy protects; those of projects whose files are gone rank first."""
    for volume in _not_named_by_unseen_services(facts):
        project = facts.idle_projects.get(volume.project or "")
        if project is not None and not facts.is_protected(ObjectRef(kind="volume", id=volume.name)):
            why = _without_containers(facts, project)
            yield _evidence(facts, volume, why, project.project, rank=1 if project.missing else 0)


def _without_containers(facts: FindingFacts, project: KnownProject) -> str:
    """Return how long a project has had no container here, and what is known of its files. It may run elsewhere."""
    since = format_duration(facts.seconds_since(project.container_at) or 0)
    return f"project {project.project} has had no container here for {since}{_files(project)}"


def _files(project: KnownProject) -> str:
    folder, missing = project.working_dir, project.missing
    if folder is None or missing is None:
        return ""
    if folder in missing:
        return f"; its folder {folder} is gone"
    return f"; its file {missing[0]} is gone" if missing else f"; its folder {folder} is still there"


def of_gone_builders(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield the volumes of buildx builders that have no container left."""
    names = {container.name for container in facts.inventory.containers}
    for volume in facts.idle_volumes:
        builder = _builder_of(volume)
        if builder is not None and builder not in names:
            yield _evidence(facts, volume, f"there is no container {builder}")


def not_marked_anonymous(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield the volumes that a rule for anonymous ones does not match only because the engine set no label."""
    for volume in facts.unmarked_volumes:
        created = "unknown" if volume.created_at is None else f"{volume.created_at:%Y-%m-%d}"
        yield _evidence(facts, volume, f"created {created}")


def _not_named_by_unseen_services(facts: FindingFacts) -> Iterator[Volume]:
    """Yield the unused volumes; no named ones if services that cannot be listed may use them."""
    return (volume for volume in facts.idle_volumes if facts.inventory.services is not None or volume.anonymous)


def _builder_of(volume: Volume) -> str | None:
    match = _BUILDER_STATE.fullmatch(volume.name)
    return None if match is None else match[1]


def _evidence(facts: FindingFacts, volume: Volume, why: str, matched_by: str = "", rank: int = 0) -> Evidence:
    size = facts.objects[ObjectRef(kind="volume", id=volume.name)].size_bytes
    text = f"{volume.name}: {format_size(size)}, {why}"
    return Evidence(text, size, rank, name=volume.name, matched_by=matched_by)


def _rule_for_unused(what: str, condition: str) -> FixTemplate:
    return FixTemplate(
        f"look with {{command}}; to remove {what} once unused for 30 days, {{rule}}",
        command="dockersweep explain volume:{name}",
        rule=('kind = "volume"', condition, 'remove.unused_for = "30d"'),
    )


VOLUME_FINDINGS = (
    FindingRow(
        "DS003",
        "note",
        title_of_one="1 volume has not been used for a long time",
        title_of_many="{} volumes have not been used for a long time",
        fix=_rule_for_unused("it", "match.name = {pattern}"),
        find=unused_for_long,
    ),
    FindingRow(
        "DS004",
        "note",
        title_of_one="1 volume belongs to a compose project without containers",
        title_of_many="{} volumes belong to compose projects without containers",
        fix=_rule_for_unused("the volumes of these projects", "match.project = {patterns}"),
        find=of_gone_projects,
    ),
    FindingRow(
        "DS005",
        "note",
        title_of_one="1 volume holds the cache of a deleted buildx builder",
        title_of_many="{} volumes hold the cache of deleted buildx builders",
        fix=FixTemplate(
            "{command}; builds fill the cache again",
            command="docker volume rm {name}",
        ),
        find=of_gone_builders,
    ),
    FindingRow(
        unmarked_volumes.FINDING,
        "note",
        title_of_one="1 unused volume looks anonymous but is not marked so",
        title_of_many="{} unused volumes look anonymous but are not marked so",
        fix=FixTemplate(
            "look with {command}; to remove them all, also those that a person or a program named so, {rule}",
            command="dockersweep explain volume:{name}",
            rule=(
                'kind = "volume"',
                'match.name = "/^[0-9a-f]{{64}}$/"',
                'match.driver = "local"',
                "match.has_options = false",
                'remove.unused_for = "30d"',
            ),
        ),
        find=not_marked_anonymous,
    ),
)
