"""The loop of a watcher, a round at a time, without an engine."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from msgspec.structs import replace

from dockersweep.commands.options import WatchOptions, options_of
from dockersweep.commands.watching.recording import Recorder
from dockersweep.commands.watching.watcher import Watcher
from dockersweep.model.inventory import Engine
from dockersweep.model.watching import EventState, WatchState
from dockersweep.parser import parse
from tests.rig.inventories import ENGINE


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    options = options_of(parse(["watch", "--log-format", "json"]))
    assert isinstance(options, WatchOptions)
    watcher = Watcher(options, "unix:///run/none.sock")
    yield watcher
    watcher.wakeup.close()


def play(monkeypatch: pytest.MonkeyPatch, engine: Engine | None) -> None:
    """Have events come from an engine; None is one that has not told yet which it is."""
    monkeypatch.setattr(Recorder, "state", EventState(is_connected=True))
    monkeypatch.setattr(Recorder, "engine_there", engine)


def test_a_sweep_that_has_ended_is_published_with_how_it_ended(watcher: Watcher) -> None:
    published: list[WatchState] = []
    watcher.on_sweep = lambda: published.append(watcher.state())
    # Of one whose process could not be started.
    watcher._sweeps.sweeping = "space"
    assert watcher._round() is None
    [state] = published
    assert state.sweeping is None
    assert state.last_sweep is not None
    assert state.sweeps == {("space", 1): 1}


def test_an_engine_that_takes_the_place_of_another_has_a_schedule_of_its_own(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dockersweep.commands.watching.sweeps.Sweeps.look", lambda sweeps, policy: None)
    play(monkeypatch, None)
    watcher._round()
    assert "engine-there" not in capfd.readouterr().err
    for name in ("first", "second", "second"):
        play(monkeypatch, replace(ENGINE, id=name, name=name))
        watcher._round()
    there = [line for line in capfd.readouterr().err.splitlines() if "engine-there" in line]
    assert [name for line in there for name in ("(first)", "(second)") if name in line] == ["(first)", "(second)"]
    next_at = watcher.state().next_sweep_at
    assert next_at is not None
    assert next_at - watcher.state().started_at < timedelta(days=2)
