"""Reads many files by several processes; few are read by this one."""

import gc
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from msgspec import Struct

from dockersweep.warehouse.reading import Chosen, Judge, Read, files_to_read_again, newest, read_heads, read_whole
from dockersweep.warehouse.row_files import RowFiles

FEW_BYTES = 20_000_000
"""So many are read by one process sooner than others are ready."""
_PARTS = 4
"""How many parts each process gets, one after the other: files differ in size."""


class Task(Struct, frozen=True):
    """What a process is to read, and where to write the rows."""

    paths: Sequence[tuple[int, str]]
    folder: str
    name: str
    chosen: Chosen | None
    """None for what each document is."""


Result = TypeVar("Result")
_judge: Judge | None = None
"""What a process was started with."""


def read_files(paths: Sequence[str], folder: str, judge: Judge, *, only_newest: bool, tables: frozenset[str]) -> Read:
    """Write the rows of all documents in these files to a folder; return what was found and skipped.

    What a document lists is written only for these tables, and with `only_newest` only of the newest document of each
    engine.
    """
    numbered = list(enumerate(paths, 1))
    read = _all(numbered, folder, judge, None)
    runs = newest(read.found) if only_newest else frozenset(found.run for found in read.found)
    chosen = Chosen(runs, tables)
    again = files_to_read_again(read, chosen)
    read.skipped += _all(
        [(number, path) for number, path in numbered if number in again], folder, judge, chosen
    ).skipped
    return read


def _all(paths: Sequence[tuple[int, str]], folder: str, judge: Judge, chosen: Chosen | None) -> Read:
    turn = "heads" if chosen is None else "whole"
    processes = min(os.cpu_count() or 1, len(paths))
    if processes < 2 or _bytes_of(paths, FEW_BYTES) < FEW_BYTES:
        return _read(Task(paths, folder, turn, chosen), judge)
    parts = processes * _PARTS
    tasks = [Task(paths[part::parts], folder, f"{turn}-{part}", chosen) for part in range(parts)]
    read = Read()
    for done in _by_processes(_read_task, tasks, processes, judge):
        read.found += done.found
        read.skipped += done.skipped
    return read


def _bytes_of(paths: Sequence[tuple[int, str]], enough: int) -> int:
    """Return how large files are together; no more are looked at when that is enough."""
    total = 0
    for _, path in paths:
        try:
            total += os.stat(path).st_size
        except OSError:
            continue
        if total >= enough:
            break
    return total


def _by_processes(
    function: Callable[[Task], Result], tasks: Sequence[Task], processes: int, judge: Judge
) -> Iterator[Result]:
    # Imported late: few folders need it.
    from multiprocessing import get_context

    # Forked, a process has everything imported, and the policy of the judge.
    with get_context("fork").Pool(processes, _start, (judge,)) as pool:
        yield from pool.imap_unordered(function, tasks)


def _start(judge: Judge) -> None:
    """Begin a process; Ctrl-C is for the one that waits for it."""
    global _judge
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    # A document makes thousands of values and no cycles; collecting would only walk over them again and again.
    gc.disable()
    _judge = judge


def _read_task(task: Task) -> Read:
    assert _judge is not None, "each process is started with a judge"
    return _read(task, _judge)


def _read(task: Task, judge: Judge) -> Read:
    read = Read()
    with RowFiles(task.folder, task.name) as files:
        for number, path in task.paths:
            if task.chosen is None:
                read_heads(path, number, files, read)
            else:
                read_whole(path, number, files, read, task.chosen, judge)
    return read
