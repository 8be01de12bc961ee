"""How much space a target asks for on one disk: the formulas of the kubelet and of BuildKit's garbage collection.

The kubelet's are in pkg/kubelet/images/image_gc_manager.go, BuildKit's in cache/manager.go and
cmd/buildkitd/config/gcpolicy.go. Both count space reserved for root as used; here a percentage is of the usable space,
as `df` prints it.
"""

from collections.abc import Callable
from fractions import Fraction

from msgspec import Struct

from dockersweep.model.disk import Disk
from dockersweep.model.policy import Space, Target
from dockersweep.units import format_size

_NO_DISK = (
    "the engine's disk cannot be measured from here: it is on another machine, or its folder, containerd's or that of "
    "its volumes cannot be read"
)
_NO_INODES = "the inodes of the engine's disk cannot be measured: its file system does not count them"
_NO_SIZES = "what the engine holds cannot be measured from here: not all sizes are known"
_NOTHING_ASKED = "the target asks for no space"

_GIB, _GB = 2**30, 10**9


class Want(Struct, frozen=True):
    """How much a space target wants freed; removals by rules count towards it."""

    begins: bool | None
    """Whether space is short; None where that is not known."""
    wanted_bytes: int | None
    """The bytes to free; 0 where bytes are not short or not asked for, None where that is not known."""
    wanted_inodes: int | None
    """The inodes to free; None where that is not known or the target does not ask for inodes."""
    text: str
    """For people: the measurement, the limit and what is to be freed; or why it cannot be measured."""


def space_wanted(target: Target, disk: Disk | None, held_bytes: int | None) -> Want:
    """Return how much a target wants freed on a disk, of which the engine uses `held_bytes`.

    `disk` is None where it cannot be measured, `held_bytes` where not all sizes are known.
    """
    if target.free_bytes is not None:
        is_short = target.free_bytes > 0
        text = f"free {format_size(target.free_bytes)}" if is_short else "nothing more to free"
        return Want(is_short, target.free_bytes, None, text)
    if target.max_used or target.min_free or target.reserved:
        shortage = _of_build_kit(target, disk, held_bytes)
        return Want(shortage.begins, shortage.amount, None, shortage.text)
    space = None if target.start_above is None else _of_bytes(target, target.start_above, disk, held_bytes)
    inodes = None if target.inodes_above_percent is None else _of_inodes(target, disk)
    shortages = [shortage for shortage in (space, inodes) if shortage is not None]
    answers = {shortage.begins for shortage in shortages}
    return Want(
        begins=True if True in answers else None if None in answers else False,
        wanted_bytes=0 if space is None else space.amount,
        wanted_inodes=None if inodes is None else inodes.amount,
        text="; ".join(shortage.text for shortage in shortages) or _NOTHING_ASKED,
    )


def kept_bytes(held_bytes: int, free_bytes: int, max_used: int, min_free: int, reserved: int) -> int:
    """Return how many bytes BuildKit keeps: its calculateKeepBytes.

    A limit of 0 is not set. If none is set the answer is 0: BuildKit then removes all it can.
    """
    keep = max_used
    missing = min_free - free_bytes
    if min_free and missing > 0:
        keep = min(keep or held_bytes, held_bytes - missing)
    elif min_free and not keep:
        keep = held_bytes
    return max(keep, reserved)


class _Shortage(Struct, frozen=True):
    """How much is to be freed, None where that is not known, and the same as text."""

    amount: int | None
    text: str

    @property
    def begins(self) -> bool | None:
        """Whether anything is to be freed."""
        return None if self.amount is None else self.amount > 0


def _of_bytes(target: Target, start: Space, disk: Disk | None, held_bytes: int | None) -> _Shortage:
    stop, is_later = target.stop_below or start, target.is_later
    if start.percent is not None and stop.percent is not None:
        if disk is None or disk.usable <= 0:
            return _Shortage(None, _NO_DISK)
        used = "of the disk is used"
        return _of_share(disk.usable, disk.free_bytes, (start.percent, stop.percent), used, format_size, is_later)
    if start.size_bytes is None or stop.size_bytes is None:
        return _Shortage(None, f"{start.text} and {stop.text} cannot be compared")
    if held_bytes is None:
        return _Shortage(None, _NO_SIZES)
    most, held = format_size(start.size_bytes), f"the engine holds {format_size(held_bytes)}"
    if held_bytes <= start.size_bytes:
        return _Shortage(0, f"{held}, not over {most}")
    wanted = held_bytes - min(start.size_bytes, stop.size_bytes)
    relation = "" if is_later else f", over {most}"
    text = f"{held}{relation}; down to {format_size(held_bytes - wanted)} takes {format_size(wanted)}"
    return _Shortage(wanted, text)


