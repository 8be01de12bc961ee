"""Processes side by side, one a host, each forked from this one when its turn comes: what is imported already costs
none of them anything."""

import contextlib
import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess

from msgspec import Struct

from dockersweep.commands.running.signals import SIGNALS

Work = Callable[[Callable[[], None]], bytes]
"""What a process does; it calls its argument as soon as its host has answered, and returns its result."""

PATIENCE_SECONDS = 2.0
MOST_WAITING = 4
"""How many times as many processes there may be, for hosts that do not answer."""
TICK_SECONDS = 0.2
_ANSWERED = b"answered"
_END_SECONDS = 5.0


class Job(Struct, frozen=True):
    """The work of one host, and how long after the beginning it may begin."""

    number: int
    work: Work
    after_seconds: float = 0.0


class Done(Struct, frozen=True):
    """The end of a job: its result, or None and the exit code of a process that ended without one; negative for a
    signal."""

    number: int
    result: bytes | None
    exit_code: int | None
    seconds: float
    problem: str | None = None
    """Why there was no process; None where there was one."""


class _AtWork:
    """A process, and what it has said so far."""

    def __init__(self, number: int, process: ForkProcess, ear: Connection) -> None:
        self.number = number
        self.process = process
        self.ear = ear
        self.begun = time.monotonic()
        self.has_answered = False


class Crew:
    """Runs jobs, so many at the same time. This process must have no other threads."""

    def __init__(
        self,
        parallel: int,
        on_tick: Callable[[Sequence[int]], None],
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """`on_tick` is called several times a second with the numbers of the jobs at work. A host that does not answer
        within `patience_seconds` holds up no other."""
        self._parallel = parallel
        self._patience_seconds = patience_seconds
        self._on_tick = on_tick
        self._at_work: list[_AtWork] = []
        self._alive = os.pipe()
        """Its end tells the processes that this one is gone."""

    def run(self, jobs: Sequence[Job], may_begin: Callable[[], bool]) -> Iterator[Done]:
        """Yield each job's end; once `may_begin` returns False no further one is begun."""
        begun, waiting = time.monotonic(), sorted(jobs, key=lambda job: job.after_seconds)
        while waiting or self._at_work:
            if not may_begin():
                waiting = []
            while waiting and self._has_room() and time.monotonic() - begun >= waiting[0].after_seconds:
                job = waiting.pop(0)
                try:
                    self._begin(job)
                except OSError as error:
                    # No more processes or files: again when one has ended.
                    if not self._at_work:
                        yield Done(job.number, None, None, 0.0, f"no process can be started: {error.strerror}")
                        continue
                    waiting.insert(0, job)
                    break
            self._on_tick([at_work.number for at_work in self._at_work])
            yield from self._ended()

    def signal(self, number: int) -> None:
        """Pass a signal on to every process."""
        for at_work in self._at_work:
            if at_work.process.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(at_work.process.pid, number)

    def close(self) -> None:
        """Wait for processes that are left after an error, and release what is open."""
        self.signal(signal.SIGTERM)
        for at_work in self._at_work:
            at_work.process.join()
        for end in self._alive:
            os.close(end)

    def _has_room(self) -> bool:
        now = time.monotonic()
        busy = sum(at_work.has_answered or now - at_work.begun < self._patience_seconds for at_work in self._at_work)
        return busy < self._parallel and len(self._at_work) < MOST_WAITING * self._parallel

    def _begin(self, job: Job) -> None:
        context = multiprocessing.get_context("fork")
        ear, mouth = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(job.work, mouth, self._alive))
        # Until the process has handlers of its own.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            process.start()
        except BaseException:
            ear.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            mouth.close()
        self._at_work.append(_AtWork(job.number, process, ear))

    def _ended(self) -> Iterator[Done]:
        heard = wait([at_work.ear for at_work in self._at_work], TICK_SECONDS)
        for at_work in [at_work for at_work in self._at_work if at_work.ear in heard]:
            try:
                said = at_work.ear.recv_bytes()
            except (EOFError, OSError):
                said = None
            if said == _ANSWERED:
                at_work.has_answered = True
                continue
            self._at_work.remove(at_work)
            at_work.ear.close()
            at_work.process.join(_END_SECONDS)
            seconds = time.monotonic() - at_work.begun
            yield Done(at_work.number, said, at_work.process.exitcode, seconds)


def _work(work: Work, mouth: Connection, alive: tuple[int, int]) -> None:
    """Do the work in a process of its own."""
    # It ends before there is much to collect, and collecting would copy what it shares with the first process.
    gc.disable()
    # The terminal's signals are for the first process, which passes each on once.
    os.setpgid(0, 0)
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    _end_with_parent(alive)
    mouth.send_bytes(work(lambda: mouth.send_bytes(_ANSWERED)))
    mouth.close()


def _end_with_parent(alive: tuple[int, int]) -> None:
    """Ask to stop, by a signal, as soon as the first process is gone: nobody would fold what comes out."""
    import fcntl

    reads, writes = alive
    os.close(writes)
    if hasattr(fcntl, "F_SETSIG"):
        # Opened once more: who gets the signal is kept with what is open, which is shared with all others.
        with contextlib.suppress(FileNotFoundError):
            own = os.open(f"/proc/self/fd/{reads}", os.O_RDONLY)
            fcntl.fcntl(own, fcntl.F_SETOWN, os.getpid())
            fcntl.fcntl(own, fcntl.F_SETSIG, signal.SIGTERM)
            fcntl.fcntl(own, fcntl.F_SETFL, fcntl.fcntl(own, fcntl.F_GETFL) | os.O_ASYNC)
