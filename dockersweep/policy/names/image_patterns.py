"""Patterns for image names, in which people leave out registries."""

from collections.abc import Iterable

from dockersweep.model.image_references import LEFT_OUT, with_registry, without_registry
from dockersweep.policy.names.patterns import Test, compile_patterns, is_glob, is_regular_expression


def compile_names(patterns: Iterable[str], and_whole: bool = False) -> Test:
    """Return the test whether a reference or repository, as an engine writes it, matches any of the patterns.

    Docker Hub may be left out in both; a glob that begins with a registry matches only that one. Other globs and
    expressions are tried on the name without a registry, on the name as the engine writes it and, with `and_whole`, on
    the name with the implied registry: a protection should rather match too much.
    """
    patterns = tuple(patterns)
    if any(map(_is_open_ended, patterns)):
        return _of_all_spellings(patterns, and_whole)
    long = {pattern for pattern in patterns if pattern.startswith(LEFT_OUT) and is_glob(pattern)}
    of_short = compile_patterns(without_registry(pattern) for pattern in patterns if pattern not in long)
    if not long:
        return lambda name: of_short(without_registry(name) if name.startswith(LEFT_OUT) else name)
    of_long = compile_patterns(f"docker.io/{glob}" if glob.startswith("library/") else glob for glob in long)

    def matches(name: str) -> object:
        if of_short(without_registry(name)):
            return True
        whole = with_registry(name)
        return of_long(whole) or of_long(whole.replace("docker.io/library/", "docker.io/", 1))

    return matches


def _is_open_ended(pattern: str) -> bool:
    return is_regular_expression(pattern) or (is_glob(pattern) and not pattern.startswith(LEFT_OUT))


def _of_all_spellings(patterns: tuple[str, ...], and_whole: bool) -> Test:
    as_written = compile_patterns(pattern for pattern in patterns if _is_open_ended(pattern))
    rest = tuple(pattern for pattern in patterns if not _is_open_ended(pattern))
    of_rest = compile_names(rest) if rest else None

    def matches(name: str) -> object:
        if as_written(name) or (of_rest is not None and of_rest(name)):
            return True
        if name.startswith(LEFT_OUT) and as_written(without_registry(name)):
            return True
        return and_whole and (whole := with_registry(name)) != name and as_written(whole)

    return matches
