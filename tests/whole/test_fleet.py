"""Several hosts: real engines of different versions together, and what can go wrong with some of them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest
import trustme

from tests.engine.test_tcp import forwarded, server_context
from tests.rig.engines.engine import Engine
from tests.rig.engines.heap import everything
from tests.rig.engines.kinds import kind
from tests.rig.engines.litter import Litter
from tests.rig.engines.shared import Engines
from tests.rig.engines.ssh_host import ssh_host
from tests.rig.fake_engine import fake_engine, stall
from tests.rig.running import Run, dockersweep, on_a_terminal, start

KINDS = ("docker-28.5", "docker-20.10", "podman-6.1")
ALL = ("--older-than", "0s", "--kind", "volume")
SWEEP = ("sweep", "--yes", "--yes-first-time", *ALL)
PATIENCE_SECONDS = 15


@pytest.fixture
def three(engines: Engines) -> list[Engine]:
    """Three engines, empty."""
    return [engines.get(kind(name)) for name in KINDS]


def volume_on(engine: Engine) -> str:
    """Make an unused anonymous volume, and return its name."""
    return Litter(engine).volume()


def address_of(engine: Engine) -> str:
    return f"unix://{engine.recorder.path}"


def named(*addresses: str) -> list[str]:
    """Return the flags that name hosts."""
    return [word for address in addresses for word in ("-H", address)]


def volumes(engine: Engine) -> set[str]:
    """Return the names of the volumes there are, by the engine's own word."""
    return set(engine.docker("volume", "ls", "--quiet").stdout.split())


def statuses(run: Run) -> list[str]:
    return [host["status"] for host in run.json()["hosts"]]


def test_a_plan_of_three_engines_has_each_as_alone(three: list[Engine]) -> None:
    for engine in three:
        everything(Litter(engine))
    flags = named(*map(address_of, three))
    run = dockersweep(*flags, "plan", "--format", "json", "--older-than", "0s")
    assert run.status == 0, run.stderr
    fleet = run.json()
    assert [host["status"] for host in fleet["hosts"]] == ["done"] * 3
    assert len({host["engine_identity"] for host in fleet["hosts"]}) == 3
    for engine, host in zip(three, fleet["hosts"], strict=True):
        alone = dockersweep("plan", "--format", "json", "--older-than", "0s", host=address_of(engine)).json()
        assert {(one["kind"], one["name"]) for one in host["document"]["removals"]} == {
            (one["kind"], one["name"]) for one in alone["removals"]
        }
        assert host["sums"]["removals"] == len(alone["removals"])
    table = dockersweep(*flags, "plan", "--older-than", "0s").stdout
    assert "3 hosts: 3 done." in table
    assert table.count(" done") == 4
    assert dockersweep(*flags, "plan", "--exit-code", "--older-than", "0s").status == 10


@pytest.mark.parametrize("verb", ["scan", "report"])
def test_a_verb_that_only_looks_takes_several(three: list[Engine], verb: str) -> None:
    volume_on(three[0])
    flags = named(*map(address_of, three))
    run = dockersweep(*flags, verb, "--format", "json")
    assert statuses(run) == ["done"] * 3
    assert {host["document"]["schema"] for host in run.json()["hosts"]} == {
        f"dockersweep.{'inventory' if verb == 'scan' else 'report'}/1"
    }
    said = {"scan": "3 hosts: 3 done.", "report": "3 documents from 3 engines"}
    assert said[verb] in dockersweep(*flags, verb).stdout
    csv = dockersweep(*flags, verb, "--format", "csv").stdout.splitlines()
    assert len(csv) == 4


def test_explain_tells_which_host_has_it(three: list[Engine]) -> None:
    name = volume_on(three[1])
    flags = named(*map(address_of, three))
    said = dockersweep(*flags, "explain", name).stdout
    assert said.count("not there") == 2
    assert f"volume {name}" in said
    nowhere = dockersweep(*flags, "explain", "no-such-volume")
    assert (nowhere.status, nowhere.stdout) == (2, "")
    assert "on none of 3 hosts: nothing here is called" in nowhere.stderr


