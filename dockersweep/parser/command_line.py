"""The whole command line: the flags before the verb, the verbs, and the format of the result."""

import argparse
from collections.abc import Sequence

from dockersweep import __version__
from dockersweep.errors import UsageError
from dockersweep.parser.argument_parser import NAMES_HOSTS, TopParser, VerbParser, each_value, repeated_flags
from dockersweep.parser.shared_flags import add_common
from dockersweep.parser.verbs import ADD_VERBS
from dockersweep.usage import PROGRAM

FORMATS = ("table", "json", "csv", "markdown", "html", "prometheus", "parquet")
"""The formats of all verbs; each verb takes some of them."""
_FORMAT_OF_SUFFIX = {"md": "markdown", "prom": "prometheus"}


def build_parser(argv: Sequence[str] = (), program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of a command line; if `argv` has a verb, only that verb's parser is built.

    `program` is how usage and hints call the program.
    """
    parser = _top_parser(program)
    verbs = parser.add_subparsers(
        dest="verb", metavar="VERB", prog=program, parser_class=VerbParser, title="verbs", help="what to do"
    )
    verb = _first_word(argv, parser)
    for add_verb in [ADD_VERBS[verb]] if verb in ADD_VERBS else ADD_VERBS.values():
        add_verb(verbs)
    # For `completion`, which generates its script from the parser: verbs do not import it.
    parser.set_defaults(build_parser=build_parser)
    return parser


def parse(argv: Sequence[str], program: str = PROGRAM) -> argparse.Namespace:
    """Return the arguments of a command line; `repeated` lists flags that were repeated, of which the last one counts,
    `each` has all values of the flags of which each counts.

    Raises UsageError where it is invalid.
    """
    arguments = build_parser(argv, program).parse_args(argv)
    if arguments.verb is None:
        raise UsageError(
            "a verb is missing: scan, plan, sweep, apply, report, explain, history, restore, watch, swarm, archive, "
            f"fleet, policy, schema, completion, docker-plugin or man; see `{program} --help`"
        )
    arguments.repeated = repeated_flags(arguments)
    if arguments.verb == "swarm":
        from dockersweep.parser.swarm_verb import node_words

        arguments.words = node_words(argv)
    if arguments.verb == "watch":
        arguments.command_line = tuple(argv)
    arguments.each = {dest: each_value(arguments, dest) for dest in NAMES_HOSTS}
    arguments.format = arguments.format or _format_of(arguments.output, arguments.formats)
    if arguments.format not in arguments.formats:
        known = " and ".join(arguments.formats)
        raise UsageError(f"{arguments.verb} has no format {arguments.format}, only {known}")
    return arguments


def with_verb(argv: Sequence[str], verb: str) -> list[str]:
    """Return the command line; if it is empty or begins with flags that only verbs have, with `verb` in front."""
    first = _first_word(argv, _top_parser(PROGRAM))
    return [verb, *argv] if first is None or first.startswith("-") else list(argv)


def _top_parser(program: str) -> TopParser:
    """Return the parser of what may come before a verb."""
    parser = TopParser(prog=program, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"dockersweep {__version__}")
    add_common(parser, None, FORMATS)
    return parser


def _first_word(argv: Sequence[str], parser: TopParser) -> str | None:
    """Return the first word that is neither a flag of this parser nor the value of one; None if there is none."""
    flags = parser._option_string_actions
    waiting = iter(argv)
    for word in waiting:
        if word in flags:
            if flags[word].nargs != 0:
                next(waiting, None)
        elif word.partition("=")[0] not in flags and word[:2] not in flags:
            return word
    return None


def _format_of(output: str | None, formats: Sequence[str]) -> str:
    """Return the format of a result without --format: by the suffix of its file, as in plan.json, else the first."""
    suffix = (output or "").rpartition(".")[2]
    named = _FORMAT_OF_SUFFIX.get(suffix, suffix)
    return named if named in formats[1:] else formats[0]
