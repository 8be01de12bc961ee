"""Docstrings and comments: what they name of our own in backticks is there under that name."""

import re
from io import StringIO
from pathlib import Path
from tokenize import NAME, generate_tokens

import dockersweep

ROOT = Path(dockersweep.__file__).parent
NAMED = re.compile(r"`(?:[a-z_]+\.)*([a-z]+_[a-z_]+)`")
"""Of our own: what an engine or a policy calls something has mostly one word."""


def used_in(source: str) -> set[str]:
    """What a module defines or uses."""
    return {token.string for token in generate_tokens(StringIO(source).readline) if token.type == NAME}


def test_what_docstrings_name_is_there() -> None:
    sources = {path.relative_to(ROOT).as_posix(): path.read_text() for path in ROOT.rglob("*.py")}
    used = {name for source in sources.values() for name in used_in(source)}
    used |= {Path(path).stem for path in sources}
    named = {(path, name) for path, source in sources.items() for name in NAMED.findall(source)}
    assert len(named) > 100
    assert {(path, name) for path, name in named if name not in used} == set()
