"""What `policy check` finds in a valid policy file: contradictions, rules that can never act, or decide nothing.

It reports only what is certain from the file; whether a rule matches anything today depends on an inventory.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from dockersweep.model.inventory import STOPPED_STATES, Kind
from dockersweep.model.naming import PLURAL_OF
from dockersweep.model.policy import Match, Policy, Rule
from dockersweep.policy.language.conditions import CONDITIONS
from dockersweep.policy.language.covering import (
    covers,
    covers_rule,
    is_asked_sooner,
    is_longer,
    pairs_cover,
    patterns_cover,
)
from dockersweep.policy.language.kinds_removed import may_remove
from dockersweep.policy.language.problems import KeyProblem, Problem, placed, quoted
from dockersweep.policy.language.reading import PolicyReading
from dockersweep.policy.language.toml_positions import Path
from dockersweep.policy.names.patterns import compile_patterns, is_regular_expression
from dockersweep.units import LAST_UNKNOWN_INSTANT, Age
from dockersweep.words.lists import both, either

# Key of [protect] -> key of a rule that matches the same.
_PROTECTED = {"labels": "labels", "projects": "project", "services": "service", "names": "name"}


def lint_policy(reading: PolicyReading) -> tuple[Problem, ...]:
    """Return the findings of a policy file, in the order of its lines; none of an invalid file."""
    if reading.policy is None:
        return ()
    return placed(_findings(reading.policy, reading.tables), reading.positions)


def _findings(policy: Policy, tables: dict[str, Any]) -> Iterator[KeyProblem]:
    youngest = policy.protections.younger_than
    if youngest is not None and youngest.is_zero:
        yield KeyProblem(("protect", "younger_than"), "this protects nothing: nothing is younger than 0s", at="value")
    for index, rule in enumerate(policy.rules):
        path: Path = ("rule", index)
        yield from _ages(policy, rule, path)
        yield from _undeclared(policy, rule, path)
        yield from _everything(tables["rule"][index], path)
        never = list(_never_matches(rule, path))
        yield from never
        if rule.remove is not None and not never:
            yield from _never_removes(policy, index)
    yield from _purpose(policy)
    yield from _target(policy, tables)
    if policy.asks_registries and not may_remove(policy, "image"):
        text = "registries are asked about images that may go, and this policy removes no images"
        yield KeyProblem(("registries", "ask"), text)
    yield from _archive(policy, tables)


def _ages(policy: Policy, rule: Rule, path: Path) -> Iterator[KeyProblem]:
    """Ages that protect.younger_than makes void, and dates before every known one."""
    remove, least = rule.remove, policy.protections.younger_than
    if remove is None:
        return
    ages = {"older_than": remove.older_than, "stopped_for": remove.stopped_for}
    if set(rule.kinds) <= {"container", "build-cache"}:
        # Objects of other kinds may be older than they are known to be unused, so both ages matter.
        ages["unused_for"] = remove.unused_for
    for key, age in ages.items():
        if least is not None and age is not None and _is_void(age, least):
            text = f"{key} = {quoted(age.text)} is void: protect.younger_than keeps what is younger than {least.text}"
            yield KeyProblem((*path, "remove", key), text, at="value", other=("protect", "younger_than"))
    of_use = [age for age in (remove.older_than, remove.unused_for) if age is not None and not age.is_zero]
    if remove.after_container and not of_use and remove.before is None:
        text = "after_container is void: the rule asks for no age that counts from the last use"
        yield KeyProblem((*path, "remove", "after_container"), text)
    for key, date in (("before", remove.before), ("built_before", remove.built_before)):
        if date is not None and date <= LAST_UNKNOWN_INSTANT:
            text = f"nothing is before {date.date()}: times until 1980-01-02 stand for an unknown one"
            yield KeyProblem((*path, "remove", key), text, at="value")


def _undeclared(policy: Policy, rule: Rule, path: Path) -> Iterator[KeyProblem]:
    """Rules with `declared` in a policy that names no files."""
    if policy.protections.name_files:
        return
    for table, match in (("match", rule.match), ("not", rule.excludes)):
        if match.declared is not None:
            text = "no file tells what is declared: name some with protect.compose_files or protect.quadlets"
            yield KeyProblem((*path, table, "declared"), text)


def _everything(written: dict[str, Any], path: Path) -> Iterator[KeyProblem]:
    """A rule with everything = true that does not match everything."""
    keep = {key: value for key, value in written.get("keep", {}).items() if key != "group_by" and value != 0}
    narrowing = [name for name, table in (("match", written.get("match")), ("not", written.get("not"))) if table]
    if written.get("everything") is True and written.get("keep", {}).get("last") != 0 and (keep or narrowing):
        text = f"everything = true says nothing here: the rule has {both([*narrowing, *(['keep'] if keep else [])])}"
        yield KeyProblem((*path, "everything"), text)


def _never_matches(rule: Rule, path: Path) -> Iterator[KeyProblem]:
    """Conditions that nothing can meet."""
    match, excludes = rule.match, rule.excludes
    for row in CONDITIONS:
        wanted, excluded = getattr(match, row.field), getattr(excludes, row.field)
        if wanted is not None and excluded is not None and covers(row, excluded, wanted):
            text = f"this rule can never match: not.{row.key} excludes all that match.{row.key} asks for"
            yield KeyProblem((*path, "not", row.key), text, other=(*path, "match", row.key))
    for table, patterns in (("match", match), ("not", excludes)):
        for key, text in _impossible_names(rule.kinds, patterns):
            yield KeyProblem((*path, table, key), text, at="value")
    for asked, reason in _void_combinations(rule):
        yield KeyProblem((*path, "match", asked), f"this rule can never match: {reason}")
    if rule.remove is not None and match.state is not None and not set(match.state) & set(STOPPED_STATES):
        text = f"this rule can never remove: a container that is {either(match.state)} is always kept"
        yield KeyProblem((*path, "match", "state"), text, at="value")
    if rule.remove is not None and match.declared is True:
        text = "this rule can never remove: what a file declares is always kept"
        yield KeyProblem((*path, "match", "declared"), text, at="value")
    if rule.remove is not None and excludes.state is not None and set(excludes.state) >= set(STOPPED_STATES):
        text = f"this rule can never remove: only containers that are {either(STOPPED_STATES)} can be removed"
        yield KeyProblem((*path, "not", "state"), text, at="value")


def _impossible_names(kinds: Sequence[Kind], match: Match) -> Iterator[tuple[str, str]]:
    """Yield the keys with patterns that nothing can match, and what to write instead."""
    for pattern in filter(_is_plain, match.repository or ()):
        name, digest, _ = pattern.partition("@")
        repository, colon, _ = name.rpartition(":")
        if digest:
            yield "repository", f"a repository has no digest: write {quoted(name)}, or match.digest"
        elif colon and "/" not in name[len(repository) :]:
            yield (
                "repository",
                f"a repository has no tag: write {quoted(repository)}, or match.name = {quoted(pattern)}",
            )
    for pattern in filter(_is_plain, match.tag or ()):
        if set("/:@") & set(pattern):
            yield "tag", f"{quoted(pattern)} is no tag: write what stands behind the colon, or match.name"
    for pattern in filter(_is_plain, match.digest or ()):
        if ":" not in pattern and not pattern.endswith("*"):
            yield "digest", f'a digest has its algorithm before it: write "sha256:{pattern}"'
    if set(kinds) <= {"container", "volume"}:
        for pattern in filter(_is_plain, match.name or ()):
            if set("/:@") & set(pattern):
                which = " or ".join(kinds)
                yield "name", f"the name of a {which} has no /, : or @: {quoted(pattern)} matches nothing"


def _is_plain(pattern: str) -> bool:
    """Whether a pattern is a name, or a glob without a [set]: a match has all of its other characters."""
    return not is_regular_expression(pattern) and "[" not in pattern


def _void_combinations(rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield the key of a condition that nothing can meet, and why."""
    match = rule.match
    is_untagged = match.tagged is False or rule.excludes.tagged is True
    if is_untagged and match.tag is not None and not compile_patterns(match.tag)(""):
        yield "tag", "an image without a tag has none"
    if (match.has_options is False or rule.excludes.has_options is True) and match.options is not None:
        yield "options", "it asks for volumes without options"


