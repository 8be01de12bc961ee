"""What the rounds of a sweep for a space target come to together, where the engine lies on several disks."""

import pytest
from msgspec.structs import replace

from dockersweep.model.outcome import FreedOnDisk, Outcome, OutcomeDocument, Reclaimed
from dockersweep.model.plan import ArchiveShare, DiskVerdict, Interval, Plan, TargetVerdict
from dockersweep.model.policy import Policy, Protections, Target
from dockersweep.policy.planning.rounds import (
    archived_of_freed,
    disks_asking,
    only_fills_archive,
    policy_after,
    target_outcome,
    together,
)
from dockersweep.units import parse_age
from tests.rig.inventories import ENGINE, NOW, inventory, plan_of

NO_POLICY = Policy(source="a test", protections=Protections(), rules=())
ROOT, VOLUMES = "/var/lib/docker", "/var/lib/docker/volumes"


def asked(disk: str, wanted: int) -> DiskVerdict:
    return DiskVerdict(disk=disk, text="", begins=wanted > 0, wanted_bytes=wanted, wanted_inodes=None, reached=True)


def plan(*disks: DiskVerdict) -> Plan:
    verdict = TargetVerdict(text="told", begins=True, wanted_bytes=50, reached=True, disks=disks)
    return replace(plan_of(inventory(), NO_POLICY, NOW), target=verdict)


FIRST = plan(asked(ROOT, 0), asked(VOLUMES, 50))


def freed(measured: int, **on_disks: int | None) -> OutcomeDocument:
    disks = tuple(
        FreedOnDisk(disk={"root": ROOT}.get(name, VOLUMES), measured_bytes=size) for name, size in on_disks.items()
    )
    return OutcomeDocument(
        schema="dockersweep.outcome/1",
        engine=ENGINE,
        started_at=NOW,
        finished_at=NOW,
        ended_early=None,
        outcomes=(),
        reclaimed=Reclaimed(low_bytes=0, high_bytes=0, measured_bytes=measured, measured_by="disk", on_disks=disks),
        warnings=(),
    )


def test_only_the_disks_that_were_short_of_space_go_on() -> None:
    assert disks_asking(FIRST) == (VOLUMES,)
    assert disks_asking(plan()) == ()


def test_what_was_freed_elsewhere_is_not_what_was_wanted() -> None:
    done = together([freed(900, root=800, volumes=100), freed(30, root=10, volumes=20)], None)
    assert [(one.disk, one.measured_bytes) for one in done.reclaimed.on_disks] == [(ROOT, 810), (VOLUMES, 120)]
    told = target_outcome(FIRST, FIRST, done, "nothing else may go for it")
    assert told is not None
    assert (told.wanted_bytes, told.freed_bytes) == (50, 120)
    on_one_disk = target_outcome(plan(), plan(), done, "")
    assert on_one_disk is not None
    assert on_one_disk.freed_bytes == 930


def test_a_round_that_could_not_measure_a_disk_leaves_it_unknown() -> None:
    for rounds in ([freed(900, root=800, volumes=100), freed(30)], [freed(30, root=1, volumes=None)], [freed(30)]):
        told = target_outcome(FIRST, FIRST, together(rounds, None), "")
        assert told is not None
        assert told.freed_bytes is None


def archiving(first: Plan, disk: str | None, *, on_engine_disk: bool | None = True) -> Plan:
    """Return a plan that archives on that disk of the engine."""
    takes = Interval(low_bytes=0, high_bytes=500)
    share = ArchiveShare(folder="/a", objects=1, takes=takes, until=NOW, on_engine_disk=on_engine_disk, disk=disk)
    return replace(first, archive=share)


def archived(measured: int, took: int, **on_disks: int | None) -> OutcomeDocument:
    outcome = Outcome(
        kind="volume", id="v", name="v", action="remove", status="removed", detail=None, freed_bytes=None,
        archived_bytes=took,
    )  # fmt: skip
    return replace(freed(measured, **on_disks), outcomes=(outcome,))


@pytest.mark.parametrize(
    ("disk", "on_engine_disk", "left"),
    [(VOLUMES, True, 70), (ROOT, True, 100), (None, None, 70), (None, False, 100)],
)
def test_what_the_archive_takes_of_the_disk_that_is_short_is_not_freed(
    disk: str | None, on_engine_disk: bool | None, left: int
) -> None:
    first = archiving(FIRST, disk, on_engine_disk=on_engine_disk)
    told = target_outcome(first, first, archived(900, 30, root=800, volumes=100), "")
    assert told is not None
    assert told.freed_bytes == left


def test_what_the_archive_takes_is_left_to_free() -> None:
    target = Target(free_bytes=100, older_than=parse_age("0s"))
    first, done = archiving(plan(), None), archived(80, 30)
    after = policy_after(replace(NO_POLICY, target=target), done, archived_of_freed(first, done))
    assert after.target is not None
    assert after.target.free_bytes == 50


def test_a_sweep_that_only_fills_the_archive_goes_no_further() -> None:
    first = archiving(plan(), None)
    assert only_fills_archive(first, archived(80, 80))
    assert not only_fills_archive(first, archived(80, 79))
    assert not only_fills_archive(archiving(plan(), None, on_engine_disk=False), archived(80, 80))
    assert not only_fills_archive(first, freed(0))
