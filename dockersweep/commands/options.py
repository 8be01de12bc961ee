"""The typed options of each verb. Only `options_of`, which makes them, knows argparse's namespace."""

import argparse
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from msgspec import Struct

from dockersweep.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from dockersweep.engine.api.client import Client
    from dockersweep.model.engine_address import TlsFlags
    from dockersweep.model.inventory import Kind
    from dockersweep.model.report import Severity
    from dockersweep.policy.language.flags import PolicyFlags
    from dockersweep.report.detail import Detail
    from dockersweep.units import Age

T = TypeVar("T", bound=Struct)
LogFormat = Literal["text", "json", "journal"]
SwarmVerb = Literal["scan", "plan", "report", "sweep"]


class EngineOptions(Struct, frozen=True, kw_only=True):
    """What is read, an engine or a saved inventory, and how."""

    host: str | None
    context: str | None
    tls: "TlsFlags | None"
    """None if no TLS flag is given."""
    inventory: str | None
    """The path of a saved inventory."""
    reads_sizes: bool
    size_timeout_seconds: float
    engine_timeout_seconds: float
    """The limit for every other answer, and for waiting for an engine that went away during a sweep."""
    uses_ledger: bool
    shows_progress: bool
    """Whether a terminal may get a progress bar: not among events for programs, nor with --only-problems."""
    connect_timeout_seconds: float | None = None
    """How long the engine may take to answer at first; None for as long as a connection and any answer may."""
    host_name: str | None = None
    """The name that a fleet file gives this one of several hosts."""
    on_answer: "Callable[[Client], None] | None" = None
    """Called as soon as the engine has answered; it may raise. Set for one of several hosts, which asks nobody
    anything."""

    @property
    def names_engine(self) -> bool:
        """Whether a flag names an engine."""
        return self.host is not None or self.context is not None or self.tls is not None


class OutputOptions(Struct, frozen=True, kw_only=True):
    """Where the result goes, and the formats of the result and of events."""

    format: str
    path: str | None
    """None or "-" for standard output."""
    log_format: LogFormat

    @property
    def goes_to_file(self) -> bool:
        """Whether the result goes to a file, where nobody sees it immediately."""
        return self.path not in (None, "-")


class PolicyOptions(Struct, frozen=True, kw_only=True):
    """The policy in force, and the flags that change it."""

    path: str | None
    """The value of --policy; None if it is not given."""
    flags: "PolicyFlags"


class ScanOptions(Struct, frozen=True, kw_only=True):
    """The options of `scan`."""

    engine: EngineOptions
    output: OutputOptions
    kinds: "tuple[Kind, ...]"
    """Empty for all kinds."""
    filters: tuple[tuple[str, str], ...]
    """(key, value) pairs."""
    all: bool
    """Whether objects in use are listed too."""
    detail: "Detail"
    """With "all" every object has a row, with its compose project."""
    quiet: bool
    """Whether only ids are listed."""
    sort: Literal["size", "age", "name"] | None
    header: bool

    @property
    def selects(self) -> bool:
        """Whether any flag selects or sorts objects."""
        return bool(self.kinds or self.filters or self.all or self.sort or not self.header)


class PlanOptions(Struct, frozen=True, kw_only=True):
    """The options of `plan`, and of `sweep --dry-run`."""

    engine: EngineOptions
    policy: PolicyOptions
    output: OutputOptions
    detail: "Detail"
    quiet: bool
    only_problems: bool
    """Whether nothing else is printed; a file is always written."""
    exit_code: bool
    interactive: bool
    """Whether a person reviews the plan on a screen first."""
    confirm_engine: str | None
    at: "Age | datetime | None"
    """The instant of the plan, or its age counted from the scan; None for now."""
    within: "Age | None"
    """How far ahead to show what would be removed later; None for not at all."""


