"""The examples for systemd and cron on a machine that has both, on which nothing stands in for either."""

import json
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from dockersweep.engine.removing.executor import WORKERS
from tests.rig.engines.engine import Engine
from tests.rig.engines.heap import everything
from tests.rig.engines.kinds import CannotDo
from tests.rig.engines.litter import Litter
from tests.rig.engines.machine import Machine
from tests.rig.recorder import Request
from tests.whole.test_examples import EXAMPLES, FAILED, IN_A_MONTH, SERVICE, TIMER

pytestmark = [pytest.mark.programs, pytest.mark.on_engines("docker-28.5")]

UNIT = SERVICE.name
TELLS = f"dockersweep-failed@{UNIT}.service"
UNITS = "/etc/systemd/system"
VOLUMES = 3
DOCKER_GROUP, MEMBER = 64242, 65001
ALL_VOLUMES = f"Removed {VOLUMES} volumes"
LOOKED_FOR = "nobody has looked at the engine at unix:///var/run/docker.sock from a terminal yet"
AWAY = "cannot reach the engine at unix:///var/run/docker.sock"
# What it gets as a mail, in place of a real one.
SENDMAIL = """\
#!/bin/sh
exec cat >"$(mktemp /var/mail/got.XXXXXX)"
"""
POLICY = """\
version = 1
[protect]
names = ["shop-job-1"]
[[rule]]
name = "old ones"
kind = "container"
match.name = "shop-*"
remove.stopped_for = "24h"
"""


@contextmanager
def machine_with(engine: Engine, *units: Path, settings: str = "") -> Iterator[Machine]:
    """A machine with units of the examples; the first has these settings besides."""
    try:
        started = Machine(engine)
    except CannotDo as reason:
        pytest.skip(str(reason))
    with started as machine:
        for unit in units:
            machine.path(f"{UNITS}/{unit.name}").write_text(unit.read_text())
        # The data of an engine of the tests lie where PrivateTmp= hides them.
        drop_in(machine, units[0].name, f"[Service]\n{settings}BindReadOnlyPaths={engine.data_root}")
        yield machine


@pytest.fixture
def machine(engine: Engine) -> Iterator[Machine]:
    """A machine with the units of the examples, to which all that is on the engine is a month old."""
    with machine_with(
        engine, SERVICE, TIMER, FAILED, settings=f"Environment=DOCKERSWEEP_NOW={IN_A_MONTH}\n"
    ) as machine:
        yield machine


def fill(litter: Litter) -> None:
    for _ in range(VOLUMES):
        litter.anonymous_volume(1000)


def drop_in(machine: Machine, unit: str, text: str) -> None:
    folder = machine.path(f"{UNITS}/{unit}.d")
    folder.mkdir(exist_ok=True)
    (folder / "test.conf").write_text(f"{text}\n")
    machine.run("systemctl", "daemon-reload")


def look(machine: Machine) -> None:
    """Look at the engine as a person does, at a terminal."""
    machine.run("script", "--quiet", "--return", "--command", "dockersweep plan", "/dev/null")


def start(machine: Machine) -> str:
    """Start the service, wait for its end, and return how that was."""
    machine.run("systemctl", "start", UNIT, check=False)
    return state(machine)


def state(machine: Machine) -> str:
    properties = ("ActiveState", "Result", "ExecMainStatus")
    # In the order of systemd, which is not that of the question.
    told = dict(
        line.split("=", 1)
        for line in machine.run("systemctl", "show", UNIT, "-p", ",".join(properties)).stdout.splitlines()
    )
    return " ".join(told[name] for name in properties)


def journal(machine: Machine, *matches: str) -> list[Any]:
    machine.run("journalctl", "--sync")
    told = machine.run("journalctl", "--output", "json", *matches).stdout
    return [json.loads(line) for line in told.splitlines()]


def said(machine: Machine, priority: int) -> list[str]:
    """What dockersweep said at a priority, so far."""
    return [
        entry["MESSAGE"]
        for entry in journal(machine, "SYSLOG_IDENTIFIER=dockersweep")
        if entry["PRIORITY"] == str(priority)
    ]


def last_result(machine: Machine) -> str:
    return " ".join(machine.path("/var/lib/dockersweep/last-result.txt").read_text().split())


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_timer_starts_the_service_which_sweeps_and_tells_the_journal(machine: Machine, litter: Litter) -> None:
    everything(litter)
    look(machine)
    drop_in(machine, TIMER.name, "[Timer]\nOnCalendar=*:*:*\nRandomizedDelaySec=0\nAccuracySec=1ms")
    machine.run("systemctl", "enable", "--now", TIMER.name)
    eventually(lambda: any("exit status" in line for line in said(machine, 6)))
    machine.run("systemctl", "disable", "--now", TIMER.name)
    eventually(lambda: state(machine) == "inactive success 0")
    # By now it may have run once more, and found nothing.
    removed = said(machine, 5)
    assert len(removed) == 12
    assert all(re.match(r"remove \S+ .*: removed: ", line) for line in removed)
    informed = said(machine, 6)
    assert "12 removals planned" in informed[0]
    # What it is denied is not missed: the disk was read.
    assert [line for line in informed if re.match(r"12 removed; freed [\d.]+ MB; exit status 0$", line)]
    assert {entry["_SYSTEMD_UNIT"] for entry in journal(machine, "SYSLOG_IDENTIFIER=dockersweep")} == {UNIT}
    assert journal(machine, "--priority", "err", "--unit", UNIT) == []
    runs = json.loads(machine.run("dockersweep", "history", "--format", "json").stdout)["runs"]
    assert (runs[-1]["verb"], runs[-1]["exit_status"]) == ("sweep", 0)


