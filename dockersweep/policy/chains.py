"""The chains of references that hold an object, each to the one that nothing holds."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from dockersweep.model.explanation import Chain, Link
from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Object
from dockersweep.model.naming import name_of, short_id
from dockersweep.model.plan import Decision, ObjectRef
from dockersweep.policy.references import Hold, Holds, describe_state

USUAL = ("used by ", "parent of ")
"""How holds begin of which the kinds of the two say as much."""


def all_holders(ref: ObjectRef, holds: Holds) -> dict[ObjectRef, tuple[ObjectRef, Hold]]:
    """Return everything that holds an object, at once or through others, nearest first.

    Each comes with what it holds on a shortest way to the object, and how.
    """
    found: dict[ObjectRef, tuple[ObjectRef, Hold]] = {}
    waiting = [ref]
    for held in waiting:
        for hold in holds.get(held, ()):
            if hold.by != ref and hold.by not in found:
                found[hold.by] = held, hold
                waiting.append(hold.by)
    return found


def find_chains(
    ref: ObjectRef,
    objects: Mapping[ObjectRef, Object],
    holds: Holds,
    decisions: Mapping[ObjectRef, Decision],
    now: datetime,
) -> tuple[Chain, ...]:
    """Return a shortest chain to each that holds an object in the end; those that end at what stays come first.

    There may be very many ways from one to the other, so one is told. What hangs in a circle, which no engine should
    tell, ends where the circle closes.
    """
    holders = all_holders(ref, holds)
    ends = [one for one in holders if not holds.get(one)]
    if not ends:
        held = {below for below, _ in holders.values()}
        ends = [one for one in holders if one not in held]
    chains = []
    for end in ends:
        way = [end]
        while holders[way[-1]][0] != ref:
            way.append(holders[way[-1]][0])
        way.reverse()
        chains.append(Chain(links=tuple(_link(one, holders[one][1], objects, decisions, now) for one in way)))
    return tuple(sorted(chains, key=lambda chain: (chain.links[-1].goes, len(chain.links), chain.links[-1].name)))


def _link(
    ref: ObjectRef,
    hold: Hold,
    objects: Mapping[ObjectRef, Object],
    decisions: Mapping[ObjectRef, Decision],
    now: datetime,
) -> Link:
    seen = objects[ref]
    goes = decisions[ref].verdict == "remove"
    # What a record of the build cache says of itself is a whole command.
    name = short_id(seen.id) if isinstance(seen, BuildCacheRecord) else name_of(seen)
    return Link(kind=ref.kind, id=ref.id, name=name, goes=goes, notes=tuple(_notes(seen, hold, goes, now)))


def _notes(seen: Object, hold: Hold, goes: bool, now: datetime) -> Iterator[str]:
    if isinstance(seen, Container):
        yield describe_state(seen, now)
    if isinstance(seen, Image):
        yield "tagged" if seen.tags else "without a tag"
    if isinstance(seen, BuildCacheRecord) and seen.in_use:
        yield "a build uses it"
    if not hold.text.startswith(USUAL):
        yield hold.text
    if goes:
        yield "goes in this plan"
