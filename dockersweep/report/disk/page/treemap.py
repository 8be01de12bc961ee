"""The map: kinds, then projects or repositories, then objects, each with an area in proportion to its unique size.

squarify computes the layout, once for each width, so that the words stay readable.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import NamedTuple

import squarify
from msgspec import Struct

from dockersweep.model.inventory import KINDS, Kind
from dockersweep.model.report import Report, ReportedObject, ShareOfDisk
from dockersweep.report.disk.page.words import NAME_OF_STANDING, STANDINGS, Standing, standing_of
from dockersweep.report.disk.words import TITLE_OF_SHARE
from dockersweep.report.headline import NOUN_OF, TITLE_OF
from dockersweep.report.text import printable, shorten_middle
from dockersweep.units import format_size
from dockersweep.words.amounts import plural

SMALLEST_TILE, SMALLEST_FRAME = 400, 1800
"""Square units of the map. Objects smaller than a tile are drawn together; kinds and groups smaller than a frame are
drawn without one, as it would have no room for its name."""
HEADER, LINE = 18, 15
GAP = 2
LETTER, BOLD = 7.7, 9.2
"""The width of a letter in the widest of the page's typefaces; kinds are bold and larger."""
LEAST_NAME = 12
"""The fewest letters that a name is shortened to so that its size has room too."""
_JOINTS = "-_/."
SHARED = "shared"
"""The label of bytes that several objects of a kind share, and none has for itself."""


class Box(Struct, frozen=True):
    """A rectangle of the map, in its units."""

    x: float
    y: float
    width: float
    height: float


class Tile(Struct, frozen=True):
    """A rectangle and its text; `standing` is None for the frame of a kind or a group."""

    box: Box
    level: int
    """1 is a kind, 2 a project or repository, 3 an object."""
    standing: Standing | None
    lines: tuple[str, ...]
    """As much of the name as there is room for; empty if there is none."""
    size: str
    description: str
    """The full text, shown on hover: "volume shop_data: 4.10 GB, in use"."""


class Map(Struct, frozen=True):
    """A map, its size in units, and its tiles; each frame comes before its contents."""

    width: int
    height: int
    tiles: tuple[Tile, ...]


class Leaf(NamedTuple):
    """An object, several small ones of the same standing, or what several objects of a kind share."""

    name: str
    """The name of an object, or the label of a shared part; "" for several objects."""
    noun: str
    size_bytes: int
    standing: Standing
    group: str = ""
    """The project or repository, or for several objects how many: "12 projects"; "" for none."""
    objects: int = 1
    is_shared: bool = False


class Branch(Struct, frozen=True):
    """A kind or a group, and its parts, the largest first."""

    name: str
    size_bytes: int
    parts: tuple["Branch | Leaf", ...]


def tree(report: Report) -> tuple[Branch, ...]:
    """Return the kinds that take space, the largest first; bytes shared by objects are parts of their kind."""
    of_kinds: dict[Kind, list[ReportedObject]] = {kind: [] for kind in KINDS}
    for item in report.objects:
        if item.own_bytes:
            of_kinds[item.kind].append(item)
    branches = [_kind(report, kind, objects) for kind, objects in of_kinds.items()]
    branches += [_of_images_and_cache(share) for share in report.shares if share.share == "shared"]
    return tuple(
        sorted((branch for branch in branches if branch.size_bytes > 0), key=lambda branch: -branch.size_bytes)
    )


def treemap(branches: Sequence[Branch], width: int, height: int) -> Map:
    """Return the map of these kinds in this size."""
    tiles = _tiles(branches, Box(0, 0, width, height), 1, "")
    return Map(width, height, tuple(tiles))


def _kind(report: Report, kind: Kind, objects: Iterable[ReportedObject]) -> Branch:
    groups: dict[str, list[Leaf]] = {}
    noun = NOUN_OF[kind]
    for item in objects:
        leaf = Leaf(item.name, noun, item.own_bytes or 0, standing_of(item), _group_of(item))
        groups.setdefault(leaf.group, []).append(leaf)
    parts: list[Branch | Leaf] = [_branch(name, leaves) for name, leaves in groups.items() if name]
    parts += groups.get("", [])
    leaves = [leaf for group in groups.values() for leaf in group]
    for share in report.shares:
        if share.share == kind:
            parts += _shared(share, leaves, noun, f"shared by several {noun}s")
    return _branch(TITLE_OF[kind], parts)


