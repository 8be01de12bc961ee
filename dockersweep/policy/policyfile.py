"""From the bytes of a policy file to the policy, or to all that is wrong with it and where.

First the text (`toml_text`), then each key and value by itself (`shape`), then what does not go together
(`rule_checks`, `target_checks`); a problem in one rule hides none in another. Only a file without a problem is
understood (`understanding`).
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec

from dockersweep.errors import PolicyError
from dockersweep.model.policy import Policy
from dockersweep.model.policyfile import PolicyFile, RuleTable, TargetTable
from dockersweep.policy.file.positions import Path
from dockersweep.policy.file.problems import Complaint, Problem, placed, quoted, written_number
from dockersweep.policy.file.rule_checks import rule_complaints
from dockersweep.policy.file.shape import pruned, shape_complaints
from dockersweep.policy.file.target_checks import target_complaints
from dockersweep.policy.file.toml_text import TomlText, read_toml
from dockersweep.policy.file.understanding import understood

VERSION = 1


def read_policy(data: bytes, source: str) -> Policy:
    """Return the policy that a file holds; `source` is what outputs call it: "the policy in /etc/...".

    Raises PolicyError with the place of the first problem, and how many more there are.
    """
    read = _read(data)
    if isinstance(read, TomlText):
        return understood(msgspec.convert(read.tables, PolicyFile), source)
    first, *others = read
    where = f"{source}: {first.text}" if first.line is None else f"{source}, {first.words()}"
    if others:
        number = "1 more problem" if len(others) == 1 else f"{len(others)} more problems"
        where = f"{where} (and {number}: see `dockersweep policy check`)"
    raise PolicyError(where)


def find_problems(data: bytes) -> tuple[Problem, ...]:
    """Return all that makes a policy file invalid, in the order in which it stands there; nothing where it holds."""
    read = _read(data)
    return () if isinstance(read, TomlText) else read


def _read(data: bytes) -> TomlText | tuple[Problem, ...]:
    """Return the text of a file that holds, or the problems of one that does not."""
    read = read_toml(data)
    if isinstance(read, Problem):
        return (read,)
    complaints = list(_complaints(read.tables))
    return placed(complaints, read.text) if complaints else read


def _complaints(tables: dict[str, Any]) -> Iterator[Complaint]:
    version = tables.get("version", VERSION)
    if isinstance(version, int) and not isinstance(version, bool) and version != VERSION:
        # What else is wrong with it only a dockersweep that knows this version can tell.
        text = f"version is {written_number(version)}: this dockersweep reads version {VERSION}"
        yield Complaint(("version",), text, at="value")
        return
    of_shape = shape_complaints(tables)
    yield from of_shape
    wrong = [complaint.path for complaint in of_shape]
    yield from _of_rules(tables, wrong)
    if isinstance(tables.get("target"), dict):
        of_target = [one[1:] for one in wrong if one[:1] == ("target",)]
        target = msgspec.convert(pruned(tables["target"], of_target), TargetTable)
        yield from target_complaints(target, is_whole=not of_target)
    yield from _of_purpose(tables)


def _of_rules(tables: dict[str, Any], wrong: list[Path]) -> Iterator[Complaint]:
    rules = tables.get("rule")
    named: dict[str, Path] = {}
    wrong_of: defaultdict[Path, list[Path]] = defaultdict(list)
    for one in wrong:
        wrong_of[one[:2]].append(one[2:])
    for index, written in enumerate(rules if isinstance(rules, list) else ()):
        path: Path = ("rule", index)
        if not isinstance(written, dict):
            continue
        of_rule = wrong_of[path]
        kept = pruned(written, of_rule)
        if "name" in kept:
            first = named.setdefault(kept["name"], path)
            if first != path:
                text = f"another rule has the name {quoted(kept['name'])} already: give each its own"
                yield Complaint((*path, "name"), text, at="value", other=first)
        if "kind" in kept:
            # What a rule is called is of no matter for what goes together in it.
            rule = msgspec.convert({"name": "-", **kept}, RuleTable)
            yield from rule_complaints(rule, path, is_whole=not of_rule)


def _of_purpose(tables: dict[str, Any]) -> Iterator[Complaint]:
    """A file that removes nothing must say that it is meant, and one that says so must not remove."""
    is_meant = tables.get("removes_nothing", False)
    if is_meant is True and (tables.get("rule") or "target" in tables):
        text = "removes_nothing = true contradicts the rules or the target of the file: leave it or them out"
        yield Complaint(("removes_nothing",), text)
    elif is_meant is False and not tables.get("rule") and "target" not in tables and _knows_only_ours(tables):
        text = "this policy has no rule and no target: write a [[rule]], or removes_nothing = true if that is meant"
        yield Complaint((), text)


def _knows_only_ours(tables: dict[str, Any]) -> bool:
    """Whether no key is unknown: one may be a rule or a target that is written wrong."""
    return tables.keys() <= {field.encode_name for field in msgspec.structs.fields(PolicyFile)}
