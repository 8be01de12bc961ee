"""The stage on which findings come about and their fixes are carried out, as a report tells them."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dockersweep.ledger.folder import FILE_NAME, state_folder
from dockersweep.model.report import FindingId
from dockersweep.units import DAY
from tests.rig.engines.disks import SmallDisk
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.engines.podman_cli import podman
from tests.rig.machine_settings import docker_settings
from tests.rig.running import Run, dockersweep

_PATIENCE = 60
_SEEN = (
    "sizes.at",
    "objects.first_seen",
    "objects.first_seen_unused",
    "former_objects.first_seen",
    "former_objects.last_seen",
)
"""What in the ledger is of a scan's time."""


class Stage:
    """An engine on which a finding comes about, and a clock of dockersweep's that can be set on."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        """Begin now; policies go into the folder."""
        self.engine = engine
        self.litter = Litter(engine)
        self.folder = folder
        self.report_words: tuple[str, ...] = ()
        """Further words for a report, such as a policy."""
        self._later = timedelta()
        self._settings = ExitStack()

    def wait(self, **time: float) -> None:
        """Set the clock on. What a scan sees while it is set on, it does not write down."""
        self._later += timedelta(**time)

    def set_clock_back(self) -> None:
        """Have it tell the time again."""
        self._later = timedelta()

    def night(self) -> None:
        """Make all that the ledger has seen a day older: a scan is of the engine's own time, which cannot be set on."""
        with closing(sqlite3.connect(state_folder(os.environ, os.geteuid()) / FILE_NAME)) as database, database:
            for column in _SEEN:
                table, _, name = column.partition(".")
                database.execute(f"UPDATE {table} SET {name} = {name} - {DAY}")

    def run(self, *words: str, days_later: float = 0) -> Run:
        """Run dockersweep, which must end well; by a clock that is so much later than it is set."""
        later = self._later + timedelta(days=days_later)
        now = (datetime.now(UTC) + later).isoformat() if later else ""
        run = dockersweep(*words, host=self.engine.url, DOCKERSWEEP_NOW=now)
        assert run.status == 0, run.stderr
        return run

    def findings(self) -> dict[str, Any]:
        """What a report finds, by the ids."""
        told = self.run("report", "--format", "json", *self.report_words).json()
        return {one["id"]: one for one in told["findings"]}

    def await_finding(self, finding: FindingId) -> None:
        """Wait until a report has it, of what goes on while we look."""
        deadline = time.monotonic() + _PATIENCE
        while finding not in self.findings():
            assert time.monotonic() < deadline, f"there is no {finding}"
            time.sleep(0.2)

    def do(self, command: str, *more: str) -> str:
        """Carry out a command as a shell would, and return what it said."""
        program, *words = shlex.split(command)
        if program == "docker":
            done = self.engine.docker(*words, *more)
            return done.stdout + done.stderr
        if program == "podman":
            return podman(self.engine, *words, *more)
        assert program == "dockersweep", command
        if words[0] == "archive":
            # It asks no engine.
            told = dockersweep(*words, *more)
            assert told.status == 0, told.stderr
            return told.stdout
        return self.run(*words, *more).stdout

    def policy(self, text: str) -> str:
        """The name of a policy file with this in it."""
        file = self.folder / "dockersweep.toml"
        file.write_text(f"version = 1\n{text}")
        return str(file)

    def sweep_by(self, policy: str) -> set[str]:
        """Sweep by a policy of these lines, and return the names of what went, as Docker tells them."""
        run = self.run("sweep", "--yes", "--format", "json", "--policy", self.policy(policy))
        gone = [one["name"] for one in run.json()["outcomes"] if one["status"] == "removed"]
        return {name.removeprefix("localhost/") for name in gone}

    def set(self, settings: dict[str, Any]) -> None:
        """Write this into /etc/docker/daemon.json, and start the engine again.

        The folder of its data is in there for dockersweep, while the engine has it from its command line.
        """
        (self.engine.run_directory / "configuration" / "daemon.json").write_text(json.dumps(settings))
        self._settings.close()
        self._settings.enter_context(docker_settings({"data-root": str(self.engine.data_root), **settings}))
        self.engine.restart()

    def used_share(self) -> float:
        """Which share of the disk of the engine's data is used, as df has it."""
        disk = shutil.disk_usage(self.engine.data_root)
        return disk.used / (disk.used + disk.free)

    def close(self) -> None:
        """Leave the machine as it was."""
        self._settings.close()

    def runs_what_it_should(self, *, builds: bool = True) -> None:
        """See to it that the engine takes an image and runs it, and builds and runs what it built."""
        image = self.litter.image("works:1", layers={"works": 10_000}, runnable=True)
        assert self.litter.wait(self.litter.container(image=image, command="cat /layer/works > /copy", writes=1)) == 0
        if builds and self.engine.kind.has_build_cache:
            self.litter.build("FROM works:1\nCOPY new /new\nRUN echo built > /done\n", {"new": b"new"}, image="built:1")
            told = self.engine.docker("run", "--rm", "--network", "none", "built:1", "/bin/sh", "-c", "cat /done /new")
            assert told.stdout == "built\nnew"
            self.engine.docker("system", "df")


@dataclass(frozen=True)
class Row:
    """A finding: how it comes about, how its fix is carried out, and what became of it."""

    id: FindingId
    engines: tuple[str, ...]
    comes_about: Callable[[Stage], None]
    carry_out: Callable[[Stage, Any], None]
    """Takes the finding of the report's JSON; whatever it does is in there. It looks at what came of it."""
    what: str = ""
    """Where a finding has several rows."""
    own_engine: bool = False
    """Whether it needs an engine of its own, as it changes its settings."""
    disk: SmallDisk | None = None
    """Where the engine's data are to lie."""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.id, self.what)))


def settings_in(fix: Any) -> dict[str, Any]:
    """The settings of an engine that the text of a fix says to write: `"a": 1 and "b": {} into /etc/...`."""
    match = re.search(r"write (.*) into /etc/docker/daemon\.json", fix["text"])
    assert match is not None, fix
    settings: dict[str, Any] = json.loads(f"{{{match[1].replace(' and ', ', ')}}}")
    return settings


def command_in(fix: Any, beginning: str) -> str:
    """The command in the text of a fix that begins so, up to the next mark."""
    match = re.search(rf"({re.escape(beginning)}(?: --?[a-z-]+)*)", fix["text"])
    assert match is not None, fix
    return match[1]
