"""The hosts of a run at work: a process each, progress, signals, and what became of each."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from random import SystemRandom
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Never, Self

import msgspec

from dockersweep.commands.fleet.crew import Crew, Done, Job
from dockersweep.commands.fleet.host_process import HostResult, HostTask, do_task
from dockersweep.commands.fleet.preloading import import_for_tables
from dockersweep.commands.running.signals import KILLED_BY, stop_on_signals
from dockersweep.fleet.folding import ERROR
from dockersweep.model.fleet import FleetHost

if TYPE_CHECKING:
    from tqdm import tqdm

_NAMES_SHOWN = 3


class HostsAtWork:
    """Runs tasks of hosts side by side. A signal lets each host finish what it has begun; no further one is begun."""

    def __init__(self, parallel: int, shows_progress: bool) -> None:
        """Begin nothing yet."""
        self.signal: int | None = None
        """The first signal that came; None for none."""
        self.crashes: list[str] = []
        """The tracebacks of errors of ours."""
        self._names: dict[int, str] = {}
        self._is_imported = False
        self._shows_progress = shows_progress and sys.stderr.isatty()
        self._bar: tqdm[Never] | None = None
        self._crew = Crew(parallel, self._tick)
        self._handled = ExitStack()

    def __enter__(self) -> Self:
        """Pass signals on from now on; wait for what is at work at the end."""
        self._handled.enter_context(stop_on_signals(self._on_signal))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Restore what was."""
        self._crew.close()
        self._handled.close()

    def run(
        self,
        what: str,
        tasks: Sequence[HostTask],
        why_stop: Callable[[Sequence[FleetHost]], str | None] = lambda finished: None,
        splay_seconds: float = 0.0,
    ) -> list[FleetHost]:
        """Return what became of each task, in their order; `what` is done, for the progress bar.

        Once `why_stop` returns a text for those that are finished, no further one is begun. Each waits a random time of
        at most `splay_seconds` first.
        """
        finished: dict[int, FleetHost] = {}
        self._names = {task.number: task.host.name for task in tasks}
        waits = SystemRandom()
        jobs = [Job(task.number, partial(do_task, task), waits.uniform(0, splay_seconds)) for task in tasks]
        of_number = {task.number: task for task in tasks}

        def may_begin() -> bool:
            return self.signal is None and why_stop(list(finished.values())) is None

        with self._progress(what, len(tasks)):
            for done in self._crew.run(jobs, may_begin):
                finished[done.number] = self._became(of_number[done.number], done)
                if self._bar is not None:
                    self._bar.update()
        return [finished.get(task.number) or not_begun(task) for task in tasks]

    @contextmanager
    def _progress(self, what: str, total: int) -> Iterator[None]:
        self._bar = _progress_bar(what, total) if self._shows_progress and total else None
        try:
            yield
        finally:
            if self._bar is not None:
                self._bar.close()
                self._bar = None

    def _became(self, task: HostTask, done: Done) -> FleetHost:
        if done.result is not None:
            result = msgspec.json.decode(done.result, type=HostResult)
            if result.crash is not None:
                self.crashes.append(result.crash)
            return result.host
        if done.problem is not None:
            return msgspec.structs.replace(
                not_begun(task), status="failed", exit_status=ERROR, message=f"{done.problem}; lower --parallel"
            )
        code = done.exit_code or 0
        how = f"by signal {-code}" if code < 0 else f"with status {code}"
        return msgspec.structs.replace(
            not_begun(task),
            status="failed",
            exit_status=ERROR if code >= 0 else KILLED_BY - code,
            message=f"its process was ended {how}; what it has done until then is {_known_by(task)}",
            seconds=round(done.seconds, 3),
        )

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal = number
            os.write(2, b"dockersweep: every host finishes what it has begun, the rest is not begun\n")
        self._crew.signal(number)

    def _tick(self, numbers: Sequence[int]) -> None:
        if numbers and not self._is_imported:
            self._is_imported = True
            import_for_tables()
        if self._bar is None:
            return
        names = [self._names[number] for number in numbers]
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        self._bar.set_postfix_str(", ".join(names[:_NAMES_SHOWN]) + more, refresh=False)
        if self._bar.format_dict["elapsed"] > self._bar.delay:
            self._bar.refresh()


def not_begun(task: HostTask) -> FleetHost:
    """Return a host whose turn did not come."""
    host = task.host
    return FleetHost(
        name=host.name,
        address=host.address,
        groups=host.groups,
        status="not-begun",
        policy_sha256=task.policy_sha256,
        policy_source=task.policy_source,
    )


def _known_by(task: HostTask) -> str:
    return "in the ledger" if task.uses_ledger else "not known without the ledger"


def _progress_bar(what: str, total: int) -> "tqdm[Never]":
    from tqdm import tqdm

    # Its thread would be lost in the processes that are forked from this one, with the locks that it holds.
    tqdm.monitor_interval = 0
    form = "{desc}: {n_fmt} of {total_fmt} hosts [{elapsed}{postfix}]"
    return tqdm(desc=what, total=total, file=sys.stderr, delay=1, leave=False, dynamic_ncols=True, bar_format=form)
