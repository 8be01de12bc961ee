"""Waits for the tasks of a job, and brings back the document of each node, or why there is none."""

import time
from collections.abc import Callable, Collection, Iterable

from msgspec import Struct

from dockersweep.engine.api.concurrent import call_for_each
from dockersweep.engine.jobs.frames import FrameError, unframed
from dockersweep.engine.jobs.job_calls import JobCalls
from dockersweep.errors import EngineError, EngineTimeoutError
from dockersweep.model.swarm import JobTask, SwarmNode
from dockersweep.units import format_duration

POLL_SECONDS = 0.3
NODES_SECONDS = 2.0
"""How often the list of nodes is asked for."""
DOWN_SECONDS = 15.0
"""How long a node may be down: the managers call it that after three missed heartbeats, some 15 seconds."""
UNPLACED_SECONDS = 30.0
"""How long a node may be without a task that the swarm can start there."""
OUTPUT_SECONDS = 30.0
"""How long a node may take to send its document."""
OUTPUT_TRIES = 4
LONGEST_LINE = 300
"""In characters, of what a task said last."""

Progress = Callable[[int, int], None]


class NodeAnswer(Struct, frozen=True, kw_only=True):
    """What came of a job on one node: a document, or a problem."""

    node: SwarmNode
    document: bytes | None
    problem: str | None
    """Why there is no document, to follow "it ": "went down"."""
    has_begun: bool
    """Whether its container ran: then it may have done something even without a document."""
    has_crashed: bool
    """Whether its container ended by itself, and failed."""
    seconds: float
    """Since the job was created."""


class JobLimits(Struct, frozen=True, kw_only=True):
    """How long a job is waited for."""

    timeout_seconds: float
    """The whole job."""
    engine_seconds: float
    """A manager that does not answer."""


class _Way(Struct):
    """How far a node has come."""

    node: SwarmNode
    task: JobTask | None = None
    down_since: float | None = None
    tries: int = 0


