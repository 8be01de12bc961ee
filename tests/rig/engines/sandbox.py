"""A command in an environment where nothing can go wrong: see `tests/sandbox --help`."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

from tests.rig.engines.engine import Engine
from tests.rig.engines.heap import everything
from tests.rig.engines.kinds import kind, parser_with_engine
from tests.rig.engines.litter import Litter

_CLOCK = "DOCKERSWEEP_NOW"
_AHEAD = timedelta(days=30, hours=1)
"""So far that the litter is a month old whatever the second, as README shows it."""


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args(arguments)
    # An end from outside unwinds like any other, so that the engine goes as well.
    for unwelcome in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(unwelcome, _leave)
    try:
        with Engine(kind(options.engine)) as engine:
            if not options.empty:
                everything(Litter(engine))
            return _run([options.command, *options.arguments], _environment(engine, young=options.young))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = parser_with_engine(
        "tests/sandbox",
        "Run COMMAND against a throw-away engine full of litter, with `dockersweep` and `docker` "
        "on its PATH and DOCKER_HOST set. Everything is removed afterwards.",
    )
    parser.add_argument("--empty", action="store_true", help="without the litter")
    parser.add_argument("--young", action="store_true", help="with the true time, by which the litter is new")
    parser.add_argument("command", metavar="COMMAND")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...")
    return parser


def _environment(engine: Engine, *, young: bool) -> dict[str, str]:
    environment = engine.environment()
    # It was for us to be found by, and is nothing to the command.
    environment.pop("PYTHONPATH", None)
    installed = Path(sys.executable).with_name("dockersweep")
    (engine.run_directory / "bin" / "dockersweep").symlink_to(installed)
    # The memory of a throw-away engine goes with it, and not into the ledger of this machine.
    folder = str(engine.run_directory / "state")
    environment["DOCKERSWEEP_STATE_DIR"] = environment["DOCKERSWEEP_LOCK_DIR"] = folder
    _tell(f"{engine.kind.name} at {environment['DOCKER_HOST']}")
    if not young:
        moment = (datetime.now(UTC) + _AHEAD).strftime("%Y-%m-%dT%H:%M:%SZ")
        # The memory of a first look now is what makes images old then: no engine tells when one arrived.
        _scan(installed, environment)
        environment.setdefault(_CLOCK, moment)
        _tell(f"for dockersweep it is {environment[_CLOCK]}, so that the litter is old ({_CLOCK}; not with --young)")
    return environment


def _scan(program: Path, environment: Mapping[str, str]) -> None:
    """No person looks at it, so it has no terminal."""
    done = subprocess.run(
        [program, "scan"], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    sys.stderr.write(done.stderr)


def _run(command: list[str], environment: Mapping[str, str]) -> int:
    # A Ctrl-C is for the command, which may have its own use for it. A handler, unlike ignoring, does not
    # pass on to the command.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        # The PATH to search is the command's, not ours.
        process = subprocess.Popen(["env", *command], env=environment)
    except BaseException:
        signal.signal(signal.SIGINT, before)
        raise
    try:
        status = process.wait()
    finally:
        process.kill()
        process.wait()
        signal.signal(signal.SIGINT, before)
    return status if status >= 0 else 128 - status


def _leave(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)


def _tell(text: str) -> None:
    sys.stderr.write(f"sandbox: {text}\n")


if __name__ == "__main__":
    # Nothing that the sandbox does depends on where it is called from, but the command may.
    os.environ.pop("PYTHONSAFEPATH", None)
    sys.exit(main(sys.argv[1:]))
