"""Carries out a plan and, while space that its target asks for is still short, further ones."""

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from dockersweep.commands.audit_log import AuditLog
from dockersweep.commands.event_log import EventLog
from dockersweep.commands.gather import Picture, picture_of, require_build_cache
from dockersweep.commands.progress import show_progress
from dockersweep.commands.removal_entry import Entries
from dockersweep.engine.disk.gauge import gauge_of
from dockersweep.engine.executor import carry_out
from dockersweep.engine.patience import Patience
from dockersweep.engine.removal import Hand
from dockersweep.engine.stopping import StopRequest
from dockersweep.errors import EngineError, LedgerError, RefusedError
from dockersweep.ledger import Memory, RunRecord
from dockersweep.model.attempt import Attempt, attempt_of
from dockersweep.model.inventory import Inventory
from dockersweep.model.outcome import Outcome, OutcomeDocument, TargetOutcome
from dockersweep.model.plan import NOTHING, Plan, Removal
from dockersweep.model.policy import Policy
from dockersweep.policy.failing import with_failed_runs
from dockersweep.policy.kinds_removed import may_remove
from dockersweep.policy.limits import Gone
from dockersweep.policy.planner import make_plan
from dockersweep.policy.reckoning import exact_parts, prediction_of, reckon
from dockersweep.policy.rounds import (
    can_go_on,
    goes_for_space,
    gone_in,
    is_satisfied,
    policy_after,
    target_outcome,
    together,
)
from dockersweep.policy.saved_plan import in_order_of_plan
from dockersweep.policy.services import ServicesNow

if TYPE_CHECKING:
    from dockersweep.engine.client import Client


@dataclass(frozen=True)
class Task:
    """What is to be carried out."""

    plan: Plan
    policy: Policy
    picture: Picture
    by: str
    """Who asked for it: "the policy in /etc/dockersweep/dockersweep.toml", "the plan in plan.json of ..."."""
    saved: Plan | None = None
    """The saved plan that this is what is left of."""
    settled: tuple[tuple[Removal, Outcome], ...] = ()
    """What is decided already of the saved plan."""


@dataclass(frozen=True)
class Records:
    """Everybody who is told of each removal as it happens."""

    run: RunRecord
    audit_log: AuditLog
    events: EventLog
    entries: Entries

    def plan(self, plan: Plan, inventory: Inventory) -> None:
        """A plan is about to be carried out."""
        self.run.plan(plan, inventory)
        if self._has_logs:
            self.entries.plan(plan)

    @property
    def _has_logs(self) -> bool:
        return self.audit_log.is_open or self.events.is_on

    def sending(self, removal: Removal) -> None:
        """A request for it is about to be sent."""
        self.run.sending(removal)

    def ended(self, removal: Removal, outcome: Outcome) -> None:
        """This became of it. Of what is not known the ledger keeps that it was sent, so that the next run looks."""
        if self._has_logs:
            entry = self.entries.of(removal, outcome)
            self.audit_log.write(entry)
            self.events.removal(entry)
        if not outcome.is_unknown:
            self.run.ended(removal, outcome)

    def failed_inside(self, error: Exception) -> None:
        """An error of our own ends the run."""
        self.events.bug(error)


@dataclass
class FailedBefore:
    """In how many runs before this one each removal failed. What this run has tried is not asked for again: the
    ledger counts that by then."""

    memory: Memory
    _known: dict[Attempt, tuple[int, datetime]] = field(default_factory=dict)
    _tried: set[Attempt] = field(default_factory=set)

    def of(self, plan: Plan) -> Mapping[Attempt, tuple[int, datetime]]:
        """Return it for the removals of a plan that is about to be carried out."""
        told = self.memory.failed_before(plan.engine, plan.removals)
        self._known |= {attempt: failed for attempt, failed in told.items() if attempt not in self._tried}
        self._tried |= {attempt_of(one) for one in plan.removals}
        return self._known


@dataclass(frozen=True)
class Hands:
    """What a sweep works with."""

    client: "Client"
    arguments: argparse.Namespace
    memory: Memory
    records: Records
    failed_before: FailedBefore
    stop: StopRequest
    removing: Callable[[], None]
    """Told before the first removal: until then a signal breaks off what is being prepared."""
    permit: Callable[[Plan, Gone], None]
    """Raises RefusedError for a plan that may not be carried out after what has gone already."""


