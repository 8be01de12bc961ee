"""Why an object is kept or removed, as data; `words.reasons` turns it into sentences."""

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
    "unwatched", "beyond", "unrecoverable",
]  # fmt: skip

Relation = Literal["uses", "may-mount", "joins-namespaces", "parent", "lends-configuration"]
"""How a holder uses the held object: a container uses it, may mount the image, or joins the namespaces of the other
container; an image or build-cache record is a child of the parent that it holds; a network takes its configuration
from it."""

FactName = Literal[
    "no-rule-matches", "other-tags-only", "no-single-tag", "only-keeps", "engine-counts-a-use", "made-by-engine",
    "made-by-file-system", "only-target",
    "used-by-build", "own-container", "swarm-task", "infra-container", "unseen-services", "pause-image",
    "read-only-store", "no-ledger", "no-age-asked-for", "enough", "not-recoverable", "not-anonymous-local",
    "takes-no-space", "on-another-disk", "only-here", "not-in-saved-plan", "named-by-saved-plan",
    "unticked", "on-other-hosts", "not-archived",
]  # fmt: skip


PeriodName = Literal["hourly", "daily", "weekly", "monthly", "yearly"]
ProtectedBy = Literal["label", "name", "image", "project", "service", "pet"]
Belonging = Literal["certain", "doubtful", "used-last"]
"""How an object belongs to a compose project: certainly; doubtfully, as it may have inherited the label from its image;
or the project was the last one to use it."""


class Fact(Details, frozen=True, tag="fact"):
    """A fact about the object that needs no details."""

    name: FactName


class HeldBy(Details, frozen=True, tag="held-by"):
    """Another object holds it; with the code "released" that one is removed too."""

    relation: Relation
    kind: Kind
    id: str
    name: str
    state: str | None = None
    """The state of a container."""
    stopped_seconds: Number | None = None
    """How long ago a container stopped, or was created where it never ran; None where it runs or that is not known."""
    mounted_as: str | None = None
    """The name by which a container mounts an image, where it is not known which image that is."""


