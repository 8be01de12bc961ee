"""What a verb imports for a saved inventory, counted in modules: how long that takes says nothing on a busy machine."""

import argparse
import subprocess
import sys

import pytest

from dockersweep.parser import build_parser
from dockersweep.parser.verbs import ADD_VERBS

# What argparse and msgspec import themselves is theirs; Python 3.14's imports dataclasses where an argument is made.
BASE = "import argparse, msgspec; argparse.ArgumentParser().add_argument('--flag')"
MODULES = "import sys; sys.stderr.write(' '.join(sys.modules))"
MOST = {
    "report --policy default --format json": 144,
    "report --policy default --format csv": 157,
    "report --policy default --format markdown": 158,
    "plan --policy default --format json": 124,
    "scan --format json": 123,
    "explain image:app:1 --policy default --format json": 132,
}
"""How many modules each may import, our own and Python's."""


def modules(code: str, *arguments: str) -> set[str]:
    """The modules of a process that has done this."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {MODULES}", *arguments], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def imported(inventory: str, *arguments: str) -> set[str]:
    """The modules that a verb imports besides those of argparse and msgspec."""
    call = "import sys; from dockersweep.cli import main; main(sys.argv[1:])"
    return modules(call, *arguments, "--inventory", inventory) - modules(BASE)


def verbs_of(parser: argparse.ArgumentParser) -> list[str]:
    """The verbs that a parser knows."""
    [verbs] = [action.choices for action in parser._actions if action.dest == "verb"]
    return list(verbs or ())


@pytest.mark.parametrize("line", MOST)
def test_a_verb_imports_no_more_than_it_needs(saved: str, line: str) -> None:
    names = imported(saved, *line.split())
    assert "dockersweep.commands.gather" in names
    foreign = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"dockersweep", "org"}
    assert not foreign
    assert not names & {"dataclasses", "email", "json", "pathlib", "threading"}
    assert len(names) <= MOST[line], sorted(names)


def test_what_is_answered_without_the_parser_imports_hardly_anything() -> None:
    call = "import sys; from dockersweep.cli import main; main(sys.argv[1:])"
    assert not {"argparse", "msgspec"} & modules(call, "--version")


def test_only_the_flags_of_the_verb_that_a_line_begins_with_are_made() -> None:
    assert verbs_of(build_parser("report")) == ["report"]
    assert verbs_of(build_parser("--host")) == verbs_of(build_parser()) == list(ADD_VERBS)
