"""Settles removals that a run had sent when it died before it recorded the outcome, by what exists now."""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from dockersweep.model.attempt import outcome_for
from dockersweep.model.history import InHand, UnfinishedRun
from dockersweep.model.inventory import Image, Inventory, ScanWarning
from dockersweep.model.naming import id_of, kind_of, objects_of
from dockersweep.model.outcome import Outcome, Status
from dockersweep.units import format_instant

_NOW = {True: "it is still there", False: "it is gone", None: "the build cache could not be read since"}
_SINCE = {True: "is still there", False: "is gone", None: "nothing tells what became of it"}


def settled(run: UnfinishedRun, inventory: Inventory) -> tuple[Outcome, ...]:
    """Return the outcome of each removal that a run had sent without recording one."""
    objects = {(kind_of(item), id_of(item)): item for item in objects_of(inventory)}
    unread = {"build-cache"} if inventory.build_cache is None else set()
    return tuple(
        _settled(removal, objects.get((removal.kind, removal.id)), removal.kind in unread) for removal in run.in_hand
    )


def _settled(removal: InHand, current: object, is_unread: bool) -> Outcome:
    has_tag = isinstance(current, Image) and removal.name in current.tags
    is_there = None if is_unread else has_tag if removal.action == "untag" else current is not None
    status: Status = "removed" if is_there is False else "failed"
    outcome = outcome_for(removal, status, f"the run that had it in hand did not end; {_NOW[is_there]}")
    return replace(outcome, is_there=is_there)


def unfinished_warnings(runs: Iterable[tuple[UnfinishedRun, tuple[Outcome, ...]]]) -> Iterator[ScanWarning]:
    """Yield a warning for each run that did not end."""
    for run, outcomes in runs:
        began = f"it began {format_instant(run.started_at)} (process {run.pid}) and did not end"
        in_hand = "; ".join(
            f"{outcome.kind} {outcome.name} was in hand, and {_SINCE[outcome.is_there]}" for outcome in outcomes
        )
        yield ScanWarning(about=f"run {run.number}", text=f"{began}; {in_hand or 'nothing was in hand'}")
