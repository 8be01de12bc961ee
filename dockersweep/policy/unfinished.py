"""What became of the objects that a run had in hand when it ended without a word: told by what is there now."""

from collections.abc import Iterable, Iterator

from dockersweep.model.attempt import outcome_for
from dockersweep.model.history import InHand, UnfinishedRun
from dockersweep.model.inventory import Image, Inventory, ScanWarning
from dockersweep.model.naming import id_of, kind_of, objects_of
from dockersweep.model.outcome import Outcome, Status
from dockersweep.units import format_instant

_STILL_THERE = "it is still there"


def settled(run: UnfinishedRun, inventory: Inventory) -> tuple[Outcome, ...]:
    """Return what became of each removal that a run had sent without learning its end."""
    there = {(kind_of(seen), id_of(seen)): seen for seen in objects_of(inventory)}
    unread = {"build-cache"} if inventory.build_cache is None else set()
    return tuple(_settled(one, there.get((one.kind, one.id)), one.kind in unread) for one in run.in_hand)


def _settled(one: InHand, seen: object, is_unread: bool) -> Outcome:
    has_tag = isinstance(seen, Image) and one.name in seen.tags
    is_there = has_tag if one.action == "untag" else seen is not None
    now = "the build cache could not be read since" if is_unread else _STILL_THERE if is_there else "it is gone"
    status: Status = "failed" if is_there or is_unread else "removed"
    return outcome_for(one, status, f"the run that had it in hand did not end; {now}")


def told(runs: Iterable[tuple[UnfinishedRun, tuple[Outcome, ...]]]) -> Iterator[ScanWarning]:
    """Yield a warning for each run that did not end."""
    for run, outcomes in runs:
        began = f"it began {format_instant(run.started_at)} (process {run.pid}) and did not end"
        in_hand = "; ".join(f"{one.kind} {one.name} was in hand, and {_where(one)}" for one in outcomes)
        yield ScanWarning(about=f"run {run.number}", text=f"{began}; {in_hand or 'nothing was in hand'}")


def _where(outcome: Outcome) -> str:
    if outcome.status == "removed":
        return "is gone"
    return "is still there" if _STILL_THERE in (outcome.detail or "") else "nothing tells what became of it"
