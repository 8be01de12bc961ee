"""Which stopped containers restart by themselves: the engine starts them when it starts."""

from dockersweep.model.inventory import Container
from dockersweep.model.reason import Restart

ON_FAILURE = "on-failure"
_ALWAYS = frozenset({"always", "unless-stopped"})


def restarts_by_itself(container: Container) -> bool | None:
    """Return whether a container restarts by itself; None where that is not known.

    `always` and `unless-stopped` always do. With `on-failure` Docker starts it again after an exit code other than 0,
    even after `docker stop` (137), unless it never started or its retries are used up (tried on 20.10, 26.1 and 28.5).
    """
    if container.restart_policy is None:
        return None
    if container.restart_policy != ON_FAILURE:
        return container.restart_policy in _ALWAYS
    if container.state == "created" or container.exit_code == 0 or container.retries_left is False:
        return False
    return None if container.exit_code is None else container.retries_left


def restart_of(container: Container) -> Restart:
    """Return the same with its causes: the restart policy, and with `on-failure` the exit code."""
    exit_code = container.exit_code if container.restart_policy == ON_FAILURE else None
    return Restart(policy=container.restart_policy, restarts=restarts_by_itself(container), exit_code=exit_code)
