"""The chains of holders of an object, each up to one that nothing holds."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from dockersweep.model.explanation import Chain, Link
from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Object, ObjectRef
from dockersweep.model.naming import name_of, short_id
from dockersweep.model.plan import Decision
from dockersweep.model.reason import Relation
from dockersweep.policy.judging.holders import Holder, Holders, stopped_seconds
from dockersweep.policy.judging.survey import Survey
from dockersweep.words.reasons import about_text, state_text

USUAL: tuple[Relation, ...] = ("uses", "parent")
"""The relations that the kinds of the two objects imply."""


def all_holders(ref: ObjectRef, holds: Holders) -> dict[ObjectRef, tuple[ObjectRef, Holder]]:
    """Return everything that holds an object, directly or through others, nearest first.

    Holder -> what it holds on a shortest path to the object, and how.
    """
    holders: dict[ObjectRef, tuple[ObjectRef, Holder]] = {}
    waiting = [ref]
    for held in waiting:
        for hold in holds.get(held, ()):
            if hold.by != ref and hold.by not in holders:
                holders[hold.by] = held, hold
                waiting.append(hold.by)
    return holders


def find_chains(ref: ObjectRef, survey: Survey, decisions: Mapping[ObjectRef, Decision]) -> tuple[Chain, ...]:
    """Return a shortest chain to each of the last holders of an object; chains to a holder that stays come first.

    There may be very many paths between two objects, so only one is shown. A circle, which no engine should report,
    ends where it closes.
    """
    holders = all_holders(ref, survey.holders)
    ends = [holder for holder in holders if not survey.holders.get(holder)]
    if not ends:
        held = {below for below, _ in holders.values()}
        ends = [holder for holder in holders if holder not in held]
    chains = []
    for end in ends:
        path = [end]
        while holders[path[-1]][0] != ref:
            path.append(holders[path[-1]][0])
        path.reverse()
        chains.append(Chain(links=tuple(_link(holder, holders[holder][1], survey, decisions) for holder in path)))
    return tuple(sorted(chains, key=lambda chain: (chain.links[-1].goes, len(chain.links), chain.links[-1].name)))


def _link(ref: ObjectRef, hold: Holder, survey: Survey, decisions: Mapping[ObjectRef, Decision]) -> Link:
    item = survey.objects[ref]
    goes = decisions[ref].verdict == "remove"
    # The description of a build-cache record is a whole command.
    name = short_id(item.id) if isinstance(item, BuildCacheRecord) else name_of(item)
    return Link(kind=ref.kind, id=ref.id, name=name, goes=goes, notes=tuple(_notes(item, hold, goes, survey.now)))


def _notes(item: Object, hold: Holder, goes: bool, now: datetime) -> Iterator[str]:
    if isinstance(item, Container):
        yield state_text(item.state, stopped_seconds(item, now))
    if isinstance(item, Image):
        yield "tagged" if item.tags else "without a tag"
    if isinstance(item, BuildCacheRecord) and item.in_use:
        yield "a build uses it"
    if hold.about.relation not in USUAL:
        yield about_text(hold.about)
    if goes:
        yield "goes in this plan"
