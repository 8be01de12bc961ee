"""Reads the documents of files, twice: what each is, then the rows of what counts."""

from collections.abc import Callable, Collection, Iterator

import msgspec
from msgspec import Struct, field

from dockersweep.errors import DockersweepError, DocumentError
from dockersweep.files import read_named, what_is_wrong
from dockersweep.model.documents import newer_than_ours, schema_of
from dockersweep.model.fleet import FleetHost
from dockersweep.model.fleet_report import SkippedFile
from dockersweep.model.inventory import Inventory
from dockersweep.model.quantities import Instant
from dockersweep.model.report import Report
from dockersweep.warehouse.documents import (
    FleetHead,
    Head,
    InventoryHead,
    PlanHead,
    Readable,
    ReportHead,
    WholePlan,
    WholeReport,
)
from dockersweep.warehouse.row_files import RowFiles
from dockersweep.warehouse.row_making import (
    listed_rows,
    rows_of_head,
    rows_of_inventory,
    run_of_host,
    unreached_run,
)
from dockersweep.warehouse.rows import MOST_HOSTS, Rows, RunRow

LARGEST_BYTES = 1 << 30
_HEAD: msgspec.json.Decoder[Readable] = msgspec.json.Decoder(Readable)
_PASSED_OVER = ("explanation", "group", "history", "fleet-report", "archive", "archive-report")
"""Documents of ours that have no rows."""


class Judge(Struct, frozen=True):
    """What is made of inventories, which name objects and judge none."""

    report: Callable[[Inventory], Report]
    used_bytes: Callable[[Inventory], int | None]
    """What all objects use; None where that is not known exactly."""


class Found(Struct, frozen=True):
    """A document that was read, and what decides whether it is the newest of its engine."""

    run: int
    file: int
    engine: str | None
    document: str | None
    made: float
    """When it was made, in seconds; 0 where that is not known."""


class Read(Struct):
    """What became of files."""

    found: list[Found] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)


class Chosen(Struct, frozen=True):
    """The documents that are read in full, by their runs, and the tables that are needed of them."""

    runs: frozenset[int]
    tables: frozenset[str]


class _Document(Struct):
    """A document of one engine, or a host of a fleet document that has none."""

    run: RunRow
    head: Head | None
    data: bytes | msgspec.Raw
    host: FleetHost | None = None
    made_at: Instant | None = None
    """When the fleet run ended."""


def read_heads(path: str, number: int, files: RowFiles, read: Read) -> None:
    """Write a row for each document in a file, and those of removals; an inventory is left for later. Note what was
    found, and what was skipped."""
    for document in _documents(path, number, read):
        head, run = document.head, document.run
        if head is not None:
            rows = rows_of_head(head, run)
        elif document.host is not None and document.made_at is not None:
            rows = unreached_run(document.host, run, document.made_at)
        made = run.made_at.timestamp() if run.made_at is not None else 0.0
        read.found.append(Found(run.run, number, run.engine, run.document, made))
        if not isinstance(head, InventoryHead):
            files.write(rows)


def read_whole(path: str, number: int, files: RowFiles, read: Read, chosen: Chosen, judge: Judge) -> None:
    """Write the rows of a file's inventories, and of what its chosen documents list; note what was skipped."""
    for document in _documents(path, number, Read()):
        is_chosen = document.run.run in chosen.runs
        try:
            if isinstance(document.head, InventoryHead):
                rows = _inventory_rows(document, judge if is_chosen else None, judge.used_bytes)
                files.write(rows, {"runs", *chosen.tables})
            elif is_chosen and chosen.tables and isinstance(document.head, ReportHead | PlanHead):
                files.write(_listed(document), chosen.tables)
        except (msgspec.DecodeError, DockersweepError) as error:
            name = document.run.document or "document"
            why = f"{_named(document.run)} is not a valid dockersweep.{name}/1 document: {error}"
            read.skipped.append(SkippedFile(file=path, why=why))


