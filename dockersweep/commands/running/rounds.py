"""Carries out a plan and, while its space target is not reached, further ones."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.commands.gather import require_build_cache, survey_of
from dockersweep.commands.options import RunOptions
from dockersweep.commands.progress import show_progress
from dockersweep.commands.python_gc import without_collector
from dockersweep.commands.running.records import FailedBefore, Records
from dockersweep.engine.disk.freed_later import await_free_space
from dockersweep.engine.disk.freed_space import freed_space_meter
from dockersweep.engine.removing.executor import Carried, carry_out
from dockersweep.engine.removing.reconnect import Reconnect
from dockersweep.engine.removing.removal import ListsNow, RemovalContext
from dockersweep.engine.removing.stopping import StopRequest
from dockersweep.errors import ArchiveError, DeclaredFileError, EngineError, LedgerError, RefusedError
from dockersweep.ledger import Ledger
from dockersweep.model.attempt import attempt_of
from dockersweep.model.inventory import Inventory, ObjectRef
from dockersweep.model.outcome import Outcome, OutcomeDocument, TargetOutcome
from dockersweep.model.plan import NOTHING, Plan, Removal
from dockersweep.model.policy import Policy
from dockersweep.policy.bytes.measured_freed import exact_parts, freed_on_disks, prediction_of, reclaimed_of
from dockersweep.policy.judging.services import ServicesNow
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.judging.unused import freed_by
from dockersweep.policy.language.kinds_removed import may_remove
from dockersweep.policy.planning.failed_runs import with_failed_runs
from dockersweep.policy.planning.limits import Gone
from dockersweep.policy.planning.planner import make_plan
from dockersweep.policy.planning.rounds import (
    archived_of_freed,
    can_go_on,
    disks_asking,
    goes_for_space,
    gone_in,
    is_satisfied,
    only_fills_archive,
    policy_after,
    target_outcome,
    together,
)
from dockersweep.policy.planning.saved_plan import in_order_of_plan

if TYPE_CHECKING:
    from dockersweep.commands.running.archiving import RunArchive
    from dockersweep.engine.api.client import Client


class PlannedRun(Struct, frozen=True, dict=True):
    """A plan to carry out, and what it was made from."""

    plan: Plan
    policy: Policy
    survey: Survey
    by: str
    """Who asked for it: "the policy in /etc/dockersweep/dockersweep.toml", "the plan in plan.json of ..."."""
    flags: str = ""
    """The flags that changed the policy, as they are typed."""
    saved: Plan | None = None
    """The saved plan of which `plan` is what remains."""
    settled: tuple[tuple[Removal, Outcome], ...] = ()
    """Removals of the saved plan that have an outcome already."""
    judged: Survey | None = None
    """The survey that the plan was made of where it has tags in another order; None for the same."""
    unticked: frozenset[ObjectRef] = frozenset()
    """What a person wants to stay, in further rounds too."""
    is_confirmed: bool = False
    """Whether a person has said yes to the plan already."""

    def goes_without(self, ref: ObjectRef) -> bool:
        """Whether an object for which the archive has no room is removed all the same. What a saved plan has a way back
        for stays."""
        return self.policy.removes_without_room and ref not in self._promised

    @cached_property
    def _promised(self) -> frozenset[ObjectRef]:
        removals = () if self.saved is None else self.saved.removals
        return frozenset(one.ref for one in removals if one.recovery is not None and one.recovery.how != "none")


class RunContext(Struct, frozen=True):
    """What all rounds of a run share."""

    client: "Client"
    options: RunOptions
    ledger: Ledger
    records: Records
    failed_before: FailedBefore
    stop: StopRequest
    before_removing: Callable[[], None]
    """Called before the first removal: until then a signal interrupts the preparation."""
    permit: Callable[[Plan, Gone], None]
    """Raises RefusedError for a plan that is not permitted after what was removed already."""
    archive: "RunArchive | None" = None
    """None if the policy has none."""


def carry_out_rounds(run: PlannedRun, context: RunContext) -> OutcomeDocument:
    """Carry out a permitted plan, and further ones for its space target; return the outcome of all of them.

    Whatever fails after the first round, the outcomes of earlier rounds are returned.
    """
    plan = run.plan
    _record_settled(run, context)
    rounds = [_with_settled(run, _carry_out(plan, run.survey, run.by, context))]
    while True:
        done = together(rounds, None)
        try:
            measured = _measure(run, done, context)
            if not isinstance(measured, _Next):
                return together(rounds, measured)
            rounds.append(_carry_out(measured.plan, measured.survey, run.by, context))
        except (EngineError, RefusedError, LedgerError, DeclaredFileError, ArchiveError, KeyboardInterrupt) as error:
            reason = error.reason if isinstance(error, RefusedError) else str(error)
            return together(rounds, target_outcome(plan, plan, done, f"it went no further: {reason}"))
        if not rounds[-1].ended_early and not any(outcome.status == "removed" for outcome in rounds[-1].outcomes):
            done = together(rounds, None)
            from dockersweep.words.targets import not_archived_words

            words = not_archived_words(done.outcomes) or "what may go for it was not removed"
            return together(rounds, target_outcome(plan, measured.plan, done, words))


def _record_settled(run: PlannedRun, context: RunContext) -> None:
    """Record the outcomes that a saved plan has already, before the first removal."""
    if run.saved is not None:
        # The sizes in the file are not trusted.
        removals = tuple(replace(removal, reclaim=NOTHING, reclaim_alone=None) for removal in _once(run.settled))
        context.records.plan(replace(run.saved, removals=removals), run.survey.inventory)
        for removal, outcome in run.settled:
            context.records.ended(removal, outcome)


def _once(settled: Iterable[tuple[Removal, Outcome]]) -> list[Removal]:
    """Return each removal once: a plan file may repeat it."""
    return list({attempt_of(removal): removal for removal, _ in settled}.values())


def _with_settled(run: PlannedRun, document: OutcomeDocument) -> OutcomeDocument:
    """Add the settled outcomes, so that each removal of the saved plan has one."""
    if run.saved is None:
        return document
    outcomes = in_order_of_plan(run.saved, (*document.outcomes, *(outcome for _, outcome in run.settled)))
    return replace(document, outcomes=outcomes, predicted=run.saved.reclaim)


class _Next(Struct, frozen=True):
    plan: Plan
    survey: Survey


def _measure(run: PlannedRun, done: OutcomeDocument, context: RunContext) -> "_Next | TargetOutcome | None":
    """Scan again if the first plan has a target that needs space; return the next plan, or the outcome of the target.

    Raises EngineError, RefusedError, LedgerError and DeclaredFileError where it cannot continue.
    """
    first, policy = run.plan, run.policy
    if first.target is None or first.target.begins is False:
        return None
    # Imported late: most runs have no target.
    from dockersweep.words.targets import (
        FILLS_ARCHIVE_WORDS,
        UNTICKED_WORDS,
        not_archived_words,
        nothing_else_words,
    )

    if done.ended_early:
        return target_outcome(first, first, done, f"the sweep ended early: {done.ended_early}")
    if first.target.begins is None or not done.outcomes:
        return target_outcome(first, first, done, nothing_else_words(first, is_first=True))
    if not can_go_on(policy, done):
        return target_outcome(first, first, done, "how much was freed is not known", is_known=False)
    survey = survey_of(context.client, context.options.engine, context.ledger, policy)
    not_archived = frozenset(outcome.ref for outcome in done.outcomes if outcome.is_not_archived)
    if not_archived:
        # One object has one outcome.
        survey = replace(survey, not_archived=not_archived)
    require_build_cache(survey, may_remove(policy, "build-cache"), context.options.engine)
    gone = gone_in(done)
    with without_collector():
        left = policy_after(policy, done, archived_of_freed(first, done))
        made = plan = make_plan(survey, left, gone, disks_asking(first))
        if run.unticked:
            from dockersweep.policy.planning.choice import without

            plan = without(made, survey, run.unticked, gone)
    if is_satisfied(plan):
        return target_outcome(first, plan, done, "")
    if only_fills_archive(first, done):
        return target_outcome(first, plan, done, FILLS_ARCHIVE_WORDS)
    if not goes_for_space(plan):
        is_unticked = any(removal.ref in run.unticked for removal in made.removals)
        words = UNTICKED_WORDS if is_unticked else nothing_else_words(plan, is_first=False)
        stays = not_archived_words(done.outcomes)
        return target_outcome(first, plan, done, f"{stays}; {words}" if stays else words)
    context.permit(plan, gone)
    return _Next(plan, survey)


def _carry_out(plan: Plan, survey: Survey, by: str, context: RunContext) -> OutcomeDocument:
    """Carry out the plan, and measure what it freed if the engine's disk can be read."""
    inventory = survey.inventory
    if context.archive is not None:
        context.archive.prepare(plan, survey)
    meter = freed_space_meter(inventory.engine, inventory.storage, plan)
    context.records.plan(plan, inventory)
    failed_before = context.failed_before.of(plan)
    removal_context = _removal_context(plan, inventory, context)
    context.before_removing()
    with context.client.asking_once(), show_progress("removing", context.options.engine.shows_progress) as progress:
        carried = carry_out(plan, removal_context, context.stop, progress)
    _remember_freed(carried, survey, context)
    prediction = prediction_of(survey.reclaim, carried.outcomes)
    measured = meter.measure(prediction.parts) if meter else None
    if meter is None and carried.outcomes:
        await_free_space(disk.places[0] for disk in inventory.disks if disk.places)
    reclaimed = reclaimed_of(inventory.storage, carried.outcomes, prediction, measured)
    of_disks = freed_on_disks(survey.on_disks, carried.outcomes, prediction, measured)
    return OutcomeDocument(
        schema="dockersweep.outcome/1",
        engine=plan.engine,
        started_at=carried.started_at,
        finished_at=carried.finished_at,
        ended_early=carried.ended_early,
        ended_by=carried.ended_by,
        outcomes=with_failed_runs(carried.outcomes, failed_before),
        reclaimed=replace(reclaimed, on_disks=of_disks),
        warnings=plan.warnings,
        size_base=plan.size_base,
        predicted=plan.reclaim,
        policy_source=by,
    )


