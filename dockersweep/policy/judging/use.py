"""Which objects are in use and which are unused, whatever a policy says."""

from collections.abc import Iterable, Mapping, Sequence

from dockersweep.model.inventory import (
    KINDS,
    STOPPED_STATES,
    BuildCacheRecord,
    Container,
    Image,
    Kind,
    Object,
    ObjectRef,
    Volume,
)
from dockersweep.model.last_use import KnownProject
from dockersweep.model.naming import name_of
from dockersweep.model.use import Use
from dockersweep.policy.bytes.reclaim import Freed
from dockersweep.policy.judging.holders import Holder
from dockersweep.policy.judging.order import ORDER, holders_first
from dockersweep.policy.judging.owners import owner_of
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.judging.unused import uses
from dockersweep.words.ages import since_words
from dockersweep.words.lists import first_of
from dockersweep.words.reasons import about_text, reason_text


def describe_use(survey: Survey, with_owners: bool = False) -> tuple[Use, ...]:
    """Return the use of every object, by kind, holders first; `with_owners` adds the compose project of each."""
    known = {project.project: project for project in survey.inventory.projects or ()} if with_owners else None
    return tuple(
        _use_of(listed.ref(place), listed.items[place], survey, known)
        for listed in map(survey.listing.of_kind, KINDS)
        for place in holders_first(listed.kind, listed.by_id(), survey.holders)
    )


def reclaim_of_unused(survey: Survey, unused: Iterable[ObjectRef]) -> Freed:
    """Return what removing all these unused objects frees, in the order of a plan."""
    of_kinds: dict[Kind, list[ObjectRef]] = {kind: [] for kind in ORDER}
    for ref in unused:
        of_kinds[ref.kind].append(ref)
    return survey.reclaim.together([ref for refs in of_kinds.values() for ref in refs])


def why_so(ref: ObjectRef, item: Object, survey: Survey) -> str:
    """Return a phrase that says why an object is in use, or what kind of unused object it is."""
    place = survey.listing.of_kind(ref.kind).places[ref.id]
    holders = survey.holders.of_kind(ref.kind)[place]
    if ref in survey.unused:
        return _why_unused(item, holders)
    reasons = [reason_text(reason) for reason in survey.never_removed(ref.kind).get(place, ())]
    return ", ".join(reasons + _in_short([holder for holder in holders if uses(holder.by, survey.unused)]))


def _use_of(ref: ObjectRef, item: Object, survey: Survey, known: Mapping[str, KnownProject] | None) -> Use:
    since = survey.since(ref, item)
    owner = None if known is None else owner_of(item, known)
    why = why_so(ref, item, survey)
    return Use(
        kind=ref.kind,
        id=ref.id,
        name=name_of(item),
        in_use=ref not in survey.unused,
        why=why if owner is None or owner.lost_its_tag else f"{why}, {about_text(owner)}",
        size_bytes=survey.sizes.of(item),
        age_seconds=None if since is None else since.seconds(survey.now),
        age_source=None if since is None else since.source,
        since=None if since is None else since_words(since.source, since.action),
    )


def _in_short(holders: Sequence[Holder]) -> list[str]:
    """Return the first holder, a running one if there is any, and how many more there are."""
    ordered = sorted(holders, key=lambda holder: holder.about.state in STOPPED_STATES)
    return [first_of([about_text(holder.about) for holder in ordered], 1)] if holders else []


def _why_unused(item: Object, holders: Sequence[Holder]) -> str:
    if isinstance(item, Container):
        code = "" if item.exit_code is None or item.state == "created" else f" ({item.exit_code})"
        restarts = f", restart policy {item.restart_policy}" if item.restart_policy not in (None, "no") else ""
        return f"{item.state}{code}{restarts}"
    if isinstance(item, Image):
        if item.tags:
            return "no container uses it"
        if holders:
            return _in_short(holders)[0]
        owner = owner_of(item)
        formerly = "" if owner is None else f", {about_text(owner)}"
        return f"dangling{', can be pulled again' if item.in_registry else ''}{formerly}"
    if isinstance(item, Volume):
        return f"{'anonymous, ' if item.anonymous else ''}no container mounts it"
    if isinstance(item, BuildCacheRecord):
        return f"{item.type or 'unknown type'}{', shared' if item.shared else ''}"
    return "no container names it"