class RunOptions(Struct, frozen=True, kw_only=True):
    """The options that `sweep` and `apply` share: how a plan is carried out."""

    verb: str
    engine: EngineOptions
    output: OutputOptions
    yes: bool
    interactive: bool
    """Whether a person reviews the plan on a screen, in place of the question."""
    policy: str | None
    """As --policy has it; None where that is not given."""
    detail: "Detail"
    """The detail of the plan above the question; with "all" the plan also precedes the outcome."""
    quiet: bool
    only_problems: bool
    confirm_engine: str | None
    yes_first_time: bool
    lock_timeout_seconds: float
    removal_timeout_seconds: float
    audit_log: str | None
    """A path, or "journal"."""
    require_ledger: bool
    keep_history: "Age"
    notifies: bool
    """Whether those are told whom the policy names."""
    caller_tells: bool = False
    """Whether what started this run says itself what warnings there are, that it stops, and how it ended."""
    on_untold: "Callable[[str], None] | None" = None
    """Called with why somebody could not be told, in place of a warning on standard error. Set for one of several
    hosts, whose standard error nobody reads."""


class SweepOptions(Struct, frozen=True, kw_only=True):
    """The options of `sweep`."""

    run: RunOptions
    policy: PolicyOptions
    dry_run: bool
    plan: PlanOptions
    """The options of a dry run."""


class ApplyOptions(Struct, frozen=True, kw_only=True):
    """The options of `apply`."""

    run: RunOptions
    policy: PolicyOptions
    plan: str
    """The path of the saved plan, "-" for standard input."""
    max_age: "Age"


class WatchOptions(Struct, frozen=True, kw_only=True):
    """The options of `watch`."""

    run: RunOptions
    """Those of its sweeps."""
    policy: PolicyOptions
    interval_seconds: float
    """How often it looks how full the disks are."""
    listen: str | None
    """Where it serves its metrics: "127.0.0.1:9180", "unix:/run/x.sock"."""
    listen_any: bool
    """Whether that may be an address that others can reach."""
    metrics_file: str | None
    command_line: tuple[str, ...]
    """The words that it was called with, which its sweeps get too."""


class ReportOptions(Struct, frozen=True, kw_only=True):
    """The options of `report`."""

    engine: EngineOptions
    policy: PolicyOptions
    output: OutputOptions
    fail_on: "Severity | None"
    quiet: bool
    """Whether nothing is written unless `fail_on` is reached; a file is always written."""
    only_problems: bool


class ExplainOptions(Struct, frozen=True, kw_only=True):
    """The options of `explain`."""

    engine: EngineOptions
    policy: PolicyOptions
    output: OutputOptions
    object: str


class HistoryOptions(Struct, frozen=True, kw_only=True):
    """The options of `history`."""

    host: str | None
    context: str | None
    tls: "TlsFlags | None"
    output: OutputOptions
    run: int | Literal["verify"] | None
    object: str | None
    since: str | None
    endpoints: tuple[str, ...] | None = None
    """The URLs of the engines of several hosts; None for those that the flags name, or all."""


class RestoreOptions(Struct, frozen=True, kw_only=True):
    """The options of `restore`."""

    engine: EngineOptions
    output: OutputOptions
    policy: str | None
    """As --policy has it: its archive is looked into; None where that is not given."""
    what: str
    """The number of a run, its folder in the archive, or an object."""
    run: int | None
    """The run that removed the object; None for the latest."""
    as_name: str | None
    archive: str | None
    """The folder of the archive, absolute; None for those of the ledger and of the policy."""
    dry_run: bool
    yes: bool
    confirm_engine: str | None
    lock_timeout_seconds: float
    restore_timeout_seconds: float
    """The limit for making one object, but for the time that its contents are on their way."""


