"""The plans of several hosts, shown together; one question; then what is still permitted of each is carried out."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol

from msgspec.structs import replace

from dockersweep.commands.fleet.carrying_out import Carried, canary_names, carry_out
from dockersweep.commands.fleet.held_volumes import why_they_stay
from dockersweep.commands.fleet.host_options import HostVerbOptions
from dockersweep.commands.fleet.host_process import LARGEST_BYTES, HostTask, document_path
from dockersweep.commands.fleet.host_tables import host_layout
from dockersweep.commands.fleet.hosts_at_work import HostsAtWork
from dockersweep.commands.fleet.sparing import keep_volumes, read_plan
from dockersweep.commands.fleet.tasks import tasks_of
from dockersweep.commands.fleet.verb_parts import VerbParts
from dockersweep.commands.options import ApplyOptions
from dockersweep.commands.running.permission import ask
from dockersweep.commands.running.saved_run import run_saved
from dockersweep.errors import RefusedError
from dockersweep.files import read_named
from dockersweep.fleet.folding import ERROR, REFUSED, fold, with_same_engines
from dockersweep.fleet.hosts import Hosts
from dockersweep.fleet.rollout import why_stop
from dockersweep.fleet.shared_volumes import shareable_removals
from dockersweep.model.documents import read_document
from dockersweep.model.fleet import FleetHost, FleetVerb, HostSums, RolloutOutcome
from dockersweep.model.plan import NOTHING, Plan
from dockersweep.report.detail import Detail
from dockersweep.report.fleet.layout import fleet_layout
from dockersweep.report.fleet.question import fleet_question, lost_section
from dockersweep.report.layout import Layout, Section

_SEE_OBJECTS = "--verbose lists the objects of each host here."


class Signaled(Protocol):
    """What knows of a signal."""

    signal: int | None
    """The first that came; None for none."""


class PlannedHosts:
    """Hosts with a plan each, in files of a folder by their numbers."""

    def __init__(self, planned: Sequence[FleetHost], folder: str, hosts: Hosts) -> None:
        """Take the hosts of the plans in the order of `hosts`."""
        self.hosts = hosts
        self._folder = folder
        self._planned = [_refused_by_limits(host) for host in with_same_engines(planned)]
        self._are_shown = False

    @property
    def going(self) -> list[FleetHost]:
        """The hosts that something is removed on."""
        return [host for host in self._planned if _has_removals(host)]

    @property
    def failed(self) -> list[FleetHost]:
        """The hosts without a plan that may be carried out."""
        return [host for host in self._planned if host.status != "done"]

    @property
    def why_stopped(self) -> str | None:
        """Why the rollout ends before it begins, where hosts failed so early; None to go on."""
        return why_stop(self.hosts.rollout, self.failed, canary_names(self.hosts))

    @property
    def stopped(self) -> Carried:
        """What there is to tell where the rollout ends before it begins."""
        rollout = self.hosts.rollout
        hosts = {
            number: replace(host, status="not-begun", exit_status=None, sums=_nothing(host.sums))
            for number, host in enumerate(self._planned)
            if _has_removals(host)
        }
        outcome = RolloutOutcome(canary=rollout.canary, max_failures=rollout.max_failures, stopped=self.why_stopped)
        return Carried({**self.untouched, **hosts}, outcome)

    def refuse_by_rollout(self) -> None:
        """Raise RefusedError where hosts failed so early that the rollout ends before it begins."""
        why = self.why_stopped
        if why is not None:
            messages = "; ".join(f"{host.name}: {host.message}" for host in self.failed[:3])
            raise RefusedError(f"{why} ({messages})")

    @property
    def untouched(self) -> dict[int, FleetHost]:
        """The hosts that nothing is removed on, by their numbers."""
        return {number: _untouched(host) for number, host in enumerate(self._planned) if not _has_removals(host)}

    def ask(self, verb: FleetVerb, at: datetime, at_work: Signaled, detail: Detail = "grouped") -> None:
        """Show what would be removed on each host, with the detail "all" each object, and ask; raises as
        `permission.ask`."""
        rollout = RolloutOutcome(canary=self.hosts.rollout.canary, max_failures=self.hosts.rollout.max_failures)
        shown = replace(fold(verb, self._planned, at, at, rollout=rollout), verb="plan")
        layout = fleet_layout(shown)
        objects = self._objects() if detail == "all" else ()
        hint = Section(sentences=() if detail == "all" else (_SEE_OBJECTS,))
        above = Layout(layout.title, [*objects, *layout.sections, hint, lost_section(self.going)])
        ask(above, fleet_question(self.going), lambda: at_work.signal is not None)
        self._are_shown = True

    def _objects(self) -> Iterator[Section]:
        for number, host in enumerate(self._planned):
            if _has_removals(host):
                yield Section(f"On {host.name}:")
                yield from host_layout(host.name, self._document(number, host), None).sections

    def _document(self, number: int, host: FleetHost) -> bytes:
        """Return the plan of a host: of a swarm's node it is in the memory of this process."""
        in_memory = bytes(host.document)
        return in_memory if in_memory != b"null" else read_named(document_path(self._folder, number), LARGEST_BYTES)

    def carry_out(
        self,
        parts: VerbParts,
        options: ApplyOptions,
        folder: str,
        where: str | None,
        at_work: HostsAtWork,
        splay_seconds: float = 0.0,
    ) -> Carried:
        """Carry out the plans; their outcomes go to `folder`. `where` is the file of the plans, None for those that
        were just made. An engine is not compared with the one before: its plan tells which it is for."""
        of_all = tasks_of(self.hosts, parts, options, folder, partial(_apply, where))
        self._look_again(at_work, of_all)
        tasks = [
            replace(task, options=replace(options, plan=document_path(self._folder, task.number)))
            for task in of_all
            if _has_removals(self._planned[task.number])
        ]
        carried = carry_out(at_work, tasks, self.hosts, self.failed, splay_seconds)
        results = {number: self._with_notes(number, host) for number, host in carried.hosts.items()}
        return Carried({**results, **self.untouched}, carried.rollout)

    def _look_again(self, at_work: HostsAtWork, tasks: Sequence[HostTask]) -> None:
        """Keep volumes that several hosts may have, and that one of these uses since its plan was made."""
        if not any(host.sums.shareable_volumes for host in self.going):
            return
        numbers = [number for number, host in enumerate(self._planned) if _has_removals(host)]
        plans = {number: read_plan(self._folder, number) for number in numbers}
        kept = why_they_stay(at_work, tasks, plans)
        for number, plan in plans.items():
            own = {volume: kept[volume] for volume in shareable_removals(plan) if volume in kept}
            if own:
                self._planned[number] = keep_volumes(self._folder, number, self._planned[number], plan, own)

    def _with_notes(self, number: int, host: FleetHost) -> FleetHost:
        """Return a host with the notes on its plan, and without the warnings that were shown above the question."""
        planned = self._planned[number]
        notes = (*planned.notes, *(note for note in host.notes if note not in planned.notes))
        shown = planned.sums.problems if self._are_shown else ()
        problems = tuple(problem for problem in host.sums.problems if problem not in shown)
        warnings = host.sums.warnings - (planned.sums.warnings if self._are_shown else 0)
        return replace(host, notes=notes, sums=replace(host.sums, problems=problems, warnings=max(0, warnings)))


def _apply(where: str | None, options: HostVerbOptions) -> int:
    """Carry out the plan of one host."""
    assert isinstance(options, ApplyOptions)
    of = where or "the plan that was shown"
    saved = read_document(read_named(options.plan, LARGEST_BYTES), Plan, of)
    return run_saved(saved, of, options, saved.policy.source if where is None else None)


def _has_removals(host: FleetHost) -> bool:
    return host.status == "done" and host.same_as is None and host.sums.removals > 0


def _untouched(host: FleetHost) -> FleetHost:
    """Return a host without the figures of its plan; the exit status is no longer that of the plan."""
    status = 0 if host.status == "done" else host.exit_status or ERROR
    return replace(host, exit_status=status, sums=_nothing(host.sums))


def _nothing(sums: HostSums) -> HostSums:
    return replace(sums, freed={}, total=NOTHING, removals=0, lost=None)


def _refused_by_limits(host: FleetHost) -> FleetHost:
    if not host.sums.over_limits or host.status != "done":
        return host
    why = f"over a limit: {'; '.join(host.sums.over_limits)}"
    return replace(host, status="refused", exit_status=REFUSED, message=why, sums=_nothing(host.sums))
