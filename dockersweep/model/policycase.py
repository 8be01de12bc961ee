"""The nouns of a policy test as it is written: a case file, `NAME.toml`.

A case holds objects, an instant `now` and what is expected of the plan; `policy.cases` makes an inventory of it and
compares. Whatever is not written is harmless: an object is 30 days old, takes 1 MB and has been watched all the time.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from dockersweep.model.declared import DeclaredKind
from dockersweep.model.inventory import Kind, Labels, State
from dockersweep.model.last_use import UseAction


class Moment(str):
    """A time as a case writes it: an age before `now` ("3d"), a date, an instant, or "unknown"."""

    __slots__ = ()


SizeText = str
"""A size like "100MB", or "unknown"."""
Texts = str | list[str]
"""One, or several."""
ReasonTable = dict[str, Any]
"""Some of what a reason carries: its code, rule and tag, and the fields of what it is about."""
Why = str | ReasonTable | list[str | ReasonTable]
"""One expected reason, or several: a text that must stand in one as "RULE: TEXT", or what one must carry."""


class _Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table of the file: a key that it does not have is an error."""


class UseCase(_Table, frozen=True, kw_only=True):
    """One use of an object, as events told it."""

    at: Moment
    action: UseAction = "exited"
    by: str | None = None
    """The name of the container, one of the case or one that is gone."""
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
    """"keep", "remove", or for an image that stays "untag TAG", one or several. It must be written."""
    why: Why | None = None
    """The reasons that must be among those of the object."""
    size: SizeText | None = None
    created: Moment | None = None
    seen: Moment | None = None
    """First seen by dockersweep; where it is not written, as soon as it was there."""
    unused: Moment | None = None
    """First seen unused; where it is not written, as soon as it was seen, unless something here names it."""
    scans: Annotated[int, Meta(ge=1)] | None = None
    """How many scans in a row saw it unused."""
    uses: list[UseCase] = []
    """Its last uses, as events told them."""
    refused: str | None = None
    """What the engine said when it refused to remove it in the last three runs."""


class ContainerCase(_ObjectTable, frozen=True, kw_only=True):
    """A container; exited unless another state is written."""

    name: str
    id: str | None = None
    image: str | None = None
    """A tag, name or id of an image of the case; one that is not there was removed by force."""
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
    """The compose project that made it; a label alone may be its image's."""
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
    """An image; without tags it needs a name, by which the case can name it."""

    name: str | None = None
    id: str | None = None
    tags: Texts = []
    digests: Texts = []
    in_registry: bool | Literal["unknown"] | None = None
    """Whether a registry is known to have it; of one of which it is not written, where it has digests."""
    parent: str | None = None
    """A tag, name or id of the image that it was built from by the legacy builder."""
    built: Moment | None = None
    shared: SizeText | None = None
    """How much of it others hold too; not beside `layers`."""
    layers: dict[str, SizeText] = {}
    """Its layers from the lowest on; images that name the same layer share it."""
    labels: Labels = {}
    project: str | None = None
    last_projects: Texts = []
    """The compose projects that used it last; what uses it in the case counts without that."""


class VolumeCase(_ObjectTable, frozen=True, kw_only=True):
    """A volume; a person named it unless the case says that it is anonymous."""

    name: str
    driver: str = "local"
    labels: Labels = {}
    options: dict[str, str] = {}
    anonymous: bool = False
    project: str | None = None
    last_projects: Texts = []
    """The compose projects that used it last; what uses it in the case counts without that."""
    written: Moment | None = None
    """The newest time of a file in it."""
    free: bool = True
    """Whether the engine itself counts no use of it."""


class NetworkCase(_ObjectTable, frozen=True, kw_only=True):
    """A network that a person made."""

    name: str
    id: str | None = None
    driver: str = "bridge"
    scope: str = "local"
    labels: Labels = {}
    project: str | None = None
    last_projects: Texts = []
    """The compose projects that used it last; what uses it in the case counts without that."""
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
    """A service of the swarm that the engine manages; without tasks unless they are written."""

    name: str
    mode: Literal["replicated", "global", "replicated-job", "global-job"] = "replicated"
    image: Texts = []
    """References as a service has them, by tag, by digest or by both."""
    volumes: Texts = []
    binds: Texts = []
    images: Texts = []
    """Images that it mounts."""
    networks: Texts = []
    running: int = 0
    desired: int = 0
    completed: int = 0
    is_previous: bool = False
    """Whether all this is what a rollback goes back to, and it now names nothing."""


