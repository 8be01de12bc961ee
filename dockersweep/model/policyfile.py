"""The types of a policy file, `dockersweep.toml`, as written: the tables, their keys and values.

`policy.language.reading` reads one; `dockersweep schema policy` prints these types for editors, with the descriptions
of the keys; a test compares dockersweep.toml(5) with them.
"""

from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from dockersweep.model.inventory import Kind, State
from dockersweep.model.policy import Count, NotifyOn, WhenFull
from dockersweep.model.report import FindingId

# `reads` is the parser that language.key_checks uses for a text; `pattern` is for editors.
_AGE = Meta(
    extra={"reads": "age"},
    extra_json_schema={"pattern": r"^\s*(\d+(\.\d+)?\s*(mo|[smhdwy])\s*)+$", "examples": ["24h", "7d", "2w", "3mo"]},
)
_SIZE = Meta(
    extra={"reads": "size"},
    extra_json_schema={
        "pattern": r"^\s*\d+(\.\d+)?\s*([kKMGTP]i?)?B\s*$",
        "examples": ["500MB", "20GB", "20GiB"],
    },
)
_PERCENT = Meta(
    extra={"reads": "percent"}, extra_json_schema={"pattern": r"^\s*\d+(\.\d+)?\s*%\s*$", "examples": ["60%"]}
)
_SPACE = Meta(
    extra={"reads": "space"},
    extra_json_schema={"pattern": r"^\s*\d+(\.\d+)?\s*(%|([kKMGTP]i?)?B)\s*$", "examples": ["85%", "120GB"]},
)
_GROUP = Meta(extra={"reads": "group"}, extra_json_schema={"pattern": "^(repository|project|none|label:.+)$"})
_DURATION = {"pattern": r"^\s*(\d+(\.\d+)?\s*[smhdw]\s*)+$", "examples": ["30s", "10m", "1h"]}
_SCHEDULE = Meta(
    extra={"reads": "schedule"},
    extra_json_schema={
        "pattern": r"^\s*(never|daily\s+\d{1,2}:\d{2}|every\s+(\d+(\.\d+)?\s*[smhdw]\s*)+)\s*$",
        "examples": ["daily 04:00", "every 6h", "never"],
    },
)
_SOME = Meta(min_length=1)
_PATH = Meta(
    min_length=1,
    extra={"reads": "path"},
    extra_json_schema={"pattern": "^[/~]", "examples": ["/srv/*/compose.yaml"]},
)
_FOLDER = Meta(
    min_length=1,
    extra={"reads": "folder"},
    extra_json_schema={"pattern": "^[/~]", "examples": ["/srv/dockersweep"]},
)
AgeText = Annotated[str, _AGE]
SizeText = Annotated[str, _SIZE]
PercentText = Annotated[str, _PERCENT]
SpaceText = Annotated[str, _SPACE]
WaitText = Annotated[str, Meta(extra={"reads": "wait"}, extra_json_schema=_DURATION)]
TimeoutText = Annotated[str, Meta(extra={"reads": "timeout"}, extra_json_schema=_DURATION)]
ScheduleText = Annotated[str, _SCHEDULE]
PatternText = Annotated[str, Meta(min_length=1, extra={"reads": "pattern"})]
PairText = Annotated[str, Meta(min_length=1, extra={"reads": "pair"})]
Patterns = PatternText | Annotated[list[PatternText], _SOME]
"""One glob or /regular expression/, or several, of which any may match."""
PathText = Annotated[str, _PATH]
FolderText = Annotated[str, _FOLDER]
Paths = PathText | Annotated[list[PathText], _SOME]
"""One path or glob of files, or several."""
Pairs = PairText | Annotated[list[PairText], _SOME]
"""One KEY or KEY=VALUE, or several, of which any may match."""
NameText = Annotated[str, Meta(min_length=1, extra={"reads": "name"})]
UrlText = Annotated[
    str,
    Meta(
        min_length=1,
        extra={"reads": "url"},
        extra_json_schema={"pattern": "^[A-Za-z0-9]+://.", "examples": ["ntfys://topic", "mailtos://user:pass@host"]},
    ),
]

ArchivedKind = Literal["container", "image", "volume", "network"]
"""The kinds that an archive can have."""


def _says(text: str) -> Meta:
    return Meta(description=text)


