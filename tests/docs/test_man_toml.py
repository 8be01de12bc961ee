"""The manual page of policy files says what the types say: tables, keys, values, defaults, kinds and whole examples."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import pytest
from msgspec import Struct, inspect

from dockersweep import __version__, units
from dockersweep.commands import policy_source
from dockersweep.commands.running import ending
from dockersweep.errors import PolicyError, RefusedError
from dockersweep.model import policyfile
from dockersweep.model.inventory import KINDS, State
from dockersweep.model.policycase import CaseFile
from dockersweep.model.report import FindingId
from dockersweep.parser import build_parser
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.policy.language.lint import lint_policy
from dockersweep.policy.language.reading import read_policy, read_policy_file
from dockersweep.policy.language.rule_checks import KINDS_OF_KEY
from dockersweep.policy.language.tables_to_policy import DEFAULT_ARCHIVED, DEFAULT_EVENTS, DEFAULT_ORDER
from dockersweep.policy.testing.cases import read_case, run_case
from tests.docs.tables_of_page import fields_of, inner_tables, options_of, tables_in, told, type_words
from tests.rig.roff import COMMANDS, Entry, Section, complaints, example_blocks, lines_in_80_columns, read_page

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "man" / "dockersweep.toml.5"
SITUATIONS = ROOT / "tests" / "situations"
SECTIONS = [
    "NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "NOTES", "EXAMPLES",
    "SEE ALSO",
]  # fmt: skip
# Defaults that are not in the types of the file, because they depend on other keys or come later.
UNDERSTOOD = {
    "keep.group_by": '"repository" where the rule is for images only, else "none"',
    "[target].stop_below": "what start_above says",
    "[target].inodes_below": "what inodes_above says",
    "[target].order": json.dumps(DEFAULT_ORDER),
    "[archive].folder": "archive/ beside the ledger",
    "[watch].splay": '"1h", or with every the interval if that is shorter',
    "[watch].settle_at_most": '"5m", or settle where that is longer',
    "[archive].kinds": json.dumps(DEFAULT_ARCHIVED),
    "[notify].on": json.dumps(DEFAULT_EVENTS),
}

TABLES: dict[str, type[Struct]] = {
    "Top level": policyfile.PolicyFile,
    "[protect]": policyfile.ProtectTable,
    "[limits]": policyfile.LimitsTable,
    "[[rule]]": policyfile.RuleTable,
    "match and not": policyfile.MatchTable,
    "keep": policyfile.KeepTable,
    "remove": policyfile.RemoveTable,
    "[target]": policyfile.TargetTable,
    "[archive]": policyfile.ArchiveTable,
    "[watch]": policyfile.WatchTable,
    "[registries]": policyfile.RegistriesTable,
    "[report]": policyfile.ReportTable,
    "[notify]": policyfile.NotifyTable,
}

ALL = list(read_page(PAGE))
OPTIONS = {section.title: section for section in ALL if section.heading == "OPTIONS"}
CASES = next(section for section in ALL if section.title == "Tests")


def section(title: str) -> Section:
    [found] = [section for section in ALL if section.title == title]
    return found


every_table = pytest.mark.parametrize("title", TABLES)


def test_sections_are_those_of_man_pages() -> None:
    assert [section.title for section in ALL if section.title == section.heading] == SECTIONS


def test_page_is_of_this_version() -> None:
    assert f'"dockersweep {__version__}"' in PAGE.read_text(encoding="utf-8")


def test_page_is_installed() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    installed = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert installed[f"man/{PAGE.name}"] == f"share/man/man5/{PAGE.name}"


def test_page_has_every_table_and_no_other() -> None:
    assert [title for title in OPTIONS if title != "OPTIONS"] == list(TABLES)
    assert set(TABLES.values()) == tables_in(policyfile.PolicyFile)


@every_table
def test_page_has_the_keys_of_a_table_with_their_types_and_no_other(title: str) -> None:
    expected = [f"{key} = {type_words(field)}" for key, field in fields_of(TABLES[title]).items()]
    assert sorted(OPTIONS[title].tags) == sorted(expected)


@every_table
def test_page_has_the_defaults_of_a_table(title: str) -> None:
    for key, field in fields_of(TABLES[title]).items():
        entry = OPTIONS[title].entry(f"{key} = {type_words(field)}")
        written = {True: "true", False: "false"}.get(field.default, f'"{field.default}"')
        has_default = not field.required and field.default is not None and not inner_tables(field.type)
        expected = UNDERSTOOD.get(f"{title}.{key}", written if has_default else None)
        assert told(entry, "Default") == expected, key
        assert field.required == ("Required." in entry.text), key


@every_table
def test_page_has_the_kinds_that_have_a_key(title: str) -> None:
    known = KINDS_OF_KEY.get(title.partition(" ")[0], {})
    for key, field in fields_of(TABLES[title]).items():
        entry = OPTIONS[title].entry(f"{key} = {type_words(field)}")
        assert told(entry, "Kinds") == (", ".join(known[key]) if key in known else None), key


def test_the_kinds_of_keys_are_those_of_tables_of_the_page() -> None:
    assert KINDS_OF_KEY["match"] == KINDS_OF_KEY["not"]
    titles = {title if title != "match" else "match and not" for title in KINDS_OF_KEY if title != "not"}
    assert titles <= set(OPTIONS)


def test_page_explains_every_value_in_capitals_and_no_other() -> None:
    used = {word for title in TABLES for tag in OPTIONS[title].tags for word in re.findall(r"\b[A-Z]{3,}\b", tag)}
    explained = {word for tag in section("Values").tags for word in tag.split(", ")}
    # It is explained where it is used, in the only key that has it.
    assert explained == used - {"GROUP"}


def value_entry(word: str) -> Entry:
    [found] = [entry for entry in section("Values").entries if word in entry.tag.split(", ")]
    return found


def test_page_has_the_units_of_ages_and_sizes() -> None:
    ages = set(re.findall(r"\b[a-z]{1,2}\b", value_entry("AGE").text.partition(",\nlike")[0])) - {"a", "or"}
    assert ages == {*units.SECONDS_OF_UNIT, *units.MONTHS_OF_UNIT}
    powers = {"B": 1} | {f"{prefix}B": 1000**power for power, prefix in enumerate("kMGTP", 1)}
    powers |= {f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGTP", 1)}
    assert set(re.findall(r"\b[kKMGTP]?i?B\b", value_entry("SIZE").text)) == set(powers)
    assert {unit: units.parse_size(f"1{unit}") for unit in powers} == powers


def test_values_of_the_page_are_such_values() -> None:
    examples = {word: re.findall(r'"(.+?)"', value_entry(word).text) for word in ("AGE", "SIZE", "SHARE")}
    readers = {"AGE": units.parse_age, "SIZE": units.parse_size, "SHARE": units.parse_percent}
    for word, texts in examples.items():
        assert texts, word
        for text in texts:
            readers[word](text)


def test_page_has_the_kinds_and_the_states() -> None:
    assert re.findall(r'"(.+?)"', value_entry("KINDS").text) == list(KINDS)
    assert re.findall(r'"(.+?)"', value_entry("STATES").text) == list(get_args(State))


def test_page_has_the_first_and_the_last_finding() -> None:
    first, *_, last = get_args(FindingId)
    assert re.findall(r'"(.+?)"', value_entry("FINDINGS").text) == [first, last]


def test_page_has_the_places_of_the_file_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = Path(policy_source.SYSTEM_FOLDER, policy_source.FILE_NAME)
    own = "~/.config/dockersweep/dockersweep.toml"
    assert section("FILES").tags == [own, str(system)]
    text = section("Which file").text
    places = [text.index(word) for word in ("--policy", "DOCKERSWEEP_POLICY", own, str(system))]
    assert places == sorted(places)
    monkeypatch.setattr(policy_source, "SYSTEM_FOLDER", tmp_path / "etc")
    (tmp_path / "etc").mkdir()
    (tmp_path / ".config" / "dockersweep").mkdir(parents=True)
    home = {"HOME": str(tmp_path)}
    found = [policy_source.find_policy(None, home)]
    (tmp_path / "etc" / policy_source.FILE_NAME).touch()
    found.append(policy_source.find_policy(None, home))
    (tmp_path / own.removeprefix("~/")).touch()
    found.append(policy_source.find_policy(None, home))
    found.append(policy_source.find_policy(None, {**home, "DOCKERSWEEP_POLICY": "a"}))
    found.append(policy_source.find_policy("b", {**home, "DOCKERSWEEP_POLICY": "a"}))
    found.append(policy_source.find_policy("default", {**home, "DOCKERSWEEP_POLICY": "a"}))
    first, second = str(tmp_path / "etc" / policy_source.FILE_NAME), str(tmp_path / own.removeprefix("~/"))
    assert found == [None, first, second, "a", "b", None]


def test_page_has_the_environment() -> None:
    source = Path(policy_source.__file__).read_text(encoding="utf-8")
    assert section("ENVIRONMENT").tags == list(dict.fromkeys(re.findall(r'environment\.get\("(\w+)"\)', source)))


def test_page_has_the_exit_statuses_that_speak_of_policies() -> None:
    statuses = [PolicyError.exit_status, ending.SOME_FAILED, RefusedError.exit_status]
    assert section("EXIT STATUS").tags == [str(status) for status in statuses]
    assert f"the exit status is {RefusedError.exit_status}." in section("[limits]").text
    assert f"the exit status is {ending.SOME_FAILED}." in section("[target]").text


def test_page_names_no_flag_that_the_parser_has_not() -> None:
    [verbs] = [action.choices for action in build_parser()._actions if action.dest == "verb"]
    assert isinstance(verbs, Mapping)
    parsers = [build_parser(), *verbs.values()]
    known = {name for parser in parsers for action in parser._actions for name in action.option_strings}
    text = "\n".join(section.text for section in ALL if section.title not in ("Tests", "EXAMPLES"))
    assert set(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", text)) <= known


@pytest.mark.parametrize("line", [block for block in example_blocks(PAGE) if block.startswith("dockersweep ")])
def test_command_parses(line: str) -> None:
    build_parser().parse_args(shlex.split(line)[1:])


def test_page_has_the_keys_of_a_policy_test_and_no_other() -> None:
    expected = {"top level": list(fields_of(CaseFile))}
    tables = {key: table for key, field in fields_of(CaseFile).items() for table in inner_tables(field.type)}
    of_all = set.intersection(*(set(fields_of(tables[kind])) for kind in KINDS)) - {"name"}
    for key, table in tables.items():
        is_list = any(isinstance(one, inspect.ListType) for one, _ in options_of(fields_of(CaseFile)[key].type))
        own = [name for name in fields_of(table) if key not in KINDS or name not in of_all]
        expected[f"[[{key}]]" if is_list else f"[{key}]"] = own
    listed = {
        entry.tag: (told(entry_on_lines(entry), "Keys") or "").split(", ") for entry in CASES.entries if entry.tag
    }
    assert set(listed.pop("every object")) == of_all
    assert {tag: sorted(keys) for tag, keys in listed.items()} == {tag: sorted(keys) for tag, keys in expected.items()}


def entry_on_lines(entry: Entry) -> Entry:
    """Return an entry with each sentence on one line."""
    return Entry(entry.tag, re.sub(r"(?<![.])\n", " ", entry.text))


def test_case_of_the_page_passes() -> None:
    [text] = [block for block in example_blocks(PAGE) if block.startswith("shows = ")]
    case = read_case(text.encode(), "the page")
    assert case.own_policy is not None
    assert run_case(case.file, case.own_policy, None).differences == ()
    assert run_case(case.file, DEFAULT_POLICY, None).differences != ()


def situations() -> dict[str, str]:
    """Return the policy below each sentence of the examples, but for the first."""
    entries = [entry for entry in section("EXAMPLES").entries if entry.text]
    sentences = [entry.text.replace("\n", " ").strip() for entry in entries[::2]]
    blocks = [block for block in example_blocks(PAGE) if "version = 1" in block]
    return dict(zip(sentences[1:], blocks[1:], strict=True))


def test_situations_are_the_files() -> None:
    files = [file.read_text(encoding="utf-8") for file in SITUATIONS.iterdir()]
    first_lines = [file.partition("\n") for file in files]
    assert all(line.startswith("# ") and line.count(".") == 1 and line.endswith(".") for line, _, _ in first_lines)
    assert situations() == {line.removeprefix("# "): rest for line, _, rest in first_lines}
    assert len(files) == 10


@pytest.mark.parametrize("file", sorted(SITUATIONS.iterdir()), ids=lambda file: file.stem)
def test_situation_holds(file: Path) -> None:
    data = file.read_bytes()
    reading = read_policy_file(data, "a test")
    assert [problem.words() for problem in reading.problems or lint_policy(reading)] == []
    assert "keep" in {protection.pattern for protection in read_policy(data, "the policy").protections.labels}


def test_first_example_has_every_table_and_holds() -> None:
    [text] = [block for block in example_blocks(PAGE) if block.startswith("#:schema ./") and "version" in block]
    data = text.encode()
    reading = read_policy_file(data, "a test")
    assert [problem.words() for problem in reading.problems or lint_policy(reading)] == []
    tables = tomllib.loads(text)
    assert {key for key, field in fields_of(policyfile.PolicyFile).items() if inner_tables(field.type)} <= set(tables)
    assert set(KINDS_OF_KEY) <= {key for rule in tables["rule"] for key in rule}
    [header] = [block for block in example_blocks(PAGE) if block.startswith("#:schema ./") and "version" not in block]
    assert text.startswith(header)


@pytest.mark.parametrize(
    ("rule", "is_refused"),
    [
        ('kind = "image"\nremove.older_than = "1d"', True),
        ('kind = "volume"\nremove.older_than = "1d"', True),
        ('kind = "network"\nremove.older_than = "1d"', False),
        ('kind = "network"\nremove.older_than = "0s"', True),
        ('kind = "image"\nmatch.tag = "1"\nkeep.last = 0\nremove.older_than = "1d"', True),
    ],
)
def test_what_has_to_be_meant(rule: str, is_refused: bool) -> None:
    data = f'version = 1\n[[rule]]\nname = "one"\n{rule}\n'.encode()
    assert bool(read_policy_file(data, "a test").problems) == is_refused
    assert not read_policy_file(data + b"everything = true\n", "a test").problems


def test_marked_for_is_understood() -> None:
    data = b'version = 1\n[[rule]]\nname = "one"\nkind = "network"\nremove.marked_for = "1d"\n'
    [rule] = read_policy(data, "the policy").rules
    assert rule.remove is not None
    assert rule.remove.marked_for == units.parse_age("1d")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_page_is_good_roff(command: list[str]) -> None:
    assert complaints(command, PAGE) == ""


def test_page_fits_80_columns() -> None:
    assert [line for line in lines_in_80_columns(PAGE) if len(line) > 80] == []
