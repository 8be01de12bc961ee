"""The disks that a watcher looks at, and whether the target begins on one of them."""

from dockersweep.engine.disk.disks import measured_at
from dockersweep.model.disk import Disk
from dockersweep.model.policy import Target
from dockersweep.model.watching import Look, LookedDisk, WatchedDisk
from dockersweep.policy.watching.disk_target import begins_on


class DiskWatch:
    """The disks as the last scan found them, and how full they are now."""

    def __init__(self) -> None:
        self.look: Look | None = None
        """What the last scan told; None before the first."""
        self.disks: tuple[WatchedDisk, ...] = ()
        self.why: str | None = None
        """Why the target begins: the measurement of each disk that is short of space, in words; None where none is."""
        self._is_sure = False
        self.has_news = False
        """Whether a disk is short of space on which the last scan found nothing that the target is about: more may lie
        there by now."""

    @property
    def begins(self) -> bool:
        """Whether the target begins: what an engine takes while it unpacks an image does not count, so something came
        just before, or it was so twice."""
        return self.why is not None and self._is_sure

    def check(self, target: Target | None, has_arrived: bool) -> None:
        """Measure all disks again; `has_arrived` is whether something was pulled, loaded or built since the last
        time."""
        was_short = self.why is not None
        self._measure(target)
        self._is_sure = self.why is not None and (self._is_sure or was_short or has_arrived)

    def _measure(self, target: Target | None) -> None:
        looked = () if self.look is None else self.look.disks
        self.disks, self.why, self.has_news = (), None, False
        short: list[str] = []
        for one in looked:
            now = _now(one)
            begins = None
            if target is not None:
                begun = begins_on(target, one, now)
                begins = begun.begins if one.is_asked else False
                self.has_news |= begun.begins is True and not one.is_asked
                if begins:
                    short.append(begun.text if len(looked) == 1 else f"{one.disk.name}: {begun.text}")
            shown = one.disk if now is None else now
            self.disks += (
                WatchedDisk(
                    name=one.disk.name, total_bytes=shown.total_bytes, free_bytes=shown.free_bytes, begins=begins
                ),
            )
        self.why = "; ".join(short) or None


def _now(looked: LookedDisk) -> Disk | None:
    return measured_at(looked.disk.places[0], looked.disk) if looked.disk.places else None
