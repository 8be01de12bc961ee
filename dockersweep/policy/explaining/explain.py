"""Explains one object: what it is, the decision and why, its holders, when it will be removed, what that frees."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple

from dockersweep.model.explanation import Explanation, Forecast, ForSpace, RuleSays, RuleWord, SilentRules, TagWord
from dockersweep.model.inventory import Image, Kind, Object, ObjectRef
from dockersweep.model.naming import PLURAL_OF, kind_of
from dockersweep.model.plan import Decision, Interval, LayersHeld, Limits
from dockersweep.model.policy import SPACE_TARGET, Policy, Target
from dockersweep.model.reason import Reason
from dockersweep.policy.bytes.reclaim import Prediction
from dockersweep.policy.bytes.sizes import is_far_less
from dockersweep.policy.explaining.chains import all_holders, find_chains
from dockersweep.policy.explaining.forecast import forecast
from dockersweep.policy.explaining.last_uses import subject_of, use_evidence
from dockersweep.policy.explaining.unless import what_lets_it_go
from dockersweep.policy.judging.ages import Since
from dockersweep.policy.judging.judge import Judge
from dockersweep.policy.judging.matching import RuleTest
from dockersweep.policy.judging.order import ORDER, holders_first
from dockersweep.policy.judging.rulings import Ruling
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.limits import NO_LIMITS
from dockersweep.policy.planning.planner import by_judge, oldest_first, outline_of, warnings_of, with_target
from dockersweep.words.reasons import ANY_AGE, is_unasked_age, joined, reason_text, untagged_text, with_unasked_ages


def explain(survey: Survey, policy: Policy, ref: ObjectRef) -> Explanation:
    """Return the explanation of one object under a policy.

    Raises KeyError where the inventory does not have the object.
    """
    item = survey.objects[ref]
    concerned = (ref, *all_holders(ref, survey.holders))
    judge = Judge(survey, policy)
    judged = _judged(judge, concerned)
    decisions = judged.decisions
    case = judge.case(item)
    by_rules = list(judge.rulings(case))
    expected = _forecast(judge, item, decisions[ref])
    at_worst = _at_worst(judged, decisions[ref])
    inventory = survey.inventory
    return Explanation(
        schema="dockersweep.explanation/1",
        engine=inventory.engine,
        taken_at=inventory.taken_at,
        now=survey.now,
        policy_source=policy.source,
        subject=subject_of(case, decisions[ref].size_bytes, survey),
        use=use_evidence(case, survey),
        decision=decisions[ref],
        tags=tuple(_tags(item, decisions[ref])),
        chains=find_chains(ref, survey, decisions),
        rules=(
            *_words(item, by_rules),
            *_target_word(decisions[ref], at_worst),
        ),
        silent=tuple(_silent(policy, item, by_rules)),
        forecast=expected,
        for_space=_for_space(policy, case.since, at_worst),
        unless=what_lets_it_go(judge, item, lambda other: _judged(other, concerned).in_plan)
        if expected.when == "never"
        else None,
        reclaim_alone=survey.reclaim.alone(ref),
        reclaim_in_plan=judged.in_plan,
        layers_held=_layers_held(survey, ref, decisions[ref].size_bytes),
        limits=judged.limits,
        warnings=warnings_of(judge),
        size_base=survey.size_base,
        not_from_disk=inventory.storage.not_from_disk if inventory.storage else None,
        recovery=judge.ways_back.of(item),
    )


class _Judged(NamedTuple):
    """The decisions on an object and all its holders."""

    decisions: dict[ObjectRef, Decision]
    in_plan: Interval | None
    """What removing it adds to the plan; None where it stays."""
    limits: Limits
    by_rules: Sequence[Decision]
    """The rules' decisions on all objects; empty where only the object and its holders were decided."""
    before_target: Judge
    """The judge after these decisions."""


