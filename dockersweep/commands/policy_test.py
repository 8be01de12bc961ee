"""`dockersweep policy test PATH`: whether a policy decides cases as expected."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from dockersweep.commands.gather import read_inventory
from dockersweep.commands.policy_source import LARGEST_BYTES, NO_FILE, readable, source_of
from dockersweep.errors import PolicyError, UsageError
from dockersweep.files import is_folder, is_there, read_configuration
from dockersweep.model.policy import Policy
from dockersweep.model.policycase import CaseResult
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.policy.language.reading import read_policy
from dockersweep.policy.testing.cases import Case, CaseRun, Meant, meant_as, read_case, run_case


def is_policy_file(path: str) -> bool:
    """Whether a path is a policy file, with its cases beside it, and not a folder of cases or a case."""
    return _is_file(path) and _meant_as(Path(path)) == "policy"


def _is_file(path: str) -> bool:
    try:
        return is_there(path) and not is_folder(path)
    except OSError:
        # `find_cases` reports the error.
        return False


class CaseResults(NamedTuple):
    """The results of cases."""

    results: tuple[CaseResult, ...]
    skipped: tuple[str, ...]
    """The files that are neither a case nor a policy; paths relative to the folder of the cases."""


def run_cases(path: str, policy: Policy | None) -> CaseResults:
    """Run every case below a folder, or the one in a file, or those beside a policy file that test it; return their
    results.

    `policy` is for cases that name none. An invalid case gets the result "broken", and the others run all the same.
    Raises UsageError where there is no folder or no case.
    """
    directory = os.path.dirname(path) or "." if _is_file(path) else path
    tested = Path(path) if is_policy_file(path) else None
    files = CaseFiles((Path(path),)) if _is_file(path) and tested is None else find_cases(directory)
    if not files.cases:
        raise UsageError(f"there is no case in {directory}: write one as NAME.toml, as dockersweep.toml(5) shows")
    read_named = cache(_named_policy)
    results = [_result_of(case, os.path.relpath(case, directory), policy, read_named, tested) for case in files.cases]
    tests = tuple(result for result in results if result is not None)
    if not tests:
        raise UsageError(
            f"no case in {directory} tests {path}: each has another policy. Write policy = "
            f'"{os.path.basename(path)}" in one, or run them all with `policy test {directory}`'
        )
    return CaseResults(tests, tuple(readable(os.path.relpath(other, directory)) for other in files.others))


def _result_of(
    path: Path, shown: str, policy: Policy | None, read_named: Callable[[Path], Policy], tested: Path | None
) -> CaseResult | None:
    """Return the result of a case; None if it tests another policy than the file `tested`."""
    shows = source = None
    try:
        case = _read_case(path)
        if tested is not None and not _tests(case, path, tested):
            return None
        shows = case.file.shows
        of_case = _policy_of(case, path, policy, read_named)
        source = "its own policy" if case.own_policy is not None else of_case.source
        run = _run(case, path, of_case)
    except UsageError as error:
        problems = tuple(str(error).split("\n"))
        return CaseResult(file=readable(shown), shows=shows, policy=source, result="broken", told=problems)
    result: Literal["passed", "failed"] = "failed" if run.differences else "passed"
    return CaseResult(file=readable(shown), shows=shows, policy=source, result=result, told=run.differences)


def _tests(case: Case, path: Path, tested: Path) -> bool:
    """Whether a case is for the policy file `tested`: it names that file, or none."""
    named = case.file.policy
    if named is None:
        return True
    return isinstance(named, str) and named != NO_FILE and (path.parent / named).resolve() == tested.resolve()


class CaseFiles(NamedTuple):
    """The TOML files below a folder, in order, without policies."""

    cases: tuple[Path, ...]
    others: tuple[Path, ...] = ()
    """Files that are neither a case nor a policy, like a pyproject.toml."""


def find_cases(directory: str) -> CaseFiles:
    """Return the case files below a folder, and files of other tools, without hidden ones.

    Raises UsageError where the folder cannot be read.
    """
    try:
        if not is_folder(directory):
            problem = "is not a directory" if is_there(directory) else "does not exist"
            raise UsageError(
                f"{directory} {problem}: name a folder with cases, one case, or a policy file beside its cases"
            )
    except OSError as error:
        raise UsageError(f"{directory} cannot be read: {error.strerror}") from None
    candidates: list[Path] = []
    for folder, folders, files in os.walk(directory, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        candidates += [Path(folder, name) for name in files if name.endswith(".toml") and not name.startswith(".")]
    meant = {path: _meant_as(path) for path in sorted(candidates)}
    return CaseFiles(
        cases=tuple(path for path, what in meant.items() if what == "case"),
        others=tuple(path for path, what in meant.items() if what == "other"),
    )


def _named_policy(path: Path) -> Policy:
    return read_policy(_read(path), source_of(str(path)))


def run_file(path: Path, policy: Policy | None) -> tuple[str, CaseRun]:
    """Run one case; return its `shows` line and its run.

    Raises UsageError for an invalid case, or one that names an invalid file.
    """
    case = _read_case(path)
    return case.file.shows, _run(case, path, _policy_of(case, path, policy, _named_policy))


def _read_case(path: Path) -> Case:
    return read_case(_read(path), str(path))


def _run(case: Case, path: Path, policy: Policy) -> CaseRun:
    saved = None if case.file.inventory is None else read_inventory(str(path.parent / case.file.inventory))
    return run_case(case.file, policy, saved)


def _policy_of(case: Case, path: Path, given: Policy | None, read_named: Callable[[Path], Policy]) -> Policy:
    named = case.file.policy
    if case.own_policy is not None:
        return case.own_policy
    if named == NO_FILE:
        return DEFAULT_POLICY
    if isinstance(named, str):
        return read_named(path.parent / named)
    if given is None:
        raise PolicyError(
            'the case names no policy, and none is given: write policy = "dockersweep.toml" or [[policy.rule]] in it, '
            "or give --policy"
        )
    return given


def _meant_as(path: Path) -> Meant:
    """Return the kind of a file. An unreadable one counts as a case: running it reports the error, and the others
    run."""
    try:
        return meant_as(_read(path))
    except PolicyError:
        return "case"


def _read(path: Path) -> bytes:
    try:
        return read_configuration(path, LARGEST_BYTES)
    except (OSError, ValueError) as error:
        raise PolicyError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _refuse(error: OSError) -> None:
    raise UsageError(f"{error.filename} cannot be read: {error.strerror}")
