"""The images, volumes and networks that compose files and quadlets declare: needed even if no container exists."""

from typing import Literal

from msgspec import Struct

DeclaredKind = Literal["image", "volume", "network"]


class Declared(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One image, volume or network that a file names."""

    kind: DeclaredKind
    name: str
    """Its name on the engine: the reference of an image, or the name of a volume or network with the project's prefix;
    a glob with `is_pattern`."""
    is_pattern: bool = False
    """Whether only a part of the name is known, because the file names a variable without a value."""
    path: str
    """The file."""
    line: int | None = None
    project: str | None = None
    """The compose project."""
    by: str | None = None
    """What names it in the file: "service db", "the Dockerfile of service db"; None for the file as a whole."""


class DeclaredProject(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A compose project that files declare."""

    project: str
    files: tuple[str, ...]


class Declarations(Struct, frozen=True, kw_only=True):
    """Everything that the files of a policy declare."""

    objects: tuple[Declared, ...] = ()
    projects: tuple[DeclaredProject, ...] = ()
    notes: tuple[str, ...] = ()
    """What the files leave open, a sentence each: remote includes, variables without a value."""
