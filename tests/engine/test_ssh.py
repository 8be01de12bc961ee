"""A real engine behind a real sshd: with docker's client there, with Podman's, and with neither."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import pytest

from dockersweep.engine.removing.executor import WORKERS
from tests.rig.engines.engine import Engine
from tests.rig.engines.heap import everything
from tests.rig.engines.litter import Litter
from tests.rig.engines.ssh_host import MACHINE, OF_CLIENTS, SshHost, ssh_host
from tests.rig.recorder import Request
from tests.rig.running import dockersweep

NEWEST = pytest.mark.on_engines("docker-28.5", "podman-6.1")
ONE = pytest.mark.on_engines("docker-28.5")
SWEEP = ("sweep", "--yes", "--yes-first-time", "--older-than", "0s", "--kind", "volume", "--format", "json")
PATIENCE_SECONDS = 20


def client_of(engine: Engine) -> Literal["docker", "podman"]:
    return engine.kind.flavour


def nothing_stays(host: SshHost) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (left := host.client()) or host.sessions():
        assert time.monotonic() < deadline, (left, host.sessions())
        time.sleep(0.05)


@NEWEST
def test_the_whole_job_is_done_over_ssh(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    heap = everything(litter)
    with ssh_host(engine, client_of(engine)) as host:

        def run(*words: str) -> str:
            done = dockersweep(*words, host=host.url, PATH=host.path)
            assert done.status == 0, done.stderr
            return done.stdout

        listed = run("scan")
        assert f"at {host.url}, from --host" in listed
        assert "the engine is on another machine" in listed
        engine_there = json.loads(run("scan", "--format", "json"))["engine"]
        here = dockersweep("scan", "--format", "json", host=engine.url).json()["engine"]
        assert engine_there["endpoint"] == host.url
        assert engine_there["id"] == here["id"]
        assert run("report").startswith(("Docker", "Podman"))
        assert "shop-job-1" in run("explain", "shop-job-1")
        plan = tmp_path / "plan.json"
        plan.write_text(run("plan", "--older-than", "0s", "--kind", "container", "--format", "json"))
        assert heap.stopped_container in plan.read_text()
        run("apply", str(plan), "--yes", "--yes-first-time")
        assert heap.stopped_container not in engine.docker("ps", "-aq", "--no-trunc").stdout
        run("sweep", "--yes", "--yes-first-time", "--older-than", "0s")
        logins = host.log.count("Accepted publickey")
        assert json.loads(run("plan", "--older-than", "0s", "--format", "json"))["removals"] == []
        assert host.log.count("Accepted publickey") == logins + 1
        nothing_stays(host)


@ONE
def test_where_there_is_no_client_the_socket_is_forwarded(engine: Engine, litter: Litter) -> None:
    litter.anonymous_volume(1000)
    with ssh_host(engine, "none") as host:
        run = dockersweep(*SWEEP, host=host.url, PATH=host.path)
        assert run.status == 0, run.stderr
        assert [one["status"] for one in run.json()["outcomes"]] == ["removed"]
        elsewhere = dockersweep("scan", host=f"{host.url}/run/none.sock", PATH=host.path)
        assert elsewhere.status == 5
        assert "open failed; check that the engine runs there, and the path of its socket" in elsewhere.stderr
        nothing_stays(host)


def uses_client(host: SshHost, *, status: int = 0) -> tuple[bool, str]:
    """Scan, and return whether a client was started there, which asks the engine by itself, and standard error."""
    with host.recorder.recording() as recording:
        run = dockersweep("scan", host=host.url, PATH=host.path)
    assert run.status == status, run.stderr
    return any(OF_CLIENTS.fullmatch(str(request)) for request in recording.requests), run.stderr


@NEWEST
def test_no_client_is_started_where_its_socket_is_known(engine: Engine) -> None:
    with ssh_host(engine, client_of(engine)) as host:
        assert uses_client(host) == (False, "")
        nothing_stays(host)


@NEWEST
def test_where_sshd_forwards_no_sockets_the_client_is_used(engine: Engine) -> None:
    with ssh_host(engine, client_of(engine), sshd="AllowStreamLocalForwarding no") as host:
        assert uses_client(host) == (True, "")
        nothing_stays(host)


FAR_SERVICE = r"""printf '[engine]\nactive_service="far"
[engine.service_destinations.far]\nuri="unix:///run/far.sock"\n' > /etc/containers/containers.conf"""
OTHERWISE = {
    "docker": [
        ("""mkdir -p ~/.docker; echo '{"currentContext": "far"}' > ~/.docker/config.json""", 'context "far"'),
        ("export DOCKER_TLS_VERIFY=1", "/root/.docker/ca.pem"),
    ],
    "podman": [
        ("podman system connection add far unix:///run/far.sock", "unix /run/far.sock"),
        (FAR_SERVICE, "unix /run/far.sock"),
    ],
}


