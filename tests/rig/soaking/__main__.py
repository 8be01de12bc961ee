"""The command line of `tests/soak`."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import NoReturn

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import KINDS, kind
from tests.rig.soaking.alongside import AGGRESSIVE, sweep_beside
from tests.rig.soaking.soak import soak


def main(arguments: Sequence[str]) -> int:
    """Soak the engines that are named, side by side, and return 1 where anything was wrong."""
    options = _parser().parse_args(arguments)
    # An end from outside unwinds like any other, so that engines and sweepers go as well.
    for unwelcome in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(unwelcome, _leave)
    # A shell has what it starts in the background ignore it, and the watchers that are ended by it would as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    names = options.engine or [one.name for one in KINDS]
    try:
        if len(names) > 1:
            return _side_by_side(names, arguments)
        return _beside(names[0], options.sweeps) if options.sweeps else _soak(names[0], options)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _soak(name: str, options: argparse.Namespace) -> int:
    result = soak(
        kind(name), options.minutes * 60, options.seed, _tell, disturbs=not options.calm, watches=options.watch
    )
    _tell(str(result))
    return 1 if result.problems else 0


def _beside(name: str, sweeps: int) -> int:
    with tempfile.TemporaryDirectory(prefix="dsw-state-") as state, Engine(kind(name)) as engine:
        os.environ["DOCKERSWEEP_STATE_DIR"] = os.environ["DOCKERSWEEP_LOCK_DIR"] = state
        beside = sweep_beside(engine, sweeps, *AGGRESSIVE)
    _tell(f"{name}: {beside}")
    for problem in beside.broken:
        _tell(f"{name}: PROBLEM {problem}")
    return 1 if beside.broken else 0


def _side_by_side(names: Sequence[str], arguments: Sequence[str]) -> int:
    """Each engine in a process of its own, which is told of the end that we are told of."""
    rest = _without_engines(arguments)
    started = [subprocess.Popen([sys.executable, "-m", "tests.rig.soaking", *rest, "--engine", name]) for name in names]
    try:
        return max(abs(process.wait()) for process in started)
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


def _without_engines(arguments: Sequence[str]) -> list[str]:
    """The same arguments but for those that name an engine."""
    options = _parser().parse_args(arguments)
    rest = ["--minutes", str(options.minutes), "--seed", str(options.seed), "--sweeps", str(options.sweeps)]
    return [*rest, *(["--calm"] if options.calm else []), *(["--watch"] if options.watch else [])]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests/soak",
        description="Litter engines at random, use them at random, sweep them by two at once and disturb all of it; "
        "then see whether anything was lost that was in use or to be kept, whether the ledger knows of every removal, "
        "and whether anything is left over. The seed decides what is done, and in which order.",
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="for how long (default: 30)")
    parser.add_argument("--engine", action="append", choices=[one.name for one in KINDS], help="default: all of them")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--calm", action="store_true", help="without any disturbance")
    parser.add_argument("--watch", action="store_true", help="a watcher sweeps, not two by a clock")
    parser.add_argument(
        "--sweeps", type=int, default=0, metavar="N", help="only: sweep N times while others load, build and run"
    )
    return parser


def _leave(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
