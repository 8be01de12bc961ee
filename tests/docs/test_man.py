"""The manual page says what the program does: flags, exit statuses, environment, default policy and examples."""

from __future__ import annotations

import argparse
import ast
import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dockersweep import __version__, cli, errors, ledger, units
from dockersweep.commands import plan, removal_entry
from dockersweep.commands.running import ending, signals
from dockersweep.engine.api import endpoint
from dockersweep.model.outcome import Status
from dockersweep.model.policy import Rule
from dockersweep.model.recovery import RestoreStatus
from dockersweep.parser import build_parser
from dockersweep.parser.docker_flags import DOCKER_FLAGS
from dockersweep.policy.disk_report.findings import FINDING_ROWS
from dockersweep.policy.judging import selection
from dockersweep.policy.language import default_policy
from dockersweep.report.disk.metrics import STATUSES
from dockersweep.report.disk.metrics import exposition as prometheus_report
from tests.report.test_prometheus import past_run
from tests.rig.allowed import ALLOWED_CALLS, ARCHIVING_CALLS, RESTORING_CALLS, SWARM_CALLS
from tests.rig.reports import busy_report
from tests.rig.roff import COMMANDS, Entry, Section, complaints, example_blocks, lines_in_80_columns, plain, read_page

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "man" / "dockersweep.1"
# The sections of man-pages(7) that we have, in its order.
SECTIONS = [
    "NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "NOTES", "EXAMPLES",
    "SEE ALSO",
]  # fmt: skip
# The sections of flags that several verbs have, and that a synopsis names in place of their flags, in this order.
SHARED_FLAGS = (
    "Policy flags", "Protection flags", "Archive flags", "Reading flags", "Carrying-out flags", "Reaching flags",
    "Rollout flags",
)  # fmt: skip
HIDDEN_VARIABLES = {"DOCKERSWEEP_NOW"}
FLAG = r"(?<![\w-])--?[A-Za-z][\w-]*"

ALL = list(read_page(PAGE))
PAGE_TEXT = "\n".join(section.text for section in ALL)
OPTIONS = {section.title: section for section in ALL if section.heading == "OPTIONS"}


def section(title: str) -> Section:
    [found] = [section for section in ALL if section.title == title]
    return found


def verbs() -> dict[str, argparse.ArgumentParser]:
    [choices] = [action.choices for action in build_parser()._actions if action.dest == "verb"]
    assert isinstance(choices, dict)
    return choices


def actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if action.dest != "verb"]


def tag_of(action: argparse.Action) -> str:
    """Return how the page has to name an argument: "-o, --output FILE"."""
    names = ", ".join(action.option_strings)
    value = "" if action.nargs == 0 else action.metavar or "|".join(action.choices or ())
    if action.nargs == "?" and action.option_strings:
        value = f"[{value}]"
    return f"{names} {value}".strip()


def entries_of(verb: str) -> dict[str, Entry]:
    """Return what the page lists for a verb, in its own section and in those that it names."""
    named = ["Common flags", "Flags without a verb"] if verb == "" else [verb, *OPTIONS[verb].named("Also takes")]
    entries = [entry for title in named for entry in OPTIONS[title].entries if names_argument(entry.tag)]
    assert len({entry.tag for entry in entries}) == len(entries), f"{verb} has a flag twice"
    return {entry.tag: entry for entry in entries}


def names_argument(tag: str) -> bool:
    """Whether a tag is a flag or a positional argument, and no filter or status."""
    return tag.startswith("-") or tag.isupper()


PARSERS = {"": build_parser(), **verbs()}
every_verb = pytest.mark.parametrize("verb", PARSERS, ids=lambda verb: verb or "(no verb)")


def test_sections_are_those_of_man_pages() -> None:
    assert [section.title for section in ALL if section.title == section.heading] == SECTIONS


def test_page_is_of_this_version() -> None:
    assert f'"dockersweep {__version__}"' in PAGE.read_text(encoding="utf-8")


