"""What argparse reads is made into typed options at one place, and nothing below it knows a namespace."""

import ast
import shlex
from pathlib import Path

import pytest
from msgspec.structs import fields

import dockersweep
from dockersweep.commands.options import ApplyOptions, PlanOptions, ReportOptions, SweepOptions, options_of
from dockersweep.parser import build_parser, parse
from dockersweep.policy.language.flags import PolicyFlags, flags_typed

PACKAGE = Path(dockersweep.__file__).parent
THAT_MAY = ("cli.py", "parser", "parser.py", "commands/options.py")
OPERANDS = {
    "apply": ["plan.json"], "explain": ["web"], "policy": ["show"], "schema": ["plan"], "completion": ["bash"],
    "docker-plugin": ["install"], "swarm": ["scan"], "archive": ["list"], "fleet": ["report", "documents"],
    "restore": ["12"],
}  # fmt: skip


def mentions_namespace(path: Path) -> bool:
    """Whether a module names argparse's Namespace, in annotations that are strings too."""
    text = path.read_text()
    if "argparse" not in text:
        return False
    nodes = list(ast.walk(ast.parse(text)))
    names = any(isinstance(node, ast.Attribute) and ast.unparse(node) == "argparse.Namespace" for node in nodes)
    texts = any(isinstance(node, ast.Constant) and "argparse.Namespace" in str(node.value) for node in nodes)
    imports = any(isinstance(node, ast.ImportFrom) and node.module == "argparse" for node in nodes)
    return names or texts or imports


def test_a_namespace_goes_no_further_than_the_making_of_options() -> None:
    modules = [path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if mentions_namespace(path)]
    assert "cli.py" in modules
    assert not [name for name in modules if name not in THAT_MAY and name.split("/")[0] not in THAT_MAY]


@pytest.mark.parametrize("verb", build_parser()._subparsers._group_actions[0].choices)  # type: ignore[union-attr,arg-type]
def test_each_verb_has_options_of_its_own(verb: str) -> None:
    options = options_of(parse([verb, *OPERANDS.get(verb, [])]))
    assert type(options).__name__ in (f"{verb.title().replace('-', '')}Options", "PolicyVerbOptions")


@pytest.mark.parametrize(
    "verb", ["apply", "explain", "history", "schema", "completion", "docker-plugin", "man", "policy"]
)
def test_flags_may_stand_anywhere_among_operands(verb: str) -> None:
    operands = ["check", "one.toml"] if verb == "policy" else OPERANDS.get(verb, [])
    operands = {"history": ["7"], "man": ["dockersweep.toml"]}.get(verb, operands)
    flag = ["-o", "-"]
    orders = [[*operands[:place], *flag, *operands[place:]] for place in range(len(operands) + 1)]
    parsed = [vars(parse([verb, *order])) for order in (*orders, [*flag, "--", *operands])]
    for one in parsed:
        del one["build_parser"]
    assert len(orders) > 1
    assert all(one == parsed[0] for one in parsed)


def test_durations_are_seconds() -> None:
    options = options_of(parse(["sweep", "--size-timeout", "2m", "--lock-timeout", "1h", "--removal-timeout", "3s"]))
    assert isinstance(options, SweepOptions)
    assert options.run.engine.size_timeout_seconds == 120
    assert options.run.engine.engine_timeout_seconds == 60
    assert options.run.lock_timeout_seconds == 3600
    assert options.run.removal_timeout_seconds == 3


EACH_POLICY_FLAG = (
    "--older-than 3d --kind image --kind volume --free 20000000000B --keep-label 'a b=c' --keep-label d "
    "--keep-name 'x*' --keep-image app --max-objects 0 --max-bytes 5B --max-share 12.5% --max-unrecoverable 0 "
    "--archive '/srv/a b' --all-images --spare-local --named-volumes --retry-refused --only-recoverable --only-target"
)


@pytest.mark.parametrize("text", ["", "--named-volumes", "--archive", "--no-archive", EACH_POLICY_FLAG])
def test_the_flags_of_a_policy_are_told_as_they_are_typed(text: str) -> None:
    options = options_of(parse(["sweep", *shlex.split(text)]))
    assert isinstance(options, SweepOptions)
    assert flags_typed(options.policy.flags) == text


def test_each_flag_of_a_policy_is_told() -> None:
    options = options_of(parse(["sweep", *shlex.split(EACH_POLICY_FLAG)]))
    assert isinstance(options, SweepOptions)
    unchanged = PolicyFlags()
    assert not [
        field.name
        for field in fields(PolicyFlags)
        if getattr(options.policy.flags, field.name) == getattr(unchanged, field.name)
    ]


def test_a_dry_run_has_the_options_of_a_plan() -> None:
    options = options_of(parse(["sweep", "--dry-run", "--confirm-engine", "ci", "-o", "plan.json"]))
    assert isinstance(options, SweepOptions)
    assert isinstance(options.plan, PlanOptions)
    assert options.plan.confirm_engine == "ci"
    assert options.plan.output == options.run.output
    assert options.plan.output.format == "json"


@pytest.mark.parametrize(("path", "goes_to_file"), [(None, False), ("-", False), ("x", True)])
def test_where_the_result_goes(path: str | None, goes_to_file: bool) -> None:
    options = options_of(parse(["report", *(["-o", path] if path else [])]))
    assert isinstance(options, ReportOptions)
    assert options.output.goes_to_file is goes_to_file


def test_no_bar_between_events_for_programs() -> None:
    options = options_of(parse(["apply", "plan.json", "--log-format", "json"]))
    assert isinstance(options, ApplyOptions)
    assert not options.run.engine.shows_progress
