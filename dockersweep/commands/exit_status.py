"""The exit status that answers a question, as of `plan --exit-code`, `report --fail-on` and `policy check`."""

from dockersweep.commands.options import OutputOptions


def status_with_reason(status: int, why: str, output: OutputOptions) -> int:
    """Return the status. Where the result went to a file a sentence on standard error says why it is not 0, because
    cron would mail nothing; elsewhere the result says it."""
    if output.goes_to_file:
        # Most results go elsewhere, and its texts and sentences are not needed for them.
        from dockersweep.commands.event_log import EventLog

        EventLog(output.log_format).error(why, status)
    return status
