"""The parser of the command line. It is imported only where there is something to parse: see `cli`."""

import argparse
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from dockersweep import __version__
from dockersweep.errors import UsageError
from dockersweep.usage import HELP

KINDS = ("container", "image", "volume", "network", "build-cache")
DOCUMENTS = ("inventory", "plan", "outcome", "explanation", "history", "report", "policy")
PLAIN_FORMATS = ("table", "json", "csv", "markdown")
REPORT_FORMATS = ("table", "json", "csv", "markdown", "html", "prometheus")
SEVERITIES = ("critical", "warning", "note")
SHELLS = ("bash", "zsh", "fish", "names")
"""The shells that have completion, and what their scripts ask for."""
LOG_FORMATS = ("text", "json", "journal")
POLICY_ACTIONS = ("init", "check", "show", "test")
FORMATS = ("table", "json", "csv", "markdown", "html", "prometheus")
"""All that any verb has; each takes some of them."""
_FORMAT_OF_SUFFIX = {"md": "markdown", "prom": "prometheus"}
SORT_KEYS = ("size", "age", "name")
NAMES_WHAT_IS_READ = ("host", "context", "inventory")
"""What docker refuses twice, or would: the last one would silently be another engine than somebody meant."""
REMOVING_VERBS = ("sweep", "apply")

Value = TypeVar("Value")


class _StoreOnce(argparse._StoreAction):
    """Stores the value of a flag, and takes down that it was given: argparse lets the last of several win silently.

    A verb's parser fills a namespace of its own, which then replaces the values from before the verb.
    """

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        super().__call__(parser, namespace, values, option_string)
        if self.option_strings:
            given = "given_before_verb" if isinstance(parser, _TopParser) else "given_after_verb"
            setattr(namespace, given, [*getattr(namespace, given, ()), self.dest])


