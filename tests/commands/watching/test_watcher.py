"""The loop of a watcher, a round at a time, without an engine."""

import json
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

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
    watcher = watcher_by()
    yield watcher
    watcher.wakeup.close()


def watcher_by(*flags: str) -> Watcher:
    options = options_of(parse(["watch", "--log-format", "json", *flags]))
    assert isinstance(options, WatchOptions)
    return Watcher(options, "unix:///run/none.sock")


def texts(capfd: pytest.CaptureFixture[str]) -> list[str]:
    return [json.loads(line)["text"] for line in capfd.readouterr().err.splitlines()]


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


RULE = '[[rule]]\nname = "a"\nkind = "container"\nremove.older_than = "1h"\n'
TARGET = '[target]\nstart_above = "80%"\n'


@pytest.mark.parametrize(
    ("policy", "does"),
    [
        (TARGET, "target: starts when a disk is over 80% full, stops at 80%; rules: none"),
        (RULE, "no target; rules: daily 04:00, up to 1 hour later"),
        (f'{RULE}[watch]\nsweep = "every 6h"\nsplay = "0s"\n', "no target; rules: every 6h"),
        (f'{RULE}[watch]\nsweep = "never"\n', "no target; rules: never"),
    ],
)
def test_what_it_does_is_told(policy: str, does: str, tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(f"version = 1\n{policy}")
    watcher = watcher_by("--policy", str(path))
    watcher.wakeup.close()
    assert "; ".join(watcher._what_it_does()) == does


def test_each_sighup_is_answered(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "p.toml"
    path.write_text(f"version = 1\n{RULE}")
    watcher = watcher_by("--policy", str(path))
    for text, answer in ((RULE, "; nothing in it changed; "), ("x = 1\n", "the policy is refused: ")):
        path.write_text(f"version = 1\n{text}")
        for _ in range(2):
            watcher.on_signal(signal.SIGHUP)
            watcher._round()
            assert [answer in told for told in texts(capfd) if "[target]" not in told] == [True]
    watcher.wakeup.close()


def test_a_watcher_without_a_target_says_that_it_does_not_watch_space(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.toml"
    for policy, is_told in ((RULE, True), (TARGET, False)):
        path.write_text(f"version = 1\n{policy}")
        watcher = watcher_by("--policy", str(path))
        watcher._tell_of_policy()
        watcher.wakeup.close()
        assert any("so space is not watched" in told for told in texts(capfd)) is is_told


def test_why_nobody_can_be_told_is_said_at_the_start_and_where_it_changes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, program = tmp_path / "p.toml", tmp_path / "program"
    path.write_text(f'version = 1\n{TARGET}[notify]\ncommand = ["{program}"]\n')
    watcher = watcher_by("--policy", str(path))
    watcher._tell_of_policy()
    assert texts(capfd) == [f"notify: {program} does not exist"]
    watcher._sweeps.sweeping = "space"
    watcher._round()
    assert not [told for told in texts(capfd) if "notify" in told]
    program.touch()
    watcher._sweeps.sweeping = "space"
    watcher._round()
    assert [told for told in texts(capfd) if f"notify: {program} cannot be executed" in told]
    watcher.on_signal(signal.SIGHUP)
    watcher._round()
    assert [told for told in texts(capfd) if f"notify: {program} cannot be executed" in told]
    watcher.wakeup.close()


def test_ages_as_of_another_time_are_told_of(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKERSWEEP_NOW", "2026-12-31T00:00:00Z")
    watcher.on_signal(signal.SIGTERM)
    assert watcher.run() == signal.SIGTERM
    assert [told for told in texts(capfd) if "DOCKERSWEEP_NOW" in told and "ages are as of 2026-12-31" in told]
