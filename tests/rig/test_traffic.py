"""The judge of recorded traffic can say no, and every run of dockersweep in these tests stands before it."""

from typing import Any

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.heap import everything
from tests.rig.engines.kinds import NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.engines.shared import Filled
from tests.rig.recorder import Request, recorder_at
from tests.rig.running import dockersweep
from tests.rig.traffic import is_allowed, strays

pytestmark = pytest.mark.enough_on(*NEWEST, once=True)
HARMLESS = {"v": "0", "force": "0"}
ONE_RECORD = {"all": "1", "filters": '{"id":["^(abc)$"]}'}


def sent(method: str, path: str, **params: str) -> Request:
    return Request(method, path, params, pid=1)


def row(kind: str, object_id: str, **others: str) -> dict[str, Any]:
    return {"kind": kind, "id": object_id, "name": object_id, "action": "remove", "status": "removed", **others}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/volumes/create"),
        ("POST", "/networks/create"),
        ("POST", "/images/create"),
        ("POST", "/images/app:1/tag"),
        ("PUT", "/containers/dockersweep-archiving-1/archive"),
    ],
)
def test_only_restore_makes_objects_again(method: str, path: str) -> None:
    request = Request(method, path, {"path": "/volume"}, pid=1)
    assert is_allowed(method, path, request.params)
    assert list(strays([request], "restore", None)) == []
    assert list(strays([request], "sweep", []))
    assert list(strays([request], "plan", None))


@pytest.mark.parametrize(
    ("method", "path", "params"),
    [
        ("POST", "/containers/prune", {}),
        ("POST", "/images/prune", {}),
        ("POST", "/volumes/prune", {}),
        ("POST", "/networks/prune", {}),
        ("POST", "/containers/abc/stop", {}),
        ("PUT", "/containers/abc/archive", {}),
        ("PUT", "/containers/abc/archive", {"path": "/volume"}),
        ("PUT", "/containers/dockersweep-archiving-1/archive", {"path": "/etc"}),
        ("DELETE", "/containers/abc", {}),
        ("DELETE", "/containers/abc", {"v": "1", "force": "0"}),
        ("DELETE", "/containers/abc", {"v": "0", "force": "1"}),
        ("DELETE", "/containers/abc", {**HARMLESS, "link": "1"}),
        ("DELETE", "/images/abc", {"force": "0"}),
        ("DELETE", "/images/abc", {"noprune": "0", "force": "0"}),
        ("DELETE", "/volumes/abc", {"force": "1"}),
        ("POST", "/build/prune", {"all": "1"}),
        ("POST", "/build/prune", {"all": "1", "filters": "{}"}),
        ("POST", "/build/prune", {"all": "1", "filters": '{"id":["abc"]}'}),
        ("POST", "/build/prune", {"all": "1", "filters": '{"id":["^(.*)$"]}'}),
        ("POST", "/build/prune", {"all": "1", "filters": '{"id":["^(abc)$"],"until":["1h"]}'}),
        ("GET", "/containers/abc/archive", {}),
        ("GET", "/events", {}),
        ("GET", "/events", {"since": "1"}),
        ("GET", "/events", {"until": "1"}),
        ("HEAD", "/containers/json", {}),
    ],
)
def test_what_is_never_allowed(method: str, path: str, params: dict[str, str]) -> None:
    assert not is_allowed(method, path, params)
    assert list(strays([Request(method, path, params, pid=1)], "sweep", None))


@pytest.mark.parametrize(
    ("request_sent", "rows"),
    [
        (sent("DELETE", "/containers/abc", **HARMLESS), [row("container", "abc")]),
        (sent("DELETE", "/images/app:1", noprune="1", force="0"), [row("image", "x", action="untag", name="app:1")]),
        (sent("DELETE", "/images/a:1@x", noprune="1", force="0"), [row("image", "x", action="untag", name="a:1")]),
        (sent("DELETE", "/images/moby-dangling@x", noprune="1", force="0"), [row("image", "x")]),
        (sent("DELETE", "/networks/abc"), [row("network", "abc", name="net")]),
        (sent("DELETE", "/networks/net"), [row("network", "abc", name="net")]),
        (sent("POST", "/build/prune", **ONE_RECORD), [row("build-cache", "abc")]),
    ],
)
def test_what_stands_in_the_plan(request_sent: Request, rows: list[dict[str, Any]]) -> None:
    assert list(strays([request_sent], "sweep", rows)) == []
    assert list(strays([request_sent], "plan", rows)) != [], "a verb that reads sent it"
    assert list(strays([request_sent], "sweep", [])) != [], "it was not planned"
    assert list(strays([request_sent, request_sent], "sweep", rows)) != [], "it was sent twice"
    assert list(strays([], "sweep", rows)) != [], "it is told as removed, and was never sent"
    assert list(strays([request_sent], "sweep", [rows[0] | {"status": "not-attempted"}])) != []


@pytest.mark.parametrize(
    "request_sent",
    [
        sent("POST", "/services/create"),
        sent("POST", "/configs/create"),
        sent("DELETE", "/services/abc"),
        sent("DELETE", "/configs/abc"),
        sent("GET", "/nodes"),
        sent("GET", "/tasks/abc/logs", stdout="1"),
    ],
)
def test_only_swarm_asks_for_jobs(request_sent: Request) -> None:
    assert list(strays([request_sent], "swarm", None)) == []
    for verb in ("sweep", "plan"):
        assert list(strays([request_sent], verb, None)) != []
    assert list(strays([sent("DELETE", "/volumes/abc", force="0")], "swarm", None)) != []
    assert list(strays([sent("GET", "/containers/json")], "swarm", None)) != []


def test_an_image_that_is_to_lose_a_tag_may_not_go_by_its_id() -> None:
    rows = [row("image", "x", action="untag", name="app:1")]
    assert list(strays([sent("DELETE", "/images/x", noprune="1", force="0")], "sweep", rows))


def test_two_names_of_one_object_are_one_removal() -> None:
    by_both = [sent("DELETE", "/networks/abc"), sent("DELETE", "/networks/net")]
    assert list(strays(by_both, "sweep", [row("network", "abc", name="net")]))


def test_every_run_is_recorded_and_what_is_not_planned_is_told(engine: Engine, litter: Litter) -> None:
    everything(litter)
    with engine.recorder.recording() as recording:
        assert dockersweep("sweep", "--yes", "--older-than", "0s", host=engine.url).status == 0
    assert recorder_at(engine.url) is engine.recorder
    assert recording.of("DELETE")
    assert all(request.status is not None for request in recording.requests)
    assert list(strays(recording.requests, "plan", None))
    assert list(strays(recording.requests, "sweep", []))


def test_a_verb_that_reads_sends_nothing_else(filled: Filled) -> None:
    engine = filled.engine
    for words in (["scan"], ["plan"], ["report"], ["explain", "volume:shop_old"]):
        with engine.recorder.recording() as recording:
            assert dockersweep(*words, host=engine.url).status == 0
        assert recording.requests
        assert recording.of("DELETE", "POST", "PUT", "HEAD") == []


def test_the_recorder_outlives_a_restart_of_its_engine_and_is_silent_without_it(engine: Engine) -> None:
    url = engine.url
    engine.kill()
    down = dockersweep("scan", host=url)
    assert (down.status, down.stderr.count("\n")) == (5, 1)
    assert "nothing listens on that socket" in down.stderr
    engine.start()
    assert engine.url == url
    assert dockersweep("scan", host=url).status == 0
