"""What changes between the plan and its removal is not removed: on every engine, with the change made just in time.

`tests/rig/races/` says what can happen. The newest engine of each flavour meets all of it, each other one a third, at
one moment of a sweep; with `--every-engine` or `--race-table` all of them meet all, and the latter prints what became
of each.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import KINDS, NEWEST, EngineKind, is_its_share
from tests.rig.engines.litter import Litter
from tests.rig.races import RACES
from tests.rig.races.race import MOMENTS, Moment, Race, Scene
from tests.rig.recorder import Request
from tests.rig.running import Run, dockersweep
from tests.rig.traffic import names_of, removals

ALL = ("--older-than", "0s")
# A scan lists the build cache, and beside the engine reads what it needs of stopped containers in its files; everything
# else is asked for by itself only just before it goes.
_LOOKS_OF_A_SCAN = {"build-cache": 1}


def looks_at(request: Request, race: Race, scene: Scene) -> bool:
    """Whether a request reads the object again."""
    if request.method != "GET":
        return False
    if race.kind == "build-cache":
        return request.path == "/system/df" and request.params.get("type", "build-cache") == "build-cache"
    ending = "/json" if race.kind in ("container", "image") else ""
    names = {scene.untags or scene.id, scene.named}
    return request.path in {f"/{race.kind}s/{name}{ending}" for name in names}


def asks_for(request: Request, race: Race, scene: Scene) -> bool:
    """Whether a request asks to remove the object."""
    action = "untag" if scene.untags else "remove"
    row = {"kind": race.kind, "id": scene.id, "name": scene.untags or scene.named, "action": action}
    return bool(set(removals(request)) & names_of(row))


class Barrier:
    """Makes the change of a scene, once, when the moment has come."""

    def __init__(self, race: Race, scene: Scene, moment: Moment) -> None:
        self.fallen = False
        self._race, self._scene, self._moment = race, scene, moment
        self._looks_to_come = _LOOKS_OF_A_SCAN.get(race.kind, 0)

    def __call__(self, request: Request) -> None:
        if not self.fallen and self._is_time(request):
            self.fallen = True
            self._scene.change()

    def _is_time(self, request: Request) -> bool:
        if self._moment == "window":
            return asks_for(request, self._race, self._scene)
        if not looks_at(request, self._race, self._scene):
            return False
        self._looks_to_come -= 1
        return self._looks_to_come < 0


def carried_out(engine: Engine, race: Race, scene: Scene, moment: Moment, folder: Path) -> Run:
    """Remove what the plan of a scene names, and change it meanwhile."""
    flags = ("--kind", race.kind, *ALL, *scene.flags)
    if moment == "saved":
        plan = folder / "plan.json"
        assert dockersweep("plan", "--format", "json", "-o", str(plan), *flags, host=engine.url).status == 0
        scene.change()
        return dockersweep("apply", "--yes", "--format", "json", str(plan), host=engine.url)
    barrier = Barrier(race, scene, moment)
    with engine.recorder.recording() as recording:
        recording.before = barrier
        run = dockersweep("sweep", "--yes", "--format", "json", *flags, host=engine.url)
    assert barrier.fallen, "the moment never came:\n" + "\n".join(map(str, recording.requests))
    return run


def outcome(run: Run, scene: Scene) -> tuple[str, str]:
    """The status and the detail of the row that a scene is about."""
    rows = [one for one in run.json()["outcomes"] if one["id"] == scene.id]
    meant = [one for one in rows if (one["name"] if one["action"] == "untag" else None) == scene.untags]
    assert len(meant) == 1, (rows, run.stderr)
    return meant[0]["status"], meant[0]["detail"] or ""


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("race", RACES, ids=str)
def test_race(
    engine: Engine,
    litter: Litter,
    race: Race,
    moment: Moment,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    pytestconfig: pytest.Config,
) -> None:
    if moment == "saved" and KINDS.index(engine.kind) != RACES.index(race) % len(KINDS):
        # `apply` judges anew by the same code on every engine: each race is run against it on one of them.
        pytest.skip("on another engine")
    if moment != "saved" and not is_whole(pytestconfig) and not falls_to(engine.kind, race, moment):
        pytest.skip("on other engines; on this one with --every-engine")
    scene = race.scene(engine, litter)
    try:
        run = carried_out(engine, race, scene, moment, tmp_path)
        status, detail = outcome(run, scene)
        record_property("race", f"{race}|{moment}|{engine.kind}|{status}")
        there = scene.there() if scene.there else None
    finally:
        if race.kind == "build-cache":
            scene.whole()
    assert status == race.expected(moment, engine.kind), detail
    # What the engine took along is told, and ends the run.
    assert run.status == (3 if status == "failed" or detail.endswith(" with it") else 0), (detail, run.stderr)
    assert there in (None, status == "skipped"), (status, detail)
    if not is_open(race, moment, engine, status):
        scene.whole()


def is_whole(config: pytest.Config) -> bool:
    """Whether every engine meets every race: the removal is the same code, and looks at what engines answer."""
    return bool(config.getoption("--every-engine") or config.getoption("--race-table"))


def falls_to(kind: EngineKind, race: Race, moment: Moment) -> bool:
    """Whether an engine meets a race at a moment of a sweep in every run: the newest at each, the others at one."""
    number = RACES.index(race)
    return kind.name in NEWEST or (is_its_share(kind, number) and moment == ("look", "window")[number // 3 % 2])


def is_open(race: Race, moment: Moment, engine: Engine, status: str) -> bool:
    """Whether this is a window that no engine closes, so that something may be lost."""
    return moment == "window" and race.open is not None and status in ("removed", "failed")


def test_a_volume_that_is_gone_does_not_take_one_of_a_longer_name_along(engine: Engine, litter: Litter) -> None:
    litter.volume("data")

    def new_neighbour(request: Request) -> None:
        if request.path == "/volumes/data" and request.method == "DELETE":
            engine.api.remove_volume("data")
        if request.path == "/volumes/data" and request.method == "GET":
            litter.volume("data2")

    with engine.recorder.recording() as recording:
        recording.before = new_neighbour
        flags = ("--yes", "--named-volumes", "--kind", "volume", "--format", "json", *ALL)
        run = dockersweep("sweep", *flags, host=engine.url)
    assert run.json()["outcomes"][0]["status"] in ("gone", "skipped")
    assert "data2" in engine.docker("volume", "ls", "-q").stdout.split()


@pytest.mark.enough_on(*NEWEST)
def test_what_a_changed_object_says_for_itself(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    details = {}
    for what in ("container is started", "container runs again and exits", "container is renamed"):
        race = next(race for race in RACES if str(race) == what)
        engine.wipe()
        scene = race.scene(engine, litter)
        details[what] = outcome(carried_out(engine, race, scene, "look", tmp_path), scene)[1]
    assert "changed since it was judged: state was created" in details["container is started"]
    assert "finished was" in details["container runs again and exits"]
    assert "name was web, is precious" in details["container is renamed"]