class _Parser(argparse.ArgumentParser):
    """Reports wrong usage as our own error: one sentence, and where the help is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # What an argument does that says nothing else; so no flag can be forgotten.
        self.register("action", None, _StoreOnce)
        # "-3d" behind a flag is an age that is wrong, and not a flag that nobody knows.
        self._negative_number_matcher = re.compile(r"-\d")

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`")


class _TopParser(_Parser):
    def format_help(self) -> str:
        return HELP


if TYPE_CHECKING:
    from dockersweep.units import Age

    Verbs = argparse._SubParsersAction[_Parser]
    Group = argparse._ArgumentGroup


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = _TopParser(prog="dockersweep", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"dockersweep {__version__}")
    _add_common(parser, None, FORMATS)
    verbs = parser.add_subparsers(
        dest="verb", metavar="VERB", prog="dockersweep", parser_class=_Parser, title="verbs", help="what to do"
    )
    _add_scan(verbs)
    _add_plan(verbs)
    _add_sweep(verbs)
    _add_apply(verbs)
    _add_report(verbs)
    _add_explain(verbs)
    _add_history(verbs)
    _add_policy_verb(verbs)
    _add_schema(verbs)
    _add_completion(verbs)
    return parser


def _add_common(parser: argparse.ArgumentParser, default: object, formats: Sequence[str]) -> None:
    """Add what every verb has. It is accepted before the verb and after it; only the former sets a default."""
    group = parser.add_argument_group("engine and output")
    group.add_argument(
        "-H", "--host", metavar="URL", default=default, help="the engine: unix:///PATH or tcp://HOST:PORT"
    )
    group.add_argument(
        "-c", "--context", metavar="CONTEXT", default=default, help="the engine of a docker context, in place of -H"
    )
    group.add_argument(
        "--policy", metavar="FILE", default=default, help="the policy file; - is standard input, default is no file"
    )
    group.add_argument("--format", metavar="FORMAT", choices=formats, default=default, help=f"{' or '.join(formats)}")
    group.add_argument("-o", "--output", metavar="FILE", default=default, help="write to FILE, replaced in one step")


def _add_verb(
    verbs: "Verbs", name: str, description: str, formats: Sequence[str], operand: str = ""
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=description, description=description, allow_abbrev=False,
        usage=f"dockersweep {name} [FLAG ...]{operand}",
    )  # fmt: skip
    _add_common(parser, argparse.SUPPRESS, formats)
    parser.set_defaults(formats=formats, quiet=False, log_format="text")
    return parser


def _add_reading(parser: argparse.ArgumentParser, from_file: bool) -> None:
    group = parser.add_argument_group("reading the engine")
    if from_file:
        group.add_argument("--inventory", metavar="FILE", help="read a saved `scan --format json` instead of an engine")
    group.add_argument(
        "--no-sizes", dest="sizes", action="store_false",
        help="have no disk walked, by the engine or here; sizes of containers and volumes are unknown",
    )  # fmt: skip
    group.add_argument(
        "--size-timeout", metavar="AGE", type=_timeout, default="15m", help="how long each of the two may take (15m)"
    )
    group.add_argument(
        "--engine-timeout", metavar="AGE", type=_timeout, default="1m",
        help="how long any other answer may take, and how long a sweep waits for an engine that went away (1m)",
    )  # fmt: skip
    group.add_argument(
        "--no-ledger", dest="ledger", action="store_false",
        help="do not use the memory of what was first seen when, of earlier runs, and of the sizes of layers",
    )  # fmt: skip


def _add_policy(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("policy")
    _add_choice(group)
    _add_protections(group)


def _add_choice(group: "Group") -> None:
    group.add_argument("--older-than", metavar="AGE", type=_age, help="in place of each rule's own age; 0s means now")
    group.add_argument(
        "--kind", action="append", choices=KINDS, metavar="KIND", default=[],
        help=f"only this kind, repeatable: {', '.join(KINDS)}",
    )  # fmt: skip
    group.add_argument("--all-images", action="store_true", help="unused images with tags too")
    group.add_argument("--named-volumes", action="store_true", help="unused volumes with names too")


def _add_protections(group: "Group") -> None:
    for what, metavar in (("label", "KEY[=VALUE]"), ("name", "GLOB"), ("image", "GLOB")):
        group.add_argument(
            f"--keep-{what}", metavar=metavar, action="append", default=[], help=f"never remove by {what}, repeatable"
        )
    group.add_argument(
        "--retry-refused", action="store_true", help="also what the engine refused in three runs within the last week"
    )
    group.add_argument("--max-objects", metavar="N", type=_count, help="remove nothing where more objects would go")
    group.add_argument("--max-bytes", metavar="SIZE", type=_size, help="remove nothing where more would come back")
    group.add_argument(
        "--max-share", metavar="PERCENT", type=_percent, help="remove nothing where more of all of a kind would go"
    )


def _add_scan(verbs: "Verbs") -> None:
    parser = _add_verb(verbs, "scan", "List what is there and unused, with sizes and ages.", PLAIN_FORMATS)
    group = parser.add_argument_group("selection")
    group.add_argument("-a", "--all", action="store_true", help="what is used too, marked by a *")
    group.add_argument("--sort", choices=SORT_KEYS, metavar="KEY", help="size (default), age or name")
    group.add_argument(
        "--kind", action="append", choices=KINDS, metavar="KIND", default=[],
        help=f"only this kind, repeatable: {', '.join(KINDS)}",
    )  # fmt: skip
    group.add_argument(
        "--filter", metavar="KEY=VALUE", action="append", type=_filter, default=[],
        help="name, label, project, state, driver or until; repeatable",
    )  # fmt: skip
    group.add_argument("--no-header", dest="header", action="store_false", help="rows only, each with its kind")
    _add_reading(parser, from_file=True)


def _add_plan(verbs: "Verbs") -> None:
    parser = _add_verb(verbs, "plan", "Show what would be removed, what is kept, and why.", PLAIN_FORMATS)
    parser.add_argument("-v", "--verbose", action="store_true", help="every kept object too")
    parser.add_argument(
        "--exit-code", action="store_true", help="exit with 10 where something would be removed, 4 over a limit"
    )
    _add_policy(parser)
    _add_reading(parser, from_file=True)
    parser.set_defaults(confirm_engine=None)


def _add_sweep(verbs: "Verbs") -> None:
    parser = _add_verb(verbs, "sweep", "Plan, ask (or take --yes for it), and remove just that.", PLAIN_FORMATS)
    parser.add_argument("-n", "--dry-run", action="store_true", help="show the plan only")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask; needed where there is no terminal")
    parser.add_argument("-v", "--verbose", action="store_true", help="every kept object too")
    _add_quiet(parser)
    parser.add_argument("--exit-code", action="store_true", help="with --dry-run: as in plan")
    _add_policy(parser)
    _add_reading(parser, from_file=False)
    _add_carrying_out(parser)
    parser.set_defaults(inventory=None)


def _add_apply(verbs: "Verbs") -> None:
    parser = _add_verb(verbs, "apply", "Carry out a saved plan: its removals, none other.", PLAIN_FORMATS, " PLAN")
    parser.add_argument("plan", metavar="PLAN", help="what `plan --format json -o FILE` wrote; - is standard input")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask where there is a terminal to ask on")
    parser.add_argument("-v", "--verbose", action="store_true", help="every kept object too")
    _add_quiet(parser)
    parser.add_argument(
        "--max-age", metavar="AGE", type=_age, default="24h", help="refuse a plan that is older than this (24h)"
    )
    _add_protections(parser.add_argument_group("policy"))
    _add_reading(parser, from_file=False)
    _add_carrying_out(parser)
    parser.set_defaults(older_than=None, kind=[], all_images=False, named_volumes=False)


def _add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="print nothing unless something was removed, or went wrong"
    )


def _add_carrying_out(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("carrying out")
    group.add_argument("--confirm-engine", metavar="NAME", help="refuse where the engine has another name or id")
    group.add_argument(
        "--yes-first-time", action="store_true",
        help="let an unattended run that is the first on an engine remove more than half of a kind",
    )  # fmt: skip
    group.add_argument(
        "--lock-timeout", metavar="AGE", type=_wait, default="0s",
        help="how long to wait for another run on the same engine (0s: refuse at once)",
    )  # fmt: skip
    group.add_argument("--removal-timeout", metavar="AGE", type=_timeout, default="15m", help="for one removal (15m)")
    group.add_argument(
        "--audit-log", metavar="FILE", help="append a JSON line for each removal; journal is the systemd journal"
    )
    group.add_argument(
        "--log-format", metavar="LOG", choices=LOG_FORMATS, default="text",
        help="a line on standard error for each event: json, or journal, with priorities for systemd (text: none)",
    )  # fmt: skip
    group.add_argument(
        "--require-ledger", action="store_true", help="remove nothing that cannot be written to the ledger"
    )
    group.add_argument(
        "--keep-history", metavar="AGE", type=_age, default="400d", help="forget older runs in the ledger (400d)"
    )


def _add_report(verbs: "Verbs") -> None:
    parser = _add_verb(
        verbs, "report", "Show where the disk went, whether it gets worse, and what to do.", REPORT_FORMATS
    )
    parser.add_argument(
        "--fail-on", metavar="SEVERITY", choices=SEVERITIES,
        help="exit with 10 where a finding is critical, at least a warning, or at least a note",
    )  # fmt: skip
    _add_policy(parser)
    _add_reading(parser, from_file=True)


def _add_explain(verbs: "Verbs") -> None:
    parser = _add_verb(
        verbs, "explain", "Say what holds an object, which rules speak of it, and when it would go.",
        PLAIN_FORMATS, " OBJECT",
    )  # fmt: skip
    parser.add_argument("object", metavar="OBJECT", help="a name, a tag, the beginning of an id, or KIND:NAME")
    _add_policy(parser)
    _add_reading(parser, from_file=True)


def _add_history(verbs: "Verbs") -> None:
    parser = _add_verb(
        verbs, "history", "Tell what earlier runs did, from the ledger; no engine is asked.",
        PLAIN_FORMATS, " [RUN]",
    )  # fmt: skip
    parser.add_argument(
        "run", metavar="RUN", nargs="?", type=_run_number,
        help="the number of one run, told in full; or verify: check the file",
    )  # fmt: skip
    parser.add_argument(
        "--object", metavar="OBJECT", help="what became of it: a name, a tag, the beginning of an id, or KIND:NAME"
    )
    parser.add_argument(
        "--since", metavar="TIME", help="leave out what is older: an age like 7d, or a date like 2026-11-01"
    )


def _add_policy_verb(verbs: "Verbs") -> None:
    parser = _add_verb(verbs, "policy", "Write, check, show and test policy files.", ("table", "json"), " ACTION [DIR]")
    parser.add_argument("action", choices=POLICY_ACTIONS, metavar="ACTION", help=", ".join(POLICY_ACTIONS))
    parser.add_argument("directory", metavar="DIR", nargs="?", help="the folder with the cases of `policy test`")
    _add_policy(parser)
    _add_reading(parser, from_file=True)


def _add_schema(verbs: "Verbs") -> None:
    parser = _add_verb(verbs, "schema", "Print the JSON Schema of a document.", ("json",), " NAME")
    parser.add_argument("name", choices=DOCUMENTS, metavar="NAME", help=" or ".join(DOCUMENTS))


def _add_completion(verbs: "Verbs") -> None:
    parser = _add_verb(verbs, "completion", "Print the script by which a shell completes.", ("table",), " SHELL")
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=" or ".join(SHELLS))
    # Verbs do not know the parser, and this one speaks of it.
    parser.set_defaults(build_parser=build_parser)


def _age(text: str) -> "Age":
    from dockersweep.units import parse_age

    return _told(parse_age, text)


def _size(text: str) -> object:
    from dockersweep.units import parse_size

    return _told(parse_size, text)


def _percent(text: str) -> object:
    from dockersweep.units import parse_percent

    return _told(parse_percent, text)


def _count(text: str) -> int:
    if not re.fullmatch(r"\d{1,12}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f'"{text}" is no number of objects: write 0 or more, like 500')
    return int(text)


def _run_number(text: str) -> "int | str":
    if text == "verify":
        return text
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f'"{text}" is no number of a run, and not verify')
    return int(text)


def _timeout(text: str) -> object:
    age = _age(text)
    if age.months or not age.seconds:
        raise argparse.ArgumentTypeError(f'"{text}" is no time-out: write seconds, minutes, hours or days, like 15m')
    return age


def _wait(text: str) -> object:
    age = _age(text)
    if age.months:
        raise argparse.ArgumentTypeError(f'"{text}" is long to wait: write seconds, minutes, hours or days, like 10m')
    return age


def _filter(text: str) -> object:
    from dockersweep.policy.selection import parse_filter

    return _told(parse_filter, text)


def _told(read: Callable[[str], Value], text: str) -> Value:
    """Let argparse say which flag it was."""
    try:
        return read(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _format_of(output: str | None, formats: Sequence[str]) -> str:
    """Return the format of a result without --format: that of its file's name, as in plan.json, else the first."""
    suffix = (output or "").rpartition(".")[2]
    named = _FORMAT_OF_SUFFIX.get(suffix, suffix)
    return named if named in formats[1:] else formats[0]


