"""Turns flags and environment into an inventory, a policy and the instant that ages count up to."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from dockersweep.commands.options import EngineOptions, PlanOptions, PolicyOptions
from dockersweep.commands.policy_source import policy_in_force
from dockersweep.commands.progress import show_progress
from dockersweep.commands.python_gc import without_collector
from dockersweep.errors import DocumentError, EngineError, RefusedError, UsageError
from dockersweep.files import OddFileError, read_named
from dockersweep.model.inventory import ALL_SIZES, Engine, Inventory, ScanWarning
from dockersweep.model.plan import Plan
from dockersweep.model.policy import Policy
from dockersweep.policy.bytes.totals import sizes_now
from dockersweep.policy.judging.marks import candidates, marking_rules
from dockersweep.policy.judging.projects import with_projects, with_volumes_of_projects
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.judging.unmarked_volumes import unmarked_warnings
from dockersweep.policy.language.flags import policy_from_flags
from dockersweep.policy.language.kinds_removed import may_remove
from dockersweep.policy.planning.limits import over_half
from dockersweep.policy.planning.planner import make_plan
from dockersweep.units import parse_instant

if TYPE_CHECKING:
    from dockersweep.engine.api.client import Client
    from dockersweep.engine.api.concurrent import BackgroundCall
    from dockersweep.ledger import Ledger


# For verbs that only read: there are no removals to wait for.
NO_REMOVALS_SECONDS = 0.0
LARGEST_DOCUMENT_BYTES = 4_000_000_000
UNSEEN = "sweep"
"""What the warning is about that nobody has looked at the engine."""


def gather_survey(options: EngineOptions, policy: Policy | None = None) -> Survey:
    """Read the inventory from --inventory, else from the engine that flags and environment name; `policy` is as in
    `survey_of`."""
    if options.inventory is not None:
        return _saved_survey(options, policy)
    with open_to_read(options) as (client, ledger):
        survey = survey_of(client, options, ledger, policy)
        note_look(ledger, survey.inventory)
        return survey


def gather_plan(options: PlanOptions) -> Plan:
    """Return the plan for what `gather_survey` reads, and mark its candidates in the ledger."""
    policy, engine = gather_policy(options.policy), options.engine
    if engine.inventory is not None:
        survey = _saved_survey(engine, policy)
        return _reviewed(_judge_when(options, survey, policy), survey, options)
    with open_to_read(engine) as (client, ledger):
        confirm_engine(client, options.confirm_engine)
        survey = survey_of(client, engine, ledger, policy)
        require_build_cache(survey, may_remove(policy, "build-cache"), engine)
        note_look(ledger, survey.inventory)
        plan = _judge_when(options, survey, policy, ledger)
    return _reviewed(plan, survey, options)


def _reviewed(plan: Plan, survey: Survey, options: PlanOptions) -> Plan:
    """Return what a person leaves of a plan on a screen, where that is asked for; raises NoPlanError for none."""
    if not (options.interactive and plan.removals):
        return plan
    from dockersweep.commands.review.reviewing import review_to_save

    return review_to_save(plan, survey, options)


def _judge_when(options: PlanOptions, survey: Survey, policy: Policy, ledger: "Ledger | None" = None) -> Plan:
    """Return the plan as of now, or as of --at, with --next also what would be removed later."""
    if options.at is not None:
        from dockersweep.commands.foresight import survey_at

        later = survey_at(survey, options.at)
        return msgspec.structs.replace(_plan(later, policy), foreseen_at=later.now)
    if ledger is None:
        plan = _plan(survey, policy)
    else:
        plan = judge(survey, policy, ledger)
        plan = _with_warnings(plan, _unseen_warnings(plan, ledger))
    if options.within is None:
        return plan
    from dockersweep.commands.foresight import with_upcoming

    return with_upcoming(plan, survey, policy, options.within)


def judge(survey: Survey, policy: Policy, ledger: "Ledger") -> Plan:
    """Return the plan, and mark the candidates of rules with `marked_for` in the ledger."""
    plan = _plan(survey, policy)
    # Where only the target removes, no rule has candidates: their marks stay.
    if survey.is_of_now and not policy.only_target:
        marks = tuple(candidates(plan.decisions, policy, survey.now))
        ledger.mark(plan.engine, marks, tuple(marking_rules(policy)), survey.now, policy.kinds)
    return plan


def _plan(survey: Survey, policy: Policy) -> Plan:
    with without_collector():
        plan = make_plan(survey, policy)
    own = unmarked_warnings(survey.inventory, plan)
    if survey.inventory.marks is None:
        # Most runs have a ledger.
        from dockersweep.policy.judging.ages_without_ledger import unknown_age_warnings

        own += unknown_age_warnings(survey.inventory, plan)
    if plan.archive is not None:
        from dockersweep.policy.planning.archive_warnings import archive_warnings

        own += archive_warnings(survey, plan)
    return _with_warnings(plan, own)


def _with_warnings(plan: Plan, more: Sequence[ScanWarning]) -> Plan:
    return msgspec.structs.replace(plan, warnings=(*plan.warnings, *more))


def note_look(ledger: "Ledger", inventory: Inventory) -> None:
    """Record that a person has looked at the engine, if any standard stream is a terminal."""
    if any(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        ledger.looked_at(inventory.engine, inventory.taken_at)


def unseen(engine: Engine, much: str) -> str:
    """Return why an unattended sweep is refused on an engine that nobody has looked at; `much` says how much of it
    would be removed."""
    return (
        f"nobody has looked at the engine at {engine.endpoint} from a terminal yet, and {much}; "
        "look with `dockersweep plan` from a terminal, as this user, or give --yes-first-time"
    )


def _unseen_warnings(plan: Plan, ledger: "Ledger") -> tuple[ScanWarning, ...]:
    """Warn that an unattended sweep would be refused. Without a ledger that is not known."""
    much = over_half(plan.decisions)
    if not much or not ledger.is_used or ledger.is_known(plan.engine):
        return ()
    return (ScanWarning(about=UNSEEN, text=f"with --yes it would be refused: {unseen(plan.engine, much)}"),)


def require_build_cache(survey: Survey, is_wanted: bool, options: EngineOptions) -> None:
    """Raise EngineError if the build cache is wanted but could not be read: Docker before 23.0 lists it only in a full
    /system/df. (On newer engines a failure of that only leaves sizes unknown.)"""
    if is_wanted and options.reads_sizes and survey.inventory.build_cache is None:
        why = [warning.reason or warning.text for warning in survey.inventory.warnings if warning.about == ALL_SIZES]
        raise EngineError(
            "the build cache cannot be read, which this engine tells only together with all sizes "
            f"({'; '.join(why)}): allow more time with --size-timeout, or leave it out with --no-sizes"
        )


def open_ledger(options: EngineOptions, required: bool = False) -> "Ledger":
    """Open the ledger; with --no-ledger, one that keeps nothing."""
    # Imported late: a saved inventory needs no database.
    from dockersweep.ledger import Ledger, state_folder

    return Ledger(state_folder(os.environ, os.geteuid()) if options.uses_ledger else None, required)


def _saved_survey(options: EngineOptions, policy: Policy | None) -> Survey:
    """Return the survey of --inventory. The declared files are this machine's, even if the inventory is another's."""
    if options.names_engine:
        raise UsageError("--inventory reads a file instead of an engine: leave out --host, --context and --tlsverify")

    def read() -> Survey:
        survey = _at_its_moment(read_inventory(options.inventory or ""))
        return survey.with_inventory(with_volumes_of_projects(with_projects(survey)))

    return _with_archive(_with_declared(policy, None, options, read), policy)


def _with_archive(survey: Survey, policy: Policy | None, ledger: "Ledger | None" = None) -> Survey:
    """Return the survey with what is known of the policy's archive, if it has one."""
    if policy is None or policy.archive is None:
        return survey
    # Most runs have no archive.
    from dockersweep.commands.archive_facts import archiving_to

    return archiving_to(survey, policy.archive, ledger)