def carry_out_rounds(task: Task, hands: Hands) -> OutcomeDocument:
    """Carry out a plan that is permitted, and further ones for its space target; return what became of them all.

    Nothing that happens after the first round loses what is to be told of it.
    """
    plan = task.plan
    _record_settled(task, hands)
    rounds = [_with_settled(task, _carry_out(plan, task.picture.inventory, task.by, hands))]
    while True:
        done = together(rounds, None)
        try:
            measured = _measure(plan, task.policy, done, hands)
            if not isinstance(measured, _Next):
                return together(rounds, measured)
            rounds.append(_carry_out(measured.plan, measured.inventory, task.by, hands))
        except (EngineError, RefusedError, LedgerError, KeyboardInterrupt) as error:
            reason = str(error).removeprefix("nothing was removed: ")
            return together(rounds, target_outcome(plan, plan, done, f"it went no further: {reason}"))
        if not rounds[-1].ended_early and not any(one.status == "removed" for one in rounds[-1].outcomes):
            done = together(rounds, None)
            return together(rounds, target_outcome(plan, measured.plan, done, "what may go for it does not go"))


def _record_settled(task: Task, hands: Hands) -> None:
    """Record what was decided already of a saved plan, before anything of it is removed."""
    if task.saved is not None:
        # Its sizes are what the file says, and not to be believed.
        removals = tuple(replace(one, reclaim=NOTHING, reclaim_alone=None) for one in _once(task.settled))
        hands.records.plan(replace(task.saved, removals=removals), task.picture.inventory)
        for removal, outcome in task.settled:
            hands.records.ended(removal, outcome)


def _once(settled: Iterable[tuple[Removal, Outcome]]) -> list[Removal]:
    """Return each removal once: a file may name one several times."""
    return list({attempt_of(one): one for one, _ in settled}.values())


def _with_settled(task: Task, document: OutcomeDocument) -> OutcomeDocument:
    """Add it, so that each removal of the saved plan has an outcome."""
    if task.saved is None:
        return document
    outcomes = in_order_of_plan(task.saved, (*document.outcomes, *(outcome for _, outcome in task.settled)))
    return replace(document, outcomes=outcomes, predicted=task.saved.reclaim)


@dataclass(frozen=True)
class _Next:
    plan: Plan
    inventory: Inventory


def _measure(first: Plan, policy: Policy, done: OutcomeDocument, hands: Hands) -> "_Next | TargetOutcome | None":
    """Scan again where the first plan has a target that space is short for; return the next plan, or how it ended.

    Raises EngineError, RefusedError and LedgerError where it can go no further.
    """
    if first.target is None or first.target.begins is False:
        return None
    if done.ended_early:
        return target_outcome(first, first, done, f"the sweep ended early: {done.ended_early}")
    if first.target.begins is None or not done.outcomes:
        return target_outcome(first, first, done, "nothing may go for it")
    if not can_go_on(policy, done):
        return target_outcome(first, first, done, "nothing tells what came back", is_told=False)
    picture = picture_of(hands.client, hands.arguments, hands.memory)
    require_build_cache(picture, may_remove(policy, "build-cache"), hands.arguments)
    plan = make_plan(picture.inventory, policy_after(policy, done), picture.now, gone_in(done))
    if is_satisfied(plan):
        return target_outcome(first, plan, done, "")
    if not goes_for_space(plan):
        return target_outcome(first, plan, done, "nothing else may go for it")
    hands.permit(plan, gone_in(done))
    return _Next(plan, picture.inventory)


def _carry_out(plan: Plan, inventory: Inventory, by: str, hands: Hands) -> OutcomeDocument:
    """Carry out the plan, and measure on the engine's disk, where that can be read, what came back."""
    storage = inventory.storage
    gauge = gauge_of(inventory.engine, storage, plan)
    hands.records.plan(plan, inventory)
    failed_before = hands.failed_before.of(plan)
    patience = Patience(hands.client.check_back, hands.arguments.engine_timeout.seconds, hands.stop)
    is_manager = hands.client.swarm_role == "manager"
    hand = Hand(
        engine=hands.client,
        record=hands.records,
        patience=patience,
        layer_bytes=exact_parts(storage),
        images=frozenset(image.id for image in inventory.images),
        going=frozenset(removal.id for removal in plan.removals if removal.action == "remove"),
        # Where the scan was refused its services, what they may name was judged without them.
        holder_among=ServicesNow(inventory).holder if is_manager and inventory.services is not None else None,
    )
    hands.removing()
    with hands.client.asking_once(), show_progress("removing", hands.arguments.log_format) as progress:
        carried = carry_out(plan, hand, hands.stop, progress)
    prediction = prediction_of(inventory, carried.outcomes)
    measured = gauge.measure(prediction.parts) if gauge else None
    return OutcomeDocument(
        schema="dockersweep.outcome/1",
        engine=plan.engine,
        started_at=carried.started_at,
        finished_at=carried.finished_at,
        ended_early=carried.ended_early,
        ended_by=carried.ended_by,
        outcomes=with_failed_runs(carried.outcomes, failed_before),
        reclaimed=reckon(inventory, carried.outcomes, prediction, measured),
        warnings=plan.warnings,
        size_base=plan.size_base,
        predicted=plan.reclaim,
        policy_source=by,
    )
