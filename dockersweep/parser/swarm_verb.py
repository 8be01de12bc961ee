"""The parser of `swarm`: the verbs that run on nodes, each with its own flags and with those of the job."""

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dockersweep.parser.argument_parser import VerbParser
from dockersweep.parser.shared_flags import (
    add_carrying_out,
    add_common,
    add_detail,
    add_only_problems,
    add_policy,
    add_quiet,
    add_quiet_run,
    add_reading,
)
from dockersweep.parser.values import age, count, count_or_percent, later, timeout

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[VerbParser]
    AddVerb = Callable[["Verbs", str, str, Sequence[str], str], argparse.ArgumentParser]

FORMATS = ("table", "json", "csv", "markdown")
REPORT_FORMATS = (*FORMATS, "html", "prometheus")
SEVERITIES = ("critical", "warning", "note")
DESCRIPTION = "Run a verb on every node of a swarm, and bring the results together."


def add_swarm(verbs: "Verbs", add_verb: "AddVerb") -> None:
    """Add the verb; `add_verb` adds one with the flags of every verb."""
    parser = add_verb(verbs, "swarm", DESCRIPTION, FORMATS, " VERB [FLAG ...]")
    # What follows the inner verb is that verb's.
    parser.takes_any_order = False  # type: ignore[attr-defined]
    _add_job(parser, is_inner=False)
    inner = parser.add_subparsers(
        dest="swarm_verb", metavar="VERB", prog=parser.prog, parser_class=VerbParser, required=True,
        help="scan, plan, report or sweep, with its own flags",
    )  # fmt: skip
    for name, description, add_flags in (
        ("scan", "List what is unused on every node.", _scan),
        ("plan", "Show what would be removed on every node.", _plan),
        ("report", "Show disk usage and findings of every node.", _report),
        ("sweep", "Plan on every node, ask once, and remove just that.", _sweep),
    ):
        one = add_verb(inner, name, description, REPORT_FORMATS if name == "report" else FORMATS, "")
        _add_job(one, is_inner=True)
        add_flags(one)
        add_reading(one, from_file=False)


def node_words(argv: Sequence[str]) -> tuple[str, ...]:
    """Return a command line that `swarm` has parsed without the flags that are for the machine where it was typed."""
    own = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    add_common(own, None, REPORT_FORMATS)
    _add_job(own, is_inner=False)
    # How the result is shown, which is made of all that the nodes know.
    for flags in (("-v", "--verbose"), ("--summary",), ("-q", "--quiet"), ("--only-problems",)):
        own.add_argument(*flags, action="store_true")
    return tuple(own.parse_known_args(argv)[1])


def _add_job(parser: argparse.ArgumentParser, is_inner: bool) -> None:
    """Add the flags of the job. They are accepted before and after the inner verb; only the former sets defaults."""
    group = parser.add_argument_group("job")

    def add(flag: str, default: object, **options: Any) -> None:
        group.add_argument(flag, default=argparse.SUPPRESS if is_inner else default, **options)

    add("--image", None, metavar="IMAGE", help="the image of dockersweep that every node has, or can pull")
    add("--timeout", "30m", metavar="AGE", type=timeout, help="how long the nodes may take in all (30m)")
    add("--volume", "dockersweep", metavar="NAME", help="the volume of each node that has its ledger (dockersweep)")
    add("--user", None, metavar="USER", help="the user, or UID:GID, in the container (that of the image)")
    # A list after the inner verb would replace the one before it.
    for flag, metavar, words in (
        ("--group-add", "GID", "a group for that user, like that of the engine's socket, repeatable"),
        ("--constraint", "EXPR", "only nodes like node.role==worker, repeatable: all must hold"),
    ):
        dest = flag[2:].replace("-", "_") + ("_inner" if is_inner else "")
        group.add_argument(flag, dest=dest, metavar=metavar, action="append", default=[], help=words)
    if is_inner:
        # What a task of the job is told, by the run that creates it.
        parser.add_argument("--as-task", metavar="RUN", help=argparse.SUPPRESS)
        parser.add_argument("--is-looked-at", action="store_true", help=argparse.SUPPRESS)
    add("--allow-unreached", 0, metavar="N", type=count, help="succeed if at most N cannot be reached")


def _scan(parser: argparse.ArgumentParser) -> None:
    add_detail(parser, "each node's own tables too", "only the sums")
    parser.set_defaults(kind=[], not_kind=[], filter=[], all=False, sort=None, header=True)


def _plan(parser: argparse.ArgumentParser) -> None:
    add_detail(parser, "each node's own tables too", "only the sums")
    add_only_problems(parser)
    parser.add_argument(
        "--exit-code", action="store_true", help="exit with 10 where something would be removed, 4 over a limit"
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--at", metavar="TIME", type=later, help="the plan as of then, if nothing changes")
    group.add_argument("--next", dest="within", metavar="AGE", type=age, help="what would go within so long, by day")
    add_policy(parser)
    parser.set_defaults(interactive=False, confirm_engine=None)


def _report(parser: argparse.ArgumentParser) -> None:
    add_detail(parser, "each node's own tables too", "only the sums")
    add_quiet(parser, "print nothing unless --fail-on is reached")
    parser.add_argument(
        "--fail-on", metavar="SEVERITY", choices=SEVERITIES,
        help="exit with 10 where a finding is critical, at least a warning, or at least a note",
    )  # fmt: skip
    add_policy(parser)


def _sweep(parser: argparse.ArgumentParser) -> None:
    add_detail(parser, "each node's own tables too", "only the sums")
    add_quiet_run(parser)
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask; needed where there is no terminal")
    add_policy(parser)
    add_carrying_out(parser)
    group = parser.add_argument_group("rollout")
    group.add_argument("--canary", metavar="N", type=count, default=0, help="N nodes first, which all must end well")
    group.add_argument(
        "--max-failures", metavar="N", type=count_or_percent,
        help="begin no further node after more failures; a number, or a share of the nodes like 10%%",
    )  # fmt: skip
    group.add_argument("--parallel", metavar="N", type=count, help="how many nodes are at work at the same time")
    parser.add_argument("--keep-plan", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--of-plan", metavar="RUN", help=argparse.SUPPRESS)
    parser.set_defaults(at=None, within=None, interactive=False, exit_code=False, dry_run=False)
