"""A run whose plan the user reviews on a screen."""

import time

from msgspec.structs import replace

from dockersweep.commands.options import RunOptions
from dockersweep.commands.review.reviewing import review
from dockersweep.commands.running.permission import is_late, refuse_late
from dockersweep.commands.running.rounds import PlannedRun
from dockersweep.errors import DeclinedError, RefusedError
from dockersweep.model.attempt import attempt_of, outcome_for
from dockersweep.model.outcome import Outcome
from dockersweep.model.plan import Plan, Removal
from dockersweep.report.question import question
from dockersweep.words.reasons import reason_text


def reviewed_run(planned: PlannedRun, options: RunOptions) -> PlannedRun:
    """Return the run with the ticked objects; raises DeclinedError for a no, RefusedError for a yes that comes too
    late."""
    asked = time.monotonic()

    def ask(plan: Plan) -> str:
        if is_late(asked):
            # Said before the question, so that nobody's ticks are lost.
            raise RefusedError("the plan is over an hour old: save it (s), and carry it out with `dockersweep apply`")
        return question(plan)

    chosen = review(planned.plan, planned.judged or planned.survey, options.policy, options.verb, ask)
    if chosen is None:
        raise DeclinedError("the review was ended without a yes")
    refuse_late(asked)
    settled = planned.settled if planned.saved is None else (*planned.settled, *_left(planned.plan, chosen.plan))
    return replace(planned, plan=chosen.plan, settled=settled, unticked=chosen.unticked, is_confirmed=True)


def _left(plan: Plan, chosen: Plan) -> list[tuple[Removal, Outcome]]:
    """Return the unticked removals of a plan as skipped, with their reasons."""
    kept = {attempt_of(step) for step in chosen.removals}
    why = {
        decision.ref: reason_text(decision.reasons[0]) for decision in chosen.decisions if decision.verdict == "keep"
    }
    left = [step for step in plan.removals if attempt_of(step) not in kept]
    return [(step, outcome_for(step, "skipped", why[step.ref])) for step in left]
