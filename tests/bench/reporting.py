"""How long `report` takes beyond the scan, in every format: on 10,000 objects it may be two seconds.

The whole verb is run on a saved inventory of an engine whose disk was read, each format in a process of its own; that
the inventory has to be read counts too.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from dockersweep.model.inventory import Inventory, Object
from dockersweep.model.storage import Part, Storage
from dockersweep.words.documents import write_document
from tests.rig.inventories import container, image, inventory, network, record, volume

COUNT = 10_000
MOST_SECONDS, MOST_HTML_BYTES = 2.0, 3_000_000
FORMATS = ("table", "json", "csv", "markdown", "html", "prometheus")
FAMILY, DEPTH, SHARED = 10, 12, 8
"""How many images are built on the same layers, of how many layers each is, and how many of these they share."""


def full_inventory(count: int) -> Inventory:
    """An engine with so many objects: of ten three are images, three volumes, two or three containers."""
    objects = list(_objects(count))
    parts = {part.id: part for part in _parts(count)}
    return replace(inventory(*objects), storage=Storage(base="disk", parts=tuple(parts.values())))


def _objects(count: int) -> Iterator[Object]:
    for number in range(count * 3 // 10):
        yield image(f"{number:064x}", f"registry.example.com/team/app{number // FAMILY}:{number}")
        made = volume(f"volume-{number}", anonymous=number % 2 == 0)
        yield replace(made, project=f"project-{number % 40}")
    for number in range(count * 25 // 100):
        state = "running" if number % 2 else "exited"
        seen = container(f"c{number}", state, image=f"sha256:{number:064x}", volumes=[f"volume-{number}"], logs=900)
        yield replace(seen, project=f"project-{number % 40}", log_is_limited=False)
    yield from (network(f"n{number}", project=None) for number in range(count * 3 // 100))
    yield from (record(f"r{number}", *_built_on(number)) for number in range(count * 12 // 100))


def _built_on(number: int) -> tuple[str, ...]:
    return (f"r{number - 1}",) if number % 40 else ()


def _parts(count: int) -> Iterator[Part]:
    for number in range(count * 3 // 10):
        below: tuple[str, ...] = ()
        for depth in range(DEPTH):
            owner = f"family-{number // FAMILY}" if depth < SHARED else str(number)
            layer = f"layer:{owner}-{depth}"
            yield _part(layer, *below, size=100_000 + depth)
            below = (layer,)
        yield _part(f"image:sha256:{number:064x}", *below)
        yield _part(f"volume:volume-{number}", size=1_000_000 + number)
    for number in range(count * 25 // 100):
        yield _part(f"container:c{number}", f"layer:{number}-{DEPTH - 1}", size=20_000 + number)
    for number in range(count * 12 // 100):
        parents = [f"build-cache:{one}" for one in _built_on(number)]
        yield _part(f"build-cache:r{number}", f"snapshot:{number}", *parents, size=0)
        yield _part(f"snapshot:{number}", *([f"snapshot:{number - 1}"] if parents else []), size=5_000 + number)


def _part(name: str, *needs: str, size: int = 4096) -> Part:
    return Part(id=name, needs=needs, low_bytes=size, high_bytes=size, folder=name)


def main(arguments: Sequence[str]) -> int:
    """Measure each format and print a table; return 1 where a bound is not met."""
    count = _parser().parse_args(arguments).count
    is_met = True
    with tempfile.TemporaryDirectory(prefix="dsw-bench-") as folder:
        saved = Path(folder, "inventory.json")
        saved.write_text(write_document(full_inventory(count)))
        sys.stdout.write(f"`report` on {count:,} objects.\n\n| format | seconds | size |\n|---|---:|---:|\n")
        for name in FORMATS:
            result = Path(folder, "result")
            words = ["report", "--policy", "default", "--inventory", str(saved), "--format", name, "-o", str(result)]
            before = time.monotonic()
            subprocess.run([sys.executable, "-m", "dockersweep", *words], check=True)
            seconds, size = time.monotonic() - before, result.stat().st_size
            sys.stdout.write(f"| {name} | {seconds:.2f} | {size / 1000:,.0f} kB |\n")
            is_met &= seconds <= MOST_SECONDS and (name != "html" or size <= MOST_HTML_BYTES)
    return 0 if is_met else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests/bench/reporting",
        description="Report on a saved inventory of so many objects, in every format. Prints a Markdown table, and "
        "fails where an aim is missed. Needs no engine.",
    )
    parser.add_argument("count", metavar="COUNT", nargs="?", type=int, default=COUNT, help="default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
