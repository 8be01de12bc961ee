"""Folders with everything in them that a volume can have, and what other programs say about a folder."""

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")
"""cap_net_bind_service=ep, as the kernel keeps it."""
NAMES = (
    b"plain", b"-rf", b"--help", b"with space", b" ", b"new\nline", b"tab\tand\rreturn", b"quote'\"\\`$", b"\xff\xfe",
    b"\xc3\xbc", b"\x01\x1b[31m", b"*?[x]", b"...", b".hidden", b"socket ignored", b"x: file changed as we read it",
    b"n" * 255, "öä".encode("latin-1"), "\u202eabc".encode(),
)  # fmt: skip
OWNERS = (0, 1, 999, 65534, 65535, 65536, 2097151, 2097152, 2**31 - 1, 2**31, 4294967294)
"""Around what the fields of a tar hold."""
TIMES = (0, -1, 1, -1_000_000_001, 2**31 * 10**9, 2**31 * 10**9 + 1, -(10**18), 4 * 10**18, 999_999_999, 10**9)
"""In nanoseconds: before 1970 and after 2038, whole seconds and not."""
LONGEST_PATH_BYTES = 4000
SPARSE_BYTES, DATA_BYTES = 5_000_000_000, 333_000
DATA_AT = (0, 1_234_567_890, 4_999_500_000)
"""Where a sparse file has data."""


def make_hostile(root: Path) -> None:
    """Fill a new folder. Only root can."""
    os.mkdir(root)
    top = os.fsencode(root)
    os.mkdir(top + b"/names")
    for name in NAMES:
        _write(top + b"/names/" + name, name)
        os.symlink(name, top + b"/names/l" + name[:200])
    for name in NAMES:
        os.mkdir(top + b"/names/d" + name[:250])
        _write(top + b"/names/d" + name[:250] + b"/inside", b"x")
    _make_owned(root / "owned")
    _make_timed(root / "timed")
    _make_kinds(root / "kinds")
    _make_attributes(root / "attributes")
    _make_linked(root / "linked")
    _make_deep(root / "deep", LONGEST_PATH_BYTES - len("deep/"))
    os.chown(root, 999, 998)
    os.chmod(root, 0o1770)
    os.utime(root, ns=(0, 1_600_000_000_123_456_789))


def _write(path: bytes | Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)


def _make_owned(folder: Path) -> None:
    folder.mkdir()
    for uid in OWNERS:
        for gid in (0, uid):
            path = folder / f"{uid}-{gid}"
            _write(path, b"x")
            os.chown(path, uid, gid)
    for mode in (0o0, 0o4755, 0o2755, 0o6711, 0o1777, 0o7777, 0o222):
        _write(folder / f"{mode:o}", b"x")
        os.chmod(folder / f"{mode:o}", mode)
        os.mkdir(folder / f"d{mode:o}")
        _write(folder / f"d{mode:o}" / "inside", b"x")
        os.chmod(folder / f"d{mode:o}", mode)


def _make_timed(folder: Path) -> None:
    folder.mkdir()
    for at in TIMES:
        for name in ("file", "folder", "link"):
            path = folder / f"{name}{at}"
            if name == "file":
                _write(path, b"x")
            elif name == "folder":
                path.mkdir()
            else:
                path.symlink_to("nowhere")
            os.utime(path, ns=(at, at), follow_symlinks=False)


def _make_kinds(folder: Path) -> None:
    folder.mkdir()
    (folder / "empty folder").mkdir()
    _write(folder / "empty file", b"")
    os.mkfifo(folder / "fifo", 0o640)
    os.mknod(folder / "character", stat.S_IFCHR | 0o620, os.makedev(5, 1))
    os.mknod(folder / "block", stat.S_IFBLK | 0o660, os.makedev(259, 1_000_000))
    # As overlay marks what is deleted.
    os.mknod(folder / "whiteout", stat.S_IFCHR, os.makedev(0, 0))
    for name, target in (
        ("absolute", "/etc/passwd"),
        ("up", "../../../../etc/passwd"),
        ("loop", "loop"),
        ("self", "."),
    ):
        (folder / name).symlink_to(target)
    os.symlink(b"t" * 4000, folder / "long")
    (folder / "folder link").symlink_to("empty folder")
    with open(folder / "sparse", "wb") as file:
        file.truncate(SPARSE_BYTES)
        for at in DATA_AT:
            file.seek(at)
            file.write(os.urandom(DATA_BYTES))
    with open(folder / "all hole", "wb") as file:
        file.truncate(100_000_000)
    with open(folder / "hole at end", "wb") as file:
        file.write(b"x" * 5000)
        file.truncate(1_000_000)


