"""What a space target asks for on each disk, where an engine lies on several; and on all together."""

from collections.abc import Collection, Iterable

from msgspec import Struct

from dockersweep.model.plan import DiskVerdict, TargetVerdict
from dockersweep.model.policy import Target
from dockersweep.model.quantities import known_sum
from dockersweep.policy.bytes.reclaim import FreedSoFar, Steps
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.space_wanted import Want, space_wanted


class Asked(Struct, frozen=True):
    """What is wanted of one disk."""

    want: Want
    disk: int | None = None
    """Its place among the inventory's; None where it does not matter on which disk something is freed: there is one
    only, or none can be seen, or the target asks for what is to be freed wherever it is."""
    name: str = ""

    def freed(self, steps: Steps) -> FreedSoFar:
        """Return what of the removals so far counts for it."""
        return steps if self.disk is None else steps.on_disk(self.disk)

    def is_enough(self, steps: Steps) -> bool:
        """Whether as much as is wanted may be freed: where it is not known how much is, it may be enough."""
        freed = self.freed(steps)
        high, inodes = freed.high_bytes, freed.inodes
        bytes_left = high is not None and high < (self.want.wanted_bytes or 0)
        inodes_left = inodes is not None and inodes < (self.want.wanted_inodes or 0)
        return not bytes_left and not inodes_left

    def is_reached(self, steps: Steps, asks_for_inodes: bool) -> bool | None:
        """Whether as much as is wanted is freed; None where that is not known."""
        want, freed = self.want, self.freed(steps)
        if want.begins is None or want.wanted_bytes is None or (asks_for_inodes and want.wanted_inodes is None):
            return None
        high, inodes, wanted_inodes = freed.high_bytes, freed.inodes, want.wanted_inodes or 0
        if (high is not None and high < want.wanted_bytes) or (inodes is not None and inodes < wanted_inodes):
            return False
        inodes_reached = not wanted_inodes or inodes is not None
        return True if freed.low_bytes >= want.wanted_bytes and inodes_reached else None


def what_is_asked(target: Target, survey: Survey, again: Collection[str] = ()) -> tuple[Asked, ...]:
    """Return what a target asks for on each disk that the kinds in its order lie on.

    `again` has the names of the disks that a first round was for: the next are for no others, and for these also where
    nothing of the kinds is left there.
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
        # It was there before the first round.
        return Asked(space_wanted(target, None, None), number, name)
    held = survey.totals.held_on(number, survey.on_disks)
    return Asked(space_wanted(target, survey.inventory.disks[number], held), number, name)


def verdict_on(asked: Collection[Asked], steps: Steps, target: Target) -> TargetVerdict:
    """Return what is asked for in all, and whether what goes frees it."""
    asks_for_inodes = target.inodes_above_percent is not None
    of_disks = tuple(
        DiskVerdict(
            disk=one.name,
            text=one.want.text,
            begins=one.want.begins,
            wanted_bytes=one.want.wanted_bytes,
            wanted_inodes=one.want.wanted_inodes,
            reached=one.is_reached(steps, asks_for_inodes),
        )
        for one in asked
    )
    inodes = [one.wanted_inodes for one in of_disks]
    return TargetVerdict(
        text="; ".join(f"{one.disk}: {one.text}" if one.disk else one.text for one in _telling(of_disks)),
        begins=_any(one.begins for one in of_disks),
        wanted_bytes=known_sum(one.wanted_bytes for one in of_disks),
        wanted_inodes=known_sum(inodes),
        reached=_all(one.reached for one in of_disks),
        disks=of_disks if any(one.disk for one in of_disks) else (),
    )


def _telling(of_disks: tuple[DiskVerdict, ...]) -> Iterable[DiskVerdict]:
    """Return the disks of which people are told: where space is short on some, no others that have enough."""
    short = any(one.begins for one in of_disks)
    return [one for one in of_disks if not short or one.begins is not False]


def _any(answers: Iterable[bool | None]) -> bool | None:
    found = set(answers)
    return True if True in found else None if None in found else False


def _all(answers: Iterable[bool | None]) -> bool | None:
    found = set(answers)
    return False if False in found else None if None in found else True
