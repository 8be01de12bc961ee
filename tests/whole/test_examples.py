"""The examples for systemd and cron: the real tools take them, and they do what they say on a real engine."""

import json
import os
import re
import shlex
import struct
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from dockersweep.parser import build_parser
from tests.rig.engines.engine import Engine
from tests.rig.engines.heap import everything
from tests.rig.engines.litter import Litter
from tests.rig.running import dockersweep

pytestmark = pytest.mark.programs

EXAMPLES = Path(__file__).parents[2] / "share" / "examples"
SERVICE = EXAMPLES / "systemd" / "dockersweep.service"
TIMER = EXAMPLES / "systemd" / "dockersweep.timer"
WATCH = EXAMPLES / "systemd" / "dockersweep-watch.service"
FAILED = EXAMPLES / "systemd" / "dockersweep-failed@.service"
CRONTABS = sorted((EXAMPLES / "cron.d").iterdir())
README = Path(__file__).parents[2] / "README.md"
INSTALLED = "/usr/local/bin/dockersweep"
PROGRAM = str(Path(sys.executable).with_name("dockersweep"))
SOME_GROUP = 64242
# What cron gives a command, but for a home.
BARE = {"PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "LOGNAME": "root"}
IN_A_MONTH = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
# What the service may do: a read-only machine but for its folder and that of locks, no network, one capability.
CONFINED = """
set -e
mount --bind "$1" "$1"
mount --bind "$2" "$2"
mount -o remount,bind,ro /
shift 2
exec setpriv --no-new-privs --bounding-set=-all,+dac_read_search --inh-caps=-all "$@"
"""


def exec_start(service: Path = SERVICE) -> str:
    [line] = re.findall(r"^ExecStart=(.*)$", service.read_text(), re.MULTILINE)
    assert isinstance(line, str)
    return line


def cron_command(crontab: Path) -> str:
    """Return what stands behind the time and the user."""
    [line] = re.findall(r"^[\d*]+ [\d*]+ \S+ \S+ \S+ root (.*)$", crontab.read_text(), re.MULTILINE)
    assert isinstance(line, str)
    return line


def systemd_analyze(*arguments: str) -> str:
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in (SERVICE, TIMER, WATCH, FAILED):
        (tmp_path / unit.name).write_text(unit.read_text().replace(INSTALLED, PROGRAM))
    assert systemd_analyze("verify", "--man=no", *map(str, tmp_path.iterdir())) == ""


@pytest.mark.parametrize("service", [SERVICE, WATCH], ids=lambda service: service.name)
def test_the_services_are_confined(service: Path) -> None:
    # At most 1.0 of 10, which systemd calls safe.
    told = systemd_analyze("security", "--offline=true", "--no-pager", "--threshold=10", str(service))
    assert "SAFE" in told.splitlines()[-1]


def test_the_timer_means_a_time() -> None:
    [when] = re.findall(r"^OnCalendar=(.*)$", TIMER.read_text(), re.MULTILINE)
    assert "Next elapse" in systemd_analyze("calendar", when)


def commented_commands() -> list[str]:
    """Return the commands of the examples that are to be taken in."""
    texts = [file.read_text() for file in (SERVICE, *CRONTABS)]
    return [line for text in texts for line in re.findall(rf"^#.*?({INSTALLED} [^;\n]*)", text, re.MULTILINE)]


def test_what_can_be_taken_in_goes_by_the_same_policy() -> None:
    flags = ("--older-than", "3d")
    commands = [shlex.split(command.replace(" 2>/dev/null", ""))[1:] for command in commented_commands()]
    assert [words[0] for words in commands] == ["report", "sweep", "report"]
    for words in commands:
        build_parser().parse_args(words)
        assert words[words.index(flags[0]) + 1] == flags[1]


@pytest.mark.parametrize("command", [exec_start(), exec_start(WATCH), *map(cron_command, CRONTABS)])
def test_every_command_parses(command: str) -> None:
    words = shlex.split(command)
    assert build_parser().parse_args(words[words.index(INSTALLED) + 1 :]).yes


def test_the_commands_of_clusters_parse() -> None:
    """No cluster has run them: what can be held is that they are written as their tools read them, and mean a sweep."""
    job = yaml.safe_load((EXAMPLES / "kubernetes" / "dockersweep.yaml").read_text())["spec"]["jobTemplate"]["spec"]
    [container] = job["template"]["spec"]["containers"]
    [words] = re.findall(
        r"^ +args += (\[.*\])$", (EXAMPLES / "nomad" / "dockersweep.nomad.hcl").read_text(), re.MULTILINE
    )
    for arguments in (container["args"], json.loads(words)):
        assert build_parser().parse_args(arguments).yes


def test_readme_shows_what_ships() -> None:
    text = README.read_text()
    assert f"ExecStart={exec_start()}\n" in text
    assert f"ExecStart={exec_start(WATCH)}\n" in text
    assert f"root {cron_command(EXAMPLES / 'cron.d' / 'dockersweep')}\n" in text


@pytest.mark.parametrize("crontab", CRONTABS, ids=lambda crontab: crontab.name)
def test_cron_takes_the_crontabs(crontab: Path) -> None:
    # Debian's cron leaves out files with other names, and what stands behind a percent sign.
    assert re.fullmatch(r"[A-Za-z0-9_-]+", crontab.name)
    assert "%" not in cron_command(crontab)
    assert crontab.read_text().endswith("\n")


def allowed_groups(file: Path) -> list[int]:
    """Return the groups that an access list names (linux/posix_acl_xattr.h)."""
    entries = struct.iter_unpack("<HHI", os.getxattr(file, "system.posix_acl_access")[4:])
    return [number for tag, bits, number in entries if tag == 8 and bits & 6 == 6]


def environment(engine: Engine, state: Path) -> dict[str, str]:
    """Return what leads to the engine of a test, where the example means that of the machine."""
    return {
        "DOCKER_HOST": engine.url,
        "DOCKERSWEEP_STATE_DIR": str(state),
        "DOCKERSWEEP_LOCK_DIR": os.environ["DOCKERSWEEP_LOCK_DIR"],
        "DOCKERSWEEP_NOW": IN_A_MONTH,
    }


def look(engine: Engine, state: Path) -> None:
    """Look once, as the examples say: from a terminal."""
    command = shlex.join([PROGRAM, "-H", engine.url, "plan"])
    variables = os.environ | {"DOCKERSWEEP_STATE_DIR": str(state)}
    on_a_terminal = ["script", "--quiet", "--return", "--command", command, "/dev/null"]
    subprocess.run(on_a_terminal, env=variables, stdout=subprocess.DEVNULL, check=True, timeout=60)


def run(command: Sequence[str], variables: dict[str, str]) -> tuple[int, str, str]:
    done = subprocess.run(command, env=variables, cwd="/", capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.on_engines("docker-28.5")
def test_the_crontab_mails_only_what_is_worth_it(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    everything(litter)
    command = ["sh", "-c", cron_command(EXAMPLES / "cron.d" / "dockersweep").replace(INSTALLED, PROGRAM)]
    variables = BARE | environment(engine, tmp_path)
    status, printed, said = run(command, variables)
    assert (status, printed) == (4, "")
    assert "look with `dockersweep plan`" in said
    look(engine, tmp_path)
    status, printed, said = run(command, variables)
    assert (status, said) == (0, "")
    assert "Removed 2 containers, 1 image, 1 volume, 2 networks, 6 build-cache records" in printed
    assert run(command, variables) == (0, "", "")


@pytest.mark.on_engines("docker-28.5")
def test_readme_keeps_metrics_and_the_exit_status(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    litter.container("left", state="created")
    [end] = re.findall(r"`(; s=[^`]*)`", README.read_text())
    line = f"{cron_command(EXAMPLES / 'cron.d' / 'dockersweep')}{end}".replace("DIR", str(tmp_path))
    for status, ended in ((4, "refused"), (0, "done")):
        done = run(["sh", "-c", line.replace(INSTALLED, PROGRAM)], BARE | environment(engine, tmp_path))
        assert done[0] == status, done
        # What the sweep has said is not said a second time.
        assert (done[2].count("dockersweep: nothing removed:"), "Warning:" in done[2]) == (int(status == 4), False)
        assert f'status="{ended}"}} 1.0' in (tmp_path / "dockersweep.prom").read_text()
        look(engine, tmp_path)


@pytest.mark.on_engines("docker-28.5")
def test_the_crontab_without_mail_tells_the_journal(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    everything(litter)
    look(engine, tmp_path)
    # There is no journal on the machines of tests; what it would get is looked at.
    stand_in = tmp_path / "systemd-cat"
    stand_in.write_text('#!/bin/sh\n[ "$1 $2" = "-t dockersweep" ] && shift 2 && exec "$@"\n')
    stand_in.chmod(0o755)
    command = cron_command(EXAMPLES / "cron.d" / "dockersweep-without-mail").replace(INSTALLED, PROGRAM)
    command = command.replace("/var/lib/dockersweep", str(tmp_path))
    variables = BARE | environment(engine, tmp_path) | {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    status, printed, said = run(["sh", "-c", command], variables)
    assert (status, printed) == (0, "")
    assert all(re.match(r"<[3-6]>\S", line) for line in said.splitlines())
    assert "Removed 2 containers" in (tmp_path / "last-result.txt").read_text()


@pytest.mark.on_engines("docker-28.5")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can confine a process so")
def test_the_service_does_with_what_it_is_left(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    everything(litter)
    state = tmp_path / "dockersweep"
    look(engine, state)
    command = shlex.split(exec_start().replace(INSTALLED, PROGRAM).replace("%S", str(tmp_path)))
    socket, locks = Path(engine.url.removeprefix("unix://")), Path(os.environ["DOCKERSWEEP_LOCK_DIR"])
    os.chown(socket, 0, SOME_GROUP)
    socket.chmod(0o660)
    confined = ["unshare", "--mount", "--net", "sh", "-c", CONFINED, "sh", str(state), str(locks), *command]
    variables = {"PATH": "/usr/sbin:/usr/bin", "LANG": "C.UTF-8", "STATE_DIRECTORY": str(state)}
    status, printed, said = run(confined, variables | environment(engine, state))
    assert (status, printed) == (0, ""), said
    lines = said.splitlines()
    planned = r"12 removals planned, freeing [\d.]+ MB, by the default policy and command-line flags"
    assert re.match(rf"<6>sweep of \S+: {planned}", lines[0])
    assert sum(line.startswith("<5>remove ") for line in lines) == 12
    assert re.match(r"<6>12 removed; freed [\d.]+ MB; exit status 0$", lines[-1])
    # The disk was read, and the ledger written.
    assert "MB of disk blocks" in (state / "last-result.txt").read_text()
    history = dockersweep("history", "--format", "json", DOCKERSWEEP_STATE_DIR=str(state))
    assert [run["verb"] for run in json.loads(history.stdout)["runs"]] == ["sweep"]
    # It cannot give its lock to the group of the socket, but lets that in all the same.
    [lock] = locks.iterdir()
    assert SOME_GROUP in allowed_groups(lock)