def _of_images_and_cache(share: ShareOfDisk) -> Branch:
    title = TITLE_OF_SHARE[share.share]
    return _branch(title, _shared(share, (), "layer", f"{title[0].lower()}{title[1:]}"))


def _group_of(item: ReportedObject) -> str:
    return (item.repository if item.kind == "image" else item.project) or ""


def _branch(name: str, parts: Iterable[Branch | Leaf]) -> Branch:
    ordered = tuple(sorted(parts, key=lambda part: -part.size_bytes))
    return Branch(name, sum(part.size_bytes for part in ordered), ordered)


def _shared(share: ShareOfDisk, leaves: Sequence[Leaf], noun: str, name: str) -> Iterator[Leaf]:
    """Yield the bytes that no object of the kind has for itself (layers that several hold), by standing."""
    own: Counter[Standing] = Counter()
    for leaf in leaves:
        own[leaf.standing] += leaf.size_bytes
    rest = max(0, share.size.low_bytes - own.total())
    goes, unused = share.reclaimable.low_bytes, share.unused.low_bytes
    sizes: tuple[tuple[Standing, int], ...] = (("goes", goes), ("kept", unused - goes), ("in-use", 2**63))
    for standing, size in sizes:
        part = max(0, min(rest, size - own[standing]))
        if part:
            yield Leaf(name, noun, part, standing, is_shared=True)
        rest -= part


def _tiles(parts: Sequence[Branch | Leaf], box: Box, level: int, inside: str) -> Iterator[Tile]:
    whole = sum(part.size_bytes for part in parts)
    area = box.width * box.height
    if not whole or box.width <= 0 or box.height <= 0:
        return
    # Tiles under one unit are invisible, and squarify may divide by their width.
    drawn = [part for part in _drawn(parts, whole / area) if part.size_bytes * area >= whole]
    drawn_bytes = sum(part.size_bytes for part in drawn)
    sizes = [part.size_bytes * area / drawn_bytes for part in drawn]
    for part, place in zip(drawn, squarify.squarify(sizes, box.x, box.y, box.width, box.height), strict=True):
        yield from _tile(part, _within(place["x"], place["y"], place["dx"], place["dy"], GAP / 2), level, inside)


def _tile(part: Branch | Leaf, box: Box, level: int, inside: str) -> Iterator[Tile]:
    if box.width < 1 or box.height < 1:
        return
    if isinstance(part, Leaf):
        yield _leaf_tile(part, box, inside)
        return
    has_header = box.height > 2.5 * HEADER and box.width > 40
    yield _frame_tile(part, box, level, has_header)
    header = HEADER if has_header else GAP
    room = Box(box.x + GAP, box.y + header, box.width - 2 * GAP, box.height - header - GAP)
    yield from _tiles(part.parts, room, level + 1, "" if level == 1 else part.name)


def _leaf_tile(leaf: Leaf, box: Box, inside: str) -> Tile:
    size, letters = format_size(leaf.size_bytes), _letters(box)
    named, *labels = _names(leaf, inside, letters)
    description = f"{named}: {size}, {NAME_OF_STANDING[leaf.standing]}"
    lines = next((lines for label in labels if (lines := _lines(label, box))), ())
    fits_size = lines and box.height > LINE * (len(lines) + 1) + 2 and letters >= len(size)
    return Tile(box, 3, leaf.standing, lines, size if fits_size else "", description)


def _names(leaf: Leaf, inside: str, letters: int) -> Iterator[str]:
    """Yield the full name of a leaf, then the labels that its tile may show, the best first."""
    if leaf.is_shared:
        yield from (leaf.name, SHARED)
    elif leaf.objects == 1:
        short = printable(_without(leaf.name, inside))
        yield f"{leaf.noun} {leaf.name}".strip()
        if letters >= min(4, len(short)):
            yield shorten_middle(short, letters)
    else:
        count = plural(leaf.objects, leaf.noun)
        named = f"{count} of {leaf.group}" if leaf.group else count
        # Inside the frame of their group, the label does not repeat it.
        yield from (named, count) if leaf.group == inside else (named, printable(named), count)


