"""How long it takes to archive a volume, to archive and remove it, and to put it back, beside GNU tar with zstd.

Our times have what tar leaves out: two looks at the whole folder, so that nothing that changes meanwhile is taken for
whole, hashes of all that is written, waiting until it is on the disk, and after it was put back a comparison of all of
it. Both read from the kernel's caches.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.measure import Runner, Sample, in_turn, median
from tests.bench.table import Row, write_table

ROUNDS = 5
MOST_TIMES = 1.15
MOST_BYTES = 100_000_000
_IN_A_FOLDER = 500
_TAR = ("tar", "--xattrs", "--acls", "--sparse", "--numeric-owner")


@dataclass(frozen=True)
class Volume:
    """A volume to archive, half of which compresses."""

    name: str
    files: int
    size: int


LARGE = Volume("2 GB in 20,000 files", 20_000, 100_000)
MANY = Volume("200,000 files of 1 kB", 200_000, 1_000)


def _fill(folder: Path, volume: Volume) -> None:
    randomness = random.Random(20)
    line = b"2026-12-01T09:30:00Z app[12]: a line of a log, one like the next\n"
    text = (line * (volume.size // len(line) + 1))[: volume.size]
    for number in range(volume.files):
        if number % _IN_A_FOLDER == 0:
            (folder / f"{number // _IN_A_FOLDER:04}").mkdir(parents=True)
        content = text if number % 2 else randomness.randbytes(volume.size)
        (folder / f"{number // _IN_A_FOLDER:04}" / f"{number:06}").write_bytes(content)


class Bench:
    """The jobs on one volume, in a folder of their own."""

    def __init__(self, folder: Path, volume: Volume) -> None:
        """Fill the volume."""
        self._volume, self._copy, self._back = folder / "volume", folder / "copy", folder / "back"
        self._archive, self._tar = folder / "archive", folder / "volume.tar.zst"
        checkout = str(Path(__file__).parents[2])
        self._runner = Runner({**os.environ, "PYTHONPATH": checkout}, folder)
        _fill(self._volume, volume)

    def _ours(self, *words: str | Path) -> Sample:
        """Run one of our jobs in a process of its own, that tells how long it took: a sweep has started already."""
        sample = self._runner.run(sys.executable, "-P", "-m", "tests.bench.archive", *words)
        return replace(sample, wall=float(sample.output))

    def archive(self) -> Sample:
        """Archive it by dockersweep."""
        shutil.rmtree(self._archive, ignore_errors=True)
        return self._ours("--archive", self._volume, self._archive)

    def pack(self) -> Sample:
        """Archive it by tar."""
        self._tar.unlink(missing_ok=True)
        return self._runner.run(*_TAR, "-I", "zstd -3 -T0", "-cf", self._tar, "-C", self._volume, ".")

    def _copied(self) -> Path:
        shutil.rmtree(self._copy, ignore_errors=True)
        subprocess.run(["cp", "-a", self._volume, self._copy], check=True)
        os.sync()
        return self._copy

    def archive_and_remove(self) -> Sample:
        """Archive a copy by dockersweep, and remove it as fast as anything does."""
        shutil.rmtree(self._archive, ignore_errors=True)
        archived = self._ours("--archive", self._copied(), self._archive)
        removed = self._runner.run("rm", "-rf", self._copy)
        return replace(archived, wall=archived.wall + removed.wall)

    def remove(self) -> Sample:
        """Only remove a copy."""
        return self._runner.run("rm", "-rf", self._copied())

    def _emptied(self) -> Path:
        shutil.rmtree(self._back, ignore_errors=True)
        self._back.mkdir()
        os.sync()
        return self._back

    def restore(self) -> Sample:
        """Put it back by dockersweep."""
        return self._ours("--restore", self._archive, self._emptied())

    def unpack(self) -> Sample:
        """Put it back by tar."""
        return self._runner.run(*_TAR, "-I", "zstd", "-xpf", self._tar, "-C", self._emptied())


def measure(bench: Bench, volume: Volume, rounds: int) -> list[Row]:
    """A row for each figure of a volume."""
    ours, theirs = in_turn(rounds, bench.archive, bench.pack)
    both, alone = in_turn(rounds, bench.archive_and_remove, bench.remove, warm=False)
    back, unpacked = in_turn(rounds, bench.restore, bench.unpack)

    def seconds(samples: Sequence[Sample]) -> float:
        return median(samples, lambda sample: sample.wall)

    peak = max(sample.peak for sample in (*ours, *both, *back))
    tar, remove = seconds(theirs), seconds(alone)
    return [
        Row(f"archive {volume.name}", seconds(ours), "tar with zstd", tar, aim=MOST_TIMES),
        Row("archive and remove", seconds(both), "tar with zstd", tar, aim=MOST_TIMES),
        Row("archive and remove", seconds(both), "tar with zstd, and rm -rf", tar + remove),
        Row("restore", seconds(back), "tar with zstd", seconds(unpacked), aim=MOST_TIMES),
        Row("peak memory", peak, aim=MOST_BYTES, unit="MB"),
    ]


def _timed(job: Callable[[], object]) -> None:
    began = time.perf_counter()
    job()
    sys.stdout.write(f"{time.perf_counter() - began}\n")


def _archive(volume: str, folder: str) -> None:
    from dockersweep.archive.folder import open_archive
    from tests.archive.archives import a_run, original

    def job() -> None:
        with a_run(open_archive(folder)) as run:
            run.volume_from_folder(original(), b"{}", volume)

    _timed(job)


def _restore(folder: str, into: str) -> None:
    from dockersweep.archive.folder import open_archive

    def job() -> None:
        archive = open_archive(folder)
        with archive.open_run(archive.run_names()[0]) as run:
            assert run.unpack(run.objects[0], into) == []

    _timed(job)


def main(arguments: Sequence[str]) -> int:
    """Print the table, with the load; return 1 where an aim is missed."""
    options = _parser().parse_args(arguments)
    for job, words in ((_archive, options.archive), (_restore, options.restore)):
        if words is not None:
            job(*words)
            return 0
    rows: list[Row] = []
    for volume in (LARGE, MANY):
        with tempfile.TemporaryDirectory(dir=options.folder, prefix="dockersweep-bench-") as folder:
            rows += measure(Bench(Path(folder), volume), volume, options.rounds)
    sys.stdout.write(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors, in {options.folder}.\n\n")
    return write_table(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests/bench/archive",
        description="Archive volumes, remove them and put them back, in turn with tar and zstd. Prints a Markdown "
        "table, and fails where an aim is missed.",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default: %(default)s")
    parser.add_argument("--folder", default="/var/tmp", help="where it is all written; default: %(default)s")
    for job in ("--archive", "--restore"):
        parser.add_argument(job, nargs=2, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
