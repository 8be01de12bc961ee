"""The parts of an image's names: `registry.example.com:5000/team/app:1.2` and `team/app@sha256:...`."""

from collections.abc import Iterable

from dockersweep.model.inventory import Image
from dockersweep.policy.patterns import Test, compile_patterns, is_glob, is_regular_expression

LEFT_OUT = ("localhost/", "docker.io/", "library/")


def without_registry(reference: str) -> str:
    """Return a reference as short as it can be written: Docker leaves out docker.io/ and library/, Podman writes them
    and localhost/; people write either."""
    if reference.startswith(LEFT_OUT):
        for prefix in LEFT_OUT:
            reference = reference.removeprefix(prefix)
    return reference


def repository_of(reference: str) -> str:
    """Return a reference without its tag or digest, and as short as it can be written."""
    return whole_repository_of(without_registry(reference))


def whole_repository_of(reference: str) -> str:
    """Return a reference without its tag or digest."""
    name = reference.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    # A colon before the last slash is that of a registry's port.
    return head if colon and "/" not in tag else name


def tag_of(reference: str) -> str:
    """Return the tag alone: "1.2" of "app:1.2"; empty where there is none."""
    _, colon, tag = reference.partition("@")[0].rpartition(":")
    return tag if colon and "/" not in tag else ""


def with_registry(name: str) -> str:
    """Return a reference or repository with the registry that is meant where none is written: Docker's own, whose
    names people also write without library/ and as index.docker.io/."""
    first, slash, rest = name.partition("/")
    if slash and first in ("docker.io", "index.docker.io"):
        return f"docker.io/{rest}" if "/" in rest else f"docker.io/library/{rest}"
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


def without_docker(name: str) -> str:
    """Return a name as short as Docker tells it; the inverse of `with_registry`."""
    return name.removeprefix("docker.io/library/").removeprefix("docker.io/")


def compile_names(patterns: Iterable[str], and_whole: bool = False) -> Test:
    """Return the test whether a reference or repository, as an engine tells it, matches any of the patterns.

    A registry that people leave out may be left out in either; a glob that begins with one speaks of just that
    registry. Other globs and expressions are asked of the name without it and of the name as it is told and, with
    `and_whole`, of the name with the registry that is meant: what protects is better generous.
    """
    told = tuple(patterns)
    if any(is_regular_expression(one) or (is_glob(one) and not one.startswith(LEFT_OUT)) for one in told):
        return _of_all_spellings(told, and_whole)
    long = {one for one in told if one.startswith(LEFT_OUT) and is_glob(one)}
    of_short = compile_patterns(without_registry(one) for one in told if one not in long)
    if not long:
        return lambda name: of_short(without_registry(name) if name.startswith(LEFT_OUT) else name)
    of_long = compile_patterns(f"docker.io/{one}" if one.startswith("library/") else one for one in long)

    def matches(name: str) -> object:
        if of_short(without_registry(name)):
            return True
        whole = with_registry(name)
        return of_long(whole) or of_long(whole.replace("docker.io/library/", "docker.io/", 1))

    return matches


def _of_all_spellings(patterns: tuple[str, ...], and_whole: bool) -> Test:
    open_ended = {one for one in patterns if is_regular_expression(one) or is_glob(one)}
    as_told = compile_patterns(one for one in open_ended if not one.startswith(LEFT_OUT))
    rest = tuple(one for one in patterns if one not in open_ended or one.startswith(LEFT_OUT))
    of_rest: Test = compile_names(rest) if rest else lambda name: False

    def matches(name: str) -> object:
        if as_told(name) or of_rest(name):
            return True
        if name.startswith(LEFT_OUT) and as_told(without_registry(name)):
            return True
        return and_whole and (whole := with_registry(name)) != name and as_told(whole)

    return matches


def repositories_of(image: Image) -> list[str]:
    """Return the repositories of an image's digests and tags."""
    of_digests = [digest.partition("@")[0] for digest in image.digests]
    return of_digests + [whole_repository_of(tag) for tag in image.tags]
