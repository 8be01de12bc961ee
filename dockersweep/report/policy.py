"""A policy in words: what it protects, what each rule matches, keeps and removes, its limits and its target."""

from collections.abc import Iterable, Iterator, Sequence

from dockersweep.model.inventory import KINDS, Kind
from dockersweep.model.naming import PLURAL_OF
from dockersweep.model.policy import (
    ArchiveSettings,
    Keep,
    LimitSettings,
    NotifyOn,
    NotifySettings,
    Policy,
    Protections,
    Remove,
    Rule,
    Target,
    WatchSettings,
)
from dockersweep.report.headline import NOUN_OF
from dockersweep.report.layout import Layout, Section
from dockersweep.report.text import capital
from dockersweep.units import format_size
from dockersweep.words.conditions import selected
from dockersweep.words.lists import both, either

_BUCKETS = {"hourly": "hours", "daily": "days", "weekly": "weeks", "monthly": "months", "yearly": "years"}

_EVENT_WORDS: dict[NotifyOn, str] = {
    "removed": "removed something",
    "failed": "failed",
    "target-missed": "missed its target",
    "silent": "had nothing else to report",
}


def policy_layout(policy: Policy) -> Layout:
    """Return the layout of a policy as it is understood, without rows for spreadsheets."""
    return Layout(None, _sections(policy))


def _sections(policy: Policy) -> Iterator[Section]:
    yield Section(sentences=(f"This is {policy.source}.",))
    users = "containers, services of a swarm, other tools or a kubelet"
    never = f"Never removed: what is in use by {users}, and what could not be read in full."
    yield from _with_details(never, _kept_whatever(policy))
    for number, rule in enumerate(policy.rules, 1):
        yield from _with_details(f'Rule {number}, "{rule.name}", matches {_matched(rule)}.', _rule(rule))
    if not policy.rules:
        yield Section(sentences=("There are no rules.",))
    elif policy.only_target:
        yield Section(sentences=("But only the target removes something (--only-target).",), goes_on=True)
    if policy.target is not None:
        wanted = f"Target: {target_words(policy.target)}."
        yield from _with_details(wanted, _taken(policy.target), goes_on=not policy.rules)
    if policy.archive is not None:
        yield Section(
            sentences=list(_archive(policy, policy.archive)), goes_on=not policy.rules and policy.target is None
        )
    spared = ["What nothing brings back once it is removed is kept."] if policy.only_recoverable else []
    limits = [f"Nothing is removed if {text}." for text in _limits(policy.limits)]
    silenced = policy.silenced_findings
    asked = ("Registries are asked whether they still have the images that could be removed.",)
    registries = asked if policy.asks_registries else ()
    ignored = (f"Reports leave out the findings {both(silenced)}.",) if silenced else ()
    notified = () if policy.notify is None else (_notified(policy.notify),)
    goes_on = not policy.rules and policy.target is None and policy.archive is None
    watching = [] if policy.watch is None else list(_watching(policy.watch))
    everything = [*spared, *limits, "Everything else is kept.", *registries, *ignored, *watching, *notified]
    yield Section(sentences=everything, goes_on=goes_on)


def _with_details(sentence: str, details: Iterable[str], goes_on: bool = False) -> Iterator[Section]:
    yield Section(sentences=(sentence,), goes_on=goes_on)
    yield Section(sentences=list(details), indent=2, goes_on=True)


def _kept_whatever(policy: Policy) -> Iterator[str]:
    yield from (f"Protected: {text}." for text in _protections(policy.protections))
    if policy.kinds != KINDS:
        yield f"Only {both(PLURAL_OF[kind] for kind in policy.kinds)} are asked for; all else is kept."


def _protections(protections: Protections) -> Iterator[str]:
    for words, patterns in (
        ("what has the label", protections.labels),
        ("what is named", protections.names),
        ("images", protections.images),
        ("what belongs to the compose project", protections.projects),
        ("what is used by the service", protections.services),
    ):
        for pattern in patterns:
            yield f"{words} {pattern.pattern} ({pattern.source})"
    if protections.init_containers:
        ended = "containers that exited with 0, or that others depend on"
        yield f"{ended}, while their compose project is running (protect.init_containers)"
    if protections.pets:
        yield "development containers and cluster nodes, like those of distrobox and kind (protect.pets)"
    for path in protections.compose_files:
        yield f"what the compose files {path} declare (protect.compose_files)"
    if protections.quadlets is True:
        yield "what quadlets in the standard folders declare (protect.quadlets)"
    for path in protections.quadlets or () if not isinstance(protections.quadlets, bool) else ():
        yield f"what the quadlets {path} declare (protect.quadlets)"
    if protections.unseen_services:
        yield "what services of a swarm may use, where they cannot be seen (protect.unseen_services)"
    if protections.younger_than is not None:
        yield f"what is younger than {protections.younger_than.words()}, or of unknown age (protect.younger_than)"


