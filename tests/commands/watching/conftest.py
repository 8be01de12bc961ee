"""What the tests of a watcher's parts have in common."""

from pathlib import Path

import pytest

from tests.commands.watching.recording_rig import Host
from tests.rig.event_engine import EventEngine


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A machine with a Docker that has events and nothing else."""
    return Host(EventEngine(), tmp_path / "state", monkeypatch)


@pytest.fixture
def podman_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """The same with a Podman."""
    return Host(EventEngine(is_podman=True), tmp_path / "state", monkeypatch)
