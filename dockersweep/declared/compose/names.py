"""The images, volumes and networks that the merged files of a project name."""

from collections.abc import Iterator, Mapping

from dockersweep.declared.compose.builds import images_of_build
from dockersweep.declared.compose.canonical import child, is_path, short_mount, table_of, text_of
from dockersweep.declared.compose.model import Model
from dockersweep.declared.faults import fault
from dockersweep.declared.followed import Followed
from dockersweep.declared.interpolation import UNKNOWN, as_names, known, unknown_part
from dockersweep.declared.yaml_tree import Mapping as Table
from dockersweep.declared.yaml_tree import Node, Scalar, Sequence
from dockersweep.model.declared import Declared, DeclaredKind

_TRUE = ("true", "yes", "on", "y", "t", "1")
_MODES = ("host", "none", "bridge", "default", "private", "")
DEFAULT = "default"


def declared_by(
    sections: Mapping[str, Table], project: str, path: str, model: Model, followed: Followed, notes: list[str]
) -> tuple[Declared, ...]:
    """Return what a project declares. `project` is its name, maybe with UNKNOWN; `path` is its first file. Raises
    DeclaredFileError, as compose does, where a service names a volume or network that nothing declares."""
    naming = _Naming(project, notes)
    services = sections.get("services")
    users: dict[tuple[str, str], str] = {}
    for name, service in services.items.items() if services is not None else ():
        if isinstance(service, Table):
            naming.by = f"service {name}"
            _service(name, service, sections, naming, users, followed)
    resources: tuple[tuple[DeclaredKind, str], ...] = (("volume", "volumes"), ("network", "networks"))
    for kind, section in resources:
        for key, node in _section(sections, section).items():
            if isinstance(node, Table):
                naming.by = users.pop((kind, key), None)
                naming.resource(kind, key, node)
    naming.by = users.get(("network", DEFAULT))
    if naming.by is not None:
        naming.add("network", f"{project}_{DEFAULT}", path, None)
    if not model.is_whole:
        naming.by = "what it includes"
        joined: tuple[tuple[DeclaredKind, str], ...] = (("volume", "_"), ("network", "_"), ("image", "-"))
        for kind, joint in joined:
            naming.add(kind, f"{project}{joint}{UNKNOWN}", path, None)
    return tuple(dict.fromkeys(naming.declared))


class _Naming:
    """Collects the declared names of one project."""

    def __init__(self, project: str, notes: list[str]) -> None:
        self.project = project
        self.declared: list[Declared] = []
        self.by: str | None = None
        self.notes = notes

    def add(
        self,
        kind: DeclaredKind,
        text: str,
        path: str,
        line: int | None,
        by: str | None = None,
        written: str | None = None,
    ) -> None:
        """Add a name. If one of its variables has no value, also add the pattern of all that it may be, and a note
        that quotes it as `written`."""
        name, pattern = as_names(text)
        if pattern is not None and written is not None:
            self.notes.append(unknown_part(path if line is None else f"{path}:{line}", written))
        for form in (name, pattern):
            if form:
                declared = Declared(
                    kind=kind,
                    name=form,
                    is_pattern=form is pattern,
                    path=path,
                    line=line,
                    project=known(self.project),
                    by=by or self.by,
                )
                self.declared.append(declared)

    def add_text(self, kind: DeclaredKind, text: Scalar, by: str | None = None) -> None:
        """Add a name from a file."""
        self.add(kind, text.text, text.source.path, text.line, by, text.written)

    def resource(self, kind: DeclaredKind, key: str, node: Table) -> None:
        """Add a volume or network from the top level of the file."""
        name, external = text_of(node, "name"), child(node, "external")
        if isinstance(external, Table):
            name = text_of(external, "name") or name
            is_external = True
        else:
            is_external = isinstance(external, Scalar) and known(external.text).lower() in _TRUE
        if name is not None and name.text:
            self.add_text(kind, name)
        if name is None or not known(name.text):
            self.add(kind, key if is_external else f"{self.project}_{key}", node.source.path, node.line)


def _service(
    name: str,
    service: Table,
    sections: Mapping[str, Table],
    naming: _Naming,
    users: dict[tuple[str, str], str],
    followed: Followed,
) -> None:
    by = f"service {name}"
    image, build = text_of(service, "image"), table_of(service, "build")
    if image is not None and image.text:
        naming.add_text("image", image)
    elif build.items:
        # podman-compose, and docker compose with COMPOSE_COMPATIBILITY, use the underscore.
        for joint in ("-", "_"):
            naming.add("image", f"{naming.project}{joint}{name}", build.source.path, build.line)
    if build.items:
        for text, path, line, what, written in images_of_build(build, followed, naming.notes):
            naming.add("image", text, path, line, f"{what} of {by}" if what else by, written)
    for key, node in table_of(service, "volumes").items.items():
        _mount(key, node, name, sections, naming, users)
    for key, node in _networks(service, naming):
        if key != DEFAULT and not isinstance(_section(sections, "networks").get(key), Table):
            raise fault(
                node.source.path, node.line, f"the service {name} names the network {key}, which is not declared"
            )
        users.setdefault(("network", key), by)


def _section(sections: Mapping[str, Table], name: str) -> Mapping[str, Node]:
    section = sections.get(name)
    return {} if section is None else section.items


def _networks(service: Table, naming: _Naming) -> Iterator[tuple[str, Node]]:
    mode = text_of(service, "network_mode")
    if mode is not None:
        if mode.text not in _MODES and not mode.text.startswith(("service:", "container:", "ns:")):
            naming.add_text("network", mode)
        return
    networks = child(service, "networks")
    if isinstance(networks, Table) and networks.items:
        yield from networks.items.items()
    elif not isinstance(networks, Sequence):
        yield DEFAULT, service


def _mount(
    target: str,
    node: Node,
    service: str,
    sections: Mapping[str, Table],
    naming: _Naming,
    users: dict[tuple[str, str], str],
) -> None:
    if isinstance(node, Scalar):
        source = short_mount(node.text)[0]
        if source is None or is_path(source):
            return
        kind = "volume"
    elif isinstance(node, Table):
        of_type, named = text_of(node, "type"), text_of(node, "source")
        kind = "volume" if of_type is None else of_type.text
        if named is None or not named.text:
            return
        source = named.text
        if kind == "image":
            naming.add_text("image", named)
    else:
        return
    if kind != "volume":
        return
    declared = known(source)
    if not isinstance(_section(sections, "volumes").get(declared), Table):
        if UNKNOWN in source:
            return
        raise fault(
            node.source.path, node.line, f"the service {service} names the volume {declared}, which is not declared"
        )
    users.setdefault(("volume", declared), f"service {service}")
