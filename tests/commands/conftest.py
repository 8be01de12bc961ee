"""Fixtures of tests that call the command line."""

from pathlib import Path

import pytest

from dockersweep.commands import policy_source
from tests.commands.calling import SEEN, Caller, save


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Caller:
    """The command line, kept away from the policy of the machine."""
    monkeypatch.setattr(policy_source, "SYSTEM_FOLDER", tmp_path / "etc" / "dockersweep")
    return Caller(capsys, tmp_path)


@pytest.fixture
def saved(tmp_path: Path) -> str:
    """An inventory with something of every kind."""
    return save(tmp_path, *SEEN)
