"""Whether a target begins on a disk: of what statvfs tells now, and what the last scan found."""

import pytest
from msgspec.structs import replace

from dockersweep.model.disk import Disk
from dockersweep.model.policy import Target
from dockersweep.model.watching import Look, LookedDisk
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.reading import read_policy
from dockersweep.policy.watching.disk_target import asks_for_held, begins_on, look_of
from tests.rig.inventories import NOW, image, inventory, volume

GB = 10**9


def disk(used: int, place: str = "/d", total: int = 100) -> Disk:
    return Disk(
        total_bytes=total * GB, used_bytes=used * GB, free_bytes=(total - used) * GB, total_inodes=1000,
        free_inodes=500, places=(place,), mount_point=place,
    )  # fmt: skip


def target(keys: str) -> Target:
    read = read_policy(f"version = 1\n[target]\n{keys}\n".encode(), "a test").target
    assert read is not None
    return read


def looked(used: int, held: int | None = None) -> LookedDisk:
    return LookedDisk(disk=disk(used), is_asked=True, held_bytes=None if held is None else held * GB)


@pytest.mark.parametrize(
    ("keys", "then", "held", "now", "begins"),
    [
        # By share, as the kubelet does: it is enough to reach it.
        ('start_above = "80%"', 50, None, 79, False),
        ('start_above = "80%"', 50, None, 80, False),
        ('start_above = "80%"\nstop_below = "70%"', 50, None, 80, True),
        ('start_above = "80%"', 50, None, 81, True),
        ('inodes_above = "40%"', 50, None, 50, True),
        ('min_free = "15GB"', 50, None, 86, True),
        ('min_free = "15GB"', 50, None, 85, False),
        # By size, of what the engine held then and the disk has gained since.
        ('start_above = "40GB"', 50, 30, 60, False),
        ('start_above = "40GB"', 50, 30, 61, True),
        ('start_above = "40GB"', 50, 45, 44, False),
        ('max_used = "40GB"', 50, 30, 61, True),
        ('min_free = "50GB"\nreserved = "42GB"', 50, 30, 61, False),
        ('min_free = "50GB"\nreserved = "32GB"', 50, 30, 61, True),
        ('start_above = "40GB"', 50, None, 99, None),
        # What others gave back does not make what it holds negative.
        ('max_used = "40GB"', 50, 5, 10, False),
    ],
)
def test_when_it_begins(keys: str, then: int, held: int | None, now: int, begins: bool | None) -> None:
    assert begins_on(target(keys), looked(then, held), disk(now)).begins is begins


def test_on_a_disk_that_cannot_be_measured_it_is_not_known() -> None:
    begun = begins_on(target('start_above = "80%"'), looked(50), None)
    assert begun.begins is None
    assert "cannot be measured" in begun.text


@pytest.mark.parametrize(
    ("keys", "asks"),
    [
        ('start_above = "80%"', False), ('inodes_above = "80%"', False), ('min_free = "10%"', False),
        ('start_above = "80GB"', True), ('max_used = "80%"', True), ('min_free = "10%"\nreserved = "1GB"', True),
    ],
)  # fmt: skip
def test_which_targets_are_about_what_the_engine_holds(keys: str, asks: bool) -> None:
    assert asks_for_held(target(keys)) == asks


def test_where_no_disk_can_be_seen_it_is_said() -> None:
    survey = Survey(replace(inventory(image("i", "app:1")), disk=None), NOW)
    look = look_of(survey, target('start_above = "80%"'))
    assert look == Look(disks=(), why_unseen="the engine's disk cannot be seen from here")


def test_kinds_on_a_disk_that_cannot_be_seen_are_said() -> None:
    seen = replace(inventory(image("i", "app:1")), disk=disk(50), on_no_known_disk=("image",))
    assert look_of(Survey(seen, NOW), target('start_above = "80%"')).disks == ()
    volumes = look_of(Survey(replace(seen, on_no_known_disk=("volume",)), NOW), target('start_above = "80%"'))
    assert [(one.disk.name, one.is_asked) for one in volumes.disks] == [("/d", True)]


def test_only_the_disks_that_the_target_is_about_are_asked() -> None:
    seen = replace(
        inventory(image("i", "app:1"), volume("v", size=GB)), disk=disk(50), other_disks=(disk(50, "/d/volumes"),)
    )
    look = look_of(Survey(seen, NOW), target('start_above = "80%"\norder = ["image"]'))
    assert [(one.disk.name, one.is_asked) for one in look.disks] == [("/d", True), ("/d/volumes", False)]
