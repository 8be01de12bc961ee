"""The manual page of fleet files says what the types say: tables, keys, values, defaults and whole examples."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec import NODEFAULT, Struct

from dockersweep import __version__, units
from dockersweep.commands.fleet.fleet_hosts import NamedHosts, fleet_hosts
from dockersweep.errors import HostsError
from dockersweep.fleet.reading import read_fleet_file
from dockersweep.model import fleetfile
from dockersweep.parser import build_parser
from tests.commands.calling import SCRATCH
from tests.docs.tables_of_page import fields_of, inner_tables, tables_in, told, type_words
from tests.engine.test_endpoint import write_context
from tests.rig.roff import COMMANDS, complaints, example_blocks, lines_in_80_columns, read_page

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "man" / "dockersweep-fleet.toml.5"
TABLES: dict[str, type[Struct]] = {
    "Top level": fleetfile.FleetFile,
    "[defaults]": fleetfile.DefaultsTable,
    "[[host]]": fleetfile.HostTable,
    "[rollout]": fleetfile.RolloutTable,
}
ALL = list(read_page(PAGE))
OPTIONS = {section.title: section for section in ALL if section.heading == "OPTIONS"}
VALUES = next(section for section in ALL if section.title == "Values")
BLOCKS = example_blocks(PAGE)
FILES = [block for block in BLOCKS if "[[host]]" in block]

every_table = pytest.mark.parametrize("title", TABLES)


def test_sections_are_those_of_man_pages() -> None:
    assert [section.title for section in ALL if section.title == section.heading] == [
        "NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "NOTES", "EXAMPLES", "SEE ALSO",
    ]  # fmt: skip


def test_page_is_of_this_version_and_installed() -> None:
    assert f'"dockersweep {__version__}"' in PAGE.read_text(encoding="utf-8")
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    installed = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert installed[f"man/{PAGE.name}"] == f"share/man/man5/{PAGE.name}"


def test_page_has_every_table_and_no_other() -> None:
    assert [title for title in OPTIONS if title != "OPTIONS"] == list(TABLES)
    assert set(TABLES.values()) == tables_in(fleetfile.FleetFile)


@every_table
def test_page_has_the_keys_of_a_table_with_their_types_and_defaults(title: str) -> None:
    fields = fields_of(TABLES[title])
    tags = {key: f"{key} = {type_words(field)}" for key, field in fields.items()}
    assert OPTIONS[title].tags == list(tags.values())
    for key, field in fields.items():
        entry = OPTIONS[title].entry(tags[key])
        has_default = field.default not in (NODEFAULT, None) and not inner_tables(field.type)
        assert told(entry, "Default") == (json.dumps(field.default) if has_default else None), key
        assert field.required == ("Required." in entry.text), key


def test_page_explains_every_value_in_capitals_and_no_other() -> None:
    used = {word for title in TABLES for tag in OPTIONS[title].tags for word in re.findall(r"\b[A-Z]{3,}\b", tag)}
    assert set(VALUES.tags) == used


def test_page_has_the_units_of_durations() -> None:
    text = VALUES.entry("DURATION").text
    assert set(re.findall(r"\b[a-z]{1,2}\b", text.partition(",\nlike")[0])) - {"a", "or"} == set(units.SECONDS_OF_UNIT)
    durations = re.findall(r'"(.+?)"', text)
    assert [units.parse_age(duration).seconds for duration in durations] == [30, 5400]


def test_examples_hold(tmp_path: Path) -> None:
    for name in ("dockersweep.toml", "ci.toml", "ci-large.toml"):
        (tmp_path / name).write_text(SCRATCH)
    (tmp_path / "certificates").mkdir()
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / "certificates" / name).touch()
    for path in tmp_path.rglob("*.toml"):
        path.chmod(0o644)
    environment = {"DOCKER_CONFIG": str(tmp_path / "docker")}
    file = tmp_path / "fleet.toml"
    found = []
    for text in FILES:
        file.write_text(text)
        file.chmod(0o644)
        if "context" in text:
            with pytest.raises(HostsError, match='there is no context "build2"'):
                fleet_hosts(NamedHosts(fleet=str(file)), environment)
            write_context(tmp_path / "docker", "build2", "unix:///run/build2.sock")
        found.append([host.name for host in fleet_hosts(NamedHosts(fleet=str(file)), environment).hosts])
    assert found == [["build1", "build2", "web"], ["build1", "build2", "registry"]]


def test_last_example_has_every_key() -> None:
    text = FILES[-1]
    reading = read_fleet_file(text.encode())
    assert reading.problems == ()
    tables = tomllib.loads(text)
    written = {title: set(tables[title.strip("[]")]) for title in ("[defaults]", "[rollout]")}
    written["[[host]]"] = set().union(*tables["host"])
    assert written == {title: set(fields_of(TABLES[title])) for title in written}
    [header] = [block for block in BLOCKS if block.startswith("#:schema ./") and "version" not in block]
    assert text.startswith(header)


@pytest.mark.parametrize("line", [line for block in BLOCKS for line in block.splitlines() if "dockersweep " in line])
def test_command_parses(line: str) -> None:
    program, *arguments = shlex.split(line)
    assert program == "dockersweep"
    build_parser().parse_args(arguments)


def test_page_names_no_flag_that_the_parser_has_not() -> None:
    [verbs] = [action.choices for action in build_parser()._actions if action.dest == "verb"]
    assert isinstance(verbs, Mapping)
    known = {flag for parser in verbs.values() for action in parser._actions for flag in action.option_strings}
    text = "\n".join(section.text for section in ALL)
    assert set(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", text)) <= known


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_page_is_good_roff(command: list[str]) -> None:
    assert complaints(command, PAGE) == ""


def test_page_fits_80_columns() -> None:
    assert [line for line in lines_in_80_columns(PAGE) if len(line) > 80] == []