def _judged(judge: Judge, concerned: Sequence[ObjectRef]) -> _Judged:
    """Return the decisions on an object, the first of `concerned`, and on all its holders.

    All other objects are decided only where the policy has limits or a target, or, where the object is removed, as far
    as needed to know what is removed before it.
    """
    ref = concerned[0]
    if _needs_plan(judge.policy):
        # A space target chooses after the rules have decided every object.
        by_rules = judge.decide_all()
        before_target = judge.branch()
        all_decisions, _ = with_target(judge, by_rules)
        outline = outline_of(by_judge(judge, all_decisions))
        in_plan = _in_plan(outline.going, outline.prediction, ref)
        return _Judged(_decisions_of(concerned, all_decisions), in_plan, outline.limits, by_rules, before_target)
    decisions = _decided(judge, concerned)
    in_plan = None
    if decisions[ref].verdict == "remove":
        # What it adds to the plan depends only on removals before it. The whole plan has those that are decided already
        # too.
        cases = judge.decide_removals(ORDER[: ORDER.index(ref.kind) + 1])
        in_order = oldest_first(cases, judge.survey)
        before = takewhile(lambda removed: removed != ref, (case.ref for case in in_order))
        in_plan = judge.survey.reclaim.in_order([*before, ref]).rows[-1]
    return _Judged(decisions, in_plan, Limits(), (), judge)


def _needs_plan(policy: Policy) -> bool:
    """Whether the decision on an object, or the limits, depend on the whole plan."""
    return policy.target is not None or policy.limits != NO_LIMITS


def _decided(judge: Judge, refs: Iterable[ObjectRef]) -> dict[ObjectRef, Decision]:
    """Return the rules' decisions on objects, whose holders have to be among them. Decides in the order of a plan,
    which matters for objects that hold each other in a circle."""
    listing = judge.survey.listing
    wanted: dict[Kind, set[int]] = {kind: set() for kind in ORDER}
    for ref in refs:
        wanted[ref.kind].add(listing.of_kind(ref.kind).places[ref.id])
    decisions: dict[ObjectRef, Decision] = {}
    for kind in ORDER:
        for place in holders_first(kind, sorted(wanted[kind]), judge.survey.holders):
            listed = listing.of_kind(kind)
            decisions[listed.ref(place)] = judge.decide(judge.case(listed.items[place]))
    return decisions


def _decisions_of(refs: Iterable[ObjectRef], decisions: Iterable[Decision]) -> dict[ObjectRef, Decision]:
    wanted = {(ref.kind, ref.id): ref for ref in refs}
    return {ref: decision for decision in decisions if (ref := wanted.get((decision.kind, decision.id))) is not None}


def _tags(item: Object, decision: Decision) -> Iterator[TagWord]:
    """Yield every tag of an image that loses only some, with the reasons of the decision."""
    if not isinstance(item, Image) or not decision.untag:
        return
    for tag in item.tags:
        goes = tag in decision.untag
        by_rule: defaultdict[str, list[str]] = defaultdict(list)
        of_tag = [[reason] for reason in decision.reasons if (reason.code == "tag-goes") == goes and reason.tag == tag]
        for (reason,), age in with_unasked_ages(of_tag):
            text = ANY_AGE if is_unasked_age(reason) else untagged_text(reason)
            by_rule[reason.rule].append(text if age is None else f"{text}, {ANY_AGE}")
        whys = [f'{"; ".join(dict.fromkeys(texts))} (rule "{rule}")' for rule, texts in by_rule.items()]
        yield TagWord(tag=tag, goes=goes, why="; ".join(whys))


def _layers_held(survey: Survey, ref: ObjectRef, size: int | None) -> LayersHeld | None:
    """Return who holds the layers of an object removed alone; None where that frees them, or is not possible."""
    alone = survey.reclaim.in_order([ref])
    frees, [node] = alone.total, alone.nodes
    if node is None or node not in alone.freed or not is_far_less(frees, size):
        return None
    # Few objects need it.
    from dockersweep.policy.bytes.layer_holders import LayerHolders

    return LayerHolders(alone.graph, alone.freed, survey.inventory).of(ref.kind, node, frees)


