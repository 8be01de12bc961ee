"""README's commands, one after the other, on an engine full of litter, as somebody who reads it would try them."""

import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.docs.test_readme import README
from tests.rig.engines.engine import Engine
from tests.rig.engines.heap import everything
from tests.rig.engines.litter import Litter

PROGRAM = str(Path(sys.executable).with_name("dockersweep"))
IN_A_MONTH = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
A_CASE = Path(__file__).parents[1] / "golden" / "match"
# Those of units and crontabs are tried by what runs these.
AT_A_PROMPT = re.compile(r"^\$ dockersweep ([^#\n]*)", re.MULTILINE)
OF_THE_MACHINE = re.compile(r"^/(etc|var)/")
OF_A_HOST = re.compile(r"^ssh://root@(\w+)$")


def words_of(command: str, machine: Path) -> list[str]:
    """Return a command as README has it, with what is of the whole machine in a folder."""
    words = [OF_THE_MACHINE.sub(f"{machine}/\\1/", word) for word in shlex.split(command)]
    words = [OF_A_HOST.sub(f"unix://{machine}/work/\\1.sock", word) for word in words]
    for word in words:
        if word.startswith(str(machine)):
            Path(word).parent.mkdir(parents=True, exist_ok=True)
    return words


def prepare(words: list[str], folder: Path) -> None:
    """Put there what a reader has by then."""
    if "fleet.toml" in words:
        hosts = "".join(f'[[host]]\nname = "build{n}"\nhost = "{folder}/build{n}.sock"\n' for n in (1, 2))
        (folder / "fleet.toml").write_text(f"version = 1\n{hosts}")
    if words[:2] == ["fleet", "report"]:
        (folder / "documents").mkdir()
        shutil.copy(folder / "plan.json", folder / "documents")
    policy = folder / "dockersweep.toml"
    if words[:2] == ["policy", "init"]:
        policy.unlink()
    elif not policy.exists():
        [block] = re.findall(r"^```toml\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
        policy.write_text(block)
    if words[:2] == ["policy", "test"]:
        shutil.copytree(A_CASE, folder / "cases")


@pytest.mark.on_engines("docker-28.5")
def test_every_command_does_what_it_says(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    everything(litter)
    folder, state = tmp_path / "work", str(tmp_path / "state")
    folder.mkdir()
    environment = engine.environment() | {"DOCKERSWEEP_STATE_DIR": state, "DOCKERSWEEP_LOCK_DIR": state}
    environment["HOME"] = str(tmp_path)
    # A first look is what makes images old a month later, and, from a terminal, what lets a sweep go unattended.
    look = ["script", "--quiet", "--return", "--command", f"{PROGRAM} scan", "/dev/null"]
    subprocess.run(look, env=environment, stdout=subprocess.DEVNULL, check=True, timeout=120)
    environment["DOCKERSWEEP_NOW"] = IN_A_MONTH
    commands = AT_A_PROMPT.findall(README.read_text())
    assert len(commands) > 20
    for number in (1, 2, 3):
        (folder / f"build{number}.sock").symlink_to(engine.recorder.path)
    for command in commands:
        words = words_of(command, tmp_path)
        if words[0] == "swarm":
            # This engine is of none.
            continue
        prepare(words, folder)
        done = subprocess.run(
            [PROGRAM, *words], env=environment, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=120,
        )  # fmt: skip
        # Without a terminal there is nobody to ask, and no screen.
        asks = ("sweep" in words or "restore" in words) and "--yes" not in words
        assert done.returncode == (2 if "-i" in words else 4 if asks else 0), (command, done.stderr)
    names = litter.engine.docker("ps", "--all", "--format", "{{.Names}}").stdout.split()
    # One was removed, and taken back.
    assert "shop-job-1" in names
    assert "shop-web-2" not in names
    assert {path.name for path in folder.iterdir()} >= {"everything.csv", "plan.json", "dockersweep.policy.schema.json"}