def _with_declared(
    policy: Policy | None, ledger: "Ledger | None", options: EngineOptions, take: Callable[[], Survey]
) -> Survey:
    """Return the survey that `take` returns, with what the policy's files declare; the files are read first."""
    if policy is None or not policy.protections.name_files:
        return take()
    from dockersweep.commands.declared_files import declaring, read_declarations

    declarations = read_declarations(policy.protections, ledger, options.shows_progress)
    return declaring(take(), declarations)


@contextmanager
def open_to_read(options: EngineOptions) -> Iterator[tuple["Client", "Ledger"]]:
    """Connect to the engine, and open the ledger while it answers the first request."""
    with _connecting(options, NO_REMOVALS_SECONDS, will_list=True) as connecting, open_ledger(options) as ledger:
        yield connecting.result(), ledger


@contextmanager
def open_engine(options: EngineOptions, removal_seconds: float) -> Iterator["Client"]:
    """Connect to the engine that flags and environment name; `removal_seconds` is the limit for one removal."""
    with _connecting(options, removal_seconds, will_list=False) as connecting:
        yield connecting.result()


@contextmanager
def _connecting(options: EngineOptions, removal_seconds: float, will_list: bool) -> Iterator["BackgroundCall[Client]"]:
    # Imported late: a saved inventory needs none of this.
    from dockersweep.engine.api.client import Client
    from dockersweep.engine.api.concurrent import BackgroundCall
    from dockersweep.engine.api.connection import Connection
    from dockersweep.engine.api.endpoint import resolve_endpoint

    endpoint = resolve_endpoint(options.host, options.context, os.environ, options.tls)
    if options.host_name is not None:
        endpoint = msgspec.structs.replace(endpoint, source=f"the host {options.host_name}")
    may_ask = options.on_answer is None
    connection = Connection(endpoint, options.engine_timeout_seconds, may_ask, options.connect_timeout_seconds)

    def connect() -> Client:
        client = Client(connection, removal_seconds, will_list)
        if options.on_answer is not None:
            options.on_answer(client)
        return client

    try:
        connecting = BackgroundCall(connect)
        # Docker runs other programs to answer /info: meanwhile, import the scanner.
        import dockersweep.engine.reading.scanner  # noqa: F401

        yield connecting
    finally:
        connection.close()


