"""The figures of a host are those of its own document."""

from msgspec.structs import replace

from dockersweep.fleet.sums import sums_of
from dockersweep.model.history import History
from dockersweep.model.plan import Limits
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.policy.planning.planner import make_plan
from tests.rig.inventories import NOW, container, image, inventory, network, volume
from tests.rig.reports import busy_report

SEEN = inventory(container("job"), image("a1b2c3d4", "app:1"), volume("data"), network("shop"))


def test_an_inventory_tells_what_is_unused() -> None:
    sums = sums_of(SEEN)
    survey = Survey(SEEN, SEEN.taken_at)
    assert {kind: amount.objects for kind, amount in sums.freed.items()} == {
        kind: sum(ref.kind == kind for ref in survey.unused) for kind in {ref.kind for ref in survey.unused}
    }
    assert sums.total is not None
    assert sums.used_bytes == survey.totals.held_bytes


def test_a_plan_tells_what_it_removes_and_what_cannot_be_recovered() -> None:
    policy = replace(DEFAULT_POLICY)
    plan = make_plan(Survey(SEEN, NOW), policy)
    sums = sums_of(plan)
    assert sums.removals == len(plan.removals) > 0
    assert sums.total == plan.reclaim
    assert sum(amount.objects for amount in sums.freed.values()) == len(
        [step for step in plan.removals if step.action == "remove"]
    )
    assert sums.lost is not None
    assert "volume data" in sums.lost
    assert sum(sums.ways_back.values()) == len([step for step in plan.removals if step.action == "remove"])
    assert sums.ways_back["none"] > 0
    assert sums_of(replace(plan, limits=Limits(exceeded=("too many",)))).over_limits == ("too many",)


def test_a_report_tells_what_its_policy_frees() -> None:
    report = busy_report()
    assert sums_of(report).total == report.reclaimable


def test_other_documents_have_no_figures() -> None:
    sums = sums_of(History(schema="dockersweep.history/1", path="x", runs=()))
    assert (sums.freed, sums.total, sums.used_bytes) == ({}, None, None)
