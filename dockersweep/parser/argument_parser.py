"""argparse as we use it: our own errors, and no flag that is silently given twice."""

import argparse
import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

from dockersweep.errors import UsageError
from dockersweep.usage import help_of

NAMES_WHAT_IS_READ = ("host", "context", "inventory")
"""What docker refuses twice, or would: the last one would silently be another engine than somebody meant."""
REMOVING_VERBS = ("sweep", "apply")


class StoreOnce(argparse._StoreAction):
    """Stores the value of a flag, and takes down that it was given: argparse lets the last of several win silently.

    A verb's parser fills a namespace of its own, which then replaces the values from before the verb.
    """

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        super().__call__(parser, namespace, values, option_string)
        if self.option_strings:
            given = "given_before_verb" if isinstance(parser, TopParser) else "given_after_verb"
            setattr(namespace, given, [*getattr(namespace, given, ()), self.dest])


class VerbParser(argparse.ArgumentParser):
    """Reports wrong usage as our own error: one sentence, and where the help is."""

    takes_any_order = True
    """Whether flags may stand between what is no flag: `policy check -o FILE PATH`."""

    def __init__(self, **options: Any) -> None:
        # argparse makes one with each argument, to see that it can; without a width it asks how wide the terminal is,
        # which takes longer to import than all is parsed.
        super().__init__(**options, formatter_class=partial(argparse.HelpFormatter, width=80))
        # What an argument does that says nothing else; so no flag can be forgotten.
        self.register("action", None, StoreOnce)
        # "-3d" behind a flag is an age that is wrong, and not a flag that nobody knows.
        self._negative_number_matcher = re.compile(r"-\d")
        self._is_parsing = False

    def format_help(self) -> str:
        self.formatter_class = argparse.HelpFormatter
        return super().format_help()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; what a verb does not know is told by the verb, whose help is of use then."""
        if self._is_parsing:
            # Older Pythons come back here twice: for the flags alone, then for what these left.
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
    """The parser of what stands before the verb."""

    # What stands behind the verb is the verb's.
    takes_any_order = False

    def format_help(self) -> str:
        return help_of(self.prog)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        from dockersweep.parser.verbs import POLICY_ACTIONS

        if action.dest == "verb" and value in POLICY_ACTIONS:
            raise argparse.ArgumentError(action, f'there is no "{value}"; did you mean policy {value}?')
        super()._check_value(action, value)


def repeated_flags(arguments: argparse.Namespace) -> list[str]:
    """Return the flags that are taken once and were given more than once, before the verb or after it.

    Raises UsageError where one names what is read, or the verb removes something.
    """
    given = [*getattr(arguments, "given_before_verb", ()), *getattr(arguments, "given_after_verb", ())]
    repeated = [dest for dest, count in Counter(given).items() if count > 1]
    for dest in repeated:
        if dest in NAMES_WHAT_IS_READ or arguments.verb in REMOVING_VERBS:
            raise UsageError(f"{_flag(dest)} is given more than once: give it once")
    return [_flag(dest) for dest in repeated]


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return the known word that somebody may have meant, to stand behind what is wrong; empty where there is none."""
    from difflib import get_close_matches

    near = get_close_matches(word.partition("=")[0], known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _first_flag(unknown: Sequence[str]) -> str:
    """Return what was meant as a flag: what stands beside it may only be too much because of it."""
    return next((word for word in unknown if word.startswith("-")), unknown[0])


def _flag(dest: str) -> str:
    return f"--{dest.replace('_', '-')}"