def test_what_it_cannot_do_is_a_failure_that_says_what_to_do(machine: Machine, litter: Litter) -> None:
    litter.container("left", state="created")
    assert start(machine) == "failed exit-code 4"
    assert [LOOKED_FOR in line and "look with `dockersweep plan`" in line for line in said(machine, 3)] == [True]
    machine.disconnect()
    assert start(machine) == "failed exit-code 5"
    assert AWAY in said(machine, 3)[1]
    assert "Start it" in said(machine, 3)[1]
    assert UNIT in machine.run("systemctl", "--failed").stdout
    machine.connect()
    litter.engine.docker("rm", "left")
    fill(litter)
    look(machine)
    assert start(machine) == "inactive success 0"
    assert ALL_VOLUMES in last_result(machine)


@pytest.mark.parametrize("owner", [0, MEMBER])
def test_metrics_are_written_after_each_run(machine: Machine, litter: Litter, owner: int) -> None:
    unit = machine.path(f"{UNITS}/{UNIT}")
    text = re.sub("^#(?=ExecStopPost=|ReadWritePaths=)", "", unit.read_text(), flags=re.MULTILINE)
    more = " CAP_DAC_OVERRIDE" if owner else ""
    unit.write_text(re.sub("^CapabilityBoundingSet=.*", rf"\g<0>{more}", text, flags=re.MULTILINE))
    folder = machine.path("/var/lib/prometheus/node-exporter")
    folder.mkdir(parents=True)
    os.chown(folder, owner, owner)
    machine.run("systemctl", "daemon-reload")
    litter.container("left", state="created")
    assert start(machine) == "failed exit-code 4"
    metrics = folder / "dockersweep.prom"
    assert stat.S_IMODE(metrics.stat().st_mode) == 0o644
    assert 'status="refused"} 1.0' in metrics.read_text()
    look(machine)
    assert start(machine) == "inactive success 0"
    assert 'status="done"} 1.0' in metrics.read_text()


def test_the_policy_of_root_holds_in_the_service(machine: Machine, litter: Litter) -> None:
    for name in ("shop-job-1", "shop-web-1"):
        litter.container(name, state="created")
    folder = machine.path("/root/.config/dockersweep")
    folder.mkdir(parents=True)
    (folder / "dockersweep.toml").write_text(POLICY)
    look(machine)
    assert start(machine) == "inactive success 0"
    assert "by the policy in /root/.config/dockersweep/dockersweep.toml" in said(machine, 6)[0]
    [removed] = said(machine, 5)
    assert removed.startswith("remove container shop-web-1: removed: old ones: ")


def test_a_stop_lets_the_removal_in_hand_finish(machine: Machine, engine: Engine, litter: Litter) -> None:
    # More than are in hand at once.
    for number in range(WORKERS + 1):
        litter.container(f"in-hand-{number}", state="created")
    look(machine)

    def stop(request: Request) -> None:
        if request.method == "DELETE":
            machine.run("systemctl", "stop", "--no-block", UNIT)
            eventually(lambda: said(machine, 5))

    with engine.recorder.recording() as recording:
        recording.before = stop
        start(machine)
    eventually(lambda: state(machine).startswith("inactive success"))
    told, *removed = said(machine, 5)
    assert told.startswith("SIGTERM: finishing what is under way")
    assert removed
    assert all(re.match(r"remove container in-hand-\d+: removed: ", line) for line in removed)
    last = journal(machine, "SYSLOG_IDENTIFIER=dockersweep")[-1]["MESSAGE"]
    left = WORKERS + 1 - len(removed)
    assert re.match(rf"{len(removed)} removed, {left} not attempted; .*; exit status 143$", last)
    assert UNIT not in machine.run("systemctl", "--failed").stdout


