"""The sockets of --listen: on addresses of this machine alone unless others are allowed, or on a unix socket.

They are opened before anything else starts, so that a port that is taken ends the watcher at once.
"""

import errno
import fcntl
import ipaddress
import os
import re
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from dockersweep.errors import UsageError
from dockersweep.files import state_of

UNIX_MODE = 0o660
_BACKLOG = 1024
_LOCK_SECONDS = 2.0
_ADDRESS = re.compile(r"(?:\[(?P<v6>[^\[\]]*)\]|(?P<name>[^\[\]:]*)):(?P<port>[0-9]{1,9})", re.ASCII)
_EXAMPLES = "127.0.0.1:9180, [::1]:9180, localhost:9180 or unix:/run/dockersweep.sock"
_LARGEST_PORT = 65_535
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""What is said of ::1 where IPv6 is switched off."""

_Place = tuple[socket.AddressFamily, tuple[str | int, ...]]


class Listener:
    """Open sockets that listen, and what to call them."""

    def __init__(self, sockets: list[socket.socket], url: str, name: str = "", path: str | None = None) -> None:
        """`path` is that of a unix socket, which `close` removes."""
        self.sockets = sockets
        self.name = name
        """The name that --listen has for this machine; "" for an address."""
        self.url = url
        """Where /metrics is, for people."""
        self._path = path
        self._made = None if path is None else os.lstat(path)

    @property
    def is_local(self) -> bool:
        """Whether only users of this machine reach it, by TCP."""
        return self._path is None and all(_is_loopback(str(one.getsockname()[0])) for one in self.sockets)

    def close(self) -> None:
        """Close the sockets, and remove the unix socket unless another one has taken its place."""
        for one in self.sockets:
            one.close()
        path, made = self._path, self._made
        self._path = None
        if path is not None and made is not None:
            with suppress(OSError):
                if os.path.samestat(os.lstat(path), made):
                    os.unlink(path)


def listen(address: str, *, any_address: bool) -> Listener:
    """Return sockets that listen on an address of --listen. Raises UsageError where it is none, where others than this
    machine's users could reach it without `any_address`, and where something listens there already."""
    if address.startswith("unix:"):
        return _listen_on_path(address)
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise UsageError(f"--listen {address} is no address to listen on; give {_EXAMPLES}")
    if int(match["port"]) > _LARGEST_PORT:
        raise UsageError(f"--listen {address}: there is no port above {_LARGEST_PORT}; give {_EXAMPLES}")
    places = _resolved(address, match["v6"] or match["name"] or None, int(match["port"]))
    open_ones = [str(place[0]) for _, place in places if not _is_loopback(str(place[0]))]
    if open_ones and not any_address:
        raise UsageError(
            f"--listen {address} can be reached from other machines ({open_ones[0]}), and everybody there could read "
            "the metrics; use 127.0.0.1, or add --listen-any"
        )
    sockets = _bound(address, places)
    host, port = sockets[0].getsockname()[:2]
    shown = match["name"] or (f"[{host}]" if ":" in host else host)
    return Listener(sockets, f"http://{shown}:{port}/metrics", match["name"] or "")


def _resolved(address: str, host: str | None, port: int) -> list[_Place]:
    """Return the addresses that a name has, those of IPv4 first; of no name, those of all interfaces."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        problem = getattr(error, "strerror", None) or "not a name"
        raise UsageError(f"--listen {address}: {host} has no address ({problem}); give {_EXAMPLES}") from None
    places: set[_Place] = {
        (family, (str(place[0]), *(int(number) for number in place[1:])))
        for family, _, _, _, place in found
        if family in (socket.AF_INET, socket.AF_INET6)
    }
    return sorted(places, key=lambda item: (item[0] != socket.AF_INET, item[1]))


def _is_loopback(host: str) -> bool:
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _bound(address: str, places: list[_Place]) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    try:
        for family, place in places:
            # Without a port of its own, the second address takes the one that the first was given.
            port = place[1] or (sockets[0].getsockname()[1] if sockets else 0)
            try:
                sockets.append(_listening(family, (place[0], port, *place[2:])))
            except OSError as error:
                if error.errno not in _NOT_HERE or (not sockets and (family, place) == places[-1]):
                    raise
    except OSError as error:
        for one in sockets:
            one.close()
        raise UsageError(f"--listen {address}: {_why(error)}") from None
    return sockets


def _listening(family: socket.AddressFamily, place: tuple[str | int, ...]) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(place)
        one.listen(_BACKLOG)
    except BaseException:
        one.close()
        raise
    return one


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "something listens there already; end it, or choose another address"
    if error.errno == errno.EACCES:
        return "this user may not listen there; choose a port above 1023"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine does not have that address"
    return f"{error.strerror or error}; choose another address"


def _listen_on_path(address: str) -> Listener:
    """Return a socket at a path, in place of one that an earlier watcher left behind."""
    path = address.removeprefix("unix:")
    path = "/" + path.lstrip("/") if path.startswith("/") else path
    if not path.startswith("/") or path == "/":
        raise UsageError(f"--listen {address} is no address to listen on; give {_EXAMPLES}")
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _folder_locked(os.path.dirname(path)):
            _remove_stale(path)
            # On Linux the file has this mode from its first moment, less the umask; elsewhere a socket has none.
            with suppress(OSError):
                os.fchmod(one.fileno(), UNIX_MODE)
            one.bind(path)
            _set_mode(path, os.lstat(path))
            one.listen(_BACKLOG)
            return Listener([one], f"unix:{path}", path=path)
    except OSError as error:
        one.close()
        problem = error.strerror or str(error)
        raise UsageError(f"--listen {address}: {problem}; choose another path, or none that is in use") from None
    except BaseException:
        one.close()
        raise


def _set_mode(path: str, made: os.stat_result) -> None:
    """Give a socket its mode against the umask, which is of the whole process. Raises OSError, also where another file
    has taken its place: the folder may be of somebody else."""
    if not hasattr(os, "O_PATH"):
        os.chmod(path, UNIX_MODE, follow_symlinks=os.chmod not in os.supports_follow_symlinks)
        return
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not os.path.samestat(os.fstat(descriptor), made):
            raise OSError(errno.EEXIST, f"another file has taken the place of {path}")
        os.chmod(f"/proc/self/fd/{descriptor}", UNIX_MODE)
    finally:
        os.close(descriptor)


def _remove_stale(path: str) -> None:
    """Remove a socket that nobody listens on any more. Raises OSError for one in use, and for anything else."""
    state = state_of(path, follow_links=False)
    if state is None:
        return
    if not stat.S_ISSOCK(state.st_mode) or state.st_uid != os.geteuid():
        raise OSError(errno.EEXIST, "there is a file that is no socket of this user")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # A full queue of a listener says EAGAIN, at once.
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except BlockingIOError:
            pass
    raise OSError(errno.EADDRINUSE, "something listens there already")


@contextmanager
def _folder_locked(folder: str) -> Iterator[None]:
    """Keep two watchers that start at once from taking each other's new socket for a stale one. Goes on without after
    a moment: who may read the folder can hold a lock of it for ever."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        ends_at = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > ends_at:
                    break
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)
