"""The chains of references that hold an object, each to the one that nothing holds."""

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
"""How an object holds another where the kinds of the two say as much."""


def all_holders(ref: ObjectRef, holds: Holders) -> dict[ObjectRef, tuple[ObjectRef, Holder]]:
    """Return everything that holds an object, at once or through others, nearest first.

    Each comes with what it holds on a shortest way to the object, and how.
    """
    found: dict[ObjectRef, tuple[ObjectRef, Holder]] = {}
    waiting = [ref]
    for held in waiting:
        for hold in holds.get(held, ()):
            if hold.by != ref and hold.by not in found:
                found[hold.by] = held, hold
                waiting.append(hold.by)
    return found


def find_chains(ref: ObjectRef, survey: Survey, decisions: Mapping[ObjectRef, Decision]) -> tuple[Chain, ...]:
    """Return a shortest chain to each that holds an object in the end; those that end at what stays come first.

    There may be very many ways from one to the other, so one is told. What hangs in a circle, which no engine should
    tell, ends where the circle closes.
    """
    holders = all_holders(ref, survey.holders)
    ends = [one for one in holders if not survey.holders.get(one)]
    if not ends:
        held = {below for below, _ in holders.values()}
        ends = [one for one in holders if one not in held]
    chains = []
    for end in ends:
        way = [end]
        while holders[way[-1]][0] != ref:
            way.append(holders[way[-1]][0])
        way.reverse()
        chains.append(Chain(links=tuple(_link(one, holders[one][1], survey, decisions) for one in way)))
    return tuple(sorted(chains, key=lambda chain: (chain.links[-1].goes, len(chain.links), chain.links[-1].name)))


def _link(ref: ObjectRef, hold: Holder, survey: Survey, decisions: Mapping[ObjectRef, Decision]) -> Link:
    item = survey.objects[ref]
    goes = decisions[ref].verdict == "remove"
    # What a record of the build cache says of itself is a whole command.
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
