"""A policy in words: what it protects, what each rule speaks of, keeps and removes, its limits and its target."""

from collections.abc import Iterable, Iterator
from typing import Any

from dockersweep.model.inventory import KINDS
from dockersweep.model.naming import PLURAL_OF
from dockersweep.model.policy import Keep, LimitSettings, Match, Policy, Protections, Remove, Rule, Target
from dockersweep.report.headline import fold
from dockersweep.report.text import wrap
from dockersweep.units import format_size

_SAID: dict[str, str] = {
    "name": "named {}",
    "repository": "of the repository {}",
    "tag": "with the tag {}",
    "digest": "of the digest {}",
    "labels": "with the label {}",
    "project": "of the compose project {}",
    "service": "used by the service {}",
    "state": "that are {}",
    "exit_code": "that ended with {}",
    "driver": "of the driver {}",
    "options": "with the mount option {}",
    "type": "of the type {}",
}
_IS: dict[str, tuple[str, str]] = {
    "anonymous": ("that are anonymous", "that have a name"),
    "has_options": ("with mount options", "without mount options"),
    "tagged": ("with a tag", "without a tag"),
    "recoverable": ("that can be pulled again", "that cannot be pulled again"),
    "restarts_by_itself": ("that restart by themselves", "that do not restart by themselves"),
}
_BUCKETS = {"hourly": "hours", "daily": "days", "weekly": "weeks", "monthly": "months", "yearly": "years"}


def policy_text(policy: Policy, width: int | None) -> str:
    """Return a policy as it is understood, for people."""
    lines = [f"This is {policy.source}.", ""]
    users = "containers, services of a swarm, other tools or a kubelet"
    lines.append(f"Never removed: what is in use by {users}, and what could not be read in full.")
    lines += [f"  Protected: {text}." for text in _protections(policy.protections)]
    if policy.kinds != KINDS:
        lines.append(f"  Only {_and(PLURAL_OF[kind] for kind in policy.kinds)} are asked for; all else is kept.")
    for number, rule in enumerate(policy.rules, 1):
        lines += ["", f'Rule {number}, "{rule.name}", speaks of {_spoken_of(rule)}.']
        lines += [f"  {line}" for line in _rule(rule)]
    lines += [""] if policy.rules else ["", "There are no rules."]
    if policy.target is not None:
        lines += [*_target(policy.target), ""]
    lines += [f"Nothing at all is removed where {text}." for text in _limits(policy.limits)]
    lines.append("Everything else is kept.")
    if policy.silenced_findings:
        lines.append(f"A report does not tell the findings {_and(policy.silenced_findings)}.")
    return "".join(_folded(line, width) for line in lines)


def _folded(line: str, width: int | None) -> str:
    """Return a line, indented as a whole where its first line is."""
    text = line.lstrip(" ")
    indent = " " * (len(line) - len(text))
    if width is None or not indent:
        return indent + fold(text, width)
    clean = fold(text, None).rstrip("\n")
    return "".join(f"{indent}{part}\n" for part in wrap(clean, width - len(indent)))


def _protections(protections: Protections) -> Iterator[str]:
    for said, patterns in (
        ("what has the label", protections.labels),
        ("what is named", protections.names),
        ("images", protections.images),
        ("what belongs to the compose project", protections.projects),
        ("what is used by the service", protections.services),
    ):
        for one in patterns:
            yield f"{said} {one.pattern} ({one.source})"
    if protections.unseen_services:
        yield "what services of a swarm may use, where they cannot be seen (protect.unseen_services)"
    if protections.younger_than is not None:
        yield f"what is younger than {protections.younger_than.words()}, or of unknown age (protect.younger_than)"


def _spoken_of(rule: Rule) -> str:
    kinds = _and(PLURAL_OF[kind] for kind in rule.kinds)
    wanted = list(_conditions(rule.match))
    excluded = list(_conditions(rule.excludes))
    text = " ".join([kinds if wanted else f"all {kinds}", *wanted])
    return f"{text}, but not of those {', nor of those '.join(excluded)}" if excluded else text


