"""The hosts of a run, and what differs between them."""

from msgspec import Struct

from dockersweep.model.engine_address import TlsFlags
from dockersweep.model.fleetfile import PARALLEL


class Host(Struct, frozen=True, kw_only=True):
    """One host: it has either `host` or `context`."""

    name: str
    """Of the fleet file, else the URL without ssh:// or tcp://, or the context's name. Unique in a run."""
    host: str | None = None
    """The URL of its engine, as written: unix://, tcp:// or ssh://."""
    context: str | None = None
    """The docker context of its engine."""
    groups: tuple[str, ...] = ()
    policy: str | None = None
    """The path of its policy file; None where the fleet file names none: the flags, the
    environment and the usual files then decide."""
    tls: TlsFlags | None = None
    """None where neither the fleet file nor a flag sets TLS. Its paths are resolved."""

    @property
    def has_own_name(self) -> bool:
        """Whether its name is more than its address."""
        return self.context != self.name if self.host is None else not self.host.endswith(self.name)

    @property
    def address(self) -> str:
        """Return the URL of its engine, or "context NAME"."""
        return f"context {self.context}" if self.host is None else self.host


class Rollout(Struct, frozen=True, kw_only=True):
    """How `sweep` and `apply` go from host to host."""

    canary: int = 0
    """How many hosts go first, alone; all of them must end well."""
    max_failures: int | None = None
    """With more failures than this no further host is begun; None for no limit. A share of the fleet file is a number
    here, of the selected hosts, rounded down."""
    splay_seconds: float | None = None
    """Each host waits a random time of at most this long first, where nobody watches."""


class Hosts(Struct, frozen=True, kw_only=True):
    """The selected hosts of a run, in the order in which they were named, and how they are reached and swept."""

    hosts: tuple[Host, ...]
    parallel: int = PARALLEL
    """How many are at work at the same time."""
    connect_timeout_seconds: float | None = None
    """How long a host may take until its engine answers; None where the fleet file does not say."""
    rollout: Rollout = Rollout()
