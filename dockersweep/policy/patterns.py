"""Patterns for text: globs, and regular expressions between slashes.

Neither can be made to take long: a glob has no branches to try again, and RE2 reads a text once whatever the
expression.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import translate

from dockersweep.errors import UsageError

Test = Callable[[str], object]
"""Tells whether a text matches by the truth of what it returns: this is asked millions of times, and to make a bool of
a match takes as long as to find it."""

_GLOB = re.compile(r"[*?\[]")
_LETTERS = re.compile(r"\^([\w/:-]*)(?![\w/:*?+{-])", re.ASCII)
"""The letters that an expression begins with, without one that may be repeated or missing."""


def is_unicode(text: str) -> bool:
    """Whether a text of a command line is Unicode: bytes that are no UTF-8 stand in it as halves of pairs."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def is_regular_expression(pattern: str) -> bool:
    """Whether a pattern is written between slashes."""
    return len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/")


def is_glob(pattern: str) -> bool:
    """Whether a pattern that is no regular expression speaks of more than one text."""
    return _GLOB.search(pattern) is not None


def compile_pattern(pattern: str) -> Test:
    """Return the test for one pattern. A glob speaks of a whole text, a regular expression of any part of it.

    Raises UsageError for a regular expression that does not hold.
    """
    if is_regular_expression(pattern):
        return _expressions([pattern[1:-1]])
    return _glob_or_text(pattern)


def compile_patterns(patterns: Iterable[str]) -> Test:
    """Return the test whether any of the patterns matches."""
    expressions: list[str] = []
    globs: list[str] = []
    exact: set[str] = set()
    for one in patterns:
        if is_regular_expression(one):
            expressions.append(one[1:-1])
        elif is_glob(one):
            globs.append(one)
        else:
            exact.add(one)
    # Of each sort all are asked at once, however many there are.
    tests: list[Test] = [exact.__contains__] if exact else []
    tests += [_globs(globs)] if globs else []
    tests += [_expressions(expressions)] if expressions else []
    return _any_of(tests)


def _any_of(tests: Sequence[Test]) -> Test:
    """Return the test whether any of at most three holds; this is asked millions of times."""
    if not tests:
        return lambda text: False
    if len(tests) == 1:
        return tests[0]
    first, second, *rest = tests
    if not rest:
        return lambda text: first(text) or second(text)
    third = rest[0]
    return lambda text: first(text) or second(text) or third(text)


def compile_pairs(patterns: Iterable[str]) -> Callable[[dict[str, str]], bool]:
    """Return the test whether labels or options hold any of `key` and `key=value`; both sides may be globs."""
    told = tuple(patterns)
    keys = [one.partition("=")[0] for one in told]
    tests = [_pair(pattern) for pattern in told]
    if any(map(is_glob, keys)):
        return lambda pairs: bool(pairs) and any(test(pairs) for test in tests)
    has_none = frozenset(keys).isdisjoint
    # Most labels are no key of any pattern, which is asked of all at once.
    return lambda pairs: not has_none(pairs) and any(test(pairs) for test in tests)


def _pair(pattern: str) -> Callable[[dict[str, str]], object]:
    key, separator, value = pattern.partition("=")
    of_value = compile_pattern(value) if separator else None
    if not is_glob(key):
        if of_value is None:
            return lambda pairs: key in pairs
        known = of_value
        return lambda pairs: key in pairs and known(pairs[key])
    of_key = _glob_or_text(key)
    return lambda pairs: any(of_key(own) and (of_value is None or of_value(held)) for own, held in pairs.items())


def _glob_or_text(pattern: str) -> Test:
    return _globs([pattern]) if is_glob(pattern) else pattern.__eq__


def _globs(globs: Iterable[str]) -> Test:
    told = tuple(globs)
    matches = re.compile("|".join(map(translate, told))).match
    beginnings = tuple(_GLOB.split(one, 1)[0] for one in told)
    if "" in beginnings:
        return matches
    return lambda text: text.startswith(beginnings) and matches(text)


def _expressions(expressions: Sequence[str]) -> Test:
    # Only policies that have regular expressions pay for the import.
    import re2

    options = re2.Options()
    options.log_errors = False
    for one in expressions:
        try:
            re2.compile(one, options)
            # As it stands among others: an open quotation of the one must not quote the next.
            re2.compile(f"(?:{one})", options)
        except re2.error as error:
            told = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
            raise UsageError(
                f"/{one}/ is no regular expression of RE2, which has no look-around and no back references: {told}"
            ) from None
    try:
        search = re2.compile("|".join(f"(?:{one})" for one in expressions), options).search
    except re2.error:
        # Together they are more than RE2 takes.
        tests = [_expressions([one]) for one in expressions]
        return lambda text: any(test(text) for test in tests)
    # All that can match begin with one of these; where nothing is known of one, it is the empty text.
    beginnings = tuple(map(_beginning, expressions))
    # In bytes no place in the text has to be counted out, which takes as long as the search.
    return lambda text: text.startswith(beginnings) and search(text.encode("utf-8", "surrogatepass"))


def _beginning(expression: str) -> str:
    """Return letters with which every text begins that an expression matches: "db-" of "^db-[0-9]+$".

    Most names do not begin so, which is told much sooner than by a search.
    """
    letters = _LETTERS.match(expression)
    return letters[1] if letters is not None and "|" not in expression else ""
