"""The command line called in this process, and an inventory and policies for it."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from dockersweep import cli
from dockersweep.model.inventory import Object
from tests.rig.inventories import ago, container, image, inventory, network, record, volume, write_inventory
from tests.rig.policies import VERSION, rule_text

SCRATCH = VERSION + rule_text("scratch volumes", "volume", 'match.name = "scratch-*"', 'remove.older_than = "3d"')
IMAGES = VERSION + rule_text(
    "old releases", "image", 'match.repository = "app"', "keep.last = 1", 'remove.older_than = "3d"'
)
BROKEN = VERSION + rule_text("scratch volumes", "volum", 'match.nam = "scratch-*"', 'remove.older_than = "3 parsecs"')
SEEN: tuple[Object, ...] = (
    container("job-1"),
    replace(image("a1b2c3d4", "app:1"), built_at=ago(days=30)),
    replace(image("a1b2e5f6", "app:2"), built_at=ago(days=20)),
    image("c0ffee01"),
    volume("scratch-1", anonymous=False),
    volume("scratch-2", anonymous=False),
    volume("data", anonymous=False),
    network("shop"),
    record("r1"),
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root distrusts files")


class Said(NamedTuple):
    """How a call ended, and what it said."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """What it wrote to standard output, as JSON."""
        return json.loads(self.out)


class Caller:
    """Calls the command line in this process, which is much faster than a process of its own."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        """Write files to `folder`."""
        self._capsys = capsys
        self.folder = folder

    def __call__(self, *arguments: str) -> Said:
        """Run a command line."""
        self._capsys.readouterr()
        status = cli.main(list(arguments))
        captured = self._capsys.readouterr()
        return Said(status, captured.out, captured.err)

    def policy(self, text: str | bytes, path: Path | None = None) -> str:
        """Write a policy file that root trusts, and return its path."""
        file = path or self.folder / "policy.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        file.chmod(0o644)
        return str(file)


def save(folder: Path, *objects: Object) -> str:
    """Save an inventory of these objects, and return its path."""
    return write_inventory(folder, inventory(*objects))


def going(said: Said) -> list[str]:
    """Return the names of what a plan that was asked for as JSON removes."""
    assert said.status == 0, said.err
    return sorted(one["name"] for one in said.json()["removals"])