class SwarmOptions(Struct, frozen=True, kw_only=True):
    """The options of `swarm`."""

    engine: EngineOptions
    """The manager."""
    output: OutputOptions
    policy: str | None
    """As --policy has it; None where that is not given."""
    verb: SwarmVerb
    """The verb that runs on the nodes."""
    on_node: "ScanOptions | PlanOptions | ReportOptions | SweepOptions"
    """Its options there."""
    words: tuple[str, ...]
    """The command line of a node: "swarm", the verb, and what flags of it are for the node."""
    image: str | None
    constraints: tuple[str, ...]
    volume: str
    user: str | None
    groups: tuple[str, ...]
    timeout_seconds: float
    allow_unreached: int
    detail: "Detail"
    yes: bool
    """Whether a sweep does not ask."""
    parallel: int | None
    """How many nodes a sweep has at work at the same time; None for all, or as a limit of failures needs it."""
    canary: int
    """How many nodes a sweep begins with."""
    max_failures: str | None
    """A number, or a share with its %."""
    as_task: str | None
    """The id of a run, in a task of its job."""
    is_looked_at: bool
    """In a task: whether a person sees the result on a terminal."""
    keeps_plan: bool
    """In a task of a sweep: whether it only plans, and keeps the plan."""
    of_plan: str | None
    """In a task of a sweep: the run whose plan it carries out."""


class PolicyVerbOptions(Struct, frozen=True, kw_only=True):
    """The options of `policy`."""

    engine: EngineOptions
    policy: PolicyOptions
    output: OutputOptions
    action: str
    path: str | None
    """The file to check or show; for a test a folder with cases, one case, or a policy beside its cases."""


class FleetOptions(Struct, frozen=True, kw_only=True):
    """The options of `fleet`."""

    names_engine: bool
    policy: PolicyOptions
    """The policy by which inventories are judged."""
    output: OutputOptions
    action: Literal["report", "query"]
    sql: str | None
    """None for a report."""
    folder: str


class ArchiveOptions(Struct, frozen=True, kw_only=True):
    """The options of `archive`."""

    names_engine: bool
    policy: str | None
    """As --policy has it; None where that is not given."""
    output: OutputOptions
    action: Literal["list", "show", "verify", "prune", "drop"]
    run: str | None
    """The number of a run, or the name of its folder."""
    folder: str | None
    """The folder of the archive; None for that of the policy."""
    dry_run: bool
    yes: bool


class SchemaOptions(Struct, frozen=True, kw_only=True):
    """The options of `schema`."""

    output: OutputOptions
    name: str


class CompletionOptions(Struct, frozen=True, kw_only=True):
    """The options of `completion`."""

    host: str | None
    context: str | None
    tls: "TlsFlags | None"
    output: OutputOptions
    shell: Literal["bash", "zsh", "fish", "names"]
    build_parser: Callable[[], argparse.ArgumentParser]
    """Builds the parser that the script is generated from: verbs do not import it."""


class DockerPluginOptions(Struct, frozen=True, kw_only=True):
    """The options of `docker-plugin`."""

    output: OutputOptions
    action: Literal["install", "remove"]
    system: bool
    """Whether it is for all users."""


class ManOptions(Struct, frozen=True, kw_only=True):
    """The options of `man`."""

    output: OutputOptions
    page: str


class SeveralOptions(Struct, frozen=True, kw_only=True):
    """Which hosts a verb is for, if for several, and how it goes from one to the next."""

    hosts: tuple[str, ...]
    contexts: tuple[str, ...]
    all_contexts: bool
    fleet: str | None
    """The path of a fleet file."""
    tls: "TlsFlags | None"
    group: tuple[str, ...]
    only: tuple[str, ...]
    but: tuple[str, ...]
    """The globs of --not."""
    parallel: int | None
    connect_timeout_seconds: float | None
    allow_unreached: int
    canary: int | None
    max_failures: str | None
    """A number, or a share with its %."""
    splay_seconds: float | None


Options = (
    ScanOptions
    | PlanOptions
    | SweepOptions
    | ApplyOptions
    | WatchOptions
    | ReportOptions
    | ExplainOptions
    | HistoryOptions
    | RestoreOptions
    | SwarmOptions
    | PolicyVerbOptions
    | FleetOptions
    | ArchiveOptions
    | SchemaOptions
    | CompletionOptions
    | DockerPluginOptions
    | ManOptions
)


def options_of(arguments: argparse.Namespace) -> Options:
    """Return the options of the verb on the command line."""
    return _OPTIONS[arguments.verb](arguments)


