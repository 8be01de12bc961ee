"""The exit status that answers a question, as of `plan --exit-code`, `report --fail-on` and `policy check`."""

import argparse

from dockersweep.commands.event_log import EventLog


def verdict(status: int, why: str, arguments: argparse.Namespace) -> int:
    """Return the status. Where the result went to a file a sentence on standard error says why it is not 0, because
    cron would mail nothing; elsewhere the result says it."""
    if arguments.output not in (None, "-"):
        EventLog(arguments.log_format).error(why, status)
    return status
