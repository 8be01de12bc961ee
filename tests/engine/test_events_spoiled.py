"""Events that cannot be had leave a warning, and everything else as it is."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dockersweep.commands.gather import open_engine, survey_of
from dockersweep.ledger import Ledger
from dockersweep.units import parse_instant
from tests.rig.engine_options import engine_options
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.fake_engine import Handler, Reply, fake_engine, reply
from tests.rig.faults import READING_FAULTS, Fault
from tests.rig.faulty_proxy import Strike, faulty
from tests.rig.running import dockersweep

INFO = {"ID": "FAKE", "Name": "box", "Driver": "overlay2", "DockerRootDir": "/d"}
OF_ONE_DOCUMENT = ("missing key", "wrong type")
"""Faults that are made of one JSON document, which events are not."""


def plan(url: str, *flags: str) -> Any:
    run = dockersweep("plan", "--format", "json", *flags, host=url)
    assert run.status == 0, run.stderr
    return run.json()


def verdicts(document: Any) -> list[tuple[str, str, str]]:
    return sorted((one["kind"], one["id"], one["verdict"]) for one in document["decisions"])


@pytest.mark.on_engines("docker-28.5", "podman-5.8")
def test_whatever_goes_wrong_with_them_the_plan_is_the_same(engine: Engine, litter: Litter) -> None:
    litter.volume()
    litter.container("stopped")
    with faulty(engine.recorder.path) as proxy:
        right = plan(proxy.url)
        assert [one for one in right["warnings"] if one["about"] == "events"] == []
        for fault in READING_FAULTS:
            if not fault.gone_seconds and fault.name not in OF_ONE_DOCUMENT:
                proxy.begin(Strike(fault, "GET", "/events"))
                document = plan(proxy.url, "--engine-timeout", "2s")
                assert fault in proxy.struck
                told = [one["about"] for one in document["warnings"] if one["about"] == "events"]
                assert len(told) == _warnings(fault), (fault.name, document["warnings"])
                assert verdicts(document) == verdicts(right)


def _warnings(fault: Fault) -> int:
    """What changes nothing is asked for again where no answer came."""
    return 0 if fault.name in ("closed, not heard", "closed, done") else 1


def forbidden(_: Handler) -> Reply:
    return reply({"message": "events are not allowed"}, 403)


def test_a_proxy_that_refuses_is_told_once_and_nothing_is_watched() -> None:
    with fake_engine(events=forbidden) as engine:
        for _ in range(2):
            scan = dockersweep("scan", "--format", "json", host=engine.url).json()
            told = [(one["about"], one["text"]) for one in scan["warnings"]]
            [(about, text)] = told
            assert about == "events"
            assert "answered GET /events with 403: events are not allowed; what was used between two scans" in text
            assert scan["watched"] == []


@pytest.mark.parametrize(
    "line",
    [
        b"7",
        b'{"Type": 7}',
        b'{"timeNano": "now"}',
        b'{"timeNano": -99999999999999999999999}',
        b'{"Actor": {"Attributes": {"name": 7}}}',
    ],
)
def test_events_of_another_shape_are_told_as_such(line: bytes) -> None:
    whole = b'{"Type": "volume", "Action": "mount", "timeNano": 1}'
    with fake_engine(events=(200, b"\n".join((whole, line, whole)))) as engine:
        scan = dockersweep("scan", "--format", "json", host=engine.url).json()
    [warning] = scan["warnings"]
    assert "answered GET /events with something else than was asked" in warning["text"]


def test_without_a_ledger_nothing_is_asked() -> None:
    with fake_engine(events=forbidden) as engine:
        scan = dockersweep("scan", "--no-ledger", "--format", "json", host=engine.url).json()
        assert (scan["warnings"], scan["watched"]) == ([], None)
        assert ("GET", "/events") not in engine.asked


@pytest.mark.parametrize("engine_time", ["2020-05-05T10:00:00.123456789Z", "2033-05-05T10:00:00.123456789+02:00"])
def test_they_are_asked_for_up_to_the_engines_own_time_so_that_it_need_not_wait(engine_time: str) -> None:
    asked: list[dict[str, list[str]]] = []

    def events(handler: Handler) -> Reply:
        asked.append(parse_qs(urlsplit(handler.path).query))
        return 200, b""

    with fake_engine(events=events, info=reply({**INFO, "SystemTime": engine_time})) as engine:
        assert dockersweep("scan", host=engine.url).status == 0
    clock = parse_instant(engine_time)
    assert clock is not None
    [[until]] = [one["until"] for one in asked]
    assert 0 <= float(until) - clock.timestamp() < 60


def test_each_scan_asks_up_to_its_own_begin_however_long_ago_the_engine_told_its_time(tmp_path: Path) -> None:
    asked: list[float] = []

    def events(handler: Handler) -> Reply:
        asked.append(float(parse_qs(urlsplit(handler.path).query)["until"][0]))
        return 200, b""

    told = "2026-11-24T12:00:00Z"
    with fake_engine(events=events, info=reply({**INFO, "SystemTime": told})) as engine, Ledger(tmp_path) as ledger:
        options = engine_options(engine.url)
        with open_engine(options, 0) as client:
            for hours in (0, 1):
                client._clock_set_at -= 3600 * hours
                survey_of(client, options, ledger)
    clock = parse_instant(told)
    assert clock is not None
    assert [int(until - clock.timestamp()) // 3600 for until in asked] == [0, 1]
