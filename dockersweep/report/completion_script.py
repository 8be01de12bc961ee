"""The shell completion script, generated from the parser by shtab."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import shtab

from dockersweep.report.completion_values import value_of

Shell = Literal["bash", "zsh", "fish"]

_FOLDER = Path(__file__).parent / "completion"
_ZSH_FLAG_WITH_VALUE = re.compile(r'^(  \S*--[\w-]+)(\}?"?\[.*\]:[A-Z])', re.MULTILINE)
_NAMES = {
    "bash": "_dockersweep_names",
    "zsh": "_dockersweep_names",
    "fish": "(_dockersweep_names)",
}


def completion_script(parser: argparse.ArgumentParser, shell: Shell) -> str:
    """Return the script, with a closing newline. Adds to the arguments of `parser` what they complete."""
    for verb, action in _arguments(parser):
        value = value_of(verb, action)
        if value is not None:
            action.complete = _NAMES if value == "name" else shtab.FILE
    own = (_FOLDER / f"dockersweep.{shell}").read_text(encoding="utf-8")
    if shell == "bash":
        # Ours goes last: it replaces shtab's own entry.
        return f"{shtab.complete(parser, shell).rstrip()}\n{own}"
    script = f"{shtab.complete(parser, shell, preamble=own).rstrip()}\n"
    return _mended_zsh(script) if shell == "zsh" else script


def _mended_zsh(script: str) -> str:
    """Make shtab's script accept `--flag=value` too, and offer only the verb's flags after a verb."""
    apart = "_arguments -C -s $_shtab_dockersweep_options"
    return _ZSH_FLAG_WITH_VALUE.sub(r"\1=\2", script).replace(apart, apart.replace(" -C", " -A '-*' -C"))


def _arguments(parser: argparse.ArgumentParser, verb: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every argument, each with its verb."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, of_verb in action.choices.items():
                yield from _arguments(of_verb, name)
        else:
            yield verb, action
