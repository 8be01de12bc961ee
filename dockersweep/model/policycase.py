"""The types of a policy test as a file: a case, `NAME.toml`.

A case has objects, an instant `now` and the expected plan; `policy.testing` makes an inventory of it and compares. The
defaults are harmless: an object is 30 days old, has 1 MB and has always been watched.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from dockersweep.model.declared import DeclaredKind
from dockersweep.model.inventory import Kind, Labels, State
from dockersweep.model.last_use import UseAction
from dockersweep.model.recovery import How


class Moment(str):
    """A time in a case: an age before `now` ("3d"), a date, an instant, or "unknown"."""

    __slots__ = ()


SizeText = str
"""A size like "100MB", or "unknown"."""
Texts = str | list[str]
"""One, or several."""
ReasonTable = dict[str, Any]
"""Some keys of a reason: its code, rule and tag, and the fields of its `about`."""
Why = str | ReasonTable | list[str | ReasonTable]
"""One expected reason or several: a part of "RULE: TEXT", or some of its keys."""


class _Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table of the file: a key that it does not have is an error."""


class UseCase(_Table, frozen=True, kw_only=True):
    """One use of an object, as from events."""

    at: Moment
    action: UseAction = "exited"
    by: str | None = None
    """The name of the container: one of the case, or one that is gone."""
    project: str | None = None
    """The compose project of that container."""
    service: str | None = None


class WatchedCase(_Table, frozen=True, kw_only=True):
    """A time in which uses would have been noticed."""

    begins: Moment
    ends: Moment = Moment("0s")


class _ObjectTable(_Table, frozen=True, kw_only=True):
    """What every object of a case can have."""

    expect: Texts | None = None
    """"keep", "remove", or for an image that stays "untag TAG", one or several. Required."""
    why: Why | None = None
    """Reasons that the object has to have."""
    recovery: How | None = None
    """How its removal can be taken back."""
    size: SizeText | None = None
    created: Moment | None = None
    seen: Moment | None = None
    """First seen by dockersweep; by default, when it was created."""
    unused: Moment | None = None
    """First seen unused; by default, when it was first seen, unless something in the case uses it."""
    scans: Annotated[int, Meta(ge=1)] | None = None
    """How many scans in a row saw it unused."""
    uses: list[UseCase] = []
    """Its last uses, as from events."""
    refused: str | None = None
    """The engine's answer when it refused to remove it in the last three runs."""


class ContainerCase(_ObjectTable, frozen=True, kw_only=True):
    """A container; by default exited."""

    name: str
    id: str | None = None
    image: str | None = None
    """A tag, name or id of an image of the case; any other image was removed by force."""
    state: State = "exited"
    exit_code: int = 0
    started: Moment | None = None
    finished: Moment | None = None
    restart: str = "no"
    """Its restart policy, or "unknown"."""
    retries_left: bool = True
    """With the restart policy "on-failure": whether the engine would start it again."""
    labels: Labels = {}
    project: str | None = None
    """The compose project that created it; a label alone may be inherited from its image."""
    volumes: Texts = []
    binds: Texts = []
    images: Texts = []
    """Images that it mounts."""
    networks: Texts = []
    shares_with: Texts = []
    """Containers whose namespaces it joins."""
    logs: SizeText = "0B"
    unread: str | None = None
    """Why it could not be read in full."""
    runs_dockersweep: bool = False


class ImageCase(_ObjectTable, frozen=True, kw_only=True):
    """An image; without tags it needs a name for the case."""

    name: str | None = None
    id: str | None = None
    tags: Texts = []
    digests: Texts = []
    in_registry: bool | Literal["unknown"] | None = None
    """Whether a registry is known to have it; by default, if it has digests."""
    parent: str | None = None
    """A tag, name or id of the image that it was built from by the legacy builder."""
    built: Moment | None = None
    shared: SizeText | None = None
    """How much of it others have too; not together with `layers`."""
    layers: dict[str, SizeText] = {}
    """Its layers, the lowest first; images with the same layer share it."""
    labels: Labels = {}
    project: str | None = None
    last_projects: Texts = []
    """The compose projects that used it last, beside those that use it in the case."""


class VolumeCase(_ObjectTable, frozen=True, kw_only=True):
    """A volume; by default a person named it."""

    name: str
    driver: str = "local"
    labels: Labels = {}
    options: dict[str, str] = {}
    anonymous: bool = False
    project: str | None = None
    last_projects: Texts = []
    """The compose projects that used it last, beside those that use it in the case."""
    written: Moment | None = None
    """The newest time of a file in it."""
    free: bool = True
    """Whether the engine itself counts no use of it."""


class NetworkCase(_ObjectTable, frozen=True, kw_only=True):
    """A network; by default a person created it."""

    name: str
    id: str | None = None
    driver: str = "bridge"
    scope: str = "local"
    labels: Labels = {}
    project: str | None = None
    last_projects: Texts = []
    """The compose projects that used it last, beside those that use it in the case."""
    predefined: bool = False
    config_from: str | None = None
    config_only: bool = False


class RecordCase(_ObjectTable, frozen=True, kw_only=True):
    """A record of the build cache."""

    name: str
    """Its id."""
    type: str = "regular"
    description: str = ""
    parents: Texts = []
    in_use: bool = False
    shared: bool = False
    last_used: Moment | None = None


