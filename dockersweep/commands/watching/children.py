"""Starts what scans, sweeps, reports or tells others for a watcher: processes of their own, by the policy in force."""

import errno
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import Literal

import msgspec

from dockersweep.commands.options import OutputOptions, WatchOptions
from dockersweep.model.policy import Policy
from dockersweep.model.watching import ChildResult, ChildTask

Work = Literal["sweep", "look", "tell"]
_PROGRAM = (
    # Ctrl-C ends it without a traceback of its imports.
    "import _signal, sys; "
    "_signal.getsignal(2) is _signal.default_int_handler and _signal.signal(2, _signal.SIG_DFL); "
    "sys.path[:] = sys.stdin.buffer.readline()[:-1].decode(errors='surrogateescape').split(chr(0)); "
    "from dockersweep.watch_child import main; sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))"
)
"""Finds us where the watcher did: the script that started it may have said where that is."""
LONGEST_SECONDS: dict[Work, float] = {"sweep": 86_400.0, "look": 3_600.0, "tell": 7_200.0}
"""How long each may take before it counts as hanging."""
END_SECONDS = 60.0
"""How much longer than one removal may take a child has to end when it is told to."""
EXIT_SECONDS = 1.0
"""How long it is waited for where it has told its result and ends."""
LARGEST_RESULT_BYTES = 1_000_000
NO_RESULT = 1


class Child:
    """One such process. It leads a group of its own: Ctrl-C is for the watcher, which tells it once."""

    def __init__(self, work: Work, options: WatchOptions, task: ChildTask) -> None:
        """Start it. Raises OSError where that is not possible."""
        self.work = work
        self.started_at = time.monotonic()
        self._told_to_end_at: float | None = None
        self._patience = options.run.removal_timeout_seconds + END_SECONDS
        self._received = bytearray()
        self._has_told = False
        read, write = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM, work, str(write), *options.command_line],
                stdin=subprocess.PIPE,
                stdout=None if _shows_outcome(options.run.output) else subprocess.DEVNULL,
                pass_fds=(write,),
                process_group=0,
            )
        except BaseException:
            os.close(read)
            raise
        finally:
            os.close(write)
        self.result_end = read
        """Can be read where it has told its result, or ended."""
        os.set_blocking(read, False)
        try:
            _hand_over(self._process, task)
        except OSError:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def poll(self) -> ChildResult | None:
        """Return its result once it has ended; None before. What hangs is ended."""
        # Asked first: what it wrote just before its end is read below.
        has_ended = self._process.poll() is not None
        self._receive()
        if self._has_told and not has_ended:
            # Its pipe can be read all the time now, so that the loop would not wait for anything.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(EXIT_SECONDS)
                has_ended = True
        if has_ended:
            return self._result()
        self._end_where_it_hangs()
        return None

    def end(self, number: int) -> None:
        """Hand it a signal: it ends after what is under way."""
        if self._told_to_end_at is None:
            self._told_to_end_at = time.monotonic()
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def close(self) -> None:
        """Forget it; what is left of it is killed."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self.result_end)

    def _receive(self) -> None:
        with suppress(BlockingIOError):
            while data := os.read(self.result_end, 65_536):
                if len(self._received) <= LARGEST_RESULT_BYTES:
                    self._received += data
            self._has_told = True

    def _end_where_it_hangs(self) -> None:
        now = time.monotonic()
        if self._told_to_end_at is None and now - self.started_at > LONGEST_SECONDS[self.work]:
            self.end(signal.SIGTERM)
        elif self._told_to_end_at is not None and now - self._told_to_end_at > self._patience:
            self._process.kill()

    def _result(self) -> ChildResult:
        status = self._process.returncode
        status = 128 - status if status < 0 else status
        with suppress(msgspec.DecodeError, ValueError):
            return msgspec.json.decode(bytes(self._received), type=ChildResult)
        why = f"was ended by signal {status - 128}" if status > 128 else f"broke off with exit status {status}"
        return ChildResult(exit_status=status or NO_RESULT, problem=f"its process {why}", broke_off=True)


def _hand_over(process: "subprocess.Popen[bytes]", task: ChildTask) -> None:
    """Write the task, from a thread: a process that takes none of a policy larger than a pipe must hold up nobody.
    Raises OSError where there is no thread for it, and no process any more."""
    import threading

    # Of the thread from now on, so that nobody else closes it.
    pipe, process.stdin = process.stdin, None
    assert pipe is not None

    def write() -> None:
        with suppress(OSError), pipe:
            pipe.write(_handed_over(task))

    try:
        threading.Thread(target=write, name="task", daemon=True).start()
    except RuntimeError:
        pipe.close()
        process.kill()
        process.wait()
        raise OSError(errno.EAGAIN, "no thread can be started") from None


def _shows_outcome(output: OutputOptions) -> bool:
    """Whether outcomes go to standard output: where that is asked for, and to a person; a log has the watcher's own
    lines."""
    return output.path == "-" or (output.log_format == "text" and sys.stdout.isatty())


def _handed_over(task: ChildTask) -> bytes:
    folders = "\0".join(sys.path).encode(errors="surrogateescape")
    return folders + b"\n" + msgspec.json.encode(task)


def start_report(options: WatchOptions, policy: Policy) -> "subprocess.Popen[bytes]":
    """Start a process that writes the metrics of a report. Raises OSError."""
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM, "report", "-1", *options.command_line],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    )
    try:
        _hand_over(child, ChildTask(policy=policy))
    except OSError:
        for pipe in (child.stdout, child.stderr):
            assert pipe is not None
            pipe.close()
        raise
    return child
