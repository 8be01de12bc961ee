"""What a plan says where the archive may have no room, and what does not fit goes without."""

from msgspec.structs import replace

from dockersweep.model.archive_facts import ArchiveFacts, KeptRun
from dockersweep.model.inventory import Object
from dockersweep.model.plan import Plan
from dockersweep.model.policy import ArchiveSettings, LimitSettings, Policy, Space
from dockersweep.model.recovery import EarlyDeletion
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.planning.archive_warnings import archive_warnings
from dockersweep.policy.planning.planner import make_plan
from dockersweep.policy.planning.saved_plan import what_may_go
from dockersweep.report.plan import plan_layout
from dockersweep.report.question import question
from dockersweep.units import parse_age
from tests.rig.inventories import NOW, ago, container, image, inventory, volume

MEGABYTE = 1_000_000
ARCHIVE = ArchiveSettings(keep_for=parse_age("14d"), min_free=Space(text="1B", size_bytes=1), when_full="remove")
GOES = replace(policy_from_flags(PolicyFlags(all_images=True)), archive=ARCHIVE)
STAYS = replace(GOES, archive=replace(ARCHIVE, when_full="keep"))


def survey(room: int | None, *objects: Object) -> Survey:
    facts = ArchiveFacts(folder="/srv/archive", on_engine_disk=True, room_bytes=room)
    return Survey(inventory(*objects), NOW).archiving_to(facts)


def planned(policy: Policy, room: int | None, *objects: Object) -> Plan:
    return make_plan(survey(room, *objects), policy)


def ways(plan: Plan) -> dict[str, str]:
    return {one.name: one.recovery.how for one in plan.removals if one.recovery is not None}


SMALL, LARGE = volume("small", size=MEGABYTE), volume("large", size=7 * MEGABYTE)


def test_what_does_not_fit_by_itself_cannot_be_recovered_and_is_tried_all_the_same() -> None:
    plan = planned(GOES, 5 * MEGABYTE, SMALL, LARGE)
    assert ways(plan) == {"small": "archive", "large": "none"}
    [lost] = [one.recovery for one in plan.removals if one.name == "large" and one.recovery]
    assert (lost.text, lost.may_fit, lost.asks_archive) == ("no room in the archive", True, True)
    assert plan.archive is not None
    # What is tried may fill all the room.
    assert (plan.archive.objects, plan.archive.takes.high_bytes) == (1, 5 * MEGABYTE)
    [warning] = archive_warnings(survey(5 * MEGABYTE, SMALL, LARGE), plan)
    assert warning.text == "it has room for 5.00 MB: 1 object may not fit, and is then removed without it"


def test_an_archive_in_memory_is_warned_of() -> None:
    seen = survey(5 * MEGABYTE, SMALL)
    assert seen.archive is not None
    seen = seen.archiving_to(replace(seen.archive, folder="/run/archive", is_in_memory=True))
    [warning] = archive_warnings(seen, planned(GOES, 5 * MEGABYTE, SMALL))
    assert warning.text == "/run/archive is in memory: what goes there is lost when the machine is restarted"


