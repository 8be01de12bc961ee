"""What of a saved plan may still be carried out: nothing in it is believed but which objects it names."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from msgspec.json import decode
from msgspec.structs import replace

from dockersweep.model.documents import read_document
from dockersweep.model.inventory import Inventory, Object, ObjectRef
from dockersweep.model.last_use import PastUse
from dockersweep.model.plan import Interval, Plan, Removal
from dockersweep.model.policy import (
    ArchiveSettings,
    Keep,
    LimitSettings,
    Match,
    Policy,
    Protection,
    Protections,
    Remove,
    Rule,
    Space,
)
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.saved_plan import Permitted, in_order_of_plan, what_may_go
from dockersweep.units import parse_age
from dockersweep.words.documents import write_document
from dockersweep.words.reasons import reason_text
from tests.rig.inventories import NOW, container, image, inventory, network, plan_of, record, volume

EVERYTHING = Rule(
    name="everything",
    kinds=("container", "image", "volume", "network", "build-cache"),
    remove=Remove(older_than=parse_age("0s")),
)
HOUR = timedelta(hours=1)
AGGRESSIVE = Policy(source="a test", protections=Protections(), rules=(EVERYTHING,))
NOTHING = Policy(source="another", protections=Protections(), rules=())


def saved(*objects: Object) -> Plan:
    """Return a plan that removes all it can, as it comes out of a file."""
    return read_document(write_document(plan_of(inventory(*objects), AGGRESSIVE, NOW)).encode(), Plan, "plan.json")


def permitted(plan: Plan, now: Inventory, policy: Policy = NOTHING) -> Permitted:
    return what_may_go(plan, Survey(now, NOW), policy)


def goes(made: Permitted) -> list[tuple[str, str]]:
    return [(removal.action, removal.name) for removal in made.plan.removals]


def settled(made: Permitted) -> dict[str, tuple[str, str | None]]:
    return {outcome.id: (outcome.status, outcome.detail) for _, outcome in made.settled}


LITTER = (
    container("web", image="sha256:app", volumes=["data"], networks=["net"]),
    image("app", "app:1", "app:2", "app:3"),
    volume("data"),
    network("net"),
    record("a"),
    record("b", "a"),
)


def test_what_is_unchanged_goes_as_planned_whatever_the_policy_removes_now() -> None:
    plan = saved(*LITTER)
    made = permitted(plan, inventory(*LITTER))
    assert made.settled == ()
    assert goes(made) == [(one.action, one.name) for one in plan.removals]
    assert [one.fingerprint for one in made.plan.removals] == [one.fingerprint for one in plan.removals]
    assert [one.after for one in made.plan.removals] == [one.after for one in plan.removals]
    assert made.plan.reclaim == plan.reclaim


def test_a_plan_that_an_older_version_saved_goes_for_the_reasons_that_it_tells() -> None:
    data = Path(__file__).with_name("plan-0.1.0.json").read_bytes()
    plan = read_document(data, Plan, "plan-0.1.0.json")
    made = permitted(plan, inventory(*LITTER, container("kept", "running")))
    assert made.settled == ()
    assert goes(made) == [(one.action, one.name) for one in plan.removals]
    written = {one["id"]: [reason["text"] for reason in one["reasons"]] for one in decode(data)["decisions"]}
    going = [one for one in made.plan.decisions if one.verdict == "remove"]
    assert len(going) == len(LITTER)
    assert {one.id: list(map(reason_text, one.reasons)) for one in going} == {one.id: written[one.id] for one in going}


def test_a_protection_of_what_the_plan_does_not_name_is_not_told_to_match_nothing() -> None:
    names = tuple(Protection(pattern=pattern, source="--keep-name") for pattern in ("kept*", "gone*"))
    policy = replace(NOTHING, protections=Protections(names=names))
    made = permitted(saved(*LITTER), inventory(*LITTER, container("kept", "running")), policy)
    assert [(one.about, one.text) for one in made.plan.warnings] == [("--keep-name", "gone* matches nothing here")]


def test_tags_go_in_the_planned_order_in_whatever_order_the_engine_tells_them() -> None:
    plan = saved(*LITTER)
    now = [replace(one, tags=one.tags[::-1]) if one is LITTER[1] else one for one in LITTER]
    assert goes(permitted(plan, inventory(*now))) == [(one.action, one.name) for one in plan.removals]


def test_nothing_but_what_it_names_goes() -> None:
    made = permitted(saved(*LITTER), inventory(*LITTER, container("other"), image("other"), volume("other")))
    assert "other" not in [removal.name for removal in made.plan.removals]
    others = [one for one in made.plan.decisions if one.id in ("other", "sha256:other")]
    assert [reason_text(one.reasons[0]) for one in others] == ["the saved plan does not name it"] * 3


def test_what_is_gone_is_told() -> None:
    made = permitted(saved(*LITTER), inventory(*LITTER[1:]))
    assert settled(made)["web"] == ("gone", "gone since, or never there")


def test_build_cache_that_cannot_be_read_is_not_gone() -> None:
    plan = saved(record("r1"))
    unread = replace(inventory(), build_cache=None)
    assert settled(permitted(plan, unread)) == {"r1": ("skipped", "the build cache could not be read")}


def test_what_changed_is_skipped_and_so_is_what_it_holds() -> None:
    now = (container("web", "running", image="sha256:app", volumes=["data"], networks=["net"]), *LITTER[1:4])
    made = permitted(saved(*LITTER[:4]), inventory(*now))
    assert goes(made) == []
    told = settled(made)
    assert told["web"][0] == "skipped"
    assert "changed since it was judged: state was exited, is running" in str(told["web"][1])
    assert {status for status, _ in told.values()} == {"skipped"}
    assert str(told["data"][1]).startswith("in use: used by container web (running)")


def test_what_was_used_since_it_was_planned_is_skipped() -> None:
    plan = saved(*LITTER, volume("backup"), image("pushed"))
    job = PastUse(at=NOW + HOUR, action="unmounted", by="job", by_id="j")
    now = inventory(
        *LITTER[:3],
        replace(LITTER[3], uses=(replace(job, at=NOW - HOUR),)),
        *LITTER[4:],
        replace(volume("backup"), uses=(job,)),
        replace(image("pushed"), uses=(PastUse(at=NOW + HOUR, action="pushed"),)),
    )
    made = what_may_go(plan, Survey(now, NOW + 2 * HOUR), NOTHING)
    assert settled(made) == {
        "backup": ("skipped", "used since the plan was made: last used 60 minutes ago by job (removed)")
    }
    written = replace(volume("backup"), written_at=NOW + HOUR)
    made = what_may_go(plan, Survey(inventory(*LITTER, written, image("pushed")), NOW + 2 * HOUR), NOTHING)
    assert settled(made) == {"backup": ("skipped", "used since the plan was made: written 60 minutes ago")}


def test_what_a_new_container_uses_is_skipped() -> None:
    late = container("late", "created", image="sha256:app", volumes=["data"], networks=["net"])
    made = permitted(saved(*LITTER[:4]), inventory(*LITTER[:4], late))
    assert goes(made) == [("remove", "web")]
    assert {str(detail)[:7] for _, detail in settled(made).values()} == {"in use:"}


def test_an_image_that_holds_its_parent_is_called_as_in_the_plan() -> None:
    base, child = image("base", "base:1"), image("child", "app:1", "app:2", parent="base")
    kept = Policy(
        source="now", protections=Protections(names=(Protection(pattern="app:2", source="protect.names"),)), rules=()
    )
    now = Survey(inventory(base, replace(child, tags=("app:2", "app:1"))), NOW)
    # As a scan leaves it, which has asked what is in use.
    assert not now.in_use
    made = what_may_go(saved(base, child), now, kept)
    assert settled(made)[base.id] == ("skipped", "in use: parent of image app:1")


def test_what_the_policy_of_now_protects_stays() -> None:
    protects = Policy(
        source="now", protections=Protections(names=(Protection(pattern="data", source="protect.names"),)), rules=()
    )
    made = permitted(saved(*LITTER[:4]), inventory(*LITTER[:4]), protects)
    assert list(settled(made)) == ["data"]
    assert str(settled(made)["data"][1]).startswith("protection: ")


def test_what_a_rule_of_now_keeps_stays() -> None:
    keeps = Rule(name="the last", kinds=("image",), match=Match(), keep=Keep(last=1))
    made = permitted(
        saved(LITTER[1]), inventory(LITTER[1]), Policy(source="n", protections=Protections(), rules=(keeps,))
    )
    assert goes(made) == []
    assert str(settled(made)["sha256:app"][1]).startswith("the last: ")


def test_the_limits_of_now_hold() -> None:
    limited = Policy(source="now", protections=Protections(), rules=(), limits=LimitSettings(objects=2))
    assert permitted(saved(*LITTER), inventory(*LITTER), limited).plan.limits.exceeded != ()


def edited(plan: Plan, removals: Sequence[Removal]) -> Plan:
    return replace(plan, removals=tuple(removals))


def removal_of(plan: Plan, name: str, action: str = "remove") -> Removal:
    [found] = [one for one in plan.removals if (one.name, one.action) == (name, action)]
    return found


def test_a_removal_that_somebody_wrote_in_without_its_fingerprint_is_skipped() -> None:
    plan = saved(volume("old"))
    there = volume("precious", anonymous=False)
    forged = replace(plan.removals[0], id="precious", name="precious")
    made = permitted(edited(plan, [*plan.removals, forged]), inventory(volume("old"), there))
    assert goes(made) == [("remove", "old")]
    assert "changed since it was judged: name was old, is precious" in str(settled(made)["precious"][1])


def test_an_empty_fingerprint_matches_nothing() -> None:
    plan = saved(*LITTER)
    made = permitted(edited(plan, [replace(one, judged={}) for one in plan.removals]), inventory(*LITTER))
    assert goes(made) == []


def test_an_order_that_somebody_turned_around_is_set_right() -> None:
    plan = saved(*LITTER)
    turned = edited(plan, [replace(one, after=()) for one in plan.removals if one.kind != "image"][::-1])
    kinds = [one.kind for one in permitted(turned, inventory(*LITTER)).plan.removals]
    assert kinds == ["container", "volume", "network", "build-cache", "build-cache"]
    assert permitted(turned, inventory(*LITTER)).plan.removals[1].after == (ObjectRef(kind="container", id="web"),)


def test_an_image_without_the_removal_of_its_container_stays() -> None:
    plan = saved(*LITTER)
    made = permitted(edited(plan, [one for one in plan.removals if one.kind == "image"]), inventory(*LITTER))
    assert goes(made) == []
    assert str(settled(made)["sha256:app"][1]).startswith("in use: used by container web")


def test_removals_of_one_image_that_do_not_fit_together_are_skipped() -> None:
    alone = image("app", "app:1", "app:2")
    plan = saved(alone)
    untag, remove = plan.removals
    for removals in ([untag, untag, remove], [untag, remove, remove], [remove, untag], [untag, untag]):
        made = permitted(edited(plan, removals), inventory(alone))
        assert goes(made) == []
        assert len(made.settled) == len(removals)


def test_a_plan_that_only_takes_tags_off_does_just_that() -> None:
    two = image("app", "app:1", "app:2")
    plan = saved(two)
    made = permitted(edited(plan, plan.removals[:1]), inventory(two))
    assert goes(made) == [("untag", plan.removals[0].name)]
    assert made.plan.reclaim == Interval(low_bytes=0, high_bytes=0)


def test_outcomes_come_in_the_order_of_the_plan() -> None:
    plan = saved(*LITTER)
    outcomes = [outcome for _, outcome in permitted(plan, inventory()).settled]
    ordered = in_order_of_plan(plan, outcomes[::-1])
    assert [(one.kind, one.id, one.action) for one in ordered] == [
        (one.kind, one.id, one.action) for one in plan.removals
    ]


ARCHIVE = ArchiveSettings(keep_for=parse_age("14d"), min_free=Space(text="10%", percent=10))


def test_what_had_a_way_back_when_it_was_planned_stays_without_one() -> None:
    there = replace(inventory(volume("v"), container("c"), network("n")), marks=())
    policy = replace(AGGRESSIVE, archive=ARCHIVE)
    plan = read_document(write_document(plan_of(there, policy, NOW)).encode(), Plan, "plan.json")
    assert {step.recovery.how for step in plan.removals if step.recovery} == {"archive", "recreate"}
    with_one = permitted(plan, there, replace(NOTHING, archive=ARCHIVE))
    assert len(goes(with_one)) == 3
    without = permitted(plan, replace(there, marks=None))
    assert goes(without) == []
    why = "it could be recovered when the plan was made"
    assert settled(without)["v"] == ("skipped", f"{why} (archive), and now it cannot: no archive")
    [own] = [step.id for step in plan.removals if step.kind == "network"]
    assert settled(without)[own] == ("skipped", f"{why} (recreate), and now it cannot: no ledger keeps its definition")
    wanted = what_may_go(plan, Survey(replace(there, marks=None), NOW), NOTHING, may_lose_ways_back=True)
    assert len(goes(wanted)) == 3


def test_what_had_no_way_back_when_it_was_planned_needs_none() -> None:
    plan = saved(volume("v"))
    old = replace(plan, removals=tuple(replace(step, recovery=None) for step in plan.removals))
    for one in (plan, old):
        assert goes(permitted(one, inventory(volume("v")))) == [("remove", "v")]
        [step] = permitted(one, inventory(volume("v")), replace(NOTHING, archive=ARCHIVE)).plan.removals
        assert step.recovery is not None
        assert step.recovery.how == "archive"


def test_with_only_recoverable_what_nothing_brings_back_stays_though_it_is_planned() -> None:
    made = permitted(saved(volume("v")), inventory(volume("v")), replace(NOTHING, only_recoverable=True))
    assert settled(made)["v"] == ("skipped", "--only-recoverable: it cannot be recovered (no archive)")
