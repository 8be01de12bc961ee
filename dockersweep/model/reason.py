"""Why an object is kept or removed: values that say what a reason is about; `words.reasons` makes sentences of them."""

from typing import Literal

from msgspec import Struct

from dockersweep.model.age_reasons import AfterContainer, Aged, AgeUnknown, Candidate, Unwatched
from dockersweep.model.external import ExternalTool
from dockersweep.model.inventory import Kind
from dockersweep.model.quantities import Instant
from dockersweep.model.reason_details import Details, Number

ReasonCode = Literal[
    "in-use", "predefined", "swarm", "unread", "protected", "not-asked-for", "no-rule", "too-young", "age-unknown",
    "old-enough", "released", "recoverable", "kept", "tag-goes", "space", "enough", "marked", "external", "read-only",
    "refused", "service", "unseen-services", "kubelet", "project-runs", "project", "only-here",
    "unwatched", "beyond",
]  # fmt: skip

Relation = Literal["uses", "may-mount", "joins-namespaces", "parent", "lends-configuration"]
"""What a holder does with what it holds: a container uses it, may mount the image, or joins the namespaces of the other
container; an image or a record of the build cache is the child of the parent it holds; a network has its configuration
from it."""

FactName = Literal[
    "no-rule-matches", "other-tags-only", "no-single-tag", "only-keeps", "engine-counts-a-use", "made-by-engine",
    "made-by-file-system",
    "used-by-build", "own-container", "swarm-task", "infra-container", "unseen-services", "pause-image",
    "read-only-store", "no-ledger", "no-age-asked-for", "enough", "not-recoverable", "not-anonymous-local",
    "takes-no-space", "on-another-disk", "only-here", "not-in-saved-plan", "named-by-saved-plan",
]  # fmt: skip


PeriodName = Literal["hourly", "daily", "weekly", "monthly", "yearly"]
ProtectedBy = Literal["label", "name", "image", "project", "service", "pet"]
Belonging = Literal["certain", "doubtful", "used-last"]
"""How an object belongs to a compose project: it is the project's own; it may have the label only from its image; or
the project was the last of any to use it."""


class Fact(Details, frozen=True, tag="fact"):
    """Something that holds of the object and needs no details."""

    name: FactName


class HeldBy(Details, frozen=True, tag="held-by"):
    """Another object holds it; with the code "released" that one goes too."""

    relation: Relation
    kind: Kind
    id: str
    name: str
    state: str | None = None
    """That of a container."""
    stopped_seconds: Number | None = None
    """How long ago a container stopped, or was created where it never ran; None where it runs or that is not known."""
    mounted_as: str | None = None
    """By which name a container mounts an image, where it is not known which image that was."""