class Watch:
    """Watches one job on the nodes that are to get a task of it."""

    def __init__(
        self, calls: JobCalls, service_id: str, run: str, nodes: Iterable[SwarmNode], limits: JobLimits
    ) -> None:
        self._calls = calls
        self._service_id = service_id
        self._run = run
        self._ways = {node.id: _Way(node) for node in nodes}
        self._limits = limits
        self._answers: dict[str, NodeAnswer] = {}
        self._begun = time.monotonic()
        self._nodes_asked = self._begun
        self._lost_since: float | None = None

    def wait(self, progress: Progress) -> tuple[NodeAnswer, ...]:
        """Return the answer of every node. Raises EngineError where the manager is lost for longer than the
        limit."""
        while len(self._answers) < len(self._ways):
            progress(len(self._answers), len(self._ways))
            try:
                self._look()
                self._lost_since = None
            except EngineError:
                # A manager may be replaced by another one meanwhile.
                self._lost_since = self._lost_since or time.monotonic()
                if time.monotonic() - self._lost_since > self._limits.engine_seconds:
                    raise
            if self._passed() > self._limits.timeout_seconds:
                self._give_up_rest(f"did not end within {format_duration(self._limits.timeout_seconds)} (--timeout)")
            time.sleep(POLL_SECONDS)
        progress(len(self._answers), len(self._ways))
        return tuple(self._answers[key] for key in self._ways)

    def _passed(self) -> float:
        return time.monotonic() - self._begun

    def _waiting(self) -> list[_Way]:
        return [way for key, way in self._ways.items() if key not in self._answers]

    def _look(self) -> None:
        tasks = self._calls.tasks(self._service_id)
        if any(task.node_id and task.node_id not in self._ways for task in tasks):
            # A node that has joined since.
            self._look_at_nodes({task.node_id for task in tasks})
        for task in tasks:
            way = self._ways.get(task.node_id)
            # Only the first task of a node counts: after a failure the swarm prepares another one.
            if way is not None and (way.task is None or way.task.id == task.id):
                way.task = task
        ended = [way for way in self._waiting() if way.task is not None and way.task.end is not None]
        self._bring_back(ended)
        if time.monotonic() - self._nodes_asked > NODES_SECONDS:
            self._look_at_nodes()
            self._nodes_asked = time.monotonic()
        if self._passed() > UNPLACED_SECONDS:
            self._give_up_unplaced()

    def _bring_back(self, ended: list[_Way]) -> None:
        tasks = {way.task.id: way for way in ended if way.task is not None and way.task.end != "rejected"}
        for task_id, got in call_for_each(tasks, self._document_of).items():
            way = tasks[task_id]
            way.tries += 1
            if isinstance(got, bytes):
                self._answer(way, got, None)
            elif way.tries >= OUTPUT_TRIES or not _may_come_yet(way):
                self._answer(way, None, got)
        for way in ended:
            if way.task is not None and way.task.end == "rejected":
                self._answer(way, None, f"could not start the container: {way.task.error or 'no reason given'}")

    def _document_of(self, task_id: str) -> bytes | str:
        """Return the document of a task that has ended, else why there is none."""
        [task] = [way.task for way in self._ways.values() if way.task is not None and way.task.id == task_id]
        try:
            output, errors = self._calls.task_output(task_id, OUTPUT_SECONDS)
        except EngineTimeoutError:
            return f"gave no answer: it did not come within {format_duration(OUTPUT_SECONDS)}"
        except EngineError as error:
            return f"gave no answer: {error}"
        try:
            return unframed(output, self._run)
        except FrameError as error:
            return _why_no_document(task, str(error), errors)

    def _look_at_nodes(self, with_tasks: Collection[str] = ()) -> None:
        """Look which nodes are down or gone, and watch those `with_tasks`, too."""
        now = time.monotonic()
        nodes = {node.id: node for node in self._calls.nodes()}
        self._ways.update({key: _Way(nodes[key]) for key in with_tasks if key in nodes and key not in self._ways})
        for way in self._waiting():
            node = nodes.get(way.node.id)
            if node is None:
                self._answer(way, None, "left the swarm")
                continue
            way.node = node
            way.down_since = (way.down_since or now) if node.state != "ready" else None
            if way.down_since is not None and now - way.down_since > DOWN_SECONDS:
                self._answer(way, None, f"went down ({node.state_message or node.state})")

    def _give_up_unplaced(self) -> None:
        for way in self._waiting():
            if way.task is None:
                self._answer(way, None, "got no task from the swarm")
            elif way.task.state == "pending" and way.task.error:
                self._answer(way, None, f"cannot take the task: {way.task.error}")

    def _give_up_rest(self, why: str) -> None:
        for way in self._waiting():
            waits = f"; its task is {way.task.state}" if way.task and not way.task.has_begun else ""
            self._answer(way, None, why + waits)

    def _answer(self, way: _Way, document: bytes | None, problem: str | None) -> None:
        self._answers[way.node.id] = NodeAnswer(
            node=way.node,
            document=document,
            problem=problem,
            has_begun=way.task is not None and way.task.has_begun,
            has_crashed=way.task is not None and way.task.end == "failed",
            seconds=self._passed(),
        )


def _may_come_yet(way: _Way) -> bool:
    """Whether asking again may bring the document: the log may lag behind the end of its container."""
    return way.task is not None and way.task.end == "complete"


def _why_no_document(task: JobTask, cut: str, errors: bytes) -> str:
    lines = errors.decode("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    said = f": {last[:LONGEST_LINE]}" if last else ""
    if task.end == "complete":
        return f"gave no valid answer: it {cut}{said}"
    if task.end == "lost":
        return f"lost its task to the swarm, which ended it{said}"
    status = "" if task.exit_code is None else f" with exit status {task.exit_code}"
    return f"failed in its container{status}{said or (': ' + task.error if task.error else '')}"
