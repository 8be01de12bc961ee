"""The script by which a shell completes our command line, made from the parser by shtab."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import shtab

Shell = Literal["bash", "zsh", "fish"]

_FOLDER = Path(__file__).parent / "completion"
_FILES = ("FILE", "PLAN", "PATH")
_ZSH_FLAG_WITH_VALUE = re.compile(r'^(  \S*--[\w-]+)(\}?"?\[.*\]:[A-Z])', re.MULTILINE)
_NAMES = {
    "bash": "_dockersweep_names",
    "zsh": "_dockersweep_names",
    "fish": "(_dockersweep_names)",
}


def completion_script(parser: argparse.ArgumentParser, shell: Shell) -> str:
    """Return it, with a closing newline; `parser` is marked with what its arguments take."""
    for verb, one in _arguments(parser):
        if verb == "explain" and one.metavar == "OBJECT":
            one.complete = _NAMES
        elif one.metavar in _FILES:
            one.complete = shtab.FILE
    own = (_FOLDER / f"dockersweep.{shell}").read_text(encoding="utf-8")
    if shell == "bash":
        # It ends with what takes the place of shtab's own entry.
        return f"{shtab.complete(parser, shell).rstrip()}\n{own}"
    script = f"{shtab.complete(parser, shell, preamble=own).rstrip()}\n"
    return _mended_zsh(script) if shell == "zsh" else script


def _mended_zsh(script: str) -> str:
    """Let values stand behind an equal sign too, and flags behind a verb be those of the verb."""
    apart = "_arguments -C -s $_shtab_dockersweep_options"
    return _ZSH_FLAG_WITH_VALUE.sub(r"\1=\2", script).replace(apart, apart.replace(" -C", " -A '-*' -C"))


def _arguments(parser: argparse.ArgumentParser, verb: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every argument, each with its verb."""
    for one in parser._actions:
        if isinstance(one, argparse._SubParsersAction):
            for name, of_verb in one.choices.items():
                yield from _arguments(of_verb, name)
        else:
            yield verb, one
