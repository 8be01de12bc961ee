"""What one of several hosts gets done, in a process of its own: the verb, as on this host alone, into a file; then the
figures of its document."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from dockersweep.commands.fleet.acquaintance import note_look
from dockersweep.commands.fleet.host_options import HostVerbOptions, options_for
from dockersweep.commands.running.signals import SIGNALS
from dockersweep.errors import DockersweepError, EngineLostError, EngineTimeoutError, UnknownObjectError
from dockersweep.files import is_there, read_named
from dockersweep.fleet.folding import ERROR, INTERRUPTED, REFUSED, status_of
from dockersweep.fleet.hosts import Host
from dockersweep.fleet.sums import sums_of
from dockersweep.model.documents import read_document
from dockersweep.model.fleet import FleetHost, HostSums
from dockersweep.model.inventory import Engine, Inventory
from dockersweep.model.naming import engine_identity
from dockersweep.model.outcome import OutcomeDocument
from dockersweep.model.plan import Interval, Plan
from dockersweep.model.report import Report

if TYPE_CHECKING:
    from dockersweep.engine.api.client import Client

Summed = type[Inventory] | type[Plan] | type[OutcomeDocument] | type[Report]
LARGEST_BYTES = 4_000_000_000


class HostTask(Struct, frozen=True, kw_only=True):
    """What is to be done on one host."""

    host: Host
    run: Callable[[HostVerbOptions], int]
    """Carries out the verb, and returns its exit status."""
    options: HostVerbOptions
    uses_ledger: bool
    summed: Summed | None
    """The type of the document if it has figures to sum up."""
    folder: str
    """The private folder of the run, for the document of each host."""
    number: int
    connect_timeout_seconds: float | None
    policy_sha256: str | None
    policy_source: str | None
    on_answer: Callable[[Engine], str | None]
    """Called in the host's process when its engine has answered; it may raise, or return a note for people."""
    is_watched: bool = False
    """Whether a person looks at what comes of it."""
    keeps_stderr: bool = False
    """Whether the verb's own lines on standard error are the output that was asked for: events for programs."""

    @property
    def path(self) -> str:
        """The path of the host's document."""
        return document_path(self.folder, self.number)


class HostResult(Struct, frozen=True, kw_only=True):
    """What became of a task. The document is in its file."""

    host: FleetHost
    crash: str | None = None
    """The traceback of an error of ours; None where there was none."""


class SameEngineError(DockersweepError):
    """Another host of the run is the same engine, and gets the same done; the message is its name."""

    exit_status = 0


def document_path(folder: str, number: int) -> str:
    """Return the path of the document of a host."""
    return os.path.join(folder, f"{number}.json")


def do_task(task: HostTask, answered: Callable[[], None]) -> bytes:
    """Carry out the verb on one host; return a HostResult as JSON. `answered` is called as soon as its engine has
    answered."""
    _be_quiet(task.keeps_stderr)
    return msgspec.json.encode(_Work(task, answered).result())


class _Work:
    def __init__(self, task: HostTask, answered: Callable[[], None]) -> None:
        self._task = task
        self._answered = answered
        self._engine: Engine | None = None
        self._notes: tuple[str, ...] = ()
        self._has_answered = False
        """Whether something answered, though maybe no engine, or not as one."""

    def result(self) -> HostResult:
        begun = time.monotonic()
        status, message, same_as, crash = ERROR, None, None, None
        try:
            task = self._task
            limit = task.connect_timeout_seconds
            status = task.run(options_for(task.host, task.options, task.path, self._on_answer, limit, self._on_untold))
        except SameEngineError as error:
            status, same_as = error.exit_status, str(error)
        except UnknownObjectError as error:
            # Of several hosts not each needs to have it.
            status, message = 0, str(error)
        except DockersweepError as error:
            status, message = error.exit_status, str(error)
            self._has_answered = not isinstance(error, EngineLostError | EngineTimeoutError)
        except KeyboardInterrupt:
            status, message = INTERRUPTED, "interrupted"
        except Exception as error:
            message, crash = f"a bug of dockersweep: {type(error).__name__}: {error}", traceback.format_exc()
        for number in SIGNALS:
            # What is to be told is told.
            signal.signal(number, signal.SIG_IGN)
        host = self._host(status, message, same_as, time.monotonic() - begun)
        return HostResult(host=host, crash=crash)

    def _on_answer(self, client: "Client") -> None:
        self._engine = client.engine
        self._answered()
        note = self._task.on_answer(client.engine)
        self._notes = () if note is None else (note,)
        if self._task.is_watched:
            note_look(self._task.uses_ledger, client.engine)

    def _on_untold(self, why: str) -> None:
        self._notes = (*self._notes, why)

    def _host(self, status: int, message: str | None, same_as: str | None, seconds: float) -> FleetHost:
        engine, host = self._engine, self._task.host
        return FleetHost(
            name=host.name,
            address=host.address,
            groups=host.groups,
            status=status_of(status, engine is not None or self._has_answered),
            engine_id=None if engine is None else engine.id,
            engine_identity=None if engine is None else engine_identity(engine),
            same_as=same_as,
            exit_status=status,
            message=message,
            notes=self._notes,
            seconds=round(seconds, 3),
            policy_sha256=self._task.policy_sha256,
            policy_source=self._task.policy_source,
            sums=self._sums(status),
        )

    def _sums(self, status: int) -> HostSums:
        task = self._task
        if task.summed is None or not is_there(task.path):
            has_removed = task.summed is OutcomeDocument and self._engine is not None and status not in (0, REFUSED)
            # It failed without a document, as on a full disk.
            return HostSums(total=Interval(low_bytes=0, high_bytes=None)) if has_removed else HostSums()
        return sums_of(read_document(read_named(task.path, LARGEST_BYTES), task.summed, task.path))


def _be_quiet(keeps_stderr: bool) -> None:
    """Say nothing: what there is to say is in the result."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, sys.__stdout__.fileno() if sys.__stdout__ else 1)
    if not keeps_stderr:
        os.dup2(nowhere, 2)
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - it lives as long as the process.
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