def test_an_unattended_sweep_removes_on_all_and_is_in_the_history(three: list[Engine]) -> None:
    names = [volume_on(engine) for engine in three]
    flags = named(*map(address_of, three))
    run = dockersweep(*flags, *SWEEP, "--format", "json")
    assert run.status == 0, run.stderr
    documents = [host["document"] for host in run.json()["hosts"]]
    assert [[one["name"] for one in document["outcomes"]] for document in documents] == [[name] for name in names]
    assert not any(volumes(engine) for engine in three)
    runs = dockersweep(*named(*map(address_of, three[:2])), "history", "--format", "json").json()["runs"]
    assert {one["endpoint"] for one in runs} == set(map(address_of, three[:2]))
    assert len(dockersweep("history", "--format", "json").json()["runs"]) == 3


@pytest.mark.parametrize("answer", ["y", "n"])
def test_a_person_is_asked_once_for_all(three: list[Engine], answer: str) -> None:
    names = [volume_on(engine) for engine in three]
    status, shown = on_a_terminal([*named(*map(address_of, three)), "sweep", *ALL], f"{answer}\n")
    assert " ".join(shown.split()).count("3 cannot be recovered. Remove 3 volumes on 3 hosts") == 1
    assert "Cannot be recovered" in shown
    if answer == "y":
        assert status == 0, shown
        assert not any(volumes(engine) for engine in three)
    else:
        assert status == 0
        assert [volumes(engine) for engine in three] == [{name} for name in names]


def test_what_came_since_the_question_stays(three: list[Engine], tmp_path: Path) -> None:
    before = [volume_on(engine) for engine in three]
    file = str(tmp_path / "fleet.json")
    flags = named(*map(address_of, three))
    assert dockersweep(*flags, "plan", "-o", file, *ALL).status == 0
    since = [volume_on(engine) for engine in three]
    run = dockersweep("apply", file, "--yes", "--format", "json")
    assert run.status == 0, run.stderr
    assert statuses(run) == ["done"] * 3
    assert [volumes(engine) for engine in three] == [{name} for name in since]
    assert not set(before) & set(since)


def test_a_saved_plan_goes_to_the_hosts_that_are_named(three: list[Engine], tmp_path: Path) -> None:
    names = [volume_on(engine) for engine in three]
    file = str(tmp_path / "fleet.json")
    assert dockersweep(*named(*map(address_of, three)), "plan", "-o", file, *ALL).status == 0
    flags = named(*map(address_of, three[:2]))
    assert dockersweep(*flags, "apply", file, "--yes", "--yes-first-time").status == 0
    assert [volumes(engine) for engine in three] == [set(), set(), {names[2]}]
    other = dockersweep("-H", address_of(three[0]), "-H", "unix:///none.sock", "apply", file, "--yes")
    assert other.status == 2
    assert "has no plan for unix:///none.sock" in other.stderr


def fleet_file(folder: Path, hosts: dict[str, str], more: str = "") -> str:
    path = folder / "fleet.toml"
    tables = "".join(f'[[host]]\nname = "{name}"\nhost = "{address}"\n' for name, address in hosts.items())
    path.write_text(f"version = 1\n{more}{tables}")
    path.chmod(0o644)
    return str(path)


def test_a_canary_over_a_limit_stops_the_rollout(three: list[Engine], tmp_path: Path) -> None:
    for engine in three:
        volume_on(engine)
    file = fleet_file(tmp_path, dict(zip("abc", map(address_of, three), strict=True)), "[rollout]\ncanary = 1\n")
    run = dockersweep("--fleet", file, *SWEEP, "--max-objects", "0", "--format", "json")
    assert run.status == 3
    assert statuses(run) == ["refused", "not-begun", "not-begun"]
    assert run.json()["rollout"]["stopped"] == "a, which goes first, did not end well"
    assert all(volumes(engine) for engine in three)
    status, shown = on_a_terminal(["--fleet", file, "sweep", *ALL, "--max-objects", "0"], "y\n")
    assert status == 4
    assert "a, which goes first, did not end well" in " ".join(shown.split())
    assert "[y/N]" not in shown


