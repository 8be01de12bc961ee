"""Mark, then sweep: what a rule with `marked_for` removes has been a candidate in every run for so long."""

from datetime import datetime

from msgspec.structs import replace

from dockersweep.model.inventory import Inventory, Mark, ObjectRef
from dockersweep.model.plan import Decision
from dockersweep.model.policy import Match, Policy, Protections, Remove, Rule
from dockersweep.policy.judging.marks import candidates, marking_rules, terms_of
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.units import parse_age
from dockersweep.words.reasons import reason_text
from tests.rig.inventories import NOW, ago, container, explanation_of, inventory, plan_of, volume

RULE = Rule(
    name="scratch",
    kinds=("volume",),
    match=Match(name=("scratch-*",)),
    remove=Remove(older_than=parse_age("1d"), marked_for=parse_age("48h")),
)
POLICY = Policy(source="a test", protections=Protections(), rules=(RULE,))
VOLUME = volume("scratch-1", anonymous=False, created=ago(days=10))


def mark(since: datetime, rule: Rule = RULE) -> Mark:
    return Mark(kind="volume", id="scratch-1", rule=rule.name, terms=terms_of(rule), marked_at=since)


def with_marks(*marks: Mark) -> Inventory:
    return replace(inventory(VOLUME), marks=marks)


def decide(seen: Inventory, policy: Policy = POLICY) -> Decision:
    return plan_of(seen, policy, NOW).decisions[0]


def test_a_new_candidate_is_marked_and_stays() -> None:
    decision = decide(with_marks())
    assert decision.verdict == "keep"
    assert [(one.code, reason_text(one)) for one in decision.reasons] == [
        ("marked", "a candidate from now on (limit 48 hours)")
    ]
    assert list(candidates([decision], POLICY, NOW)) == [mark(NOW)]


def test_a_candidate_that_is_not_marked_for_long_enough_stays() -> None:
    decision = decide(with_marks(mark(ago(hours=47))))
    assert (decision.verdict, reason_text(decision.reasons[0])) == (
        "keep",
        "a candidate for 47 hours (limit 48 hours)",
    )


def test_a_candidate_goes_when_the_time_has_passed() -> None:
    decision = decide(with_marks(mark(ago(hours=48))))
    assert decision.verdict == "remove"
    assert [one.code for one in decision.reasons] == ["old-enough", "marked"]
    assert reason_text(decision.reasons[1]) == "a candidate for 2 days (limit 48 hours)"
    # It stays marked until it is gone: the removal may fail.
    assert [one.id for one in candidates([decision], POLICY, NOW)] == ["scratch-1"]


def test_what_is_no_candidate_is_not_marked() -> None:
    used = replace(inventory(VOLUME, container("web", "running", volumes=["scratch-1"])), marks=(mark(ago(days=9)),))
    plan = plan_of(used, POLICY, NOW)
    assert [one.verdict for one in plan.decisions] == ["keep", "keep"]
    assert list(candidates(plan.decisions, POLICY, NOW)) == []


def test_without_a_memory_nothing_goes_by_such_a_rule() -> None:
    decision = decide(replace(inventory(VOLUME), marks=None))
    assert (decision.verdict, decision.reasons[0].code) == ("keep", "age-unknown")
    assert "the ledger is not in use" in reason_text(decision.reasons[0])


def test_a_mark_of_other_terms_does_not_count_but_another_time_does() -> None:
    wider = replace(RULE, match=Match(name=("*",)))
    assert decide(with_marks(mark(ago(days=9), wider))).verdict == "keep"
    shorter = replace(RULE, remove=Remove(older_than=parse_age("1d"), marked_for=parse_age("1h")))
    assert decide(with_marks(mark(ago(days=9), shorter))).verdict == "remove"


def test_a_mark_of_another_rule_does_not_count() -> None:
    assert decide(with_marks(mark(ago(days=9), replace(RULE, name="other")))).verdict == "keep"


def test_older_than_on_the_command_line_asks_for_no_marks() -> None:
    policy = policy_from_flags(PolicyFlags(older_than=parse_age("0s")), POLICY)
    assert list(marking_rules(policy)) == []
    assert decide(with_marks(), policy).verdict == "remove"


def test_explain_tells_when_the_time_will_have_passed() -> None:
    seen = with_marks(mark(ago(hours=40)))
    told = explanation_of(seen, POLICY, ObjectRef(kind="volume", id=VOLUME.name))
    assert told.forecast.wait_seconds == 8 * 3600
