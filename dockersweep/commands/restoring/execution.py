"""Makes removed objects again: asks, carries out, records, and writes what became of each."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from dockersweep import __version__
from dockersweep.commands.archive_folder import archive_folder
from dockersweep.commands.event_log import EventLog
from dockersweep.commands.options import RestoreOptions
from dockersweep.commands.policy_source import policy_in_force
from dockersweep.commands.progress import show_progress
from dockersweep.commands.restoring.archives import Archives
from dockersweep.commands.restoring.known import known_removals
from dockersweep.commands.restoring.present import present_objects
from dockersweep.commands.running.archiving_place import archiving_place
from dockersweep.commands.running.execution import user_name
from dockersweep.commands.running.permission import ask
from dockersweep.commands.running.run_lock import RunLock
from dockersweep.commands.running.signals import Stopped, stop_on_signals
from dockersweep.commands.write import Destination, terminal_width, write_problems
from dockersweep.engine.api.creations import Creations
from dockersweep.engine.archiving.stores_to_read import is_of_root
from dockersweep.engine.archiving.volume_containers import VolumeContainers
from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.engine.disk.stores import Stores
from dockersweep.engine.reading.own_folders import stores_in_time
from dockersweep.engine.restoring.restorer import Restorer, outcome_of, skipped_at_once
from dockersweep.engine.restoring.volumes import VolumeMaker
from dockersweep.errors import DockersweepError, EngineLostError, RefusedError, UnknownObjectError, UsageError
from dockersweep.ledger import Ledger, RunRecord
from dockersweep.model.history import RunStart
from dockersweep.model.inventory import ScanWarning
from dockersweep.model.restoring import RESTORED_FROM, Present, Removed, Restoration, Restored, RunOfEngine, Step
from dockersweep.policy.restoring.planner import plan_restoration, restored_image
from dockersweep.policy.restoring.selecting import of_object, of_run
from dockersweep.report.headline import warning_sentences
from dockersweep.report.restoration_problems import problem_lines
from dockersweep.words.documents import write_document
from dockersweep.words.lists import either, first_of

SOME_FAILED = 3


class Wanted(Struct, frozen=True):
    """What was asked for."""

    words: str
    """"run 12", "volume pg-old"."""
    objects: tuple[Removed, ...]
    build_cache_records: int = 0


class RestoreRun(Struct):
    """One run of `restore` on one engine."""

    calls: Creations
    options: RestoreOptions
    ledger: Ledger
    archives: Archives
    lock: RunLock | None
    """None where nothing is made."""
    started_at: datetime

    def run(self) -> int:
        """Plan, ask, and carry out; return the exit status."""
        known = self._known()
        present, listed = present_objects(self.calls)
        wanted = self._wanted(known, present)
        steps = self._steps(plan_restoration(wanted.objects, known, present, self.options.as_name), listed)
        planned = self._document(wanted, [outcome_of_planned(step) for step in steps])
        if self.options.dry_run or not any(step.skip is None for step in steps):
            return self._write(planned, status_of(planned))
        stopped = Stopped(EventLog("text"))
        with stop_on_signals(stopped):
            self._ask(planned, stopped)
            return self._carry_out(wanted, steps, listed, stopped)

    def _known(self) -> tuple[Removed, ...]:
        named = self.options.archive
        folder = named or archive_folder(policy_in_force(self.options.policy, os.environ).archive)
        return known_removals(self.ledger, self.calls.engine, self.archives, folder, is_named=named is not None)

    def _wanted(self, known: Sequence[Removed], present: Present) -> Wanted:
        what, engine = self.options.what, self.calls.engine
        number = int(what) if what.isascii() and what.isdecimal() and len(what) <= 18 else None
        run = None if number is None else self.ledger.run_of(engine, number)
        if run is not None and number is not None:
            return self._wanted_run(known, number, run)
        of_archive = of_run(known, what if number is None else number)
        if of_archive:
            self._check_whole_run()
            return Wanted(f"run {what}", of_archive)
        removed = self._wanted_object(known, present)
        kind = "tag" if removed.action == "tag" else removed.kind
        return Wanted(f"{kind} {removed.name}", (removed,))

    def _wanted_object(self, known: Sequence[Removed], present: Present) -> Removed:
        try:
            return of_object(known, self.options.what, self.options.run, present)
        except UnknownObjectError as error:
            tried = f"; archives looked into: {', '.join(self.archives.tried)}" if self.archives.tried else ""
            raise UnknownObjectError(f"{error}{tried}{self._of_others()}") from None

    def _of_others(self) -> str:
        """Return that there are runs of other engines, as after one was installed anew; empty without any."""
        others = self.archives.of_others
        if not others:
            return ""
        return (
            f"; runs of another engine ({first_of(sorted(others), 3)}) are there, too: name that with --host, or put "
            'things back by hand, as dockersweep(1) tells under "The archive"'
        )

    def _check_whole_run(self) -> None:
        if self.options.as_name is not None or self.options.run is not None:
            raise RefusedError("--as and --run are for one object: leave them out, or name the object")

    def _wanted_run(self, known: Sequence[Removed], number: int, run: RunOfEngine) -> Wanted:
        self._check_whole_run()
        others = self._others_of_number(known, number)
        if others:
            raise UsageError(
                f"{self.options.archive} has another run {number} than the ledger: for that one write "
                f"{either(others)}, for the ledger's leave out --archive"
            )
        if not run.is_of_engine:
            where = " at ".join(part for part in (run.engine_name, run.endpoint) if part)
            raise RefusedError(f"run {number} was on another engine ({where}): name that with --host")
        return Wanted(f"run {number}", of_run(known, number), run.build_cache_records)

    def _others_of_number(self, known: Sequence[Removed], number: int) -> list[str]:
        """Return the folders of runs of this number in the archive that was named, if none of them is the ledger's."""
        if self.options.archive is None:
            return []
        within = f"{os.path.realpath(self.options.archive)}/"
        if any(one.run == number and one.folder is not None and one.folder.startswith(within) for one in known):
            return []
        runs = {found.folder for found in self.archives.found.values() if found.archive.run == number}
        return sorted(folder.removeprefix(within) for folder in runs if folder.startswith(within))

    def _steps(self, steps: Sequence[Step], listed: ListedObjects) -> tuple[Step, ...]:
        """Return the steps, with a warning at those whose volume a run which did not end has left half made. One
        without our label is somebody's own, who took the name meanwhile."""
        half = self.ledger.half_restored(self.calls.engine)
        ours = {volume.name for volume in listed.volumes if RESTORED_FROM in volume.labels}
        return tuple(
            _as_half_made(step, half[step.kind, step.as_name])
            if step.is_there and (step.kind, step.as_name) in half and step.kind == "volume" and step.as_name in ours
            else step
            for step in steps
        )

    def _ask(self, planned: Restoration, stopped: Stopped) -> None:
        if self.options.yes:
            return
        from dockersweep.report.restoration import restoration_layout, restoration_question

        ask(restoration_layout(planned), restoration_question(planned), stopped.request.is_set)

    def _carry_out(self, wanted: Wanted, steps: Sequence[Step], listed: ListedObjects, stopped: Stopped) -> int:
        record = self.ledger.begin(self._run_start(wanted))
        status, note = 1, "it ended with an error of its own"
        try:
            record.restoring([_as_recorded(step) for step in steps])
            document = self._made(wanted, steps, listed, stopped, record)
            status = stopped.exit_status if stopped.request.is_set() else status_of(document)
            if document.ended_early is not None and not stopped.request.is_set():
                status = EngineLostError.exit_status
            note = document.ended_early or ""
            return self._write(document, status)
        except DockersweepError as error:
            status, note = error.exit_status, str(error)
            raise
        finally:
            record.finish(status, datetime.now(UTC), None, note or None)

    def _made(
        self, wanted: Wanted, steps: Sequence[Step], listed: ListedObjects, stopped: Stopped, record: RunRecord
    ) -> Restoration:
        restored: list[Restored] = []
        containers = VolumeContainers(self.calls, archiving_place())
        restorer = Restorer(self.calls, self.archives, self._volumes(containers, listed), restored_image)
        try:
            with show_progress("restoring", self.options.engine.shows_progress) as progress:
                for one in restorer.carry_out(steps, stopped.request.is_set):
                    record.restored(len(restored), one)
                    restored.append(one)
                    progress(len(restored), len(steps))
        finally:
            problem = containers.close()
        document = self._document(wanted, restored, record.number)
        left = () if problem is None else (ScanWarning(about="restore", text=problem),)
        ended_early = next((one.detail for one in restored if one.status == "not-attempted"), None)
        return replace(document, ended_early=ended_early, warnings=(*document.warnings, *left))

    def _volumes(self, containers: VolumeContainers, listed: ListedObjects) -> VolumeMaker:
        """Return what makes volumes: as root beside an engine of root's on its disk."""
        found = None
        if os.geteuid() == 0:
            found = stores_in_time(self.calls.engine, listed, self.options.engine.size_timeout_seconds)
        # In the folder of another user's engine that user could lead root elsewhere.
        stores = found if isinstance(found, Stores) and is_of_root(found) else None
        return VolumeMaker(self.calls, containers, stores)

    def _document(self, wanted: Wanted, restored: Sequence[Restored], run: int | None = None) -> Restoration:
        problem = None if self.lock is None else self.lock.problem
        lock = () if problem is None else (ScanWarning(about="lock", text=problem),)
        ledger = self.ledger.problem
        return Restoration(
            schema="dockersweep.restoration/1",
            engine=self.calls.engine,
            started_at=self.started_at,
            finished_at=datetime.now(UTC),
            asked_for=wanted.words,
            run=run,
            ended_early=None,
            restored=tuple(restored),
            build_cache_records=wanted.build_cache_records,
            warnings=(
                *lock,
                *self.archives.warnings,
                *(() if ledger is None else (ScanWarning(about="ledger", text=ledger),)),
            ),
        )

    def _run_start(self, wanted: Wanted) -> RunStart:
        return RunStart(
            engine=self.calls.engine,
            verb="restore",
            started_at=self.started_at,
            user=user_name(),
            pid=os.getpid(),
            version=__version__,
            policy_source=wanted.words,
            policy_sha256=None,
        )

    def _write(self, document: Restoration, status: int) -> int:
        output = self.options.output
        Destination(output.path).write(_text(document, self.options))
        write_problems([*warning_sentences(document.warnings), *problem_lines(document)], output)
        return status