def _repeated_flags(arguments: argparse.Namespace) -> list[str]:
    """Return the flags that are taken once and were given more than once, before the verb or after it.

    Raises UsageError where one names what is read, or the verb removes something.
    """
    given = [*getattr(arguments, "given_before_verb", ()), *getattr(arguments, "given_after_verb", ())]
    repeated = [dest for dest, count in Counter(given).items() if count > 1]
    for dest in repeated:
        if dest in NAMES_WHAT_IS_READ or arguments.verb in REMOVING_VERBS:
            raise UsageError(f"{_flag(dest)} is given more than once: give it once")
    return [_flag(dest) for dest in repeated]


def _flag(dest: str) -> str:
    return f"--{dest.replace('_', '-')}"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments of a command line, with the flags that only the last of several counts of as `repeated`.

    Raises UsageError where it does not hold.
    """
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.verb is None:
        raise UsageError(
            "a verb is missing: scan, plan, sweep, apply, report, explain, history, policy, schema or completion; "
            "see `dockersweep --help`"
        )
    arguments.repeated = _repeated_flags(arguments)
    arguments.format = arguments.format or _format_of(arguments.output, arguments.formats)
    if arguments.format not in arguments.formats:
        known = " and ".join(arguments.formats)
        raise UsageError(f"{arguments.verb} has no format {arguments.format}, only {known}")
    return arguments
