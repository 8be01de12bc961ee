"""How removals can be taken back, in one sentence, with the names of what cannot."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from dockersweep.model.inventory import KINDS, Kind
from dockersweep.model.naming import PLURAL_OF, has_made_up_name, short_id
from dockersweep.model.plan import Interval
from dockersweep.model.quantities import known_sum
from dockersweep.model.recovery import COMPLETE, EarlyDeletion, How, Recovery
from dockersweep.units import format_instant, format_size
from dockersweep.words.amounts import amount_words, plural
from dockersweep.words.lists import first_of, natural_key

MOST_NAMES = 5
"""The most names of what cannot be recovered."""
_WAYS: tuple[tuple[How, str], ...] = (
    ("pull", "can be pulled again"),
    ("rebuild", "can be built again"),
    ("recreate", "can be created again"),
)
_NAMED: tuple[Kind, ...] = ("volume", "image", "container", "network", "build-cache")
"""The kinds in the order in which people miss them."""


class Removed(Struct, frozen=True):
    """One object to remove, with its way back."""

    kind: Kind
    name: str
    """Of an image all its tags."""
    size_bytes: int | None
    recovery: Recovery

    @property
    def how(self) -> How:
        """How it comes back."""
        return self.recovery.how


def way_back_text(recovery: Recovery, *, stays: bool = False) -> str:
    """Return how one removal can be taken back: "can be pulled again as app@sha256:...", "cannot be recovered (no
    archive)"; with `stays`, of an object that is kept: "would go to the archive (complete)"."""
    match recovery.how:
        case "pull":
            return f"{'could' if stays else 'can'} be pulled again as {recovery.text}"
        case "archive" if stays:
            return f"would go to the archive ({recovery.text})"
        case "archive":
            until = "" if recovery.until is None else f", until {format_instant(recovery.until)}"
            return f"goes to the archive ({recovery.text}{until})"
        case "none":
            return f"{'could not' if stays else 'cannot'} be recovered ({recovery.text})"
    return recovery.text


def short_way_back(recovery: Recovery) -> str:
    """Return the same in short, for a row of a table that tells elsewhere what the archive keeps for how long."""
    match recovery.how:
        case "pull":
            return "can be pulled again"
        case "archive":
            return "goes to the archive" + ("" if recovery.text == COMPLETE else f" {recovery.text}")
        case "none":
            return f"cannot be recovered ({recovery.text})"
    return recovery.text


def recovery_words(
    removed: Sequence[Removed], tags: int, kept: str, takes: Interval | None = None, folder: str = ""
) -> str:
    """Return how removals can be taken back, without a full stop: "12 can be pulled again, 3 go to the archive in
    /srv/keep (up to 1.20 GB, kept 14 days); 2 cannot be recovered: volume pg-old (2.10 GB), container job-7 (5.00
    kB)"; empty for none.

    `tags` is the number of tags of images that stay; `kept` says how long the archive keeps what is in it, `takes` how
    much it takes there (None for the sizes of the objects), `folder` where it is ("" for nothing of that).
    """
    counts = Counter(item.how for item in removed)
    ways = [f"{counts[how]} {words}" for how, words in _WAYS if counts[how]]
    if tags:
        ways.append(f"{plural(tags, 'tag')} can be put back")
    archived = [item.size_bytes for item in removed if item.how == "archive"]
    if archived:
        goes = "goes" if len(archived) == 1 else "go"
        size = _size(archived) if takes is None else amount_words(takes, "of unknown size")
        ways.append(f"{len(archived)} {goes} to the archive{folder} ({size}, {kept})")
    return "; ".join(filter(None, (", ".join(ways), _cannot(removed))))


def counted_words(counts: Mapping[How, int]) -> str:
    """Return the same of many hosts, by the numbers alone: "12 can be pulled again, 3 go to the archive; 2 cannot be
    recovered"; empty for none."""
    ways = [f"{counts[how]} {words}" for how, words in _WAYS if counts.get(how)]
    archived, lost = counts.get("archive", 0), counts.get("none", 0)
    if archived:
        ways.append(f"{archived} {'goes' if archived == 1 else 'go'} to the archive")
    return "; ".join(filter(None, (", ".join(ways), f"{lost} cannot be recovered" if lost else "")))


def lost_words(removed: Iterable[Removed]) -> str:
    """Return what cannot be recovered: "volume pg-old (2.10 GB), container job-7 (5.00 kB) and 3 more"; empty for
    nothing."""
    with_data, without, named, few = _lost(removed)
    if not with_data:
        return f"{few} (no data)" if without else ""
    return f"{named}; {without} more {_hold(without)} no data: {few}" if without else named


