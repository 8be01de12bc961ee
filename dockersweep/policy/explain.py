"""Explains one object: what it is, what becomes of it and why, what holds it, when it would go, what it gives back."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from dockersweep.model.explanation import Explanation, Forecast, RuleSays, RuleWord, SilentRules, Subject, TagWord
from dockersweep.model.inventory import STOPPED_STATES, Container, Image, Inventory, Object
from dockersweep.model.naming import PLURAL_OF, name_of, objects_of, ref_of
from dockersweep.model.plan import Decision, Interval, ObjectRef, Plan, Reason
from dockersweep.model.policy import Policy, Target
from dockersweep.policy.chains import all_holders, find_chains
from dockersweep.policy.forecast import forecast
from dockersweep.policy.matching import Facts, RuleTest, facts_of
from dockersweep.policy.old_enough import why_unknown
from dockersweep.policy.order import ORDER
from dockersweep.policy.planner import make_plan
from dockersweep.policy.reclaim import Reclaim
from dockersweep.policy.references import Holds, find_holds
from dockersweep.policy.rules import Case, Judge, Ruling
from dockersweep.policy.target import RULE as TARGET
from dockersweep.policy.target import decide_for_target


def explain(inventory: Inventory, policy: Policy, now: datetime, ref: ObjectRef) -> Explanation:
    """Return all that is to be said of one object of the inventory under a policy; ages are counted up to `now`.

    Raises KeyError where the inventory does not hold the object.
    """
    plan = make_plan(inventory, policy, now)
    holds = find_holds(inventory, now)
    objects = {ref_of(seen): seen for seen in objects_of(inventory)}
    decisions = {ObjectRef(kind=one.kind, id=one.id): one for one in plan.decisions}
    seen = objects[ref]
    facts = facts_of(inventory)
    case, by_rules = _judged(inventory, policy, now, seen, holds)
    return Explanation(
        schema="dockersweep.explanation/1",
        engine=plan.engine,
        taken_at=plan.taken_at,
        now=now,
        policy_source=policy.source,
        subject=_subject(case, decisions[ref].size_bytes, now),
        decision=decisions[ref],
        tags=tuple(_tags(seen, decisions[ref])),
        chains=find_chains(ref, objects, holds, decisions, now),
        rules=(
            *_words(seen, policy, facts, by_rules),
            *_target_word(inventory, policy, now, holds, decisions[ref]),
        ),
        silent=tuple(_silent(policy, seen, facts, by_rules)),
        forecast=_forecast(inventory, policy, now, seen, holds, decisions[ref]),
        reclaim_alone=Reclaim(inventory).alone(ref),
        reclaim_in_plan=_in_plan(plan, ref),
        limits=plan.limits,
        warnings=plan.warnings,
        size_base=plan.size_base,
        not_from_disk=plan.not_from_disk,
    )


def _judged(
    inventory: Inventory, policy: Policy, now: datetime, seen: Object, holds: Holds
) -> tuple[Case, list[tuple[str, Ruling | None]]]:
    """Return an object as it stands once all that holds it is judged, and what each rule of its kind says of it."""
    judge = Judge(inventory, policy, now, holds)
    holders = all_holders(ref_of(seen), holds)
    for kind in ORDER:
        for ref, one in judge.holders_first(kind) if any(holder.kind == kind for holder in holders) else ():
            if ref in holders:
                judge.decide(judge.case(ref, one))
    case = judge.case(ref_of(seen), seen)
    return case, list(judge.rulings(case))


def _subject(case: Case, size: int | None, now: datetime) -> Subject:
    seen, since = case.seen, case.since
    return Subject(
        kind=case.ref.kind,
        id=case.ref.id,
        name=name_of(seen),
        tags=seen.tags if isinstance(seen, Image) else (),
        digests=seen.digests if isinstance(seen, Image) else (),
        size_bytes=size,
        age_text=_why_ageless(seen) if since is None else since.words(now),
        age_counts_from_at=None if since is None else since.instant,
    )


def _why_ageless(seen: Object) -> str:
    if isinstance(seen, Container) and seen.state not in STOPPED_STATES:
        return f"none: it is {seen.state or 'in an unknown state'}"
    return f"unknown: {why_unknown(seen)}"


def _tags(seen: Object, decision: Decision) -> Iterator[TagWord]:
    """Yield every tag of an image of which only some go, with what the decision says of it."""
    if not isinstance(seen, Image) or not decision.untag:
        return
    for tag in seen.tags:
        goes = tag in decision.untag
        before = f"its tag {tag} goes, which gives back 0 bytes: " if goes else f"{tag}: "
        told = [
            f'{one.text.removeprefix(before)} (rule "{one.rule}")'
            for one in decision.reasons
            if (one.code == "tag-goes") == goes and one.text.startswith(before)
        ]
        yield TagWord(tag=tag, goes=goes, why="; ".join(told))


def _words(
    seen: Object, policy: Policy, facts: Facts, by_rules: Iterable[tuple[str, Ruling | None]]
) -> Iterator[RuleWord]:
    """Yield what each rule that speaks of an object says of it, in order."""
    rules = [rule for rule in policy.rules if ref_of(seen).kind in rule.kinds]
    for rule, (name, ruling) in zip(rules, by_rules, strict=True):
        if ruling is None:
            continue
        units = RuleTest(rule, facts).units(seen)
        some = isinstance(seen, Image) and len(units) < len(seen.tags)
        yield RuleWord(
            rule=name,
            says="removes" if ruling.removes else _says(ruling.reasons[0]),
            text="; ".join(reason.text for reason in ruling.reasons),
            tags=tuple(tag for tag in units if tag is not None) if some else (),
        )


def _says(reason: Reason) -> RuleSays:
    if reason.code == "kept":
        return "keeps"
    return "not-yet" if reason.code == "too-young" else "does-not-remove"


def _silent(
    policy: Policy, seen: Object, facts: Facts, by_rules: Iterable[tuple[str, Ruling | None]]
) -> Iterator[SilentRules]:
    """Yield the rules that do not speak of an object, those with the same reason together."""
    kind = ref_of(seen).kind
    why: dict[str, list[str]] = {}
    rules = [rule for rule in policy.rules if kind in rule.kinds]
    for rule, (name, ruling) in zip(rules, by_rules, strict=True):
        if ruling is None:
            why.setdefault(RuleTest(rule, facts).why_not(seen), []).append(name)
    for text, names in why.items():
        yield SilentRules(rules=tuple(names), why=text)
    others = [rule.name for rule in policy.rules if kind not in rule.kinds]
    if policy.target is not None and kind not in policy.target.order:
        others.append(TARGET)
    if others:
        yield SilentRules(rules=tuple(others), why=f"not for {PLURAL_OF[kind]}")


def _target_word(
    inventory: Inventory, policy: Policy, now: datetime, holds: Holds, decision: Decision
) -> Iterator[RuleWord]:
    """Yield what the space target says of an object that no rule removes: whether it may go when space is short."""
    target = policy.target
    if target is None or decision.kind not in target.order or (decision.verdict == "remove" and not _is_for(decision)):
        return
    if _is_for(decision):
        yield RuleWord(rule=TARGET, says="removes", text=_of_target(decision))
        return
    at_worst = _decided_for_ever(target, inventory, policy, now, holds, decision)
    if _is_for(at_worst):
        yield RuleWord(rule=TARGET, says="not-yet", text="it goes when space is so short that its turn comes")
    else:
        text = _of_target(at_worst) or "what keeps it from the rules keeps it from the target too"
        yield RuleWord(rule=TARGET, says="does-not-remove", text=text)


def _is_for(decision: Decision) -> bool:
    """Whether an object goes for the space target."""
    return any(reason.code == "space" for reason in decision.reasons)


def _of_target(decision: Decision) -> str:
    return "; ".join(reason.text for reason in decision.reasons if reason.rule == TARGET)


def _decided_for_ever(
    target: Target, inventory: Inventory, policy: Policy, now: datetime, holds: Holds, decision: Decision
) -> Decision:
    """Return what becomes of the object of a decision when all goes that may go for the target."""
    judge = Judge(inventory, policy, now, holds)
    by_rules = judge.decide_all()
    decisions, _ = decide_for_target(inventory, target, judge, by_rules, Reclaim(inventory), is_endless=True)
    return next(one for one in decisions if (one.kind, one.id) == (decision.kind, decision.id))


def _forecast(
    inventory: Inventory, policy: Policy, now: datetime, seen: Object, holds: Holds, decision: Decision
) -> Forecast:
    """Return when an object can go by the rules; the space target is only known for now."""
    if _is_for(decision):
        return Forecast(when="now", text="now, for the space target", rules=(TARGET,))
    return forecast(inventory, policy, now, seen, holds)


def _in_plan(plan: Plan, ref: ObjectRef) -> Interval | None:
    for removal in plan.removals:
        if removal.action == "remove" and (removal.kind, removal.id) == (ref.kind, ref.id):
            return removal.reclaim
    return None
