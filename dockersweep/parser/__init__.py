"""The parser of the command line; imported only if there is something to parse, see `cli`.

`verbs` has a function for each verb, `shared_flags` the flags of several verbs, `values` the readers of flag values.
"""

from dockersweep.parser.command_line import build_parser, parse, with_verb

__all__ = ["build_parser", "parse", "with_verb"]