def _never_removes(policy: Policy, index: int) -> Iterator[KeyProblem]:
    """What makes the `remove` of a rule void: a protection, or another rule. Only the first is reported."""
    rule, path = policy.rules[index], ("rule", index)
    for name, key in _PROTECTED.items():
        protected = [protection.pattern for protection in getattr(policy.protections, name)]
        wanted = getattr(rule.match, key)
        if name == "names" and {"image", "build-cache"} & set(rule.kinds):
            # For these kinds match.name also tests digests or descriptions.
            continue
        is_protected = pairs_cover if name == "labels" else patterns_cover
        if protected and wanted is not None and is_protected(protected, wanted):
            text = f"this rule can never remove: protect.{name} keeps all that it matches"
            yield KeyProblem((*path, "match", key), text, other=("protect", name))
            return
    for number, other in enumerate(policy.rules):
        if _keeps_all(other, rule) and covers_rule(other, rule):
            whose = "its own keep" if other is rule else f"the keep of rule {quoted(other.name)}"
            text = f"this rule can never remove: {whose} keeps all that it matches"
            yield KeyProblem((*path, "remove"), text, other=("rule", number, "keep"))
            return
    for number, earlier in enumerate(policy.rules[:index]):
        if _shadows(earlier, rule):
            text = f"this rule decides nothing: rule {quoted(earlier.name)} before it already decides all it matches"
            yield KeyProblem(path, text, other=("rule", number))
            return


