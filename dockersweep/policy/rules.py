"""Judges every object of an inventory: exactly one decision each, with its reasons.

Who wins: hard protections, then the policy's protections, then the rules; what no rule names is kept. Containers are
judged first, and within a kind what holds another before what it holds, so that what only removed objects hold is
released in the same plan.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from dockersweep.model.inventory import KINDS, Image, Inventory, Object
from dockersweep.model.naming import id_of, kind_of, name_of, objects_of, ref_of
from dockersweep.model.plan import Decision, ObjectRef, Reason
from dockersweep.model.policy import Policy, Rule
from dockersweep.policy.ages import Since, since_of
from dockersweep.policy.matching import mismatch
from dockersweep.policy.protections import hard_protections, policy_protections
from dockersweep.policy.references import Hold, Holds, find_holds
from dockersweep.policy.sizes import Sizes


def evaluate(inventory: Inventory, policy: Policy, now: datetime, holds: Holds | None = None) -> tuple[Decision, ...]:
    """Return a decision for every object, by kind and then by id. `holds` are those of the inventory, if known."""
    known = find_holds(inventory, now) if holds is None else holds
    judge = _Judge(inventory, policy, now, known)
    decisions = [
        judge.decide(seen) for kind in KINDS for seen in holders_first(list(objects_of(inventory, kind)), known)
    ]
    return tuple(sorted(decisions, key=lambda decision: (KINDS.index(decision.kind), decision.id)))


def holders_first(objects: list[Object], holds: Holds) -> Iterator[Object]:
    """Yield the objects of one kind so that each comes after all of its kind that hold it: children first.

    What hangs in a circle, which no engine should tell, comes last.
    """
    by_ref = {ref_of(seen): seen for seen in sorted(objects, key=id_of)}
    waiting_for = {
        ref: {hold.by for hold in holds.get(ref, ()) if hold.by in by_ref and hold.by != ref} for ref in by_ref
    }
    held_by: defaultdict[ObjectRef, list[ObjectRef]] = defaultdict(list)
    for ref, holders in waiting_for.items():
        for holder in holders:
            held_by[holder].append(ref)
    ready = deque(ref for ref, holders in waiting_for.items() if not holders)
    done: set[ObjectRef] = set()
    while ready:
        ref = ready.popleft()
        done.add(ref)
        yield by_ref[ref]
        for held in held_by[ref]:
            waiting_for[held].discard(ref)
            if not waiting_for[held]:
                ready.append(held)
    yield from (seen for ref, seen in by_ref.items() if ref not in done)


@dataclass(frozen=True)
class _Holders:
    staying: tuple[Hold, ...]
    going: tuple[Hold, ...]


class _Judge:
    """Decides object by object and remembers what goes."""

    def __init__(self, inventory: Inventory, policy: Policy, now: datetime, holds: Holds) -> None:
        self._holds = holds
        self._sizes = Sizes(inventory)
        self._inventory = inventory
        self._policy = policy
        self._now = now
        self._going: set[ObjectRef] = set()
        self._rules = {kind: [rule for rule in policy.rules if rule.kind == kind] for kind in KINDS}

    def decide(self, seen: Object) -> Decision:
        """Decide; everything of the same kind that holds it, and every container, must have been decided."""
        holders = self._holders(seen)
        since = since_of(seen, (hold.until for hold in holders.going if hold.until is not None))
        removes = False
        reasons = tuple(self._protecting(seen, holders))
        if not reasons:
            removes, reasons = self._ruled(seen, since, holders)
        if removes:
            self._going.add(ref_of(seen))
        return Decision(
            kind=kind_of(seen),
            id=id_of(seen),
            name=name_of(seen),
            verdict="remove" if removes else "keep",
            size_bytes=self._sizes.of(seen),
            age_seconds=None if since is None else int((self._now - since.instant).total_seconds()),
            age_source=None if since is None else since.source,
            reasons=reasons,
        )

    def _holders(self, seen: Object) -> _Holders:
        holds = self._holds.get(ref_of(seen), ())
        return _Holders(
            staying=tuple(hold for hold in holds if hold.by not in self._going),
            going=tuple(hold for hold in holds if hold.by in self._going),
        )

    def _protecting(self, seen: Object, holders: _Holders) -> Iterable[Reason]:
        is_held = bool(holders.staying or holders.going)
        yield from hard_protections(seen, self._inventory, is_held)
        yield from (Reason(code="in-use", rule="hard protection", text=hold.text) for hold in holders.staying)
        yield from policy_protections(seen, self._policy.protections)
        if kind_of(seen) not in self._policy.kinds:
            asked = " and ".join(self._policy.kinds)
            yield Reason(code="not-asked-for", rule="--kind", text=f"only {asked} is asked for")

    def _ruled(self, seen: Object, since: Since | None, holders: _Holders) -> tuple[bool, tuple[Reason, ...]]:
        """Return whether a rule removes it, and the word of that rule, or of all rules that do not."""
        kept = []
        for rule in self._rules[kind_of(seen)]:
            against = self._speaks_not_of(rule, seen) or self._too_young(rule, seen, since)
            if against is None:
                return True, tuple(self._removing(rule, seen, since, holders))
            kept.append(against)
        # Where one rule speaks of it, what others speak of says nothing.
        spoken = tuple(reason for reason in kept if reason.code != "no-rule")
        return False, spoken or tuple(kept) or (Reason(code="no-rule", rule="no rule", text="no rule speaks of it"),)

    def _speaks_not_of(self, rule: Rule, seen: Object) -> Reason | None:
        why_not = mismatch(rule, seen)
        return None if why_not is None else Reason(code="no-rule", rule=rule.name, text=why_not)

    def _too_young(self, rule: Rule, seen: Object, since: Since | None) -> Reason | None:
        if rule.older_than.is_zero:
            return None
        if since is None:
            return Reason(code="age-unknown", rule=rule.name, text=f"age unknown: {_why_unknown(seen)}")
        if since.instant > rule.older_than.before(self._now):
            text = f"{since.words(self._now)}, not yet {rule.older_than.words()}"
            return Reason(code="too-young", rule=rule.name, text=text)
        return None

    def _removing(self, rule: Rule, seen: Object, since: Since | None, holders: _Holders) -> Iterator[Reason]:
        age = "age unknown, and none is asked for" if since is None else since.words(self._now)
        limit = "" if rule.older_than.is_zero else f", over {rule.older_than.words()}"
        yield Reason(code="old-enough", rule=rule.name, text=age + limit)
        for hold in holders.going:
            yield Reason(code="released", rule=rule.name, text=f"{hold.text}, which goes too")
        if isinstance(seen, Image) and seen.digests and not seen.tags:
            yield Reason(code="recoverable", rule=rule.name, text=f"can be pulled again as {seen.digests[0]}")


def _why_unknown(seen: Object) -> str:
    if isinstance(seen, Image) and seen.built_at is not None:
        return f"built {seen.built_at.date()}, and nothing tells when it came here"
    return "the engine does not tell it"
