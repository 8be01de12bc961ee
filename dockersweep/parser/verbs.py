"""The parser of each verb, in the order of `--help`. A new verb is a function here and a line in `ADD_VERBS`."""

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dockersweep.parser.argument_parser import VerbParser
from dockersweep.parser.shared_flags import (
    add_archive,
    add_carrying_out,
    add_common,
    add_confirming,
    add_detail,
    add_interactive,
    add_kinds,
    add_only_problems,
    add_policy,
    add_protections,
    add_quiet,
    add_quiet_run,
    add_reading,
    add_several,
)
from dockersweep.parser.values import age, archive_folder, count, later, new_name, run_number, selection_filter, timeout

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[VerbParser]

DOCUMENTS = (
    *("inventory", "plan", "outcome", "failure", "explanation", "group", "history", "restoration", "report", "fleet"),
    *("fleet-report", "archive", "archive-report"),
    *("policy", "fleet-file"),
)
PLAIN_FORMATS = ("table", "json", "csv", "markdown")
ROW_FORMATS = (*PLAIN_FORMATS, "parquet")
"""Those of what can be a row of many hosts."""
REPORT_FORMATS = ("table", "json", "csv", "markdown", "html", "prometheus")
SEVERITIES = ("critical", "warning", "note")
SHELLS = ("bash", "zsh", "fish", "names")
"""The shells with completion; "names" is what their scripts call."""
PAGES = ("dockersweep", "dockersweep.toml", "dockersweep-fleet.toml")
"""The pages of the manual."""
PLUGIN_ACTIONS = ("install", "remove")
ARCHIVE_ACTIONS = ("list", "show", "verify", "prune", "drop")
FLEET_ACTIONS = ("report", "query")
POLICY_ACTIONS = ("init", "check", "show", "test")
OF_A_PLAN = "every object, kept ones too, with every reason", "only how many of each kind, and what they free"
"""What --verbose and --summary show of a plan."""
SORT_KEYS = ("size", "age", "name")


def _add_verb(
    verbs: "Verbs", name: str, description: str, formats: Sequence[str], operand: str = ""
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=description, description=description, allow_abbrev=False,
        usage=f"{verbs._prog_prefix} {name} [FLAG ...]{operand}",
    )  # fmt: skip
    add_common(parser, argparse.SUPPRESS, formats)
    parser.set_defaults(formats=formats, quiet=False, only_problems=False, log_format="text")
    return parser


def _scan(verbs: "Verbs") -> None:
    parser = _add_verb(verbs, "scan", "List unused objects, with sizes and ages.", ROW_FORMATS)
    group = parser.add_argument_group("selection")
    group.add_argument("-a", "--all", action="store_true", help="include objects in use (marked *)")
    add_detail(parser, "every object, with its compose project, service and file", "only how many of each kind")
    parser.add_argument("-q", "--quiet", action="store_true", help="ids only")
    group.add_argument("--sort", choices=SORT_KEYS, metavar="KEY", help="size (default), age or name")
    add_kinds(group)
    group.add_argument(
        "--filter", metavar="KEY=VALUE", action="append", type=selection_filter, default=[],
        help="name, label, project, state, driver or until; repeatable",
    )  # fmt: skip
    group.add_argument("--no-header", dest="header", action="store_false", help="rows only, each with its kind")
    add_reading(parser, from_file=True)
    add_several(parser)


def _plan(verbs: "Verbs") -> None:
    parser = _add_verb(verbs, "plan", "Show what would be removed, what is kept, and why.", ROW_FORMATS)
    add_detail(parser, *OF_A_PLAN)
    parser.add_argument(
        "--exit-code", action="store_true", help="exit with 10 where something would be removed, 4 over a limit"
    )
    add_only_problems(parser)
    add_interactive(parser)
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--at", metavar="TIME", type=later, help="the plan as of then, if nothing changes: like +7d, or 2026-12-24"
    )
    group.add_argument(
        "--next", dest="within", metavar="AGE", type=age, help="what would go within so long, by day, like 7d"
    )
    add_policy(parser)
    add_reading(parser, from_file=True)
    add_several(parser)
    parser.set_defaults(confirm_engine=None)


