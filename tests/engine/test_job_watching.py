"""What a job is waited for, and what is told of nodes that bring no document: with scripted managers and a clock."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from dockersweep.engine.api.swarm_jobs import JobSpec, OwnObject
from dockersweep.engine.jobs import watching
from dockersweep.engine.jobs.frames import framed
from dockersweep.engine.jobs.leftovers import remove_leftovers, remove_run
from dockersweep.engine.jobs.watching import JobLimits, NodeAnswer, Watch
from dockersweep.errors import EngineError, EngineLostError, EngineTimeoutError
from dockersweep.model.swarm import JobTask, SwarmNode
from dockersweep.units import parse_instant

RUN = "0123456789abcdef"
LIMITS = JobLimits(timeout_seconds=600, engine_seconds=60)
DOCUMENT = "".join(framed(b"a document", RUN)).encode()


def node(number: int, **more: str) -> SwarmNode:
    made = SwarmNode(
        id=f"node{number}",
        hostname="vm",
        address=None,
        role="worker",
        availability="active",
        state="ready",
        state_message="",
        labels={},
        engine_labels={},
        os="linux",
        architecture="x86_64",
    )
    return replace(made, **more)


def task(number: int, state: str, error: str = "", exit_code: int | None = None, task_id: str = "") -> JobTask:
    created_at = f"2026-12-01T00:00:0{len(task_id)}Z"
    return JobTask(
        id=task_id or f"task{number}",
        node_id=f"node{number}",
        state=state,
        error=error,
        exit_code=exit_code,
        created_at=created_at,
    )


class Manager:
    """What a manager says at each time of asking; the last answer stays."""

    def __init__(
        self,
        tasks: list[list[JobTask] | Exception],
        nodes: list[list[SwarmNode]] | None = None,
        outputs: Mapping[str, list[tuple[bytes, bytes] | Exception]] | None = None,
    ) -> None:
        self._tasks, self._nodes, self._outputs = tasks, nodes or [[node(1), node(2)]], dict(outputs or {})
        self.asked: list[str] = []
        self.objects: dict[str, list[OwnObject]] = {"service": [], "config": []}

    def tasks(self, service_id: str) -> tuple[JobTask, ...]:
        told = self._tasks.pop(0) if len(self._tasks) > 1 else self._tasks[0]
        if isinstance(told, Exception):
            raise told
        return tuple(told)

    def nodes(self) -> tuple[SwarmNode, ...]:
        return tuple(self._nodes.pop(0) if len(self._nodes) > 1 else self._nodes[0])

    def task_output(self, task_id: str, timeout_seconds: float) -> tuple[bytes, bytes]:
        self.asked.append(task_id)
        told = self._outputs.get(task_id, [(DOCUMENT, b"")])
        output = told.pop(0) if len(told) > 1 else told[0]
        if isinstance(output, Exception):
            raise output
        return output

    def own_services(self) -> tuple[OwnObject, ...]:
        return tuple(self.objects["service"])

    def own_configs(self) -> tuple[OwnObject, ...]:
        return tuple(self.objects["config"])

    def create_config(self, name: str, content: bytes, labels: Mapping[str, str]) -> str:
        raise NotImplementedError

    def create_job(self, spec: JobSpec) -> str:
        raise NotImplementedError

    def remove_service(self, service_id: str) -> None:
        self.asked.append(f"service {service_id}")

    def remove_config(self, config_id: str) -> None:
        self.asked.append(f"config {config_id}")


class Clock:
    """Its time passes only where something sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(watching, "time", made)
    return made


def watched(manager: Manager, limits: JobLimits = LIMITS, count: int = 1) -> list[NodeAnswer]:
    nodes = [node(number + 1) for number in range(count)]
    return list(Watch(manager, "service", RUN, nodes, limits).wait(lambda done, total: None))


def problem_of(manager: Manager, limits: JobLimits = LIMITS) -> str | None:
    [answer] = watched(manager, limits)
    assert (answer.document is None) == (answer.problem is not None)
    return answer.problem


def test_each_node_brings_its_document() -> None:
    begun = [task(1, "running"), task(2, "preparing")]
    half = [task(1, "complete"), task(2, "running")]
    manager = Manager([[], begun, half, [task(1, "complete"), task(2, "complete")]])
    answers = watched(manager, count=2)
    assert [answer.node.id for answer in answers] == ["node1", "node2"]
    assert {answer.document for answer in answers} == {b"a document"}
    assert manager.asked == ["task1", "task2"]


def test_only_the_first_task_of_a_node_counts() -> None:
    """After a failure the swarm makes another one ready, which is not to run."""
    tasks = [task(1, "failed", exit_code=2), task(1, "ready", task_id="again")]
    manager = Manager([tasks], outputs={"task1": [(b"", b"x\nwhy\n")]})
    assert problem_of(manager) == "failed in its container with exit status 2: why"
    assert manager.asked == ["task1"]


