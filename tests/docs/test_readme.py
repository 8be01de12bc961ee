"""README holds what is true: its commands parse, and what it names exists."""

import re
import shlex
from pathlib import Path

import pytest

from dockersweep.parser import build_parser
from dockersweep.policy.language.default_policy import DEFAULT_RULES
from dockersweep.policy.language.lint import lint_policy
from dockersweep.policy.language.reading import read_policy, read_policy_file
from tests.docs.test_man import words_of_call
from tests.rig.allowed import ALLOWED_CALLS, ARCHIVING_CALLS, RESTORING_CALLS, SWARM_CALLS

README = Path(__file__).parents[2] / "README.md"
# Lines of blocks that start with the command, or with a prompt, a service's key or a crontab's fields before it.
COMMAND = re.compile(
    r"^(?:\$ |ExecStart=|[\d*]+ [\d*]+ \S+ \S+ \S+ root )(?:tests/sandbox |/usr/local/bin/)?(dockersweep [^#|\n]*)",
    re.M,
)


def commands() -> list[str]:
    return [match[1].strip() for match in COMMAND.finditer(README.read_text())]


@pytest.mark.parametrize("command", commands())
def test_every_command_parses(command: str) -> None:
    arguments = build_parser().parse_args(shlex.split(command)[1:])
    assert arguments.verb is not None


def test_the_commands_of_every_verb_are_shown() -> None:
    [verbs] = [action.choices for action in build_parser()._actions if action.dest == "verb"]
    assert {command.split()[1] for command in commands()} == set(verbs or ())
    assert len(commands()) > 12


def test_the_files_that_it_names_are_there(checkout: Path) -> None:
    for name in ("tests/sandbox", "tests/run", "CONTRIBUTING.md", "CHANGELOG.md"):
        assert name in README.read_text()
        assert (checkout / name).exists()


def test_it_is_read_in_one_go() -> None:
    # What is longer goes into the manual.
    assert len(README.read_text().splitlines()) <= 250


def test_its_pictures_are_there_and_small(checkout: Path) -> None:
    pictures = [checkout / name for name in re.findall(r"!\[[^]]+\]\((share/pictures/[^)]+)\)", README.read_text())]
    assert {picture.suffix for picture in pictures} == {".svg", ".png"}
    assert all(picture.stat().st_size < 150_000 for picture in pictures)


def test_its_calls_are_those_that_are_made() -> None:
    rows = re.findall(r"^\| .* \| (GET|DELETE|POST) \| (.*) \|$", README.read_text(), re.MULTILINE)
    told = {(method, path) for method, paths in rows for path in re.findall(r"`(\S+)`", paths)}
    assert told == {(method, words_of_call(path)) for method, path in ALLOWED_CALLS}


def test_its_calls_of_an_archive_are_those_that_are_made() -> None:
    [row] = re.findall(r"^\| these with an archive \| GET, POST \| (.*) \|$", README.read_text(), re.MULTILINE)
    told = {(part.split()[0], path) for part in row.split("; ") for path in re.findall(r"`(\S+)`", part)}
    assert told == {(method, words_of_call(path)) for method, path in ARCHIVING_CALLS}


def test_its_calls_of_restore_are_those_that_are_made() -> None:
    [row] = re.findall(r"^\| `restore` \| all four \| (.*) \|$", README.read_text(), re.MULTILINE)
    told = {(part.split()[0], path) for part in row.split("; ") for path in re.findall(r"`(\S+)`", part)}
    assert told == {(method, words_of_call(path)) for method, path in RESTORING_CALLS}


def test_its_calls_of_a_swarm_are_those_that_are_made() -> None:
    [row] = re.findall(r"^\| `swarm`.* \| all three \| (.*) \|$", README.read_text(), re.MULTILINE)
    told = {(part.split()[0], path) for part in row.split("; ") for path in re.findall(r"`(\S+)`", part)}
    assert told == {(method, words_of_call(path)) for method, path in SWARM_CALLS}


def test_its_policy_holds() -> None:
    [block] = re.findall(r"^```toml\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert [rule.name for rule in read_policy(block.encode(), "README.md").rules] == ["old releases"]
    assert lint_policy(read_policy_file(block.encode(), "a test")) == ()


def test_the_ages_of_its_table_are_those_of_the_default_policy() -> None:
    table = README.read_text().split("| kind | removed when |")[1].split("\n\n")[0]
    for rule in DEFAULT_RULES:
        [kind] = rule.kinds
        row = next(line for line in table.splitlines() if line.startswith(f"| {kind.replace('-', ' ')} |"))
        assert rule.remove is not None
        age = rule.remove.older_than or rule.remove.unused_for
        assert age is not None
        assert age.words() in row