class DeclaredCase(_Table, frozen=True, kw_only=True):
    """What a compose file or quadlet declares."""

    kind: DeclaredKind
    name: str
    """As the engine calls it; a glob where a variable of the file has no value."""
    file: str = "/srv/shop/compose.yaml"
    by: str | None = None
    """What names it in the file: "service db"."""


ObjectCase = ContainerCase | ImageCase | VolumeCase | NetworkCase | RecordCase


class EngineCase(_Table, frozen=True, kw_only=True):
    """The engine; Docker with the classic image store unless something else is written."""

    flavour: Literal["docker", "podman"] = "docker"
    image_store: str = "overlay2"


class DiskCase(_Table, frozen=True, kw_only=True):
    """A disk that the engine lies on."""

    total: SizeText
    free: SizeText
    inodes: Annotated[int, Meta(ge=0)] | None = None
    free_inodes: Annotated[int, Meta(ge=0)] | None = None
    mount_point: str | None = None
    """Where it is mounted; of several disks each needs one."""
    holds: Kind | list[Kind] = []
    """The kinds that lie on it, of several disks; the first has those that no other does."""


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


class Expectation(_Table, frozen=True, kw_only=True):
    """What is expected of one object, mostly one of a saved inventory."""

    object: str
    """Kind and name, tag or id: "image app:3"."""
    verdict: Texts
    """As `expect` of an object."""
    why: Why | None = None


class PlanCase(_Table, frozen=True, kw_only=True):
    """What is expected of the plan as a whole; what is not written may be anything, but no limit may be exceeded."""

    removes: Annotated[int, Meta(ge=0)] | None = None
    """How many objects go."""
    order: list[str] | None = None
    """What goes, kind and name, tag or id, in the order of removal."""
    others: Literal["keep", "remove"] | None = None
    """What becomes of all objects of which the case does not speak."""
    gives_back: Texts | None = None
    """How many bytes are freed: a size, or the least and the most."""
    limits: Texts | None = None
    """What must stand in what is told of limits that are exceeded: "objects to remove"."""
    target: Literal["reached", "not reached", "not begun", "unknown"] | None = None
    """What becomes of the space target."""
    target_says: Texts | None = None
    """What must stand in what is told of the space target."""
    warnings: Texts | None = None
    """What must stand in the warnings."""


class CaseFile(_Table, frozen=True, kw_only=True):
    """One case."""

    shows: Annotated[str, Meta(min_length=1)]
    """What it shows, in one sentence: "keeps the newest two of each repository"."""
    now: Annotated[datetime, Meta(tz=True)]
    """The instant up to which ages are counted."""
    policy: str | dict[str, Any] | None = None
    """The path of a policy file, seen from the case; "default"; or the tables of a policy."""
    flags: FlagsCase | None = None
    inventory: str | None = None
    """The path of a saved `scan --format json`, seen from the case."""
    engine: EngineCase | None = None
    disk: DiskCase | list[DiskCase] | None = None
    """One, or several of which each has something of the engine."""
    container: list[ContainerCase] = []
    image: list[ImageCase] = []
    volume: list[VolumeCase] = []
    network: list[NetworkCase] = []
    build_cache: list[RecordCase] = field(name="build-cache", default=[])
    service: list[ServiceCase] = []
    declared: list[DeclaredCase] = []
    """What files declare; without any, and with no file in the policy, no file was read."""
    services_are_seen: bool = True
    """False on a node of a swarm whose services cannot be seen, a worker."""
    watched: list[WatchedCase] = []
    """When uses would have been noticed; where none is written, all the time."""
    uses_are_seen: bool = True
    """False where uses would not have been noticed at any time that is not written as watched."""
    expect: list[Expectation] = []
    plan: PlanCase | None = None


class CaseResult(Struct, frozen=True, kw_only=True):
    """What came of one case."""

    file: str
    """Its path below the folder that was asked for."""
    shows: str | None
    """None where the case could not be read."""
    policy: str | None
    """What outputs call the policy that it tests, flags left out; None where that could not be read."""
    result: Literal["passed", "failed", "broken"]
    told: tuple[str, ...]
    """What differs, or what is wrong with the case itself; empty where it passed."""
