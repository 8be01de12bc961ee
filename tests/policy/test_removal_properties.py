"""What holds of every plan that is carried out, at once or on another day: no other removals than it shows."""

from collections import Counter
from datetime import timedelta

from hypothesis import given
from msgspec.structs import replace

from dockersweep.engine.removing.executor import carry_out
from dockersweep.engine.removing.reconnect import Reconnect
from dockersweep.engine.removing.removal import ListsNow, RemovalContext
from dockersweep.engine.removing.stopping import StopRequest
from dockersweep.model.inventory import Inventory
from dockersweep.model.plan import NOTHING
from dockersweep.model.policy import Policy
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.saved_plan import what_may_go
from tests.policy.inventory_strategies import INVENTORIES
from tests.policy.policy_strategies import AIMED_POLICIES, POLICIES, some
from tests.rig.inventories import NOW, plan_of
from tests.rig.recording_engine import RecordingEngine


@given(INVENTORIES, AIMED_POLICIES)
@some
def test_an_engine_receives_the_removals_that_the_plan_shows_and_no_others(seen: Inventory, policy: Policy) -> None:
    plan = plan_of(seen, policy, NOW)
    engine = RecordingEngine(seen)
    stop = StopRequest()
    reconnect = Reconnect(engine.check_back, 0, stop)
    context = RemovalContext(engine, engine, reconnect, ListsNow(engine), {}, frozenset(), frozenset(), archiver=engine)
    carried = carry_out(plan, context, stop)
    assert [(one.status, one.detail) for one in carried.outcomes] == [("removed", None)] * len(plan.removals)
    shown = [(one.kind, one.id, one.action, one.name if one.action == "untag" else "") for one in plan.removals]
    assert Counter(engine.asked) == Counter(shown)
    # Each was written down before it was asked for.
    assert Counter(engine.recorded) == Counter(shown)
    place = {asked: number for number, asked in enumerate(engine.asked)}
    for one in plan.removals:
        own = place[one.kind, one.id, one.action, one.name if one.action == "untag" else ""]
        assert all(place[ref.kind, ref.id, "remove", ""] < own for ref in one.after)


@given(INVENTORIES, AIMED_POLICIES)
@some
def test_a_saved_plan_is_carried_out_as_it_is_where_nothing_changed(seen: Inventory, policy: Policy) -> None:
    # Instants of these inventories may lie ahead; what is used after the plan was made is skipped.
    seen = replace(seen, taken_at=NOW + timedelta(days=5))
    plan = plan_of(seen, policy, NOW)
    permitted = what_may_go(plan, Survey(seen, NOW), policy)
    assert permitted.settled == ()
    assert [replace(one, reclaim=NOTHING) for one in permitted.plan.removals] == [
        replace(one, reclaim=NOTHING) for one in plan.removals
    ]


@given(INVENTORIES, INVENTORIES, POLICIES, POLICIES)
@some
def test_of_a_saved_plan_nothing_goes_on_another_day_that_it_does_not_name_or_that_something_holds(
    then: Inventory, now: Inventory, policy: Policy, policy_now: Policy
) -> None:
    plan = plan_of(then, policy, NOW)
    permitted = what_may_go(plan, Survey(now, NOW), policy_now)
    # An untagged image is called by a digest, which may have gone; a tag is what it is called.
    named = {(one.kind, one.id, one.action, one.name if one.action == "untag" else "") for one in plan.removals}
    goes = {
        (one.kind, one.id, one.action, one.name if one.action == "untag" else "") for one in permitted.plan.removals
    }
    settled = {
        (one.kind, one.id, one.action, one.name if one.action == "untag" else "") for one, _ in permitted.settled
    }
    assert goes | settled == named
    assert not goes & settled
    gone = {one.ref for one in permitted.plan.decisions if one.verdict == "remove"}
    holds = Survey(now, NOW).holders
    assert all(hold.by in gone for ref in gone for hold in holds.get(ref, ()))