def _conditions(match: Match) -> Iterator[str]:
    for field in Match.__struct_fields__:
        wanted: Any = getattr(match, field)
        if wanted is None:
            continue
        if field in _SAID:
            yield _SAID[field].format(" or ".join(str(one) for one in wanted))
        elif field in _IS:
            yield _IS[field][0 if wanted else 1]
        elif field == "size_over_bytes":
            yield f"larger than {format_size(wanted)}"
        else:
            yield f"smaller than {format_size(wanted)}"


def _rule(rule: Rule) -> Iterator[str]:
    kept = [] if rule.keep is None else list(_kept(rule.keep))
    if kept:
        yield f"It keeps {'; '.join(kept)}."
    if rule.remove is None:
        yield "It removes nothing."
        return
    ages = list(_ages(rule.remove))
    what = "the rest" if kept else "them"
    yield f"It removes {what} when {' and '.join(ages)}." if ages else f"It removes {what}, whatever the age."


def _kept(keep: Keep) -> Iterator[str]:
    group = {"none": "", "repository": " of each repository", "project": " of each compose project"}.get(
        keep.group_by, f" of each value of the label {keep.group_by.partition(':')[2]}"
    )
    if keep.last is not None:
        newest = "the newest" if keep.last == 1 else f"the newest {keep.last}"
        yield f"all{group}" if keep.last == "all" else f"{newest}{group}"
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


def _ages(remove: Remove) -> Iterator[str]:
    ages = (
        ("older than {}", remove.older_than),
        ("unused for {}", remove.unused_for),
        ("stopped for {}", remove.stopped_for),
        ("built more than {} ago", remove.built_over),
        ("a candidate in every run for {}", remove.marked_for),
    )
    for said, age in ages:
        if age is not None and not age.is_zero:
            yield said.format(age.words())
    for said, date in (("from before {}", remove.before), ("built before {}", remove.built_before)):
        if date is not None:
            yield said.format(date.date())


def _limits(limits: LimitSettings) -> Iterator[str]:
    if limits.objects is not None:
        yield f"more than {limits.objects} objects would go"
    if limits.size_bytes is not None:
        yield f"more than {format_size(limits.size_bytes)} would come back, or it is not known how much"
    if limits.share_percent is not None:
        yield f"more than {limits.share_percent:g} % of all objects of a kind would go"


def _target(target: Target) -> Iterator[str]:
    yield f"Space target: {'; '.join(_space(target))}."
    kinds = _and(PLURAL_OF[kind] for kind in target.order)
    yield (
        f"  For it go, after what the rules remove, {kinds} that nothing above keeps, in this order, the least "
        f"recently used first, unless younger than {target.older_than.words()}."
    )
    if target.spare_registry_less != "no":
        when = "go last" if target.spare_registry_less == "last" else "never go"
        yield f"  Images that cannot be pulled again {when}."


def _space(target: Target) -> Iterator[str]:
    if target.start_above is not None and target.stop_below is not None:
        of = "of the engine's disk is used" if target.start_above.percent is not None else "is held by the engine"
        yield f"when {target.start_above.text} {of}, down to {target.stop_below.text}"
    if target.inodes_above_percent is not None:
        below = target.inodes_below_percent
        yield f"when {target.inodes_above_percent:g} % of the disk's inodes are used, down to {below:g} %"
    if target.max_used is not None:
        yield f"the engine holds at most {target.max_used.text}"
    if target.min_free is not None:
        yield f"{target.min_free.text} of its disk stay free"
    if target.reserved is not None:
        yield f"the engine may always hold {target.reserved.text}"
    if target.free_bytes is not None:
        yield f"{format_size(target.free_bytes)} come back now"


def _and(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
