"""One engine, littered and used at random, swept by two at once, and disturbed: what is lost, and what is left over."""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import EngineKind
from tests.rig.recorder import BreakOffError, Recording, Request
from tests.rig.running import dockersweep
from tests.rig.soaking import memory
from tests.rig.soaking.sweepers import Sweeper, Told
from tests.rig.soaking.truth import Truth
from tests.rig.soaking.users import POLICY, Users
from tests.rig.soaking.watchers import WATCH, Watching
from tests.rig.traffic import strays

_BETWEEN_CHECKS = 10
_MEAN_SECONDS_BETWEEN_KILLS = 90.0


@dataclass
class Soaked:
    """What a soak ends with."""

    engine: str
    seconds: float = 0.0
    figures: dict[str, object] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.engine}: {self.seconds:.0f} s, {len(self.problems)} problems"]
        lines += [f"    {name}: {value}" for name, value in self.figures.items()]
        return "\n".join([*lines, *(f"    PROBLEM {problem}" for problem in self.problems)])


def soak(
    kind: EngineKind,
    seconds: float,
    seed: int,
    tell: Callable[[str], None],
    disturbs: bool = True,
    watches: bool = False,
) -> Soaked:
    """Soak an engine of its own for that long; `tell` is given a line a minute. `watches` is whether a watcher sweeps,
    in place of two who do not know of each other."""
    # The process that forks all sweepers stays, and is nothing that is left over.
    dockersweep("--version")
    result, before = Soaked(str(kind)), left_over()
    try:
        with Engine(kind) as engine:
            _soak(engine, seconds, seed, tell, result, disturbs, watches)
    finally:
        now = left_over()
        left = {name: now[name] - before[name] for name in before}
        result.figures["left over"] = left
        result.problems += [f"left over: {count} {name}" for name, count in left.items() if count > 0]
    return result


def _soak(
    engine: Engine,
    seconds: float,
    seed: int,
    tell: Callable[[str], None],
    result: Soaked,
    disturbs: bool,
    watches: bool,
) -> None:
    state, policy = engine.run_directory / "state", engine.run_directory / "policy.toml"
    policy.write_text(POLICY + WATCH if watches else POLICY)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DOCKER", "CONTAINER"))}
    environment["DOCKERSWEEP_STATE_DIR"] = environment["DOCKERSWEEP_LOCK_DIR"] = str(state)
    truth, told, began = Truth(engine.wire), Told(), time.monotonic()
    users = Users(engine, truth, f"{seed} users")
    with engine.recorder.recording() as recording, _disturbed(recording, seed, disturbs) as disturbances:
        users.begin()
        flags, log = ("--policy", str(policy)), engine.run_directory / "watch.log"
        sweepers: list[Sweeper | Watching] = [
            Sweeper(engine.url, flags, environment, f"{seed} sweeper {number}", told, disturbs) for number in (1, 2)
        ]
        if watches:
            sweepers = [Watching(engine.url, flags, environment, f"{seed} watcher", told, disturbs, log)]
        try:
            for sweeper in sweepers:
                sweeper.start()
            kills = _use_for(seconds, engine, users, truth, recording, seed if disturbs else None, tell)
        finally:
            for sweeper in sweepers:
                sweeper.stop()
        recording.before, recording.swallows = (lambda request: None), (lambda request: False)
        truth.check(recording.requests)
        folder = str(state)
        last = dockersweep(
            "sweep", "--yes", *flags, host=engine.url, DOCKERSWEEP_STATE_DIR=folder, DOCKERSWEEP_LOCK_DIR=folder
        )
        if last.status != 0:
            result.problems.append(f"the last sweep ended with {last.status}: {last.stderr}")
        truth.check(recording.requests)
        traffic = list(recording.requests)
    result.seconds = time.monotonic() - began
    _sum_up(result, traffic, truth, told, users, state)
    result.figures |= {"engine killed": kills, "disturbances": dict(disturbances)}
    for sweeper in sweepers:
        if isinstance(sweeper, Watching):
            result.figures["most memory of a watcher"] = f"{sweeper.most_bytes / 1e6:.0f} MB"


def _use_for(
    seconds: float,
    engine: Engine,
    users: Users,
    truth: Truth,
    recording: Recording,
    seed: int | None,
    tell: Callable[[str], None],
) -> int:
    """Use the engine until the time is up, and kill and restart it now and then; return how often."""
    chance = random.Random(f"{seed} kills")
    until = time.monotonic() + seconds
    next_line, next_kill, kills = time.monotonic() + 60, time.monotonic() + _MEAN_SECONDS_BETWEEN_KILLS / 2, 0
    while time.monotonic() < until:
        users.go_on()
        if sum(users.done.values()) % _BETWEEN_CHECKS == 0:
            truth.check(recording.requests)
        if seed is not None and time.monotonic() > next_kill:
            next_kill = time.monotonic() + chance.uniform(0.5, 1.5) * _MEAN_SECONDS_BETWEEN_KILLS
            kills += 1
            users.engine_ended()
            _kill(engine)
            time.sleep(chance.uniform(0.0, 2.0))
            engine.start()
        if time.monotonic() > next_line:
            next_line += 60
            gone = sum(1 for _ in memory.carried_out(list(recording.requests)))
            tell(f"{engine.kind}: {sum(users.done.values())} things done, {gone} removed, {len(truth.losses)} losses")
    return kills


def _kill(engine: Engine) -> None:
    """End an engine that is in the middle of something: cgroups may vanish while the rig goes through them."""
    for _ in range(10):
        with contextlib.suppress(FileNotFoundError):
            engine.kill()
            return


@contextmanager
def _disturbed(recording: Recording, seed: int, disturbs: bool) -> Iterator[Counter[str]]:
    """Now and then a request is broken off, its answer swallowed, or both come late."""
    chance, lock, done = random.Random(f"{seed} disturbances"), threading.Lock(), Counter[str]()

    def happens(what: str, probability: float) -> bool:
        with lock:
            if not disturbs or chance.random() >= probability:
                return False
            done[what] += 1
            return True

    def before(request: Request) -> None:
        if happens("late", 0.004):
            time.sleep(1.0)
        if happens("broken off", 0.002):
            raise BreakOffError

    recording.before = before
    recording.swallows = lambda request: happens("swallowed", 0.002 if request.method == "GET" else 0.02)
    yield done


def _sum_up(result: Soaked, traffic: list[Request], truth: Truth, told: Told, users: Users, state: Path) -> None:
    windows = [loss for loss in truth.losses if loss.window is not None]
    removed = Counter(named[0] for _, named in memory.carried_out(traffic))
    written = memory.rows(state)
    result.figures |= {
        "done": dict(users.done),
        "came too late for": dict(users.refused),
        "removed": dict(removed),
        "sweeps by exit status": dict(told.runs),
        "rows in the ledger": len(written),
        "looks for what must be there": truth.checked,
        "lost in a window that no engine closes": [str(loss) for loss in windows],
        "state folder": sorted(path.name for path in state.iterdir()),
    }
    result.problems += [str(loss) for loss in truth.losses if loss.window is None]
    result.problems += told.problems
    result.problems += memory.faults(traffic, written, told.killed)
    own = [request for request in traffic if request.pid != os.getpid()]
    result.problems += strays(own, "sweep", None)


def left_over() -> dict[str, int]:
    """What of ours is there now: children, file handles, threads, folders of engines."""
    own = str(os.getpid())
    children = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            children += (folder / "stat").read_text().rpartition(")")[2].split()[1] == own
        except OSError:
            continue
    return {
        "processes": children,
        "file handles": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
    }