def _words(subject: Object, by_rules: Iterable[tuple[RuleTest, Ruling | None]]) -> Iterator[RuleWord]:
    """Yield the ruling of each rule that matches an object, in order."""
    for test, ruling in by_rules:
        if ruling is None:
            continue
        units = test.units(subject)
        some = isinstance(subject, Image) and len(units) < len(subject.tags)
        yield RuleWord(
            rule=test.rule.name,
            says="removes" if ruling.removes else _says(ruling.reasons[0]),
            text=joined(reason for reason in ruling.reasons if reason.code != "only-here"),
            tags=tuple(tag for tag in units if tag is not None) if some else (),
        )


def _says(reason: Reason) -> RuleSays:
    if reason.code == "kept":
        return "keeps"
    return "not-yet" if reason.code in ("too-young", "unwatched") else "does-not-remove"


def _silent(
    policy: Policy, subject: Object, by_rules: Iterable[tuple[RuleTest, Ruling | None]]
) -> Iterator[SilentRules]:
    """Yield the rules that do not match an object, grouped by the reason."""
    kind = kind_of(subject)
    why: dict[str, list[str]] = {}
    for test, ruling in by_rules:
        why_not = test.why_not(subject) if ruling is None else None
        if why_not is not None:
            why.setdefault(reason_text(why_not), []).append(test.rule.name)
    for text, names in why.items():
        yield SilentRules(rules=tuple(names), why=text)
    others = [rule.name for rule in policy.rules if kind not in rule.kinds]
    if policy.target is not None and kind not in policy.target.order:
        others.append(SPACE_TARGET)
    if others:
        yield SilentRules(rules=tuple(others), why=f"not for {PLURAL_OF[kind]}")


def _at_worst(judged: _Judged, decision: Decision) -> Decision | None:
    """Return the decision on an object that is kept when the space target removes all that it may; None for one that is
    removed, or of a kind that the target leaves alone."""
    target = judged.before_target.policy.target
    if target is None or decision.kind not in target.order or decision.verdict == "remove":
        return None
    return _decided_at_worst(judged, target, decision)


def _for_space(policy: Policy, since: Since | None, at_worst: Decision | None) -> ForSpace | None:
    """Return from when on the target may remove an object that is kept; None where it may not."""
    if at_worst is None or policy.target is None:
        return None
    if at_worst.verdict == "remove":
        return ForSpace()
    is_young = any(reason.rule == SPACE_TARGET and reason.code == "too-young" for reason in at_worst.reasons)
    if not is_young or since is None:
        return None
    return ForSpace(from_at=policy.target.older_than.after(since.instant))


def _target_word(decision: Decision, at_worst: Decision | None) -> Iterator[RuleWord]:
    """Yield whether the space target may remove an object that no rule removes."""
    if _is_for(decision):
        yield RuleWord(rule=SPACE_TARGET, says="removes", text=_of_target(decision))
    if at_worst is None:
        return
    if _is_for(at_worst):
        yield RuleWord(rule=SPACE_TARGET, says="not-yet", text="it goes when space is so short that its turn comes")
    else:
        text = _of_target(at_worst) or "what keeps it from the rules keeps it from the target too"
        yield RuleWord(rule=SPACE_TARGET, says="does-not-remove", text=text)


def _is_for(decision: Decision) -> bool:
    """Whether an object is removed for the space target."""
    return any(reason.code == "space" for reason in decision.reasons)


def _of_target(decision: Decision) -> str:
    return "; ".join(reason_text(reason) for reason in decision.reasons if reason.rule == SPACE_TARGET)


def _decided_at_worst(judged: _Judged, target: Target, decision: Decision) -> Decision:
    """Return the decision on the same object when the target removes all that it may."""
    # Few policies have a target.
    from dockersweep.policy.planning.target import decide_for_target

    decisions, _ = decide_for_target(judged.before_target, target, judged.by_rules, is_endless=True)
    return next(other for other in decisions if (other.kind, other.id) == (decision.kind, decision.id))


def _forecast(judge: Judge, item: Object, decision: Decision) -> Forecast:
    """Return when rules can remove an object; the space target can only be judged for now."""
    if _is_for(decision):
        return Forecast(when="now", text="now, for the space target", rules=(SPACE_TARGET,))
    return forecast(judge, item)


def _in_plan(going: Sequence[ObjectRef], prediction: Prediction, ref: ObjectRef) -> Interval | None:
    return prediction.rows[going.index(ref)] if ref in going else None
