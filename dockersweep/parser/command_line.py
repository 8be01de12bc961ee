"""The whole command line: what stands before the verb, the verbs, and the format of the result."""

import argparse
from collections.abc import Mapping, Sequence

from dockersweep import __version__
from dockersweep.errors import UsageError
from dockersweep.parser.argument_parser import TopParser, VerbParser, repeated_flags
from dockersweep.parser.shared_flags import add_common
from dockersweep.parser.verbs import ADD_VERBS

FORMATS = ("table", "json", "csv", "markdown", "html", "prometheus")
"""All that any verb has; each takes some of them."""
_FORMAT_OF_SUFFIX = {"md": "markdown", "prom": "prometheus"}


def build_parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser of any command line; with one that has a verb, without the flags of the others."""
    parser = TopParser(prog="dockersweep", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"dockersweep {__version__}")
    add_common(parser, None, FORMATS)
    verbs = parser.add_subparsers(
        dest="verb", metavar="VERB", prog="dockersweep", parser_class=VerbParser, title="verbs", help="what to do"
    )
    verb = _verb_of(argv, {flag: one.nargs != 0 for flag, one in parser._option_string_actions.items()})
    for add_verb in ADD_VERBS.values() if verb is None else [ADD_VERBS[verb]]:
        add_verb(verbs)
    # For `completion`, which writes down what the parser takes: verbs do not import it.
    parser.set_defaults(build_parser=build_parser)
    return parser


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return the arguments of a command line, with the flags that only the last of several counts of as `repeated`.

    Raises UsageError where it does not hold.
    """
    arguments = build_parser(argv).parse_args(argv)
    if arguments.verb is None:
        raise UsageError(
            "a verb is missing: scan, plan, sweep, apply, report, explain, history, policy, schema, completion or man; "
            "see `dockersweep --help`"
        )
    arguments.repeated = repeated_flags(arguments)
    arguments.format = arguments.format or _format_of(arguments.output, arguments.formats)
    if arguments.format not in arguments.formats:
        known = " and ".join(arguments.formats)
        raise UsageError(f"{arguments.verb} has no format {arguments.format}, only {known}")
    return arguments


def _verb_of(argv: Sequence[str], flags: Mapping[str, bool]) -> str | None:
    """Return the verb of a command line, before which these flags may stand, each with whether it takes a value; None
    where what stands there is none."""
    waiting = iter(argv)
    for word in waiting:
        if word in flags:
            if flags[word]:
                next(waiting, None)
        elif word.partition("=")[0] not in flags and word[:2] not in flags:
            return word if word in ADD_VERBS else None
    return None


def _format_of(output: str | None, formats: Sequence[str]) -> str:
    """Return the format of a result without --format: that of its file's name, as in plan.json, else the first."""
    suffix = (output or "").rpartition(".")[2]
    named = _FORMAT_OF_SUFFIX.get(suffix, suffix)
    return named if named in formats[1:] else formats[0]
