"""Compose files combined: parsed, with variables, `extends` and `include` resolved, and merged."""

import os
from collections.abc import Callable
from collections.abc import Mapping as Variables

from dockersweep.declared.compose.canonical import (
    SECTIONS,
    canonical_section,
    child,
    merged_tables,
    table_of,
    text_of,
)
from dockersweep.declared.compose.dotenv import read_dotenv
from dockersweep.declared.faults import fault
from dockersweep.declared.followed import Followed
from dockersweep.declared.interpolation import UNKNOWN, TemplateError, interpolate, known
from dockersweep.declared.yaml_tree import Mapping, Node, Scalar, Sequence, Source, read_yaml

Documents = list[Mapping]
"""The documents of one file."""
MOST_CHAINED = 30
"""The longest chain of services that extend one another, or of files that include one another."""
_REMOTE = ("oci://", "git://", "git@", "http://", "https://", "ssh://", "github.com/")


class Model:
    """The services, volumes and networks of one project, from all its files."""

    def __init__(self, variables: Variables[str, str], followed: Followed, notes: list[str]) -> None:
        """`notes` receives what cannot be learned from the files."""
        self.variables = variables
        self.is_whole = True
        """Whether everything could be read; False if some of it is on another machine."""
        self._followed = followed
        self._notes = notes
        self._services: dict[tuple[str, str], Mapping] = {}

    def load(self, files: Variables[str, Documents], chain: tuple[str, ...] = ()) -> dict[str, Mapping]:
        """Merge the documents of a project (path -> documents); return its sections. Raises DeclaredFileError."""
        sections: dict[str, Mapping] = {}
        for path, documents in files.items():
            for document in documents:
                own = self._sections(document, path, (*chain, os.path.realpath(path)))
                for name, section in own.items():
                    sections[name] = merged_tables(sections[name], section) if name in sections else section
        return sections

    def _sections(self, document: Mapping, path: str, chain: tuple[str, ...]) -> dict[str, Mapping]:
        document = with_values(document, self.variables, self._followed)
        sections = {name: canonical_section(name, table_of(document, name), self.variables) for name in SECTIONS}
        services = sections["services"]
        resolved: dict[str, Node] = {
            name: self._extended(name, service, services, ()) if isinstance(service, Mapping) else service
            for name, service in services.items.items()
        }
        sections["services"] = Mapping(resolved, services.source, services.line, services.tag)
        includes = child(document, "include")
        if includes is None:
            return sections
        for include in includes.items if isinstance(includes, Sequence) else (includes,):
            for name, section in self._included(include, chain).items():
                own = sections[name]
                # The including file wins.
                sections[name] = Mapping({**section.items, **own.items}, own.source, own.line, own.tag)
        return sections

    def _extended(self, name: str, service: Mapping, beside: Mapping, chain: tuple[tuple[str, str], ...]) -> Mapping:
        extends = child(service, "extends")
        if extends is None:
            return service
        here = (service.source.path, name)
        if here in chain or len(chain) > MOST_CHAINED:
            raise fault(extends.source.path, extends.line, f"the service {name} extends itself")
        if isinstance(extends, Mapping):
            file, of = text_of(extends, "file"), text_of(extends, "service")
        else:
            file, of = None, extends if isinstance(extends, Scalar) else None
        if of is None:
            raise fault(extends.source.path, extends.line, "extends names no service")
        if file is not None:
            if _is_remote(file.text):
                self._note_remote(file, f"the service {name} extends")
                return service
            beside = self._services_of(_path(file), file)
        base = beside.items.get(of.text)
        if not isinstance(base, Mapping):
            raise fault(of.source.path, of.line, f"there is no service {of.text} to extend")
        base = self._extended(of.text, base, beside, (*chain, here))
        own = {key: node for key, node in service.items.items() if key != "extends"}
        inherited = {key: node for key, node in base.items.items() if key != "extends"}
        return merged_tables(
            Mapping(inherited, base.source, base.line), Mapping(own, service.source, service.line, service.tag)
        )

    def _services_of(self, path: str, by: Scalar) -> Mapping:
        """Return the services of another file, their own `extends` not yet resolved."""
        key = (path, by.source.folder)
        if key not in self._services:
            if not self._followed.has_file(path):
                raise fault(by.source.path, by.line, f"there is no file {path} to extend from")
            services = Mapping({}, Source(path, os.path.dirname(path)), 1)
            for document in documents_of(path, os.path.dirname(path), self._followed):
                section = table_of(with_values(document, self.variables, self._followed), "services")
                services = merged_tables(services, canonical_section("services", section, self.variables))
            self._services[key] = services
        return self._services[key]

    def _included(self, node: Node, chain: tuple[str, ...]) -> dict[str, Mapping]:
        if isinstance(node, Scalar):
            paths: list[Scalar] = [node]
            folder = variables = None
        elif isinstance(node, Mapping):
            paths = _texts(child(node, "path"))
            folder, variables = text_of(node, "project_directory"), child(node, "env_file")
        else:
            raise fault(node.source.path, node.line, "an include must be a path or a mapping")
        remote = [path for path in paths if _is_remote(path.text)]
        for path in remote:
            self._note_remote(path, "it includes")
        files = [_path(path) for path in paths if path not in remote]
        if not files:
            return {}
        for file in files:
            if not self._followed.has_file(file):
                raise fault(node.source.path, node.line, f"there is no file {file} to include")
            if os.path.realpath(file) in chain:
                raise fault(node.source.path, node.line, f"it includes {file}, which includes it")
        if len(chain) > MOST_CHAINED:
            raise fault(node.source.path, node.line, f"files include one another more than {MOST_CHAINED} deep")
        home = os.path.dirname(files[0]) if folder is None else _path(folder)
        env_files = [os.path.join(home, ".env")] if variables is None else [_path(file) for file in _texts(variables)]
        inner = Model(self._with_files(env_files, variables), self._followed, self._notes)
        sections = inner.load({file: documents_of(file, home, self._followed) for file in files}, chain)
        self.is_whole = self.is_whole and inner.is_whole
        return sections

    def _with_files(self, paths: list[str], asked_for: Node | None) -> Variables[str, str]:
        values: dict[str, str] = {}
        for path in paths:
            if self._followed.has_file(path):
                values |= read_dotenv(path, self.variables, self._followed)
            elif asked_for is not None and path != os.devnull:
                raise fault(asked_for.source.path, asked_for.line, f"there is no file {path}")
        return values | dict(self.variables)

    def _note_remote(self, node: Scalar, what: str) -> None:
        self.is_whole = False
        self._notes.append(f"{node.source.path}:{node.line}: {what} {node.text}, which is not fetched")


