"""`dockersweep policy`: writes, checks, shows and tests policy files."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from dockersweep.commands.gather import gather_policy, gather_survey, open_ledger
from dockersweep.commands.options import EngineOptions, PolicyVerbOptions
from dockersweep.commands.policy_source import default_policy_text, find_policy, read_policy_at, readable
from dockersweep.commands.write import terminal_width, write_aside, write_problems, write_result
from dockersweep.errors import DeclaredFileError, OutputError, PolicyError, UsageError
from dockersweep.files import is_plain_file
from dockersweep.model.policy import Policy, Protections
from dockersweep.policy.language.flags import PolicyFlags
from dockersweep.words.lists import first_of

if TYPE_CHECKING:
    from dockersweep.policy.language.problems import Problem
    from dockersweep.policy.language.reading import PolicyReading

DOES_NOT_HOLD = PolicyError.exit_status
MOST_SKIPPED = 3


def run(options: PolicyVerbOptions) -> int:
    """Carry out the action; return the exit status."""
    if options.action in ("init", "check"):
        _refuse_policy_flags(options)
    if options.action == "init" and options.output.format == "json":
        raise UsageError("policy init writes TOML: leave out --format json")
    if options.path is not None and options.action == "init":
        raise UsageError(f"policy init takes no operand: write the file with -o {options.path}")
    if options.action in ("check", "show"):
        options = _with_file(options)
    return ACTIONS[options.action](options)


def _with_file(options: PolicyVerbOptions) -> PolicyVerbOptions:
    """Return the options with FILE of `policy check FILE` as --policy."""
    if options.path is None:
        return options
    if options.policy.path is not None:
        raise UsageError(f"{options.path} and --policy name a policy file each: give one of them")
    return replace(options, policy=replace(options.policy, path=options.path))


def _refuse_policy_flags(options: PolicyVerbOptions) -> None:
    """Raise UsageError for flags that change the policy in force: they mean nothing for a file."""
    if options.policy.flags != PolicyFlags():
        raise UsageError(
            f"policy {options.action} is about a file alone: leave out --kind, --older-than, --keep-* and the like"
        )


def _init(options: PolicyVerbOptions) -> int:
    path = options.output.path
    if path not in (None, "-") and _is_taken(path):
        raise UsageError(f"{path} already exists, not overwritten: name another file, or move it away first")
    write_result(default_policy_text(), path)
    return 0


def _is_taken(path: str) -> bool:
    try:
        return is_plain_file(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None


def _check(options: PolicyVerbOptions) -> int:
    """Write what is wrong with a file; with an inventory or an engine also notes on what its rules match there.

    What the policy does that its reader may not expect is a note too.
    """
    from dockersweep.policy.judging.coverage import findings
    from dockersweep.policy.language.lint import lint_policy
    from dockersweep.policy.language.notes import notes_on

    path = find_policy(options.policy.path, os.environ)
    if path is None:
        raise UsageError(
            "there is no policy file to check: name one, `policy check FILE`, or write one with `policy init`"
        )
    reading = read_policy_at(path)
    notes: list[str] = []
    problems = reading.problems or lint_policy(reading) or _declared_problems(reading, options.engine, notes)
    if not problems:
        notes += notes_on(reading)
        problems = _address_problems(reading, notes)
    asks_engine = options.engine.inventory is not None or options.engine.names_engine
    if asks_engine and not problems:
        policy = reading.valid_policy()
        notes += findings(gather_survey(options.engine, policy), policy)
    problem_lines = [problem.in_file(path) for problem in problems]
    if options.output.format == "json":
        listed = [{"line": problem.line, "column": problem.column, "text": problem.text} for problem in problems]
        text = _json({"policy": readable(path), "problems": listed, "notes": notes})
    else:
        from dockersweep.report.text import printable

        lines = [*problem_lines, *(f"note: {note}" for note in notes)]
        text = "".join(f"{printable(line)}\n" for line in lines)
    write_result(text, options.output.path)
    if not problems:
        write_aside(f"{path}: no problems found")
        return 0
    write_problems([f"dockersweep: {line}" for line in problem_lines], options.output)
    return DOES_NOT_HOLD


def _declared_problems(reading: "PolicyReading", options: EngineOptions, notes: list[str]) -> "tuple[Problem, ...]":
    """Return what is wrong with the files that a policy names, at the key that names them. What could not be learned
    from them is added to `notes`; a plan would warn of it."""
    protections = reading.valid_policy().protections
    if not protections.name_files:
        return ()
    from dockersweep.commands.declared_files import read_declarations
    from dockersweep.policy.language.problems import KeyProblem, placed

    faults: list[KeyProblem] = []
    none = Protections()
    with open_ledger(options) as ledger:
        for key in ("compose_files", "quadlets"):
            named = replace(none, **{key: getattr(protections, key)})
            try:
                notes += read_declarations(named, ledger, options.shows_progress).notes
            except DeclaredFileError as error:
                faults.append(KeyProblem(("protect", key), str(error), at="value"))
    return placed(faults, reading.positions)


def _address_problems(reading: "PolicyReading", notes: list[str]) -> "tuple[Problem, ...]":
    """Return which addresses of [notify] apprise cannot use, where it is installed. What is missing on this machine is
    added to `notes`: a policy is also checked where it will not be in force."""
    settings = reading.valid_policy().notify
    if settings is None:
        return ()
    from dockersweep.commands.notifying.checks import address_faults, notify_faults
    from dockersweep.policy.language.problems import KeyProblem, placed

    notes += (f"notify: {fault}" for fault in notify_faults(settings))
    is_list = isinstance(reading.tables["notify"]["urls"], list) if settings.urls else False
    faults = [
        KeyProblem(("notify", "urls", place) if is_list else ("notify", "urls"), f"notify: {fault}", at="value")
        for place, fault in address_faults(settings).items()
    ]
    return placed(faults, reading.positions)


def _show(options: PolicyVerbOptions) -> int:
    policy = gather_policy(options.policy)
    if options.output.format == "json":
        text = _json(_shown(policy))
    else:
        from dockersweep.report.formats import formatted
        from dockersweep.report.policy import policy_layout

        text = formatted(policy_layout(policy), "table", terminal_width(options.output.path))
    write_result(text, options.output.path)
    return 0


def _shown(policy: Policy) -> Policy:
    """Return a policy without the secrets in addresses and arguments of [notify]."""
    notify = policy.notify
    if notify is None:
        return policy
    return replace(policy, notify=replace(notify, command=notify.command[:1], urls=notify.services))


def _test(options: PolicyVerbOptions) -> int:
    from dockersweep.commands.policy_test import is_policy_file, run_cases

    path = options.path
    if path is None:
        raise UsageError(
            "policy test needs a folder with cases, one case, or a policy file beside its cases: "
            "dockersweep policy test PATH"
        )
    if is_policy_file(path):
        options = _with_file(options)
    results, skipped = run_cases(path, gather_policy(options.policy))
    if skipped:
        write_aside(f"note: neither a case nor a policy, skipped: {first_of(skipped, MOST_SKIPPED)}")
    if options.output.format == "json":
        text = _json({"cases": results})
    else:
        from dockersweep.report.policy_cases import cases_text

        text = cases_text(results, terminal_width(options.output.path))
    write_result(text, options.output.path)
    bad = sum(result.result != "passed" for result in results)
    if not bad:
        return 0
    write_problems([f"dockersweep: {bad} of {len(results)} cases did not pass"], options.output)
    return DOES_NOT_HOLD


def _json(document: object) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"


ACTIONS: dict[str, Callable[[PolicyVerbOptions], int]] = {
    "init": _init,
    "check": _check,
    "show": _show,
    "test": _test,
}