def test_what_goes_first_takes_the_room() -> None:
    three = [volume(name, size=2 * MEGABYTE) for name in "abc"]
    assert ways(planned(GOES, 5 * MEGABYTE, *three)) == {"a": "archive", "b": "archive", "c": "none"}
    smaller = (*three, volume("d", size=MEGABYTE // 2))
    assert ways(planned(GOES, 5 * MEGABYTE, *smaller)) == {"a": "archive", "b": "archive", "c": "none", "d": "archive"}


def test_what_is_of_unknown_size_may_not_fit() -> None:
    assert ways(planned(GOES, 5 * MEGABYTE, volume("v", size=None))) == {"v": "none"}
    assert ways(planned(GOES, None, volume("v", size=None))) == {"v": "archive"}


def test_an_image_that_can_be_pulled_needs_no_room() -> None:
    there = replace(
        image("app", "app:1", size=9 * MEGABYTE, first_unused=ago(days=10)), in_registry=True, digests=("app@sha256:1",)
    )
    policy = replace(GOES, archive=replace(ARCHIVE, kinds=("image",)))
    assert list(ways(planned(policy, MEGABYTE, there)).values()) == ["pull"]
    two = replace(there, id="b", tags=("b:1",), size_bytes=MEGABYTE // 2)
    assert sorted(ways(planned(policy, MEGABYTE, there, two)).values()) == ["archive", "pull"]


def test_where_it_stays_or_what_is_lost_is_limited_the_way_back_is_the_archive() -> None:
    limited = replace(GOES, limits=LimitSettings(unrecoverable=3))
    for policy in (STAYS, limited, replace(GOES, only_recoverable=True)):
        assert not policy.removes_without_room
        plan = planned(policy, 5 * MEGABYTE, SMALL, LARGE)
        assert ways(plan) == {"small": "archive", "large": "archive"}
        [warning] = archive_warnings(survey(5 * MEGABYTE, SMALL, LARGE), plan)
        assert warning.text.endswith("and it has room for 5.00 MB: what does not fit is kept")
    assert GOES.removes_without_room


def test_an_empty_container_without_room_is_lost_without_data() -> None:
    [step] = planned(GOES, 0, container("empty", size=0)).removals
    assert step.recovery is not None
    assert (step.recovery.how, step.recovery.without_data) == ("none", True)


def test_a_saved_plan_that_has_an_object_in_the_archive_does_not_remove_it_without() -> None:
    saved = planned(GOES, None, LARGE)
    permitted = what_may_go(saved, survey(5 * MEGABYTE, LARGE), GOES)
    assert permitted.plan.removals == ()
    [(_, outcome)] = permitted.settled
    assert outcome.status == "skipped"
    assert outcome.detail is not None
    assert outcome.detail.endswith("(archive), and now it cannot: no room in the archive")
    told = planned(GOES, 5 * MEGABYTE, LARGE)
    assert len(what_may_go(told, survey(5 * MEGABYTE, LARGE), GOES).plan.removals) == 1


def going(until_day: int, run: int, size: int) -> KeptRun:
    until = ago(days=-until_day)
    return KeptRun(size, EarlyDeletion(folder=f"run-{run}", run=run, objects={"volume": run}, until=until))


def told(plan: Plan) -> list[int | None]:
    assert plan.archive is not None
    return [one.run for one in plan.archive.makes_room]


def test_the_runs_that_may_go_to_make_room_are_those_that_the_most_takes() -> None:
    runs = going(-1, 1, MEGABYTE), going(3, 2, MEGABYTE), going(4, 3, MEGABYTE)

    def with_runs(over: int, *objects: Object, room: int | None = 9 * MEGABYTE) -> Plan:
        facts = ArchiveFacts(folder="/srv/archive", runs=runs, over_bytes=over, room_bytes=room)
        return make_plan(Survey(inventory(*objects), NOW).archiving_to(facts), STAYS)

    one = volume("v", size=MEGABYTE)
    # With the description of the volume it is a little more.
    assert told(with_runs(-2 * MEGABYTE, one)) == []
    # The first one's time is over: it goes anyway.
    assert told(with_runs(-MEGABYTE, one)) == []
    assert told(with_runs(0, one)) == [2]
    assert told(with_runs(MEGABYTE, one)) == [2, 3]
    # What it takes is not known, or more than there is room for at all.
    assert told(with_runs(-9 * MEGABYTE, volume("v", size=None))) == []
    assert told(with_runs(-7 * MEGABYTE, volume("v", size=None))) == [2]
    assert told(with_runs(-7 * MEGABYTE, volume("v", size=None), room=None)) == [2, 3]
    plan = with_runs(MEGABYTE, one)
    sentence = "To make room, run 2 (2 volumes), run 3 (3 volumes) may go from the archive before their time."
    assert f"kept 14 days). {sentence} Remove 1 volume" in question(plan)
    assert any(sentence in section.sentences for section in plan_layout(plan, "grouped").sections)
    assert "before" not in question(with_runs(-2 * MEGABYTE, one))


def test_where_the_size_is_limited_things_are_kept_up_to_that_time() -> None:
    limited = replace(STAYS, archive=replace(ARCHIVE, max_size=Space(text="5MB", size_bytes=5 * MEGABYTE)))
    assert "kept up to 14 days" in question(planned(limited, 5 * MEGABYTE, SMALL))
    assert "kept 14 days" in question(planned(STAYS, 5 * MEGABYTE, SMALL))