def test_it_and_a_member_of_the_group_of_the_socket_see_each_other(
    machine: Machine, engine: Engine, litter: Litter
) -> None:
    os.chown(engine.recorder.path, 0, DOCKER_GROUP)
    engine.recorder.path.chmod(0o660)
    refused: list[tuple[int, str]] = []

    def member() -> tuple[int, str]:
        who = ("setpriv", f"--reuid={MEMBER}", f"--regid={MEMBER}", f"--groups={DOCKER_GROUP}")
        sweep = ("dockersweep", "sweep", "--yes", "--yes-first-time", "--kind", "network")
        run = machine.run(*who, *sweep, check=False, HOME="/tmp")
        return run.returncode, run.stdout + run.stderr

    def member_too(request: Request) -> None:
        if request.method == "DELETE":
            refused.append(member())

    litter.anonymous_volume(1000)
    # What nobody saw is not old.
    look(machine)
    with engine.recorder.recording() as recording:
        recording.before = member_too
        assert start(machine) == "inactive success 0"
    [(status, told)] = refused
    assert status == 4
    assert "is at work on the engine at unix:///var/run/docker.sock" in told
    # It has no right to write the file of the member, and needs none.
    machine.run("sh", "-c", "rm /run/lock/dockersweep-*.lock; chmod 1777 /run/lock")
    status, told = member()
    assert (status, "Warning: lock" in told) == (0, False)
    assert (
        machine.run("sh", "-c", "stat -c %u:%g:%a /run/lock/dockersweep-*").stdout == f"{MEMBER}:{DOCKER_GROUP}:660\n"
    )
    fill(litter)
    assert start(machine) == "inactive success 0"
    assert [line for line in said(machine, 4) if line.startswith("lock")] == []


def cron(machine: Machine, crontab: str) -> list[str]:
    """Have cron run what a crontab has, when it starts in place of at its hour; return its mails."""
    text = (EXAMPLES / "cron.d" / crontab).read_text()
    assert "\n17 4 * * * root " in text
    text = text.replace("17 4 * * *", "@reboot")
    machine.path("/etc/cron.d/dockersweep").write_text(f"DOCKERSWEEP_NOW={IN_A_MONTH}\n{text}")
    machine.path("/run/crond.reboot").unlink(missing_ok=True)
    # Nor does it start more than five times in ten seconds, but for this.
    machine.run("systemctl", "reset-failed", "cron", check=False)
    machine.run("systemctl", "start", "cron")
    run = machine.run("systemctl", "show", "cron", "-p", "InvocationID", "--value").stdout.strip()
    eventually(lambda: is_done(journal(machine, f"_SYSTEMD_INVOCATION_ID={run}")))
    machine.run("systemctl", "stop", "cron")
    return mails(machine)


def is_done(entries: list[Any]) -> bool:
    """Whether cron has started a command, and has had its end and mailed what it printed."""
    told = [entry["MESSAGE"] for entry in entries]
    return any("CMD" in line for line in told) and any("session closed" in line for line in told)


def taken(mail: Path) -> str:
    """Return what a mail says, and remove it."""
    message = message_from_bytes(mail.read_bytes())
    mail.unlink()
    assert message["To"] == "root"
    body = message.get_payload(decode=True)
    assert isinstance(body, bytes)
    return body.decode()


def with_sendmail(machine: Machine) -> None:
    sendmail = machine.path("/usr/sbin/sendmail")
    sendmail.write_text(SENDMAIL)
    sendmail.chmod(0o755)


def mails(machine: Machine) -> list[str]:
    """The mails to root since this was asked last, each in one line."""
    return [" ".join(taken(mail).split()) for mail in sorted(machine.path("/var/mail").glob("got.*"))]


def has_told(machine: Machine) -> bool:
    """Whether what tells of a failure has done so."""
    messages = [entry["MESSAGE"] for entry in journal(machine, f"UNIT={TELLS}")]
    assert not any("Failed" in message for message in messages)
    return any(message.startswith("Finished") for message in messages)


def test_a_failure_is_mailed_and_nothing_else(machine: Machine, litter: Litter) -> None:
    with_sendmail(machine)
    look(machine)
    assert start(machine) == "inactive success 0"
    machine.disconnect()
    assert start(machine) == "failed exit-code 5"
    eventually(lambda: has_told(machine))
    [mail] = mails(machine)
    assert f"{UNIT} - Remove what the container engine no longer needs" in mail
    assert AWAY in mail


def test_without_mail_a_failure_is_told_to_those_who_are_logged_in(machine: Machine) -> None:
    machine.disconnect()
    assert start(machine) == "failed exit-code 5"
    eventually(lambda: has_told(machine))
    assert mails(machine) == []


def test_cron_mails_only_what_is_worth_it(machine: Machine, litter: Litter) -> None:
    with_sendmail(machine)
    fill(litter)
    # Volumes that nobody saw are not old, whatever the time.
    litter.container("left", state="created")
    [mail] = cron(machine, "dockersweep")
    assert LOOKED_FOR in mail
    litter.engine.docker("rm", "left")
    look(machine)
    [mail] = cron(machine, "dockersweep")
    assert ALL_VOLUMES in mail
    assert cron(machine, "dockersweep") == []
    machine.disconnect()
    [mail] = cron(machine, "dockersweep")
    assert AWAY in mail
    # The other one mails nothing, and tells the journal.
    assert said(machine, 3) == []
    assert cron(machine, "dockersweep-without-mail") == []
    assert [AWAY in line for line in said(machine, 3)] == [True]
    machine.connect()
    fill(litter)
    look(machine)
    assert cron(machine, "dockersweep-without-mail") == []
    assert len(said(machine, 5)) == VOLUMES
    assert ALL_VOLUMES in last_result(machine)
