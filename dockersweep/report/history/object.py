"""The past of an object over all runs: its lives, and each attempt to remove it."""

from collections.abc import Iterator, Sequence

from dockersweep.model.history import History, Life, PastRemoval
from dockersweep.model.inventory import Kind
from dockersweep.model.naming import short_id
from dockersweep.report.headline import NOUN_OF
from dockersweep.report.history.restored import restored_of_object, way_back_of_object
from dockersweep.report.history.words import UNKNOWN, kind_of, status_of, why
from dockersweep.report.layout import Column, Section, without
from dockersweep.report.local_time import local_time
from dockersweep.report.text import capital

MOST_LIVES = 20
_OBJECT = Column("OBJECT", shortens=True)
_ENGINE = Column("ENGINE", shortens=True)
_COLUMNS = (
    Column("RUN", right=True),
    Column("WHEN"),
    Column("STATUS"),
    _ENGINE,
    _OBJECT,
    Column("WHY", wraps=True, narrowest=20),
)
_FACTS = (Column("WHAT"), Column("TEXT", wraps=True))


def object_sections(history: History) -> Iterator[Section]:
    """Yield the lives of an object, its removals, and what its latest removal recorded about it."""
    lives = [_life(life, _ended_by(life, history)) for life in history.lives[:MOST_LIVES]]
    yield Section(sentences=[*lives, *_hidden(len(history.lives) - MOST_LIVES)], is_list=True)
    yield from restored_of_object(history.restorations)
    if not history.removals:
        return
    rows = [_row(removal, history.removals) for removal in history.removals]
    # A column with one value in all rows is left out (the lives above have it): the reasons need the room.
    # That it was only a tag stands nowhere else.
    of_tags = any(removal.action == "untag" for removal in history.removals)
    is_shared = len({row[_COLUMNS.index(_OBJECT)] for row in rows}) == 1 and not of_tags
    shared = {_OBJECT} if is_shared else set()
    if len({removal.engine_name for removal in history.removals}) == 1:
        shared.add(_ENGINE)
    yield without(shared, Section(columns=_COLUMNS, rows=rows))
    yield Section(sentences=tuple(way_back_of_object(history.removals)), is_list=True, keeps_words=True)
    latest = _recognized(history.removals[0], history.removals)
    yield Section(f"What it was in run {latest.run}", columns=_FACTS, rows=list(_recognition(latest)), header=False)


def _hidden(count: int) -> Iterator[str]:
    if count > 0:
        yield f"{count} more have been called so; --format json has them all."


def _row(removal: PastRemoval, all_removals: Sequence[PastRemoval]) -> tuple[str, ...]:
    when = local_time(removal.ended_at or removal.started_at)
    # Not beside the tag: that column is cut where it has no room.
    image = f"of image {_image_of(removal, all_removals)}; " if removal.action == "untag" else ""
    name = f"{kind_of(removal)} {removal.name}"
    return str(removal.run), when, status_of(removal), removal.engine_name or UNKNOWN, name, f"{image}{why(removal)}"


def _image_of(tag: PastRemoval, removals: Sequence[PastRemoval]) -> str:
    """Return another name of the image of a tag: the one under which it went, one that it kept, or its id."""
    same = [removal for removal in removals if (removal.run, removal.id) == (tag.run, tag.id)]
    removed = [removal.name for removal in same if removal.action == "remove"]
    known = _recognized(tag, removals).recognition.get("tags")
    untagged = {removal.name for removal in same}
    kept = [name for name in known if name not in untagged] if isinstance(known, list) else []
    return next(iter((*removed, *kept)), short_id(tag.id))


def _recognized(latest: PastRemoval, removals: Sequence[PastRemoval]) -> PastRemoval:
    """Return a removal, in the row with the recognition: an image has a row for each tag, and only one of them has
    it."""
    same = (removal for removal in removals if (removal.run, removal.id) == (latest.run, latest.id))
    return next((removal for removal in same if removal.recognition), latest)


def _ended_by(life: Life, history: History) -> int | None:
    """Return the run that removed the object after it was last seen, and before its id was seen again."""
    if life.last_seen_at is None:
        return None
    of_same = [other for other in history.lives if _identity(other) == _identity(life)]
    later = (other.first_seen_at for other in of_same if other.first_seen_at > life.last_seen_at)
    next_seen_at = min(later, default=None)
    for removal in reversed(history.removals):
        is_it = _identity(removal) == _identity(life) and (removal.action, removal.status) == ("remove", "removed")
        if is_it and removal.ended_at is not None and removal.ended_at >= life.last_seen_at:
            return removal.run if next_seen_at is None or removal.ended_at <= next_seen_at else None
    return None


def _identity(record: Life | PastRemoval) -> tuple[str | None, Kind, str]:
    return record.engine_name, record.kind, record.id


def _life(life: Life, ended_by: int | None) -> str:
    name = ", ".join(life.names)
    known_as = " ".join(text for text in (name, "" if life.kind == "volume" else f"({short_id(life.id)})") if text)
    last_seen = "" if life.last_seen_at is None else f", last seen {local_time(life.last_seen_at)}"
    unused = life.first_seen_unused_at
    used = ", in use" if unused is None else f", unused since {local_time(unused)}"
    is_there = life.is_there and ended_by is None
    state = "there" if is_there else "gone" if ended_by is None else f"gone, by run {ended_by}"
    noun = NOUN_OF[life.kind]
    return (
        f"{capital(noun)} {known_as or life.id} on {life.engine_name or UNKNOWN}: "
        f"{state}, first seen {local_time(life.first_seen_at)}{last_seen}{used if is_there else ''}."
    )


def _recognition(removal: PastRemoval) -> Iterator[tuple[str, str]]:
    yield "id", removal.id
    for what, value in removal.recognition.items():
        if isinstance(value, dict):
            yield from ((what, f"{key}={text}") for key, text in value.items())
        elif isinstance(value, list):
            yield from ((what, text) for text in value)
        elif value is not None:
            yield what, value