def several_of(arguments: argparse.Namespace) -> SeveralOptions | None:
    """Return the hosts of a command line that is for several; None for one engine.

    Raises UsageError for flags of several hosts where there is one, or where the verb takes only one.
    """
    each = arguments.each
    is_for_several = (
        len(each["host"]) + len(each["context"]) > 1 or arguments.all_contexts or arguments.fleet is not None
    )
    given = [flag for flag, dest in _ONLY_FOR_SEVERAL.items() if getattr(arguments, dest, None) not in (None, 0)]
    if not getattr(arguments, "takes_several", False):
        # Other flags of these it may have itself, as swarm has --canary.
        names = [flag for flag in given if flag in _NAMES_SEVERAL]
        if names or is_for_several:
            raise UsageError(f"{arguments.verb} takes one engine: leave out {(names or ['the others'])[0]}")
        return None
    if not is_for_several:
        if given:
            raise UsageError(f"{given[0]} is for several hosts: name them by -H, -c, --all-contexts or --fleet")
        return None
    return SeveralOptions(
        hosts=each["host"],
        contexts=each["context"],
        all_contexts=bool(arguments.all_contexts),
        fleet=arguments.fleet,
        tls=_tls(arguments),
        group=each["group"],
        only=each["only"],
        but=each["but"],
        parallel=getattr(arguments, "parallel", None),
        connect_timeout_seconds=_seconds(getattr(arguments, "connect_timeout", None)),
        allow_unreached=getattr(arguments, "allow_unreached", 0),
        canary=getattr(arguments, "canary", None),
        max_failures=getattr(arguments, "max_failures", None),
        splay_seconds=_seconds(getattr(arguments, "splay", None)),
    )


_NAMES_SEVERAL = ("--all-contexts", "--fleet", "--group", "--only", "--not")
"""The flags of every verb that name several hosts."""
_ONLY_FOR_SEVERAL = {
    "--all-contexts": "all_contexts",
    "--fleet": "fleet",
    "--group": "group",
    "--only": "only",
    "--not": "but",
    "--parallel": "parallel",
    "--allow-unreached": "allow_unreached",
    "--canary": "canary",
    "--max-failures": "max_failures",
    "--splay": "splay",
}
"""Flag -> its argument."""


def _made(options: type[T], arguments: argparse.Namespace, **others: Any) -> T:
    """Return options; those not in `others` are the arguments of the same names."""
    names = set(options.__struct_fields__) - others.keys()
    return options(**others, **{name: getattr(arguments, name) for name in names})


def _engine(arguments: argparse.Namespace) -> EngineOptions:
    return EngineOptions(
        host=arguments.host,
        context=arguments.context,
        tls=_tls(arguments),
        inventory=arguments.inventory,
        reads_sizes=arguments.sizes,
        size_timeout_seconds=arguments.size_timeout.seconds,
        engine_timeout_seconds=arguments.engine_timeout.seconds,
        uses_ledger=arguments.ledger,
        shows_progress=arguments.log_format == "text" and not arguments.only_problems,
        connect_timeout_seconds=_seconds(getattr(arguments, "connect_timeout", None)),
    )


def _seconds(duration: "Age | None") -> float | None:
    return None if duration is None else duration.seconds


def _tls(arguments: argparse.Namespace) -> "TlsFlags | None":
    given = {
        "verify": arguments.tlsverify,
        "ca": arguments.tlscacert,
        "cert": arguments.tlscert,
        "key": arguments.tlskey,
    }
    if not any(value is not None for value in given.values()):
        return None
    # Imported late: few command lines have TLS flags.
    from dockersweep.model.engine_address import TlsFlags

    return TlsFlags(**{name: value for name, value in given.items() if value is not None})


def _output(arguments: argparse.Namespace) -> OutputOptions:
    output = OutputOptions(format=arguments.format, path=arguments.output, log_format=arguments.log_format)
    if output.format == "parquet":
        # Imported late: it is the one format that needs more than a terminal.
        from dockersweep.commands.row_output import require_parquet

        require_parquet(output.goes_to_file)
    return output


