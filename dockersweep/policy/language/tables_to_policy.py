"""From the tables of a valid policy file to the policy."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, TypeVar

from dockersweep.model.inventory import Kind
from dockersweep.model.policy import (
    EVERYTHING,
    ArchiveSettings,
    Keep,
    LimitSettings,
    Match,
    NotifySettings,
    Policy,
    Protection,
    Protections,
    Remove,
    Rule,
    Space,
    SpareRegistryLess,
    Target,
)
from dockersweep.model.policyfile import (
    ArchiveTable,
    KeepTable,
    LimitsTable,
    MatchTable,
    NotifyTable,
    PolicyFile,
    ProtectTable,
    RegistriesTable,
    RemoveTable,
    ReportTable,
    RuleTable,
    TargetTable,
)
from dockersweep.model.report import FindingId
from dockersweep.policy.language.conditions import CONDITIONS, Condition
from dockersweep.policy.language.rule_checks import keeps_something, kinds_of
from dockersweep.policy.language.target_checks import read_space
from dockersweep.policy.language.watch_checks import watch_of
from dockersweep.units import Age, parse_age, parse_percent, parse_size

T = TypeVar("T")
DEFAULT_ARCHIVED: tuple[Kind, ...] = ("volume", "container")
DEFAULT_EVENTS = NotifySettings(timeout_seconds=1).on
DEFAULT_ORDER = Target(older_than=parse_age("0s")).order


def policy_of(file: PolicyFile, source: str) -> Policy:
    """Return the policy of a file without problems; `source` is its name in the output."""
    return Policy(
        source=source,
        protections=_protections(file.protect or ProtectTable()),
        rules=tuple(_rule(rule) for rule in file.rule),
        limits=_limits(file.limits or LimitsTable()),
        target=None if file.target is None else _target(file.target),
        archive=None if file.archive is None else archive_of(file.archive),
        watch=None if file.watch is None else watch_of(file.watch),
        asks_registries=(file.registries or RegistriesTable()).ask,
        silenced_findings=_silenced(file.report or ReportTable()),
        notify=None if file.notify is None else _notify(file.notify),
    )


def _protections(table: ProtectTable) -> Protections:
    def protections(key: str) -> tuple[Protection, ...]:
        patterns: Iterable[str] = _several(getattr(table, key)) or ()
        return tuple(Protection(pattern=pattern, source=f"protect.{key}") for pattern in patterns)

    return Protections(
        labels=protections("labels"),
        names=protections("names"),
        images=protections("images"),
        projects=protections("projects"),
        services=protections("services"),
        compose_files=_several(table.compose_files) or (),
        quadlets=table.quadlets if isinstance(table.quadlets, bool) else _several(table.quadlets) or (),
        younger_than=_age(table.younger_than),
        init_containers=table.init_containers,
        pets=table.pets,
        unseen_services=table.unseen_services,
    )


def _limits(table: LimitsTable) -> LimitSettings:
    return LimitSettings(
        objects=table.objects,
        size_bytes=_size(table.bytes),
        share_percent=_percent(table.share),
        unrecoverable=table.unrecoverable,
    )


def _rule(table: RuleTable) -> Rule:
    kinds = kinds_of(table)
    return Rule(
        name=table.name,
        kinds=kinds,
        match=_match(table.match),
        excludes=_match(table.not_),
        # keep.last = 0 is allowed where the rule has everything = true.
        keep=_keep(table.keep, kinds) if table.keep is not None and keeps_something(table.keep) else None,
        remove=None if table.remove is None else _remove(table.remove),
    )


def _match(table: MatchTable | None) -> Match:
    if table is None:
        return EVERYTHING
    return Match(**{row.field: _value(row, getattr(table, row.key)) for row in CONDITIONS})


def _value(row: Condition, written: Any) -> Any:
    match row.values:
        case "patterns" | "pairs" | "choices":
            return _several(written)
        case "size over" | "size under":
            return _size(written)
        case "switch":
            return written


def _keep(table: KeepTable, kinds: Sequence[str]) -> Keep:
    return Keep(
        group_by=table.group_by or ("repository" if kinds == ("image",) else "none"),
        last=table.last or None,
        within=_age(table.within),
        hourly=table.hourly,
        daily=table.daily,
        weekly=table.weekly,
        monthly=table.monthly,
        yearly=table.yearly,
        tags=_several(table.tags) or (),
        majors=table.majors,
        minors=table.minors,
    )


def _remove(table: RemoveTable) -> Remove:
    return Remove(
        older_than=_age(table.older_than),
        unused_for=_age(table.unused_for),
        stopped_for=_age(table.stopped_for),
        before=_midnight(table.before),
        built_before=_midnight(table.built_before),
        built_over=_age(table.built_over),
        created_over=_age(table.created_over),
        after_container=bool(table.after_container),
        marked_for=_age(table.marked_for),
    )


def _target(table: TargetTable) -> Target:
    inodes_above = _percent(table.inodes_above)
    inodes_below = _percent(table.inodes_below)
    return Target(
        start_above=_space(table.start_above),
        stop_below=_space(table.stop_below or table.start_above),
        inodes_above_percent=inodes_above,
        inodes_below_percent=inodes_above if inodes_below is None else inodes_below,
        max_used=_space(table.max_used),
        min_free=_space(table.min_free),
        reserved=_space(table.reserved),
        free_bytes=_size(table.free),
        order=DEFAULT_ORDER if table.order is None else tuple(table.order),
        spare_registry_less=_spare(table),
        older_than=parse_age(table.older_than),
    )


def _spare(table: TargetTable) -> SpareRegistryLess:
    if isinstance(table.spare_registry_less, bool):
        return "last" if table.spare_registry_less else "no"
    return table.spare_registry_less


def archive_of(table: ArchiveTable) -> ArchiveSettings:
    """Return the settings of an archive; an empty table has the defaults."""
    return ArchiveSettings(
        folder=table.folder,
        kinds=DEFAULT_ARCHIVED if table.kinds is None else tuple(table.kinds),
        keep_for=parse_age(table.keep_for),
        max_size=_space(table.max_size),
        min_free=read_space(table.min_free),
        when_full=table.when_full,
    )


def _silenced(table: ReportTable) -> tuple[str, ...]:
    written: Sequence[FindingId] | FindingId = table.silence or ()
    return (written,) if isinstance(written, str) else tuple(written)


def _notify(table: NotifyTable) -> NotifySettings:
    return NotifySettings(
        command=tuple(table.command or ()),
        urls=_several(table.urls) or (),
        on=DEFAULT_EVENTS if table.on is None else _several(table.on) or (),
        timeout_seconds=max(1, round(parse_age(table.timeout).seconds)),
    )


def _several(written: T | list[T] | None) -> tuple[T, ...] | None:
    if written is None:
        return None
    return tuple(written) if isinstance(written, list) else (written,)


def _age(text: str | None) -> Age | None:
    return None if text is None else parse_age(text)


def _size(text: str | None) -> int | None:
    return None if text is None else parse_size(text)


def _percent(text: str | None) -> float | None:
    return None if text is None else parse_percent(text)


def _space(text: str | None) -> Space | None:
    return None if text is None else read_space(text)


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time.min, tzinfo=UTC)