def test_page_has_every_verb_and_no_other() -> None:
    assert [title for title in OPTIONS if title.islower()] == list(verbs())
    named = re.findall(r"^\.SY dockersweep\\~([\w-]+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert named == list(verbs())


@every_verb
def test_page_has_the_arguments_of_a_verb_and_no_other(verb: str) -> None:
    assert set(entries_of(verb)) == {tag_of(action) for action in actions(PARSERS[verb])}


@pytest.mark.parametrize("verb", verbs())
def test_synopsis_has_the_flags_of_a_verb(verb: str) -> None:
    block = re.search(rf"^\.SY dockersweep\\~{verb}\n(.*?)^\.YS$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert block
    own = [verb, *({"Saved scans"} & set(OPTIONS[verb].named("Also takes")))]
    tags = [tag for title in own for tag in OPTIONS[title].tags if names_argument(tag)]
    shown = re.findall(FLAG, plain(block[1]))
    assert shown == [tag.split(",")[0].split(" ")[0] for tag in tags if tag.startswith("-")]
    others = [title for title in SHARED_FLAGS if title in OPTIONS[verb].named("Also takes")]
    assert re.findall(r"([\w-]+)-flag", plain(block[1])) == [title.partition(" ")[0].lower() for title in others]


OF_OTHERS = {
    "--build-arg",
    "--check",
    "--config",
    "--diff",
    "--group-add",
    "--mode",
    "--mount",
    "--name",
    "--now",
    "--read-only",
    "--restart-delay",
    "--rm",
    "--security-opt",
    "--user",
    "-f",
    "-it",
    "-t",
}
"""Those of docker build, docker run, docker service create, ansible-playbook and systemctl, in examples."""


def test_page_names_no_flag_that_the_parser_has_not() -> None:
    known = {name for parser in PARSERS.values() for action in actions(parser) for name in action.option_strings}
    known |= {f"--{name}" for name in DOCKER_FLAGS}
    known |= OF_OTHERS
    # What is done without dockersweep: tests/archive/test_by_hand.py does it.
    known |= {flag for block in example_blocks(PAGE) if "dockersweep" not in block for flag in re.findall(FLAG, block)}
    without_others = PAGE_TEXT.replace("jq -r", "jq").replace("$? -eq", "$?")
    assert set(re.findall(FLAG, without_others)) == known


@every_verb
def test_page_has_the_defaults_and_choices_of_a_verb(verb: str) -> None:
    entries = entries_of(verb)
    for action in actions(PARSERS[verb]):
        words = re.findall(r"[\w-]+(?:\.\w+)*", entries[tag_of(action)].text)
        if isinstance(action.default, str) and action.default != argparse.SUPPRESS:
            assert "default" in words, f"{tag_of(action)} has a default"
            assert action.default in words
        if action.dest != "format" and action.metavar is not None:
            assert set(action.choices or ()) <= set(words), f"the page leaves out what {tag_of(action)} can be"


@pytest.mark.parametrize("verb", verbs())
def test_page_has_the_formats_of_a_verb(verb: str) -> None:
    default, *others = PARSERS[verb].get_default("formats")
    assert OPTIONS[verb].named("Formats") == [f"{default} (default)", *others]


def test_page_has_the_filters() -> None:
    found = [re.fullmatch(r"([a-z]+)=[A-Z]+", tag) for tag in OPTIONS["scan"].tags]
    assert [tag[1] for tag in found if tag] == list(selection.FILTERS)


def test_page_has_the_units_of_ages() -> None:
    first_sentence = OPTIONS["Arguments"].entry("AGE").text.partition(".")[0]
    named = set(re.findall(r"\b[a-z]{1,2}\b", first_sentence)) - {"a", "or"}
    assert named == {*units.SECONDS_OF_UNIT, *units.MONTHS_OF_UNIT}


def test_page_has_what_can_become_of_a_removal() -> None:
    assert [tag for tag in OPTIONS["sweep"].tags if not names_argument(tag)] == list(get_args(Status))


def statuses_of_errors() -> set[int]:
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    return {value.exit_status for value in classes if issubclass(value, errors.DockersweepError)}


def test_page_has_the_exit_statuses() -> None:
    of_signals = {cli.INTERRUPTED, *(signals.KILLED_BY + number for number in signals.SIGNALS)}
    expected = {0, *statuses_of_errors(), *of_signals, plan.SOMETHING_TO_REMOVE, ending.SOME_FAILED}
    assert [int(tag) for tag in section("EXIT STATUS").tags] == sorted(expected)


def environment_lookups(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield what is looked up in `os.environ`, or in a mapping that is called `environment`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and is_environment(node.value):
            yield node.slice
        elif isinstance(node, ast.Compare) and any(map(is_environment, node.comparators)):
            yield node.left
        elif isinstance(node, ast.Call) and is_lookup(node.func):
            yield node.args[0]


def is_lookup(called: ast.expr) -> bool:
    of_mapping = isinstance(called, ast.Attribute) and is_environment(called.value)
    return of_mapping or ast.unparse(called).rpartition(".")[2] == "getenv"


def is_environment(node: ast.expr) -> bool:
    return ast.unparse(node).rpartition(".")[2] in ("environ", "environment")


def test_page_has_the_events_of_a_watcher() -> None:
    text = (ROOT / "dockersweep" / "commands" / "watching" / "watch_log.py").read_text(encoding="utf-8")
    named = set(re.findall(r'self\._tell\([^"]*"([a-z-]+)"', text))
    assert len(named) > 10
    words = set(re.findall(r"[a-z-]+", section("The watcher").text))
    assert not named - words


def test_page_has_the_environment() -> None:
    names = set()
    for file in (ROOT / "dockersweep").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if "environ" not in text and "getenv" not in text:
            continue
        for name in environment_lookups(ast.parse(text)):
            assert isinstance(name, ast.Constant), f"{file} looks up {ast.unparse(name)}, which no test can follow"
            names.add(name.value)
    assert names > HIDDEN_VARIABLES
    tags = section("ENVIRONMENT").tags
    assert len(set(tags)) == len(tags)
    assert set(tags) == names - HIDDEN_VARIABLES
    assert not any(name in PAGE_TEXT for name in HIDDEN_VARIABLES)


def test_page_has_the_files() -> None:
    home = ledger.state_folder({"HOME": "~"}, 1000) / ledger.FILE_NAME
    root = ledger.state_folder({}, 0) / ledger.FILE_NAME
    assert {str(home), str(root), endpoint.DEFAULT_SOCKET.removeprefix("unix://")} <= set(section("FILES").tags)
    assert endpoint.DEFAULT_SOCKET in section("Which engine").text


def test_page_has_the_keys_of_the_audit_log() -> None:
    sentence = next(s for s in OPTIONS["Carrying-out flags"].entry("--audit-log FILE").text.split(".") if "keys" in s)
    assert re.findall(r"[a-z_]+", sentence.split(" are ")[1].replace(" and\n", ", ")) == list(
        removal_entry.Entry.__struct_fields__
    )


def test_page_has_the_findings_with_their_severities() -> None:
    expected = [f"{row.id} ({row.severity})" for row in FINDING_ROWS]
    assert section("The findings of a report").tags == expected


def test_page_has_the_metrics_with_their_labels() -> None:
    metrics: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(prometheus_report(busy_report(), past_run(), 0)):
        for sample in family.samples:
            metrics.setdefault(sample.name, set()).update(set(sample.labels) - {"engine"})
    tags = [tag for line in section("The metrics of a report").tags for tag in line.split(", ")]
    told = {name: set(re.findall(r"\w+", labels)) for name, _, labels in (tag.partition("{") for tag in tags)}
    assert told == metrics


def test_page_has_what_a_last_run_can_be() -> None:
    words = section("The metrics of a report").entry("dockersweep_last_run_status{status}").text
    assert set(STATUSES) <= set(re.findall(r"[\w-]+", words))


def words_of_call(pattern: str) -> str:
    """Return how the page has to write a path: "/images/IMAGE/json"."""
    return re.sub(r"\[.*\]\*", "ID", re.sub(r"(?<=/images/)\[.*\]\*", "IMAGE", pattern))


def test_page_has_the_calls_of_an_engine_and_no_other() -> None:
    named = section("What is trusted, and what rights are needed")
    told = {tag: set(re.findall(r"/\S+\b", named.entry(tag).text)) for tag in named.tags}
    expected = {method: {words_of_call(path) for of, path in ALLOWED_CALLS if of == method} for method in told}
    assert told == expected
    assert set(told) == {method for method, _ in ALLOWED_CALLS}


def test_page_has_the_calls_of_an_archive_and_no_other() -> None:
    named = section("What an archive asks of an engine")
    told = {(tag, path) for tag in named.tags for path in re.findall(r"/\S+\b", named.entry(tag).text)}
    assert told == {(method, words_of_call(path)) for method, path in ARCHIVING_CALLS}


def test_page_has_the_calls_of_restore_and_no_other() -> None:
    named = section("Taking back")
    told = {(tag, path) for tag in named.tags for path in re.findall(r"/\S+\b", named.entry(tag).text)}
    assert told == {(method, words_of_call(path)) for method, path in RESTORING_CALLS}


def test_page_has_what_can_become_of_a_restoration() -> None:
    assert [tag for tag in OPTIONS["restore"].tags if not names_argument(tag)] == list(get_args(RestoreStatus))


def test_page_has_the_calls_of_a_swarm_and_no_other() -> None:
    named = section("On a swarm")
    told = {(tag.split()[-1], path) for tag in named.tags for path in re.findall(r"/\S+\b", named.entry(tag).text)}
    assert told == {(method, words_of_call(path)) for method, path in SWARM_CALLS}


def test_flags_of_a_verb_on_a_swarm_are_flags_of_that_verb() -> None:
    [inner] = [action.choices for action in PARSERS["swarm"]._actions if action.dest == "swarm_verb"]
    assert isinstance(inner, dict)
    # The sums of a report on many hosts have details too, that of one has none.
    of_job = {"-v", "--verbose", "--summary"}
    of_job |= {name for action in PARSERS["swarm"]._actions for name in action.option_strings}
    for verb, parser in inner.items():
        assert verb in OPTIONS["swarm"].entry("VERB").text
        own = {name for action in PARSERS[verb]._actions for name in action.option_strings}
        told = {name for one in parser._actions if one.help != argparse.SUPPRESS for name in one.option_strings}
        assert told <= own | of_job, verb


def age_of(rule: Rule) -> str:
    assert rule.remove is not None
    age = rule.remove.older_than or rule.remove.unused_for
    assert age is not None
    return age.text


def test_page_has_the_default_policy_and_its_ages() -> None:
    expected = [f"{rule.name} ({age_of(rule)})" for rule in default_policy.DEFAULT_RULES]
    assert section("The default policy").tags == expected


@pytest.mark.parametrize(
    ("flag", "rule"),
    [("--all-images", default_policy.TAGGED_IMAGES), ("--named-volumes", default_policy.NAMED_VOLUMES)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_page_has_the_ages_of_the_rules_that_flags_add(flag: str, rule: Rule) -> None:
    assert f"after {age_of(rule)}." in OPTIONS["Policy flags"].entry(flag).text


def example_lines() -> list[str]:
    return [line for block in example_blocks(PAGE) if "dockersweep" in block for line in block.splitlines()]


def command_of(line: str) -> list[str]:
    """Return the arguments of dockersweep in a line of a shell or of crontab(5)."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = itertools.dropwhile(lambda word: Path(word).name != "dockersweep", lexer)
    return list(itertools.takewhile(lambda word: not re.fullmatch(r"[|&;<>()]+", word), words))[1:]


@pytest.mark.parametrize("line", example_lines())
def test_example_parses(line: str) -> None:
    arguments = build_parser().parse_args(command_of(line))
    assert arguments.format in (None, *arguments.formats)


def test_lines_of_crontabs_name_the_folder() -> None:
    """PATH of cron(8) has no /usr/local/bin."""
    lines = [line for line in example_lines() if re.match(r"@daily |[\d*]+ [\d*]+ ", line)]
    assert len(lines) >= 3
    assert all(" /usr/local/bin/dockersweep " in line for line in lines)


def test_examples_show_every_verb() -> None:
    assert {build_parser().parse_args(command_of(line)).verb for line in example_lines()} == set(verbs())


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_page_is_good_roff(command: list[str]) -> None:
    assert complaints(command, PAGE) == ""


def test_page_fits_80_columns() -> None:
    assert [line for line in lines_in_80_columns(PAGE) if len(line) > 80] == []


@every_verb
def test_help_names_every_argument(verb: str) -> None:
    command = [sys.executable, "-m", "dockersweep", *([verb] if verb else []), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: dockersweep {verb}".rstrip())
    words = set(re.findall(r"[\w-]+", done.stdout))
    for action in actions(PARSERS[verb]):
        assert set(action.option_strings) <= words
        assert action.help not in (None, argparse.SUPPRESS), f"{tag_of(action)} has no help"
    if not verb:
        assert set(verbs()) <= words