@NEWEST
def test_what_leads_the_client_elsewhere_is_followed(engine: Engine) -> None:
    for setting, message in OTHERWISE[client_of(engine)]:
        with ssh_host(engine, client_of(engine), shell="/host/shell") as host:
            login_shell(host.folder, setting)
            _, errors = uses_client(host, status=5)
            assert message in errors


@ONE
@pytest.mark.parametrize("shell", ["/usr/bin/fish", "/usr/bin/tcsh"])
def test_any_login_shell_will_do(engine: Engine, shell: str) -> None:
    with ssh_host(engine, shell=shell) as host:
        assert uses_client(host) == (False, "")
        nothing_stays(host)


@ONE
def test_docker_s_variable_and_contexts_lead_there_too(engine: Engine) -> None:
    with ssh_host(engine) as host:
        run = dockersweep("scan", DOCKER_HOST=host.url, DOCKER_TLS_VERIFY="1", PATH=host.path)
        assert (run.status, f"at {host.url}, from DOCKER_HOST" in run.stdout) == (0, True), run.stderr
        engine.docker("context", "create", "far", "--docker", f"host={host.url}")
        config = engine.environment()["DOCKER_CONFIG"]
        run = dockersweep("-c", "far", "scan", DOCKER_CONFIG=config, PATH=host.path)
        assert (run.status, f"at {host.url}, from context far" in run.stdout) == (0, True), run.stderr


@ONE
def test_users_and_paths_are_those_of_the_address(engine: Engine) -> None:
    with ssh_host(engine) as host:
        member = f"ssh://ann@box:{host.port}/run/docker.sock"
        run = dockersweep("scan", host=member, PATH=host.path)
        assert (run.status, f"at {member}, from --host" in run.stdout) == (0, True), run.stderr
        stranger = dockersweep("scan", host="ssh://bob@box", PATH=host.path)
        assert stranger.status == 5
        assert "box says: " in stranger.stderr
        assert "permission denied; log in as root there, or as a member of the group" in stranger.stderr
        nowhere = dockersweep("scan", host=f"{host.url}/run/it's%20not%20$HOME.sock", PATH=host.path)
        assert nowhere.status == 5
        assert "dial unix /run/it's not $HOME.sock: connect: no such file or directory" in nowhere.stderr


def wrong_key(host: SshHost) -> None:
    shutil.copy(host.folder / "other_key", host.folder / "key")


def unknown_host_key(host: SshHost) -> None:
    (host.folder / "known_hosts").write_text("")


def closed_port(host: SshHost) -> None:
    host.config.write_text(re.sub(r"Port \d+", "Port 1", host.config.read_text()))


def unknown_name(host: SshHost) -> None:
    host.config.write_text(host.config.read_text().replace("127.0.0.1", "nowhere.invalid"))


def no_network(host: SshHost) -> None:
    ssh = host.folder / "bin" / "ssh"
    ssh.write_text(ssh.read_text().replace("exec ", "exec unshare --net ", 1))
    host.config.write_text(host.config.read_text().replace("127.0.0.1", "192.0.2.1"))


