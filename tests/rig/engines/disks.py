"""Small disks of their own for folders of an engine of tests, as people mount them on real machines.

They are mounted where only this process and what it starts see them: its engines, and the dockersweep that it runs. So
they go with the last of these, however that ends, and each loop device with the disk on it.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

FileSystem = Literal["tmpfs", "ext4", "xfs", "btrfs"]
SYSTEM_CONTAINERD = "/var/lib/containerd"
"""Where a containerd has its data that is a service of its own."""
_NEW_MOUNTS = 0x00020000
"""CLONE_NEWNS of unshare(2)."""
_MAKE = {
    # A tenth is for root alone, so that nobody takes it for rounding.
    "ext4": ("mkfs.ext4", "-q", "-m", "10"),
    "xfs": ("mkfs.xfs", "-q"),
    "btrfs": ("mkfs.btrfs", "-q"),
}
_SMALLEST = {"tmpfs": 1 << 20, "ext4": 8 << 20, "xfs": 300 << 20, "btrfs": 128 << 20}


class DiskError(Exception):
    """A disk cannot be had; the message says why."""


@dataclass(frozen=True)
class SmallDisk:
    """What is to be mounted at a folder of an engine."""

    at: str
    """A path below the engine's own folder ("volumes"), "" for that folder itself, or SYSTEM_CONTAINERD."""
    file_system: FileSystem = "tmpfs"
    """What lies on a tmpfs stays until the engine is closed or wiped, as on the others."""
    size: int = 64 << 20
    """In bytes. It is taken from the machine's own disk as it is written to."""

    def __post_init__(self) -> None:
        if self.size < _SMALLEST[self.file_system]:
            raise DiskError(f"no {self.file_system} is as small as {self.size:,} bytes")


def have_own_mounts() -> None:
    """Let what this process mounts from now on be seen by itself and by what it starts only.

    It has to come before anything is started that is to see a disk; where we are not root, no disk can be had.
    """
    if os.geteuid() == 0:
        _have_them()


@cache
def _have_them() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    # It holds for this thread and for those that it starts.
    if libc.unshare(_NEW_MOUNTS) != 0:
        raise DiskError(f"no mounts of its own for the tests: {os.strerror(ctypes.get_errno())}")
    # What is unmounted on the machine must not stay here.
    _run("mount", "--make-rslave", "/")


class Mounted:
    """The disks of one engine, from its first start until `close`."""

    def __init__(self, run: Path, data: Path, disks: tuple[SmallDisk, ...], *, system_containerd: bool) -> None:
        """Mount them in this order, with what it takes to have a containerd of the system's beside them."""
        if (disks or system_containerd) and _have_them.cache_info().currsize == 0:
            raise DiskError("call have_own_mounts() first, as root")
        self._run = run
        self._points: list[Path] = []
        try:
            if system_containerd:
                self._have_system_containerd()
            for number, disk in enumerate(disks):
                self._mount(disk, Path(SYSTEM_CONTAINERD) if disk.at == SYSTEM_CONTAINERD else data / disk.at, number)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Unmount them, and leave nothing of what was on them."""
        while self._points:
            # A process of the engine that has just ended may hold it for a moment longer.
            _run("umount", "--lazy", str(self._points.pop()))
        for image in self._run.glob("disk-*"):
            image.unlink()

    def _have_system_containerd(self) -> None:
        place, data = Path(SYSTEM_CONTAINERD), self._run / "containerd"
        if os.path.ismount(place):
            raise DiskError(f"another engine of this process has {place}")
        data.mkdir(exist_ok=True)
        if not place.is_dir():
            # The machine has no such folder, and is to have none afterwards.
            upper, work = self._run / "var-lib", self._run / "var-lib-work"
            for folder in (upper / "containerd", work):
                folder.mkdir(parents=True, exist_ok=True)
            options = f"lowerdir={place.parent},upperdir={upper},workdir={work}"
            self._take(place.parent, "-t", "overlay", "-o", options, "overlay")
        self._take(place, "--bind", str(data))

    def _mount(self, disk: SmallDisk, point: Path, number: int) -> None:
        point.mkdir(parents=True, exist_ok=True)
        if disk.file_system == "tmpfs":
            self._take(point, "-t", "tmpfs", "-o", f"size={disk.size},mode=755", "tmpfs")
            return
        image = self._run / f"disk-{number}"
        with image.open("wb") as file:
            file.truncate(disk.size)
        _run(*_MAKE[disk.file_system], str(image))
        # A loop device that was made for a mount goes with it.
        self._take(point, "-t", disk.file_system, "-o", "loop", str(image))

    def _take(self, point: Path, *how: str) -> None:
        _run("mount", *how, str(point))
        self._points.append(point)


def unmount_below(folder: Path) -> None:
    """Unmount what this process sees mounted below a folder."""
    points = [line.split(" ")[4] for line in Path("/proc/thread-self/mountinfo").read_text().splitlines()]
    for point in reversed([one for one in points if one.startswith(f"{folder}/")]):
        _run("umount", "--lazy", point)


def _run(*command: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DiskError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