def _of_inodes(target: Target, disk: Disk | None) -> _Shortage:
    start, stop = target.inodes_above_percent or 0, target.inodes_below_percent
    if disk is None:
        return _Shortage(None, _NO_DISK)
    if not disk.total_inodes or disk.free_inodes is None:
        return _Shortage(None, _NO_INODES)
    percents = (start, start if stop is None else stop)
    used = "of the inodes of the disk are used"
    return _of_share(
        disk.total_inodes, disk.free_inodes, percents, used, lambda amount: f"{amount:,} inodes", target.is_later
    )


def _of_share(
    total: int, free: int, percents: tuple[float, float], used: str, shown: Callable[[int], str], is_later: bool
) -> _Shortage:
    """The kubelet's rule. Usage is rounded up to whole percents, and reaching `start` is enough: 85% starts it when
    more than 84% is used. The amount to free is computed without that rounding."""
    start, stop = percents
    free = min(free, total)
    used_percent = 100 - free * 100 // total
    # By way of text, a percentage is exactly the decimal number in the policy.
    wanted = int(total * (100 - Fraction(str(stop))) / 100) - free
    if used_percent < start or wanted <= 0:
        return _Shortage(0, f"{used_percent}% {used}, not over {start:g}%")
    # A further round starts where it stops: that is said once.
    relation = "" if is_later else f", {'over' if used_percent > start else 'which reaches'} {start:g}%"
    text = f"{used_percent}% {used}{relation}; down to {stop:g}% takes {shown(wanted)}"
    return _Shortage(wanted, text)


def _of_build_kit(target: Target, disk: Disk | None, held_bytes: int | None) -> _Shortage:
    """BuildKit's rule, applied to everything that the engine holds instead of the build cache alone.

    Unlike BuildKit, it removes nothing where exactly the allowed bytes are held, nor where every limit is 0. And here
    free space does not include what is reserved for root.
    """
    limits = [_in_bytes(limit, disk) for limit in (target.max_used, target.min_free, target.reserved)]
    max_used, min_free, reserved = limits
    if max_used is None or min_free is None or reserved is None or (min_free and disk is None):
        return _Shortage(None, _NO_DISK)
    if not any(limits):
        return _Shortage(0, _NOTHING_ASKED)
    free = 0 if disk is None else disk.free_bytes
    relation = "under" if free < min_free else "not under"
    phrases = [f"{format_size(free)} of the disk are free, {relation} {format_size(min_free)}"] if min_free else []
    if held_bytes is None and (max_used or reserved):
        return _Shortage(None, "; ".join([*phrases, _NO_SIZES]))
    if held_bytes is None:
        # Without the other two it does not matter how much is held.
        wanted = max(0, min_free - free)
        phrases += [f"up to that takes {format_size(wanted)}"] if wanted else []
        return _Shortage(wanted, "; ".join(phrases))
    keep = kept_bytes(held_bytes, free, max_used, min_free, reserved)
    wanted = max(0, held_bytes - keep)
    relation = "over" if wanted else "not over"
    phrases.append(f"the engine holds {format_size(held_bytes)}, {relation} the {format_size(keep)} that it may hold")
    phrases += [f"down to that takes {format_size(wanted)}"] if wanted else []
    return _Shortage(wanted, "; ".join(phrases))


def _in_bytes(limit: Space | None, disk: Disk | None) -> int | None:
    """Return a limit as BuildKit reads it, 0 where it is not set; None where it is a percentage of an unknown disk.

    BuildKit rounds a percentage up to GiB and takes that many GB: up to 7% less on a large disk, more on a small one.
    """
    if limit is None or (not limit.size_bytes and not limit.percent):
        return 0
    if limit.size_bytes:
        return limit.size_bytes
    if disk is None or disk.usable <= 0:
        return None
    share = int(disk.usable * Fraction(str(limit.percent)) / 100)
    return (share // _GIB + 1) * _GB
