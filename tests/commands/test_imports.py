"""What a verb imports, counted in modules: how long that takes says nothing on a busy machine."""

import argparse
import subprocess
import sys

import pytest

from dockersweep.parser import build_parser
from dockersweep.parser.verbs import ADD_VERBS
from tests.commands.test_guard_rails import removable
from tests.rig.fake_engine import fake_engine

# What argparse and msgspec import themselves is theirs; Python 3.14's imports dataclasses where an argument is made.
BASE = "import argparse, msgspec; argparse.ArgumentParser().add_argument('--flag')"
MODULES = "import sys; sys.stderr.write(' '.join(sys.modules))"
MOST = {
    "report --policy default --format json": 145,
    "report --policy default --format csv": 158,
    "report --policy default --format markdown": 159,
    "plan --policy default --format json": 124,
    "scan --format json": 123,
    "explain image:app:1 --policy default --format json": 132,
}
"""How many modules each may import for a saved inventory, our own and Python's."""
MOST_OF_AN_ENGINE = {
    "scan --format json": (189, 35),
    "plan --older-than 0s": (198, 80),
    "plan --older-than 0s --format json": (190, 35),
    "sweep --dry-run --older-than 0s": (199, 80),
    "report --policy default": (244, 80),
    "sweep --yes --yes-first-time --older-than 0s": (228, 60),
}
"""How many modules of our own each may import for an engine on a unix socket, and of Python's beside them."""
NOT_FOR_AN_ENGINE = {"docker", "requests", "urllib3", "ssl", "http"}
"""What they have all imported once: most of the time of a small plan was spent on it."""
FOR_AN_ARCHIVE = ("dockersweep.archive", "dockersweep.engine.archiving", "dockersweep.engine.api.archive_calls")
"""What is imported only where the policy has one."""
FOR_TABLES = {"tabulate", "wcwidth", "importlib.metadata", "email", "dataclasses", "inspect"}
"""What is imported where a table is written."""


CALL = "import sys; from dockersweep.cli import main; main(sys.argv[1:])"


def modules(code: str, *arguments: str) -> set[str]:
    """The modules of a process that has done this."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {MODULES}", *arguments], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def imported(inventory: str, *arguments: str) -> set[str]:
    """The modules that a verb imports besides those of argparse and msgspec."""
    return modules(CALL, *arguments, "--inventory", inventory) - modules(BASE)


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


@pytest.mark.parametrize("line", MOST_OF_AN_ENGINE)
def test_a_verb_imports_no_more_than_it_needs_of_an_engine(line: str) -> None:
    with fake_engine() as engine:
        removable(engine, "a", "b")
        names = modules(CALL, *line.split(), "-H", engine.url) - modules(BASE)
    own = {name for name in names if name.partition(".")[0] == "dockersweep"}
    assert "dockersweep.engine.reading.scanner" in own
    assert not [name for name in own if name.startswith(FOR_AN_ARCHIVE)]
    assert not names & NOT_FOR_AN_ENGINE
    assert not names & FOR_TABLES or "json" not in line
    others = {name for name in names - own if name.partition(".")[0] in sys.stdlib_module_names}
    most, most_of_python = MOST_OF_AN_ENGINE[line]
    assert len(own) <= most, sorted(own)
    # The pathlib of that version is three modules.
    most_of_python += 2 * (sys.version_info[:2] == (3, 13))
    assert len(others) <= most_of_python, sorted(others)


def test_what_is_answered_without_the_parser_imports_hardly_anything() -> None:
    assert not {"argparse", "msgspec"} & modules(CALL, "--version")


def test_what_docker_asks_of_a_plugin_imports_nothing() -> None:
    """Every `docker --help` asks it."""
    plugin = "import sys; from dockersweep.docker_plugin import main; main()"
    names = modules(plugin, "docker-cli-plugin-metadata") - modules("pass")
    assert names == {"dockersweep", "dockersweep.docker_plugin"}


def test_what_docker_gets_without_a_verb_imports_no_engine() -> None:
    plugin = "import sys; from dockersweep.docker_plugin import main; main()"
    names = modules(plugin, "--context", "prod", "sweep", "--help")
    assert "dockersweep.usage" in names
    assert not {name for name in names if name.startswith(("dockersweep.commands", "dockersweep.engine"))}


@pytest.mark.parametrize(
    "line",
    [
        "report",
        "--tlsverify report",
        "-H plan report",
        "-Hplan report",
        "--host=plan report",
        "-o sweep --format json report --host x plan",
    ],
)
def test_only_the_flags_of_the_verb_of_a_line_are_made(line: str) -> None:
    assert verbs_of(build_parser(line.split())) == ["report"]


@pytest.mark.parametrize("line", ["", "--host", "-H report", "--nothing report", "-3d report", "- report", "-- report"])
def test_a_line_without_a_verb_is_told_of_all(line: str) -> None:
    assert verbs_of(build_parser(line.split())) == list(ADD_VERBS)