def _matched(rule: Rule) -> str:
    kinds = both(PLURAL_OF[kind] for kind in rule.kinds)
    wanted = list(selected(rule.match))
    excluded = list(selected(rule.excludes))
    text = " ".join([kinds if wanted else f"all {kinds}", *wanted])
    return f"{text}, except those {' and those '.join(excluded)}" if excluded else text


def _rule(rule: Rule) -> Iterator[str]:
    kept = [] if rule.keep is None else list(_kept(rule.keep, rule.kinds))
    if kept:
        yield f"It keeps {'; '.join(kept)}."
        yield from _one_more_group(rule)
    if rule.remove is None:
        yield "It removes nothing."
        return
    ages = list(_ages(rule.remove))
    what = "the rest" if kept else "them"
    yield f"It removes {what} when {' and '.join(ages)}." if ages else f"It removes {what}, whatever the age."
    if ages and rule.remove.after_container:
        yield "The age counts from the removal of the last container that holds one, which it outlives."


def _kept(keep: Keep, kinds: Sequence[Kind]) -> Iterator[str]:
    group = {"none": "", "repository": " of each repository", "project": " of each compose project"}.get(
        keep.group_by, f" of each value of the label {keep.group_by.partition(':')[2]}"
    )
    if keep.last is not None:
        yield f"all{group}" if keep.last == "all" else f"{_newest(keep.last, kinds)}{group}{_counted_by(kinds)}"
    if keep.within is not None:
        yield f"those that are at most {keep.within.words()} older than the newest{group}"
    for field, periods in _BUCKETS.items():
        count = getattr(keep, field)
        if count is not None:
            which = f"all {periods}" if count == "all" else f"the last {count} {periods}"
            yield f"the newest of each of {which} that have one{group}"
    if keep.tags:
        yield f"the tags {' and '.join(keep.tags)}"
    for field, what in (("majors", "the newest of each major version"), ("minors", "the newest of each minor version")):
        count = getattr(keep, field)
        if count is not None:
            yield what if count == "all" else f"{what}, of the last {count}"


def _one_more_group(rule: Rule) -> Iterator[str]:
    """Yield what is counted together because it has no name to be grouped by, where the rule can match such objects."""
    keep, match = rule.keep, rule.match
    if keep is None or not any((keep.last, keep.within, *(getattr(keep, field) for field in _BUCKETS))):
        return
    what = ""
    if keep.group_by == "repository" and not (match.repository or match.tag or match.tagged):
        what = "without a repository"
    elif keep.group_by == "project" and not match.project:
        what = "of no compose project"
    elif keep.group_by.startswith("label:"):
        what = f"without the label {keep.group_by.partition(':')[2]}"
    if what:
        yield f"{capital(both(PLURAL_OF[kind] for kind in rule.kinds))} {what} count as one more group."


def _newest(count: int, kinds: Sequence[Kind]) -> str:
    """Return what keep.last counts: "the newest 3 images"; with several kinds, each counts by itself."""
    each = "" if len(kinds) == 1 else " of each kind,"
    what = (NOUN_OF[kinds[0]] if count == 1 else PLURAL_OF[kinds[0]]) if len(kinds) == 1 else ""
    return f"the newest{'' if count == 1 else f' {count}'}{f' {what}' if what else each}"


def _counted_by(kinds: Sequence[Kind]) -> str:
    if tuple(kinds) == ("image",):
        return " by build date, whatever their tags (ties stay)"
    dates = "creation date, images by build date" if "image" in kinds else "creation date"
    return f" by {dates} (ties stay)"


def _ages(remove: Remove) -> Iterator[str]:
    ages = (
        ("older than {}", remove.older_than),
        ("unused for {}", remove.unused_for),
        ("stopped for {}", remove.stopped_for),
        ("built more than {} ago", remove.built_over),
        ("created more than {} ago", remove.created_over),
        ("a candidate in every run for {}", remove.marked_for),
    )
    for words, age in ages:
        if age is not None and not age.is_zero:
            yield words.format(age.words())
    for words, date in (("from before {}", remove.before), ("built before {}", remove.built_before)):
        if date is not None:
            yield words.format(date.date())


