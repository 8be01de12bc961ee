"""argparse with our own errors, and without silently repeated flags."""

import argparse
import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

from dockersweep.errors import UsageError
from dockersweep.usage import help_of

NAMES_WHAT_IS_READ = ("host", "context", "inventory", "fleet")
"""Flags that are refused when repeated: the last one would silently select another engine or inventory."""
NAMES_HOSTS = ("host", "context", "group", "only", "but")
"""Flags of which each value counts, for a verb that takes several hosts."""
REMOVING_VERBS = ("sweep", "apply", "watch")


class StoreOnce(argparse._StoreAction):
    """Stores the value of a flag, and records that it was given: argparse silently lets the last of several win.

    A verb's parser fills its own namespace, which then replaces the values from before the verb.
    """

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        super().__call__(parser, namespace, values, option_string)
        if self.option_strings:
            given = "given_before_verb" if isinstance(parser, TopParser) else "given_after_verb"
            setattr(namespace, given, [*getattr(namespace, given, ()), self.dest])
            if self.dest in NAMES_HOSTS:
                of_flag = given.replace("given", self.dest)
                setattr(namespace, of_flag, (*getattr(namespace, of_flag, ()), values))


def each_value(arguments: argparse.Namespace, dest: str) -> tuple[str, ...]:
    """Return every value of a flag of NAMES_HOSTS, before and after the verb."""
    before: tuple[str, ...] = getattr(arguments, f"{dest}_before_verb", ())
    return before + getattr(arguments, f"{dest}_after_verb", ())


class VerbParser(argparse.ArgumentParser):
    """Reports wrong usage as our own error: one sentence that points to the help."""

    takes_any_order = True
    """Whether flags may stand between operands: `policy check -o FILE PATH`."""

    def __init__(self, **options: Any) -> None:
        # argparse makes a formatter for each argument, as a check. Without a width it asks for the terminal's, and the
        # import for that takes longer than all the parsing.
        super().__init__(**options, formatter_class=partial(argparse.HelpFormatter, width=80))
        # The default action, so that no flag is forgotten.
        self.register("action", None, StoreOnce)
        # "-3d" after a flag is an invalid age, not an unknown flag.
        self._negative_number_matcher = re.compile(r"-\d")
        self._is_parsing = False

    def format_help(self) -> str:
        self.formatter_class = argparse.HelpFormatter
        return super().format_help()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; unknown arguments are reported by the verb's parser, whose help is the useful one."""
        if self._is_parsing:
            # Older Pythons call this again twice: for the flags alone, then for the rest.
            return super().parse_known_args(args, namespace)
        self._is_parsing = True
        parse = super().parse_known_intermixed_args if self.takes_any_order else super().parse_known_args
        try:
            known, unknown = parse(args, namespace)
        finally:
            self._is_parsing = False
        if unknown:
            flags = [flag for flag in self._option_string_actions if flag.startswith("--")]
            self.error(f"unrecognized arguments: {' '.join(unknown)}{did_you_mean(_first_flag(unknown), flags)}")
        return known, unknown

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices = None if action.choices is None else list(map(str, action.choices))
        if choices is not None and str(value).startswith("{{"):
            raise argparse.ArgumentError(action, "there are no templates: write --format json, and pipe it to jq")
        if choices is not None and value not in choices:
            hint = did_you_mean(str(value), choices) or f": choose from {', '.join(choices)}"
            raise argparse.ArgumentError(action, f'there is no "{value}"{hint}')

    def error(self, message: str) -> NoReturn:
        end = " see" if message.endswith("?") else "; see"
        raise UsageError(f"{message}{end} `{self.prog} --help`")


class TopParser(VerbParser):
    """The parser of what comes before the verb."""

    # What follows the verb is the verb's.
    takes_any_order = False

    def format_help(self) -> str:
        return help_of(self.prog)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        from dockersweep.parser.verbs import POLICY_ACTIONS

        if action.dest == "verb" and value in POLICY_ACTIONS:
            raise argparse.ArgumentError(action, f'there is no "{value}"; did you mean policy {value}?')
        super()._check_value(action, value)


def repeated_flags(arguments: argparse.Namespace) -> list[str]:
    """Return the flags that count once but were given more than once, before or after the verb.

    Raises UsageError if one of them selects what is read, or the verb removes something. A verb that takes several
    hosts takes each that is named.
    """
    given = [*getattr(arguments, "given_before_verb", ()), *getattr(arguments, "given_after_verb", ())]
    repeated = [dest for dest, count in Counter(given).items() if count > 1]
    if getattr(arguments, "takes_several", False):
        repeated = [dest for dest in repeated if dest not in NAMES_HOSTS]
    for dest in repeated:
        if dest in NAMES_WHAT_IS_READ or arguments.verb in REMOVING_VERBS:
            raise UsageError(f"{_flag(dest)} is given more than once: give it once")
    return [_flag(dest) for dest in repeated]


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return "; did you mean WORD?" with the most similar known word; empty if there is none."""
    from difflib import get_close_matches

    # Their dashes would make flags alike that are not.
    named = {name.lstrip("-"): name for name in known}
    near = get_close_matches(word.partition("=")[0].lstrip("-"), named, n=1)
    return f"; did you mean {named[near[0]]}?" if near else ""


def _first_flag(unknown: Sequence[str]) -> str:
    """Return the first unknown flag, else the first word: an operand may be unknown only because of the flag."""
    return next((word for word in unknown if word.startswith("-")), unknown[0])


def _flag(dest: str) -> str:
    return f"--{dest.replace('_', '-')}"
