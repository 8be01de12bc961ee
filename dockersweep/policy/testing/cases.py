"""Policy tests: reads a case file, makes its plan, and compares that with what the case expects."""

import re
from typing import Literal

from msgspec import Struct, convert
from msgspec.structs import fields

from dockersweep.errors import PolicyError
from dockersweep.model.declared import Declarations, Declared
from dockersweep.model.inventory import Inventory
from dockersweep.model.plan import Plan
from dockersweep.model.policy import Policy
from dockersweep.model.policycase import CaseFile, FlagsCase
from dockersweep.model.policyfile import PolicyFile
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.language.problems import Problem, placed
from dockersweep.policy.language.reading import read_policy_tables
from dockersweep.policy.language.toml_positions import Positions
from dockersweep.policy.language.toml_text import TomlText, read_toml
from dockersweep.policy.names.patterns import is_glob
from dockersweep.policy.planning.planner import make_plan
from dockersweep.policy.testing.differences import differences
from dockersweep.policy.testing.inventory import inventory_of
from dockersweep.policy.testing.objects import texts
from dockersweep.policy.testing.shape import case_problems, take_moment
from dockersweep.units import parse_age, parse_percent, parse_size

_POLICY_HEADER = re.compile(r"\s*(\[\[?)\s*policy\s*(?:\.\s*(.*)|\].*)")
_HEADER = re.compile(r"\s*\[\[?[\w.\"' -]+\]\]?\s*(#.*)?")

_KEYS_OF_POLICIES = {field.encode_name for field in fields(PolicyFile)}
_KEYS_OF_CASES = {field.encode_name for field in fields(CaseFile)}

Meant = Literal["case", "policy", "other"]


class Case(Struct, frozen=True):
    """A valid case file, and its own policy, if it has one."""

    file: CaseFile
    own_policy: Policy | None


class CaseRun(Struct, frozen=True):
    """The result of a case; without differences it has passed."""

    inventory: Inventory
    declarations: Declarations | None
    policy: Policy
    plan: Plan
    differences: tuple[str, ...]


def meant_as(data: bytes) -> Meant:
    """Return what a TOML file is: a case, a policy beside its cases, or a file of another tool. What is no TOML is a
    case."""
    read = read_toml(data)
    if isinstance(read, Problem) or "shows" in read.tables:
        return "case"
    if read.tables.keys() & _KEYS_OF_POLICIES:
        return "policy"
    return "case" if read.tables.keys() & _KEYS_OF_CASES else "other"


def read_case(data: bytes, source: str) -> Case:
    """Read a case file; messages call it `source`. Raises PolicyError with everything wrong with it, line by line."""
    read = read_toml(data)
    if isinstance(read, Problem):
        raise PolicyError(read.words())
    problems = placed(case_problems(read.tables), Positions(read.text))
    has_own = isinstance(read.tables.get("policy"), dict) and {"shows", "now"} <= read.tables.keys()
    own = read_policy_tables(_own_policy(read), f"the policy in {source}") if has_own else None
    problems += () if own is None else own.problems
    if problems:
        raise PolicyError("\n".join(problem.words() for problem in problems))
    file = convert(read.tables, CaseFile, dec_hook=take_moment)
    return Case(file, None if own is None else own.policy)


def run_case(case: CaseFile, policy: Policy, saved: Inventory | None) -> CaseRun:
    """Make the plan of a case and compare it; `saved` is the inventory that the case names.

    Raises PolicyError for an invalid value, and for an expectation of an object that is not there.
    """
    in_force = policy if case.flags is None else policy_from_flags(_flags(case.flags), policy)
    inventory = inventory_of(case, saved)
    declarations = _declarations(case, in_force)
    plan = make_plan(Survey(inventory, case.now, declarations), in_force)
    return CaseRun(inventory, declarations, in_force, plan, differences(case, inventory, plan))


def _declarations(case: CaseFile, policy: Policy) -> Declarations | None:
    if not case.declared and not policy.protections.name_files:
        return None
    return Declarations(
        objects=tuple(
            Declared(
                kind=declared.kind,
                name=declared.name,
                is_pattern=is_glob(declared.name),
                path=declared.file,
                by=declared.by,
            )
            for declared in case.declared
        )
    )


def _flags(flags: FlagsCase) -> PolicyFlags:
    kinds = (flags.kind,) if isinstance(flags.kind, str) else tuple(flags.kind)
    return PolicyFlags(
        older_than=None if flags.older_than is None else parse_age(flags.older_than),
        kinds=kinds,
        all_images=flags.all_images,
        spare_local=flags.spare_local,
        named_volumes=flags.named_volumes,
        keep_labels=texts(flags.keep_label),
        keep_names=texts(flags.keep_name),
        keep_images=texts(flags.keep_image),
        max_objects=flags.max_objects,
        max_bytes=None if flags.max_bytes is None else parse_size(flags.max_bytes),
        max_share=None if flags.max_share is None else parse_percent(flags.max_share),
        max_unrecoverable=flags.max_unrecoverable,
        archive="" if flags.archive else None,
        only_recoverable=flags.only_recoverable,
        only_target=flags.only_target,
    )


def _own_policy(read: TomlText) -> TomlText:
    """Return the policy in a case as TOML of its own, with the same line numbers for the problems."""
    lines: list[str] = []
    is_policy = False
    for line in read.text.split("\n"):
        header = _POLICY_HEADER.fullmatch(line.rstrip("\r"))
        if header is not None:
            is_policy = True
            lines.append(f"{header[1]}{header[2]}" if header[2] else "")
            continue
        is_policy = is_policy and not _HEADER.fullmatch(line.rstrip("\r"))
        lines.append(line if is_policy else "")
    written = read.tables["policy"]
    if "version" not in written:
        # A case has at least `shows` and `now` before its first table, so the first line is free.
        lines[0] = "version = 1"
    text = "\n".join(lines)
    own = read_toml(text.encode())
    if isinstance(own, Problem) or own.tables != {"version": 1, **written}:
        raise PolicyError(
            "the policy of a case must stand in tables of its own: [policy.protect], [[policy.rule]] and so on"
        )
    return own
