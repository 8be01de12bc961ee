"""What an object is, its age, and the evidence for it: last uses, by whom, and unwatched time."""

from collections.abc import Iterator
from datetime import timedelta

from dockersweep.model.explanation import Subject, UseEvidence
from dockersweep.model.inventory import STOPPED_STATES, BuildCacheRecord, Container, Image, Object, Volume
from dockersweep.model.last_use import Span
from dockersweep.model.naming import name_of
from dockersweep.policy.judging.aged import aged
from dockersweep.policy.judging.case import Case
from dockersweep.policy.judging.holders import Holder
from dockersweep.policy.judging.old_enough import why_unknown
from dockersweep.policy.judging.owners import last_user_of, owner_of
from dockersweep.policy.judging.survey import Survey
from dockersweep.words.ages import age_fact
from dockersweep.words.reasons import unknown_age_text

MOST_GAPS = 5


def subject_of(case: Case, size: int | None, survey: Survey) -> Subject:
    """Return what an object is; an object that a running container holds is in use, and has no age."""
    item = case.item
    in_use = any(map(_runs, case.staying))
    since = None if in_use else case.since
    if since is not None:
        text = age_fact(aged(item, since, survey.now, survey.watch))
    else:
        text = "in use now" if in_use else _why_ageless(item)
    owner = owner_of(item, {project.project: project for project in survey.inventory.projects or ()})
    last = last_user_of(item)
    return Subject(
        kind=case.ref.kind,
        id=case.ref.id,
        name=name_of(item),
        tags=item.tags if isinstance(item, Image) else (),
        digests=item.digests if isinstance(item, Image) else (),
        owner=owner,
        last_used_by=None if owner is not None and last is not None and owner.project == last.project else last,
        registry_answer=item.registry_answer if isinstance(item, Image) else None,
        size_bytes=size,
        age_text=text,
        age_counts_from_at=None if since is None else since.instant,
    )


def use_evidence(case: Case, survey: Survey) -> UseEvidence:
    """Return the known uses of an object."""
    item = case.item
    uses = () if isinstance(item, BuildCacheRecord) else item.uses
    existing = survey.watch.containers
    return UseEvidence(
        uses=uses,
        containers_gone=tuple(sorted({use.by_id for use in uses if use.by_id is not None} - existing)),
        written_at=item.written_at if isinstance(item, Volume) else None,
        built_on_at=next(iter(survey.build_uses(case.kind).get(case.id, ())), None),
        first_seen_at=item.first_seen_at,
        unused_since_at=item.first_seen_unused_at,
        scans_unused=item.scans_unused,
        gaps=tuple(_gaps(case, survey)) if survey.watch.is_known else None,
    )


def _gaps(case: Case, survey: Survey) -> Iterator[Span]:
    begin = case.item.first_seen_at if case.since is None else case.since.instant
    # For these kinds the engine itself tells since when they are unused.
    if begin is None or isinstance(case.item, Container | BuildCacheRecord):
        return
    gaps = survey.watch.of(case.item).gaps(begin, survey.now)
    # Shorter gaps come from rounding: the ledger has whole seconds.
    long = [(begins_at, ends_at) for begins_at, ends_at in gaps if ends_at - begins_at >= timedelta(seconds=2)]
    for begins_at, ends_at in long[-MOST_GAPS:]:
        yield Span(begins_at=begins_at, ends_at=ends_at)


def _runs(hold: Holder) -> bool:
    return hold.by.kind == "container" and hold.about.state is not None and hold.about.state not in STOPPED_STATES


def _why_ageless(item: Object) -> str:
    if isinstance(item, Container) and item.state not in STOPPED_STATES:
        return f"none: it is {item.state or 'in an unknown state'}"
    return f"unknown: {unknown_age_text(why_unknown(item))}"
