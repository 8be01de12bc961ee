"""A scan or a sweep that a signal interrupts: it says so, and tells what became of what was under way."""

import json
import signal

import pytest

from tests.rig.fake_containers import with_containers
from tests.rig.fake_engine import Handler, Reply, fake_engine, stall, wait_for_request
from tests.rig.running import start

pytestmark = pytest.mark.programs


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
