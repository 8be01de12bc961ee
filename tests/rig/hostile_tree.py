"""A folder with all that a file system can hold, and what independent programs tell of it."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

_CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")
"""cap_net_raw, effective and permitted, as setcap writes it."""
_NOBODY = 0xFFFFFFFF
SPARSE_BYTES = 5_000_000_000


def fill(folder: Path) -> None:
    """Fill an empty folder, as root."""
    os.chmod(folder, 0o2751)
    os.chown(folder, 4294967294, 1)
    _write(folder / "plain", b"plain")
    _write(folder / "suid", b"x", mode=0o6755, owner=4294967294)
    _write(folder / "capable", b"x")
    os.setxattr(folder / "capable", "security.capability", _CAPABILITY)
    _write(folder / "attributes", b"x")
    os.setxattr(folder / "attributes", "user.a", b"\0\xff=")
    os.setxattr(folder / "attributes", "trusted.b", b"t")
    for name in ("shared", "shared-folder"):
        path = folder / name
        path.mkdir() if name.endswith("folder") else _write(path, b"x")
        os.setxattr(path, "system.posix_acl_access", _acl(777))
    os.setxattr(folder / "shared-folder", "system.posix_acl_default", _acl(778))
    (folder / "links").mkdir()
    os.link(folder / "plain", folder / "links" / "hard")
    os.symlink("/etc/passwd", folder / "links" / "absolute")
    os.symlink("../../..", folder / "links" / "up")
    os.symlink("nowhere", folder / "links" / "dangling")
    os.lchown(folder / "links" / "dangling", 5, 6)
    with open(folder / "sparse", "wb") as sparse:
        sparse.truncate(SPARSE_BYTES)
        sparse.seek(4_000_000_000)
        sparse.write(os.urandom(1_000_000))
    _odd_names(os.fsencode(folder))
    os.mkfifo(folder / "fifo")
    os.mknod(folder / "device", 0o20640, os.makedev(10, 200))
    os.mknod(folder / "block", 0o60600, os.makedev(7, 300))
    _write(folder / "empty", b"")
    (folder / "nothing-in-it").mkdir(mode=0o1777)
    for name, nanoseconds in (("before", -86_400_000_000_001), ("after", 4_102_444_800_123_456_789)):
        _write(folder / name, b"x")
        os.utime(folder / name, ns=(nanoseconds, nanoseconds))
    os.utime(folder / "links", ns=(1_000_000_007, 1_000_000_007))
    os.utime(folder, ns=(946_684_800_987_654_321, 946_684_800_987_654_321))


def _write(path: Path, content: bytes, mode: int = 0o644, owner: int = 0) -> None:
    path.write_bytes(content)
    os.chown(path, owner, owner)
    os.chmod(path, mode)


def _acl(user: int) -> bytes:
    entries = ((1, 6, _NOBODY), (2, 4, user), (4, 4, _NOBODY), (0x10, 4, _NOBODY), (0x20, 0, _NOBODY))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def _odd_names(folder: bytes) -> None:
    for name in (b"no \xff\xfe encoding", b"new\nline", b"-rf", b"--to-command=x", b" ", b"*", b"\\", b".wh.x", b"~"):
        with open(folder + b"/" + name, "wb") as file:
            file.write(name)
    deep = os.open(folder, os.O_RDONLY)
    # Together 3,900 bytes, as far as most programs take a path.
    for _ in range(15):
        os.mkdir("d" * 255, dir_fd=deep)
        inner = os.open("d" * 255, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = inner
    os.close(os.open("last", os.O_CREAT | os.O_WRONLY, dir_fd=deep))
    os.close(deep)


def told_by_find(folder: Path, *, times: str = "%T@") -> list[str]:
    """Return what GNU find tells of each entry: type, mode, owner, size, time, number of links, where links lead to."""
    form = f"%P\\0%y %m %U %G %s {times} %n %l\\0\\0"
    done = subprocess.run(["find", ".", "-printf", form], cwd=folder, capture_output=True, check=True)
    return sorted(entry for entry in done.stdout.decode("utf-8", "surrogateescape").split("\0\0") if entry)


def told_of_attributes(folder: Path) -> dict[str, dict[str, bytes]]:
    """Return the extended attributes of each entry that has any, ACLs and capabilities too."""
    told = {}
    for around, folders, files in os.walk(folder):
        for name in (*folders, *files, "."):
            path = os.path.join(around, name)
            attributes = {key: os.getxattr(path, key, follow_symlinks=False) for key in _names(path)}
            if attributes:
                told[os.path.relpath(path, folder)] = attributes
    return told


def _names(path: str) -> list[str]:
    return os.listxattr(path, follow_symlinks=False)


def contents(folder: Path) -> str:
    """Return the checksums of the contents of all files, by sha256sum, but of the one with holes."""
    command = "find . -type f ! -name sparse -print0 | sort -z | xargs -0 sha256sum -z | tr '\\0' '\\n'"
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, check=True)
    return done.stdout.decode("utf-8", "surrogateescape")
