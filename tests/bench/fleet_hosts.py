"""A plan on several hosts: on four real engines at once, beside the slowest of them alone; and on a thousand that one
process plays with the recorded answers of a real one, of which some hang and some refuse."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.bench.installed import HERE, Installed
from tests.bench.measure import BenchError, in_turn, median
from tests.bench.table import Row, write_table
from tests.rig.engines.engine import Engine
from tests.rig.engines.heap import everything, heap
from tests.rig.engines.kinds import kind
from tests.rig.engines.litter import Litter
from tests.rig.many_engines import Recorded, many_engines, record

KINDS = ("docker-28.5", "docker-28.5-containerd", "docker-20.10", "podman-6.1")
MOST_TIMES, MOST_SECONDS, MOST_BYTES = 1.3, 60.0, 600e6
ODD = 20
"""So many hang, and as many refuse."""
_SAMPLE_SECONDS = 0.1


def on_four(rounds: int) -> Row:
    """The median of a plan on four engines, beside that of the slowest alone, in turn."""
    with ExitStack() as stack:
        engines = [stack.enter_context(Engine(kind(name))) for name in KINDS]
        for engine in engines:
            everything(Litter(engine))
        urls = [engine.environment()["DOCKER_HOST"] for engine in engines]
        here = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dsw-bench-")))
        dockersweep = Installed(HERE, engines[0].environment(), here / "ours")
        flags = [word for url in urls for word in ("-H", url)]
        together, *alone = in_turn(
            rounds,
            partial(dockersweep, "plan", *flags),
            *(partial(dockersweep, "plan", "-H", url) for url in urls),
        )
    if any("4 hosts: 4 done." not in " ".join(one.output.split()) for one in together):
        raise BenchError("not every host was done")
    times = {name: median(samples, lambda sample: sample.wall) for name, samples in zip(KINDS, alone, strict=True)}
    slowest = max(times, key=lambda name: times[name])
    ours = median(together, lambda sample: sample.wall)
    return Row("plan on four engines", ours, f"{slowest} alone", times[slowest], MOST_TIMES)


def recorded(objects: int) -> Recorded:
    """What a real engine with so many objects of each of three kinds answers to a plan from elsewhere."""
    with Engine(kind("docker-28.5")) as engine:
        heap(Litter(engine), containers=objects, images=objects, volumes=objects)

        def plan(socket: str) -> None:
            # Its folder is hidden, as that of an engine on another machine.
            words = f"exec {sys.executable} -P -m dockersweep plan --no-ledger -H unix://{socket}"
            inside = f"mount -t tmpfs none {engine.data_root} && {words}"
            subprocess.run(["unshare", "--mount", "sh", "-c", inside], check=True, stdout=subprocess.DEVNULL)

        return record(engine.environment()["DOCKER_HOST"].removeprefix("unix://"), plan)


def on_many(count: int, objects: int) -> list[Row]:
    """The time and the memory of all processes of a plan on so many hosts, 16 at a time."""
    with tempfile.TemporaryDirectory(prefix="dsw-bench-") as folder:
        odd = min(ODD, count // 10)
        with many_engines(Path(folder), recorded(objects), count, hang=odd, refuse=odd) as urls:
            fleet = Path(folder, "fleet.toml")
            hosts = "".join(f'[[host]]\nname = "host{n}"\nhost = "{url}"\n' for n, url in enumerate(urls))
            fleet.write_text(f"version = 1\n[defaults]\nparallel = 16\n{hosts}")
            seconds, peak, output = _measured(fleet, Path(folder))
    if f"{2 * odd} not reached, {count - 2 * odd} done." not in " ".join(output.split()):
        raise BenchError(f"not every host was done: {output[:500]}")
    what = f"plan on {count} hosts, {odd} of them hanging and {odd} refusing"
    return [Row(what, seconds, aim=MOST_SECONDS), Row(f"{what}: memory", peak, aim=MOST_BYTES, unit="MB")]


def _measured(fleet: Path, folder: Path) -> tuple[float, int, str]:
    """Return seconds, the most bytes of all processes together (what they share counted once), and the output."""
    command = [sys.executable, "-P", "-m", "dockersweep", "plan", "--fleet", str(fleet)]
    environment = {**os.environ, "DOCKERSWEEP_STATE_DIR": str(folder), "DOCKERSWEEP_LOCK_DIR": str(folder)}
    output, peak, begun = folder / "output", 0, time.perf_counter()
    with output.open("w") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            peak = max(peak, _bytes_of(process.pid))
            time.sleep(_SAMPLE_SECONDS)
    return time.perf_counter() - begun, peak, output.read_text()


def _bytes_of(pid: int) -> int:
    """Return the proportional set size of a process and its children."""
    total = 0
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    for one in (str(pid), *children):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def main(arguments: Sequence[str]) -> int:
    """Print the table, with the load; return 1 where an aim is missed."""
    parser = argparse.ArgumentParser("tests/bench/fleet_hosts", description=__doc__)
    parser.add_argument("--hosts", type=int, default=1000, metavar="N", help="played ones; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=9, metavar="N", help="runs on real ones; default: %(default)s")
    parser.add_argument("--objects", type=int, default=100, metavar="N", help="of a kind on each; default: %(default)s")
    parser.add_argument("--only-played", action="store_true", help="no real engines")
    options = parser.parse_args(arguments)
    rows = [] if options.only_played else [on_four(options.rounds)]
    rows += on_many(options.hosts, options.objects)
    sys.stdout.write(f"Load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors.\n\n")
    return write_table(rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
