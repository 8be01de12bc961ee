"""The Ansible role, run by a real ansible-playbook on three hosts that ssh reaches, each with an engine of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.rig.ansible import HOST, SWEEP, Controller, Play, build_wheel, have_wheels
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import kind
from tests.rig.engines.litter import Litter
from tests.rig.engines.own_image import CHECKOUT
from tests.rig.engines.shared import Engines
from tests.rig.engines.ssh_host import SshHost, ssh_host

KINDS = ("docker-20.10", "docker-28.5-containerd", "podman-6.1")
VOLUMES = 3
POLICY = """\
version = 1
[protect]
names = ["precious"]
[[rule]]
name = "volumes"
kind = "volume"
everything = true
remove.unused_for = "0s"
"""
PLAY = {"hosts": "all", "gather_facts": False, "roles": ["dockersweep"]}
# The document of each host is written down as the fact that it is, too.
TELLS = {"name": "Tell", "ansible.builtin.debug": {"msg": "fact {{ dockersweep_document.schema }}"}}
IS_OFFLINE = {"SYSTEMD_OFFLINE": "1"}


def volumes(engine: Engine) -> set[str]:
    return set(engine.docker("volume", "ls", "--quiet").stdout.split())


def documents(folder: Path, what: str) -> Mapping[str, Any]:
    files = folder.glob(f"*.{what}.json")
    return {file.name.removesuffix(f".{what}.json"): json.loads(file.read_text()) for file in files}


def changed(play: Play) -> list[int]:
    return [play.recap(name)["changed"] for name in KINDS]


@pytest.fixture
def started(engines: Engines) -> Mapping[str, Engine]:
    """An engine for each host, by its name, with volumes that nothing uses."""
    found = {name: engines.get(kind(name)) for name in KINDS}
    for engine in found.values():
        for _ in range(VOLUMES):
            Litter(engine).anonymous_volume(1000)
        engine.docker("volume", "create", "precious")
    return found


@pytest.fixture
def hosts(started: Mapping[str, Engine]) -> Iterator[Mapping[str, SshHost]]:
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(ssh_host(engine, "none", machine=HOST, sshd="Subsystem sftp internal-sftp"))
            for name, engine in started.items()
        }


def test_the_role_installs_plans_refuses_and_sweeps(
    started: Mapping[str, Engine], hosts: Mapping[str, SshHost], tmp_path: Path
) -> None:
    """One test, because installing it three times takes longer than all the rest."""
    [pip] = {tuple(have_wheels(host).items()) for host in hosts.values()}
    kept = tmp_path / "documents"
    variables = {
        "dockersweep_wheel": str(build_wheel(tmp_path / "wheel")),
        "dockersweep_pip_environment": dict(pip),
        "dockersweep_policy": POLICY,
        "dockersweep_flags": [],
        "dockersweep_documents": str(kept),
    }
    before = {name: volumes(engine) for name, engine in started.items()}
    with Controller(tmp_path, hosts) as controller:
        refused = controller.run(SWEEP, **variables)
        assert refused.status == 2, refused.output
        assert all(f"fatal: [{name}]: FAILED!" in refused.output for name in KINDS)
        said = "nothing removed: nobody has looked at the engine at unix:///"
        assert refused.output.count(f'"msg": "{said}') == len(KINDS), refused.output
        assert documents(kept, "run") == {}

        check = controller.play(PLAY | {"post_tasks": [TELLS]}, "--check", "--diff", **variables)
        assert (check.status, changed(check)) == (0, [1, 1, 1]), check.output
        assert check.output.count("fact dockersweep.plan/1") == len(KINDS)
        planned = {name: {one["name"] for one in plan["removals"]} for name, plan in documents(kept, "run").items()}
        listed = set(re.findall(r"^-volume (\S+)$", check.output, re.MULTILINE))
        assert listed == set().union(*planned.values())
        assert {name: volumes(engine) for name, engine in started.items()} == before

        only = {"ansible.builtin.include_role": {"name": "dockersweep", "tasks_from": "run"}}
        swept = controller.play(PLAY | {"roles": [], "tasks": [only]}, **variables, dockersweep_yes_first_time=True)
        assert (swept.status, changed(swept)) == (0, [1, 1, 1]), swept.output
        for name, engine in started.items():
            assert before[name] - volumes(engine) == planned[name]
            assert len(planned[name]) == VOLUMES
            assert volumes(engine) == {"precious"}
            assert documents(kept, "run")[name]["policy_source"] == "the policy in /etc/dockersweep/dockersweep.toml"
        reports = documents(kept, "report")
        assert {name: report["schema"] for name, report in reports.items()} == dict.fromkeys(
            KINDS, "dockersweep.report/1"
        )

        again = controller.run(SWEEP, **variables)
        assert (again.status, changed(again)) == (0, [0, 0, 0]), again.output


def test_the_units_of_the_timer_are_those_that_ship(engines: Engines, tmp_path: Path) -> None:
    """systemd does not run on the host: it writes down that it is to start the timer."""
    engine = engines.get(kind(KINDS[1]))
    with (
        ssh_host(engine, "none", machine=HOST, sshd="Subsystem sftp internal-sftp") as host,
        Controller(tmp_path, {"host": host}) as controller,
    ):
        role = {"ansible.builtin.include_role": {"name": "dockersweep", "tasks_from": "timer"}}
        look = {"ansible.builtin.command": {"argv": ["cat", "{{ item }}"]}, "loop": [], "register": "files"}
        units = "/etc/systemd/system"
        look["loop"] = [
            f"{units}/timers.target.wants/dockersweep.timer",
            f"{units}/dockersweep.service",
            f"{units}/dockersweep.service.d/ansible.conf",
        ]
        keep = {
            "ansible.builtin.copy": {
                "content": "{{ files.results | map(attribute='stdout') | to_json }}",
                "dest": str(tmp_path / "files.json"),
            },
            "delegate_to": "localhost",
        }
        play = {"hosts": "all", "gather_facts": False, "environment": IS_OFFLINE, "tasks": [role, look, keep]}
        done = controller.play(play, dockersweep_flags=["--keep-name", 'a "$b" 5%'])
        assert done.status == 0, done.output
        again = controller.play(play | {"tasks": [role]}, dockersweep_flags=["--keep-name", 'a "$b" 5%'])
        assert (again.status, again.recap("host")["changed"]) == (0, 0), again.output
    timer, service, settings = json.loads((tmp_path / "files.json").read_text())
    shipped = CHECKOUT / "share/examples/systemd"
    assert timer == (shipped / "dockersweep.timer").read_text().strip()
    assert service == (shipped / "dockersweep.service").read_text().strip()
    [whole] = re.findall("^ExecStart=.*$", service, re.MULTILINE)
    flags = r'"--keep-name" "a \"$$b\" 5%%"'
    assert f"ExecStart=\n{whole.replace('--older-than 3d', flags)}" in settings


PLAN = {"removals": [{"kind": "volume", "name": "a"}, {"kind": "build-cache", "name": "\x1b[31mb"}]}
OUTCOME = {
    "outcomes": [
        {"kind": "volume", "name": "a", "status": "removed"},
        {"kind": "volume", "name": "b", "status": "failed"},
    ]
}
WARNING = "Warning: the engine is slow\n"
# How the program ends, what it writes and says; whether that is a failure and a change, what is told, and the diff.
ENDS = {
    "a plan": (10, PLAN, WARNING, False, True, None, "volume a\nbuild-cache \ufffd[31mb\n"),
    "nothing to do": (0, {"removals": []}, WARNING, False, False, None, ""),
    "a plan over a limit": (4, PLAN, f"{WARNING}dockersweep: too much\n", True, False, "too much", ""),
    "no engine": (5, None, "dockersweep: no answer\n", True, False, "no answer", ""),
    "killed": (-9, None, "", True, False, "dockersweep ended with -9", ""),
    "swept": (0, OUTCOME, "", False, True, None, "volume a\n"),
    "a removal failed": (3, OUTCOME, "dockersweep: 1 removal failed\n", True, True, "1 removal failed", "volume a\n"),
}
SWEEPS = ("swept", "a removal failed")
FAKE = """\
#!/bin/sh
while [ "$1" != --case ]; do shift; done
cd "$2"
cat said >&2
cat written
[ "$(cat status)" != -9 ] || kill -9 $$
exit "$(cat status)"
"""


@pytest.mark.programs
def test_the_module_tells_how_dockersweep_ended(tmp_path: Path) -> None:
    """Ends that no engine brings about on demand; what it writes and says is not real, but for its form."""
    program = tmp_path / "dockersweep"
    program.write_text(FAKE)
    program.chmod(0o755)
    tasks: list[dict[str, Any]] = []
    for name, (status, document, said, *_) in ENDS.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "status").write_text(str(status))
        (tmp_path / name / "written").write_text("" if document is None else json.dumps(document))
        (tmp_path / name / "said").write_text(said)
        module = {"program": str(program), "flags": ["--case", str(tmp_path / name)]}
        how = {"register": f"end_{len(tasks)}", "ignore_errors": True, "check_mode": name not in SWEEPS}
        tasks.append({"dockersweep_sweep": module, **how})
    ends = ", ".join(f"end_{number}" for number in range(len(tasks)))
    tasks.append({"ansible.builtin.copy": {"content": f"{{{{ [{ends}] | to_json }}}}", "dest": str(tmp_path / "ends")}})
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    with Controller(tmp_path, {}) as controller:
        done = controller.play(play)
    assert done.status == 0, done.output
    for told, (status, document, _, *expected) in zip(
        json.loads((tmp_path / "ends").read_text()), ENDS.values(), strict=True
    ):
        assert [told["failed"], told["changed"], told.get("msg"), told["diff"]["before"]] == expected
        assert (told["exit_status"], told["document"]) == (status, document)
