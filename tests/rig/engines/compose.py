"""Projects of docker compose, played with the real plugin."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.rig.engines.engine import Engine

_PATIENCE = 30.0


class Project:
    """One compose file in a folder of its own."""

    def __init__(self, engine: Engine, folder: Path, file: str, *, name: str) -> None:
        """Write the file; nothing is made of it yet."""
        self._engine = engine
        self.name = name
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "compose.yaml"
        self._file.write_text(file)

    def run(self, *arguments: str) -> str:
        """Do what a user types after `docker compose`; return what it wrote, and raise where it fails."""
        done = self._engine.docker("compose", "--project-name", self.name, "--file", str(self._file), *arguments)
        return done.stdout

    def up(self) -> None:
        """Start it, or start it again, and wait until what ends by itself has ended."""
        self.run("up", "--detach", "--no-build", "--pull", "never")
        deadline = time.monotonic() + _PATIENCE
        while any(one["State"] == "created" for one in self._listed()) and time.monotonic() < deadline:
            time.sleep(0.05)

    def states(self) -> dict[str, str]:
        """The state of each service's container, as compose lists it."""
        return {one["Service"]: one["State"] for one in self._listed()}

    def _listed(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run("ps", "--all", "--format", "json").splitlines()]