def _inventory_rows(document: _Document, judge: Judge | None, used: Callable[[Inventory], int | None]) -> Rows:
    """Return the rows of an inventory; without a judge only what all of it uses."""
    inventory = msgspec.json.decode(document.data, type=Inventory)
    if judge is not None:
        return rows_of_inventory(inventory, judge.report(inventory), document.run)
    assert document.head is not None
    rows = rows_of_head(document.head, document.run)
    [run] = rows.runs
    run.used_high_bytes = used(inventory)
    run.used_low_bytes, run.size_base = run.used_high_bytes, inventory.storage.base if inventory.storage else "lengths"
    return rows


def _listed(document: _Document) -> Rows:
    if isinstance(document.head, PlanHead):
        return listed_rows(msgspec.json.decode(document.data, type=WholePlan), document.run.run)
    return listed_rows(msgspec.json.decode(document.data, type=WholeReport), document.run.run)


def _documents(path: str, number: int, read: Read) -> Iterator[_Document]:
    """Yield the documents in a file; note what cannot be read."""
    try:
        data = read_named(path, LARGEST_BYTES)
        decoded = _decoded(data, path)
    except (OSError, ValueError) as error:
        read.skipped.append(SkippedFile(file=path, why=f"{what_is_wrong(error)}"))
        return
    except DocumentError as error:
        read.skipped.append(SkippedFile(file=path, why=str(error)))
        return
    run = RunRow(run=number * MOST_HOSTS, file=path)
    if isinstance(decoded, FleetHead):
        yield from _of_fleet(decoded, run, read)
    elif decoded is not None:
        yield _Document(run, decoded, data)


def _of_fleet(fleet: FleetHead, run: RunRow, read: Read) -> Iterator[_Document]:
    for place, host in enumerate(fleet.hosts[:MOST_HOSTS]):
        own = run_of_host(host, run, place)
        try:
            head = _decoded(host.document, _named(own)) if bytes(host.document) != b"null" else None
        except DocumentError as error:
            read.skipped.append(SkippedFile(file=run.file, why=str(error)))
            continue
        if isinstance(head, FleetHead):
            why = f"{_named(own)} is a fleet's, which has no engine of its own"
            read.skipped.append(SkippedFile(file=run.file, why=why))
            continue
        yield _Document(own, head, host.document, host, fleet.finished_at)


def _named(run: RunRow) -> str:
    """Return what messages call a document: its file, and in a fleet document the host."""
    return run.file if run.status is None else f"the document of {run.host} in {run.file}"


def _decoded(data: bytes | msgspec.Raw, name: str) -> Readable | None:
    """Return what the tables take of a document; None for one of ours without rows. Raises DocumentError."""
    try:
        return _of_now(_HEAD.decode(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        schema = schema_of(bytes(data), name)
        if schema in {f"dockersweep.{other}/1" for other in _PASSED_OVER}:
            return None
        if schema is None or not schema.startswith("dockersweep."):
            raise DocumentError(f"{name} is JSON, but not a dockersweep document") from None
        raise newer_than_ours(schema, name) or DocumentError(
            f"{name} is not a valid {schema[:80]} document: {error}"
        ) from None


def _of_now(document: Readable) -> Readable | None:
    """Leave out a plan for the future, which tells nothing of the present."""
    return None if isinstance(document, PlanHead) and document.foreseen_at is not None else document


def files_to_read_again(read: Read, chosen: Chosen) -> Collection[int]:
    """Return the numbers of the files that `read_whole` has something to do with."""
    return {
        one.file
        for one in read.found
        if one.document == "inventory"
        or (chosen.tables and one.run in chosen.runs and one.document in ("report", "plan"))
    }


def newest(found: Collection[Found]) -> frozenset[int]:
    """Return the run of each engine's newest report or inventory; where it has neither, that of its newest plan."""
    best: dict[str, tuple[tuple[bool, float, bool, int], int]] = {}
    for one in found:
        if one.engine is None or one.document not in ("report", "inventory", "plan"):
            continue
        rank = (one.document != "plan", one.made, one.document == "report", one.run)
        if one.engine not in best or rank > best[one.engine][0]:
            best[one.engine] = (rank, one.run)
    return frozenset(run for _, run in best.values())
