"""Patterns match what a glob or an expression by itself matches, however many are tried at once."""

from fnmatch import fnmatchcase

import re2
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.policy.names.patterns import compile_patterns
from tests.policy.policy_strategies import some

TEXTS = st.text("ab-:/\n", max_size=8)
GLOBS = st.text("ab-:/*?[]", max_size=6)
EXPRESSIONS = st.sampled_from(["^ab", "ab", "ab*", "a-[ab]+$", "^a?b", "b|^a", "a{2}", "-b/", "^a-.*b$", "(?i)AB"])


@some
@given(st.lists(GLOBS, min_size=1, max_size=4), TEXTS)
def test_globs_match_as_each_by_itself(globs: list[str], text: str) -> None:
    globs = [glob for glob in globs if not (glob.startswith("/") and glob.endswith("/"))]
    assert bool(compile_patterns(globs)(text)) == any(fnmatchcase(text, glob) for glob in globs)


@some
@given(st.lists(EXPRESSIONS, min_size=1, max_size=3), TEXTS)
def test_expressions_match_as_each_by_itself(expressions: list[str], text: str) -> None:
    matches = compile_patterns(f"/{one}/" for one in expressions)
    assert bool(matches(text)) == any(re2.search(one, text) for one in expressions)
