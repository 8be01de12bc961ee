"""The words for runs and removals in all history layouts."""

from collections.abc import Iterator, Sequence

from dockersweep.model.history import InHand, PastRemoval, PastRun
from dockersweep.report.headline import NOT_REMOVED, STATUS_WORDS, kind_counts, tags_of_staying
from dockersweep.units import format_size
from dockersweep.words.amounts import format_interval, plural
from dockersweep.words.reasons import joined_by_rule

UNKNOWN = "-"
PREDICTED = "Sizes in brackets were predicted, not measured."
TOTAL_MEASURED = "The total was measured; of rows in brackets only a prediction is known."
RESTORE = "restore"
"""The verb of the runs that remove nothing, but make again what others removed."""
_REFUSED = 4


def engine_of_run(run: PastRun) -> str:
    """Return the name and the endpoint of the engine."""
    return " at ".join(part for part in (run.engine_name, run.endpoint) if part) or UNKNOWN


def what_happened(run: PastRun) -> str:
    """Return what a run removed, what it did not, and how it ended: "2 images, 1 volume; 1 failed; ended early"."""
    if run.verb == RESTORE:
        return "; ".join([*_what_was_restored(run), *_how_it_ended(run)])
    counts = kind_counts(run.removed)
    if run.tags_removed:
        counts.append(tags_of_staying(run.tags_removed))
    others = [
        f"{run.not_removed[status]} {STATUS_WORDS[status]}" for status in NOT_REMOVED if run.not_removed.get(status)
    ]
    removed = ", ".join(counts) or ("nothing" if run.state != "running" else "nothing yet")
    return "; ".join([removed, *([", ".join(others)] if others else []), *_how_it_ended(run)])


def _what_was_restored(run: PastRun) -> Iterator[str]:
    tags = [plural(run.tags_restored, "tag")] if run.tags_restored else []
    yield f"restored {', '.join([*kind_counts(run.restored), *tags]) or 'nothing'}"
    others = [f"{count} {status.replace('-', ' ')}" for status, count in sorted(run.not_restored.items())]
    if others:
        yield ", ".join(others)


def _how_it_ended(run: PastRun) -> Iterator[str]:
    """Yield how a run ended if not normally; `history RUN` has the details."""
    if run.state == "did-not-end":
        yield "did not end"
    elif run.state == "running":
        yield f"still running (process {run.pid})"
    elif run.ended_early is not None:
        yield "ended early"
    elif run.note is not None:
        yield "target missed" if run.missed_its_target else _broken_off(run)
    if run.in_hand:
        yield f"in hand: {in_hand_words(run.in_hand)}"


def _broken_off(run: PastRun) -> str:
    return "declined" if run.was_declined else "refused" if run.exit_status == _REFUSED else "broke off"


def in_hand_words(in_hand: Sequence[InHand]) -> str:
    """Return what a run was removing when it ended: "tag app:1, volume data"."""
    return ", ".join(f"{'tag' if removal.action == 'untag' else removal.kind} {removal.name}" for removal in in_hand)


def is_predicted(run: PastRun) -> bool:
    """Whether what a run freed is predicted, not measured."""
    return run.measured_bytes is None and bool(run.removed)


def freed_by_run(run: PastRun) -> str:
    """Return the measured bytes; if there are none, the prediction for what was removed, in brackets."""
    if run.verb == RESTORE:
        return UNKNOWN
    if is_predicted(run):
        return f"({format_interval(run.predicted)})"
    return format_size(run.measured_bytes or 0)


def is_predicted_of(removal: PastRemoval) -> bool:
    """Whether what a removal freed is predicted, not measured."""
    return removal.status == "removed" and removal.freed_bytes is None


def freed_by(removal: PastRemoval) -> str:
    """Return what a removal freed; a mere prediction is in brackets."""
    if is_predicted_of(removal):
        return f"({format_interval(removal.predicted)})"
    return format_size(removal.freed_bytes) if removal.status == "removed" else UNKNOWN


def kind_of(removal: PastRemoval) -> str:
    """Return what was to be removed: "tag", or the object's kind."""
    return "tag" if removal.action == "untag" else removal.kind


def status_of(removal: PastRemoval) -> str:
    """Return the status of a removal; "in hand" if it was sent and has no outcome."""
    if removal.status is not None:
        return STATUS_WORDS[removal.status]
    return "planned" if removal.sent_at is None else "in hand"


def why(removal: PastRemoval) -> str:
    """Return why an object was removed; if it was not, why not and why it was planned."""
    reasons = _reasons_by_rule(removal)
    if removal.status == "removed":
        return "; ".join(text for text in (reasons, removal.detail, _loss(removal)) if text)
    to_go = f"was to go by {reasons}" if reasons else ""
    return "; ".join(text for text in (removal.detail, to_go) if text)


def _reasons_by_rule(removal: PastRemoval) -> str:
    """Return the reasons, naming each rule once. For build-cache records, the removed records that depended on them are
    left out: their ids tell people nothing. That an image exists only here is no reason to remove it."""
    untold = ("only-here", "released") if removal.kind == "build-cache" else ("only-here",)
    return joined_by_rule([reason for reason in removal.reasons if reason.code not in untold] or removal.reasons)


def _loss(removal: PastRemoval) -> str:
    is_lost = removal.action == "remove" and any(reason.code == "only-here" for reason in removal.reasons)
    return "it existed only here" if is_lost else ""
