"""The side of `swarm` that runs on a node, in a container of the job: the verb, and its document in frames."""

import io
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from importlib import import_module

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from dockersweep.commands.fleet.acquaintance import note_look
from dockersweep.commands.fleet.verb_parts import parts_of
from dockersweep.commands.gather import UNSEEN
from dockersweep.commands.options import ApplyOptions, SwarmOptions, SweepOptions
from dockersweep.commands.swarming.kept_plan import drop_plan, keep_plan, kept_plan, shown_plans
from dockersweep.engine.jobs.frames import framed
from dockersweep.errors import DockersweepError, LedgerError
from dockersweep.fleet.folding import status_of
from dockersweep.fleet.shared_volumes import without_volumes
from dockersweep.fleet.sums import sums_of
from dockersweep.model.documents import read_document
from dockersweep.model.fleet import FleetHost
from dockersweep.model.inventory import Engine
from dockersweep.model.naming import engine_identity
from dockersweep.model.plan import Plan
from dockersweep.policy.language.flags import PolicyFlags
from dockersweep.units import parse_age
from dockersweep.words.documents import write_document

_MAX_AGE = parse_age("1h")
"""Of the plans that the question was about; a later yes is refused anyway."""
_SHOWN = "the plan that was shown"


class _Header(msgspec.Struct):
    engine: Engine


def run_as_task(options: SwarmOptions, run: str) -> int:
    """Run the verb and write its document, in frames of the run with this id, to standard output.

    The exit status of the verb is in the document. That of the process is 0: after another one the swarm would start
    the task again.
    """
    begun = time.monotonic()
    captured, message = io.StringIO(), None
    try:
        with redirect_stdout(captured):
            status = _verb(options)()
        document = captured.getvalue().encode()
        if options.is_looked_at:
            document = _looked_at(document, options)
        if options.keeps_plan:
            keep_plan(document, run)
    except DockersweepError as error:
        status, message = error.exit_status, str(error)
        document = captured.getvalue().encode()
    host = FleetHost(
        name="",
        address="",
        status=status_of(status, bool(document)),
        exit_status=status,
        message=message,
        seconds=round(time.monotonic() - begun, 3),
        document=Raw(document or b"null"),
    )
    sys.stdout.writelines(framed(msgspec.json.encode(_with_figures(host, document, options)), run))
    sys.stdout.flush()
    return 0


def _with_figures(host: FleetHost, document: bytes, options: SwarmOptions) -> FleetHost:
    """Return the host with what its document says of the engine, and the sums of it."""
    summed = Plan if options.keeps_plan else parts_of(options.on_node).summed
    if not document or summed is None:
        return host
    engine = msgspec.json.decode(document, type=_Header).engine
    sums = sums_of(read_document(document, summed, options.verb))
    return replace(host, engine_id=engine.id, engine_identity=engine_identity(engine), sums=sums)


def _verb(options: SwarmOptions) -> Callable[[], int]:
    """Return what is to run: for a sweep that asks first its plan, and then that very plan."""
    on_node, run = options.on_node, options.of_plan
    if isinstance(on_node, SweepOptions) and options.keeps_plan:
        return lambda: _run("plan", on_node.plan)
    if isinstance(on_node, SweepOptions) and run is not None:
        return lambda: _carry_out(on_node, run)
    return lambda: _run(options.verb, on_node)


def _run(verb: str, options: msgspec.Struct) -> int:
    # Verbs do not import each other: what runs here is a matter of the command line.
    status: int = import_module(f"dockersweep.commands.{verb}").run(options)
    return status


def _carry_out(options: SweepOptions, run: str) -> int:
    """Carry out the plan that a run has kept here, if it is one of those that were shown."""
    from dockersweep.commands.running.saved_run import run_saved

    shown = shown_plans()
    document, stay = kept_plan(run, shown)
    saved = without_volumes(read_document(document, Plan, _SHOWN), stay)
    flags = options.policy.flags
    # A saved plan has its own choice; what protects is still in force.
    protecting = PolicyFlags(
        keep_labels=flags.keep_labels,
        keep_names=flags.keep_names,
        keep_images=flags.keep_images,
        max_objects=flags.max_objects,
        max_bytes=flags.max_bytes,
        max_share=flags.max_share,
        max_unrecoverable=flags.max_unrecoverable,
        retry_refused=flags.retry_refused,
    )
    # A yes to the question is a look at this engine.
    first_time = shown.is_confirmed or options.run.yes_first_time
    confirmed = replace(options.run, yes=True, yes_first_time=first_time)
    policy = replace(options.policy, flags=protecting)
    apply = ApplyOptions(run=confirmed, policy=policy, plan="", max_age=_MAX_AGE)
    status = run_saved(saved, _SHOWN, apply, saved.policy.source)
    drop_plan(run)
    return status


def _looked_at(document: bytes, options: SwarmOptions) -> bytes:
    """Return what a person sees who typed the command on a terminal. A plan that is asked about is no look before the
    yes; but neither need it say that nobody has looked."""
    if not options.keeps_plan:
        with suppress(LedgerError):
            note_look(options.engine.uses_ledger, msgspec.json.decode(document, type=_Header).engine)
    if options.verb not in ("plan", "sweep"):
        return document
    plan = read_document(document, Plan, options.verb)
    warnings = tuple(warning for warning in plan.warnings if warning.about != UNSEEN)
    return write_document(replace(plan, warnings=warnings)).encode()
