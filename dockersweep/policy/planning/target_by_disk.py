"""How much space a target asks for on each disk of an engine, and on all together."""

from collections.abc import Callable, Collection, Iterable

from msgspec import Struct

from dockersweep.model.plan import DiskVerdict, TargetVerdict
from dockersweep.model.policy import Target
from dockersweep.model.quantities import known_sum
from dockersweep.policy.bytes.reclaim import FreedSoFar, Steps
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.space_wanted import Want, space_wanted


class Asked(Struct, frozen=True):
    """How much to free on one disk."""

    want: Want
    disk: int | None = None
    """Its index among the inventory's disks; None where bytes on any disk count: there is only one, or none can be
    seen, or the target asks for an amount on whatever disk."""
    name: str = ""

    def freed(self, steps: Steps) -> FreedSoFar:
        """Return what the removals so far free on it."""
        return steps if self.disk is None else steps.on_disk(self.disk)

    def is_enough(self, steps: Steps) -> bool:
        """Whether the removals so far may free what is wanted; True where that is not known."""
        freed = self.freed(steps)
        high, inodes = freed.high_bytes, freed.inodes
        bytes_left = high is not None and high < (self.want.wanted_bytes or 0)
        inodes_left = inodes is not None and inodes < (self.want.wanted_inodes or 0)
        return not bytes_left and not inodes_left

    def is_reached(self, steps: Steps, asks_for_inodes: bool, archived_bytes: int | None) -> bool | None:
        """Whether the removals so far free what is wanted, with up to `archived_bytes` that go into an archive there;
        None where that is not known."""
        want, freed = self.want, self.freed(steps)
        if want.begins is None or want.wanted_bytes is None or (asks_for_inodes and want.wanted_inodes is None):
            return None
        high, inodes, wanted_inodes = freed.high_bytes, freed.inodes, want.wanted_inodes or 0
        if (high is not None and high < want.wanted_bytes) or (inodes is not None and inodes < wanted_inodes):
            return False
        inodes_reached = not wanted_inodes or inodes is not None
        is_certain = archived_bytes is not None and freed.low_bytes - archived_bytes >= want.wanted_bytes
        return True if is_certain and inodes_reached else None


def what_is_asked(target: Target, survey: Survey, again: Collection[str] = ()) -> tuple[Asked, ...]:
    """Return what a target asks for on each disk that has objects of the kinds in its `order`.

    `again` has the names of the disks that the first round was for: later rounds are for just these, even if no such
    objects are left there.
    """
    inventory = survey.inventory
    is_unseen = not set(target.order).isdisjoint(inventory.on_no_known_disk)
    if target.free_bytes is not None or len(inventory.disks) < 2 or is_unseen:
        disk = None if is_unseen else inventory.disk
        return (Asked(space_wanted(target, disk, survey.totals.held_bytes)),)
    numbers = {disk.name: number for number, disk in enumerate(inventory.disks)}
    names = again or [inventory.disks[number].name for number in survey.on_disks.of_kinds(target.order)]
    return tuple(_asked_on(name, numbers.get(name), target, survey) for name in names)


def _asked_on(name: str, number: int | None, target: Target, survey: Survey) -> Asked:
    if number is None:
        # The disk is no longer there since the first round.
        return Asked(space_wanted(target, None, None), number, name)
    held = survey.totals.held_on(number, survey.on_disks)
    return Asked(space_wanted(target, survey.inventory.disks[number], held), number, name)


def verdict_on(
    asked: Collection[Asked], steps: Steps, target: Target, archived_on: Callable[[str | None], int | None]
) -> TargetVerdict:
    """Return what is asked for on all disks, and whether the removals free it. `archived_on` returns how many bytes go
    into an archive on the disk of that name at most, None standing for all disks together."""
    asks_for_inodes = target.inodes_above_percent is not None
    of_disks = tuple(
        DiskVerdict(
            disk=asked_of.name,
            text=asked_of.want.text,
            begins=asked_of.want.begins,
            wanted_bytes=asked_of.want.wanted_bytes,
            wanted_inodes=asked_of.want.wanted_inodes,
            reached=asked_of.is_reached(steps, asks_for_inodes, archived_on(asked_of.name or None)),
        )
        for asked_of in asked
    )
    inodes = [verdict.wanted_inodes for verdict in of_disks]
    return TargetVerdict(
        text="; ".join(
            f"{verdict.disk}: {verdict.text}" if verdict.disk else verdict.text for verdict in _telling(of_disks)
        ),
        begins=_any(verdict.begins for verdict in of_disks),
        wanted_bytes=known_sum(verdict.wanted_bytes for verdict in of_disks),
        wanted_inodes=known_sum(inodes),
        reached=_all(verdict.reached for verdict in of_disks),
        disks=of_disks if any(verdict.disk for verdict in of_disks) else (),
    )


def _telling(of_disks: tuple[DiskVerdict, ...]) -> Iterable[DiskVerdict]:
    """Return the disks to mention: only those short of space, if there are any."""
    short = any(disk.begins for disk in of_disks)
    return [disk for disk in of_disks if not short or disk.begins is not False]


def _any(answers: Iterable[bool | None]) -> bool | None:
    distinct = set(answers)
    return True if True in distinct else None if None in distinct else False


def _all(answers: Iterable[bool | None]) -> bool | None:
    distinct = set(answers)
    return False if False in distinct else None if None in distinct else True
