"""Nodes of a swarm, and the tasks of a job on them."""

from typing import Literal

from msgspec import Struct

TaskEnd = Literal["complete", "failed", "rejected", "lost"]
"""rejected: its container could not be made, as where a node has no image; lost: the swarm gave it up."""


class SwarmNode(Struct, frozen=True, kw_only=True):
    """A node, as its managers know it."""

    id: str
    hostname: str
    """Not unique."""
    address: str | None
    role: str
    """"manager" or "worker"."""
    availability: str
    """"active", "pause" or "drain"."""
    state: str
    """"ready", "down", "disconnected" or "unknown"."""
    state_message: str
    """Why it is not ready, in the manager's words: "heartbeat failure"; may be empty."""
    labels: dict[str, str]
    engine_labels: dict[str, str]
    os: str
    """"linux", "windows"."""
    architecture: str

    @property
    def takes_tasks(self) -> bool:
        """Whether the swarm gives a job's tasks to it."""
        return self.state == "ready" and self.availability == "active"


class JobTask(Struct, frozen=True, kw_only=True):
    """A task of a job on one node."""

    id: str
    node_id: str
    """Empty where it has none yet."""
    state: str
    """As the engine has it: "preparing", "running", "complete" and so on."""
    error: str
    """In the engine's words: "No such image: app:1"; empty for none."""
    exit_code: int | None
    """None where its container has not ended."""
    created_at: str

    @property
    def end(self) -> TaskEnd | None:
        """Return how it ended; None where it has not."""
        return _ENDS.get(self.state)

    @property
    def has_begun(self) -> bool:
        """Whether its container runs, or did."""
        return self.state in _BEGUN


_ENDS: dict[str, TaskEnd] = {
    "complete": "complete",
    "failed": "failed",
    "rejected": "rejected",
    "shutdown": "lost",
    "remove": "lost",
    "orphaned": "lost",
}
_BEGUN = ("running", "complete", "failed", "shutdown", "remove")
