"""An engine that is not there, is too old, stalls or lies to a scan: one sentence, and nothing lost."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.rig.fake_containers import details, stopped, with_containers
from tests.rig.fake_engine import Handler, Reply, break_off, fake_engine, reply, stall
from tests.rig.running import dockersweep

pytestmark = pytest.mark.programs

LISTS = ["/containers/json", "/images/json", "/volumes", "/networks", "/system/df"]


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
        preload = "import dockersweep.commands.scan, dockersweep.engine.reading.scanner, dockersweep.parser, "
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


def upgrade(handler: Handler) -> Reply | None:
    handler.wfile.write(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
    return None


@pytest.mark.parametrize("odd", [upgrade, lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH\r\n") and None])
def test_what_is_not_http_is_said(odd: Any) -> None:
    with fake_engine(version=odd) as engine:
        run = dockersweep("scan", host=engine.url)
    assert run.status == 5
    assert "broke off its answer to GET /version: it is not HTTP" in run.stderr


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