def _limits(limits: LimitSettings) -> Iterator[str]:
    size = None if limits.size_bytes is None else format_size(limits.size_bytes)
    yield from _of_what_is_set(
        ("more than {} objects would go", limits.objects),
        ("more than {} would be freed, or it is not known how much", size),
        ("more than {:g}% of all objects of a kind would go", limits.share_percent),
        ("more than {} objects would go that cannot be recovered", limits.unrecoverable),
    )


def _archive(policy: Policy, archive: ArchiveSettings) -> Iterator[str]:
    kinds = [PLURAL_OF[kind] for kind in KINDS if kind in archive.kinds]
    if "image" not in archive.kinds:
        kinds.append("images that no registry is known to have")
    where = "the archive in the state folder" if archive.folder is None else f"the archive in {archive.folder}"
    up_to = "" if archive.max_size is None else "up to "
    kept = f"{up_to}{archive.keep_for.words()}"
    yield f"Before they are removed, {both(kinds)} go into {where}, and stay there for {kept}."
    most = "" if archive.max_size is None else archive.max_size.text
    size = f"The archive takes at most {most}: for what is new the oldest runs go before their time; " if most else ""
    free = f"{archive.min_free.text} of its disk stay free."
    yield f"{size}{free}" if size else capital(free)
    if not policy.removes_without_room:
        yield "What it has no room for is kept."
    else:
        yield "What it has no room for is removed without an archive."


def _watching(watch: WatchSettings) -> Iterator[str]:
    later = "" if watch.splay.is_zero or watch.sweep.text == "never" else f", up to {watch.splay.words()} later"
    rules = "never" if watch.sweep.text == "never" else f"{watch.sweep.text}{later}"
    yield f"`dockersweep watch` carries out the rules: {rules}."
    if not watch.settle.is_zero:
        yield (
            f"Its sweeps wait until no pull, load or build has ended for {watch.settle.words()}, "
            f"at most {watch.settle_at_most.words()}."
        )
    yield f"After one that missed its target or failed, it makes none for space for {watch.backoff.words()}."


def _notified(notify: NotifySettings) -> str:
    """Return when whom a run tells. Of the program only its path: an argument may be a password."""
    when = either(_EVENT_WORDS[event] for event in notify.on)
    program = [f"{notify.command[0]} is run"] if notify.command else []
    services = [f"{both(notify.services)} {'is' if len(notify.urls) == 1 else 'are'} told"] if notify.urls else []
    return f"After a run that {when}, {both([*program, *services])}."


def _taken(target: Target) -> Iterator[str]:
    kinds = both(PLURAL_OF[kind] for kind in target.order)
    yield (
        f"For it, after what the rules remove: {kinds} that nothing above keeps, in this order, least "
        f"recently used first, unless younger than {target.older_than.words()}."
    )
    if target.free_bytes is None:
        yield "Each disk is checked by itself, and only what lies on it is removed for it."
    if target.spare_registry_less != "no":
        when = "are removed last" if target.spare_registry_less == "last" else "are never removed"
        yield f"Images that cannot be pulled again {when}."


def target_words(target: Target) -> str:
    """Return when a target begins and ends."""
    return "; ".join(_space(target))


def _space(target: Target) -> Iterator[str]:
    if target.start_above is not None and target.stop_below is not None:
        where = "a disk is over {} full" if target.start_above.percent is not None else "the engine holds over {}"
        yield f"starts when {where.format(target.start_above.text)}, stops at {target.stop_below.text}"
    if target.inodes_above_percent is not None:
        below = target.inodes_below_percent
        yield f"starts when over {target.inodes_above_percent:g}% of a disk's inodes are used, stops at {below:g}%"
    yield from _of_what_is_set(
        ("the engine holds at most {.text}", target.max_used),
        ("{.text} of its disks stay free", target.min_free),
        ("the engine may always hold {.text}", target.reserved),
        ("free {} now", None if target.free_bytes is None else format_size(target.free_bytes)),
    )


def _of_what_is_set(*rows: tuple[str, object]) -> Iterator[str]:
    """Yield the words of each (format, value) whose value is not None."""
    return (words.format(value) for words, value in rows if value is not None)
