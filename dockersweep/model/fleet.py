"""What a verb did on several hosts: the document dockersweep.fleet/1."""

from typing import Literal

from msgspec import Raw, Struct, field
from msgspec.structs import replace

from dockersweep.model.inventory import Kind
from dockersweep.model.outcome import EndedBy
from dockersweep.model.plan import Interval
from dockersweep.model.quantities import Bytes, Instant
from dockersweep.model.recovery import How

HostStatus = Literal["done", "refused", "failed", "not-reached", "not-begun"]
"""not-reached: its engine never answered; not-begun: the run ended before its turn, which is no fault of the host."""
FleetVerb = Literal["scan", "plan", "report", "sweep", "apply", "history", "explain"]


class Amount(Struct, frozen=True, kw_only=True):
    """Objects of one kind, and the bytes that they free."""

    objects: int
    bytes: Interval


class HostSums(Struct, frozen=True, kw_only=True):
    """The figures of one host's document, for tables and sums; which ones depends on the verb."""

    freed: dict[Kind, Amount] = {}
    """Kind -> what would be removed; for `scan` what is unused, for `sweep` and `apply` what was removed."""
    total: Interval | None = None
    """What all of these free together; None if the document does not tell."""
    used_bytes: Bytes | None = None
    """What all objects of the engine take; None where that is not known."""
    removals: int = 0
    """How many removals a plan has, tags of images that stay included."""
    ways_back: dict[How, int] = {}
    """How many objects of a plan can be taken back in which way; empty from an older version."""
    lost: str | None = None
    """What a plan removes that cannot be recovered, in words; None for nothing."""
    others: dict[str, int] = {}
    """In words, what became of removals that were neither carried out nor failed: "skipped", "not there"."""
    is_predicted: bool = False
    """Whether what was freed is a prediction, as neither the engine nor its disk told."""
    failed: int = 0
    """How many removals failed or were not attempted."""
    ended_by: EndedBy | None = None
    """What ended a sweep early; None where nothing did."""
    shareable_volumes: tuple[str, ...] = ()
    """The volumes that a plan removes, of another driver than `local`: other hosts may have them too."""
    problems: tuple[str, ...] = ()
    """The warnings that need a person, in sentences."""
    is_unseen: bool = False
    """Whether an unattended sweep would be refused: nobody has looked at the engine, and much of it would go."""
    over_limits: tuple[str, ...] = ()
    """The limits of its policy that a plan exceeds: a sweep would be refused."""
    warnings: int = 0


class FleetHost(Struct, frozen=True, kw_only=True):
    """One host, and what became of the verb there."""

    name: str
    """As the fleet file, --host or --context has it. Unique in a document of ours; a document that others made may
    repeat it."""
    address: str
    """The URL of its engine, or the name of a context as "context NAME"."""
    status: HostStatus
    groups: tuple[str, ...] = ()
    engine_id: str | None = None
    """The engine's own id; None where nothing answered, and on Podman, which has none."""
    engine_identity: str | None = None
    """A key that is equal for two hosts that are one engine; None where that cannot be known."""
    same_as: str | None = None
    """The name of an earlier host that is the same engine: sums do not count this one."""
    swarm_node_id: str | None = None
    exit_status: int | None = None
    """As of the verb on this host alone; None where it was not begun."""
    message: str | None = None
    """Why it is not done, in one sentence; None where it is."""
    notes: tuple[str, ...] = ()
    """What else a person should know of the host, in sentences."""
    seconds: float | None = None
    policy_sha256: str | None = None
    """The digest of the policy in force there, as in the ledger's runs; None for verbs without one."""
    policy_source: str | None = None
    """The policy in force there, for people: "the policy in /etc/..."; None for verbs without one."""
    sums: HostSums = HostSums()
    document: Raw = field(default_factory=lambda: Raw(b"null"))
    """The document of the verb on this host, as of the verb alone: dockersweep.plan/1 and so on; null for none."""


def without_document(host: FleetHost) -> FleetHost:
    """Return a host without its document, for what keeps these elsewhere."""
    return replace(host, document=Raw(b"null"))


class RolloutOutcome(Struct, frozen=True, kw_only=True):
    """How a run that removes went from host to host."""

    canary: int
    """How many hosts went first, alone."""
    max_failures: int | None
    """With more failures than this no further host is begun; None for no limit."""
    stopped: str | None = None
    """Why no further host was begun; None where all were."""


class FleetSums(Struct, frozen=True, kw_only=True):
    """The sums over all hosts, each engine counted once."""

    hosts: dict[HostStatus, int]
    engines: int
    """How many different engines answered."""
    freed: dict[Kind, Amount]
    total: Interval
    used_bytes: Bytes | None
    """None where it is not known of an engine that answered."""


class Fleet(Struct, frozen=True, kw_only=True):
    """What a verb did on several hosts: the document dockersweep.fleet/1."""

    schema: Literal["dockersweep.fleet/1"]
    verb: FleetVerb
    started_at: Instant
    finished_at: Instant
    exit_status: int
    """The worst of the hosts'."""
    sums: FleetSums
    rollout: RolloutOutcome | None = None
    """None for verbs that remove nothing."""
    allow_unreached: int = 0
    """How many hosts that cannot be reached are no failure."""
    hosts: tuple[FleetHost, ...]
    """In the order in which they were named."""
