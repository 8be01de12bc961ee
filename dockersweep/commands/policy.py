"""`dockersweep policy`: writes, checks, shows and tests policy files."""

import argparse
import os
import sys
from collections.abc import Callable

import msgspec

from dockersweep.commands.gather import gather_picture, gather_policy, policy_flags
from dockersweep.commands.policy_source import find_policy, read_policy_file, readable, source_of
from dockersweep.commands.verdict import verdict
from dockersweep.commands.write import terminal_width, write_result
from dockersweep.errors import OutputError, PolicyError, UsageError
from dockersweep.files import is_plain_file
from dockersweep.policy.flags import PolicyFlags
from dockersweep.report.text import plural

DOES_NOT_HOLD = PolicyError.exit_status


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says; return the exit status."""
    if arguments.action in ("init", "check"):
        _refuse_policy_flags(arguments)
    if arguments.action == "init" and arguments.format == "json":
        raise UsageError("policy init writes TOML: leave out --format json")
    if arguments.directory is not None and arguments.action != "test":
        raise UsageError(f"policy {arguments.action} takes no directory: leave out {arguments.directory}")
    return ACTIONS[arguments.action](arguments)


def _refuse_policy_flags(arguments: argparse.Namespace) -> None:
    """What changes the policy in force has no meaning for a file that is written or checked."""
    if policy_flags(arguments) != PolicyFlags():
        raise UsageError(
            f"policy {arguments.action} is about a file alone: leave out --kind, --older-than, --keep-* and the like"
        )


def _init(arguments: argparse.Namespace) -> int:
    from dockersweep.policy.file.policy_init import default_policy_text

    path = arguments.output
    if path not in (None, "-") and _is_taken(path):
        raise UsageError(f"{path} is there already, and is not written over: name another file, or move it away first")
    write_result(default_policy_text(), path)
    return 0


def _is_taken(path: str) -> bool:
    try:
        return is_plain_file(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None


def _check(arguments: argparse.Namespace) -> int:
    """Write what is wrong with a file; with an inventory or an engine also what its rules find there."""
    from dockersweep.policy.coverage import findings
    from dockersweep.policy.file.lint import lint_policy
    from dockersweep.policy.policyfile import find_problems, read_policy

    path = find_policy(arguments.policy, os.environ)
    if path is None:
        raise UsageError("there is no policy file to check: name one with --policy, or write one with `policy init`")
    data = read_policy_file(path)
    problems = find_problems(data) or lint_policy(data)
    notes: list[str] = []
    asks_engine = arguments.inventory is not None or arguments.host is not None or arguments.context is not None
    if asks_engine and not problems:
        notes = list(findings(gather_picture(arguments).inventory, read_policy(data, source_of(path))))
    if arguments.format == "json":
        found = [{"line": one.line, "column": one.column, "text": one.text} for one in problems]
        text = _json({"policy": readable(path), "problems": found, "notes": notes})
    else:
        from dockersweep.report.text import printable

        places = [":".join(str(part) for part in (path, one.line, one.column) if part is not None) for one in problems]
        lines = [f"{place}: {one.text}" for place, one in zip(places, problems, strict=True)]
        lines += [f"note: {note}" for note in notes]
        text = "".join(f"{printable(line)}\n" for line in lines)
    write_result(text, arguments.output)
    if not problems:
        sys.stderr.write(f"{path}: no problems found\n")
        return 0
    return verdict(DOES_NOT_HOLD, f"{path}: {plural(len(problems), 'problem')}", arguments)


def _show(arguments: argparse.Namespace) -> int:
    policy = gather_policy(arguments)
    if arguments.format == "json":
        text = _json(policy)
    else:
        from dockersweep.report.policy_text import policy_text

        text = policy_text(policy, terminal_width(arguments.output))
    write_result(text, arguments.output)
    return 0


def _test(arguments: argparse.Namespace) -> int:
    from dockersweep.commands.policy_test import run_cases

    if arguments.directory is None:
        raise UsageError("policy test needs the folder with the cases: dockersweep policy test DIR")
    results = run_cases(arguments.directory, gather_policy(arguments))
    if arguments.format == "json":
        text = _json({"cases": results})
    else:
        from dockersweep.report.cases_text import cases_text

        text = cases_text(results)
    write_result(text, arguments.output)
    bad = sum(one.result != "passed" for one in results)
    return verdict(DOES_NOT_HOLD, f"{bad} of {len(results)} cases did not pass", arguments) if bad else 0


def _json(document: object) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"


ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {
    "init": _init,
    "check": _check,
    "show": _show,
    "test": _test,
}
