"""What a watcher tells systemd, sd_notify(3), and whether a timer sweeps beside it."""

import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress

from dockersweep.files import is_there

TIMER = "/etc/systemd/system/timers.target.wants/dockersweep.timer"
CRON = "/etc/cron.d/dockersweep"


class Systemd:
    """The service manager that started this process; nobody, where none did."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Take its socket out of the environment: a program that a sweep runs must not speak for us."""
        self._address = environment.pop("NOTIFY_SOCKET", "")
        self._status = ""

    def ready(self) -> None:
        """Tell that the watcher watches, also after `reloading`."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """Tell that the policy is read again."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Tell that the watcher ends."""
        self._tell("STOPPING=1")

    def alive(self, status: str) -> None:
        """Tell that the loop goes round, and what `systemctl status` shows."""
        line = status.replace("\n", " ")
        self._tell("WATCHDOG=1" if line == self._status else f"WATCHDOG=1\nSTATUS={line}")
        self._status = line

    def _tell(self, text: str) -> None:
        if not self._address.startswith(("/", "@")):
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        # A manager that does not listen misses this one only; the loop must not wait for it.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(text.encode(), address)


def sweeps_beside() -> str | None:
    """Return what else sweeps this machine by a clock, as it was installed from our examples; None for nothing."""
    for path, words in ((TIMER, "dockersweep.timer is enabled"), (CRON, f"{CRON} is there")):
        with suppress(OSError):
            if is_there(path):
                return words
    return None