class ServiceCase(_Table, frozen=True, kw_only=True):
    """A service of the swarm that the engine manages; by default without tasks."""

    name: str
    mode: Literal["replicated", "global", "replicated-job", "global-job"] = "replicated"
    image: Texts = []
    """References by tag, by digest or by both."""
    volumes: Texts = []
    binds: Texts = []
    images: Texts = []
    """Images that it mounts."""
    networks: Texts = []
    running: int = 0
    desired: int = 0
    completed: int = 0
    is_previous: bool = False
    """Whether all this is the specification for a rollback, and the current one names nothing."""


class DeclaredCase(_Table, frozen=True, kw_only=True):
    """An object that a compose file or quadlet declares."""

    kind: DeclaredKind
    name: str
    """Its name on the engine; a glob where a variable of the file has no value."""
    file: str = "/srv/shop/compose.yaml"
    by: str | None = None
    """What names it in the file: "service db"."""


ObjectCase = ContainerCase | ImageCase | VolumeCase | NetworkCase | RecordCase


class EngineCase(_Table, frozen=True, kw_only=True):
    """The engine; by default Docker with the classic image store."""

    flavour: Literal["docker", "podman"] = "docker"
    image_store: str = "overlay2"


class DiskCase(_Table, frozen=True, kw_only=True):
    """A disk of the engine."""

    total: SizeText
    free: SizeText
    inodes: Annotated[int, Meta(ge=0)] | None = None
    free_inodes: Annotated[int, Meta(ge=0)] | None = None
    mount_point: str | None = None
    """Where it is mounted; required for several disks."""
    holds: Kind | list[Kind] = []
    """With several disks, the kinds on this one; the first disk has the rest."""


class FlagsCase(_Table, frozen=True, kw_only=True):
    """The flags of the command line that change the policy."""

    older_than: str | None = None
    kind: Kind | list[Kind] = []
    all_images: bool = False
    spare_local: bool = False
    named_volumes: bool = False
    keep_label: Texts = []
    keep_name: Texts = []
    keep_image: Texts = []
    max_objects: Annotated[int, Meta(ge=0)] | None = None
    max_bytes: SizeText | None = None
    max_share: str | None = None
    max_unrecoverable: Annotated[int, Meta(ge=0)] | None = None
    archive: bool = False
    only_recoverable: bool = False
    only_target: bool = False


class Expectation(_Table, frozen=True, kw_only=True):
    """The expectation for one object, mostly one of a saved inventory."""

    object: str
    """Kind and name, tag or id: "image app:3"."""
    verdict: Texts
    """Like `expect` of an object."""
    why: Why | None = None
    recovery: How | None = None


class PlanCase(_Table, frozen=True, kw_only=True):
    """The expectation for the plan as a whole; missing keys allow anything, except that no limit may be exceeded."""

    removes: Annotated[int, Meta(ge=0)] | None = None
    """How many objects are removed."""
    order: list[str] | None = None
    """The removed objects in order: kind and name, tag or id."""
    others: Literal["keep", "remove"] | None = None
    """The verdict on all objects without an expectation."""
    gives_back: Texts | None = None
    """How many bytes are freed: a size, or the least and the most."""
    limits: Texts | None = None
    """Parts of the messages about exceeded limits: "objects to remove"."""
    archived: Annotated[int, Meta(ge=0)] | None = None
    """How many objects go into the archive."""
    target: Literal["reached", "not reached", "not begun", "unknown"] | None = None
    """The verdict on the space target."""
    target_says: Texts | None = None
    """Parts of the message about the space target."""
    warnings: Texts | None = None
    """Parts of the warnings."""


class CaseFile(_Table, frozen=True, kw_only=True):
    """One case."""

    shows: Annotated[str, Meta(min_length=1)]
    """What it shows, in one sentence: "keeps the newest two of each repository"."""
    now: Annotated[datetime, Meta(tz=True)]
    """The instant at which ages are taken."""
    policy: str | dict[str, Any] | None = None
    """The path of a policy file, relative to the case; "default"; or the tables of a policy."""
    flags: FlagsCase | None = None
    inventory: str | None = None
    """The path of a saved `scan --format json`, relative to the case."""
    engine: EngineCase | None = None
    disk: DiskCase | list[DiskCase] | None = None
    """One disk, or all disks of the engine."""
    container: list[ContainerCase] = []
    image: list[ImageCase] = []
    volume: list[VolumeCase] = []
    network: list[NetworkCase] = []
    build_cache: list[RecordCase] = field(name="build-cache", default=[])
    service: list[ServiceCase] = []
    declared: list[DeclaredCase] = []
    """Objects that files declare; without any, and without files in the policy, no file was read."""
    services_are_seen: bool = True
    """False on a node of a swarm whose services cannot be seen, a worker."""
    watched: list[WatchedCase] = []
    """When uses would have been noticed; by default, always."""
    uses_are_seen: bool = True
    """False where uses would have been noticed only in the times of `watched`."""
    expect: list[Expectation] = []
    plan: PlanCase | None = None


class CaseResult(Struct, frozen=True, kw_only=True):
    """The result of one case."""

    file: str
    """Its path relative to the folder of the command line."""
    shows: str | None
    """None where the case could not be read."""
    policy: str | None
    """The name of the tested policy in the output, without flags; None where that could not be read."""
    result: Literal["passed", "failed", "broken"]
    told: tuple[str, ...]
    """The differences, or what is wrong with the case itself; empty where it passed."""