def test_no_more_hosts_are_begun_after_too_many_failures(three: list[Engine], tmp_path: Path) -> None:
    for engine in three:
        volume_on(engine)
    hosts = {
        "a": address_of(three[0]),
        "gone": "unix:///none.sock",
        "c": address_of(three[1]),
        "d": address_of(three[2]),
    }
    file = fleet_file(tmp_path, hosts)
    flags = ("--fleet", file, *SWEEP, "--parallel", "1", "--format", "json")
    run = dockersweep(*flags, "--max-failures", "24%")
    assert statuses(run) == ["done", "not-reached", "not-begun", "not-begun"]
    assert run.status == 5
    assert [bool(volumes(engine)) for engine in three] == [False, True, True]
    assert statuses(dockersweep(*flags, "--max-failures", "25%")) == ["done", "not-reached", "done", "done"]


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[str]:
    """The address of an engine that accepts connections, and never answers."""
    with socket.socket(socket.AF_UNIX) as listening, chdir(tmp_path):
        listening.bind("silent.sock")
        listening.listen(8)
        yield f"unix://{tmp_path}/silent.sock"


def test_what_is_not_reached_is_loud_and_holds_up_nobody(three: list[Engine], silent: str) -> None:
    hosts = [silent, "unix:///none.sock", *map(address_of, three)]
    begun = time.monotonic()
    run = dockersweep(*named(*hosts), "plan", "--parallel", "1", "--connect-timeout", "5s")
    assert time.monotonic() - begun < PATIENCE_SECONDS
    assert run.status == 5
    assert "NOT REACHED: 2 hosts" in run.stdout
    assert "did not answer GET /_ping within 5 seconds" in run.stdout
    assert "5 hosts: 2 not reached, 3 done." in run.stdout
    assert [line.split()[1][:-1] for line in run.stderr.splitlines()] == hosts[:2]
    allowed = dockersweep(*named(*hosts[1:]), "plan", "--allow-unreached", "1")
    assert allowed.status == 0
    assert "NOT REACHED: 1 host" in allowed.stdout
    twice = dockersweep(*named("unix:///none.sock", *hosts), "plan", "--allow-unreached", "1")
    assert (twice.status, twice.stdout) == (2, "")
    assert "unix:///none.sock is named 2 times" in twice.stderr


def test_one_engine_by_two_addresses_is_noticed_and_swept_once(three: list[Engine], tmp_path: Path) -> None:
    engine = three[0]
    name = volume_on(engine)
    link = tmp_path / "link.sock"
    link.symlink_to(engine.recorder.path)
    hosts = (address_of(engine), f"unix://{link}")
    plan = dockersweep(*named(*hosts), "plan", "--format", "json", *ALL).json()
    assert [host["same_as"] for host in plan["hosts"]] == [None, hosts[0]]
    assert (plan["sums"]["engines"], plan["sums"]["freed"]["volume"]["objects"]) == (1, 1)
    said = dockersweep(*named(*hosts), "plan", *ALL).stdout
    assert f"is the same engine as {hosts[0]}: the sums count it once" in said
    swept = dockersweep(*named(*hosts), *SWEEP, "--format", "json").json()
    documents = [host["document"] for host in swept["hosts"] if host["document"] is not None]
    assert [[one["name"] for one in document["outcomes"]] for document in documents] == [[name]]
    assert sorted(host["same_as"] is None for host in swept["hosts"]) == [False, True]