@pytest.mark.parametrize(
    ("ended", "problem"),
    [
        (task(1, "rejected", "No such image: app:1"), "could not start the container: No such image: app:1"),
        (task(1, "failed", "killed", 137), "failed in its container with exit status 137: killed"),
        (task(1, "shutdown"), "lost its task to the swarm, which ended it"),
        (task(1, "complete"), "gave no valid answer: it did not come"),
    ],
)  # fmt: skip
def test_how_a_task_ends_is_told(ended: JobTask, problem: str) -> None:
    assert problem_of(Manager([[ended]], outputs={"task1": [(b"", b"")]})) == problem


def test_a_log_that_lags_behind_is_asked_for_again() -> None:
    cut = DOCUMENT[: len(DOCUMENT) // 2]
    manager = Manager([[task(1, "complete")]], outputs={"task1": [(b"", b""), (cut, b""), (DOCUMENT, b"")]})
    assert problem_of(manager) is None
    assert manager.asked == ["task1"] * 3
    manager = Manager([[task(1, "complete")]], outputs={"task1": [(cut, b"")]})
    assert problem_of(manager) == "gave no valid answer: it is cut off: 0 of 1 lines came"
    manager = Manager([[task(1, "complete")]], outputs={"task1": [EngineTimeoutError("late")]})
    assert problem_of(manager) == "gave no answer: it did not come within 30 seconds"


def test_a_node_that_goes_down_is_given_up(clock: Clock) -> None:
    down = node(1, state="down", state_message="heartbeat failure")
    begun = clock.now
    manager = Manager([[task(1, "running")]], [[node(1)], [down]])
    [answer] = watched(manager)
    assert answer.problem == "went down (heartbeat failure)"
    assert (answer.has_begun, answer.has_crashed) == (True, False)
    assert 15 < clock.now - begun < 25
    assert problem_of(Manager([[task(1, "running")]], [[node(2)]])) == "left the swarm"


def test_a_node_that_was_down_for_a_moment_is_not() -> None:
    down = node(1, state="down")
    tasks: list[list[JobTask] | Exception] = [[task(1, "running")]] * 100
    manager = Manager([*tasks, [task(1, "complete")]], [[down], [down], [node(1)], [down], [node(1)]])
    assert problem_of(manager) is None


def test_a_node_that_gets_no_task_is_given_up(clock: Clock) -> None:
    begun = clock.now
    assert problem_of(Manager([[]])) == "got no task from the swarm"
    no_room = task(1, "pending", "no suitable node (unsupported platform on 1 node)")
    assert problem_of(Manager([[no_room]])) == f"cannot take the task: {no_room.error}"
    assert clock.now - begun < 70


def test_what_does_not_end_in_time_is_given_up() -> None:
    limits = JobLimits(timeout_seconds=90, engine_seconds=60)
    late = "did not end within 90 seconds (--timeout)"
    assert problem_of(Manager([[task(1, "running")]]), limits) == late
    assert problem_of(Manager([[task(1, "preparing")]]), limits) == f"{late}; its task is preparing"


def test_a_manager_may_be_away_for_a_moment() -> None:
    away: list[list[JobTask] | Exception] = [EngineLostError("away")] * 100
    assert problem_of(Manager([*away, [task(1, "complete")]])) is None
    with pytest.raises(EngineError, match="away"):
        problem_of(Manager([EngineLostError("away")]))


def test_a_node_that_joins_meanwhile_is_watched_too() -> None:
    manager = Manager([[task(1, "running"), task(2, "running")], [task(1, "complete"), task(2, "complete")]])
    assert [answer.node.id for answer in watched(manager)] == ["node1", "node2"]


def own(name: str, run: str, seconds: int | None = 60, created_at: str = "2026-12-01T00:00:00.123456789Z") -> OwnObject:
    return OwnObject(id=name, name=name, run=run, seconds=seconds, created_at=created_at)


def test_a_run_removes_what_is_its_own_the_service_first() -> None:
    manager = Manager([[]])
    manager.objects = {"service": [own("s1", RUN), own("s2", "other")], "config": [own("c1", RUN), own("c2", "other")]}
    remove_run(manager, RUN)
    assert manager.asked == ["service s1", "config c1"]


@pytest.mark.parametrize(
    ("entry", "now", "goes"),
    [
        (own("s", "dead"), None, True),
        (own("s", "alive"), "2027-01-01T00:00:00Z", False),
        (own("s", "unknown"), "2026-12-01T00:00:59Z", False),
        (own("s", "unknown"), "2026-12-01T00:01:02Z", True),
        (own("s", "unknown"), None, False),
        (own("s", "unknown", None), "2027-01-01T00:00:00Z", False),
        (own("s", "unknown", created_at="yesterday"), "2027-01-01T00:00:00Z", False),
    ],
)
def test_what_a_run_has_left_goes_when_it_is_over(entry: OwnObject, now: str | None, goes: bool) -> None:
    manager = Manager([[]])
    manager.objects = {"service": [entry], "config": []}
    known = {"dead": True, "alive": False}
    removed = remove_leftovers(manager, known.get, parse_instant(now))
    assert (removed, manager.asked) == (({entry.run}, ["service s"]) if goes else (set(), []))
