"""Patterns for text: globs, and regular expressions between slashes.

Neither can be made slow: a glob has no alternatives to backtrack into, and RE2 reads a text once, whatever the
expression.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import translate
from operator import not_

from dockersweep.errors import UsageError

Test = Callable[[str], object]
"""Returns a truthy value where a text matches. It runs millions of times, and bool(match) costs as much as matching."""

_GLOB = re.compile(r"[*?\[]")
_LETTERS = re.compile(r"\^?([\w/:-]*)(?![\w/:*?+{-])", re.ASCII)
"""The literal letters at the start of an expression, up to one that may be repeated or missing."""


def is_unicode(text: str) -> bool:
    """Whether a command-line argument is Unicode: Python has invalid UTF-8 in it as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def is_regular_expression(pattern: str) -> bool:
    """Whether a pattern is written between slashes."""
    return len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/")


def is_glob(pattern: str) -> bool:
    """Whether a pattern that is not a regular expression may match more than one text."""
    return _GLOB.search(pattern) is not None


def compile_pattern(pattern: str) -> Test:
    """Return the test for one pattern. A glob matches a whole text, a regular expression any part of it.

    Raises UsageError for an invalid regular expression.
    """
    if is_regular_expression(pattern):
        return _expressions([pattern[1:-1]])
    return _glob_or_text(pattern)


def compile_patterns(patterns: Iterable[str]) -> Test:
    """Return the test whether any of the patterns matches."""
    expressions: list[str] = []
    texts: list[str] = []
    for pattern in patterns:
        if is_regular_expression(pattern):
            expressions.append(pattern[1:-1])
        else:
            texts.append(pattern)
    # All patterns of one sort become one test.
    tests = _tests_of_globs(texts)
    tests += [_expressions(expressions)] if expressions else []
    return _any_of(tests)


def _any_of(tests: Sequence[Test]) -> Test:
    """Return one test that passes where any of these does; it runs millions of times."""
    if not tests:
        return lambda text: False
    if len(tests) == 1:
        return tests[0]
    first, second, *rest = tests
    if not rest:
        return lambda text: first(text) or second(text)
    others = _any_of(rest)
    return lambda text: first(text) or second(text) or others(text)


def compile_pairs(patterns: Iterable[str]) -> Callable[[dict[str, str]], object]:
    """Return the test whether labels or options have any of `key` and `key=value`; both sides may be globs."""
    patterns = tuple(patterns)
    tests = [_pair(pattern) for pattern in patterns]
    if len(tests) == 1:
        return tests[0]
    may_match = may_hold_pairs(patterns)
    return lambda pairs: may_match(pairs) and any(test(pairs) for test in tests)


def may_hold_pairs(patterns: Iterable[str]) -> Callable[[dict[str, str]], bool]:
    """Return a quick test that passes all labels or options that any pattern matches, and maybe others."""
    keys = [pattern.partition("=")[0] for pattern in patterns]
    if any(map(is_glob, keys)):
        return bool
    has_none = frozenset(keys).isdisjoint
    # Most labels have no key of any pattern, and isdisjoint finds that fast.
    return lambda pairs: not has_none(pairs)


def sieve_of_pairs(patterns: Iterable[str]) -> Callable[[Iterable[dict[str, str]]], Iterable[object]]:
    """Return the same test for many labels or options at once."""
    keys = [pattern.partition("=")[0] for pattern in patterns]
    if any(map(is_glob, keys)):
        return lambda pairs: pairs
    has_none = frozenset(keys).isdisjoint
    return lambda pairs: map(not_, map(has_none, pairs))


def beginnings(patterns: Iterable[str]) -> tuple[str, ...]:
    """Return prefixes: every text that any pattern matches begins with one of them."""
    return tuple(
        _beginning(pattern[1:-1]) if is_regular_expression(pattern) else _GLOB.split(pattern, maxsplit=1)[0]
        for pattern in patterns
    )


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
    return _any_of(_tests_of_globs([pattern]))


def _tests_of_globs(globs: Iterable[str]) -> list[Test]:
    """Return tests: one passes where any glob matches. Most globs are a text, a prefix and a star, or a star and a
    suffix, and need no regular expression."""
    exact: set[str] = set()
    beginning: list[str] = []
    ending: list[str] = []
    others: list[str] = []
    for glob in globs:
        if not is_glob(glob):
            exact.add(glob)
        elif glob[-1] == "*" and not is_glob(glob[:-1]):
            beginning.append(glob[:-1])
        elif glob[0] == "*" and not is_glob(glob[1:]):
            ending.append(glob[1:])
        else:
            others.append(glob)
    begins, ends = tuple(beginning), tuple(ending)
    tests: list[Test] = [exact.__contains__] if exact else []
    if begins and ends:
        tests.append(lambda text: text.startswith(begins) or text.endswith(ends))
    elif begins or ends:
        tests.append((lambda text: text.startswith(begins)) if begins else lambda text: text.endswith(ends))
    return [*tests, _globs(others)] if others else tests


def _globs(globs: Sequence[str]) -> Test:
    matches = re.compile("|".join(map(translate, globs))).match
    beginnings = tuple(_GLOB.split(glob, 1)[0] for glob in globs)
    if "" in beginnings:
        return matches
    return lambda text: text.startswith(beginnings) and matches(text)


def _expressions(expressions: Sequence[str]) -> Test:
    # Only policies that have regular expressions pay for the import.
    import re2

    options = re2.Options()
    options.log_errors = False
    for expression in expressions:
        try:
            re2.compile(expression, options)
            # In a group, as below: an unclosed quotation must not quote the next expression.
            re2.compile(f"(?:{expression})", options)
        except re2.error as error:
            reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
            raise UsageError(
                f"/{expression}/ is no regular expression of RE2, which has no look-around and no back references: "
                f"{reason}"
            ) from None
    try:
        search = re2.compile("|".join(f"(?:{expression})" for expression in expressions), options).search
    except re2.error:
        # Too large for RE2 as one expression.
        tests = [_expressions([expression]) for expression in expressions]
        return lambda text: any(test(text) for test in tests)
    # Every match begins with one of these; "" is for an expression without a known prefix.
    beginnings = tuple(map(_beginning, expressions))
    if "" in beginnings:
        letters = _letters(expressions[0]) if len(expressions) == 1 else ""
        return lambda text: letters in text and search(text.encode("utf-8", "surrogatepass"))
    # Search bytes: for str, RE2 maps every offset back to characters, which costs as much as the search.
    return lambda text: text.startswith(beginnings) and search(text.encode("utf-8", "surrogatepass"))


def _beginning(expression: str) -> str:
    """Return a prefix of every text that an expression matches: "db-" of "^db-[0-9]+$".

    Most names do not have it, and startswith is much faster than a search.
    """
    return _letters(expression) if expression.startswith("^") else ""


def _letters(expression: str) -> str:
    """Return letters that are in every text that an expression matches: "job-" of "job-[0-9]*7$"."""
    letters = _LETTERS.match(expression)
    return letters[1] if letters is not None and "|" not in expression else ""