def survey_of(
    client: "Client",
    options: EngineOptions,
    ledger: "Ledger",
    policy: Policy | None = None,
    for_report: bool = False,
) -> Survey:
    """Scan the engine, and add what the ledger knows about its objects. With a policy, also add what its files declare,
    and what registries answer if it asks them. `for_report` is as in `engine.reading.scanner.scan`."""
    remembered = partial(_remembered_survey, client, options, ledger, for_report)
    survey = _with_archive(_with_declared(policy, ledger, options, remembered), policy, ledger)
    if policy is None or not policy.asks_registries:
        return survey
    from dockersweep.commands.registry_answers import with_registry_answers

    return with_registry_answers(survey, policy, client.registry_access, ledger, options.shows_progress)


def _remembered_survey(client: "Client", options: EngineOptions, ledger: "Ledger", for_report: bool) -> Survey:
    from dockersweep.engine.api.concurrent import BackgroundCall
    from dockersweep.engine.reading.events import read_events
    from dockersweep.engine.reading.own_folders import reading_ahead
    from dockersweep.engine.reading.scanner import scan
    from dockersweep.engine.reading.uses import noticed_in

    # Time may have passed since the connection (files were read, a plan was carried out): events came meanwhile.
    client.set_clock()
    known = ledger.layers(client.engine)
    position = ledger.event_position(client.engine)
    seconds = options.size_timeout_seconds
    with ExitStack() as stack:
        ahead = stack.enter_context(reading_ahead(client.engine, known, seconds)) if options.reads_sizes else None
        events = BackgroundCall(lambda: read_events(client, position)) if ledger.is_used else None
        progress = stack.enter_context(show_progress("reading containers", options.shows_progress))
        inventory, layers = scan(client, options.reads_sizes, seconds, progress, known, for_report, ahead)
    survey = _at_its_moment(inventory)
    survey = survey.with_inventory(with_projects(survey))
    if not options.uses_ledger:
        return survey.with_inventory(with_volumes_of_projects(survey.inventory))
    ledger.keep_layers(client.engine, layers)
    inventory, noticed = survey.inventory, None
    if events is not None:
        # After the position: what a watcher records meanwhile is among them, or the engine has told it too.
        inventory, noticed = noticed_in(events.result(), inventory, ledger.pending_events(client.engine))
    inventory = ledger.update_objects(inventory, survey.in_use, survey.now, survey.is_of_now, noticed)
    inventory = msgspec.structs.replace(
        inventory, warnings=(*inventory.warnings, *_ledger_in_container(inventory, ledger))
    )
    survey = survey.with_inventory(with_volumes_of_projects(inventory))
    ledger.keep_sizes(sizes_now(survey.totals), inventory.engine, inventory.taken_at)
    return survey