def documents_of(path: str, folder: str, followed: Followed) -> Documents:
    """Return the documents of a file as tables. Raises DeclaredFileError."""
    documents: Documents = []
    for document in read_yaml(followed.read(path), Source(path, folder)):
        if isinstance(document, Mapping):
            documents.append(document)
        elif not (isinstance(document, Scalar) and document.is_null):
            raise fault(path, document.line, "not a mapping: a compose file begins with `services:`")
    return documents


def with_values(document: Mapping, variables: Variables[str, str], followed: Followed) -> Mapping:
    """Return a document with the values of its variables. Raises DeclaredFileError."""
    done: dict[int, Node] = {}

    def valued(node: Node) -> Node:
        if isinstance(node, Scalar):
            if "$" not in node.text:
                return node
            try:
                text = interpolate(node.text, variables)
            except TemplateError as error:
                raise fault(node.source.path, node.line, str(error)) from None
            followed.count(node.source.path, len(text), node.line)
            written = node.text if UNKNOWN in text else None
            return Scalar(text, node.source, node.line, node.tag, is_plain=False, written=written)
        # Aliases share nodes; walking every alias could take forever.
        new = done.get(id(node))
        if new is None:
            new = done[id(node)] = _rebuilt(node, valued)
        return new

    top = valued(document)
    assert isinstance(top, Mapping)
    return top


def _rebuilt(node: Sequence | Mapping, valued: Callable[[Node], Node]) -> Node:
    if isinstance(node, Sequence):
        items = tuple(map(valued, node.items))
        same = all(new is old for new, old in zip(items, node.items, strict=True))
        return node if same else Sequence(items, node.source, node.line, node.tag)
    table = {key: valued(value) for key, value in node.items.items()}
    same = all(table[key] is value for key, value in node.items.items())
    return node if same else Mapping(table, node.source, node.line, node.tag)


def _texts(node: Node | None) -> list[Scalar]:
    items = () if node is None else node.items if isinstance(node, Sequence) else (node,)
    if isinstance(node, Mapping) or not all(isinstance(item, Scalar) for item in items):
        assert node is not None
        raise fault(node.source.path, node.line, "expected a path or a list of paths")
    return [item for item in items if isinstance(item, Scalar)]


def _path(node: Scalar) -> str:
    return resolved(known(node.text), node.source.folder)


def resolved(path: str, folder: str) -> str:
    """Return a path as a file in `folder` means it."""
    return os.path.normpath(os.path.join(folder, os.path.expanduser(path)))


def _is_remote(path: str) -> bool:
    return path.startswith(_REMOTE) or path.endswith(".git") or ".git#" in path
