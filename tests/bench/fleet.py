"""How long `fleet report` takes over the documents of many hosts, and how much memory: an inventory of each host, and a
report of each for every day of a month.

The documents are written by the encoder of the verbs, of an engine whose disk was read. Hosts differ in their name and
their engine's id; half of their images are on all hosts. The inventories are the newest, so that each is judged. The
whole process counts, with those that it starts; memory is that of all at its peak.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from dockersweep.model.disk import Disk
from dockersweep.model.inventory import Inventory
from dockersweep.policy.disk_report import make_report
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.policy.planning.planner import foresee
from dockersweep.words.documents import write_document
from tests.bench.reporting import full_inventory
from tests.rig.inventories import NOW

HOSTS, OBJECTS, DAYS = 1000, 1000, 30
MOST_SECONDS, MOST_BYTES = 30.0, 1_500_000_000
_NAME, _ID = "name-of-the-host", "id-of-the-engine"
_OWN = "of-host-"
"""Begins the ids of images that only one host has; as long as a number in hexadecimal."""
GIGABYTE = 1_000_000_000


def write_documents(folder: Path, hosts: int, objects: int, days: int) -> int:
    """Write the documents of all hosts, and return how many bytes they have."""
    inventory = _inventory(objects)
    written = sum(_write_each(folder / "inventories", write_document(inventory), hosts))
    for day in range(1, days + 1):
        earlier = _at_day(inventory, day)
        survey = Survey(earlier, earlier.taken_at)
        report = make_report(survey, DEFAULT_POLICY, foresee(survey, DEFAULT_POLICY), None)
        written += sum(_write_each(folder / f"reports-{day:02}", write_document(report), hosts))
    return written


def _inventory(objects: int) -> Inventory:
    made = full_inventory(objects)
    return replace(made, engine=replace(made.engine, name=_NAME, id=_ID), disk=_disk(0))


def _disk(day: int) -> Disk:
    return Disk(
        total_bytes=500 * GIGABYTE, free_bytes=(100 + day) * GIGABYTE, total_inodes=None, free_inodes=None
    )  # fmt: skip


def _at_day(inventory: Inventory, day: int) -> Inventory:
    return replace(inventory, taken_at=NOW - timedelta(days=day), disk=_disk(day))


def _write_each(folder: Path, text: str, hosts: int) -> Iterator[int]:
    """Write a document for each host; every second image is of this host alone. Yield their sizes."""
    folder.mkdir()
    text = re.sub(r"(?<=sha256:)0{8}(?=[0-9a-f]{55}[13579bdf])", _OWN, text)
    for host in range(hosts):
        made = text.replace(_OWN, f"{host + 1:08x}").replace(_NAME, f"host-{host:04}").replace(_ID, f"engine-{host:04}")
        yield (folder / f"host-{host:04}.json").write_text(made)


class Measured(NamedTuple):
    """What a command took, with all processes that it started."""

    seconds: float
    processor_seconds: float
    most_bytes: int
    output: str


def measured(command: Sequence[str]) -> Measured:
    """Run a command to its end."""
    begun, before = time.monotonic(), _processor_seconds()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        memory = _Memory(process.pid)
        memory.start()
        output, _ = process.communicate()
        seconds = time.monotonic() - begun
        memory.is_over.set()
        memory.join()
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Measured(seconds, _processor_seconds() - before, memory.most_bytes, output)


def _processor_seconds() -> float:
    """Return how long the processes that have ended were at work."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class _Memory(threading.Thread):
    """Watches how much memory a process and those below it take: pages that they share count once, by each its part."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.is_over = threading.Event()
        self.most_bytes = 0
        self._pid = pid

    def run(self) -> None:
        while not self.is_over.wait(0.05):
            self.most_bytes = max(self.most_bytes, sum(map(_memory_of, _family(self._pid))))


def _family(pid: int) -> Iterator[int]:
    yield pid
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in thread.read_text().split():
                yield from _family(int(child))


def _memory_of(pid: int) -> int:
    with contextlib.suppress(OSError):
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        return 1024 * int(found[1]) if found else 0
    return 0


def main(arguments: Sequence[str]) -> int:
    """Write the documents, measure the report on them, and print a table; return 1 where a bound is not met."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="dsw-bench-") as folder:
        documents = Path(folder, "documents")
        documents.mkdir()
        written = write_documents(documents, options.hosts, options.objects, options.days)
        command = [sys.executable, "-m", "dockersweep", "--policy", "default", "fleet"]
        took = measured([*command, "report", str(documents), "--format", "json"])
        report = json.loads(took.output)
        assert (report["engines"], report["skipped"]) == (options.hosts, [])
        assert report["documents"] == options.hosts * (options.days + 1)
        assert sum(row["count"] for row in report["shares"] if row["share"] == "image") == options.hosts * (
            options.objects * 3 // 10
        )
        assert all(host["disk_growth"]["bytes_per_day"] == GIGABYTE for host in report["hosts"] if options.days >= 5)
    sys.stdout.write(
        f"{options.hosts:,} inventories of {options.objects:,} objects, and {options.days} days of reports, "
        f"{written / 1e9:.1f} GB of JSON.\n\n| | seconds | of processors | memory |\n|---|---:|---:|---:|\n"
        f"| `fleet report` | {took.seconds:.1f} | {took.processor_seconds:.1f} | {took.most_bytes / 1e6:,.0f} MB |\n"
    )
    return 0 if took.seconds <= MOST_SECONDS and took.most_bytes <= MOST_BYTES else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests/bench/fleet",
        description="Report on the documents of so many hosts. Prints a Markdown table, and fails where an aim is "
        "missed. Needs no engine.",
    )
    parser.add_argument("--hosts", metavar="COUNT", type=int, default=HOSTS, help="default: %(default)s")
    parser.add_argument("--objects", metavar="COUNT", type=int, default=OBJECTS, help="of each; default: %(default)s")
    parser.add_argument("--days", metavar="COUNT", type=int, default=DAYS, help="of reports; default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