def _make_attributes(folder: Path) -> None:
    folder.mkdir()
    values = {"user.plain": b"value", "user.empty": b"", "user.binary": bytes(range(256)), "user.long": b"v" * 2000}
    for name in ("file", "folder"):
        path = folder / name
        if name == "file":
            _write(path, b"x")
        else:
            path.mkdir()
        for key, value in {**values, "trusted.ours": b"\x00t\n", "user.\xfc\u20ac": b"x"}.items():
            os.setxattr(path, key, value)
    _write(folder / "capable", b"x")
    os.chown(folder / "capable", 1000, 1000)
    os.chmod(folder / "capable", 0o4755)
    os.setxattr(folder / "capable", "security.capability", CAPABILITY)
    for name, acl in (("readable", "u:12345:r,g:54321:rwx,m::rwx"), ("shut", "u:4294967294:---")):
        _write(folder / name, b"x")
        subprocess.run(["setfacl", "-m", acl, folder / name], check=True)
    (folder / "inherits").mkdir()
    subprocess.run(["setfacl", "-d", "-m", "u:777:rwx,o::---", folder / "inherits"], check=True)
    _write(folder / "inherits" / "inherited", b"x")
    (folder / "inherits" / "below").mkdir()
    _write(folder / "inherits" / "not inherited", b"x")
    subprocess.run(["setfacl", "-b", folder / "inherits" / "not inherited"], check=True)


def _make_linked(folder: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "z").mkdir()
    _write(folder / "a" / "first", b"linked" * 1000)
    os.link(folder / "a" / "first", folder / "a" / "b" / "second")
    os.link(folder / "a" / "first", folder / "z" / "third")
    os.setxattr(folder / "z" / "third", "user.shared", b"x")
    (folder / "link").symlink_to("a/first")
    os.link(folder / "link", folder / "z" / "link", follow_symlinks=False)


def _make_deep(folder: Path, length: int) -> None:
    """Make a file whose path below a folder has this length in bytes."""
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    while length > 255:
        name = "d" * min(250, length - 2)
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here, length = below, length - len(name) - 1
    os.close(os.open("f" * length, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=here))
    os.close(here)


def make_too_deep(root: Path, length: int) -> None:
    """Make a folder with a path of this length in it."""
    root.mkdir()
    _make_deep(root / "deep", length - len("deep/"))


class Told:
    """What other programs than ours say about a folder."""

    def __init__(self, root: Path) -> None:
        """Ask them all."""
        self.root = root
        find = r"%p\t%y\t%m\t%U\t%G\t%T@\t%n\t%l\0"
        # The size of a folder, and how many have its name, are the file system's.
        folders = r"%p\t%y\t%m\t%U\t%G\t%T@\0"
        self.entries = _sorted(root, "find", ".", "-type", "d", "-printf", folders, "-o", "-printf", find)
        self.devices = _lines(root, "find . ( -type b -o -type c ) -exec stat -c %n_%t:%T {} +")
        self.attributes = _said(root, "getfattr", "-R", "-P", "-h", "-d", "-m", "-", "-e", "hex", ".")
        self.lists = _said(root, "getfacl", "-R", "-P", "-n", "-p", ".")
        sums = "find . -type f -size -1000k -print0 | sort -z | xargs -0 sha256sum -z"
        self.contents = _said(root, "sh", "-c", sums)
        self.links = _links(root)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Told):
            return False
        mine, theirs = self.__dict__ | {"root": None}, other.__dict__ | {"root": None}
        return mine == theirs

    __hash__ = None  # type: ignore[assignment]

    def differs_in(self, other: "Told") -> dict[str, tuple[object, object]]:
        """Return what is not equal, by name."""
        return {
            name: (value, other.__dict__[name])
            for name, value in self.__dict__.items()
            if name != "root" and value != other.__dict__[name]
        }


def _said(root: Path, *command: str) -> bytes:
    return subprocess.run(command, cwd=root, check=True, capture_output=True).stdout


def _sorted(root: Path, *command: str) -> list[bytes]:
    return sorted(_said(root, *command).split(b"\0"))


def _lines(root: Path, command: str) -> list[bytes]:
    return sorted(_said(root, *command.split(" ")).split(b"\n"))


def _links(root: Path) -> set[frozenset[bytes]]:
    """Return which paths are the same file."""
    groups: dict[bytes, set[bytes]] = {}
    for record in _said(root, "find", ".", "!", "-type", "d", "-links", "+1", "-printf", r"%i %p\0").split(b"\0"):
        inode, _, path = record.partition(b" ")
        groups.setdefault(inode, set()).add(path)
    return {frozenset(group) for group in groups.values()}


@contextmanager
def socket_in(folder: Path, name: str) -> Iterator[None]:
    """Have a socket in a folder, whose own path may be too long for one."""
    import socket
    from contextlib import chdir

    with chdir(folder), socket.socket(socket.AF_UNIX) as listening:
        listening.bind(name)
        yield
