"""What ssh, or the host that it reached, said last; and what to try."""

import re
from typing import BinaryIO

from dockersweep.engine.api.ssh_address import SshAddress

_LONGEST_LINE = 300
_TAIL_BYTES = 4096
_OWN_STATUS = 255
"""The exit status of ssh itself; others are those of the command there (ssh(1))."""
_PENALTY = (
    "its sshd has too many logins at once, or refuses this address for a while after failed ones: "
    "wait, then try `{login}`"
)
_TRY_SSH = (
    ("Host key verification failed", "connect once by `{login}`, and accept its key if it is the right one"),
    (
        "Permission denied (",
        "make `{login}` log in first; without a terminal it must ask for nothing",
    ),
    ("Too many authentication failures", "name the key in ~/.ssh/config: IdentityFile and IdentitiesOnly yes"),
    ("Could not resolve hostname", "check the name"),
    ("Connection refused", "check the port, and that sshd runs there"),
    # From OpenSSH 9.8 on (PerSourcePenalties in sshd_config(5)).
    ("Connection closed by", _PENALTY),
    ("Connection reset by", _PENALTY),
    # After three unanswered messages of ServerAliveInterval.
    ("not responding", "check that the host is up and reachable"),
    ("timed out", "check that the host is up and reachable"),
    ("No route to host", "check that the host is up and reachable"),
    ("Network is unreachable", "check the address, and the network of this machine"),
)
# What ssh adds after the ssh of a jump host has said why it ended.
_AFTER_A_JUMP = re.compile(
    r"Connection closed by UNKNOWN port \d+"
    r"|kex_exchange_identification: Connection closed by remote host"
    r"|stdio forwarding failed"
)
_TURNED_AWAY = ("Connection closed by ", "Connection reset by ", "kex_exchange_identification: ")
_TRY_THERE = (
    ("permission denied", "log in as root there, or as a member of the group that owns the socket (mostly docker)"),
    ("command not found", "install docker or podman there, or put it on the PATH of commands that ssh runs"),
    ("cannot connect", "check that the engine runs there"),
    ("failed to connect", "check that the engine runs there"),
    ("connection refused", "check that the engine runs there"),
    ("no such file", "check that the engine runs there, and the path of its socket"),
    ("open failed", "check that the engine runs there, and the path of its socket"),
)


class SshError(ConnectionError):
    """ssh ended, or never got there; the message says why, and what to try."""


class TurnedAwayError(SshError):
    """An sshd closed the connection before a login: mostly because it has too many others at the moment (MaxStartups
    in sshd_config(5))."""


def error_of(line: str | None, status: int, address: SshAddress) -> SshError:
    """Return the error for a login that ended with `status`, of its last line."""
    is_turned_away = status == _OWN_STATUS and line is not None and line.startswith(_TURNED_AWAY)
    return (TurnedAwayError if is_turned_away else SshError)(explained(line, status, address))


def last_line(errors: BinaryIO) -> str | None:
    """Return the last line that a process wrote to a file, or what a jump host's own said before; None if there is
    none."""
    size = errors.seek(0, 2)
    errors.seek(max(0, size - _TAIL_BYTES))
    lines = [line.strip() for line in errors.read().decode("utf-8", "replace").split("\n") if line.strip()]
    if lines and "UNKNOWN port" in lines[-1]:
        while len(lines) > 1 and _AFTER_A_JUMP.fullmatch(lines[-1]):
            lines.pop()
    return lines[-1][:_LONGEST_LINE] if lines else None


def explained(line: str | None, status: int, address: SshAddress) -> str:
    """Return why a process of ssh ended with `status`, of its last line."""
    is_own = status == _OWN_STATUS
    try_first = _TRY_SSH if is_own else _TRY_THERE
    hint = next(
        (hint for part, hint in try_first if part.lower() in (line or "").lower()), "try `{login} docker version`"
    )
    if line is None:
        what = f"ssh ended with status {status}"
    elif is_own:
        what = line if line.startswith("ssh:") else f"ssh: {line}"
    else:
        what = f"{address.host} says: {line}"
    return f"{what.rstrip('.')}; {hint.format(login=address.login)}"
