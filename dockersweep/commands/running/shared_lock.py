"""The lock file of an engine that all users of its socket share, in a world-writable folder.

Such a folder is not trusted. An existing file may be anybody's: it is opened without following links and without
blocking, and used only if it was created by somebody who can reach the socket. So nobody else can block a run.
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
"""How long to retry: the creator gives others access just after creating the file."""
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


class NotSharedError(Exception):
    """There is no lock that all users of the engine share; the message says why."""


class EngineSocket(Struct, frozen=True):
    """The socket that an engine listens on, and who can reach it."""

    path: str
    owner: int
    group: int
    mode: int

    @property
    def is_mine_alone(self) -> bool:
        """Whether only root and this user can reach it, judging by its owner, group and mode."""
        others = self.mode & 0o002 or (self.mode & 0o020 and self.group != os.getegid())
        return self.owner == os.geteuid() and not others

    def is_reached_by_maker_of(self, file: os.stat_result) -> bool:
        """Whether the owner of a file can reach the socket. The file's group proves membership: only members can set
        it."""
        is_of_group = self.mode & 0o020 and file.st_gid == self.group
        return file.st_uid in (0, self.owner, os.geteuid()) or bool(is_of_group or self.mode & 0o002)


def lock_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of the lock files."""
    return Path(environment.get("DOCKERSWEEP_LOCK_DIR") or FOLDER)


def engine_socket(engine: Engine) -> EngineSocket | None:
    """Return the socket of an engine, links resolved; None if it was not reached through one.

    Raises OSError where it no longer exists.
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
    """Open the lock file, creating it if needed; return its descriptor.

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
    """Create the file; return None if another run was faster. Raises NotSharedError where it cannot be created."""
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
        # Reading is enough for locking, and is all that our systemd unit may do if a user created the file.
        descriptor = os.open(path, os.O_RDONLY | _FLAGS)
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1:
            raise NotSharedError(f"{path} is not a plain file")
        if not socket.is_reached_by_maker_of(state):
            raise NotSharedError(f"{_whose(path)}, who cannot use {socket.path}: remove it")
        if (state.st_gid, state.st_mode & 0o777) != (socket.group, socket.mode):
            # The creator could not share it, or has not yet.
            _share(descriptor, socket)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _share(descriptor: int, socket: EngineSocket) -> bool:
    """Give access to all who can reach the socket, by owner and group or else by an access list; return whether that
    worked."""
    with suppress(OSError):
        os.fchmod(descriptor, socket.mode)
    for owner in (socket.owner, -1):
        with suppress(OSError):
            os.fchown(descriptor, owner, socket.group)
            return True
    # Only Linux has such a list.
    with suppress(OSError, AttributeError):
        os.setxattr(descriptor, "system.posix_acl_access", _access_list(socket))
        return True
    return False


def _access_list(socket: EngineSocket) -> bytes:
    """Return the access list in the kernel's format (linux/posix_acl_xattr.h). An owner may set it even without the
    right to give files away."""
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