def _remember_freed(carried: Carried, survey: Survey, context: RunContext) -> None:
    """Record since when the objects that removed ones held are unused: no scan sees it before the next run."""
    if not survey.is_of_now:
        return
    removed = {
        outcome.ref for outcome in carried.outcomes if outcome.action == "remove" and outcome.status == "removed"
    }
    # The later of the two clocks, the engine's and ours: the time unused must not be overstated.
    now = max(survey.now, carried.finished_at)
    # An unwritable required ledger is reported at the end of the run, together with what was removed.
    with suppress(LedgerError):
        context.ledger.freed(survey.inventory.engine, freed_by(removed, survey.holders), now)


def _removal_context(plan: Plan, inventory: Inventory, context: RunContext) -> RemovalContext:
    is_manager = context.client.swarm_role == "manager"
    return RemovalContext(
        engine=context.client,
        record=context.records,
        reconnect=Reconnect(context.client.check_back, context.options.engine.engine_timeout_seconds, context.stop),
        lists=ListsNow(context.client),
        layer_bytes=exact_parts(inventory.storage),
        images=frozenset(image.id for image in inventory.images),
        going=frozenset(removal.id for removal in plan.removals if removal.action == "remove"),
        # If the scan could not list services, the plan was made without them.
        holder_among=ServicesNow(inventory).holder if is_manager and inventory.services is not None else None,
        archiver=context.archive,
    )
