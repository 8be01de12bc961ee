"""The names of how a run ended, as metrics have them."""

_OF_EXIT_STATUS = {
    0: "done",
    3: "incomplete",
    4: "refused",
    5: "engine-failed",
    129: "interrupted",
    130: "interrupted",
    143: "interrupted",
}
ENDED_STATUSES = ("done", "incomplete", "refused", "engine-failed", "failed", "interrupted")
"""All that `ended_status` returns."""


def ended_status(exit_status: int) -> str:
    """Return how a run ended that had this exit status."""
    return _OF_EXIT_STATUS.get(exit_status, "failed")
