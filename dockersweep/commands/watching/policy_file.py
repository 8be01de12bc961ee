"""The policy of a watcher: read again whenever its file changes, and an earlier one as long as that does not hold."""

import os
from typing import Literal

from dockersweep.commands.gather import gather_policy
from dockersweep.commands.options import PolicyOptions
from dockersweep.commands.policy_source import find_policy
from dockersweep.errors import DockersweepError, PolicyError, UsageError
from dockersweep.model.policy import Policy, WatchSettings
from dockersweep.model.policyfile import WatchTable
from dockersweep.policy.language.watch_checks import watch_of

Stamp = tuple[str, int, int, int, int] | Literal["no file", "unreadable"]
"""What tells that a file has changed: its path, its inode, its size, and when its contents and its rights changed."""
DEFAULTS = watch_of(WatchTable())


class WatchedPolicy:
    """The policy in force."""

    def __init__(self, options: PolicyOptions) -> None:
        """Read it. Raises UsageError where it cannot be read or does not hold, or cannot be watched."""
        self._options = options
        # Taken first: what is written while it is read is read again.
        self._stamp = self._stamp_now()
        self.policy = _watchable(gather_policy(options))
        self.problem: str | None = None
        """Why the file as it is now is not in force."""

    @property
    def settings(self) -> WatchSettings:
        """When to act."""
        return DEFAULTS if self.policy.watch is None else self.policy.watch

    def look(self, always: bool = False) -> bool:
        """Read the file again where it has changed, or `always`; return whether it was read."""
        stamp = self._stamp_now()
        if self._options.path == "-" or (stamp == self._stamp and not always):
            return False
        self._stamp = stamp
        try:
            self.policy, self.problem = _watchable(gather_policy(self._options)), None
        except DockersweepError as error:
            self.problem = str(error)
        return True

    def _stamp_now(self) -> Stamp:
        try:
            path = find_policy(self._options.path, os.environ)
            if path in (None, "-"):
                return "no file"
            state = os.stat(path)
        except (OSError, PolicyError, ValueError):
            return "unreadable"
        return (path, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def _watchable(policy: Policy) -> Policy:
    if policy.target is not None and policy.target.free_bytes is not None:
        raise UsageError(
            f"{policy.source} frees a number of bytes, however much is free: a watcher needs a target that begins when "
            'space is short, like start_above = "80%", in place of free'
        )
    return policy