def _lines(label: str, box: Box) -> tuple[str, ...]:
    """Return a label wrapped to its box; empty where it does not fit, or is empty."""
    letters = _letters(box)
    lines = wrap(label, letters, break_long_words=False, break_on_hyphens=False) if letters else []
    fits = box.height > LINE * len(lines) and max(map(len, lines), default=0) <= letters
    return tuple(lines) if fits else ()


def _frame_tile(branch: Branch, box: Box, level: int, has_header: bool) -> Tile:
    size, name = format_size(branch.size_bytes), printable(branch.name)
    letters = _letters(box, BOLD if level == 1 else LETTER)
    description = f"{branch.name}: {size}"
    if not has_header or letters < 4:
        return Tile(box, level, None, (), "", description)
    # The name and the size share one line; the name has priority.
    beside = letters - len(size) - 2
    if beside < min(LEAST_NAME, len(name)) or beside < len(name) <= letters:
        return Tile(box, level, None, (shorten_middle(name, letters),), "", description)
    return Tile(box, level, None, (shorten_middle(name, beside),), size, description)


def _letters(box: Box, letter: float = LETTER) -> int:
    return max(0, int((box.width - 8) / letter))


def _without(name: str, inside: str) -> str:
    """Return the name without the prefix of its group: "shop-web-1" in "shop" is "web-1", "app:2" in "app" is ":2"."""
    rest = name.removeprefix(inside)
    if not inside or rest[:1] not in tuple(f"{_JOINTS}:@"):
        return name
    return rest.lstrip(_JOINTS) or name


def _drawn(parts: Sequence[Branch | Leaf], bytes_of_unit: float) -> list[Branch | Leaf]:
    """Return the parts, with small objects of the same standing merged into one."""
    framed = [part for part in parts if isinstance(part, Branch) and part.size_bytes >= SMALLEST_FRAME * bytes_of_unit]
    bare = [part for part in parts if isinstance(part, Leaf) or part.size_bytes < SMALLEST_FRAME * bytes_of_unit]
    leaves = [leaf for part in bare for leaf in _leaves(part)]
    # Shared parts are not objects, so they are not counted among the merged ones.
    small = [leaf for leaf in leaves if leaf.size_bytes < SMALLEST_TILE * bytes_of_unit and not leaf.is_shared]
    drawn: list[Branch | Leaf] = [
        *framed,
        *(leaf for leaf in leaves if leaf.is_shared or leaf.size_bytes >= SMALLEST_TILE * bytes_of_unit),
    ]
    for standing in STANDINGS:
        alike = [leaf for leaf in small if leaf.standing == standing]
        if alike:
            drawn.append(alike[0] if len(alike) == 1 else _together(alike))
    return sorted(drawn, key=lambda part: -part.size_bytes)


def _together(alike: Sequence[Leaf]) -> Leaf:
    """Merge leaves into one, named by what they share: "50 volumes of shop", "90 images of 12 repositories"."""
    nouns, groups = {leaf.noun for leaf in alike}, {leaf.group for leaf in alike}
    noun = alike[0].noun if len(nouns) == 1 else "object"
    group = alike[0].group
    if len(groups) > 1:
        sort = "repositories" if noun == NOUN_OF["image"] else "projects"
        group = "" if "" in groups or len(nouns) > 1 else f"{len(groups)} {sort}"
    return Leaf("", noun, sum(leaf.size_bytes for leaf in alike), alike[0].standing, group, len(alike))


def _leaves(part: Branch | Leaf) -> Iterator[Leaf]:
    if isinstance(part, Leaf):
        yield part
    else:
        for inner in part.parts:
            yield from _leaves(inner)


def _within(x: float, y: float, width: float, height: float, gap: float) -> Box:
    return Box(x + gap, y + gap, width - 2 * gap, height - 2 * gap)
