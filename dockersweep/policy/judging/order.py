"""The order in which objects are judged and removed: what holds another comes before what it holds."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from dockersweep.model.inventory import Kind, Object, ObjectRef
from dockersweep.model.naming import by_ref
from dockersweep.model.plan import Decision
from dockersweep.policy.judging.holders import Holders

T = TypeVar("T")

# What holds goes before what is held: containers hold all that follows. The build cache comes last, because images
# may stand on its layers, and a record that became unshared is then gone in one run.
ORDER: tuple[Kind, ...] = ("container", "image", "volume", "network", "build-cache")


def in_order_of_removal(decisions: Iterable[Decision]) -> list[Decision]:
    """Return decisions kind by kind as removals go."""
    return sorted(decisions, key=lambda decision: ORDER.index(decision.kind))


def holders_first(objects: Iterable[Object], holds: Holders) -> Iterator[tuple[ObjectRef, Object]]:
    """Yield objects of one kind as they are ordered, but each after all of its kind that hold it: children first.

    What hangs in a circle, which no engine should tell, comes last.
    """
    return after_holders(by_ref(objects), holds)


def after_holders(steps: Mapping[ObjectRef, T], holds: Holders) -> Iterator[tuple[ObjectRef, T]]:
    """Yield what stands for objects of one kind, as it is ordered, but after all of its kind that hold it."""
    kind = next((ref.kind for ref in steps), None)
    if kind not in holds.own_kinds:
        yield from steps.items()
        return
    # By ids, which are found faster.
    step_of = {step[0].id: step for step in steps.items()}
    waiting_for: dict[str, int] = {}
    held_by: defaultdict[str, list[str]] = defaultdict(list)
    ready: deque[str] = deque()
    for ref in steps:
        own = ref.id
        holders = {hold.by.id for hold in holds.get(ref, ()) if hold.by.kind == kind and hold.by.id in step_of} - {own}
        for holder in holders:
            held_by[holder].append(own)
        if holders:
            waiting_for[own] = len(holders)
        else:
            ready.append(own)
    while ready:
        own = ready.popleft()
        yield step_of[own]
        for held in held_by.get(own, ()):
            waiting_for[held] -= 1
            if not waiting_for[held]:
                del waiting_for[held]
                ready.append(held)
    for own in waiting_for:
        yield step_of[own]