def _policy(arguments: argparse.Namespace) -> PolicyOptions:
    # Imported late: a completing shell waits, and needs none of this.
    from dockersweep.policy.language.flags import PolicyFlags

    flags = _made(
        PolicyFlags,
        arguments,
        kinds=_kinds(arguments),
        keep_labels=tuple(arguments.keep_label),
        keep_names=tuple(arguments.keep_name),
        keep_images=tuple(arguments.keep_image),
        archive=_archive(arguments.archive),
    )
    return PolicyOptions(path=arguments.policy, flags=flags)


def _archive(given: str | bool | None) -> str | Literal[False] | None:
    """Return the flag of the archive as policies have it, with an absolute path: runs elsewhere have another directory
    to work in."""
    if given is True:
        return ""
    return os.path.abspath(given) if given else given


def _kinds(arguments: argparse.Namespace) -> "tuple[Kind, ...]":
    """Return the requested kinds; empty is all of them. Raises UsageError where --not-kind leaves none."""
    if not arguments.not_kind:
        return tuple(arguments.kind)
    from dockersweep.model.inventory import KINDS

    left = tuple(kind for kind in arguments.kind or KINDS if kind not in arguments.not_kind)
    if not left:
        raise UsageError("--not-kind leaves no kind: leave out one of them")
    return left