def _keeps_all(keeping: Rule, rule: Rule) -> bool:
    """Whether the keep of one rule keeps everything that another matches, if the first matches all of that too."""
    keep = keeping.keep
    if keep is None:
        return False
    if keep.last == "all":
        return True
    # keep.tags keeps no untagged images; a rule with match.tag matches none.
    if rule.match.tag is not None and not compile_patterns(rule.match.tag)(""):
        return patterns_cover(keep.tags, rule.match.tag)
    return rule.match.tagged is True and patterns_cover(keep.tags, ("*",))


def _shadows(earlier: Rule, later: Rule) -> bool:
    """Whether an earlier rule removes all that a later one could remove.

    What the earlier one keeps is kept anyway. If the later one keeps anything, it matters, unless both keep the same.
    """
    if earlier.remove is None or later.remove is None or not is_asked_sooner(earlier.remove, later.remove):
        return False
    if later.keep is not None:
        asked = (earlier.kinds, earlier.match, earlier.excludes, earlier.keep)
        return asked == (later.kinds, later.match, later.excludes, later.keep)
    return covers_rule(earlier, later)


def _purpose(policy: Policy) -> Iterator[KeyProblem]:
    if policy.rules and policy.target is None and all(rule.remove is None for rule in policy.rules):
        yield KeyProblem(("rule", 0), "no rule has a remove and there is no target: this policy never removes anything")


def _target(policy: Policy, tables: dict[str, Any]) -> Iterator[KeyProblem]:
    target = policy.target
    if target is None:
        return
    shares = {
        "start_above": None if target.start_above is None else target.start_above.percent,
        "inodes_above": target.inodes_above_percent,
    }
    for key, percent in shares.items():
        if percent == 100:
            text = "this target begins, if ever, when the disk is full: write less than 100%"
            yield KeyProblem(("target", key), text, at="value")
    if target.free_bytes == 0:
        yield KeyProblem(("target", "free"), "this target asks for nothing: 0 bytes are always free", at="value")
    if target.spare_registry_less != "no" and "image" not in target.order:
        text = "spare_registry_less says nothing: order has no images"
        yield KeyProblem(("target", "spare_registry_less"), text, other=("target", "order"))
    written, least = tables.get("target"), policy.protections.younger_than
    is_written = isinstance(written, dict) and "older_than" in written
    if is_written and least is not None and _is_void(target.older_than, least):
        text = f"older_than is void: protect.younger_than keeps what is younger than {least.text}"
        yield KeyProblem(("target", "older_than"), text, at="value", other=("protect", "younger_than"))


def _archive(policy: Policy, tables: dict[str, Any]) -> Iterator[KeyProblem]:
    """Kinds that are archived before their removal, and that the policy never removes."""
    written = tables.get("archive")
    if policy.archive is None or not isinstance(written, dict) or "kinds" not in written:
        return
    never = [PLURAL_OF[kind] for kind in policy.archive.kinds if not may_remove(policy, kind)]
    if never:
        text = f"this policy removes no {either(never)}, so none are archived"
        yield KeyProblem(("archive", "kinds"), text, at="value")


def _is_void(age: Age, least: Age) -> bool:
    # 0s is no age: it leaves the age to the protection on purpose.
    return not age.is_zero and is_longer(least, age)
