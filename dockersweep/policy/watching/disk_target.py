"""Whether a space target begins on a disk, of what statvfs tells now and the last scan found."""

from msgspec import Struct

from dockersweep.model.disk import Disk
from dockersweep.model.inventory import Inventory
from dockersweep.model.policy import Target
from dockersweep.model.watching import Look, LookedDisk
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.space_wanted import space_wanted

ELSEWHERE = "the engine's disk cannot be seen from here"
PARTLY = "not all that the target is about lies on a disk that can be seen from here"


class Begun(Struct, frozen=True):
    """Whether the target begins on a disk, and the measurement in words."""

    begins: bool | None
    text: str


def look_of(survey: Survey, target: Target | None) -> Look:
    """Return the disks that a watcher has to look at, for a target; without one, all of the engine's."""
    inventory = survey.inventory
    if not inventory.disks:
        return Look(disks=(), why_unseen=ELSEWHERE)
    if target is not None and not set(target.order).isdisjoint(inventory.on_no_known_disk):
        return Look(disks=(), why_unseen=PARTLY)
    is_one = len(inventory.disks) == 1
    asked = (0,) if is_one or target is None else survey.on_disks.of_kinds(target.order)
    wants_held = target is not None and asks_for_held(target)
    return Look(
        disks=tuple(
            LookedDisk(
                disk=disk,
                is_asked=number in asked,
                held_bytes=_held(survey, number, inventory) if wants_held else None,
            )
            for number, disk in enumerate(inventory.disks)
        )
    )


def asks_for_held(target: Target) -> bool:
    """Whether the target has a limit for what the engine holds, which takes a scan with sizes."""
    in_bytes = target.start_above is not None and target.start_above.percent is None
    return in_bytes or target.max_used is not None or target.reserved is not None


def begins_on(target: Target, looked: LookedDisk, now: Disk | None) -> Begun:
    """Return whether the target begins on a disk; `now` is None where it cannot be measured."""
    want = space_wanted(target, now, _held_now(looked, now))
    return Begun(want.begins, want.text)


def _held(survey: Survey, number: int, inventory: Inventory) -> int | None:
    if len(inventory.disks) == 1:
        return survey.totals.held_bytes
    return survey.totals.held_on(number, survey.on_disks)


def _held_now(looked: LookedDisk, now: Disk | None) -> int | None:
    """Return an estimate of what the engine holds: what it held, and what the disk has gained since."""
    if looked.held_bytes is None or now is None:
        return looked.held_bytes
    return max(0, looked.held_bytes + now.used - looked.disk.used)
