"""The side of `swarm` that runs on a node, in a container of the job: the verb, and its document in frames."""

import io
import sys
import time
from contextlib import redirect_stdout
from importlib import import_module

import msgspec
from msgspec import Raw

from dockersweep.commands.options import SwarmOptions
from dockersweep.engine.jobs.frames import framed
from dockersweep.errors import DockersweepError, EngineError, RefusedError
from dockersweep.model.fleet import FleetHost, HostStatus

DONE = (0, 10)


def run_as_task(options: SwarmOptions, run: str) -> int:
    """Run the verb and write its document, in frames of the run with this id, to standard output.

    The exit status of the verb is in the document. That of the process is 0: after another one the swarm would start
    the task again.
    """
    begun = time.monotonic()
    verb = import_module(f"dockersweep.commands.{options.verb}")
    captured, message = io.StringIO(), None
    try:
        with redirect_stdout(captured):
            status = verb.run(options.on_node)
    except DockersweepError as error:
        status, message = error.exit_status, str(error)
    text = captured.getvalue()
    host = FleetHost(
        name="",
        address="",
        status=host_status(status, bool(text)),
        exit_status=status,
        message=message,
        seconds=time.monotonic() - begun,
        document=Raw(text.encode() or b"null"),
    )
    sys.stdout.writelines(framed(msgspec.json.encode(host), run))
    sys.stdout.flush()
    return 0


def host_status(exit_status: int, has_document: bool) -> HostStatus:
    """Return what became of a verb that ended with this status."""
    if exit_status in DONE:
        return "done"
    if exit_status == RefusedError.exit_status:
        return "refused"
    if exit_status == EngineError.exit_status and not has_document:
        return "not-reached"
    return "failed"
