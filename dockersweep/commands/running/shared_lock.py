"""The lock file of an engine that all who can reach its socket share: in a folder that all can write, as the socket is.

Such a folder is no place to trust. What lies there already may be anybody's: it is opened without following links and
without waiting, and used only where it was made by somebody who can reach the socket. So nobody else can keep a run
from its work.
"""

import errno
import os
import pwd
import stat
import struct
import time
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from msgspec import Struct

from dockersweep.model.inventory import Engine

FOLDER = Path("/run/lock")
MAKING_SECONDS = 0.3
"""Its maker opens it to others a moment after it is there."""
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


class NotSharedError(Exception):
    """There is no lock that all who can reach the engine share; the message says why."""


class EngineSocket(Struct, frozen=True):
    """The socket that an engine listens on, and who can reach it."""

    path: str
    owner: int
    group: int
    mode: int

    @property
    def is_mine_alone(self) -> bool:
        """Whether besides root nobody else can reach it, as far as its owner and group tell."""
        others = self.mode & 0o002 or (self.mode & 0o020 and self.group != os.getegid())
        return self.owner == os.geteuid() and not others

    def is_reached_by_maker_of(self, file: os.stat_result) -> bool:
        """Whether the owner of a file can reach the socket: nobody can give a file a group that he is not in."""
        is_of_group = self.mode & 0o020 and file.st_gid == self.group
        return file.st_uid in (0, self.owner, os.geteuid()) or bool(is_of_group or self.mode & 0o002)


def lock_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of the lock files."""
    return Path(environment.get("DOCKERSWEEP_LOCK_DIR") or FOLDER)


def engine_socket(engine: Engine) -> EngineSocket | None:
    """Return the socket of an engine, links resolved; None where it was not reached by one.

    Raises OSError where it is not there any more.
    """
    if engine.socket is None:
        return None
    path = os.path.realpath(engine.socket)
    state = os.stat(path)
    return EngineSocket(path, state.st_uid, state.st_gid, state.st_mode & 0o666)


def shared_lock_path(socket: EngineSocket, folder: Path) -> Path:
    """Return the path of the lock file of an engine."""
    return folder / f"dockersweep-{sha256(os.fsencode(socket.path)).hexdigest()[:16]}.lock"


def open_shared_lock(path: Path, socket: EngineSocket) -> int:
    """Open the lock file, and make it where it is not there; return its descriptor.

    Raises NotSharedError.
    """
    deadline = time.monotonic() + MAKING_SECONDS
    while time.monotonic() < deadline:
        try:
            return _opened(path, socket)
        except FileNotFoundError:
            descriptor = _made(path, socket)
            if descriptor is not None:
                return descriptor
        except PermissionError:
            time.sleep(0.02)
        except OSError as error:
            raise NotSharedError(f"{path} cannot be opened ({error.strerror})") from None
    raise NotSharedError(f"{_whose(path)} and cannot be opened: remove it")


def _made(path: Path, socket: EngineSocket) -> int | None:
    """Make the file; return None where another run was faster, and raise NotSharedError where we may not."""
    try:
        # Without O_EXCL a file of another user cannot be opened in such a folder (fs.protected_regular).
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
    except FileExistsError:
        return None
    except OSError as error:
        raise NotSharedError(f"{path} cannot be made ({error.strerror})") from None
    if not _share(descriptor, socket):
        os.close(descriptor)
        raise NotSharedError(f"{path} cannot be given to the group of {socket.path}")
    return descriptor


def _opened(path: Path, socket: EngineSocket) -> int:
    """Return the descriptor of an existing file; raises OSError, and NotSharedError where it cannot be trusted."""
    try:
        descriptor = os.open(path, os.O_RDWR | _FLAGS)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EROFS):
            raise
        # To lock it, reading is enough, which is all that our unit may where a user made the file.
        descriptor = os.open(path, os.O_RDONLY | _FLAGS)
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1:
            raise NotSharedError(f"{path} is not a plain file")
        if not socket.is_reached_by_maker_of(state):
            raise NotSharedError(f"{_whose(path)}, who cannot use {socket.path}: remove it")
        if (state.st_gid, state.st_mode & 0o777) != (socket.group, socket.mode):
            # Its maker could not do so, or had no time yet.
            _share(descriptor, socket)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _share(descriptor: int, socket: EngineSocket) -> bool:
    """Let all in who can reach the socket, by its owner and group, or else by an access list; return whether we may."""
    with suppress(OSError):
        os.fchmod(descriptor, socket.mode)
    for owner in (socket.owner, -1):
        with suppress(OSError):
            os.fchown(descriptor, owner, socket.group)
            return True
    with suppress(OSError):
        os.setxattr(descriptor, "system.posix_acl_access", _access_list(socket))
        return True
    return False


def _access_list(socket: EngineSocket) -> bytes:
    """Return it as the kernel has it (linux/posix_acl_xattr.h). An owner may write it who may not give files away."""
    nobody_in_particular = 0xFFFFFFFF
    group_bits, other_bits = (socket.mode >> 3) & 0o6, socket.mode & 0o6
    entries = (
        (0x01, 0o6, nobody_in_particular),
        (0x02, 0o6, socket.owner),
        (0x04, group_bits, nobody_in_particular),
        (0x08, group_bits, socket.group),
        (0x10, 0o6, nobody_in_particular),
        (0x20, other_bits, nobody_in_particular),
    )
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def _whose(path: Path) -> str:
    try:
        owner = os.lstat(path).st_uid
    except OSError:
        return f"{path} is somebody else's"
    try:
        return f"{path} belongs to {pwd.getpwuid(owner).pw_name}"
    except KeyError:
        return f"{path} belongs to the user {owner}"