class _Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table of the file: a key that it does not have is an error."""


class ProtectTable(_Table, frozen=True, kw_only=True):
    """What is never removed, whatever a rule says."""

    labels: Annotated[Pairs | None, _says("Labels, KEY or KEY=VALUE, on any kind; both sides may be globs.")] = None
    names: Annotated[Patterns | None, _says("Names of containers, volumes and networks, and tags of images.")] = None
    images: Annotated[Patterns | None, _says("Repositories, tags, digests or ids of images.")] = None
    projects: Annotated[Patterns | None, _says("Compose projects, with all that is theirs.")] = None
    services: Annotated[Patterns | None, _says("Services of a swarm, with what they name.")] = None
    compose_files: Annotated[
        Paths | None, _says("Compose files: the images, volumes and networks that they declare stay.")
    ] = None
    quadlets: Annotated[
        bool | Paths,
        _says("What Podman's quadlets declare stays: those in the standard folders with true, or files and folders."),
    ] = False
    younger_than: Annotated[AgeText | None, _says("Nothing younger goes, and nothing of unknown age.")] = None
    init_containers: Annotated[
        bool, _says("A container that has done its work stays while its compose project runs.")
    ] = True
    pets: Annotated[
        bool,
        _says("Development containers and cluster nodes stay: distrobox, toolbox, kind, minikube, devcontainer."),
    ] = True
    unseen_services: Annotated[
        bool, _says("Where the services of a swarm cannot be seen, what they may name stays.")
    ] = True


class LimitsTable(_Table, frozen=True, kw_only=True):
    """How much a run may remove: if any limit is exceeded, nothing is removed, and the exit status is 4."""

    objects: Annotated[Annotated[int, Meta(ge=0)] | None, _says("The number of objects, of all kinds together.")] = None
    bytes: Annotated[SizeText | None, _says("The bytes that would be freed.")] = None
    share: Annotated[PercentText | None, _says("The share of all objects of a kind.")] = None
    unrecoverable: Annotated[
        Annotated[int, Meta(ge=0)] | None, _says("The number of objects that nothing brings back.")
    ] = None


class MatchTable(_Table, frozen=True, kw_only=True):
    """What a rule matches: any value of a key is enough, and all keys have to match."""

    name: Annotated[Patterns | None, _says("The name; of an image each of its tags.")] = None
    repository: Annotated[Patterns | None, _says("The repository of an image, without its tag.")] = None
    tag: Annotated[Patterns | None, _says("The tag of an image, without its repository.")] = None
    digest: Annotated[Patterns | None, _says("The reference of an image by digest, whole or from sha256: on.")] = None
    labels: Annotated[Pairs | None, _says("Labels, KEY or KEY=VALUE; both sides may be globs.")] = None
    project: Annotated[Patterns | None, _says("The compose project.")] = None
    service: Annotated[Patterns | None, _says("The services of the swarm that name it.")] = None
    declared: Annotated[
        bool | None, _says("Whether a file of protect.compose_files or protect.quadlets declares it.")
    ] = None
    state: Annotated[State | Annotated[list[State], _SOME] | None, _says("The state of a container.")] = None
    exit_code: Annotated[int | Annotated[list[int], _SOME] | None, _says("The exit code of a container.")] = None
    driver: Annotated[Patterns | None, _says("The driver of a volume or a network.")] = None
    options: Annotated[Pairs | None, _says("Mount options of a volume, KEY or KEY=VALUE; both sides may be globs.")] = (
        None
    )
    type: Annotated[Patterns | None, _says("The type of a build-cache record.")] = None
    size_over: Annotated[SizeText | None, _says("Larger than this; of what is of unknown size nothing is.")] = None
    size_under: Annotated[SizeText | None, _says("Smaller than this; of what is of unknown size nothing is.")] = None
    anonymous: Annotated[bool | None, _says("Whether a volume has no name that a person gave it.")] = None
    has_options: Annotated[bool | None, _says("Whether a volume has mount options: its data may be elsewhere.")] = None
    tagged: Annotated[bool | None, _says("Whether an image has a tag.")] = None
    recoverable: Annotated[bool | None, _says("Whether an image can be pulled again: it was pulled, or pushed.")] = None
    restarts_by_itself: Annotated[
        bool | None,
        _says("Whether a container starts again: always, unless-stopped, or on-failure after a failure."),
    ] = None


class KeepTable(_Table, frozen=True, kw_only=True):
    """What the rule keeps of its matches, counted from the newest on; any one of these is enough."""

    group_by: Annotated[
        Annotated[str, _GROUP] | None,
        _says('What is counted by itself: "repository" (images, the default there), "project", "label:KEY" or "none".'),
    ] = None
    last: Annotated[
        Annotated[int, Meta(ge=0)] | Literal["all"] | None, _says("So many of the newest; of images, not of tags.")
    ] = None
    within: Annotated[AgeText | None, _says("Those that are at most so much older than the newest.")] = None
    hourly: Annotated[Count | None, _says("The newest of each of the last so many hours that have one.")] = None
    daily: Annotated[Count | None, _says("The same for days.")] = None
    weekly: Annotated[Count | None, _says("The same for weeks, from Monday on.")] = None
    monthly: Annotated[Count | None, _says("The same for months.")] = None
    yearly: Annotated[Count | None, _says("The same for years.")] = None
    tags: Annotated[Patterns | None, _says("Tags of images, without their repositories.")] = None
    majors: Annotated[Count | None, _says("The newest version of each of the last so many major versions.")] = None
    minors: Annotated[Count | None, _says("The newest patch of each of the last so many minor versions.")] = None


class RemoveTable(_Table, frozen=True, kw_only=True):
    """When the rule removes what it matches and does not keep: all of these have to be met."""

    older_than: Annotated[AgeText | None, _says("The age that tables show; 0s asks for none.")] = None
    unused_for: Annotated[
        AgeText | None, _says("Known to be unused for so long, at least half of which was watched.")
    ] = None
    stopped_for: Annotated[AgeText | None, _says("Since a container stopped, or was created and never started.")] = None
    before: Annotated[date | None, _says("The time that the age counts from lies before this date, in UTC.")] = None
    built_before: Annotated[date | None, _says("The build of an image lies before this date.")] = None
    built_over: Annotated[AgeText | None, _says("The build of an image is so long ago.")] = None
    created_over: Annotated[AgeText | None, _says("The creation is so long ago; not of images.")] = None
    after_container: Annotated[
        bool | None, _says("Ages count from the removal of the last container that holds it; without it it goes along.")
    ] = None
    marked_for: Annotated[AgeText | None, _says("A candidate in every run for so long.")] = None


class RuleTable(_Table, frozen=True, kw_only=True):
    """A rule: what it matches, which of that it keeps, and when it removes the rest."""

    name: Annotated[str, Meta(min_length=1), _says("What the output calls the rule.")]
    kind: Annotated[Kind | Annotated[list[Kind], _SOME], _says("The kind of object it matches, or several.")]
    match: Annotated[MatchTable | None, _says("What it matches: all keys must hold.")] = None
    not_: Annotated[MatchTable | None, _says("What it does not match: any one key is enough.")] = field(
        default=None, name="not"
    )
    keep: Annotated[KeepTable | None, _says("What it keeps, whatever other rules say.")] = None
    remove: Annotated[RemoveTable | None, _says("When it removes the rest. Without it the rule only keeps.")] = None
    everything: Annotated[
        bool, _says("Says that the rule is meant to match everything of its kind and to keep nothing of it.")
    ] = False


class TargetTable(_Table, frozen=True, kw_only=True):
    """Space that has to be free: if the rules do not free enough, the least recently used objects are removed too."""

    start_above: Annotated[
        SpaceText | None,
        _says("Begin when more is used: a share of a disk that these kinds lie on, or a size held there."),
    ] = None
    stop_below: Annotated[SpaceText | None, _says("End when no more than this is used; start_above if left out.")] = (
        None
    )
    inodes_above: Annotated[PercentText | None, _says("Begin when more of the disk's inodes are used.")] = None
    inodes_below: Annotated[PercentText | None, _says("End when no more of them are used.")] = None
    max_used: Annotated[SpaceText | None, _says("What the engine may hold at the most (BuildKit's maxUsedSpace).")] = (
        None
    )
    min_free: Annotated[SpaceText | None, _says("What must be free on its disk (BuildKit's minFreeSpace).")] = None
    reserved: Annotated[SpaceText | None, _says("What it may always hold (BuildKit's reservedSpace).")] = None
    free: Annotated[SizeText | None, _says("Free so many bytes now, however much is free.")] = None
    order: Annotated[Annotated[list[Kind], _SOME] | None, _says("The kinds that may go, one after the other.")] = None
    spare_registry_less: Annotated[
        bool | Literal["last", "never"],
        _says("Images that cannot be pulled again go last (true is the same), or never."),
    ] = False
    older_than: Annotated[AgeText, _says("Nothing younger goes for the target.")] = "1h"


class ArchiveTable(_Table, frozen=True, kw_only=True):
    """What is archived before it is removed, so that `dockersweep restore` gives it back."""

    folder: Annotated[FolderText | None, _says("Its folder; archive/ beside the ledger if left out.")] = None
    kinds: Annotated[
        Annotated[list[ArchivedKind], _SOME] | None,
        _says('What is archived, and images that no registry has; with "image" all of them.'),
    ] = None
    keep_for: Annotated[AgeText, _says("How long it stays there.")] = "14d"
    max_size: Annotated[SizeText | None, _says("The most that the archive may take: the oldest goes first.")] = None
    min_free: Annotated[SpaceText, _says("What stays free on the disk of the archive.")] = "10%"
    when_full: Annotated[
        WhenFull, _says('What becomes of an object without room there: it stays ("keep"), or it goes without.')
    ] = "keep"


class WatchTable(_Table, frozen=True, kw_only=True):
    """When `dockersweep watch` acts."""

    sweep: Annotated[ScheduleText, _says("When the rules are carried out, by the local time of the machine.")] = (
        "daily 04:00"
    )
    splay: Annotated[
        WaitText | None, _says("Up to how much later, always the same on one machine; 1h, or the interval if shorter.")
    ] = None
    settle: Annotated[
        WaitText, _says("Nothing is removed while a pull, load, import, build or commit ended within this time.")
    ] = "2m"
    settle_at_most: Annotated[
        WaitText | None, _says("How long a sweep waits for that; 5m, or settle if that is longer.")
    ] = None
    backoff: Annotated[
        WaitText, _says("How long after a sweep that missed its target, or failed, none is made for space.")
    ] = "10m"


class RegistriesTable(_Table, frozen=True, kw_only=True):
    """Requests to registries: none, unless this table says so."""

    ask: Annotated[bool, _says("Ask registries whether they still have the images that could be removed.")] = False


class ReportTable(_Table, frozen=True, kw_only=True):
    """Settings of `dockersweep report`."""

    silence: Annotated[
        FindingId | Annotated[list[FindingId], _SOME] | None, _says("The ids of findings that are not to be told.")
    ] = None


class NotifyTable(_Table, frozen=True, kw_only=True):
    """Who is told how a sweep, or an apply, ended."""

    command: Annotated[
        Annotated[list[NameText], _SOME] | None,
        _says("A program, by its absolute path, and its arguments: it gets the outcome as JSON on standard input."),
    ] = None
    urls: Annotated[
        UrlText | Annotated[list[UrlText], _SOME] | None,
        _says("Addresses of services, as apprise takes them, or one; with the extra dockersweep[notify]."),
    ] = None
    on: Annotated[
        NotifyOn | Annotated[list[NotifyOn], _SOME] | None,
        _says("After which runs: removed, failed, target-missed (these three if left out), silent (none of them)."),
    ] = None
    timeout: Annotated[TimeoutText, _says("How long the program, and all services together, may take.")] = "30s"


class PolicyFile(_Table, frozen=True, kw_only=True):
    """A policy file. What neither a rule nor the target removes is kept."""

    version: Annotated[Literal[1], _says("The version of this language.")]
    protect: Annotated[ProtectTable | None, _says("What is never removed.")] = None
    limits: Annotated[LimitsTable | None, _says("How much may go at the most.")] = None
    rule: Annotated[list[RuleTable], _says("The rules, judged in this order.")] = []
    target: Annotated[TargetTable | None, _says("Space that must be free.")] = None
    archive: Annotated[ArchiveTable | None, _says("What is archived before it is removed.")] = None
    watch: Annotated[WatchTable | None, _says("When `dockersweep watch` acts.")] = None
    registries: Annotated[RegistriesTable | None, _says("What is asked of registries.")] = None
    report: Annotated[ReportTable | None, _says("What `dockersweep report` tells.")] = None
    notify: Annotated[NotifyTable | None, _says("Who is told how a run ended.")] = None
    removes_nothing: Annotated[bool, _says("Says that a file without a rule and a target is meant.")] = False


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema of a policy file, for editors."""
    return schema_of_toml(PolicyFile, "dockersweep.toml")


def schema_of_toml(table: type[Struct], title: str) -> dict[str, Any]:
    """Return the JSON Schema of a TOML file, without null, which TOML does not have."""
    schema: dict[str, Any] = _without_null(msgspec.json.schema(table))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema}


def _without_null(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_null(item) for item in schema if item != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    cleaned = {key: _without_null(value) for key, value in schema.items() if not (key == "default" and value is None)}
    choices = cleaned.get("anyOf", ())
    if len(choices) == 1:
        del cleaned["anyOf"]
        cleaned = {**choices[0], **cleaned}
    return cleaned
