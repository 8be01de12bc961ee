"""The errors that dockersweep raises, each with its exit status; `cli.main` is the one place that catches them.

    DockersweepError            1   never raised itself
    ├── UsageError              2   wrong usage
    │   ├── DocumentError       2   a document that cannot be read
    │   ├── PolicyError         2   an invalid policy file
    │   ├── HostsError          2   hosts that are named wrongly, on the command line or in a fleet file
    │   ├── UnknownObjectError  2   an object that is not there
    │   └── DeclaredFileError   2   a compose file or quadlet, named by a policy, that cannot be read
    ├── RefusedError            4   nothing was removed, because it was not safe or not confirmed
    │   ├── DeclinedError       0   a person was asked and did not say yes
    │   └── BusyError           4   another run is at work on the engine
    ├── NoPlanError             4   a person reviewed a plan and wanted none of it
    ├── EngineError             5   the engine cannot be reached or cannot be read in full
    │   ├── EngineLostError     5   nothing answers, or the connection broke within the answer
    │   │   └── OtherEngineError 5  another engine answers there now
    │   └── EngineTimeoutError  5   the engine did not answer in time
    ├── LedgerError             2   the ledger cannot be read or written
    ├── ArchiveError            2   the archive cannot be read or written
    │   └── NotArchivedError    2   one object could not be archived, so it stays
    │       └── NoRoomError     2   the archive has no room for it
    └── OutputError             2   the result could not be written

Every message is one sentence for the person who ran the command: what is wrong, where, and what to try. A HostsError
has one for each problem.
"""


class DockersweepError(Exception):
    """The root of the tree; `exit_status` is what the process ends with."""

    exit_status = 1

    @property
    def sentences(self) -> tuple[str, ...]:
        """What to tell, a line each."""
        return (str(self),)


class UsageError(DockersweepError):
    """The command line asks for something that does not exist or contradicts itself."""

    exit_status = 2


class DocumentError(UsageError):
    """A document is unreadable, damaged, of another schema or of a newer version."""


class PolicyError(UsageError):
    """A policy file is invalid; the message has the place of the first problem and the number of further ones."""


class HostsError(UsageError):
    """Several hosts are named, some of them wrongly; all that is wrong is told at once."""

    def __init__(self, *sentences: str) -> None:
        """`sentences` is what is wrong, each with its place."""
        super().__init__("\n".join(sentences))
        self._sentences = sentences

    @property
    def sentences(self) -> tuple[str, ...]:
        """What to tell, a line each."""
        return self._sentences


class UnknownObjectError(UsageError):
    """Nothing on the engine is called so; the message says what is similar."""


class DeclaredFileError(UsageError):
    """A compose file or quadlet that a policy names cannot be read or is invalid; the message has file and line."""


class RefusedError(DockersweepError):
    """Nothing was done, because doing it was not confirmed or is not allowed."""

    exit_status = 4

    def __init__(self, reason: str, undone: str = "removed") -> None:
        """`reason` is why; the message says in front of it that nothing was removed, or whatever else was `undone`."""
        super().__init__(f"nothing {undone}: {reason}")
        self.reason = reason


class DeclinedError(RefusedError):
    """A person was asked and did not say yes; this is not a failure."""

    exit_status = 0


class BusyError(RefusedError):
    """Another run holds the lock of the engine; trying later helps."""


class NoPlanError(DockersweepError):
    """A person reviewed a plan and wanted none of it; what carries out the file must not go on with an older one."""

    exit_status = 4


class EngineError(DockersweepError):
    """The engine cannot be reached, is too old, or gave an invalid answer."""

    exit_status = 5


class EngineLostError(EngineError):
    """Nothing answers at the endpoint, or the connection broke before the answer was complete."""


class OtherEngineError(EngineLostError):
    """The engine went away, and another one answers in its place."""


class EngineTimeoutError(EngineError):
    """The engine took longer than the time-out of the call; whether it acted is not known."""


class EngineTooMuchError(EngineError):
    """The engine's answer is larger than any valid one."""


class LedgerError(DockersweepError):
    """The ledger cannot be read or written. A sweep goes on without it, unless it is required."""

    exit_status = 2


class ArchiveError(DockersweepError):
    """The archive, or something in it, cannot be read or written, or is damaged."""

    exit_status = 2


class NotArchivedError(ArchiveError):
    """One object could not be archived; nothing is left of it in the archive. The message is the reason, to stand
    behind the object: "./data changed while it was read"."""


class NoRoomError(NotArchivedError):
    """The archive has no room for an object."""


class OutputError(DockersweepError):
    """The result cannot be written where it was asked for; a sweep finds that out before it removes anything."""

    exit_status = 2
