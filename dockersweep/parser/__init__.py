"""The parser of the command line. It is imported only where there is something to parse: see `cli`.

`verbs` has a function for each verb, `shared_flags` the flags that several have, `values` what reads the value of one.
"""

from dockersweep.parser.command_line import build_parser, parse, with_verb

__all__ = ["build_parser", "parse", "with_verb"]
