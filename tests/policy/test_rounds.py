"""What the rounds of a sweep for a space target come to together, where the engine lies on several disks."""

from msgspec.structs import replace

from dockersweep.model.outcome import FreedOnDisk, OutcomeDocument, Reclaimed
from dockersweep.model.plan import DiskVerdict, Plan, TargetVerdict
from dockersweep.model.policy import Policy, Protections
from dockersweep.policy.planning.rounds import disks_asking, target_outcome, together
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
