"""When an object can be removed if nothing changes: the judge of today is asked about later instants."""

from collections.abc import Mapping
from datetime import datetime
from itertools import dropwhile

from msgspec.structs import replace

from dockersweep.model.explanation import Forecast
from dockersweep.model.inventory import KINDS, Image, Inventory, Kind, Object
from dockersweep.model.naming import kind_of, objects_of, ref_of
from dockersweep.model.plan import Decision, ObjectRef
from dockersweep.model.policy import Policy
from dockersweep.policy.chains import all_holders
from dockersweep.policy.crossings import LONGEST_WOBBLE, crossings, has_calendar_ages
from dockersweep.policy.marks import marked_until
from dockersweep.policy.matching import Facts
from dockersweep.policy.order import holders_first
from dockersweep.policy.protections import HardProtections
from dockersweep.policy.references import Holds
from dockersweep.policy.refusals import tried_again
from dockersweep.policy.rules import Judge
from dockersweep.policy.sizes import Sizes
from dockersweep.policy.staying import Staying, why_it_stays
from dockersweep.units import format_duration, format_instant

MOST_NAMES = 3
MOST_LOOKED_AT = 200

Decisions = Mapping[ObjectRef, Decision]


class Future:
    """What becomes of one object, and of all that holds it, at any instant."""

    def __init__(self, inventory: Inventory, policy: Policy, now: datetime, ref: ObjectRef, holds: Holds) -> None:
        """`holds` are those of the inventory at `now`."""
        self.ref = ref
        self.holds = holds
        self.now = now
        self._policy = policy
        concerned = {ref, *all_holders(ref, holds)}
        self._objects: list[Object] = [
            seen
            for kind in KINDS
            for _, seen in holders_first(
                (one for one in objects_of(inventory, kind) if ref_of(one) in concerned), holds
            )
        ]
        self._counted = {kind for rule in policy.rules if rule.keep is not None for kind in rule.kinds}
        self._hard = HardProtections(inventory)
        self._inventory = self._smaller(inventory)

    def _smaller(self, inventory: Inventory) -> Inventory:
        """Return the inventory without what has no say in what becomes of the object, but for hard protections, which
        are those of the whole: keep rules count all objects of a kind."""
        parts: dict[Kind, tuple[Object, ...]] = {}
        for kind in KINDS:
            needed = objects_of(inventory, kind) if kind in self._counted else self._objects
            parts[kind] = tuple(seen for seen in needed if kind_of(seen) == kind)
        return replace(
            inventory,
            containers=parts["container"],
            images=parts["image"],
            volumes=parts["volume"],
            networks=parts["network"],
            build_cache=parts["build-cache"],
        )

    def decide(self, at: datetime, counting: bool = True) -> Decisions:
        """Return what the rules decide at an instant of the object and all that holds it.

        Without `counting` no rule keeps anything.
        """
        policy = self._policy
        if not counting:
            policy = replace(policy, rules=tuple(replace(rule, keep=None) for rule in policy.rules))
        judge = Judge(self._inventory, policy, at, self.holds, self._hard)
        return {ref_of(seen): judge.decide(judge.case(ref_of(seen), seen)) for seen in self._objects}

    def tags(self) -> dict[ObjectRef, tuple[str, ...]]:
        """Return the tags of each that is an image."""
        return {ref_of(seen): seen.tags for seen in self._objects if isinstance(seen, Image)}

    def instants(self) -> list[datetime]:
        """Return the instants after now at which any of these decisions may change, in order."""
        kinds = {ref_of(seen).kind for seen in self._objects} & self._counted
        counted = (seen for kind in kinds for seen in objects_of(self._inventory, kind))
        facts = Facts(Sizes(self._inventory).of, self._hard.services.names)
        found = set(crossings(self._policy, self._objects, counted, self.holds, facts))
        for ref in map(ref_of, self._objects):
            found.update(marked_until(self._policy, self._inventory, ref))
            found.update(tried_again(self._policy, self._inventory, ref))
        return sorted(instant for instant in found if instant > self.now)

    def first_removal(self, instants: list[datetime]) -> tuple[datetime, Decisions] | None:
        """Return the first of these instants at which the object goes, and what is decided then; None for never.

        As time passes objects only grow older, so what can go once can go ever after; but for the last days of a
        month, where calendar ages waver.
        """
        if not instants or not self._goes(instants[-1]):
            return None
        stays, goes = -1, len(instants) - 1
        while goes - stays > 1:
            middle = (stays + goes) // 2
            stays, goes = (stays, middle) if self._goes(instants[middle]) else (middle, goes)
        first = instants[goes]
        if has_calendar_ages(self._policy):
            shortly_before = instants[max(0, goes - MOST_LOOKED_AT) : goes]
            wavering = dropwhile(lambda one: one < instants[goes] - LONGEST_WOBBLE, shortly_before)
            first = next(filter(self._goes, wavering), first)
        return first, self.decide(first)

    def _goes(self, at: datetime) -> bool:
        return self.decide(at)[self.ref].verdict == "remove"


def forecast(inventory: Inventory, policy: Policy, now: datetime, seen: Object, holds: Holds) -> Forecast:
    """Return when the rules of a policy remove an object if nothing changes."""
    ref = ref_of(seen)
    future = Future(inventory, policy, now, ref, holds)
    today = future.decide(now)
    if today[ref].verdict == "remove":
        rules = _rules(today[ref])
        return Forecast(when="now", text=f"now, {_by(rules)}{_with(today, future)}", rules=rules)
    instants = future.instants()
    found = future.first_removal(instants)
    if found is not None:
        return _later(future, *found)
    last = instants[-1] if instants else now
    staying = Staying(
        policy=policy,
        holds=holds,
        tags=future.tags(),
        today=today,
        in_the_end=future.decide(last),
        without_counts=future.decide(last, counting=False),
    )
    return Forecast(
        when="never", text=f"{why_it_stays(ref, staying)}{_tags_to_go(staying.in_the_end[ref], today[ref])}"
    )


def _later(future: Future, at: datetime, decisions: Decisions) -> Forecast:
    rules = _rules(decisions[future.ref])
    seconds = int((at - future.now).total_seconds())
    text = f"in {format_duration(seconds)}, at {format_instant(at)}, {_by(rules)}{_with(decisions, future)}"
    return Forecast(when="later", text=text, removable_at=at, wait_seconds=seconds, rules=rules)


def _tags_to_go(in_the_end: Decision, today: Decision) -> str:
    """Return which tags an image loses later, while it stays."""
    tags = [tag for tag in in_the_end.untag if tag not in today.untag]
    return f"; but it will lose the tag{'s' if len(tags) > 1 else ''} {' and '.join(tags)}" if tags else ""


def _rules(decision: Decision) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reason.rule for reason in decision.reasons))


def _by(rules: tuple[str, ...]) -> str:
    names = " and ".join(f'"{rule}"' for rule in rules)
    return f"by {'rules' if len(rules) > 1 else 'rule'} {names}"


def _with(decisions: Decisions, future: Future) -> str:
    """Return what of all that holds the object goes with it."""
    holders = dict.fromkeys(hold.by for hold in future.holds.get(future.ref, ()))
    names = [f"{by.kind} {decisions[by].name}" for by in holders]
    if not names or future.ref.kind == "build-cache":
        return ""
    more = len(names) - MOST_NAMES
    return f", together with {', '.join(names[:MOST_NAMES])}{f' and {more} more' if more > 0 else ''}"
