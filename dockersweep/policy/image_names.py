"""The parts of an image's names: `registry.example.com:5000/team/app:1.2` and `team/app@sha256:...`."""

from collections.abc import Iterable, Iterator

from dockersweep.model.inventory import Image
from dockersweep.policy.patterns import Test, compile_patterns, is_glob

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
    """Return a reference or repository with the registry that is meant where none is written: Docker's own."""
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


def compile_names(patterns: Iterable[str]) -> Test:
    """Return the test whether a reference or repository, as an engine tells it, matches any of the patterns.

    A registry that people leave out may be left out in either; a pattern that is more than a name and begins with one
    speaks of just that registry.
    """
    told = tuple(patterns)
    long = [one for one in told if one.startswith(LEFT_OUT) and is_glob(one)]
    of_short = compile_patterns(without_registry(one) for one in told if one not in long)
    if not long:
        return lambda name: of_short(without_registry(name))
    of_long = compile_patterns(f"docker.io/{one}" if one.startswith("library/") else one for one in long)

    def matches(name: str) -> bool:
        if of_short(without_registry(name)):
            return True
        whole = with_registry(name)
        return of_long(whole) or of_long(whole.replace("docker.io/library/", "docker.io/", 1))

    return matches


def spellings(image: Image) -> Iterator[str]:
    """Yield all that a person may call an image: its digests, its tags, and their repositories."""
    for digest in image.digests:
        yield digest
        yield digest.partition("@")[0]
    for tag in image.tags:
        yield tag
        yield whole_repository_of(tag)
