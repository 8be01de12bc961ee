"""The parts of an image's names, `registry.example.com:5000/team/app:1.2` and `team/app@sha256:...`, and of its ids."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import takewhile

LEFT_OUT = ("localhost/", "docker.io/", "library/")


def without_registry(reference: str) -> str:
    """Return a reference in its shortest form: Docker leaves out docker.io/ and library/, Podman writes them and
    localhost/; people write either."""
    if reference.startswith(LEFT_OUT):
        for prefix in LEFT_OUT:
            reference = reference.removeprefix(prefix)
    return reference


def repository_of(reference: str) -> str:
    """Return a reference without its tag or digest, in its shortest form."""
    return whole_repository_of(without_registry(reference))


def whole_repository_of(reference: str) -> str:
    """Return a reference without its tag or digest."""
    name = reference.partition("@")[0] if "@" in reference else reference
    head, colon, tag = name.rpartition(":")
    # A colon before the last slash belongs to a registry's port.
    return head if colon and "/" not in tag else name


def tag_of(reference: str) -> str:
    """Return the tag alone: "1.2" of "app:1.2"; empty where there is none."""
    _, colon, tag = reference.partition("@")[0].rpartition(":")
    return tag if colon and "/" not in tag else ""


def with_tag(name: str) -> str:
    """Return a reference with its tag, "latest" if it has none; it must have no digest."""
    return name if tag_of(name) else f"{name}:latest"


def with_registry(name: str) -> str:
    """Return a reference or repository with its registry, Docker Hub if it has none, whose names people also write
    without library/ and with index.docker.io/."""
    first, slash, rest = name.partition("/")
    if slash and first in ("docker.io", "index.docker.io"):
        return f"docker.io/{rest}" if "/" in rest else f"docker.io/library/{rest}"
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


def without_docker(name: str) -> str:
    """Return a name as Docker prints it; the inverse of `with_registry`."""
    return name.removeprefix("docker.io/library/").removeprefix("docker.io/")


class ImageIds:
    """Finds ids of images by their first digits."""

    def __init__(self, ids: Iterable[str]) -> None:
        """Take whole ids."""
        self._by_digits = sorted((image_id.removeprefix("sha256:"), image_id) for image_id in ids)

    def beginning_with(self, digits: str) -> Sequence[str]:
        """Return the ids whose digits begin with these."""
        rest = range(bisect_left(self._by_digits, (digits, "")), len(self._by_digits))
        beginning = takewhile(lambda place: self._by_digits[place][0].startswith(digits), rest)
        return [self._by_digits[place][1] for place in beginning]
