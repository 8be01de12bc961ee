"""Docstrings: what they name of our own in backticks is there under that name."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import dockersweep

ROOT = Path(dockersweep.__file__).parent
NAME = re.compile(r"`((?:[a-z_]+\.)*[a-z]+_[a-z_]+)`")
"""Of our own: what an engine or a policy calls something has mostly one word."""


def named_in(tree: ast.Module) -> Iterator[str]:
    """The last part of each name in backticks."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (name.rpartition(".")[2] for name in NAME.findall(node.value))


def known_in(tree: ast.Module) -> Iterator[str]:
    """What a module defines or uses."""
    for node in ast.walk(tree):
        for field in ("name", "id", "attr", "arg"):
            if isinstance(name := getattr(node, field, None), str):
                yield from name.split(".")


def test_what_docstrings_name_is_there() -> None:
    trees = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text()) for path in ROOT.rglob("*.py")}
    known = {name for tree in trees.values() for name in known_in(tree)}
    known |= {Path(path).stem for path in trees}
    assert {(path, name) for path, tree in trees.items() for name in named_in(tree) if name not in known} == set()
