"""The ledger held against the traffic: every removal that an engine carried out is in it, once."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.rig.recorder import Request
from tests.rig.traffic import Named, names_of, removals

_ROWS = """
SELECT pid, kind, id, name, action, status, detail, runs.state AS run_state
FROM removals JOIN runs ON runs.number = removals.run LEFT JOIN outcomes USING (run, position)
"""
_OF_A_RUN_THAT_DID_NOT_END = {"removed", "gone", None}


def carried_out(traffic: Iterable[Request]) -> Iterator[tuple[int, Named]]:
    """What the engine said that it removed: for whom, and what."""
    for request in traffic:
        if request.method == "GET" or request.status is None or request.status >= 300:
            continue
        if request.method == "DELETE":
            yield from ((request.pid, named) for named in removals(request))
        else:
            yield from ((request.pid, ("build-cache", record)) for record in _records(request.answer))


def _records(answer: bytes) -> list[str]:
    """The build-cache records that an answer names; an answer that was broken off proves nothing."""
    try:
        return list(json.loads(answer)["CachesDeleted"] or ())
    except ValueError:
        return []


def _is_honest(detail: str) -> bool:
    """Whether a failure says that something may have gone: no answer could be had, or more went than was asked for."""
    return "not known" in detail or "the engine deleted" in detail


def rows(folder: Path) -> list[dict[str, Any]]:
    """Every removal that the ledger has, with the process that did it."""
    with closing(sqlite3.connect(folder / "ledger.sqlite3")) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(_ROWS)]


def faults(traffic: list[Request], written: list[dict[str, Any]], killed: set[int]) -> Iterator[str]:
    """What is wrong with the ledger, each in a sentence."""
    known: dict[tuple[int, Named], list[dict[str, Any]]] = defaultdict(list)
    for row in written:
        for named in names_of(row):
            known[row["pid"], named].append(row)
    times = Counter(carried_out(traffic))
    for (pid, named), count in times.items():
        found = known[pid, named]
        statuses = [row["status"] for row in found]
        if len(found) != count:
            yield f"run of {pid}: {named} went {count} times, and is in the ledger {len(found)} times"
        elif pid in killed and set(statuses) <= _OF_A_RUN_THAT_DID_NOT_END:
            continue
        elif set(statuses) != {"removed"} and not any(_is_honest(row["detail"] or "") for row in found):
            yield f"run of {pid}: {named} went, and the ledger says {statuses}: {[row['detail'] for row in found]}"
    asked = {(request.pid, named) for request in traffic for named in removals(request)}
    for row in written:
        if row["status"] == "removed" and not any((row["pid"], named) in asked for named in names_of(row)):
            yield f"run of {row['pid']}: the ledger has {row['kind']} {row['id']} as removed; nobody asked for it"
