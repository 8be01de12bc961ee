"""A compose project: its files, its variables and its name."""

import os
import re
from collections.abc import Mapping, Sequence
from itertools import chain

from msgspec import Struct

from dockersweep.declared.compose.canonical import child
from dockersweep.declared.compose.dotenv import read_dotenv
from dockersweep.declared.compose.model import Documents, Model, documents_of, resolved
from dockersweep.declared.compose.names import declared_by
from dockersweep.declared.faults import fault
from dockersweep.declared.followed import Followed
from dockersweep.declared.interpolation import UNKNOWN, TemplateError, interpolate, unknown_part
from dockersweep.declared.yaml_tree import Scalar
from dockersweep.model.declared import Declared

FILE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
"""Compose takes the first of these that exists."""
_OVERRIDES = {
    "compose": ("compose.override.yml", "compose.override.yaml"),
    "docker-compose": ("docker-compose.override.yml", "docker-compose.override.yaml"),
}
_TAKES = "has only lowercase letters, digits, - and _, and starts with a letter or digit"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_NOT_IN_NAMES = re.compile(f"[^a-z0-9_{UNKNOWN}-]")


class ComposeProject(Struct, frozen=True, kw_only=True):
    """What one project declares."""

    name: str
    """With `interpolation.UNKNOWN` for each variable without a value."""
    files: tuple[str, ...]
    folder: str
    """The project's directory."""
    env_files: tuple[str, ...]
    objects: tuple[Declared, ...]
    notes: tuple[str, ...]


class Chosen(Struct, frozen=True, kw_only=True):
    """The files of a project, and the variables with which they are read."""

    files: tuple[str, ...]
    folder: str
    env_files: tuple[str, ...]
    variables: Mapping[str, str]


def read_project(chosen: Chosen, followed: Followed, name: str | None = None) -> ComposeProject:
    """Return what the files declare. `name` overrides the project's own name. Raises DeclaredFileError."""
    variables = dict(chosen.variables)
    documents = {path: documents_of(path, chosen.folder, followed) for path in chosen.files}
    notes: list[str] = []
    project = _project_name(chosen, documents, notes) if name is None else name
    variables["COMPOSE_PROJECT_NAME"] = project
    model = Model(variables, followed, notes)
    sections = model.load(documents)
    objects = declared_by(sections, project, chosen.files[0], model, followed, notes)
    return ComposeProject(
        name=project,
        files=chosen.files,
        folder=chosen.folder,
        env_files=chosen.env_files,
        objects=objects,
        notes=tuple(dict.fromkeys(notes)),
    )


def chosen_in_folder(
    folder: str, environment: Mapping[str, str], followed: Followed, fallback: str | None = None
) -> Chosen | None:
    """Return what `docker compose` chooses in a folder: COMPOSE_FILE of `.env` or the environment, else the first of
    FILE_NAMES with its override; None where there is neither. `fallback` replaces the first of FILE_NAMES."""
    env_file = os.path.join(folder, ".env")
    variables, env_files = with_env_files((env_file,), environment, followed)
    listed = variables.get("COMPOSE_FILE")
    if listed:
        separator = variables.get("COMPOSE_PATH_SEPARATOR") or ":"
        files = tuple(resolved(file, folder) for file in listed.split(separator) if file)
        if not files:
            raise fault(env_file, None, f'COMPOSE_FILE is "{listed}", which names no file')
        return Chosen(files=files, folder=os.path.dirname(files[0]), env_files=env_files, variables=variables)
    first = fallback
    if first is None:
        here = (os.path.join(folder, name) for name in FILE_NAMES)
        first = next((path for path in here if followed.has_file(path)), None)
    if first is None:
        return None
    stem = os.path.basename(first).rpartition(".")[0]
    beside = (os.path.join(folder, name) for name in _OVERRIDES.get(stem, ()))
    override = next((path for path in beside if followed.has_file(path)), None)
    files = (first,) if override is None else (first, override)
    return Chosen(files=files, folder=folder, env_files=env_files, variables=variables)


def chosen_files(
    files: Sequence[str],
    environment: Mapping[str, str],
    followed: Followed,
    folder: str | None = None,
    env_files: Sequence[str] | None = None,
) -> Chosen:
    """Return what `docker compose -f FILE ...` chooses: the project's folder is the first file's, and its `.env`
    counts, unless given otherwise."""
    home = os.path.dirname(files[0]) if folder is None else folder
    wanted = (os.path.join(home, ".env"),) if env_files is None else tuple(env_files)
    variables, present = with_env_files(wanted, environment, followed)
    return Chosen(files=tuple(files), folder=home, env_files=present, variables=variables)


def with_env_files(
    paths: Sequence[str], environment: Mapping[str, str], followed: Followed
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the variables of the env files that exist (later files win, the environment wins over all), and the paths
    of these files."""
    values: dict[str, str] = {}
    present = tuple(path for path in paths if followed.has_file(path))
    for path in present:
        values |= read_dotenv(path, values | dict(environment), followed)
    return values | dict(environment), present


def _project_name(chosen: Chosen, documents: Mapping[str, Documents], notes: list[str]) -> str:
    given = chosen.variables.get("COMPOSE_PROJECT_NAME")
    if given:
        return _valid(given, chosen.files[0])
    name: Scalar | None = None
    for document in chain.from_iterable(documents.values()):
        own = child(document, "name")
        name = own if isinstance(own, Scalar) else name
    text = ""
    if name is not None:
        try:
            text = interpolate(name.text, chosen.variables)
        except TemplateError as error:
            raise fault(name.source.path, name.line, str(error)) from None
        if UNKNOWN in text:
            notes.append(unknown_part(f"{name.source.path}:{name.line}", name.text))
    line = name.line if name is not None and text else None
    text = text or os.path.basename(chosen.folder)
    normal = _NOT_IN_NAMES.sub("", text.lower()).lstrip("_-")
    if not normal:
        why = f'"{text}" leaves nothing for a project name, which {_TAKES}: set name: in the file'
        raise fault(chosen.files[0], line, why)
    return normal


def _valid(name: str, path: str) -> str:
    """Return COMPOSE_PROJECT_NAME if it is valid: compose normalizes only names from a file or a folder."""
    if _NAME.fullmatch(name) is None:
        raise fault(path, None, f'COMPOSE_PROJECT_NAME is "{name}", and a project name {_TAKES}')
    return name
