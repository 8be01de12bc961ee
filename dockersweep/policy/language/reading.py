"""From the bytes of a policy file to the policy, or to all of its problems and their places.

First the TOML (`toml_text`), then each key and value by itself (`key_checks`), then their combinations (`rule_checks`,
`target_checks`); a problem in one rule hides none in another. Only a file without problems becomes a policy
(`tables_to_policy`).
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from dockersweep.errors import PolicyError
from dockersweep.model.policy import Policy
from dockersweep.model.policyfile import ArchiveTable, NotifyTable, PolicyFile, RuleTable, TargetTable, WatchTable
from dockersweep.policy.language.archive_checks import archive_problems
from dockersweep.policy.language.key_checks import key_problems, problem_of_version, pruned
from dockersweep.policy.language.notify_checks import notify_problems
from dockersweep.policy.language.policy_format import POLICY_FORMAT
from dockersweep.policy.language.problems import KeyProblem, Problem, placed, quoted
from dockersweep.policy.language.rule_checks import rule_problems
from dockersweep.policy.language.tables_to_policy import policy_of
from dockersweep.policy.language.target_checks import target_problems
from dockersweep.policy.language.toml_positions import Path, Positions
from dockersweep.policy.language.toml_text import TomlText, read_toml
from dockersweep.policy.language.watch_checks import watch_problems

VERSION = 1


class PolicyReading(Struct, frozen=True):
    """The result of reading a policy file: made once, for whatever a verb needs of the file."""

    source: str
    """The name of the file in the output: "the policy in /etc/..."."""
    tables: dict[str, Any]
    """The tables of the TOML; empty if the file is not TOML."""
    positions: Positions
    """The places of keys and values."""
    problems: tuple[Problem, ...]
    """Everything that makes the file invalid, by line."""
    policy: Policy | None
    """None if there are problems."""

    def valid_policy(self, check: str = "dockersweep policy check") -> Policy:
        """Return the policy; raises PolicyError with the place of the first problem, the number of others, and the
        command that lists them."""
        if self.policy is not None:
            return self.policy
        first, *others = self.problems
        where = f"{self.source}: {first.text}" if first.line is None else f"{self.source}, {first.words()}"
        if others:
            number = "1 more problem" if len(others) == 1 else f"{len(others)} more problems"
            where = f"{where} (and {number}: see `{check}`)"
        raise PolicyError(where)


def read_policy_file(data: bytes, source: str) -> PolicyReading:
    """Read a policy file, valid or not; `source` is its name in the output."""
    toml = read_toml(data)
    if isinstance(toml, Problem):
        return PolicyReading(source, {}, Positions(""), (toml,), None)
    return read_policy_tables(toml, source)


def read_policy_tables(toml: TomlText, source: str) -> PolicyReading:
    """Read the tables of a policy file, or of a policy inside another file."""
    positions = Positions(toml.text)
    problems = placed(list(_problems(toml.tables)), positions)
    policy = None if problems else policy_of(msgspec.convert(toml.tables, PolicyFile), source)
    return PolicyReading(source, toml.tables, positions, problems, policy)


def read_policy(data: bytes, source: str) -> Policy:
    """Return the policy of a valid file; raises PolicyError as `PolicyReading.valid_policy`."""
    return read_policy_file(data, source).valid_policy()


def _problems(tables: dict[str, Any]) -> Iterator[KeyProblem]:
    of_version = problem_of_version(tables, VERSION)
    if of_version is not None:
        yield of_version
        return
    of_keys = key_problems(tables, POLICY_FORMAT)
    yield from of_keys
    wrong = [problem.path for problem in of_keys]
    yield from _of_rules(tables, wrong)
    if isinstance(tables.get("target"), dict):
        of_target = [path[1:] for path in wrong if path[:1] == ("target",)]
        target = msgspec.convert(pruned(tables["target"], of_target), TargetTable)
        yield from target_problems(target, is_whole=not of_target)
    if isinstance(tables.get("archive"), dict):
        of_archive = [path[1:] for path in wrong if path[:1] == ("archive",)]
        yield from archive_problems(msgspec.convert(pruned(tables["archive"], of_archive), ArchiveTable))
    if isinstance(tables.get("watch"), dict):
        of_watch = [path[1:] for path in wrong if path[:1] == ("watch",)]
        yield from watch_problems(msgspec.convert(pruned(tables["watch"], of_watch), WatchTable))
    if isinstance(tables.get("notify"), dict):
        of_notify = [path[1:] for path in wrong if path[:1] == ("notify",)]
        notify = msgspec.convert(pruned(tables["notify"], of_notify), NotifyTable)
        yield from notify_problems(notify, is_whole=not of_notify)
    yield from _of_purpose(tables)


def _of_rules(tables: dict[str, Any], wrong: list[Path]) -> Iterator[KeyProblem]:
    rules = tables.get("rule")
    named: dict[str, Path] = {}
    wrong_of: defaultdict[Path, list[Path]] = defaultdict(list)
    for wrong_path in wrong:
        wrong_of[wrong_path[:2]].append(wrong_path[2:])
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
                yield KeyProblem((*path, "name"), text, at="value", other=first)
        if "kind" in kept:
            # The name of a rule does not matter for its combinations.
            rule = msgspec.convert({"name": "-", **kept}, RuleTable)
            yield from rule_problems(rule, path, is_whole=not of_rule)


def _of_purpose(tables: dict[str, Any]) -> Iterator[KeyProblem]:
    """A file that removes nothing has to say so with removes_nothing, and one that says so must not remove."""
    is_meant = tables.get("removes_nothing", False)
    if is_meant is True and (tables.get("rule") or "target" in tables):
        text = "removes_nothing = true contradicts the rules or the target of the file: leave it or them out"
        yield KeyProblem(("removes_nothing",), text)
    elif is_meant is False and not tables.get("rule") and "target" not in tables and _knows_only_ours(tables):
        text = "this policy has no rule and no target: write a [[rule]], or removes_nothing = true if that is meant"
        yield KeyProblem((), text)


def _knows_only_ours(tables: dict[str, Any]) -> bool:
    """Whether all keys are known: an unknown one may be a misspelled rule or target."""
    return tables.keys() <= {field.encode_name for field in msgspec.structs.fields(PolicyFile)}