def test_another_engine_in_the_place_of_a_known_one_is_not_swept_unseen(three: list[Engine], tmp_path: Path) -> None:
    place = tmp_path / "place.sock"
    place.symlink_to(three[0].recorder.path)
    hosts = named(f"unix://{place}", address_of(three[2]))
    status, _ = on_a_terminal([*hosts, "plan"], "")
    assert status == 0
    place.unlink()
    place.symlink_to(three[1].recorder.path)
    name = volume_on(three[1])
    planned = dockersweep(*hosts, "plan", *ALL)
    assert "another engine answers there" in planned.stdout
    swept = dockersweep(*hosts, *SWEEP, "--format", "json")
    assert statuses(swept) == ["refused", "done"]
    assert swept.status == 4
    assert "another engine answers there" in swept.json()["hosts"][0]["message"]
    assert volumes(three[1]) == {name}
    on_a_terminal([*hosts, "plan"], "")
    known = dockersweep(*hosts, *SWEEP, "--format", "json")
    assert statuses(known) == ["done", "done"], [host["message"] for host in known.json()["hosts"]]
    assert not volumes(three[1])


@pytest.fixture
def stalling() -> Iterator[list[str]]:
    """Two engines that answer who they are, and nothing else."""
    with fake_engine() as one, fake_engine() as other:
        for engine in (one, other):
            engine.replies["/containers/json"] = stall
        yield [one.url, other.url]


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def await_children(process: subprocess.Popen[str], count: int) -> list[int]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(children := children_of(process.pid)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.5)
    return children


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.linux
def test_after_a_signal_no_further_host_is_begun(stalling: list[str]) -> None:
    with start(*named(*stalling), "plan", "--parallel", "1", "--format", "json") as process:
        await_children(process, 1)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert [host["status"] for host in json.loads(out)["hosts"]] == ["failed", "not-begun"]
    assert "every host finishes what it has begun, the rest is not begun" in errors


@pytest.mark.linux
def test_hosts_end_with_the_process_that_would_fold_them(stalling: list[str]) -> None:
    with start(*named(*stalling), "plan") as process:
        children = await_children(process, 2)
        process.kill()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any(map(is_alive, children)):
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.linux
def test_the_end_of_one_hosts_process_is_told_for_that_host(stalling: list[str], three: list[Engine]) -> None:
    with start(*named(*stalling, address_of(three[0])), "plan", "--parallel", "2", "--format", "json") as process:
        for child in await_children(process, 2)[:2]:
            os.kill(child, signal.SIGKILL)
        out, _ = process.communicate(timeout=PATIENCE_SECONDS)
    hosts = json.loads(out)["hosts"]
    assert [host["status"] for host in hosts] == ["failed", "failed", "done"]
    assert hosts[0]["message"] == "its process was ended by signal 9; what it has done until then is in the ledger"
    assert process.returncode == 137


def test_unix_tcp_with_tls_and_ssh_go_together(three: list[Engine], tmp_path: Path) -> None:
    here, encrypted, far = three
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    client = authority.issue_cert("client@example.org")
    client.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    client.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    names = [volume_on(engine) for engine in three]
    with ssh_host(far, "podman") as host, forwarded(encrypted.socket, server_context(authority)) as port:
        path = tmp_path / "fleet.toml"
        path.write_text(
            f'version = 1\n[[host]]\nname = "here"\nhost = "{address_of(here)}"\ngroups = ["ci"]\n'
            f'[[host]]\nname = "far"\nhost = "{host.url}"\ngroups = ["ci"]\n'
            f'[[host]]\nname = "encrypted"\nhost = "tcp://127.0.0.1:{port}"\ntlsverify = true\n'
            'tlscacert = "ca.pem"\ntlscert = "cert.pem"\ntlskey = "key.pem"\n'
        )
        path.chmod(0o644)
        run = dockersweep("--fleet", str(path), "--group", "ci", *SWEEP, "--format", "json", PATH=host.path)
        assert run.status == 0, run.stderr
        assert [volumes(engine) for engine in three] == [set(), {names[1]}, set()]
        file = str(tmp_path / "plan.json")
        planned = dockersweep("--fleet", str(path), "plan", *ALL, "-o", file, PATH=host.path)
        assert planned.status == 0, planned.stderr
        # The plan tells where its hosts are, and how they are reached.
        applied = dockersweep("apply", file, "--yes", "--yes-first-time", PATH=host.path)
        assert applied.status == 0, applied.stderr
    assert not volumes(encrypted)
