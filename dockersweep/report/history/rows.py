"""Runs and removals for spreadsheets."""

from collections.abc import Callable, Iterable

import msgspec

from dockersweep.model.history import PastRemoval, PastRestoration, PastRun
from dockersweep.model.quantities import Instant
from dockersweep.report.history.words import in_hand_words
from dockersweep.report.layout import Cell, Rows, rows_of
from dockersweep.units import format_instant
from dockersweep.words.reasons import rule_and_text


def run_rows(runs: Iterable[PastRun]) -> Rows:
    """Return a row for each run."""
    return rows_of(runs, _RUN_CELLS)


def removal_rows(removals: Iterable[PastRemoval]) -> Rows:
    """Return a row for each removal."""
    return rows_of(removals, _REMOVAL_CELLS)


def restoration_rows(restorations: Iterable[PastRestoration]) -> Rows:
    """Return a row for each object that was to be made again."""
    return rows_of(restorations, _RESTORATION_CELLS)


def _reasons(removal: PastRemoval) -> str:
    return "; ".join(map(rule_and_text, removal.reasons))


def _at(instant: Instant | None) -> str | None:
    return None if instant is None else format_instant(instant)


_RUN_CELLS: dict[str, Callable[[PastRun], Cell]] = {
    "run": lambda run: run.number,
    "state": lambda run: run.state,
    "verb": lambda run: run.verb,
    "engine": lambda run: run.engine_name,
    "endpoint": lambda run: run.endpoint,
    "started_at": lambda run: _at(run.started_at),
    "finished_at": lambda run: _at(run.finished_at),
    "exit_status": lambda run: run.exit_status,
    "user": lambda run: run.user,
    "pid": lambda run: run.pid,
    "version": lambda run: run.version,
    "policy_source": lambda run: run.policy_source,
    "policy_sha256": lambda run: run.policy_sha256,
    "containers": lambda run: run.removed.get("container", 0),
    "images": lambda run: run.removed.get("image", 0),
    "volumes": lambda run: run.removed.get("volume", 0),
    "networks": lambda run: run.removed.get("network", 0),
    "build_cache_records": lambda run: run.removed.get("build-cache", 0),
    "tags": lambda run: run.tags_removed,
    "failed": lambda run: run.not_removed.get("failed", 0),
    "skipped": lambda run: run.not_removed.get("skipped", 0),
    "not_attempted": lambda run: run.not_removed.get("not-attempted", 0),
    "gone": lambda run: run.not_removed.get("gone", 0),
    "restored": lambda run: sum(run.restored.values()) + run.tags_restored,
    "not_restored": lambda run: sum(run.not_restored.values()),
    "predicted_low_bytes": lambda run: run.predicted.low_bytes,
    "predicted_high_bytes": lambda run: run.predicted.high_bytes,
    "measured_bytes": lambda run: run.measured_bytes,
    "note": lambda run: run.note or run.ended_early,
    "in_hand": lambda run: in_hand_words(run.in_hand),
}
_REMOVAL_CELLS: dict[str, Callable[[PastRemoval], Cell]] = {
    "run": lambda removal: removal.run,
    "started_at": lambda removal: _at(removal.started_at),
    "engine": lambda removal: removal.engine_name,
    "kind": lambda removal: removal.kind,
    "id": lambda removal: removal.id,
    "name": lambda removal: removal.name,
    "action": lambda removal: removal.action,
    "status": lambda removal: removal.status,
    "detail": lambda removal: removal.detail,
    "reasons": _reasons,
    "size_bytes": lambda removal: removal.size_bytes,
    "predicted_low_bytes": lambda removal: removal.predicted.low_bytes,
    "predicted_high_bytes": lambda removal: removal.predicted.high_bytes,
    "freed_bytes": lambda removal: removal.freed_bytes,
    "sent_at": lambda removal: _at(removal.sent_at),
    "ended_at": lambda removal: _at(removal.ended_at),
    "recognition": lambda removal: msgspec.json.encode(removal.recognition).decode(),
    "way_back": lambda removal: removal.way_back,
    "lost_archive": lambda removal: removal.lost_archive,
}
_RESTORATION_CELLS: dict[str, Callable[[PastRestoration], Cell]] = {
    "run": lambda one: one.run,
    "started_at": lambda one: _at(one.started_at),
    "engine": lambda one: one.engine_name,
    "kind": lambda one: one.kind,
    "id": lambda one: one.id,
    "name": lambda one: one.name,
    "as_name": lambda one: one.as_name,
    "action": lambda one: one.action,
    "of_run": lambda one: one.of_run,
    "status": lambda one: one.status,
    "detail": lambda one: one.detail,
    "new_id": lambda one: one.new_id,
    "ended_at": lambda one: _at(one.ended_at),
}