def closed_jump(host: SshHost) -> None:
    jump(host, 1, host.folder / "known_hosts")


FAILURES: list[tuple[Callable[[SshHost], None], str]] = [
    (wrong_key, "Permission denied (publickey"),
    (unknown_host_key, "ssh: Host key verification failed; connect once by `ssh box`, and accept its key"),
    (closed_port, "ssh: connect to host 127.0.0.1 port 1: Connection refused; check the port, and that sshd runs"),
    (unknown_name, "ssh: Could not resolve hostname nowhere.invalid"),
    (no_network, "Network is unreachable; check the address, and the network of this machine"),
    # What the ssh of the jump said is not the last line.
    (closed_jump, "ssh: connect to host 127.0.0.1 port 1: Connection refused; check the port, and that sshd runs"),
]


@ONE
@pytest.mark.parametrize(("spoil", "message"), FAILURES)
def test_what_ssh_says_is_said(engine: Engine, spoil: Callable[[SshHost], None], message: str) -> None:
    with ssh_host(engine) as host:
        spoil(host)
        run = dockersweep("scan", host=host.url, PATH=host.path)
        assert (run.status, run.stdout) == (5, "")
        assert f"cannot reach the engine at {host.url} (from --host): ssh: " in run.stderr
        assert message in run.stderr
        assert len(run.stderr.splitlines()) == 1
        nothing_stays(host)


def jump(host: SshHost, port: int, known_hosts: Path) -> None:
    """Let the way to a host lead over another sshd, which takes the same key."""
    settings = f"Port {port}\nHostName 127.0.0.1\nUser root\nIdentityFile {host.folder}/key"
    hop = f"Host hop\n{settings}\nUserKnownHostsFile {known_hosts}\n"
    host.config.write_text(f"{hop}{host.config.read_text()}    ProxyJump hop\n")


@ONE
def test_the_way_may_lead_over_another_host(engine: Engine) -> None:
    with ssh_host(engine) as host, ssh_host(engine, "none") as hop:
        shutil.copy(host.folder / "key.pub", hop.folder / "authorized_keys")
        jump(host, hop.port, hop.folder / "known_hosts")
        assert uses_client(host) == (False, "")
        assert (hop.log + host.log).count("Accepted publickey") == 2
        nothing_stays(host)


@ONE
def test_an_address_may_have_six_parts(engine: Engine) -> None:
    with ssh_host(engine, sshd="ListenAddress ::1") as host:
        for file in (host.folder / "known_hosts", host.config):
            file.write_text(file.read_text().replace("127.0.0.1", "::1").replace("Host box", "Host ::1"))
        url = f"ssh://root@[::1]:{host.port}"
        run = dockersweep("scan", host=url, PATH=host.path)
        assert (run.status, f"at {url}, from --host" in run.stdout) == (0, True), run.stderr


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Return a port that answers nobody, as one of a host that is down: its queue is full."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port: int = listener.getsockname()[1]
        for _ in range(3):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        yield port


@pytest.mark.programs
def test_a_host_that_is_down(silent_port: int) -> None:
    begun = time.monotonic()
    run = dockersweep("scan", "--engine-timeout", "1s", host=f"ssh://127.0.0.1:{silent_port}")
    assert run.status == 5
    assert time.monotonic() - begun < 5
    assert "; check that the host is up and reachable" in run.stderr


