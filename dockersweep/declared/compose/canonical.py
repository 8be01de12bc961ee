"""The canonical form in which compose files are merged: one of the several ways in which each part may be written.

Only what names images, volumes and networks is kept.
"""

import re
from collections.abc import Mapping as Variables

from dockersweep.declared.faults import fault
from dockersweep.declared.yaml_tree import Mapping, Node, Scalar, Sequence

RESET = "!reset"
OVERRIDE = "!override"
MOST_ENTRIES = 1000
"""The most entries of a list or table: with aliases, many services may share one."""
SECTIONS = ("services", "volumes", "networks")
_OF_SERVICE = ("image", "build", "volumes", "networks", "network_mode", "extends")
_OF_BUILD = (
    "context", "dockerfile", "dockerfile_inline", "args", "tags", "additional_contexts",
)  # fmt: skip
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def child(table: Mapping, key: str) -> Node | None:
    """Return the value of a key; None where it is missing, null or reset. Raises DeclaredFileError for a list or table
    that is too long."""
    node = table.items.get(key)
    if node is None or node.tag == RESET:
        return None
    if isinstance(node, Scalar):
        return None if node.is_null else node
    if len(node.items) > MOST_ENTRIES:
        raise fault(node.source.path, node.line, f"{key} has more than {MOST_ENTRIES} entries")
    return node


def text_of(table: Mapping, key: str) -> Scalar | None:
    """Return the text of a key, None where it is missing. Raises DeclaredFileError where it is not a string."""
    node = child(table, key)
    if node is not None and not isinstance(node, Scalar):
        raise fault(node.source.path, node.line, f"{key} must be a string")
    return node


def table_of(table: Mapping, key: str) -> Mapping:
    """Return the table of a key, an empty one where it is missing. Raises DeclaredFileError where it is not a table."""
    node = child(table, key)
    if node is None:
        return Mapping({}, table.source, table.line)
    if not isinstance(node, Mapping):
        raise fault(node.source.path, node.line, f"{key} must be a mapping")
    return node


def canonical_section(name: str, section: Mapping, variables: Variables[str, str]) -> Mapping:
    """Return services, volumes or networks in canonical form; build arguments may take their values from variables."""
    items: dict[str, Node] = {}
    for key, node in section.items.items():
        if node.tag == RESET:
            items[key] = node
            continue
        own = Mapping({}, node.source, node.line) if isinstance(node, Scalar) and node.is_null else node
        if not isinstance(own, Mapping):
            raise fault(own.source.path, own.line, f"{name}.{key} must be a mapping")
        items[key] = _service(own, variables) if name == "services" else own
    return Mapping(items, section.source, section.line, section.tag)


def _service(service: Mapping, variables: Variables[str, str]) -> Mapping:
    items = {key: service.items[key] for key in _OF_SERVICE if key in service.items}
    build = child(service, "build")
    if build is not None:
        items["build"] = _build(build, variables)
    for key, form in (("networks", _keyed), ("volumes", _by_target)):
        node = child(service, key)
        if node is not None:
            items[key] = form(node)
    return Mapping(items, service.source, service.line, service.tag)


def _build(node: Node, variables: Variables[str, str]) -> Mapping:
    if isinstance(node, Scalar):
        return Mapping({"context": node}, node.source, node.line, node.tag)
    if not isinstance(node, Mapping):
        raise fault(node.source.path, node.line, "build must be a folder or a mapping")
    items = {key: node.items[key] for key in _OF_BUILD if key in node.items}
    for key in ("args", "additional_contexts"):
        inner = child(node, key)
        if inner is not None:
            items[key] = _keyed(inner)
    arguments = items.get("args")
    if isinstance(arguments, Mapping):
        items["args"] = _with_variables(arguments, variables)
    return Mapping(items, node.source, node.line, node.tag)


def _with_variables(arguments: Mapping, variables: Variables[str, str]) -> Mapping:
    """Return the arguments of a build; one without a value takes the variable's, or resets an earlier argument."""

    def valued(key: str, node: Node) -> Node:
        if not isinstance(node, Scalar) or not node.is_null:
            return node
        if key in variables:
            return Scalar(variables[key], node.source, node.line, is_plain=False)
        return Scalar("", node.source, node.line, RESET)

    items = {key: valued(key, node) for key, node in arguments.items.items()}
    return Mapping(items, arguments.source, arguments.line, arguments.tag)


def _keyed(node: Node) -> Mapping:
    """Return a list of KEY or KEY=VALUE as a table."""
    if isinstance(node, Mapping):
        return node
    if isinstance(node, Scalar):
        raise fault(node.source.path, node.line, "expected a list or a mapping")
    items: dict[str, Node] = {}
    for entry in node.items:
        if not isinstance(entry, Scalar):
            raise fault(entry.source.path, entry.line, "expected a list of strings")
        key, equals, value = entry.text.partition("=")
        items[key] = Scalar(value, entry.source, entry.line, is_plain=not equals)
    return Mapping(items, node.source, node.line, node.tag)


def _by_target(node: Node) -> Mapping:
    """Return mounts by their targets: of two files that mount at the same place, the later one wins."""
    if isinstance(node, Mapping):
        return node
    if isinstance(node, Scalar):
        raise fault(node.source.path, node.line, "volumes must be a list")
    items: dict[str, Node] = {}
    for position, mount in enumerate(node.items):
        if isinstance(mount, Scalar):
            items[short_mount(mount.text)[1]] = mount
        elif isinstance(mount, Mapping):
            target = text_of(mount, "target")
            items[target.text if target is not None else f"\0{position}"] = mount
        else:
            raise fault(mount.source.path, mount.line, "a mount must be a string or a mapping")
    return Mapping(items, node.source, node.line, node.tag)


def short_mount(text: str) -> tuple[str | None, str]:
    """Return source and target of a mount like "data:/var/lib:ro"; the source is None for an anonymous volume."""
    begin = 2 if _DRIVE.match(text) else 0
    source, colon, rest = text[begin:].partition(":")
    if not colon:
        return None, text
    target = rest if _DRIVE.match(rest) else rest.partition(":")[0]
    return text[:begin] + source, target


def is_path(source: str) -> bool:
    """Return whether the source of a short mount is a path on the machine, not the name of a volume."""
    return source.startswith(("/", ".", "~", "\\")) or _DRIVE.match(source) is not None


def merged(base: Node, over: Node) -> Node:
    """Merge two nodes in canonical form, the second winning: tables merge, lists append, all else is replaced."""
    if over.tag in (RESET, OVERRIDE):
        return over
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        items = dict(base.items)
        for key, node in over.items.items():
            if node.tag == RESET:
                items.pop(key, None)
            else:
                items[key] = merged(items[key], node) if key in items else node
        return Mapping(items, base.source, base.line, base.tag)
    if isinstance(base, Sequence) and isinstance(over, Sequence):
        return Sequence((*base.items, *over.items), base.source, base.line)
    if isinstance(over, Scalar) and over.is_null:
        return base
    return over


def merged_tables(base: Mapping, over: Mapping) -> Mapping:
    """Merge two tables as `merged` does."""
    both = merged(base, over)
    return both if isinstance(both, Mapping) else over
