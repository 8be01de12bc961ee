"""A sweep with an archive that is killed at any step: each object is on the engine or whole in the archive, and the
next run goes on as if nothing had been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import KINDS, NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.running import dockersweep
from tests.rig.stored_archive import Stored, half_files_in, stored_in
from tests.whole.test_archiving import ALL, address_of, made_to_read, nothing_made_to_read_is_left, volume_with

KILLS, FEW_KILLS = 6, 3
"""How many steps of each sort of sweep are tried on the newest engines and, in every run, on each other; they are
others on each."""


def fill(litter: Litter) -> set[tuple[str, str]]:
    """Make one object of each kind that an archive has; return kinds and ids."""
    volume, _ = volume_with(litter, data=os.urandom(200_000))
    image = litter.image(None, layers={os.urandom(4).hex(): 1000})
    container = litter.container("job", command="echo out; echo new > /new")
    return {("volume", volume), ("image", image), ("container", container)}


def there(engine: Engine) -> set[tuple[str, str]]:
    call = engine.wire.call
    found = {("container", one["Id"]) for one in call("GET", "/containers/json", all="1")}
    found |= {("image", one["Id"]) for one in engine.wire.images()}
    return found | {("volume", one["Name"]) for one in call("GET", "/volumes")["Volumes"] or ()}


class Sweeps:
    """Sweeps of one engine into one archive, the first of which may be killed."""

    def __init__(self, host: str, folder: Path) -> None:
        self._host, self._folder = host, folder
        self.archive = folder / "archive"
        self._told = folder / "steps"

    @property
    def words(self) -> list[str]:
        return ["-H", self._host, "sweep", *ALL, "--archive", str(self.archive)]

    def killed_at(self, step: int) -> int:
        """Sweep, and return how many steps it made; 0 for a step kills it at none."""
        command = [sys.executable, "-m", "tests.rig.killed_at", str(step), str(self._told), *self.words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode in ((-signal.SIGKILL,) if step else (0,)), (step, done.stderr)
        return int(self._told.read_text())

    def next(self) -> dict[str, Any]:
        run = dockersweep(*self.words[2:], host=self._host)
        assert run.status == 0, run.stderr
        document: dict[str, Any] = run.json()
        return document

    def stored(self) -> Stored:
        return stored_in(self.archive)


def removed_in(run: int) -> list[tuple[str, str]]:
    rows = dockersweep("history", str(run), "--format", "json").json()["removals"]
    return [(row["kind"], row["id"]) for row in rows if row["status"] == "removed" and row["action"] == "remove"]


@pytest.mark.parametrize("near", [True, False])
def test_after_a_kill_at_any_step_nothing_is_lost_and_nothing_left(
    engine: Engine, litter: Litter, tmp_path: Path, near: bool, pytestconfig: pytest.Config
) -> None:
    if not near and engine.kind.flavour == "podman":
        pytest.skip("from afar nothing is made on it")
    with address_of(engine, near) as host:
        sweeps = Sweeps(host, tmp_path)
        fill(litter)
        steps = sweeps.killed_at(0)
        assert steps > 60
        is_whole = engine.kind.name in NEWEST or pytestconfig.getoption("--every-engine")
        stride = max(1, steps // (KILLS if is_whole else FEW_KILLS))
        # Others on each engine: between them they meet them all.
        first = 1 + KINDS.index(engine.kind) * stride // len(KINDS)
        number = 1
        for step in range(first, steps - 2, stride):
            made = fill(litter)
            sweeps.killed_at(step)
            number += 1
            half_read = made_to_read(engine)
            lost = {ref for ref in made - there(engine) if ref not in sweeps.stored()}
            assert not lost, f"killed at step {step} of {steps}"
            document = sweeps.next()
            number += 1
            assert document["run"] == number
            assert not made & there(engine), f"killed at step {step} of {steps}"
            assert {ref for ref in made if ref in sweeps.stored()} == made, f"killed at step {step} of {steps}"
            assert half_files_in(sweeps.archive) == []
            twice = Counter(removed_in(number - 1) + removed_in(number))
            assert set(twice.values()) <= {1}, f"killed at step {step} of {steps}"
            late = made_to_read(engine)
            # An image that was there stays only with a container that was not.
            assert late - half_read or not late, f"killed at step {step} of {steps}"
            if late:
                # A busy engine goes on with what it was asked for when nobody waits for it any more, and what it makes
                # after the next run has looked is left to the one after that.
                fill(litter)
                sweeps.next()
                number += 1
                nothing_made_to_read_is_left(engine)
