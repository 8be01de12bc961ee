"""The positions of keys and values in a TOML text: tomllib does not keep them."""

import tomllib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from tree_sitter import Node, Point

Path = tuple[str | int, ...]
"""The keys from the top of the file; an index selects a value of a list, or one of several [[tables]]."""

# No key of a policy is deeper, and a text can be nested deeper than Python's recursion limit.
DEEPEST = 8


class Position(NamedTuple):
    """A place in a text: line and column in characters, both starting at 1."""

    line: int
    column: int


class Positions:
    """The places in one TOML text that tomllib has read; parsed again when the first place is needed."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = text.split("\n")
        self._walk: _Walk | None = None

    def of(self, path: Path, part: Literal["key", "value"] = "key") -> Position:
        """Return where a key or its value begins; for a missing key, where its table begins."""
        if self._walk is None:
            self._walk = _Walk(self._text.encode())
        for length in range(len(path), 0, -1):
            for known in (self._walk.values, self._walk.keys) if part == "value" else (self._walk.keys,):
                if path[:length] in known:
                    return self._position(known[path[:length]])
            # For a missing value use the table, which is found by its key.
            part = "key"
        return Position(1, 1)

    def _position(self, point: "Point") -> Position:
        line = self._lines[point.row].encode()
        return Position(point.row + 1, len(line[: point.column].decode(errors="replace")) + 1)


class _Walk:
    """One walk through the syntax tree of a text, with the places of its keys and values."""

    def __init__(self, data: bytes) -> None:
        # The import costs as much as reading a policy, and only a file with a problem needs it.
        import tree_sitter_toml
        from tree_sitter import Language, Parser

        self.keys: dict[Path, Point] = {}
        self.values: dict[Path, Point] = {}
        self._data = data
        self._tables_of: dict[Path, int] = {}
        self._document(Parser(Language(tree_sitter_toml.language())).parse(data).root_node)

    def _document(self, root: "Node") -> None:
        for node in root.children:
            if node.type == "pair":
                self._pair(node, ())
            elif node.type in ("table", "table_array_element"):
                table = self._header(node)
                for child in node.children:
                    if child.type == "pair":
                        self._pair(child, table)

    def _header(self, node: "Node") -> Path:
        """Return the path of the table that a [header] or [[header]] begins."""
        parts = list(self._parts(node))
        path: Path = ()
        for number, (name, start) in enumerate(parts, start=1):
            path = (*path, name)
            self.keys.setdefault(path, start)
            if number == len(parts) and node.type == "table_array_element":
                self._tables_of[path] = self._tables_of.get(path, 0) + 1
                path = (*path, self._tables_of[path] - 1)
                self.keys.setdefault(path, node.start_point)
            elif path in self._tables_of:
                path = (*path, self._tables_of[path] - 1)
        return path

    def _pair(self, node: "Node", path: Path) -> None:
        for name, start in self._parts(node):
            path = (*path, name)
            self.keys.setdefault(path, start)
        # A comment after the value is part of the pair.
        value = [child for child in node.named_children if child.type != "comment"][-1]
        self.values.setdefault(path, value.start_point)
        self._value(value, path)

    def _value(self, node: "Node", path: Path) -> None:
        if len(path) > DEEPEST:
            return
        if node.type == "inline_table":
            for child in node.named_children:
                if child.type == "pair":
                    self._pair(child, path)
        elif node.type == "array":
            items = [child for child in node.named_children if child.type != "comment"]
            for index, item in enumerate(items):
                self.keys.setdefault((*path, index), item.start_point)
                self._value(item, (*path, index))

    def _parts(self, node: "Node") -> Iterator[tuple[str, "Point"]]:
        """Yield the names in the key of a pair or header, each with its place."""
        waiting = list(reversed(node.children))
        while waiting:
            child = waiting.pop()
            if child.type == "dotted_key":
                waiting += reversed(child.children)
            elif child.type in ("bare_key", "quoted_key"):
                yield self._name(child), child.start_point

    def _name(self, node: "Node") -> str:
        written = self._data[node.start_byte : node.end_byte].decode(errors="replace")
        return written if node.type == "bare_key" else next(iter(tomllib.loads(f"{written} = 0")))
