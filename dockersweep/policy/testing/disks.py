"""The disks of a case: one for everything, or several that say what they hold."""

from dockersweep.errors import PolicyError, UsageError
from dockersweep.model.disk import Disk
from dockersweep.model.inventory import Kind
from dockersweep.model.policycase import CaseFile, DiskCase
from dockersweep.units import parse_size

_VOLUMES = "/var/lib/docker/volumes"
"""The folder of the volumes of a case."""


def disks_of(case: CaseFile) -> tuple[Disk, ...]:
    """Return the disks of a case, the engine's main disk first.

    Raises PolicyError for an invalid size, and where it is not clear which disk holds what.
    """
    written = [case.disk] if isinstance(case.disk, DiskCase) else list(case.disk or ())
    if len(written) > 1:
        _refuse_unclear(case, written)
    return tuple(_disk(table) for table in written)


def _refuse_unclear(case: CaseFile, written: list[DiskCase]) -> None:
    if case.inventory is not None:
        raise PolicyError("the objects of a saved inventory are not told apart by disk: write one [disk] beside it")
    claimed: set[str] = set()
    for disk in written:
        if disk.mount_point is None:
            raise PolicyError('of several disks each needs a name: write mount_point = "/var/lib/docker/volumes"')
        claims = {f"mount_point {disk.mount_point}", *_kinds_on(disk)}
        if claims & claimed:
            raise PolicyError(f"{min(claims & claimed)} is of two disks: write it for one of them")
        claimed |= claims
    if not all(disk.holds for disk in written[1:]):
        raise PolicyError('of several disks all but the first say what lies on them: write holds = ["volume"]')


def _disk(written: DiskCase) -> Disk:
    try:
        total, free = parse_size(written.total), parse_size(written.free)
    except UsageError as error:
        raise PolicyError(f"disk: {error}") from None
    holds = _kinds_on(written)
    return Disk(
        total_bytes=total,
        free_bytes=free,
        total_inodes=written.inodes,
        free_inodes=written.free_inodes,
        mount_point=written.mount_point,
        places=(*holds, _VOLUMES) if "volume" in holds else holds,
    )


def _kinds_on(written: DiskCase) -> tuple[Kind, ...]:
    return (written.holds,) if isinstance(written.holds, str) else tuple(written.holds)
