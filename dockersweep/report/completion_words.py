"""Completions of a command line, derived from the parser."""

import argparse
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dockersweep.report.completion_values import Value, value_of


class Offer(NamedTuple):
    """The possible completions of the last word."""

    words: tuple[tuple[str, str], ...]
    """Words with the same beginning (or that of the value after --FLAG=), each with its meaning, "" if that is
    obvious."""
    value: Value | None
    """The kind of value that is possible besides."""
    flags: dict[str, str]
    """The values of the flags so far, by their destinations; "" for a switch."""


def offer_at(parser: argparse.ArgumentParser, words: Sequence[str]) -> Offer:
    """Return the completions of the last word; none after an unknown verb or flag."""
    line = _Line(parser)
    for word in words[:-1]:
        line.take(word)
    last = words[-1]
    if line.waiting is not None and not (line.waiting.nargs == "?" and last.startswith("-")):
        return line.offer(line.waiting, last)
    name, has_value, value = last.partition("=")
    if last.startswith("--") and has_value and name in line.known:
        return line.offer(line.known[name], value)
    if last.startswith("-"):
        flags = ((name, flag.help or "") for name, flag in line.known.items() if name.startswith("--") or name == last)
        return Offer(tuple(offered for offered in flags if offered[0].startswith(last)), None, line.flags)
    operand = next(line.operands, None)
    return Offer((), None, line.flags) if operand is None else line.offer(operand, last)


class _Line:
    """A command line, parsed up to a word."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.flags: dict[str, str] = {}
        self.waiting: argparse.Action | None = None
        """The flag whose value comes next."""
        self._verb = ""
        self._enter(parser)

    def _enter(self, parser: argparse.ArgumentParser) -> None:
        self.known = parser._option_string_actions
        self.operands: Iterator[argparse.Action] = iter(parser._get_positional_actions())

    def take(self, word: str) -> None:
        """Read the next word."""
        if self.waiting is not None and self.waiting.nargs == "?" and word.startswith("-"):
            self.waiting = None
        if self.waiting is not None:
            self.flags[self.waiting.dest] = word
            self.waiting = None
        elif word.startswith("-"):
            self._take_flag(word)
        else:
            operand = next(self.operands, None)
            if isinstance(operand, argparse._SubParsersAction) and word in operand.choices:
                self._verb = word
                self._enter(operand.choices[word])

    def _take_flag(self, word: str) -> None:
        name, has_value, value = word.partition("=")
        if name not in self.known and not word.startswith("--"):
            name, has_value, value = word[:2], "=", word[2:]
        flag = self.known.get(name)
        if flag is None:
            return
        if flag.nargs == 0 or has_value:
            self.flags[flag.dest] = value
        else:
            self.waiting = flag

    def offer(self, argument: argparse.Action, begun: str) -> Offer:
        """Return the values of an argument that begin with `begun`."""
        choices: dict[str, str] = {}
        if isinstance(argument, argparse._SubParsersAction):
            choices = {choice.dest: choice.help or "" for choice in argument._choices_actions}
        elif argument.choices is not None:
            choices = dict.fromkeys(map(str, argument.choices), "")
        words = tuple((name, meaning) for name, meaning in choices.items() if name.startswith(begun))
        return Offer(words, value_of(self._verb, argument), self.flags)