def _sweep(verbs: "Verbs") -> None:
    parser = _add_verb(verbs, "sweep", "Plan, ask (or take --yes for it), and remove just that.", ROW_FORMATS)
    parser.add_argument("-n", "--dry-run", action="store_true", help="show the plan only")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask; needed where there is no terminal")
    add_interactive(parser)
    add_detail(parser, *OF_A_PLAN)
    add_quiet_run(parser)
    parser.add_argument("--exit-code", action="store_true", help="with --dry-run: as in plan")
    add_policy(parser)
    add_reading(parser, from_file=False)
    add_several(parser, removes=True)
    add_carrying_out(parser)
    parser.set_defaults(at=None, within=None)


def _apply(verbs: "Verbs") -> None:
    parser = _add_verb(verbs, "apply", "Carry out a saved plan: its removals, none other.", ROW_FORMATS, " PLAN")
    parser.add_argument("plan", metavar="PLAN", help="what `plan --format json -o FILE` wrote; - is standard input")
    parser.add_argument(
        "-y", "--yes", action="store_true", help="do not ask; a later version needs it where there is no terminal"
    )
    add_interactive(parser)
    add_detail(parser, *OF_A_PLAN)
    add_quiet_run(parser)
    parser.add_argument(
        "--max-age", metavar="AGE", type=age, default="24h", help="refuse a plan that is older than this (24h)"
    )
    add_protections(parser.add_argument_group("policy"))
    add_archive(parser)
    add_reading(parser, from_file=False)
    add_several(parser, removes=True)
    add_carrying_out(parser)
    parser.set_defaults(
        older_than=None,
        kind=[],
        not_kind=[],
        free_bytes=None,
        only_target=False,
        all_images=False,
        spare_local=False,
        named_volumes=False,
    )


def _report(verbs: "Verbs") -> None:
    parser = _add_verb(verbs, "report", "Show disk usage, its trend, and what to fix.", (*REPORT_FORMATS, "parquet"))
    parser.add_argument(
        "--fail-on", metavar="SEVERITY", choices=SEVERITIES,
        help="exit with 10 where a finding is critical, at least a warning, or at least a note",
    )  # fmt: skip
    add_quiet(parser, "print nothing unless --fail-on is reached")
    add_policy(parser)
    add_reading(parser, from_file=True)
    add_several(parser)


def _explain(verbs: "Verbs") -> None:
    parser = _add_verb(
        verbs, "explain", "Say what holds an object, which rules match it, and when it would be removed.",
        PLAIN_FORMATS, " OBJECT",
    )  # fmt: skip
    parser.add_argument(
        "object",
        metavar="OBJECT",
        help="a name, a tag, the beginning of an id, KIND:NAME, a compose project, or a repository",
    )
    add_policy(parser)
    add_reading(parser, from_file=True)
    add_several(parser)


def _history(verbs: "Verbs") -> None:
    parser = _add_verb(
        verbs, "history", "Tell what earlier runs did, from the ledger; no engine is asked.",
        PLAIN_FORMATS, " [RUN]",
    )  # fmt: skip
    parser.add_argument(
        "run", metavar="RUN", nargs="?", type=run_number,
        help="the number of one run, told in full; or verify: check the file",
    )  # fmt: skip
    parser.add_argument(
        "--object", metavar="OBJECT", help="what became of it: a name, a tag, the beginning of an id, or KIND:NAME"
    )
    parser.add_argument(
        "--since", metavar="TIME", help="leave out what is older: an age like 7d, or a date like 2026-11-01"
    )
    add_several(parser, asks=False)


def _restore(verbs: "Verbs") -> None:
    parser = _add_verb(
        verbs, "restore", "Take removals back: make again what a run removed.", PLAIN_FORMATS, " RUN|OBJECT"
    )
    parser.add_argument(
        "what",
        metavar="RUN|OBJECT",
        help="the number of a run, for all that it removed; or a name, a tag, the beginning of an id, or KIND:NAME",
    )
    parser.add_argument("-n", "--dry-run", action="store_true", help="show what would be made again only")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask; needed where there is no terminal")
    parser.add_argument("--run", metavar="N", type=count, help="the object as run N removed it; default: the latest")
    parser.add_argument("--as", dest="as_name", metavar="NAME", type=new_name, help="give the object another name")
    parser.add_argument(
        "--archive", metavar="FOLDER", type=archive_folder,
        help="look into this archive first, wherever the ledger says it was; default: that of the policy, then "
        "those that the ledger names",
    )  # fmt: skip
    add_reading(parser, from_file=False)
    group = parser.add_argument_group("carrying out")
    add_confirming(group)
    group.add_argument(
        "--restore-timeout", metavar="AGE", type=timeout, default="1h",
        help="how long the engine may be silent while it makes one object (1h)",
    )  # fmt: skip


