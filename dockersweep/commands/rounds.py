"""Carries out a plan and, while space that its target asks for is still short, further ones."""

import argparse
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dockersweep.commands.gather import picture_of
from dockersweep.engine.disk.gauge import gauge_of
from dockersweep.engine.executor import carry_out
from dockersweep.engine.side_by_side import Progress
from dockersweep.errors import EngineError, RefusedError
from dockersweep.model.inventory import Inventory
from dockersweep.model.outcome import OutcomeDocument, TargetOutcome
from dockersweep.model.plan import Plan
from dockersweep.model.policy import Policy
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

if TYPE_CHECKING:
    from dockersweep.engine.client import Client


@dataclass(frozen=True)
class Hands:
    """What a sweep works with."""

    client: "Client"
    arguments: argparse.Namespace
    stop: threading.Event
    progress: Progress
    permit: Callable[[Plan, argparse.Namespace], None]
    """Raises RefusedError for a plan that may not be carried out."""


def carry_out_rounds(plan: Plan, inventory: Inventory, policy: Policy, hands: Hands) -> OutcomeDocument:
    """Carry out a plan that is permitted, and further ones for its space target; return what became of them all.

    Nothing that happens after the first round loses what is to be told of it.
    """
    rounds = [_carry_out(plan, inventory, hands)]
    while True:
        done = together(rounds, None)
        measured = _measure(plan, policy, done, hands)
        if not isinstance(measured, _Next):
            return together(rounds, measured)
        rounds.append(_carry_out(measured.plan, measured.inventory, hands))
        if not rounds[-1].ended_early and not any(one.status == "removed" for one in rounds[-1].outcomes):
            done = together(rounds, None)
            return together(rounds, target_outcome(plan, measured.plan, done, "what may go for it does not go"))


@dataclass(frozen=True)
class _Next:
    plan: Plan
    inventory: Inventory


def _measure(first: Plan, policy: Policy, done: OutcomeDocument, hands: Hands) -> "_Next | TargetOutcome | None":
    """Scan again where the first plan has a target that space is short for; return the next plan, or how it ended."""
    if first.target is None or first.target.begins is False:
        return None
    if done.ended_early:
        return target_outcome(first, first, done, f"the sweep ended early: {done.ended_early}")
    if first.target.begins is None or not done.outcomes:
        return target_outcome(first, first, done, "nothing may go for it")
    if not can_go_on(policy, done):
        return target_outcome(first, first, done, "nothing tells what came back", is_told=False)
    try:
        picture = picture_of(hands.client, hands.arguments)
        plan = make_plan(picture.inventory, policy_after(policy, done), picture.now, gone_in(done))
        if is_satisfied(plan):
            return target_outcome(first, plan, done, "")
        if not goes_for_space(plan):
            return target_outcome(first, plan, done, "nothing else may go for it")
        hands.permit(plan, hands.arguments)
    except (EngineError, RefusedError) as error:
        reason = str(error).removeprefix("nothing was removed: ")
        return target_outcome(first, first, done, f"it went no further: {reason}")
    return _Next(plan, picture.inventory)


def _carry_out(plan: Plan, inventory: Inventory, hands: Hands) -> OutcomeDocument:
    """Carry out the plan, and measure on the engine's disk, where that can be read, what came back."""
    storage = inventory.storage
    gauge = gauge_of(inventory.engine, storage, plan)
    carried = carry_out(plan, hands.client, hands.stop, hands.progress, exact_parts(storage))
    prediction = prediction_of(inventory, carried.outcomes)
    measured = gauge.measure(prediction.parts) if gauge else None
    return OutcomeDocument(
        schema="dockersweep.outcome/1",
        engine=plan.engine,
        started_at=carried.started_at,
        finished_at=carried.finished_at,
        ended_early=carried.ended_early,
        outcomes=carried.outcomes,
        reclaimed=reckon(inventory, carried.outcomes, prediction, measured),
        warnings=plan.warnings,
        size_base=plan.size_base,
        predicted=plan.reclaim,
        policy_source=plan.policy.source,
    )
