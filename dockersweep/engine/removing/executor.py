"""Carries out a plan: exactly its removals, continuing after failures.

Several objects are removed in parallel, because an engine spends most of a removal waiting. A removal waits for those
that must precede it.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.engine.api.concurrent import Progress
from dockersweep.engine.removing.cache_removal import remove_records
from dockersweep.engine.removing.removal import INTERRUPTED, RemovalContext, SurpriseError, outcome_of, remove_one
from dockersweep.engine.removing.schedule import Schedule, Unit
from dockersweep.engine.removing.stopping import StopRequest
from dockersweep.errors import EngineLostError, LedgerError
from dockersweep.model.attempt import Attempt, attempt_of
from dockersweep.model.inventory import ObjectRef
from dockersweep.model.outcome import EndedBy, Outcome
from dockersweep.model.plan import Plan, Removal

WORKERS = 12


class Carried(Struct, frozen=True):
    """The result of carrying out a plan."""

    started_at: datetime
    finished_at: datetime
    ended_by: EndedBy | None
    ended_early: str | None
    """Why the rest was not attempted, in words; both are None if nothing ended it early."""
    outcomes: tuple[Outcome, ...]
    """One for each removal, in the order of the plan."""


def carry_out(
    plan: Plan, context: RemovalContext, stop: StopRequest, progress: Progress = lambda done, total: None
) -> Carried:
    """Carry out a plan and return the outcome of every removal.

    Once `stop` is set, removals in progress are finished and the rest is not attempted; the same if the engine does not
    come back, if it did something it was not asked for, and if a required record cannot be written.
    """
    started_at = datetime.now(UTC)
    run = _Run(plan, context, stop, progress)
    run.carry_out()
    outcomes = tuple(run.outcomes[attempt_of(removal)] for removal in plan.removals)
    return Carried(started_at, datetime.now(UTC), *run.end(), outcomes)


class _Run:
    """The state of carrying out one plan."""

    def __init__(self, plan: Plan, context: RemovalContext, stop: StopRequest, progress: Progress) -> None:
        self.outcomes: dict[Attempt, Outcome] = {}
        self._plan = plan
        self._context = context
        self._progress = progress
        self._stayed: set[ObjectRef] = set()
        self._lock = threading.Lock()
        self._stop = stop
        self._ended: tuple[EndedBy, str] | None = None

    def carry_out(self) -> None:
        """Carry out the plan; afterwards every removal has an outcome."""
        schedule = Schedule(self._plan.removals, cache_comes_last=not self._context.engine.quirks.tells_usage_in_parts)
        count = min(WORKERS, len(schedule))
        if not count:
            return
        with ThreadPoolExecutor(count) as pool:
            for worker in [pool.submit(self._work, schedule) for _ in range(count)]:
                worker.result()

    def _work(self, schedule: Schedule) -> None:
        """Remove objects until all have been begun; runs in each worker."""
        while (begun := schedule.begin()) is not None:
            place, unit = begun
            try:
                self._keep(self._do_unit(unit))
            finally:
                schedule.end(place)

    def _keep(self, done: Sequence[tuple[Removal, Outcome]]) -> None:
        with self._lock:
            for removal, outcome in done:
                self.outcomes[attempt_of(removal)] = outcome
                if outcome.status not in ("removed", "gone"):
                    self._stayed.add(removal.ref)
            self._progress(len(self.outcomes), len(self._plan.removals))

    def end(self) -> tuple[EndedBy | None, str | None]:
        """Return what ended it early, and why in words. A signal or a lost engine after everything was done does not
        count."""
        left = any(outcome.status == "not-attempted" or outcome.is_unknown for outcome in self.outcomes.values())
        if self._ended is not None and (left or self._ended[0] in ("surprise", "ledger")):
            return self._ended
        return ("signal", INTERRUPTED) if left else (None, None)

    def _do_unit(self, unit: Unit) -> list[tuple[Removal, Outcome]]:
        """Carry out the removals of one object.

        An error of our own ends the run, and every removal still has an outcome.
        """
        done: list[tuple[Removal, Outcome]] = []
        try:
            self._do_removals(unit, done)
        except Exception as error:
            text = f"dockersweep failed here ({type(error).__name__}: {error}); this is a bug"
            self._context.record.failed_inside(error)
            self._end("surprise", text)
            done += [(removal, outcome_of(removal, "failed", text)) for removal in unit[len(done) :]]
        return done

    def _do_removals(self, unit: Unit, done: list[tuple[Removal, Outcome]]) -> None:
        if unit[0].kind == "build-cache":
            done += self._do_records(unit)
            return
        for removal in unit:
            if self._is_ending():
                outcome = self._not_attempted(removal)
            else:
                outcome = self._blocked(removal, done) or self._do_one(removal)
            done.append((removal, self._recorded(removal, outcome)))

    def _is_ending(self) -> bool:
        return self._ended is not None or self._stop.is_set()

    def _end(self, by: EndedBy, text: str) -> None:
        if not (by == "engine" and self._stop.is_set()):
            self._ended = self._ended or (by, text)

    def _recorded(self, removal: Removal, outcome: Outcome) -> Outcome:
        if outcome.is_unknown:
            self._end("engine", outcome.detail or "")
        if outcome.status == "removed" and outcome.recovery is None:
            outcome = replace(outcome, recovery=removal.recovery)
        try:
            self._context.record.ended(removal, outcome)
        except LedgerError as error:
            self._end("ledger", str(error))
        return outcome

    def _blocked(self, removal: Removal, done: list[tuple[Removal, Outcome]]) -> Outcome | None:
        staying = [ref for ref in removal.after if ref in self._stayed]
        if staying:
            return outcome_of(removal, "skipped", f"{staying[0].kind} {staying[0].id[:19]}, which holds it, stayed")
        if any(outcome.status not in ("removed", "gone") for _, outcome in done):
            return outcome_of(removal, "skipped", "another tag of it stayed")
        return None

    def _do_one(self, removal: Removal) -> Outcome:
        with self._ending_the_run() as outcomes:
            outcomes.append(remove_one(self._context, removal))
        return outcomes[0] if outcomes else self._not_attempted(removal)

    @contextmanager
    def _ending_the_run(self) -> Iterator[list[Outcome]]:
        """End the run on an error that requires it; a SurpriseError's outcomes are added to the list."""
        outcomes: list[Outcome] = []
        try:
            yield outcomes
        except EngineLostError as error:
            self._end("engine", str(error))
        except LedgerError as error:
            self._end("ledger", str(error))
        except SurpriseError as surprise:
            self._end("surprise", str(surprise))
            outcomes += surprise.outcomes

    def _not_attempted(self, removal: Removal) -> Outcome:
        return outcome_of(removal, "not-attempted", self._ended[1] if self._ended else INTERRUPTED)

    def _do_records(self, unit: Unit) -> list[tuple[Removal, Outcome]]:
        outcomes: list[Outcome] = []
        if not self._is_ending():
            with self._ending_the_run() as surprises:
                for group in remove_records(self._context, unit, self._plan.size_base == "lengths"):
                    outcomes += self._recorded_group(unit[len(outcomes) :], group)
                    if self._is_ending():
                        break
            outcomes += self._recorded_group(unit[len(outcomes) :], surprises)
        rest = unit[len(outcomes) :]
        outcomes += self._recorded_group(rest, [self._not_attempted(removal) for removal in rest])
        return list(zip(unit, outcomes, strict=True))

    def _recorded_group(self, removals: Sequence[Removal], outcomes: Sequence[Outcome]) -> list[Outcome]:
        return [self._recorded(removal, outcome) for removal, outcome in zip(removals, outcomes, strict=False)]
