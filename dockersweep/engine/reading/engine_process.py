"""When the process of a Docker engine started: if its event buffer has never overflowed, it has all events since."""

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

PROC = Path("/proc")
_ENGINE = "dockerd"
_SYSTEMD = 1
_LISTENING = "00010000"
"""The flags of a listening socket in /proc/net/unix."""


def engine_began(peer_pid: int | None, socket: str | None, proc: Path = PROC) -> datetime | None:
    """Return when the engine that listens on a socket started, by this machine's clock and rounded up; None if that
    cannot be proven: it is on another machine, or a proxy or an ssh tunnel listens instead.

    `peer_pid` is the listener according to the kernel. With socket activation that is systemd, which passes the socket
    on: then it is the only dockerd that has the socket open, which only root can find out.
    """
    if peer_pid is None or socket is None:
        return None
    pid = _activated_engine(socket, proc) if peer_pid == _SYSTEMD else peer_pid
    if pid is None or _name(proc / str(pid)) != _ENGINE:
        return None
    with suppress(OSError, ValueError, IndexError, StopIteration):
        # The name is in brackets, and may contain brackets.
        fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
        booted = next(int(line.split()[1]) for line in (proc / "stat").read_text().splitlines() if "btime" in line)
        began = datetime.fromtimestamp(booted, UTC) + timedelta(seconds=int(fields[19]) / os.sysconf("SC_CLK_TCK"))
        # The boot time is in whole seconds, rounded down.
        return began.replace(microsecond=0) + timedelta(seconds=2)
    return None


def _activated_engine(socket: str, proc: Path) -> int | None:
    """Return the only dockerd that has this listening socket open."""
    links = {f"socket:[{inode}]" for inode in _inodes(os.path.realpath(socket), proc)}
    pids = [
        int(folder.name)
        for folder in proc.iterdir()
        if folder.name.isdigit() and _name(folder) == _ENGINE and links.intersection(_open_files(folder / "fd"))
    ]
    return pids[0] if len(pids) == 1 else None


def _inodes(socket: str, proc: Path) -> Iterator[str]:
    with suppress(OSError, UnicodeDecodeError):
        for line in (proc / "net" / "unix").read_text().splitlines():
            fields = line.split(maxsplit=7)
            if len(fields) == 8 and fields[3] == _LISTENING and os.path.realpath(fields[7]) == socket:
                yield fields[6]


def _open_files(folder: Path) -> Iterator[str]:
    with suppress(OSError):
        for number in os.listdir(folder):
            with suppress(OSError):
                yield os.readlink(folder / number)


def _name(folder: Path) -> str | None:
    try:
        return (folder / "comm").read_text().rstrip("\n")
    except (OSError, UnicodeDecodeError):
        return None
