"""dockersweep as it is installed: compiled, with what it requires and nothing beside it that only developers have.

msgspec imports typing_extensions where that is there, which mypy brings along and which imports as much as a plan.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.bench.measure import Runner, Sample
from tests.bench.virtual_environment import python_with

HERE = Path(__file__).resolve().parents[2]
"""This checkout."""
_SCRIPT = """
import sys
from dockersweep.{module} import main
if __name__ == "__main__":
    sys.argv[0] = sys.argv[0].removesuffix(".exe")
    sys.exit(main())
"""
"""As pip writes it today. Older ones import re, which takes longer than all that --version imports."""


class Installed:
    """The dockersweep of a checkout, with a memory of its own."""

    def __init__(self, checkout: Path, environment: Mapping[str, str], folder: Path, python: str | None = None) -> None:
        """Run it in this environment, with what it leaves in a folder; in another interpreter than its own where that
        is named."""
        folder.mkdir(exist_ok=True)
        self.state = folder / "state"
        """The folder of its memory."""
        self.python = Path(python) if python else _python(checkout)
        """The interpreter that it runs in."""
        own = {name: value for name, value in environment.items() if not name.startswith("PYTHON")}
        own |= {"PYTHONPATH": str(checkout), "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
        own |= dict.fromkeys(("DOCKERSWEEP_STATE_DIR", "DOCKERSWEEP_LOCK_DIR"), str(self.state))
        self._runner = Runner(own, folder)
        self._script, self._plugin = folder / "dockersweep", folder / "docker-sweep"
        self._script.write_text(_SCRIPT.format(module="__main__"))
        self._plugin.write_text(_SCRIPT.format(module="docker_plugin"))

    def __call__(self, *words: str) -> Sample:
        """Run it once; raises BenchError where it fails."""
        return self._runner.run(self.python, "-P", self._script, *words)

    def as_plugin(self) -> Sample:
        """Tell docker what it is a plugin of."""
        return self._runner.run(self.python, "-P", self._plugin, "docker-cli-plugin-metadata")


def _python(checkout: Path) -> Path:
    requirements = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["dependencies"]
    recipe = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:8]
    return python_with(f"dockersweep-{recipe}", *requirements)


@contextmanager
def checkout_of(commit: str) -> Iterator[Path]:
    """Another commit, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="dsw-commit-") as folder:
        path = Path(folder, "checkout")
        subprocess.run(["git", "worktree", "add", "-q", "--detach", path, commit], cwd=HERE, check=True)
        try:
            yield path
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", path], cwd=HERE, check=True)
