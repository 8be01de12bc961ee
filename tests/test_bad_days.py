"""An engine that is not there, is too old, stalls, lies or goes away: one sentence, and nothing lost."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fake_engine import EMPTY, FakeEngine, Handler, Reply, break_off, fake_engine, reply, stall
from tests.running import dockersweep

pytestmark = pytest.mark.programs

LISTS = ["/containers/json", "/images/json", "/volumes", "/networks", "/system/df"]


def stopped(name: str = "web") -> dict[str, Any]:
    return {
        "Id": name, "Names": [f"/{name}"], "Image": "app", "ImageID": "sha256:i", "Created": 1700000000,
        "State": "exited", "Mounts": [], "NetworkSettings": {"Networks": {}}, "Labels": {},
    }  # fmt: skip


def details(name: str = "web", **state: Any) -> dict[str, Any]:
    return {
        "Id": name, "Name": f"/{name}", "Created": "2026-01-01T00:00:00Z", "Image": "sha256:i",
        "State": {"Status": "exited", "ExitCode": 1, "StartedAt": "2026-01-01T00:00:00Z",
                  "FinishedAt": "2026-01-02T00:00:00Z", **state},
        "HostConfig": {"RestartPolicy": {"Name": "no"}, "LogConfig": {"Type": "none"}}, "Config": {"Labels": {}},
    }  # fmt: skip


def with_containers(engine: FakeEngine, *names: str) -> None:
    engine.replies["/containers/json"] = reply([stopped(name) for name in names])
    for name in names:
        engine.replies[f"/containers/{name}/json"] = reply(details(name))


def test_no_socket(tmp_path: Path) -> None:
    run = dockersweep("scan", host=f"unix://{tmp_path}/none.sock")
    assert (run.status, run.stdout) == (5, "")
    assert run.stderr == (
        f"dockersweep: cannot reach the engine at unix://{tmp_path}/none.sock (from --host): there is no such socket: "
        "is the engine running? Start it, or name another with --host or --context\n"
    )


def test_nobody_listens(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    run = dockersweep("plan", host=f"unix://{path}")
    assert run.status == 5
    assert "nothing listens on that socket: the engine is not running; start it" in run.stderr


def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "s"
    for folder in (tmp_path, *tmp_path.parents):
        if str(folder).startswith("/tmp/pytest"):
            folder.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        path.chmod(0o600)
        code = (
            "import os, sys; os.setuid(65534); from dockersweep.cli import main; "
            f"sys.exit(main(['-H', 'unix://{path}', 'scan']))"
        )
        # The interpreter may lie in a folder that only root can enter: everything is imported before.
        preload = "import dockersweep.commands.scan, dockersweep.engine.scanner, dockersweep.parser, "
        preload += "dockersweep.report.text, http.cookiejar, encodings.idna; "
        done = subprocess.run([sys.executable, "-c", preload + code], capture_output=True, text=True, check=False)
    assert done.returncode == 5, done.stderr
    assert "permission denied: run as root, or as a member of the group that owns the socket" in done.stderr


def test_nothing_at_a_tcp_address() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        run = dockersweep("scan", host=f"tcp://127.0.0.1:{port}")
    assert run.status == 5
    assert f"cannot reach the engine at tcp://127.0.0.1:{port} (from --host)" in run.stderr


def test_an_engine_that_is_too_old_is_told_what_is_needed() -> None:
    with fake_engine(version=reply({"Version": "18.09.1", "ApiVersion": "1.39", "MinAPIVersion": "1.12"})) as engine:
        run = dockersweep("scan", host=engine.url)
    assert run.status == 5
    assert "is Docker 18.09.1 and speaks API 1.39 at the most; dockersweep needs 1.40 (Docker 19.03)" in run.stderr


def test_an_engine_that_is_too_new_is_told_as_well() -> None:
    with fake_engine(version=reply({"Version": "40.0", "ApiVersion": "1.90", "MinAPIVersion": "1.60"})) as engine:
        run = dockersweep("scan", host=engine.url)
    assert run.status == 5
    assert "speaks API 1.60 or newer; this dockersweep knows 1.51 at the most: update dockersweep" in run.stderr


@pytest.mark.parametrize("version", [{}, {"ApiVersion": "new"}, []])
def test_something_else_that_speaks_http(version: object) -> None:
    with fake_engine(version=reply(version)) as engine:
        run = dockersweep("scan", host=engine.url)
    assert run.status == 5
    assert len(run.stderr.splitlines()) == 1


BAD: dict[str, Reply | Any] = {
    "500 with a message": reply({"message": "it broke"}, 500),
    "500 with HTML": (500, b"<html>Bad Gateway</html>"),
    "500 with nothing": (500, b""),
    "403 of a proxy": (403, b"<html>Forbidden</html>"),
    "garbage": (200, b"\x00\xff\xfe"),
    "half of it": break_off,
    "cut-off JSON": (200, b'[{"Id": "a'),
    "null": reply(None),
    "another type": reply("text"),
    "a key that is missing": reply([{"Labels": {}}]),
}


@pytest.mark.parametrize("path", LISTS[:4])
@pytest.mark.parametrize("bad", BAD)
def test_a_list_that_fails_makes_the_scan_fail_and_nothing_is_removed(path: str, bad: str) -> None:
    with fake_engine() as engine:
        with_containers(engine, "web")
        engine.replies[path] = BAD[bad]
        run = dockersweep("sweep", "--yes", "--no-ledger", "--older-than", "0s", host=engine.url)
        assert {method for method, _ in engine.asked} == {"GET"}
    assert (run.status, run.stdout) == (5, "")
    assert len(run.stderr.splitlines()) == 1
    assert "GET /" in run.stderr
    assert path in run.stderr


def test_a_build_cache_that_cannot_be_listed_makes_the_scan_fail() -> None:
    def only_cache_fails(handler: Handler) -> Reply:
        return reply({"message": "no cache"}, 500) if "build-cache" in handler.path else reply({})

    with fake_engine() as engine:
        engine.replies["/system/df"] = only_cache_fails
        run = dockersweep("scan", host=engine.url)
    assert run.status == 5
    assert "answered GET /system/df with 500: no cache" in run.stderr


def test_sizes_that_fail_are_unknown_with_a_warning_and_the_rest_stands() -> None:
    def volumes_fail(handler: Handler) -> Reply:
        return reply({"message": "walk failed"}, 500) if "type=volume" in handler.path else reply({})

    with fake_engine(volumes=reply({"Volumes": [{"Name": "v", "Driver": "local", "Scope": "local"}]})) as engine:
        engine.replies["/system/df"] = volumes_fail
        run = dockersweep("scan", "--format", "json", "--no-ledger", host=engine.url)
    assert run.status == 0
    assert run.json()["volumes"][0]["size_bytes"] is None
    assert [one["about"] for one in run.json()["warnings"]] == ["volume sizes"]
    assert "walk failed" in run.json()["warnings"][0]["text"]


def test_sizes_that_take_too_long_are_unknown() -> None:
    def volumes_stall(handler: Handler) -> Reply | None:
        return stall(handler) if "type=volume" in handler.path else reply({})

    with fake_engine() as engine:
        engine.replies["/system/df"] = volumes_stall
        run = dockersweep("scan", "--size-timeout", "1s", "--no-ledger", host=engine.url)
    assert run.status == 0
    assert "did not answer GET" in run.stdout
    assert "within 1 seconds" in run.stdout


def test_a_container_that_cannot_be_read_is_kept_with_all_it_holds() -> None:
    with fake_engine() as engine:
        with_containers(engine, "web", "odd", "lost")
        engine.replies["/containers/odd/json"] = reply({"message": "layer gone"}, 500)
        del engine.replies["/containers/lost/json"]
        run = dockersweep("plan", "--format", "json", "--no-ledger", "--older-than", "0s", host=engine.url)
    assert run.status == 0
    assert [one["id"] for one in run.json()["removals"]] == ["web"]
    reasons = {one["id"]: one["reasons"][0]["text"] for one in run.json()["decisions"]}
    assert "layer gone" in reasons["odd"]
    assert reasons["lost"] == "it could not be read in full: it disappeared while it was being read"
    assert run.json()["warnings"][0]["about"] == "container odd"


def sweep_of(engine: FakeEngine, removal: Any) -> Any:
    """Sweep two containers; `removal` answers the DELETE of the first."""
    with_containers(engine, "a", "b")
    engine.replies["/containers/a"] = removal
    engine.replies["/containers/b"] = (204, b"")
    run = dockersweep("sweep", "--yes", "--no-ledger", "--format", "json", "--older-than", "0s", host=engine.url)
    outcomes = {one["id"]: one for one in run.json()["outcomes"]}
    assert outcomes["b"]["status"] == "removed"
    return run.status, outcomes["a"]["status"], outcomes["a"]["detail"]


@pytest.mark.parametrize(
    ("removal", "status", "became", "detail"),
    [
        (reply({"message": "it broke"}, 500), 3, "failed", "it broke"),
        ((500, b""), 3, "failed", "HTTP status 500 without a message"),
        (reply({"message": "running"}, 409), 0, "skipped", "in use: running"),
        (reply({"message": "gone"}, 404), 0, "gone", "it was gone already"),
        (break_off, 3, "failed", "it is still there: the engine at"),
        ((403, b"<html>Forbidden</html>"), 3, "failed", "it is forbidden: <html>Forbidden</html>"),
        ((200, b"nonsense"), 0, "removed", None),
    ],
)
def test_a_removal_that_fails_does_not_stop_the_rest(
    removal: Any, status: int, became: str, detail: str | None
) -> None:
    with fake_engine() as engine:
        told = sweep_of(engine, removal)
    assert told[:2] == (status, became)
    assert (detail in told[2]) if detail else told[2] is None


def test_a_failed_removal_tells_what_it_left_behind() -> None:
    def leaves_it_dead(handler: Handler) -> Reply:
        handler.server.engine.replies["/containers/a/json"] = reply(details("a", Status="dead"))
        return reply({"message": "device busy"}, 500)

    with fake_engine() as engine:
        told = sweep_of(engine, leaves_it_dead)
    assert told == (3, "failed", "device busy; it is changed: state was exited, is dead")


def test_what_is_held_by_what_failed_stays() -> None:
    with fake_engine() as engine:
        with_containers(engine, "a")
        mount = {"Type": "volume", "Name": "v"}
        engine.replies["/containers/json"] = reply([stopped("a") | {"Mounts": [mount]}])
        volume = {"Name": "v", "Driver": "local", "Scope": "local", "Labels": {"com.docker.volume.anonymous": ""}}
        engine.replies["/volumes"] = reply({"Volumes": [volume]})
        engine.replies["/containers/a"] = reply({"message": "it broke"}, 500)
        run = dockersweep("sweep", "--yes", "--no-ledger", "--older-than", "0s", host=engine.url, COLUMNS="200")
        assert ("DELETE", "/volumes/v") not in engine.asked
    assert run.status == 3
    assert "container a, which holds it, stayed" in run.stdout


def test_an_engine_that_goes_away_leaves_the_rest_not_attempted() -> None:
    names = [f"c{number:02}" for number in range(40)]
    with fake_engine() as engine:
        with_containers(engine, *names)

        def vanish_all(handler: Handler) -> Reply | None:
            engine.replies["/info"] = lambda handler: None
            for name in names:
                engine.replies[f"/containers/{name}/json"] = lambda handler: None
                engine.replies[f"/containers/{name}"] = lambda handler: None
            return None

        for name in names:
            engine.replies[f"/containers/{name}"] = vanish_all
        flags = ("--yes", "--no-ledger", "--format", "json", "--older-than", "0s", "--engine-timeout", "1s")
        run = dockersweep("sweep", *flags, host=engine.url)
    assert run.status == 5
    statuses = [one["status"] for one in run.json()["outcomes"]]
    assert len(statuses) == 40
    assert set(statuses) == {"failed", "not-attempted"}
    assert statuses.count("failed") <= 8
    assert "broke off the answer" in run.json()["ended_early"]
    assert run.json()["ended_early"].endswith("; it did not come back within 1 seconds")
    assert run.json()["ended_by"] == "engine"


def test_an_engine_that_comes_back_is_waited_for() -> None:
    with fake_engine() as engine:
        with_containers(engine, "a", "b")
        info, details_of_a = EMPTY["/info"], engine.replies["/containers/a/json"]
        times: list[float] = []

        def back_after_a_second(handler: Handler) -> Reply | None:
            times.append(time.monotonic())
            if times[-1] - times[0] < 1:
                return None
            engine.replies["/containers/a/json"] = details_of_a
            assert not callable(info)
            return info

        def away(handler: Handler) -> Reply | None:
            engine.replies["/info"] = back_after_a_second
            return None

        def once_then_away(handler: Handler) -> Reply:
            engine.replies["/containers/a/json"] = away
            assert not callable(details_of_a)
            return details_of_a

        engine.replies["/containers/a/json"] = once_then_away
        engine.replies["/containers/a"] = engine.replies["/containers/b"] = (204, b"")
        flags = ("--yes", "--no-ledger", "--format", "json", "--older-than", "0s")
        run = dockersweep("sweep", *flags, host=engine.url)
    assert run.status == 0, run.stderr
    assert [one["status"] for one in run.json()["outcomes"]] == ["removed", "removed"]
    assert len(times) > 2


def test_another_engine_in_its_place_is_left_alone() -> None:
    with fake_engine() as engine:
        with_containers(engine, "a")
        details_of_a = engine.replies["/containers/a/json"]

        def then_another(handler: Handler) -> Reply:
            engine.replies["/info"] = reply({"ID": "NEW", "Name": "box", "DockerRootDir": "/d"})
            engine.replies["/containers/a/json"] = lambda handler: None
            assert not callable(details_of_a)
            return details_of_a

        engine.replies["/containers/a/json"] = then_another
        flags = ("--yes", "--no-ledger", "--format", "json", "--older-than", "0s")
        run = dockersweep("sweep", *flags, host=engine.url)
        assert {method for method, _ in engine.asked} == {"GET"}
    assert run.status == 5
    assert "is another engine now: box, with its data in /d" in run.json()["ended_early"]


def test_an_answer_that_is_always_broken_off_fails_alone() -> None:
    with fake_engine() as engine:
        with_containers(engine, "a", "b")
        engine.replies["/containers/a"] = engine.replies["/containers/b"] = (204, b"")
        details_of_a = engine.replies["/containers/a/json"]

        def then_broken(handler: Handler) -> Reply:
            engine.replies["/containers/a/json"] = break_off
            assert not callable(details_of_a)
            return details_of_a

        engine.replies["/containers/a/json"] = then_broken
        flags = ("--yes", "--no-ledger", "--format", "json", "--older-than", "0s")
        run = dockersweep("sweep", *flags, host=engine.url)
    assert run.status == 3
    outcomes = {one["id"]: one for one in run.json()["outcomes"]}
    assert (outcomes["a"]["status"], outcomes["b"]["status"]) == ("failed", "removed")
    assert "(the engine is there, but so often does not answer this)" in outcomes["a"]["detail"]


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dockersweep", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))


def wait_for_request(engine: FakeEngine, method: str, path: str) -> None:
    deadline = time.monotonic() + 20
    while (method, path) not in engine.asked:
        assert time.monotonic() < deadline, engine.asked
        time.sleep(0.01)


def test_an_interrupted_scan_ends_with_130_and_no_traceback() -> None:
    with fake_engine(networks=stall) as engine:
        process = start("-H", engine.url, "scan", "--no-ledger")
        wait_for_request(engine, "GET", "/networks")
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout, stderr) == (130, "", "dockersweep: interrupted\n")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_sweep_finishes_what_is_under_way_and_tells(number: signal.Signals, status: int) -> None:
    names = [f"c{one:02}" for one in range(30)]
    with fake_engine() as engine:
        with_containers(engine, *names)

        def slow(handler: Handler) -> Reply:
            handler.server.engine.release.wait(1.5)
            return 204, b""

        for name in names:
            engine.replies[f"/containers/{name}"] = slow
        flags = ("--yes", "--yes-first-time", "--no-ledger", "--older-than", "0s", "--format", "json")
        process = start("-H", engine.url, "sweep", *flags)
        wait_for_request(engine, "DELETE", "/containers/c00")
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=20)
        deleted = {path for method, path in engine.asked if method == "DELETE"}
    assert process.returncode == status
    assert "Traceback" not in stderr
    document = json.loads(stdout)
    removed = {f"/containers/{one['id']}" for one in document["outcomes"] if one["status"] == "removed"}
    assert removed == deleted
    assert document["ended_early"] == "interrupted"
    assert {one["status"] for one in document["outcomes"]} == {"removed", "not-attempted"}
    assert len(document["outcomes"]) == 30


EVIL = "x\x1b[2J\n\u202e<script>\"'"


def test_hostile_text_reaches_a_terminal_without_doing_anything() -> None:
    with fake_engine() as engine:
        labels = {EVIL: EVIL, "com.docker.compose.project": EVIL}
        engine.replies["/containers/json"] = reply([stopped("id") | {"Names": [f"/{EVIL}"], "Labels": labels}])
        engine.replies["/images/json"] = reply([{"Id": "sha256:e", "RepoTags": [EVIL], "Size": 1, "Labels": labels}])
        engine.replies["/volumes"] = reply({"Volumes": [{"Name": EVIL, "Driver": EVIL}], "Warnings": [EVIL]})
        engine.replies["/networks"] = reply([{"Id": "n", "Name": EVIL, "Driver": EVIL, "Scope": EVIL}])
        record = {"ID": "r", "Type": EVIL, "Description": EVIL, "Size": 1}
        engine.replies["/system/df"] = reply({"BuildCache": [record], "Volumes": [], "Containers": []})
        engine.replies["/containers/id/json"] = reply(details("id") | {"Name": f"/{EVIL}"})
        engine.replies["/containers/id"] = reply({"message": f"no {EVIL}"}, 500)
        for verb in (["scan"], ["plan", "--verbose"], ["report"], ["sweep", "--yes", "--verbose"]):
            run = dockersweep(*verb, "--no-ledger", host=engine.url, COLUMNS="200")
            for text in (run.stdout, run.stderr):
                assert "\x1b" not in text
                assert "\u202e" not in text
            if verb != ["report"]:
                assert "x\\x1b[2J\\n\\u202e<script>\"'" in run.stdout
        saved = dockersweep("scan", "--format", "json", "--no-ledger", host=engine.url)
        assert saved.json()["containers"][0]["name"] == EVIL
    broken = dockersweep("scan", host=f"tcp://{EVIL}")
    assert "\x1b" not in broken.stderr
    assert len(broken.stderr.splitlines()) == 1


def without_a_length(handler: Handler) -> Reply | None:
    handler.wfile.write(b"HTTP/1.0 500 Oops\r\nContent-Type: text/plain\r\n\r\nit broke, says the proxy")
    return None


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    with fake_engine() as engine:
        assert sweep_of(engine, without_a_length) == (3, "failed", "it broke, says the proxy")


def upgrade(handler: Handler) -> Reply | None:
    handler.wfile.write(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
    return None


@pytest.mark.parametrize("odd", [upgrade, lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH\r\n") and None])
def test_what_is_not_http_is_said(odd: Any) -> None:
    with fake_engine(version=odd) as engine:
        run = dockersweep("scan", host=engine.url)
    assert run.status == 5
    assert "broke off the answer to GET /version: it is not HTTP" in run.stderr


def test_volume_plugins_that_do_not_answer_are_told() -> None:
    with fake_engine(volumes=reply({"Volumes": [], "Warnings": ["nfs: plugin not found"]})) as engine:
        run = dockersweep("scan", "--no-ledger", host=engine.url)
    assert "Warning: volumes: nfs: plugin not found" in run.stdout


def test_a_socket_whose_path_is_too_long_is_said(tmp_path: Path) -> None:
    run = dockersweep("scan", host=f"unix://{tmp_path}/{'x' * 120}")
    assert run.status == 5
    assert "AF_UNIX path too long" in run.stderr
    assert "cannot reach the engine" in run.stderr


def test_the_docker_configuration_has_no_part_in_the_connection() -> None:
    config = Path(os.environ["HOME"]) / ".docker" / "config.json"
    config.parent.mkdir()
    config.write_text('{"proxies": [], "auths": {"x": 1}}')
    with fake_engine() as engine:
        assert dockersweep("scan", "--no-ledger", host=engine.url).status == 0


def test_podman_s_500s_are_in_use() -> None:
    podman = reply({"Version": "5.8", "ApiVersion": "1.44", "Components": [{"Name": "Podman Engine"}]})
    with fake_engine(version=podman) as engine:
        told = sweep_of(engine, reply({"cause": "x", "message": "container a is running", "response": 500}, 500))
        scanned = dockersweep("scan", "--format", "json", "--no-ledger", host=engine.url).json()
    assert told == (0, "skipped", "in use: container a is running")
    assert scanned["engine"]["id"] is None
    assert scanned["engine"]["flavour"] == "podman"