class Group(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The group in which a rule counts."""

    by: str
    """As rules write it: "repository", "project" or "label:KEY"."""
    kind: Kind
    name: str | None = None
    """None for those that have no such name."""


class Kept(Details, frozen=True, tag="kept"):
    """Its place among those that a keep rule counts from the newest on."""

    keep: Literal["last"] | PeriodName
    place: Number
    """From 1 on."""
    group: Group | None = None
    """None where all that the rule matches is one group."""
    oldest: bool = False
    """Whether it is kept as the oldest of all, while there is room."""
    as_new_as: bool = False
    """Whether it is beyond the count, and as new as the one in this place."""
    of_all: bool = False
    """Whether the rule keeps all of them, so that no place is the last."""


class Beyond(Details, frozen=True, tag="beyond"):
    """Its place behind those that the rule that removes it keeps, counted from the newest on."""

    place: Number
    """From 1 on."""
    count: Number
    """How many the rule keeps: keep.last."""
    group: Group | None = None
    """None where all that the rule matches is one group."""


class KeptWithin(Details, frozen=True, tag="kept-within"):
    """It is not much older than the newest of its group."""

    limit: str
    """As it is written: "30d"."""
    group: Group | None = None


class KeptTag(Details, frozen=True, tag="kept-tag"):
    """Its tag matches a pattern of keep.tags."""

    pattern: str


class KeptVersion(Details, frozen=True, tag="kept-version"):
    """It is the newest of a major or minor version."""

    version: str
    """"2" or "1.4"."""
    pre_release: bool = False


class Undated(Details, frozen=True, tag="undated"):
    """A keep rule cannot count it, and keeps it in doubt."""

    dated_at: Instant | None = None
    """The date in the future that it has; None where nothing tells its date."""
    is_image: bool = False


class Doubt(Details, frozen=True, tag="doubt"):
    """It is not known whether a rule matches it."""

    condition: str
    """The condition, as rules write it: "recoverable", "exit_code"."""
    excludes: bool = False
    """Whether it is one under "not"."""
    keeps: bool = False
    """Whether the rule keeps it for that."""


class Restart(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Whether a stopped container comes back by itself."""

    policy: str | None = None
    """None where it is not known."""
    restarts: bool | None = None
    """None where it is not known."""
    exit_code: int | None = None
    """With "on-failure" it decides."""


class NotMatched(Details, frozen=True, tag="not-matched"):
    """A condition of a rule does not hold."""

    condition: str
    """As rules write it: "state", "size_over"."""
    wanted: tuple[str | int, ...] | int | bool | None = None
    """What the rule asks for: patterns, values, a size in bytes, or whether."""
    has: str | int | None = None
    """What the object has instead; None where it has nothing or that is not known."""
    restart: Restart | None = None
    """Of the condition "restarts_by_itself"."""
    flag: str | None = None
    """The flag with which such objects are removed too."""


class Excluded(Details, frozen=True, tag="excluded"):
    """A condition under "not" holds."""

    condition: str


class Protected(Details, frozen=True, tag="protected"):
    """It matches a pattern of the policy's protections."""

    by: ProtectedBy
    pattern: str
    source: str
    """Where that is written: "protect.names"."""
    project: str | None = None
    """The compose project that the pattern matches."""
    how: Belonging | None = None
    """How the object belongs to that project."""


class OfProject(Details, frozen=True, tag="project"):
    """It is of a compose project, or may be, or was used last by one."""

    project: str
    how: Belonging
    service: str | None = None
    files: tuple[str, ...] = ()
    """The compose files; empty where they are not known."""
    lost_its_tag: bool = False
    """Whether it is an image without a tag, which was called by project and service."""


class OfRunningProject(Details, frozen=True, tag="project-runs"):
    """A container that has ended is started again with its compose project, of which another one runs."""

    project: str
    running: str
    """The name of one that runs."""


class DeclaredBy(Details, frozen=True, tag="declared-by"):
    """A file names it, so that it is needed though no container exists."""

    path: str
    line: Number | None = None
    by: str | None = None
    """What names it there: "service db"."""
    project: str | None = None
    """The compose project."""
    others: Number = 0
    """How many more files, or services in them, declare it."""


class OnlyKinds(Details, frozen=True, tag="only-kinds"):
    """Only objects of some kinds are asked for."""

    kinds: tuple[Kind, ...]


class State(Details, frozen=True, tag="state"):
    """A container is in a state in which it is not removed."""

    state: str


class Scope(Details, frozen=True, tag="scope"):
    """A network is not of this node alone."""

    scope: str


class Unread(Details, frozen=True, tag="unread"):
    """It could not be read in full."""

    problem: str


class NameBegins(Details, frozen=True, tag="name-begins"):
    """Podman could remove another volume in its place, whose name begins with its own."""

    volume: str


class ServiceUses(Details, frozen=True, tag="service"):
    """A service of the swarm names it."""

    service: str
    mode: str
    desired: Number | None = None
    running: Number | None = None
    completed: Number | None = None
    for_rollback: bool = False
    """Whether only the specification before names it."""


class OfPod(Details, frozen=True, tag="pod"):
    """It is part of a Kubernetes pod."""

    pod: str
    namespace: str | None = None


class OfKubelet(Details, frozen=True, tag="kubelet"):
    """It has a label of the kubelet."""

    label: str


class ToolUses(Details, frozen=True, tag="tool"):
    """Another tool uses it in the same storage."""

    tool: ExternalTool
    name: str
    """What uses it: a container, or for "volume" a volume."""
    is_certain: bool = True
    """Whether it is known to be this image."""


class Refused(Details, frozen=True, tag="refused"):
    """The engine refused to remove it in several runs."""

    runs: Number
    answer: str
    """What the engine said last."""
    retried_at: Instant


class Recoverable(Details, frozen=True, tag="recoverable"):
    """It can be pulled again."""

    digest: str | None = None
    """As what; None where that is not known."""
    asked_at: Instant | None = None
    """When a registry said that it has it; None where none was asked."""


class ForSpace(Details, frozen=True, tag="space"):
    """It goes for the space target, as the least recently used."""

    age: Aged | None = None


class OnlyByRule(Details, frozen=True, tag="only-by-rule"):
    """A container that may restart by itself does not go for space."""

    restart: Restart


class Skipped(Details, frozen=True, tag="skipped"):
    """What a saved plan says of it is not carried out."""

    why: str


class InWords(Details, frozen=True, tag="in-words"):
    """Only its sentence is known: an older version wrote it."""

    text: str


About = (
    Fact | HeldBy | Aged | Unwatched | AfterContainer | AgeUnknown | Candidate | Kept | Beyond | KeptWithin | KeptTag
    | KeptVersion | Undated | Doubt | NotMatched | Excluded | Protected | DeclaredBy | OnlyKinds | State | Scope
    | Unread | NameBegins | ServiceUses | OfPod | OfKubelet | ToolUses | Refused | Recoverable | ForSpace
    | OnlyByRule | OfProject | OfRunningProject | Skipped
)  # fmt: skip


class Reason(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Why an object is kept or removed."""

    code: ReasonCode
    """For machines; "released", "recoverable", "project", "only-here" and "beyond" stand beside "old-enough" and tell
    more of it, "beyond" its place among those of which the rule keeps the newest. "kept" is by a keep
    rule, "tag-goes" tells of a tag that goes while its image stays, "space" goes for the space target, "enough" would
    have gone for it if less had been freed before, and "marked" is a candidate of a rule with remove.marked_for, which
    stays for it until the time has passed; then it stands beside "old-enough". "refused" is kept for a week after the
    engine has refused it in three runs. "service" is named by a service of the swarm, "unseen-services" may be by one
    that cannot be seen, "kubelet" belongs to Kubernetes, "project-runs" is a container that its
    compose project starts with. "external" is used by another tool in the same storage,
    "read-only" lies in a store from which nothing can be removed. "unwatched" is not known to be unused for as long as
    a rule asks: too little of the time was watched."""
    rule: str
    """The rule that speaks, or what stands above the rules: "hard protection", "protected", "protection", "--kind"."""
    about: About | InWords
    """What it is about."""
    tag: str | None = None
    """The tag of an image that it is about, where not all of the image's tags have the same reasons."""
