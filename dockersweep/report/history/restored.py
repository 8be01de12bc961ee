"""What runs of `restore` made again, in the layouts of `history`."""

from collections.abc import Iterator, Sequence

from dockersweep.model.history import PastRemoval, PastRestoration
from dockersweep.model.recovery import Recovery
from dockersweep.report.history.words import UNKNOWN
from dockersweep.report.layout import Column, Section
from dockersweep.report.local_time import local_time
from dockersweep.words.amounts import plural
from dockersweep.words.recovery import Removed, lost_sentence
from dockersweep.words.restoring import restore_command

_OF_RUN = (Column("STATUS"), Column("KIND"), Column("NAME", shortens=True), Column("NOTE", wraps=True, narrowest=24))
_OF_OBJECT = (
    Column("RUN", right=True),
    Column("WHEN"),
    Column("STATUS"),
    Column("OBJECT", shortens=True),
    Column("NOTE", wraps=True, narrowest=20),
)


def restored_of_run(restorations: Sequence[PastRestoration]) -> Iterator[Section]:
    """Yield what one run made again; what it did not comes first, as people look for it."""
    if restorations:
        ordered = sorted(restorations, key=lambda one: one.status == "restored")
        rows = [(_status(one), _kind(one), _name(one), _note(one)) for one in ordered]
        yield Section("To restore", columns=_OF_RUN, rows=rows)


def restored_of_object(restorations: Sequence[PastRestoration]) -> Iterator[Section]:
    """Yield when an object was made again, or was to be."""
    if restorations:
        rows = [
            (
                *(str(one.run), local_time(one.ended_at or one.started_at), _status(one)),
                *(f"{_kind(one)} {_name(one)}", _note(one)),
            )
            for one in restorations
        ]
        yield Section("Restored", columns=_OF_OBJECT, rows=rows)


def way_back_of_run(run: int, removals: Sequence[PastRemoval]) -> Iterator[str]:
    """Yield how what a run removed is taken back, if any of it can be."""
    if any(removal.way_back is not None for removal in removals):
        yield f"`dockersweep restore {run}` takes back what can be made again."
    missing = [removal for removal in removals if removal.lost_archive is not None]
    if missing:
        objects = plural(len(missing), "object")
        yield f"{objects} of it went into an archive that has the run no more: {_moved(missing[0], str(run))}"
    lost = lost_sentence(_lost(removals))
    if lost:
        yield lost


def _lost(removals: Sequence[PastRemoval]) -> Iterator[Removed]:
    for removal in removals:
        if removal.is_lost:
            # As its outcome told it: what it shared with others is not lost.
            size_bytes = removal.size_bytes if removal.freed_bytes is None else removal.freed_bytes
            yield Removed(removal.kind, removal.name, size_bytes, Recovery(how="none", text=""))


def way_back_of_object(removals: Sequence[PastRemoval]) -> Iterator[str]:
    """Yield how the latest removal of an object is taken back, if it can be."""
    latest = next((removal for removal in removals if removal.way_back is not None), None)
    if latest is not None:
        yield f"`{restore_command(latest)}` takes it back."
    last = next((removal for removal in removals if removal.status == "removed"), None)
    if last is not None and last.lost_archive is not None:
        command = restore_command(last).removeprefix("dockersweep restore ")
        yield f"Run {last.run} archived it, but that run is in the archive no more: {_moved(last, command)}"


def _moved(lost: PastRemoval, what: str) -> str:
    return f"if {lost.lost_archive} was moved, `dockersweep restore {what} --archive FOLDER`."


def _status(one: PastRestoration) -> str:
    return "did not end" if one.status is None else one.status.replace("-", " ")


def _kind(one: PastRestoration) -> str:
    return "tag" if one.action == "tag" else one.kind


def _name(one: PastRestoration) -> str:
    return one.name if one.name == one.as_name else f"{one.name} as {one.as_name}"


def _note(one: PastRestoration) -> str:
    removed = "" if one.of_run is None else f"removed by run {one.of_run}"
    return "; ".join(text for text in (one.detail, removed) if text) or UNKNOWN
