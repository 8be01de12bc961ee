"""The exit status of a run on several hosts."""

import sys

from dockersweep.commands.fleet.hosts_at_work import HostsAtWork
from dockersweep.commands.running.signals import KILLED_BY
from dockersweep.model.fleet import Fleet


def exit_status(fleet: Fleet, at_work: HostsAtWork) -> int:
    """Return the exit status of a run, and show the tracebacks of errors of ours."""
    for crash in at_work.crashes:
        sys.stderr.write(crash)
    return fleet.exit_status if at_work.signal is None else KILLED_BY + at_work.signal
