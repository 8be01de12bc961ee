"""YAML as a tree that knows its lines, bounded in depth and size.

Scalars stay text: `no`, `1.10` and `007` may be names. Anchors are shared and never copied, so that aliases of aliases
cost nothing; merge keys (`<<`) are resolved as in YAML 1.1.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

import yaml
from msgspec import Struct

from dockersweep.declared.faults import fault

DEEPEST = 60
MOST_NODES = 200_000
MERGE = "<<"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = ("", "~", "null", "Null", "NULL")


class Source(Struct, frozen=True, gc=False):
    """A file, and the folder that its relative paths start from."""

    path: str
    folder: str


class Scalar(Struct, frozen=True, gc=False):
    """A text."""

    text: str
    source: Source
    line: int
    tag: str | None = None
    is_plain: bool = True
    """Whether it is written without quotes."""
    written: str | None = None
    """The text before its variables were replaced; None if all of them have a value."""

    @property
    def is_null(self) -> bool:
        """Whether it is YAML's null."""
        return self.is_plain and self.text in _NULLS


class Sequence(Struct, frozen=True, gc=False):
    """A list."""

    items: "tuple[Node, ...]"
    source: Source
    line: int
    tag: str | None = None


class Mapping(Struct, frozen=True, gc=False):
    """A table."""

    items: "dict[str, Node]"
    source: Source
    line: int
    tag: str | None = None


Node: TypeAlias = Scalar | Sequence | Mapping


def read_yaml(data: bytes, source: Source) -> list[Node]:
    """Return the documents of a file. Raises DeclaredFileError, with the line, for invalid YAML or too much of it."""
    try:
        return list(_Reading(source, yaml.parse(data, Loader=_LOADER)).documents())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        text = error.problem or error.context or "it does not parse"
        raise fault(source.path, None if mark is None else mark.line + 1, f"not valid YAML: {text}") from None
    except yaml.reader.ReaderError as error:
        line = data.count(b"\n", 0, error.position) + 1
        raise fault(source.path, line, f"not valid YAML: {error.reason}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise fault(source.path, None, f"not valid YAML: {error}") from None


class _Reading:
    """Reads one file event by event and limits the depth, so that recursion does not exhaust the stack."""

    def __init__(self, source: Source, events: Iterator[Any]) -> None:
        self._source = source
        self._events = events
        self._anchors: dict[str, tuple[Node, int] | None] = {}
        self._nodes = 0

    def documents(self) -> Iterator[Node]:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors = {}
                yield self._node(next(self._events), 0)[0]

    def _node(self, event: Any, depth: int) -> tuple[Node, int]:
        """Return a node and its height. Aliases of aliases add to the height although the text is not nested."""
        line = event.start_mark.line + 1
        self._count(line)
        if type(event) is yaml.AliasEvent:
            known = self._anchors.get(str(event.anchor))
            if known is None:
                what = "contains itself" if event.anchor in self._anchors else "is not defined"
                raise fault(self._source.path, line, f"the anchor {event.anchor} {what}")
        else:
            if event.anchor is not None:
                self._anchors[event.anchor] = None
            known = self._own(event, line, depth)
            if event.anchor is not None:
                self._anchors[event.anchor] = known
        if depth + known[1] > DEEPEST:
            raise fault(self._source.path, line, f"nested more than {DEEPEST} levels deep")
        return known

    def _count(self, line: int, nodes: int = 1) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            raise fault(self._source.path, line, f"it has more than {MOST_NODES} values")

    def _own(self, event: Any, line: int, depth: int) -> tuple[Node, int]:
        if type(event) is yaml.ScalarEvent:
            return Scalar(event.value, self._source, line, event.tag, not event.style), 0
        if depth > DEEPEST:
            raise fault(self._source.path, line, f"nested more than {DEEPEST} levels deep")
        if type(event) is yaml.MappingStartEvent:
            return self._mapping(event, line, depth)
        items: list[Node] = []
        height = 0
        while type(inner := next(self._events)) is not yaml.SequenceEndEvent:
            node, own = self._node(inner, depth + 1)
            items.append(node)
            height = max(height, own)
        return Sequence(tuple(items), self._source, line, event.tag), height + 1

    def _mapping(self, event: Any, line: int, depth: int) -> tuple[Node, int]:
        items: dict[str, Node] = {}
        merged: list[Node] = []
        height = 0
        while type(inner := next(self._events)) is not yaml.MappingEndEvent:
            key, _ = self._node(inner, depth + 1)
            if not isinstance(key, Scalar):
                raise fault(self._source.path, key.line, "a key that is not a string")
            value, own = self._node(next(self._events), depth + 1)
            height = max(height, own)
            if key.text == MERGE and key.is_plain:
                merged.append(value)
            elif key.text in items:
                raise fault(self._source.path, key.line, f"the key {key.text} appears twice")
            else:
                items[key.text] = value
        for value in merged:
            self._merge(items, value)
        return Mapping(items, self._source, line, event.tag), height + 1

    def _merge(self, items: dict[str, Node], value: Node) -> None:
        """Add the items of a merge key: the table's own items win, then the earlier ones."""
        for table in value.items if isinstance(value, Sequence) else (value,):
            if not isinstance(table, Mapping):
                raise fault(self._source.path, table.line, "a merge key takes mappings only")
            self._count(table.line, len(table.items))
            for key, node in table.items.items():
                items.setdefault(key, node)
