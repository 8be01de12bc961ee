"""Engines as they stand on real machines: on one disk or on two, beside a containerd of the system's, and on btrfs."""

from __future__ import annotations

from dataclasses import dataclass

from tests.rig.engines.disks import SYSTEM_CONTAINERD, SmallDisk
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import BTRFS, KINDS, EngineKind, kind

_GB = 1 << 30


@dataclass(frozen=True)
class Host:
    """A machine with an engine of that kind."""

    name: str
    kind: EngineKind
    disks: tuple[SmallDisk, ...] = ()
    system_containerd: bool = False

    def __str__(self) -> str:
        return self.name

    def engine(self) -> Engine:
        """The engine, not yet started."""
        return Engine(self.kind, disks=self.disks, system_containerd=self.system_containerd)


ON_ONE_DISK = tuple(Host(one.name, one) for one in KINDS)
"""The engines as most tests have them."""

ON_SEVERAL = (
    *(Host(f"{one.name}, volumes apart", one, (SmallDisk("volumes", "ext4", _GB),)) for one in KINDS),
    *(
        Host(f"{one.name}, layers apart", one, (SmallDisk(one.image_store, "ext4", _GB),))
        for one in KINDS
        if one.flavour == "docker"
    ),
    Host(
        "docker-28.5-containerd, the system's containerd apart",
        kind("docker-28.5-containerd"),
        (SmallDisk(SYSTEM_CONTAINERD, "ext4", _GB),),
        system_containerd=True,
    ),
)
"""Those whose things lie on two disks."""

ON_BTRFS = Host(BTRFS.name, BTRFS, (SmallDisk("", "btrfs", 2 * _GB),))
"""One whose layers are subvolumes, which nothing but lengths is known of."""

HOSTS = (*ON_ONE_DISK, *ON_SEVERAL, ON_BTRFS)
"""All of them."""
