"""An engine that fails, breaks off or goes away during a sweep: every removal has an outcome, and it is true."""

import time
from typing import Any

import pytest

from dockersweep.engine.removing.executor import WORKERS
from tests.rig.fake_containers import details, stopped, with_containers
from tests.rig.fake_engine import EMPTY, FakeEngine, Handler, Reply, break_off, fake_engine, reply
from tests.rig.running import dockersweep

pytestmark = pytest.mark.programs


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
    assert statuses.count("failed") <= WORKERS
    assert "closed the connection without an answer" in run.json()["ended_early"]
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


def without_a_length(handler: Handler) -> Reply | None:
    handler.wfile.write(b"HTTP/1.0 500 Oops\r\nContent-Type: text/plain\r\n\r\nit broke, says the proxy")
    return None


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    with fake_engine() as engine:
        assert sweep_of(engine, without_a_length) == (3, "failed", "it broke, says the proxy")


def test_podman_s_500s_are_in_use() -> None:
    podman = reply({"Version": "5.8", "ApiVersion": "1.44", "Components": [{"Name": "Podman Engine"}]})
    with fake_engine(version=podman) as engine:
        told = sweep_of(engine, reply({"cause": "x", "message": "container a is running", "response": 500}, 500))
        scanned = dockersweep("scan", "--format", "json", "--no-ledger", host=engine.url).json()
    assert told == (0, "skipped", "in use: container a is running")
    assert scanned["engine"]["id"] is None
    assert scanned["engine"]["flavour"] == "podman"
