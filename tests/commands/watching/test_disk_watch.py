"""The disks of a watcher: when one that is short of space counts."""

from msgspec.structs import replace

from dockersweep.commands.watching.disk_watch import DiskWatch
from dockersweep.engine.disk.disks import measured_at
from dockersweep.model.disk import Disk
from dockersweep.model.policy import Space, Target
from dockersweep.model.watching import Look, LookedDisk
from dockersweep.units import parse_age

EMPTY = Disk(total_bytes=0, free_bytes=0, total_inodes=None, free_inodes=None, places=("/",), mount_point="/")


def over(percent: float) -> Target:
    share = Space(text=f"{percent}%", percent=percent)
    return Target(start_above=share, stop_below=Space(text="0%", percent=0), older_than=parse_age("0s"))


def watch(*, is_asked: bool = True, places: tuple[str, ...] = ("/",)) -> DiskWatch:
    disks = DiskWatch()
    disk = replace(EMPTY, places=places)
    disks.look = Look(disks=(LookedDisk(disk=disk, is_asked=is_asked, held_bytes=None),))
    return disks


def test_before_the_first_scan_nothing_is_known() -> None:
    disks = DiskWatch()
    disks.check(over(0.1), has_arrived=True)
    assert not disks.begins
    assert disks.disks == ()


def test_it_has_to_be_short_twice_but_for_what_was_just_pulled() -> None:
    disks, begun = watch(), []
    for percent, has_arrived in ((0.1, False), (0.1, False), (100, False), (0.1, True), (0.1, False)):
        disks.check(over(percent), has_arrived=has_arrived)
        begun.append((disks.why is not None, disks.begins))
    # Once it began it goes on until there is enough.
    assert begun == [(True, False), (True, True), (False, False), (True, True), (True, True)]


def test_a_disk_that_the_target_is_not_about_makes_the_watcher_look_again() -> None:
    disks = watch(is_asked=False)
    disks.check(over(0.1), has_arrived=True)
    assert not disks.begins
    assert disks.has_news
    assert [one.begins for one in disks.disks] == [False]


def test_a_disk_that_is_gone_is_not_known() -> None:
    disks = watch(places=("/nonexistent/folder",))
    disks.check(over(0.1), has_arrived=True)
    assert [one.begins for one in disks.disks] == [None]
    assert not disks.begins


def test_without_a_target_the_disks_are_told_all_the_same() -> None:
    disks = watch()
    disks.check(None, has_arrived=True)
    now = measured_at("/", EMPTY)
    assert now is not None
    assert [(one.name, one.total_bytes, one.begins) for one in disks.disks] == [("/", now.total_bytes, None)]
