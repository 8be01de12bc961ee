"""What an engine's files tell of its containers is what an inspect tells; where they may not, it is inspected."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import to_builtins

from dockersweep.engine.disk.container_records import read_docker_records
from dockersweep.engine.reading import scanner
from dockersweep.model.inventory import Inventory
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import CannotDo
from tests.rig.engines.litter import Litter, State
from tests.rig.own_scan import scanned_by_us

_STATES: tuple[State, ...] = ("created", "exited", "running", "paused", "restarting", "dead")
_TRIES = 5
_ODD_NAME = "x" * 100 + ".-_0"


def scanned(engine: Engine, for_report: bool = False) -> tuple[Inventory, set[str]]:
    """Scan an engine; return what is there, and the ids of the containers that were inspected."""
    with engine.recorder.recording() as recorder:
        inventory = scanned_by_us(engine, for_report)
    paths = [request.path.split("/") for request in recorder.requests]
    return inventory, {path[2] for path in paths if path[1] == "containers" and path[-2:] != ["containers", "json"]}


def inspected(engine: Engine, monkeypatch: pytest.MonkeyPatch, for_report: bool = False) -> Inventory:
    """Scan an engine without a look at its files of containers."""
    with monkeypatch.context() as patch:
        patch.setattr(scanner, "recorded_in_time", lambda *_: {})
        inventory, asked = scanned(engine, for_report)
    assert {one.id for one in inventory.containers if for_report or one.state == "exited"} <= asked
    return inventory


def by_id(inventory: Inventory) -> dict[str, dict[str, object]]:
    """Containers by id, field by field; engines tell mounts in any order."""
    told = {one.id: to_builtins(one) for one in inventory.containers}
    return {key: one | {"mounts": sorted(map(str, one["mounts"]))} for key, one in told.items()}


def differing(told: Inventory, other: Inventory) -> list[tuple[str, str, object, object]]:
    """What differs: the container, the field, and both values."""
    one, two = by_id(told), by_id(other)
    assert one.keys() == two.keys()
    return [
        (key, name, one[key][name], two[key][name])
        for key in one
        for name in one[key]
        if one[key][name] != two[key][name]
    ]


def in_every_state(litter: Litter) -> None:
    """Containers of every state and policy, that hold something of each kind."""
    litter.network("wide")
    volume = litter.volume("data", size=1000)
    for state in _STATES:
        try:
            litter.container(state, state=state, volumes={volume: "/data"}, anonymous_volumes=["/more"])
        except CannotDo:
            continue
    litter.container(_ODD_NAME, exit_code=137, labels={"a": 'b"\\\n'}, networks=["wide"], binds=["/tmp:/host"])
    for number, restart in enumerate(("always", "unless-stopped", "on-failure:5", "on-failure")):
        litter.container(f"restart-{number}", state="created", restart=restart)
    litter.container("retried", restart="on-failure:2")
    litter.container("joins", state="created", networks=[f"container:{litter.container('joined')}"])
    litter.container("of-host", state="created", networks=["host"])


@pytest.mark.enough_on("docker-20.10", "docker-28.5-containerd", "podman-5.8", "podman-6.1")
def test_both_ways_tell_the_same(litter: Litter, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = litter.engine
    in_every_state(litter)
    other = inspected(engine, monkeypatch, for_report=True)
    for _ in range(_TRIES):
        before = other
        told, asked = scanned(engine, for_report=True)
        other = inspected(engine, monkeypatch, for_report=True)
        # Those that restart may have done so meanwhile.
        if differing(before, other) == []:
            break
    assert differing(told, other) == []
    names = {one.id: one.name for one in told.containers}
    # Docker has thrown half of a dead one away.
    assert {names[one] for one in asked} <= {"dead"}
    running = {one.name for one in told.containers if one.state in ("running", "paused", "restarting")}
    assert running
    _, asked = scanned(engine)
    assert not {names[one] for one in asked} & running


@pytest.mark.on_engines("podman-5.8", "podman-6.1")
def test_podman_is_not_asked_for_its_run_root_either(engine: Engine) -> None:
    with engine.recorder.recording() as recorder:
        scanned_by_us(engine, True)
    assert "/libpod/info" not in {request.path for request in recorder.requests}


def _config(folder: Path) -> Path:
    return folder / "config.v2.json"


def _changed(change: Callable[[Any], object]) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        told = json.loads(_config(folder).read_text())
        change(told)
        _config(folder).write_text(json.dumps(told))

    return write


def _linked(folder: Path) -> None:
    _config(folder).rename(folder / "elsewhere")
    _config(folder).symlink_to("elsewhere")


def _a_folder(folder: Path) -> None:
    _config(folder).unlink()
    _config(folder).mkdir()


def _huge(folder: Path) -> None:
    with _config(folder).open("r+b") as file:
        file.truncate(1 << 40)


SPOILED: dict[str, Callable[[Path], object]] = {
    "missing": lambda folder: _config(folder).unlink(),
    "empty": lambda folder: _config(folder).write_bytes(b""),
    "half written": lambda folder: _config(folder).write_bytes(_config(folder).read_bytes()[:200]),
    "no text": lambda folder: _config(folder).write_bytes(b'{"ID": "\xff\xfe"}'),
    "deep": lambda folder: _config(folder).write_bytes(b'{"ID":' + b"[" * 100_000),
    "a link": _linked,
    "huge": _huge,
    "a folder": _a_folder,
    "no host configuration": lambda folder: (folder / "hostconfig.json").unlink(),
    "spoiled host configuration": lambda folder: (folder / "hostconfig.json").write_text("{"),
    "of another": _changed(lambda told: told.update(ID="0" * 64)),
    "with another name": _changed(lambda told: told.update(Name="/other")),
    "made at another time": _changed(lambda told: told.update(Created="2026-01-01T00:00:00Z")),
    "without a state": _changed(lambda told: told.pop("State")),
    "running": _changed(lambda told: told["State"].update(Running=True)),
    "dead": _changed(lambda told: told["State"].update(Dead=True)),
    "never started": _changed(lambda told: told["State"].update(StartedAt="0001-01-01T00:00:00Z")),
    "ended at another time": _changed(lambda told: told["State"].update(FinishedAt="2026-01-02T00:00:00Z")),
    "ended in the future": _changed(lambda told: told["State"].update(FinishedAt="2099-01-02T00:00:00Z")),
    "not ended": _changed(lambda told: told["State"].update(FinishedAt="0001-01-01T00:00:00Z")),
    "ended otherwise": _changed(lambda told: told["State"].update(ExitCode=7)),
}


@contextmanager
def spoiled(folder: Path, spoil: Callable[[Path], object]) -> Iterator[None]:
    """The files of a container, spoiled for a while: the engine has its own in memory."""
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    try:
        spoil(folder)
        yield
    finally:
        shutil.rmtree(folder)
        kept.rename(folder)


@pytest.mark.on_engines("docker-28.5")
def test_what_is_spoiled_or_of_another_is_inspected(litter: Litter) -> None:
    engine = litter.engine
    litter.container("whole", exit_code=3)
    made = litter.container("spoiled", exit_code=3)
    before, asked = scanned(engine)
    assert asked == set()
    for how, spoil in SPOILED.items():
        with spoiled(engine.data_root / "containers" / made, spoil):
            told, asked = scanned(engine)
        assert asked == {made}, how
        assert differing(told, before) == [], how


@pytest.mark.on_engines("docker-28.5")
def test_without_the_engines_own_folder_each_is_inspected(litter: Litter) -> None:
    engine = litter.engine
    made = litter.container("one")
    mark = engine.data_root / "engine-id"
    told = mark.read_text()
    mark.write_text("another engine")
    try:
        assert scanned(engine)[1] == {made}
    finally:
        mark.write_text(told)
    assert scanned(engine)[1] == set()


@pytest.mark.on_engines("docker-28.5", "podman-6.1")
def test_what_changes_without_a_new_state_is_seen_at_once(litter: Litter) -> None:
    """Nothing of it is remembered: a stopped container can be told to restart, or run again and end alike."""
    engine = litter.engine
    made = litter.container("one")
    first = by_id(scanned(engine)[0])[made]
    litter.start(made)
    litter.wait(made)
    engine.wire.call("POST", f"/containers/{made}/update", {"RestartPolicy": {"Name": "always"}})
    told, asked = scanned(engine)
    second = by_id(told)[made]
    assert asked == set()
    assert (first["restart_policy"], second["restart_policy"]) == ("no", "always")
    assert str(first["finished_at"]) < str(second["finished_at"])


def test_an_id_that_no_file_can_have_has_no_record(tmp_path: Path) -> None:
    (tmp_path / "containers" / "a").mkdir(parents=True)
    for name in ("config.v2.json", "hostconfig.json"):
        (tmp_path / "containers" / "a" / name).write_text("{}")
    assert read_docker_records(tmp_path, ["a", "\0"]).keys() == {"a"}
