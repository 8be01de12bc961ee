"""What `restore` will make again, or has made, for people and for spreadsheets; and the question in between."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from dockersweep.model.inventory import Kind
from dockersweep.model.recovery import RestoreStatus
from dockersweep.model.restoring import LAYERED, RESTORED_FROM, Restoration, Restored
from dockersweep.report.footnotes import Footnotes
from dockersweep.report.headline import engine_sentence, engine_words, kind_counts, warning_sentences
from dockersweep.report.layout import Cell, Column, Layout, Section, rows_of
from dockersweep.report.text import capital
from dockersweep.words.amounts import plural
from dockersweep.words.lists import both

MOST_IMAGES = 5
MOST_ROWS = 30
"""With more objects only those are listed that were not simply restored."""
_STATUS_WORDS: dict[RestoreStatus, str] = {
    "planned": "restore",
    "restored": "restored",
    "skipped": "skipped",
    "failed": "failed",
    "not-attempted": "not attempted",
}
_WORST_FIRST: tuple[RestoreStatus, ...] = ("failed", "not-attempted", "skipped", "planned", "restored")
_NEVER_KEPT: tuple[tuple[Kind | None, str], ...] = (
    (None, "creation times"),
    ("network", "ids of networks"),
    ("container", "ids and exit codes of containers, whose logs stay in the archive"),
    ("image", "from which image an image was built, as builders without BuildKit note it"),
)
"""What no engine takes back, by kind; None is all of them."""
_COLUMNS = (
    Column("STATUS"),
    Column("KIND"),
    Column("NAME", shortens=True),
    Column("FROM"),
    Column("NOTE", wraps=True),
)
_CELLS: dict[str, Callable[[Restored], Cell]] = {
    "kind": lambda one: one.kind,
    "id": lambda one: one.id,
    "name": lambda one: one.name,
    "as_name": lambda one: one.as_name,
    "action": lambda one: one.action,
    "how": lambda one: one.how,
    "run": lambda one: one.run,
    "status": lambda one: one.status,
    "detail": lambda one: one.detail,
    "new_id": lambda one: one.new_id,
    "told": lambda one: "; ".join(one.told),
}


def restoration_layout(document: Restoration) -> Layout:
    """Return the layout of what is or was made again; for spreadsheets a row for each object."""
    title = f"Restoring {document.asked_for} on {engine_words(document.engine)}"
    return Layout(title, _sections(document), rows_of(document.restored, _CELLS))


def restoration_question(document: Restoration) -> str:
    """Return the question: "Restore 1 network and 2 volumes?"."""
    return f"Restore {both(_counts(document.restored, 'planned'))}?"


def _sections(document: Restoration) -> Iterator[Section]:
    yield Section(sentences=(engine_sentence(document.engine, document.finished_at), _summary(document)))
    shown = document.restored
    if len(shown) > MOST_ROWS:
        shown = tuple(one for one in shown if one.status not in ("planned", "restored") or one.told)
    ordered = sorted(shown, key=lambda one: _WORST_FIRST.index(one.status))
    footnotes = Footnotes(note for one in ordered for note in _told(one))
    yield Section(columns=_COLUMNS, rows=[_row(one, footnotes) for one in ordered])
    yield Section(sentences=tuple(footnotes.below()), is_list=True)
    yield Section(sentences=tuple(_further(document)), keeps_words=True, is_list=True)
    yield Section(sentences=warning_sentences(document.warnings))


def _summary(document: Restoration) -> str:
    statuses = Counter(one.status for one in document.restored)
    if not document.restored:
        return f"Nothing to restore of {document.asked_for}."
    others = [f"{statuses[status]} {_STATUS_WORDS[status]}" for status in _WORST_FIRST[:3] if statuses[status]]
    rest = f"; {', '.join(others)}" if others else ""
    if statuses["planned"]:
        done = f"{both(_counts(document.restored, 'planned'))} to restore"
    else:
        done = f"{both(_counts(document.restored, 'restored')) or 'nothing'} restored"
    return f"{capital(document.asked_for)}: {done}{rest}."


def _further(document: Restoration) -> Iterator[str]:
    if document.build_cache_records:
        records = plural(document.build_cache_records, "build-cache record")
        yield f"{records} of that run are left out: the next builds make them again."
    if any(one.kind == "container" and one.status == "restored" for one in document.restored):
        yield "Containers are not started: docker start NAME."
    yield from _layered(document.restored)
    yield from _after_restoring(document.restored)
    if document.ended_early is not None:
        yield f"It ended early: {document.ended_early}. What is left can be restored again."


def _layered(restored: Sequence[Restored]) -> Iterator[str]:
    """Yield which images have the files of containers."""
    told = [text for one in restored for text in one.told if text.startswith(LAYERED)]
    yield from (f"{capital(text)}." for text in told[:MOST_IMAGES])
    if len(told) > MOST_IMAGES:
        yield f"So it is with {plural(len(told) - MOST_IMAGES, 'other container')}: --format json has all of them."


def _after_restoring(restored: Sequence[Restored]) -> Iterator[str]:
    """Yield what is never as it was, and what can become of it."""
    made = {one.kind for one in restored if one.status == "restored" and one.action == "create"}
    if not made:
        return
    yield f"Not as they were: {'; '.join(text for kind, text in _NEVER_KEPT if kind is None or kind in made)}."
    if made - {"image"}:
        images = "; an image with --keep-image NAME" if "image" in made else ""
        yield (
            "The same rule can remove again what was restored: use it, or keep it with "
            f"--keep-label {RESTORED_FROM}{images}."
        )
    else:
        yield "The same rule can remove again what was restored: use it, or keep it with --keep-image NAME."


def _counts(restored: Sequence[Restored], status: RestoreStatus) -> list[str]:
    """Return the count of each kind with a status: "2 volumes", "1 tag"."""
    of_status = [one for one in restored if one.status == status]
    kinds: Counter[Kind] = Counter(one.kind for one in of_status if one.action == "create")
    tags = sum(one.action == "tag" for one in of_status)
    return [*kind_counts(kinds), *([plural(tags, "tag")] if tags else [])]


def _row(one: Restored, footnotes: Footnotes) -> tuple[str, ...]:
    return (
        _STATUS_WORDS[one.status],
        "tag" if one.action == "tag" else one.kind,
        one.name if one.as_name == one.name else f"{one.name} as {one.as_name}",
        _origin(one),
        "; ".join(_notes(one, footnotes)),
    )


def _origin(one: Restored) -> str:
    if one.how == "none":
        return "-"
    run = "" if one.run is None else f", run {one.run}"
    return {"archive": f"archive{run}", "pull": "its registry", "recreate": f"ledger{run}"}.get(one.how, one.how)


def _told(one: Restored) -> Iterator[str]:
    """Yield why an object was not restored, and what is not as it was. That a container has another image is told below
    the table, by its whole name."""
    if one.detail is not None:
        yield one.detail
    yield from (text for text in one.told if not text.startswith(LAYERED))


def _notes(one: Restored, footnotes: Footnotes) -> Iterator[str]:
    yield from map(footnotes.in_row, _told(one))
    if one.needed_by is not None:
        yield f"needed by container {one.needed_by}"