def _common(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options of every verb that judges objects."""
    return {"engine": _engine(arguments), "policy": _policy(arguments), "output": _output(arguments)}


def _of_scan(arguments: argparse.Namespace) -> ScanOptions:
    kinds, filters = _kinds(arguments), tuple(arguments.filter)
    reading = {"engine": _engine(arguments), "output": _output(arguments)}
    return _made(ScanOptions, arguments, **reading, kinds=kinds, filters=filters)


def _of_plan(arguments: argparse.Namespace) -> PlanOptions:
    return _made(PlanOptions, arguments, **_common(arguments))


def _run(arguments: argparse.Namespace) -> RunOptions:
    return _made(
        RunOptions,
        arguments,
        engine=_engine(arguments),
        output=_output(arguments),
        lock_timeout_seconds=arguments.lock_timeout.seconds,
        removal_timeout_seconds=arguments.removal_timeout.seconds,
        on_untold=None,
        caller_tells=False,
    )


def _of_sweep(arguments: argparse.Namespace) -> SweepOptions:
    plan = _of_plan(arguments)
    return SweepOptions(run=_run(arguments), policy=plan.policy, dry_run=arguments.dry_run, plan=plan)


def _of_apply(arguments: argparse.Namespace) -> ApplyOptions:
    return ApplyOptions(run=_run(arguments), policy=_policy(arguments), plan=arguments.plan, max_age=arguments.max_age)


def _of_watch(arguments: argparse.Namespace) -> WatchOptions:
    return _made(
        WatchOptions,
        arguments,
        run=_run(arguments),
        policy=_policy(arguments),
        interval_seconds=arguments.interval.seconds,
    )


def _of_report(arguments: argparse.Namespace) -> ReportOptions:
    return _made(ReportOptions, arguments, **_common(arguments))


def _of_explain(arguments: argparse.Namespace) -> ExplainOptions:
    return _made(ExplainOptions, arguments, **_common(arguments))


def _of_history(arguments: argparse.Namespace) -> HistoryOptions:
    return HistoryOptions(
        host=arguments.host,
        context=arguments.context,
        tls=_tls(arguments),
        output=_output(arguments),
        run=arguments.run,
        object=arguments.object,
        since=arguments.since,
    )


def _of_restore(arguments: argparse.Namespace) -> RestoreOptions:
    if arguments.what == "":
        raise UsageError("what to restore is empty: write the number of a run, or a name, a tag or KIND:NAME")
    return _made(
        RestoreOptions,
        arguments,
        engine=_engine(arguments),
        output=_output(arguments),
        archive=None if arguments.archive is None else os.path.abspath(arguments.archive),
        lock_timeout_seconds=arguments.lock_timeout.seconds,
        restore_timeout_seconds=arguments.restore_timeout.seconds,
    )


def _of_swarm(arguments: argparse.Namespace) -> SwarmOptions:
    verb = arguments.swarm_verb
    on_node: Any = _OPTIONS[verb](argparse.Namespace(**{**vars(arguments), "verb": verb}))
    return SwarmOptions(
        engine=_engine(arguments),
        output=_output(arguments),
        policy=arguments.policy,
        verb=verb,
        on_node=on_node,
        words=arguments.words,
        image=arguments.image,
        constraints=(*arguments.constraint, *arguments.constraint_inner),
        volume=arguments.volume,
        user=arguments.user,
        groups=(*arguments.group_add, *arguments.group_add_inner),
        timeout_seconds=arguments.timeout.seconds,
        allow_unreached=arguments.allow_unreached,
        detail=arguments.detail,
        yes=getattr(arguments, "yes", False),
        parallel=getattr(arguments, "parallel", None) or None,
        canary=getattr(arguments, "canary", 0),
        max_failures=getattr(arguments, "max_failures", None),
        as_task=arguments.as_task,
        is_looked_at=arguments.is_looked_at,
        keeps_plan=getattr(arguments, "keep_plan", False),
        of_plan=getattr(arguments, "of_plan", None),
    )


def _of_policy(arguments: argparse.Namespace) -> PolicyVerbOptions:
    return _made(PolicyVerbOptions, arguments, **_common(arguments))


def _of_fleet(arguments: argparse.Namespace) -> FleetOptions:
    from dockersweep.policy.language.flags import PolicyFlags

    # The first word is the query, if there is one.
    sql, folder = arguments.sql, arguments.folder
    if arguments.action == "report":
        if folder is not None:
            raise UsageError("fleet report takes one directory: give one that has the others in it")
        sql, folder = None, sql
    elif sql is None:
        raise UsageError('a query is missing: write one like fleet query "SELECT host, used_high_bytes FROM hosts"')
    return FleetOptions(
        names_engine=arguments.host is not None or arguments.context is not None or _tls(arguments) is not None,
        policy=PolicyOptions(path=arguments.policy, flags=PolicyFlags()),
        output=_output(arguments),
        action=arguments.action,
        sql=sql,
        folder=folder or ".",
    )


def _of_archive(arguments: argparse.Namespace) -> ArchiveOptions:
    return _made(
        ArchiveOptions,
        arguments,
        names_engine=arguments.host is not None or arguments.context is not None or _tls(arguments) is not None,
        output=_output(arguments),
        folder=arguments.archive_path,
    )


def _of_schema(arguments: argparse.Namespace) -> SchemaOptions:
    return SchemaOptions(output=_output(arguments), name=arguments.name)


def _of_man(arguments: argparse.Namespace) -> ManOptions:
    return ManOptions(output=_output(arguments), page=arguments.page)


def _of_completion(arguments: argparse.Namespace) -> CompletionOptions:
    return CompletionOptions(
        host=arguments.host,
        context=arguments.context,
        tls=_tls(arguments),
        output=_output(arguments),
        shell=arguments.shell,
        build_parser=arguments.build_parser,
    )


def _of_docker_plugin(arguments: argparse.Namespace) -> DockerPluginOptions:
    return DockerPluginOptions(output=_output(arguments), action=arguments.action, system=arguments.system)


_OPTIONS: dict[str, Callable[[argparse.Namespace], Options]] = {
    "scan": _of_scan,
    "plan": _of_plan,
    "sweep": _of_sweep,
    "apply": _of_apply,
    "report": _of_report,
    "explain": _of_explain,
    "history": _of_history,
    "restore": _of_restore,
    "watch": _of_watch,
    "swarm": _of_swarm,
    "policy": _of_policy,
    "fleet": _of_fleet,
    "archive": _of_archive,
    "schema": _of_schema,
    "completion": _of_completion,
    "docker-plugin": _of_docker_plugin,
    "man": _of_man,
}