class Group(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The group in which a rule counts."""

    by: str
    """As in rules: "repository", "project" or "label:KEY"."""
    kind: Kind
    name: str | None = None
    """None for the group of objects without such a name."""


class Kept(Details, frozen=True, tag="kept"):
    """Its position among those that a keep rule counts from the newest on."""

    keep: Literal["last"] | PeriodName
    place: Number
    """Starts at 1."""
    group: Group | None = None
    """None where all matches of the rule are one group."""
    oldest: bool = False
    """Whether it is kept as the oldest of all, because the count is not reached."""
    as_new_as: bool = False
    """Whether it exceeds the count, but is as new as the one at this position."""
    of_all: bool = False
    """Whether the rule keeps all of them, so that no position is the last."""


class Beyond(Details, frozen=True, tag="beyond"):
    """Its position, counted from the newest on, beyond those that the rule keeps; the same rule removes it."""

    place: Number
    """Starts at 1."""
    count: Number
    """How many the rule keeps: keep.last."""
    group: Group | None = None
    """None where all matches of the rule are one group."""


class KeptWithin(Details, frozen=True, tag="kept-within"):
    """It is not much older than the newest of its group."""

    limit: str
    """As written: "30d"."""
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
    """A keep rule cannot count it without a date, and keeps it."""

    dated_at: Instant | None = None
    """Its date in the future; None where its date is not known."""
    is_image: bool = False


class Doubt(Details, frozen=True, tag="doubt"):
    """It is not known whether a rule matches it."""

    condition: str
    """The condition, as in rules: "recoverable", "exit_code"."""
    excludes: bool = False
    """Whether the condition is under "not"."""
    keeps: bool = False
    """Whether the rule keeps it because of the doubt."""


class Restart(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Whether a stopped container restarts by itself."""

    policy: str | None = None
    """None where it is not known."""
    restarts: bool | None = None
    """None where it is not known."""
    exit_code: int | None = None
    """Decisive for "on-failure"."""


class NotMatched(Details, frozen=True, tag="not-matched"):
    """It does not match a condition of a rule."""

    condition: str
    """As in rules: "state", "size_over"."""
    wanted: tuple[str | int, ...] | int | bool | None = None
    """The wanted patterns, values, size in bytes, or boolean."""
    has: str | int | None = None
    """What the object has instead; None where it has nothing, or that is not known."""
    restart: Restart | None = None
    """For the condition "restarts_by_itself"."""
    flag: str | None = None
    """The flag that removes such objects too."""


class Excluded(Details, frozen=True, tag="excluded"):
    """It matches a condition under "not"."""

    condition: str


class Protected(Details, frozen=True, tag="protected"):
    """It matches a pattern of the policy's protections."""

    by: ProtectedBy
    pattern: str
    source: str
    """The key or flag with the pattern: "protect.names"."""
    project: str | None = None
    """The compose project that the pattern matches."""
    how: Belonging | None = None
    """How the object belongs to that project."""


class OfProject(Details, frozen=True, tag="project"):
    """It belongs to a compose project, or may belong to one, or was last used by one."""

    project: str
    how: Belonging
    service: str | None = None
    files: tuple[str, ...] = ()
    """The compose files; empty where they are not known."""
    lost_its_tag: bool = False
    """Whether it is an image without a tag, which had the name of project and service."""


class OfRunningProject(Details, frozen=True, tag="project-runs"):
    """A container that has ended and will be started again with its compose project, of which another one runs."""

    project: str
    running: str
    """The name of a running container of the project."""


class DeclaredBy(Details, frozen=True, tag="declared-by"):
    """A file names it, so it is needed even if no container exists."""

    path: str
    line: Number | None = None
    by: str | None = None
    """What names it in the file: "service db"."""
    project: str | None = None
    """The compose project."""
    others: Number = 0
    """How many more files, or services in them, declare it."""


class OnlyKinds(Details, frozen=True, tag="only-kinds"):
    """Only objects of some kinds are selected."""

    kinds: tuple[Kind, ...]


class State(Details, frozen=True, tag="state"):
    """The container is in a state in which it cannot be removed."""

    state: str


class Scope(Details, frozen=True, tag="scope"):
    """The network is not only on this node."""

    scope: str


class Unread(Details, frozen=True, tag="unread"):
    """It could not be read in full."""

    problem: str


class NameBegins(Details, frozen=True, tag="name-begins"):
    """Podman could remove another volume instead, whose name begins with the name of this one."""

    volume: str


class ServiceUses(Details, frozen=True, tag="service"):
    """A service of the swarm names it."""

    service: str
    mode: str
    desired: Number | None = None
    running: Number | None = None
    completed: Number | None = None
    for_rollback: bool = False
    """Whether only the previous specification names it."""


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
    """Whether it is known to use this image."""


class Refused(Details, frozen=True, tag="refused"):
    """The engine refused to remove it in several runs."""

    runs: Number
    answer: str
    """The last answer of the engine."""
    retried_at: Instant


class Recoverable(Details, frozen=True, tag="recoverable"):
    """It can be pulled again."""

    digest: str | None = None
    """The reference to pull; None where that is not known."""
    asked_at: Instant | None = None
    """When a registry confirmed that it has the image; None where none was asked."""


class Unrecoverable(Details, frozen=True, tag="unrecoverable"):
    """Nothing brings it back once it is removed, and only what something does is to be removed."""

    why: str
    """Why nothing does: "no archive"."""


class ForSpace(Details, frozen=True, tag="space"):
    """It is removed for the space target, as the least recently used."""

    age: Aged | None = None


class OnlyByRule(Details, frozen=True, tag="only-by-rule"):
    """A container that may restart by itself is not removed for space."""

    restart: Restart


class Skipped(Details, frozen=True, tag="skipped"):
    """Its removal by a saved plan is not carried out."""

    why: str


class InWords(Details, frozen=True, tag="in-words"):
    """Only its sentence is known: it comes from an older version."""

    text: str


About = (
    Fact | HeldBy | Aged | Unwatched | AfterContainer | AgeUnknown | Candidate | Kept | Beyond | KeptWithin | KeptTag
    | KeptVersion | Undated | Doubt | NotMatched | Excluded | Protected | DeclaredBy | OnlyKinds | State | Scope
    | Unread | NameBegins | ServiceUses | OfPod | OfKubelet | ToolUses | Refused | Recoverable | ForSpace
    | OnlyByRule | OfProject | OfRunningProject | Skipped | Unrecoverable
)  # fmt: skip


class Reason(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Why an object is kept or removed."""

    code: ReasonCode
    """For machines. "released", "recoverable", "project", "only-here" and "beyond" follow "old-enough" with details of
    a removal; "beyond" is the position after those that the rule keeps. "kept": by a keep rule. "tag-goes": a tag is
    removed from an image that stays. "space": removed for the space target. "enough": the target would have removed it
    if less had been freed before. "marked": a candidate of a rule with remove.marked_for, kept until the time has
    passed; then it follows "old-enough". "refused": kept for a week after the engine refused the removal in three runs.
    "service": a swarm service names it. "unseen-services": one that cannot be seen may name it. "kubelet": belongs to
    Kubernetes. "project-runs": its compose project needs the container to start. "external": another tool in the same
    storage uses it. "read-only": in a store from which nothing can be removed. "unwatched": not known to be unused for
    as long as a rule asks, because too little of the time was watched. "unrecoverable": nothing brings it back, and
    with --only-recoverable such objects are kept."""
    rule: str
    """The rule, or what overrides all rules: "hard protection", "protected", "protection", "--kind"."""
    about: About | InWords
    """The details."""
    tag: str | None = None
    """The tag of an image, where not all of its tags have the same reasons."""
