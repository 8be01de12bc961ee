"""A sweep of several hosts over ssh, beside Ansible doing community.docker.docker_prune on the same objects."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.bench.installed import HERE, Installed
from tests.bench.measure import BenchError, Sample, median
from tests.bench.stopped import make_stopped
from tests.bench.table import Row, write_table
from tests.rig.ansible import HOST, Controller
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import kind, parser_with_engine
from tests.rig.engines.litter import Litter
from tests.rig.engines.ssh_host import SshHost, ssh_host

MOST_TIMES = 0.5
ANSIBLE = "ansible==12.3.0"
"""The package with its collections; community.docker is 4.8.5 there."""
_KINDS = {"containers": "container", "volumes": "volume", "networks": "network"}
_PRUNE = {
    "hosts": "all",
    "gather_facts": False,
    "tasks": [{"community.docker.docker_prune": dict.fromkeys(_KINDS, True)}],
}


_CONTAINERS_OF_PROJECT = 5


def litter(engine: Engine, count: int) -> None:
    """Make so many stopped containers and anonymous volumes, and a network for each five, as projects have them."""
    on = Litter(engine)
    make_stopped(on, count)
    for _ in range(count):
        on.anonymous_volume()
    for number in range(_networks(count)):
        on.network(f"unused-{number}")


def _networks(count: int) -> int:
    return -(-count // _CONTAINERS_OF_PROJECT)


def left(engine: Engine) -> list[str]:
    """Return what is there of that."""
    containers = engine.docker("ps", "--all", "--quiet").stdout.split()
    volumes = engine.docker("volume", "ls", "--quiet").stdout.split()
    networks = engine.docker("network", "ls", "--quiet", "--filter", "type=custom").stdout.split()
    return [*containers, *volumes, *networks]


def measure(engines: Mapping[str, Engine], hosts: Mapping[str, SshHost], count: int, rounds: int) -> Row:
    """The median of a sweep of all of it beside that of the prune; each begins without a connection."""
    flags = ("sweep", "--yes", "--yes-first-time", "--older-than", "0s")
    kinds = [word for name in _KINDS.values() for word in ("--kind", name)]
    with tempfile.TemporaryDirectory(prefix="dsw-bench-") as folder, ExitStack() as stack:
        here = Path(folder)
        controller = stack.enter_context(Controller(here, hosts, ANSIBLE))
        dockersweep = Installed(HERE, {"PATH": _path_to(hosts, here)}, here / "ours")
        addresses = [word for name in hosts for word in ("-H", f"ssh://{name}")]

        def sweep() -> Sample:
            return dockersweep(*addresses, *flags, *kinds)

        def prune() -> Sample:
            controller.disconnect()
            begun = time.perf_counter()
            play = controller.play(_PRUNE)
            wall = time.perf_counter() - begun
            for host in hosts.values():
                _allow_prunes(host)
            if play.status != 0:
                raise BenchError(f"ansible-playbook ended with {play.status}:\n{play.output[-2000:]}")
            return Sample(wall=wall, processor=0, peak=0, output=play.output)

        samples: dict[str, list[Sample]] = {"ours": [], "theirs": []}
        # The first round, in which Python compiles and hosts are met, does not count.
        for number in range(rounds + 1):
            for who, clean in (("ours", sweep), ("theirs", prune)):
                with ThreadPoolExecutor() as threads:
                    list(threads.map(litter, engines.values(), [count] * len(engines)))
                sample = clean()
                for name, engine in engines.items():
                    if remains := left(engine):
                        raise BenchError(f"{who} left {len(remains)} objects on {name}:\n{sample.output[-2000:]}")
                if number:
                    samples[who].append(sample)
    ours, theirs = (median(samples[who], lambda sample: sample.wall) for who in ("ours", "theirs"))
    objects = f"{count} containers, {count} volumes and {_networks(count)} networks"
    what = f"sweep of {objects} on each of {len(hosts)} hosts over ssh"
    return Row(what, ours, "ansible-playbook with docker_prune", theirs, MOST_TIMES)


def _allow_prunes(host: SshHost) -> None:
    """Take what the prune asked for from what must not be asked for, which is counted against dockersweep."""
    host.recorder.forbidden[:] = [one for one in host.recorder.forbidden if not one.path.endswith("s/prune")]


def _path_to(hosts: Mapping[str, SshHost], folder: Path) -> str:
    """Return a PATH whose ssh knows all hosts by their names."""
    config = folder / "ssh_config"
    config.write_text("".join(host.config.read_text().replace("Host box", f"Host {n}") for n, host in hosts.items()))
    programs = folder / "bin"
    programs.mkdir()
    ssh = programs / "ssh"
    ssh.write_text(f'#!/bin/sh\nexec {shlex.quote(shutil.which("ssh") or "ssh")} -F {config} "$@"\n')
    ssh.chmod(0o755)
    return f"{programs}:{os.environ['PATH']}"


def main(arguments: Sequence[str]) -> int:
    """Print the table, with the load; return 1 where the aim is missed."""
    options = _parser().parse_args(arguments)
    with ExitStack() as stack:
        engines = {f"host{n}": stack.enter_context(Engine(kind(options.engine))) for n in range(options.hosts)}
        hosts = {n: stack.enter_context(ssh_host(engine, "none", machine=HOST)) for n, engine in engines.items()}
        row = measure(engines, hosts, options.objects, options.rounds)
    sys.stdout.write(f"Load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors, {options.engine}.\n\n")
    return write_table([row])


def _parser() -> argparse.ArgumentParser:
    parser = parser_with_engine("tests/bench/fleet_ansible", __doc__ or "")
    parser.add_argument("--hosts", type=int, default=3, metavar="N", help="default: %(default)s")
    parser.add_argument("--objects", type=int, default=10, metavar="N", help="containers on each; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="runs of each; default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
