"""Fixtures of tests that read a ledger: the command line, and a ledger with three runs."""

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from dockersweep.cli import main
from dockersweep.ledger import FILE_NAME, Ledger
from tests.ledger.past_runs import DAY, PLAN, SEEN, START, Asked, Said, sweep
from tests.rig.inventories import NOW, inventory


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Asked:
    """Run `dockersweep history` on the ledger in the folder of the test; return status, output and errors."""
    monkeypatch.setenv("DOCKERSWEEP_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("COLUMNS", raising=False)

    def ask(*arguments: str) -> Said:
        capsys.readouterr()
        status = main(["history", *arguments])
        return status, *capsys.readouterr()

    return ask


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of `three_runs`."""
    folder = tmp_path_factory.mktemp("three")
    with Ledger(folder) as ledger:
        ledger.update_objects(SEEN, (), NOW)
        sweep(ledger, SEEN, 0)
        ledger.begin(replace(START, started_at=NOW + DAY)).finish(4, NOW + DAY, None, "over a limit of the policy")
        ledger.update_objects(inventory(*SEEN.images), (), NOW + 2 * DAY)
        broken = ledger.begin(replace(START, started_at=NOW + 2 * DAY, pid=2**22 + 5))
        broken.plan(PLAN, SEEN)
        broken.sending(PLAN.removals[0])
    return folder / FILE_NAME


@pytest.fixture
def three_runs(written: Path, tmp_path: Path) -> Path:
    """The folder of a ledger with a sweep, one that was refused, and one that did not end and whose process is gone."""
    shutil.copy(written, tmp_path)
    return tmp_path