def _ledger_in_container(inventory: Inventory, ledger: "Ledger") -> tuple[ScanWarning, ...]:
    """Return a warning if the ledger is in dockersweep's own container, not on a volume."""
    if inventory.own_container_id is None or not ledger.is_used:
        return ()
    from dockersweep.engine.disk.mounts import mount_of, read_mounts
    from dockersweep.ledger import state_folder

    folder = state_folder(os.environ, os.geteuid())
    mount = mount_of(os.path.realpath(folder), read_mounts())
    if mount is None or mount.point != "/":
        return ()
    text = f"it goes with this container, and the next one knows nothing of it: mount a volume at {folder}"
    return (ScanWarning(about="ledger", text=text),)


def confirm_engine(client: "Client", wanted: str | None) -> None:
    """Raise RefusedError if neither the engine's name nor its id is `wanted`."""
    engine = client.engine
    if wanted is not None and wanted not in (engine.name, engine.id):
        raise RefusedError(
            f'the engine at {engine.endpoint} is "{engine.name}" and not "{wanted}", which --confirm-engine asks for'
        )


def refuse_chosen_now(client: "Client") -> None:
    """Raise UsageError if DOCKERSWEEP_NOW would shift ages in a real removal, on an engine that is not a test's."""
    if os.environ.get("DOCKERSWEEP_NOW") and not client.is_throw_away:
        raise UsageError("nothing removed: DOCKERSWEEP_NOW is set, so no age is right: unset it, or use --dry-run")


def read_inventory(path: str) -> Inventory:
    """Read a saved inventory; raises DocumentError naming the path."""
    try:
        data = read_named(path, LARGEST_DOCUMENT_BYTES)
    except OddFileError as error:
        raise DocumentError(f"{path} {error.strerror}") from None
    except (OSError, ValueError) as error:
        raise DocumentError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    from dockersweep.model.documents import read_document

    with without_collector():
        return read_document(data, Inventory, path)


def gather_policy(options: PolicyOptions) -> Policy:
    """Return the policy in force, with the changes of the flags."""
    return policy_from_flags(options.flags, policy_in_force(options.path, os.environ))


def policy_digest(policy: Policy) -> str:
    """Return the SHA-256 of what a policy says, in hex; where it came from, and whom it tells, does not matter."""
    # Imported late: verbs that keep no records need none.
    from hashlib import sha256

    return sha256(msgspec.json.encode(msgspec.structs.replace(policy.for_documents, source=""))).hexdigest()


def _at_its_moment(inventory: Inventory) -> Survey:
    """Return the survey as of its scan, or as of DOCKERSWEEP_NOW: tests and the sandbox set it, as no engine makes old
    volumes. A warning mentions it, in case it was left set by mistake."""
    text = os.environ.get("DOCKERSWEEP_NOW")
    if not text:
        return Survey(inventory, inventory.taken_at)
    instant = parse_instant(text)
    if instant is None:
        raise UsageError(f'DOCKERSWEEP_NOW is "{text}", which is no instant: write it like 2026-11-23T22:36:25Z')
    warning = ScanWarning(about="ages", text=f"as of {text} (DOCKERSWEEP_NOW)")
    known = tuple(earlier for earlier in inventory.warnings if earlier != warning)
    return Survey(msgspec.structs.replace(inventory, warnings=(*known, warning)), instant)