def let_in(host: SshHost) -> socket.socket:
    """Return a connection that sshd has let in, and that does not log in."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (another := socket.create_connection(("127.0.0.1", host.port))).recv(4) != b"SSH-":
        another.close()
        assert time.monotonic() < deadline
    return another


@ONE
def test_an_sshd_that_turns_away_is_tried_again(engine: Engine) -> None:
    with ssh_host(engine, sshd="MaxStartups 1:100:10") as host, ThreadPoolExecutor(1) as pool:
        with let_in(host):
            run = pool.submit(dockersweep, "scan", host=host.url, PATH=host.path)
            while "drop connection" not in host.log:
                assert not run.done(), run.result().stderr
                time.sleep(0.02)
        assert run.result().status == 0, run.result().stderr


def test_ssh_that_is_not_installed(tmp_path: Path) -> None:
    run = dockersweep("scan", host="ssh://box", PATH=str(tmp_path))
    assert run.status == 5
    assert "there is no ssh on the PATH: install the client of OpenSSH" in run.stderr


@ONE
def test_a_host_that_accepts_and_is_silent_is_given_up(engine: Engine) -> None:
    with ssh_host(engine) as host:
        os.kill(host.sshd, signal.SIGSTOP)
        begun = time.monotonic()
        run = dockersweep("scan", "--engine-timeout", "2s", host=host.url, PATH=host.path)
        assert run.status == 5
        assert time.monotonic() - begun < 10
        assert "timed out" in run.stderr or "within 2 seconds" in run.stderr
        os.kill(host.sshd, signal.SIGCONT)
        nothing_stays(host)


def login_shell(folder: Path, script: str) -> None:
    """Write what is the login shell of root, as the host sees it: /host/shell."""
    (folder / "shell").write_text(f'#!/bin/sh\n{script}\nexec /bin/sh "$@"\n')
    (folder / "shell").chmod(0o755)


@pytest.mark.on_engines("podman-6.1")
def test_podman_is_known_by_its_machine(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    litter.anonymous_volume(1000)
    with ssh_host(engine, "podman") as host:
        plan = dockersweep("plan", *SWEEP[3:], host=host.url, PATH=host.path).json()
        machine = plan["engine"]["machine_id"]
        assert machine not in (None, MACHINE)
        by_another_name = f"ssh://root@box:{host.port}/run/podman/podman.sock"
        saved = tmp_path / "plan.json"
        for known, status in ((None, 4), ("f" * 32, 4), (machine, 0)):
            plan["engine"]["machine_id"] = known
            saved.write_text(json.dumps(plan))
            run = dockersweep("apply", str(saved), *SWEEP[1:3], host=by_another_name, PATH=host.path)
            assert run.status == status, run.stderr
            assert status == 0 or "is a plan for the podman engine" in run.stderr
        assert dockersweep("scan", "--format", "json", host=engine.url).json()["engine"]["machine_id"] is None


@pytest.mark.on_engines("podman-6.1")
def test_a_plan_from_before_machines_were_known_holds_at_its_address(
    engine: Engine, litter: Litter, tmp_path: Path
) -> None:
    litter.anonymous_volume(1000)
    with ssh_host(engine, "podman") as host:
        plan = dockersweep("plan", *SWEEP[3:], host=host.url, PATH=host.path).json()
        del plan["engine"]["machine_id"]
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        run = dockersweep("apply", str(tmp_path / "plan.json"), *SWEEP[1:3], host=host.url, PATH=host.path)
        assert run.status == 0, run.stderr


@ONE
def test_what_a_login_shell_says(engine: Engine) -> None:
    with ssh_host(engine, shell="/host/shell") as host:
        login_shell(host.folder, "echo Mind the step >&2")
        run = dockersweep("scan", host=host.url, PATH=host.path)
        assert run.status == 0, run.stderr
        assert "Mind the step" not in run.stderr
        login_shell(host.folder, r"printf 'Welcome\033[2J\n'")
        run = dockersweep("scan", host=host.url, PATH=host.path)
        assert run.status == 5
        assert r'the login shell of box says "Welcome\x1b[2J" before it runs a command' in run.stderr
        login_shell(host.folder, "echo")
        run = dockersweep("scan", host=host.url, PATH=host.path)
        assert run.status == 5
        assert 'the login shell of box says "" before it runs a command' in run.stderr
        login_shell(host.folder, "echo Closed for today >&2; exit 3")
        run = dockersweep("scan", host=host.url, PATH=host.path)
        assert run.status == 5
        assert "box says: Closed for today; try `ssh box docker version`" in run.stderr


@ONE
def test_a_key_that_is_bound_to_the_command_will_do(engine: Engine, litter: Litter) -> None:
    litter.anonymous_volume(1000)
    with ssh_host(engine, authorized='restrict,command="docker system dial-stdio"') as host:
        run = dockersweep(*SWEEP, host=host.url, PATH=host.path)
        assert run.status == 0, run.stderr
        assert [one["status"] for one in run.json()["outcomes"]] == ["removed"]
        nothing_stays(host)


@ONE
@pytest.mark.parametrize("most", [1, 2])
def test_an_sshd_with_few_sessions_gets_more_connections(engine: Engine, most: int) -> None:
    with ssh_host(engine, sshd=f"MaxSessions {most}\nAllowStreamLocalForwarding no") as host:
        run = dockersweep("scan", host=host.url, PATH=host.path)
        assert run.status == 0, run.stderr
        nothing_stays(host)


@ONE
def test_a_connection_that_the_user_keeps_is_used_and_kept(engine: Engine, tmp_path: Path) -> None:
    with ssh_host(engine) as host:
        # What has its settings before a block for one host counts for it too.
        host.config.write_text(f"ControlPath {tmp_path}/c\n{host.config.read_text()}")
        ssh = f"{host.folder}/bin/ssh"
        with subprocess.Popen([ssh, "-M", "-N", "box"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as kept:
            while not (tmp_path / "c").exists():
                assert kept.poll() is None
                time.sleep(0.02)
            run = dockersweep("scan", host=host.url, PATH=host.path)
            assert run.status == 0, run.stderr
            assert host.log.count("Accepted publickey") == 1
            assert kept.poll() is None
            kept.terminate()
        nothing_stays(host)


def sweep_while(host: SshHost, change: Callable[[int], None]) -> tuple[int, str, str, Counter[str]]:
    """Sweep volumes; when the third is to be removed, change something, with the pid of the sweep. Return the exit
    status, both outputs, and how often each removal was asked for."""
    removing = threading.Event()
    asked: Counter[str] = Counter()

    def before(request: Request) -> None:
        if request.method == "DELETE":
            asked[request.path] += 1
            if len(asked) >= 3:
                removing.set()
                time.sleep(0.3)

    with host.recorder.recording() as recording:
        recording.before = before
        command = [sys.executable, "-m", "dockersweep", "-H", host.url, *SWEEP]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "PATH": host.path, "TMPDIR": str(host.folder)},
        )  # fmt: skip
        assert removing.wait(60)
        change(process.pid)
        stdout, stderr = process.communicate(timeout=120)
    assert "Traceback" not in stderr, stderr
    return process.returncode, stdout, stderr, asked


@NEWEST
def test_a_connection_that_dies_in_mid_sweep_is_made_again(engine: Engine, litter: Litter) -> None:
    volumes = {litter.anonymous_volume(1000) for _ in range(20)}
    # With Podman over its client.
    sshd = "AllowStreamLocalForwarding no" if client_of(engine) == "podman" else ""
    with ssh_host(engine, client_of(engine), sshd=sshd) as host:

        def end_session(pid: int) -> None:
            for session in host.sessions():
                os.kill(session, signal.SIGKILL)

        status, stdout, stderr, asked = sweep_while(host, end_session)
        assert status in (0, 3), stderr
        outcomes = {one["id"]: one["status"] for one in json.loads(stdout)["outcomes"]}
        assert set(outcomes) == volumes
        left = volumes & set(engine.docker("volume", "ls", "-q").stdout.split())
        # What was under way is looked up, and may still be carried out after that; all others are removed.
        assert len(left) <= WORKERS
        assert left <= {name for name, status in outcomes.items() if status == "failed"}
        assert set(outcomes.values()) <= {"removed", "gone", "failed"}
        assert not left or "closed by remote host; " in stdout or "Broken pipe; " in stdout
        assert max(asked.values()) == 1
        assert host.log.count("Accepted publickey") >= 2
        nothing_stays(host)


@ONE
def test_an_engine_that_restarts_in_mid_sweep_is_waited_for(engine: Engine, litter: Litter) -> None:
    volumes = {litter.anonymous_volume(1000) for _ in range(20)}
    with ssh_host(engine, client_of(engine)) as host:
        status, stdout, stderr, asked = sweep_while(host, lambda pid: engine.restart())
        outcomes = {one["id"]: one["status"] for one in json.loads(stdout)["outcomes"]}
        assert set(outcomes) == volumes
        left = volumes & set(engine.docker("volume", "ls", "-q").stdout.split())
        assert left <= {name for name, status in outcomes.items() if status == "failed"}
        assert len(left) <= WORKERS
        assert status in (0, 3), stderr
        assert max(asked.values()) == 1
        nothing_stays(host)


@ONE
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_of_the_terminal_ends_the_sweep_and_nothing_stays(
    engine: Engine, litter: Litter, number: signal.Signals
) -> None:
    volumes = {litter.anonymous_volume(1000) for _ in range(20)}
    with ssh_host(engine) as host:
        _, stdout, _, asked = sweep_while(host, lambda pid: os.killpg(pid, number))
        outcomes = {one["id"]: one["status"] for one in json.loads(stdout)["outcomes"]}
        assert set(outcomes.values()) == {"removed", "not-attempted"}
        left = set(engine.docker("volume", "ls", "-q").stdout.split())
        assert left & volumes == {name for name, status in outcomes.items() if status == "not-attempted"}
        assert max(asked.values()) == 1
        nothing_stays(host)
        assert not list(host.folder.glob("dockersweep-ssh-*"))


@ONE
@pytest.mark.parametrize("forwards", ["yes", "no"])
def test_nothing_of_ssh_outlives_a_kill(engine: Engine, litter: Litter, forwards: str) -> None:
    for _ in range(20):
        litter.anonymous_volume(1000)
    with ssh_host(engine, sshd=f"AllowStreamLocalForwarding {forwards}") as host:
        status, _, _, _ = sweep_while(host, lambda pid: os.kill(pid, signal.SIGKILL))
        assert status == -signal.SIGKILL
        nothing_stays(host)
        # Its folder does, with the socket that was forwarded, where nothing listens.
        [folder] = host.folder.glob("dockersweep-ssh-*")
        assert [path.name for path in folder.iterdir()] == ["engine"]


@ONE
def test_a_person_answers_what_ssh_asks(engine: Engine) -> None:
    with ssh_host(engine) as host:
        unknown_host_key(host)
        change = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", str(host.folder / "key")]
        subprocess.run(change, check=True, stdout=subprocess.DEVNULL)
        assert dockersweep("scan", host=host.url, PATH=host.path).status == 5
        status, shown = typed(host, [("continue connecting", "yes\n"), ("Enter passphrase", "open sesame\n")])
        assert status == 0, shown
        assert f"at {host.url}, from --host" in shown
        status, shown = typed(host, [("Enter passphrase", "\x03")])
        assert status == 130, (status, shown)
        # The line that is being typed is no place for questions.
        assert typed(host, [], "completion", "names") == (0, "")
        nothing_stays(host)


def typed(host: SshHost, answers: list[tuple[str, str]], *words: str) -> tuple[int, str]:
    """Run a verb, else a scan, on a terminal, and answer each question when it comes; return the exit status and what
    was shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(PATH=host.path, TERM="xterm")
        os.execv(sys.executable, [sys.executable, "-m", "dockersweep", "-H", host.url, *(words or ["scan"])])
    shown, waiting, deadline = b"", list(answers), time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if select.select([terminal], [], [], 0.2)[0]:
                shown += os.read(terminal, 65536)
        except OSError:
            break
        if waiting and waiting[0][0].encode() in shown:
            # The terminal still changes its mode when the question is seen, and drops what was typed before.
            time.sleep(0.3)
            os.write(terminal, waiting.pop(0)[1].encode())
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()
