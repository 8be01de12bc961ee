"""Folders of documents, as they come from many hosts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from dockersweep.model.disk import Disk
from dockersweep.model.fleet import Fleet, FleetHost, FleetSums
from dockersweep.model.inventory import Engine
from dockersweep.model.outcome import Outcome, OutcomeDocument, Reclaimed, Status
from dockersweep.model.plan import NOTHING
from dockersweep.model.report import Report, ReportedObject
from dockersweep.words.documents import write_document
from tests.rig.inventories import ENGINE, NOW
from tests.rig.reports import GIGABYTE, report


def engine(name: str, **fields: Any) -> Engine:
    """The engine of the host of this name."""
    return replace(ENGINE, **{"id": f"id-of-{name}", "name": name, "endpoint": f"ssh://root@{name}", **fields})


def report_of(
    name: str, objects: Sequence[ReportedObject] = (), at: datetime = NOW, used: int | None = None, **fields: Any
) -> Report:
    """The report of a host; `used` bytes of its disk of 100 GB are used."""
    whole = 100 * GIGABYTE
    disk = None if used is None else Disk(
        total_bytes=whole, free_bytes=whole - used, total_inodes=None, free_inodes=None
    )  # fmt: skip
    return report(objects, **{"engine": engine(name), "taken_at": at, "now": at, "disk": disk, "disks": (), **fields})


def outcome_of(name: str, statuses: Mapping[str, Status], measured_bytes: int) -> OutcomeDocument:
    """What a sweep on a host did with volumes of these names."""
    outcomes = [
        Outcome(kind="volume", id=one, name=one, action="remove", status=status, detail=None, freed_bytes=None)
        for one, status in statuses.items()
    ]
    return OutcomeDocument(
        schema="dockersweep.outcome/1", engine=engine(name), started_at=NOW, finished_at=NOW, ended_early=None,
        outcomes=tuple(outcomes), warnings=(),
        reclaimed=Reclaimed(low_bytes=0, high_bytes=measured_bytes, measured_bytes=measured_bytes),
    )  # fmt: skip


def fleet_of(*hosts: FleetHost, at: datetime = NOW) -> Fleet:
    """The document of a run on these hosts."""
    sums = FleetSums(hosts={}, engines=0, freed={}, total=NOTHING, used_bytes=None)
    return Fleet(
        schema="dockersweep.fleet/1",
        verb="report",
        started_at=at,
        finished_at=at,
        exit_status=0,
        hosts=hosts,
        sums=sums,
    )


def host(name: str, document: msgspec.Struct | None = None, **fields: Any) -> FleetHost:
    """A host of a run with its document; without one it was not reached."""
    if document is None:
        fields = {"status": "not-reached", "message": "connection refused", **fields}
    else:
        fields = {"status": "done", "document": msgspec.Raw(write_document(document).encode()), **fields}
    return FleetHost(name=name, address=f"ssh://{name}", **fields)


def write(folder: Path, name: str, document: msgspec.Struct) -> Path:
    """Write a document to a file in a folder, which is made."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(write_document(document))
    return path
