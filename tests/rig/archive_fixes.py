"""How the findings about the archive come about, and their fixes carried out."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from tests.rig.fixes import Row, Stage, command_in
from tests.rig.running import dockersweep

_RULE = '[[rule]]\nname = "all"\nkind = "volume"\neverything = true\nremove.older_than = "0s"\n'
_SIZE = 300_000


def _archived(stage: Stage, *volumes: str) -> int:
    """Have a sweep archive volumes; return the number of the run."""
    for name in volumes:
        stage.litter.volume(name, size=_SIZE)
    swept = stage.run("sweep", "--yes", "--format", "json", "--policy", _policy(stage)).json()
    assert {one["name"] for one in swept["outcomes"] if one["status"] == "removed"} >= set(volumes)
    run: int = swept["run"]
    return run


def _folder(stage: Stage) -> Path:
    return stage.folder / "archive"


def _policy(stage: Stage, limits: str = "") -> str:
    return stage.policy(f'[archive]\nfolder = "{_folder(stage)}"\nmin_free = "1MB"\n{limits}\n{_RULE}')


def _volumes(stage: Stage) -> set[str]:
    return {one["Name"] for one in stage.engine.wire.call("GET", "/volumes")["Volumes"] or ()}


def _is_nearly_full(stage: Stage) -> None:
    _archived(stage, "first")
    _archived(stage, "second")
    size = stage.run("report", "--format", "json", "--policy", _policy(stage)).json()["archive"]["size_bytes"]
    stage.report_words = ("--policy", _policy(stage, f'max_size = "{size + 10_000}B"'))


def _drop_a_run(stage: Stage, finding: Any) -> None:
    told = stage.do(finding["fix"]["command"])
    [number] = [line.split()[0] for line in told.splitlines() if re.match(r" *[0-9]+ ", line)][:1]
    assert "first" in stage.do("dockersweep archive show", number)
    stage.do(command_in(finding["fix"], "dockersweep archive drop"), number, "--yes")
    assert len([one for one in _folder(stage).iterdir() if one.is_dir()]) == 1


def _let_it_take_more(stage: Stage, finding: Any) -> None:
    assert "max_size" in finding["fix"]["text"]
    stage.report_words = ("--policy", _policy(stage, 'max_size = "1GB"'))


def _others_can_write(stage: Stage) -> None:
    _archived(stage, "first")
    stage.report_words = ("--policy", _policy(stage))
    _folder(stage).chmod(0o777)


def _shut_them_out(stage: Stage, finding: Any) -> None:
    stage.litter.volume("stays", size=_SIZE)
    swept = dockersweep("sweep", "--yes", *stage.report_words, host=stage.engine.url)
    assert "stays" in _volumes(stage)
    assert swept.status != 0
    words = finding["fix"]["command"].split()[1:]
    still = dockersweep(*words)
    assert still.status == 2
    for told in (still.stderr, *finding["evidence"]):
        mode, place = re.findall(r"chmod (go-w) (\S+)", told)[0]
        assert (mode, place) == ("go-w", os.fspath(_folder(stage)))
    _folder(stage).chmod(_folder(stage).stat().st_mode & ~0o022)
    assert "1 volume" in stage.do(finding["fix"]["command"])
    stage.run("sweep", "--yes", *stage.report_words)
    assert "stays" not in _volumes(stage)


def _is_damaged(stage: Stage) -> None:
    _archived(stage, "broken", "whole")
    [file] = _folder(stage).glob("*/volumes/broken/data.tar.zst")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    # Without the policy: the ledger knows where the archive is.
    assert dockersweep("archive", "verify").status == 2


def _give_up_what_is_lost(stage: Stage, finding: Any) -> None:
    words = finding["fix"]["command"].split()[1:]
    verified = dockersweep(*words)
    assert (verified.status, "volume broken" in verified.stdout) == (2, True)
    [number] = {line.split()[0] for line in stage.do("dockersweep archive list").splitlines() if "broken" in line}
    shown = stage.do(command_in(finding["fix"], "dockersweep archive show"), number)
    assert f"`dockersweep restore {number}` brings all but volume broken back." in " ".join(shown.split())
    restored = dockersweep(
        *command_in(finding["fix"], "dockersweep restore").split()[1:], number, "--yes", host=stage.engine.url
    )
    assert (restored.status, _volumes(stage)) == (3, {"whole"})
    stage.do(command_in(finding["fix"], "dockersweep archive drop"), number, "--yes")
    stage.do(finding["fix"]["command"])


ARCHIVE_ROWS = (
    Row("DS028", ("docker-28.5",), _is_nearly_full, _drop_a_run, "a run goes"),
    Row("DS028", ("docker-28.5",), _is_nearly_full, _let_it_take_more, "it may take more"),
    Row("DS029", ("docker-28.5",), _others_can_write, _shut_them_out),
    Row("DS030", ("docker-28.5", "podman-6.1"), _is_damaged, _give_up_what_is_lost),
)
"""In the order of the ids."""