def names_of(objects: Iterable[tuple[Kind, str, int | None]]) -> str:
    """Return the names of objects that nothing brings back, by kind, name and size: "volume pg-old (2.10 GB), container
    job-7 and 3 more"."""
    lost = [Removed(kind, name, size, Recovery(how="none", text="")) for kind, name, size in objects]
    return first_of(list(map(_named, _in_order(lost))), MOST_NAMES)


def lost_sentence(removed: Iterable[Removed]) -> str:
    """Return the same once they are removed, as a sentence: "Cannot be recovered: volume pg-old (2.10 GB)."; empty
    where nothing with data is lost."""
    lost = [item for item in removed if item.how == "none" and not item.recovery.without_data]
    return f"Cannot be recovered: {lost_words(lost)}." if lost else ""


def deleted_early_text(deleted: Sequence[EarlyDeletion]) -> str:
    """Return what went from the archive to make room, without a full stop."""
    were, its = ("was", "its") if len(deleted) == 1 else ("were", "their")
    return f"to make room, {runs_words(deleted)} {were} deleted from it before {its} time"


def may_go_sentence(deleted: Sequence[EarlyDeletion]) -> str:
    """Return what may go from the archive to make room for a plan: "To make room, run 10 (1 volume) may go from the
    archive before its time."; empty for nothing."""
    its = "its" if len(deleted) == 1 else "their"
    return f"To make room, {runs_words(deleted)} may go from the archive before {its} time." if deleted else ""


def runs_words(deleted: Sequence[EarlyDeletion]) -> str:
    """Return runs of an archive with what is in them: "run 10 (1 volume), run 11 (2 containers)"."""
    return first_of([f"{_run(one)} ({_contents(one)})" for one in deleted], MOST_NAMES)


def _run(one: EarlyDeletion) -> str:
    return one.folder if one.run is None else f"run {one.run}"


def _contents(one: EarlyDeletion) -> str:
    counts = [plural(one.objects[kind], PLURAL_OF[kind].removesuffix("s")) for kind in KINDS if one.objects.get(kind)]
    return ", ".join(counts) or "empty"


def _cannot(removed: Iterable[Removed]) -> str:
    """Return the same as a sentence with numbers."""
    with_data, without, named, few = _lost(removed)
    if not with_data:
        return f"{without} cannot be recovered, and {_hold(without)} no data: {few}" if without else ""
    more = f"; {without} more {_hold(without)} no data: {few}" if without else ""
    return f"{with_data} cannot be recovered: {named}{more}"


def _lost(removed: Iterable[Removed]) -> tuple[int, int, str, str]:
    """Return how much cannot be recovered, with data and without, and the names of both; at most so many as
    MOST_NAMES."""
    lost = _in_order(item for item in removed if item.how == "none")
    with_data = [item for item in lost if not item.recovery.without_data]
    without = [item for item in lost if item.recovery.without_data]
    named = first_of(list(map(_named, with_data)), MOST_NAMES)
    return len(with_data), len(without), named, _few(without, MOST_NAMES - len(with_data))


def _hold(count: int) -> str:
    return "holds" if count == 1 else "hold"


def _in_order(items: Iterable[Removed]) -> list[Removed]:
    return sorted(items, key=lambda item: (_NAMED.index(item.kind), -(item.size_bytes or 0), natural_key(item.name)))


def _named(item: Removed) -> str:
    size = "" if item.size_bytes is None else f" ({format_size(item.size_bytes)})"
    return f"{item.kind} {_short(item.name)}{size}"


def _short(name: str) -> str:
    """Return a name, shortened as docker shortens ids if it is one (names of anonymous volumes are)."""
    return short_id(name) if has_made_up_name(name) else name


def _few(ordered: Sequence[Removed], most_names: int) -> str:
    """Return objects without data: their names where these are few, else how many of each kind."""
    if len(ordered) <= most_names and all(item.kind != "image" for item in ordered):
        return ", ".join(f"{item.kind} {_short(item.name)}" for item in ordered)
    counts = Counter(item.kind for item in ordered)
    return ", ".join(_count(kind, counts[kind]) for kind in KINDS if counts[kind])


def _count(kind: Kind, count: int) -> str:
    counted = plural(count, PLURAL_OF[kind].removesuffix("s"))
    return f"{counted} left by builds" if kind == "image" else counted


def _size(sizes: Sequence[int | None]) -> str:
    total = known_sum(sizes)
    if total is not None:
        return format_size(total)
    known = sum(size for size in sizes if size is not None)
    return f"at least {format_size(known)}" if known else "of unknown size"
