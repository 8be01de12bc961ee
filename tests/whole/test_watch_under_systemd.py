"""The unit of the watcher on a machine with a systemd: it is ready, goes round, reads its policy again, and stops."""

from collections.abc import Iterator

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.engines.machine import Machine
from tests.whole.test_examples import FAILED, TIMER, WATCH
from tests.whole.test_under_systemd import eventually, journal, look, machine_with, said

pytestmark = [pytest.mark.programs, pytest.mark.on_engines("docker-28.5")]

UNIT = WATCH.name
POLICY = """\
version = 1
[[rule]]
name = "jobs"
kind = "container"
match.name = "job-*"
remove.older_than = "0s"
[watch]
splay = "0s"
settle = "0s"
"""


@pytest.fixture
def machine(engine: Engine) -> Iterator[Machine]:
    """A machine with the units of the examples."""
    with machine_with(engine, WATCH, FAILED, TIMER) as machine:
        yield machine


def properties(machine: Machine, *names: str) -> dict[str, str]:
    told = machine.run("systemctl", "show", UNIT, "-p", ",".join(names)).stdout
    return dict(line.split("=", 1) for line in told.splitlines())


def write_policy(machine: Machine, text: str) -> None:
    folder = machine.path("/root/.config/dockersweep")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dockersweep.toml").write_text(text)


def test_the_watcher_as_a_service(machine: Machine, litter: Litter) -> None:
    litter.container("job-1", state="created")
    write_policy(machine, f'{POLICY}sweep = "never"\n')
    look(machine)
    # Started only once it says that it is ready.
    machine.run("systemctl", "start", UNIT)
    eventually(lambda: any("following the events" in line for line in said(machine, 6)))
    eventually(lambda: properties(machine, "StatusText")["StatusText"] == "watching")
    assert properties(machine, "ActiveState", "WatchdogUSec") == {"ActiveState": "active", "WatchdogUSec": "5min"}
    write_policy(machine, f'{POLICY}sweep = "every 1s"\n')
    machine.run("systemctl", "reload", UNIT)
    eventually(lambda: any("was read again and is in force" in line for line in said(machine, 5)))
    eventually(lambda: any(line.startswith("remove container job-1: removed") for line in said(machine, 5)))
    ended = "sweep by the schedule ended: removed 1 object"
    eventually(lambda: any(line.startswith(ended) for line in said(machine, 6)))
    assert properties(machine, "ActiveState")["ActiveState"] == "active"
    machine.run("systemctl", "stop", UNIT)
    assert properties(machine, "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
    assert any(line.startswith("SIGTERM: the watcher ends") for line in said(machine, 5))
    assert {entry["_SYSTEMD_UNIT"] for entry in journal(machine, "SYSLOG_IDENTIFIER=dockersweep")} == {UNIT}


def test_a_watcher_says_what_sweeps_beside_it_and_gives_up_on_a_policy_that_is_wrong(machine: Machine) -> None:
    machine.run("systemctl", "enable", TIMER.name)
    machine.run("systemctl", "start", UNIT)
    eventually(lambda: any("dockersweep.timer is enabled" in line for line in said(machine, 6)))
    machine.run("systemctl", "stop", UNIT)
    write_policy(machine, "version = 1\n[targt]\n")
    machine.run("systemctl", "start", UNIT, check=False)
    eventually(lambda: properties(machine, "ActiveState")["ActiveState"] == "failed")
    assert properties(machine, "ExecMainStatus", "NRestarts") == {"ExecMainStatus": "2", "NRestarts": "0"}
