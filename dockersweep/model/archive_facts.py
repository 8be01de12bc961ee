"""What is known of an archive before anything goes into it: how objects can be read, and where it is."""

from msgspec import Struct

from dockersweep.model.archive import ReadFrom
from dockersweep.model.quantities import Bytes
from dockersweep.model.recovery import COMPLETE, EarlyDeletion


class Reading(Struct, frozen=True, kw_only=True):
    """How the objects of one sort can be read for the archive."""

    read_from: ReadFrom | None
    """None where they cannot be read."""
    text: str = COMPLETE
    """What the archive keeps of them: "complete", "without ACLs and xattrs"; or why they cannot be read."""


class KeptRun(Struct, frozen=True):
    """A run in the archive, which goes when room is needed."""

    size_bytes: Bytes
    deletion: EarlyDeletion


class ArchiveFacts(Struct, frozen=True, kw_only=True):
    """An archive, as the plan for one engine needs to know it; by default one that can keep everything."""

    volumes: Reading = Reading(read_from="disk")
    """Volumes of the driver local without mount options."""
    mounted_volumes: Reading = Reading(read_from="disk")
    """Volumes of other drivers, or with mount options: the engine has to mount them."""
    volumes_elsewhere: Reading = Reading(read_from="api", text="its files stay where they are")
    """Volumes whose files are on a share, a device or in a folder elsewhere: no more than their description is kept."""
    containers: Reading = Reading(read_from="disk")
    images: Reading = Reading(read_from="api")
    networks: Reading = Reading(read_from="api")
    folder: str = ""
    """Its folder, absolute; empty where that is not known."""
    problem: str | None = None
    """Why nothing can go into it: then nothing that needs it is removed. None where it can be used."""
    is_new: bool = False
    """Whether the folder is not there yet."""
    is_missing: bool = False
    """Whether the problem is that nothing of it is there, though runs are kept in it."""
    is_in_memory: bool = False
    """Whether its disk is memory, and empty after a restart of the machine."""
    on_engine_disk: bool | None = None
    """Whether it is on a disk of the engine; None where that is not known."""
    disk: str | None = None
    """The name of that disk, as in the inventory; None where it is on none, or that is not known."""
    runs: tuple[KeptRun, ...] = ()
    """What is in it, the oldest first, where the policy limits its size."""
    over_bytes: int = 0
    """By how much it is larger than it may be; negative where something may still be added."""
    room_bytes: Bytes | None = None
    """How much may still go into it, by the limits of the policy and its disk; None where that is not known."""