def status_of(document: Restoration) -> int:
    """Return the exit status: whether all is there that was asked for."""
    failed = any(one.status not in ("restored", "planned") and not one.is_back for one in document.restored)
    return SOME_FAILED if failed else 0


def outcome_of_planned(step: Step) -> Restored:
    """Return a step as the document of a dry run has it."""
    if step.skip is None:
        return outcome_of(step, "planned", None)
    return skipped_at_once(step, step.skip)


def _as_recorded(step: Step) -> Restored:
    """Return a step for the ledger, without a number of another ledger's run."""
    planned = outcome_of_planned(step)
    return planned if step.removed.is_in_ledger else replace(planned, run=None)


def _as_half_made(step: Step, run: int) -> Step:
    return replace(step, skip=f"{step.skip}: {_half_made(step, run)}", is_there=False, is_back=False)


def _half_made(step: Step, run: int) -> str:
    return (
        f"run {run}, which was restoring it, did not end, so it may not be whole: remove it "
        f"(docker {step.kind} rm {step.as_name}), and restore it again"
    )


def _text(document: Restoration, options: RestoreOptions) -> str:
    if options.output.format == "json":
        return write_document(document)
    from dockersweep.report.formats import formatted
    from dockersweep.report.restoration import restoration_layout

    return formatted(restoration_layout(document), options.output.format, terminal_width(options.output.path))
