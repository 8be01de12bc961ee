"""A disk that is full under the ledger of a watcher, which goes on, says so, and writes down later what it can."""

from pathlib import Path

import pytest

from tests.ledger.test_ledger_file import mounted

FULL = """
import sys
from pathlib import Path
import pytest
from dockersweep.commands.watching import open_ledger
from tests.commands.watching.recording_rig import Host
from tests.rig.event_engine import EventEngine
folder, patch = Path(sys.argv[1]), pytest.MonkeyPatch()
patch.setattr(open_ledger, "REOPEN_SECONDS", 0.0)
host = Host(EventEngine(), folder / "state", patch)
with host.recorder() as recorder:
    host.engine.happens("mount", "first")
    host.passes(2)
    print(recorder.flush())
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass
    for number in range(2000):
        host.engine.happens("mount", f"v{number}")
    host.passes(30)
    recorder.record()
    print(recorder.flush(), "disk is full" in recorder.state.ledger_problem)
    filler.unlink()
    print(recorder.flush(), recorder.state.ledger_problem, recorder.take_gaps())
    print(len(host.pending()), len(host.watched()))
"""


@pytest.mark.linux
def test_a_watcher_outlives_a_full_disk_and_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "disk.before").mkdir()
    lines = mounted(tmp_path / "disk", "2m", "rw", FULL).splitlines()
    assert lines == ["True", "False True", "True None ()", "2001 1"]
