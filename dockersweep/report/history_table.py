"""What past runs did, as tables for a terminal and for Markdown."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from dockersweep.model.history import History, InHand, Life, PastRemoval, PastRun
from dockersweep.model.inventory import KINDS, Kind
from dockersweep.model.naming import short_id
from dockersweep.model.outcome import Status
from dockersweep.report.headline import NOUN_OF, STATUS_WORDS, TITLE_OF, fold, format_interval
from dockersweep.report.markdown_text import markdown_escape, markdown_table
from dockersweep.report.table import Column, render_table
from dockersweep.report.text import plural
from dockersweep.units import format_instant, format_size

Asks = Literal["runs", "run", "object", "problems"]
"""What was asked for: all runs, one, what became of an object, or what is wrong with the file."""

MOST_LIVES = 20
UNKNOWN = "-"
_REFUSED = 4
_NOT_REMOVED: tuple[Status, ...] = ("failed", "skipped", "not-attempted", "gone")

_ENGINE = Column("ENGINE", shortens=True)
_WHO = Column("WHO")
_RUNS = (
    Column("RUN", right=True),
    Column("WHEN"),
    Column("VERB"),
    _ENGINE,
    Column("REMOVED", wraps=True, narrowest=12),
    Column("FREED", right=True, wraps=True, narrowest=8),
    Column("EXIT", right=True),
    _WHO,
)
_FACTS = (Column("WHAT"), Column("TEXT", wraps=True))
_REMOVED = (
    Column("NAME", shortens=True),
    Column("SIZE", right=True),
    Column("FREED", right=True, wraps=True, narrowest=8),
    Column("WHY", wraps=True, narrowest=24),
)
_WITHOUT_SIZE = (Column("NAME", shortens=True), Column("WHY", wraps=True, narrowest=24))
_KIND, _NAME = Column("KIND"), Column("NAME", shortens=True)
_STAYED = (Column("STATUS"), _KIND, _NAME, Column("WHY", wraps=True, narrowest=24))
_OF_OBJECT = (
    Column("RUN", right=True),
    Column("WHEN"),
    Column("STATUS"),
    _KIND,
    _NAME,
    Column("WHY", wraps=True, narrowest=24),
)
_BRACKETS = "Sizes in brackets were predicted, not measured."


@dataclass(frozen=True)
class _Part:
    """Sentences, and a table behind them; a title above both."""

    sentences: Sequence[str]
    columns: Sequence[Column] = ()
    rows: Sequence[Sequence[str]] = ()
    title: str | None = None


def history_table(history: History, asks: Asks, width: int | None) -> str:
    """Return what was asked for in at most `width` columns; None leaves it as wide as it is. Empty where nothing is."""
    if asks == "problems":
        found = history.problems or ("nothing is wrong with it",)
        return "".join(fold(f"{history.path}: {problem}", width) for problem in found)
    return "\n".join(
        "".join(fold(sentence, width) for sentence in (part.title, *part.sentences) if sentence)
        + (render_table(part.columns, part.rows, width) if part.rows else "")
        for part in _parts(history, asks)
        if part.rows or part.sentences
    )


def history_markdown(history: History, asks: Asks) -> str:
    """Return what was asked for as Markdown: tables, and lists of sentences."""
    return "\n".join(_markdown(part) for part in _parts(history, asks) if part.columns or part.sentences)


def _markdown(part: _Part) -> str:
    title = f"## {markdown_escape(part.title)}\n\n" if part.title else ""
    sentences = "".join(f"- {markdown_escape(sentence)}\n" for sentence in part.sentences)
    if not part.columns:
        return title + sentences
    headings = [column.heading for column in part.columns]
    right = [index for index, column in enumerate(part.columns) if column.right]
    return title + f"{sentences}\n" * bool(sentences) + markdown_table(headings, part.rows, right)


def _parts(history: History, asks: Asks) -> Iterator[_Part]:
    if asks == "problems":
        yield _Part((), (Column("PROBLEM"),), [(problem,) for problem in history.problems or ()])
    elif asks == "runs":
        yield from _run_parts(history.runs)
    elif asks == "run":
        for run in history.runs:
            yield _Part((), _FACTS, list(_facts(run)))
        yield from _removal_parts(history.removals)
        yield _Part(_notes([*map(_freed, history.runs), *map(_freed_by, history.removals)]))
    else:
        lives = [_life(life, _ended_by(life, history.removals)) for life in history.lives[:MOST_LIVES]]
        yield _Part([*lives, *_hidden(len(history.lives) - MOST_LIVES)])
        if history.removals:
            latest = history.removals[0]
            rows = [_row_of_object(removal) for removal in history.removals]
            # What all rows share is said above, and leaves room for the reasons.
            shared = {_KIND} if len({row[3] for row in rows}) == 1 else set()
            shared |= {_NAME} if len({row[4] for row in rows}) == 1 else set()
            yield _Part((), *_without(shared, _OF_OBJECT, rows))
            yield _Part((), _FACTS, list(_recognition(latest)), title=f"What it was in run {latest.run}")


def _run_parts(runs: Sequence[PastRun]) -> Iterator[_Part]:
    """Yield the list of runs. An engine or a user that they all share is said once, above."""
    if not runs:
        return
    engines = {(run.engine_name, run.endpoint) for run in runs}
    users = {run.user for run in runs}
    shared = {column for column, found in ((_ENGINE, engines), (_WHO, users)) if len(found) == 1}
    by = f" by {runs[0].user}" if _WHO in shared else ""
    on = f" on {_engine_in_full(runs[0])}" if _ENGINE in shared else ""
    if shared:
        yield _Part((f"{'Run' if len(runs) == 1 else 'Runs'}{by}{on}",))
    # Engines of one machine have one name.
    has_names = len({name for name, _ in engines}) == len(engines)
    yield _Part((), *_without(shared, _RUNS, [_run_row(run, has_names) for run in runs]))
    yield _Part(_notes(map(_freed, runs)))


def _without(
    shared: Collection[Column], columns: Sequence[Column], rows: Sequence[Sequence[str]]
) -> tuple[Sequence[Column], Sequence[Sequence[str]]]:
    """Return a table without some of its columns."""
    left = [index for index, column in enumerate(columns) if column not in shared]
    return [columns[index] for index in left], [[row[index] for index in left] for row in rows]


def _removal_parts(removals: Sequence[PastRemoval]) -> Iterator[_Part]:
    """Yield the removals of a run: first what did not go, which is what somebody looks for, then by kind what went."""
    stayed = [one for one in removals if one.status != "removed"]
    if stayed:
        yield _Part((), _STAYED, [_stayed_row(one) for one in stayed], title=f"Not removed: {len(stayed)}")
    went = [one for one in removals if one.status == "removed" and one.action == "remove"]
    for kind in KINDS:
        of_kind = [one for one in went if one.kind == kind]
        if of_kind:
            yield _removed_part(kind, of_kind)
    tags = [one for one in removals if one.status == "removed" and one.action == "untag"]
    if tags:
        rows = [(one.name, _why(one)) for one in tags]
        yield _Part((), _WITHOUT_SIZE, rows, title=f"Tags removed: {len(tags)}")


def _removed_part(kind: Kind, removals: Sequence[PastRemoval]) -> _Part:
    title = f"{TITLE_OF[kind]} removed: {len(removals)}"
    if kind == "network":
        return _Part((), _WITHOUT_SIZE, [(one.name, _why(one)) for one in removals], title=title)
    rows = [(one.name, _size(one), _freed_by(one), _why(one)) for one in removals]
    return _Part((), _REMOVED, rows, title=title)


def _notes(cells: Iterable[str]) -> tuple[str, ...]:
    return (_BRACKETS,) if any(cell.startswith("(") for cell in cells) else ()


def _hidden(count: int) -> Iterator[str]:
    if count > 0:
        yield f"{count} more have been called so; --format json has them all."


def _run_row(run: PastRun, has_names: bool) -> tuple[str, ...]:
    return (
        str(run.number),
        format_instant(run.started_at),
        run.verb,
        _engine(run.engine_name if has_names else None, run.endpoint),
        _what_happened(run),
        _freed(run),
        UNKNOWN if run.exit_status is None else str(run.exit_status),
        run.user,
    )


def _engine(name: str | None, endpoint: str | None) -> str:
    return name or endpoint or UNKNOWN


def _engine_in_full(run: PastRun) -> str:
    return " at ".join(part for part in (run.engine_name, run.endpoint) if part) or UNKNOWN


def _what_happened(run: PastRun) -> str:
    counts = [plural(run.removed[kind], NOUN_OF[kind]) for kind in KINDS if run.removed.get(kind)]
    if run.tags_removed:
        counts.append(plural(run.tags_removed, "further tag"))
    others = [
        f"{run.not_removed[status]} {STATUS_WORDS[status]}" for status in _NOT_REMOVED if run.not_removed.get(status)
    ]
    removed = ", ".join(counts) or ("nothing" if run.state != "running" else "nothing yet")
    return "; ".join([removed, *([", ".join(others)] if others else []), *_how_it_ended(run)])


def _how_it_ended(run: PastRun) -> Iterator[str]:
    """Yield what is to be said of an end that was not in order; `history RUN` has it in full."""
    if run.state == "did-not-end":
        yield "did not end"
    elif run.state == "running":
        yield f"still running (process {run.pid})"
    elif run.ended_early is not None:
        yield "ended early"
    elif run.note is not None:
        yield "refused" if run.exit_status == _REFUSED else "broke off"
    if run.in_hand:
        yield f"in hand: {list_of(run.in_hand)}"


def list_of(in_hand: Sequence[InHand]) -> str:
    """Return what was in hand, in words: "tag app:1, volume data"."""
    return ", ".join(f"{'tag' if one.action == 'untag' else one.kind} {one.name}" for one in in_hand)


def _freed(run: PastRun) -> str:
    """Return what was measured; where nothing was, what was predicted of those that went."""
    if run.measured_bytes is not None:
        return format_size(run.measured_bytes)
    if not run.removed:
        return format_size(0)
    return f"({format_interval(run.predicted)})"


def _facts(run: PastRun) -> Iterator[tuple[str, str]]:
    yield "run", f"{run.number}: {run.verb} by {run.user}, process {run.pid}, dockersweep {run.version}"
    yield "engine", _engine_in_full(run)
    yield "started", format_instant(run.started_at)
    yield "finished", "did not end" if run.finished_at is None else format_instant(run.finished_at)
    if run.exit_status is not None:
        yield "exit status", str(run.exit_status)
    if run.policy_source is not None:
        yield "asked for by", run.policy_source
    if run.policy_sha256 is not None:
        yield "policy sha256", run.policy_sha256
    yield "removed", _what_happened(run)
    yield "freed", _freed(run)
    for why in dict.fromkeys(text for text in (run.note, run.ended_early) if text):
        yield "why", why


def _stayed_row(removal: PastRemoval) -> tuple[str, ...]:
    kind = "tag" if removal.action == "untag" else removal.kind
    return _status(removal), kind, removal.name, _why(removal)


def _row_of_object(removal: PastRemoval) -> tuple[str, ...]:
    when = format_instant(removal.ended_at or removal.started_at)
    return str(removal.run), when, *_stayed_row(removal)


def _status(removal: PastRemoval) -> str:
    if removal.status is not None:
        return STATUS_WORDS[removal.status]
    return "planned" if removal.sent_at is None else "in hand"


def _size(removal: PastRemoval) -> str:
    return UNKNOWN if removal.size_bytes is None else format_size(removal.size_bytes)


def _why(removal: PastRemoval) -> str:
    """Return why it went; where it did not why not, and then why it was to go."""
    reasons = "; ".join(_reasons_by_rule(removal))
    if removal.status == "removed":
        return "; ".join(text for text in (reasons, removal.detail) if text)
    to_go = f"was to go by {reasons}" if reasons else ""
    return "; ".join(text for text in (removal.detail, to_go) if text)


def _reasons_by_rule(removal: PastRemoval) -> Iterator[str]:
    """Yield the reasons, a rule named before the first of its own alone. Nobody knows a record by the id of the one
    that stands on it, so that this is no reason to people."""
    told = [one for one in removal.reasons if removal.kind != "build-cache" or one.code != "released"]
    rule = None
    for reason in told or removal.reasons:
        yield reason.text if reason.rule == rule else f"{reason.rule}: {reason.text}"
        rule = reason.rule


def _freed_by(removal: PastRemoval) -> str:
    if removal.status != "removed":
        return UNKNOWN
    if removal.freed_bytes is not None:
        return format_size(removal.freed_bytes)
    return f"({format_interval(removal.predicted)})"


def _ended_by(life: Life, removals: Sequence[PastRemoval]) -> int | None:
    """Return the run that removed it since it was last seen there, as the next scan will find out."""
    if not life.is_there or life.last_seen_at is None:
        return None
    for one in removals:
        is_it = (one.engine_name, one.kind, one.id, one.action) == (life.engine_name, life.kind, life.id, "remove")
        if is_it and one.status == "removed" and one.ended_at is not None and one.ended_at >= life.last_seen_at:
            return one.run
    return None


def _life(life: Life, ended_by: int | None) -> str:
    name = ", ".join(life.names)
    known_as = " ".join(text for text in (name, "" if life.kind == "volume" else f"({short_id(life.id)})") if text)
    seen = "" if life.last_seen_at is None else f", last seen {format_instant(life.last_seen_at)}"
    unused = life.first_seen_unused_at
    used = ", in use" if unused is None else f", unused since {format_instant(unused)}"
    is_there = life.is_there and ended_by is None
    state = "there" if is_there else "gone" if ended_by is None else f"gone, by run {ended_by}"
    noun = NOUN_OF[life.kind]
    return (
        f"{noun[0].upper()}{noun[1:]} {known_as or life.id} on {_engine(life.engine_name, None)}: "
        f"{state}, first seen {format_instant(life.first_seen_at)}{seen}{used if is_there else ''}."
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
