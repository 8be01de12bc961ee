"""The images that a service's `build` names: its tags, and what its Dockerfile depends on."""

import os
from collections.abc import Iterator
from typing import NamedTuple

from dockersweep.declared.compose.canonical import child, table_of, text_of
from dockersweep.declared.compose.model import resolved
from dockersweep.declared.dockerfile import images_of_dockerfile
from dockersweep.declared.followed import Followed
from dockersweep.declared.interpolation import UNKNOWN, known
from dockersweep.declared.yaml_tree import Mapping, Scalar, Sequence

_IMAGE = "docker-image://"
_DOCKERFILES = ("Dockerfile", "dockerfile")


class BuildImage(NamedTuple):
    """An image that a build names, and the place where it does."""

    name: str
    path: str
    line: int | None
    what: str | None
    """The part of the build that names it; None for the compose file itself."""
    written: str | None
    """The name before variables were replaced; None if all of them have a value."""


def images_of_build(build: Mapping, followed: Followed, notes: list[str]) -> Iterator[BuildImage]:
    """Yield the images that a build makes or depends on. Raises DeclaredFileError."""
    tags = child(build, "tags")
    for tag in tags.items if isinstance(tags, Sequence) else ():
        if isinstance(tag, Scalar):
            yield BuildImage(tag.text, tag.source.path, tag.line, None, tag.written)
    for node in table_of(build, "additional_contexts").items.values():
        if isinstance(node, Scalar) and node.text.startswith(_IMAGE):
            yield BuildImage(node.text.removeprefix(_IMAGE), node.source.path, node.line, None, node.written)
    yield from _of_dockerfile(build, followed, notes)


def _of_dockerfile(build: Mapping, followed: Followed, notes: list[str]) -> Iterator[BuildImage]:
    arguments = {
        key: node.text
        for key, node in table_of(build, "args").items.items()
        if isinstance(node, Scalar) and not node.is_null
    }
    inline = text_of(build, "dockerfile_inline")
    if inline is not None:
        followed.count(inline.source.path, len(inline.text))
        for image in images_of_dockerfile(inline.text, arguments):
            yield BuildImage(image.name, inline.source.path, inline.line, "the Dockerfile", image.written)
        return
    path = _dockerfile(build, followed, notes)
    if path is None:
        return
    text = followed.read(path).decode("utf-8", "replace")
    for image in images_of_dockerfile(text, arguments):
        yield BuildImage(image.name, path, image.line, "the Dockerfile", image.written)


def _dockerfile(build: Mapping, followed: Followed, notes: list[str]) -> str | None:
    """Return the path of the Dockerfile; None, with a note, where it is missing or not on this machine."""
    context, name = text_of(build, "context"), text_of(build, "dockerfile")
    where = "." if context is None else known(context.text)
    if "://" in where or where.startswith(("git@", "github.com/", "service:")) or where.endswith(".git"):
        place = build if context is None else context
        notes.append(f"{place.source.path}:{place.line}: the Dockerfile in {where} is not fetched")
        return None
    here = f"{build.source.path}:{build.line}"
    is_known = not any(UNKNOWN in node.text for node in (context, name) if node is not None)
    if not is_known:
        notes.append(f"{here}: which Dockerfile it builds depends on a variable without a value")
    folder = resolved(where, build.source.folder if context is None else context.source.folder)
    names = _DOCKERFILES if name is None else (known(name.text),)
    paths = [os.path.join(folder, file) for file in names]
    dockerfile = next((path for path in paths if followed.has_file(path)), None)
    if dockerfile is None and is_known:
        notes.append(f"{here}: there is no {paths[0]}: the images it builds on are not protected")
    return dockerfile