def _policy(verbs: "Verbs") -> None:
    parser = _add_verb(
        verbs, "policy", "Write, check, show and test policy files.", ("table", "json"), " ACTION [PATH]"
    )
    parser.add_argument("action", choices=POLICY_ACTIONS, metavar="ACTION", help=", ".join(POLICY_ACTIONS))
    parser.add_argument(
        "path", metavar="PATH", nargs="?", help="the file to check, show or test, or a folder with cases to test"
    )
    add_policy(parser)
    add_reading(parser, from_file=True)


def _fleet(verbs: "Verbs") -> None:
    parser = _add_verb(
        verbs, "fleet", "Tell what a directory of documents says of many hosts; no engine is asked.",
        REPORT_FORMATS, " report [DIR] | query SQL [DIR]",
    )  # fmt: skip
    parser.add_argument("action", choices=FLEET_ACTIONS, metavar="ACTION", help=" or ".join(FLEET_ACTIONS))
    parser.add_argument(
        "sql", metavar="SQL", nargs="?", help="for query: a SELECT, over views that the manual describes"
    )
    parser.add_argument(
        "folder", metavar="DIR", nargs="?", help="the directory with the documents; default: the current"
    )


def _archive(verbs: "Verbs") -> None:
    parser = _add_verb(
        verbs, "archive", "List, verify and delete what removals can be taken back from; no engine is asked.",
        PLAIN_FORMATS, " list | show RUN | verify [RUN] | prune | drop RUN",
    )  # fmt: skip
    parser.add_argument("action", choices=ARCHIVE_ACTIONS, metavar="ACTION", help=", ".join(ARCHIVE_ACTIONS))
    parser.add_argument(
        "run", metavar="RUN", nargs="?", help="the number of a run, as in history, or the name of its folder"
    )
    parser.add_argument(
        "--archive", dest="archive_path", metavar="FOLDER", type=archive_folder,
        help="the folder of the archive; default: that of the policy, or archive/ beside the ledger, and all others "
        "that the ledger names",
    )  # fmt: skip
    parser.add_argument("-n", "--dry-run", action="store_true", help="with prune and drop: show what would go only")
    parser.add_argument(
        "-y", "--yes", action="store_true", help="with prune and drop: do not ask; needed where there is no terminal"
    )


def _schema(verbs: "Verbs") -> None:
    parser = _add_verb(verbs, "schema", "Print the JSON Schema of a document.", ("json",), " NAME")
    parser.add_argument("name", choices=DOCUMENTS, metavar="NAME", help=" or ".join(DOCUMENTS))


def _completion(verbs: "Verbs") -> None:
    parser = _add_verb(verbs, "completion", "Print the script by which a shell completes.", ("table",), " SHELL")
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=" or ".join(SHELLS))


def _docker_plugin(verbs: "Verbs") -> None:
    parser = _add_verb(verbs, "docker-plugin", "Add `docker sweep` to docker, or remove it.", ("table",), " ACTION")
    parser.add_argument("action", choices=PLUGIN_ACTIONS, metavar="ACTION", help=" or ".join(PLUGIN_ACTIONS))
    parser.add_argument("--system", action="store_true", help="for all users of this machine")


def _man(verbs: "Verbs") -> None:
    parser = _add_verb(verbs, "man", "Show the manual.", ("table",), " [PAGE]")
    parser.add_argument(
        "page",
        choices=PAGES,
        metavar="PAGE",
        nargs="?",
        default=PAGES[0],
        help=f"{' or '.join(PAGES)}; default: the first",
    )


def _swarm(verbs: "Verbs") -> None:
    # Imported late: no other verb needs it.
    from dockersweep.parser.swarm_verb import add_swarm

    add_swarm(verbs, _add_verb)


def _watch(verbs: "Verbs") -> None:
    from dockersweep.parser.watch_verb import add_watch

    add_watch(verbs, _add_verb)


ADD_VERBS: dict[str, Callable[["Verbs"], None]] = {
    "scan": _scan,
    "plan": _plan,
    "sweep": _sweep,
    "apply": _apply,
    "report": _report,
    "explain": _explain,
    "history": _history,
    "restore": _restore,
    "watch": _watch,
    "swarm": _swarm,
    "archive": _archive,
    "fleet": _fleet,
    "policy": _policy,
    "schema": _schema,
    "completion": _completion,
    "docker-plugin": _docker_plugin,
    "man": _man,
}
"""Verb -> the function that adds its parser."""
