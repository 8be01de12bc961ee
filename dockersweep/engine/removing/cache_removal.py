"""Removes build-cache records by their ids, children before parents, many in one request.

The engine silently skips a record with a remaining child, and walks the whole cache for each request; so records are
removed in groups, and the answer is compared with the group.
"""

from collections.abc import Iterator, Sequence

from dockersweep.engine.api.answers import UsagePart
from dockersweep.engine.removing.removal import RemovalContext, SurpriseError, exact_bytes, outcome_of, unknown_outcome
from dockersweep.errors import EngineError, EngineLostError
from dockersweep.model.fingerprint import differences, fingerprint_of
from dockersweep.model.inventory import BuildCacheRecord
from dockersweep.model.outcome import Outcome
from dockersweep.model.plan import Removal

# The ids are in the request's URL: 500 of them are 13 kB, well below what Go and proxies accept.
RECORDS_PER_REQUEST = 500


def remove_records(
    context: RemovalContext, removals: Sequence[Removal], sizes_are_the_engines: bool
) -> Iterator[list[Outcome]]:
    """Carry out the removals of build-cache records, children first; yield the outcomes of each group.

    `sizes_are_the_engines` is whether the plan counts as the engine does, so that its sum can be compared.

    Raises EngineLostError if the engine went away before a group was sent, and does not come back; LedgerError if a
    group cannot be recorded; SurpriseError if the engine removed a record without being asked.
    """
    stayed: set[str] = set()
    for start in range(0, len(removals), RECORDS_PER_REQUEST):
        outcomes = _remove_group(context, removals[start : start + RECORDS_PER_REQUEST], stayed, sizes_are_the_engines)
        stayed |= {outcome.id for outcome in outcomes if outcome.status not in ("removed", "gone")}
        yield outcomes


def _remove_group(
    context: RemovalContext, group: Sequence[Removal], stayed: set[str], sizes_are_the_engines: bool
) -> list[Outcome]:
    try:
        before = _records(context)
    except EngineLostError:
        raise
    except EngineError as error:
        return [outcome_of(removal, "failed", f"it could not be read again: {error}") for removal in group]
    outcomes: dict[str, Outcome] = {}
    for removal in group:
        outcome = _outcome_without_request(removal, before.get(removal.id), stayed)
        if outcome is not None:
            outcomes[removal.id] = outcome
            if outcome.status != "gone":
                stayed.add(removal.id)
    asked = [removal for removal in group if removal.id not in outcomes]
    if asked:
        for removal in asked:
            context.record.sending(removal)
        try:
            outcomes |= _prune(context, asked, sizes_are_the_engines)
        except SurpriseError as surprise:
            outcomes |= {outcome.id: outcome for outcome in surprise.outcomes}
            raise SurpriseError(tuple(outcomes[removal.id] for removal in group), str(surprise)) from None
    return [outcomes[removal.id] for removal in group]


def _outcome_without_request(removal: Removal, now: BuildCacheRecord | None, stayed: set[str]) -> Outcome | None:
    """Return the outcome of a record that is not requested; None if it is to be requested."""
    if now is None:
        return outcome_of(removal, "gone", "it was gone already")
    changed = differences(removal.fingerprint, fingerprint_of(now))
    if changed:
        return outcome_of(removal, "skipped", f"changed since it was judged: {changed}")
    children = [ref.id for ref in removal.after if ref.id in stayed]
    if children:
        return outcome_of(removal, "skipped", f"build-cache record {children[0]}, which depends on it, stayed")
    return None


def _prune(context: RemovalContext, asked: list[Removal], sizes_are_the_engines: bool) -> dict[str, Outcome]:
    error: EngineError | None = None
    deleted: set[str] = set()
    detail: str | None = None
    reclaimed: int | None = None
    try:
        answer = context.engine.prune_build_cache(tuple(removal.id for removal in asked))
        deleted, detail, reclaimed = set(answer.deleted), answer.detail, answer.reclaimed_bytes
    except EngineError as problem:
        error = problem
    not_asked_for = deleted.difference(removal.id for removal in asked)
    left = [removal for removal in asked if removal.id not in deleted]
    went = [removal for removal in asked if removal.id in deleted]
    outcomes = _proven(went, reclaimed if sizes_are_the_engines else None)
    outcomes |= _outcomes_unnamed(context, left, error, detail)
    if not_asked_for:
        text = f"the engine removed the build-cache record {min(not_asked_for)} with those that it was asked for"
        raise SurpriseError(tuple(outcomes[removal.id] for removal in asked), text)
    return outcomes


def _outcomes_unnamed(
    context: RemovalContext, left: Sequence[Removal], error: EngineError | None, detail: str | None
) -> dict[str, Outcome]:
    """Return the outcomes of records that no answer names: they are looked up."""
    if not left:
        return {}
    try:
        after = _records(context)
    except EngineError as problem:
        return {removal.id: unknown_outcome(removal, problem) for removal in left}
    return {removal.id: _outcome_unnamed(removal, removal.id in after, error, detail) for removal in left}


def _proven(went: Sequence[Removal], reclaimed_bytes: int | None) -> dict[str, Outcome]:
    """Return the outcomes of removed records. If the engine reports fewer freed bytes than their own sizes, as when
    something else still uses a layer, no size is proven."""
    freed = {removal.id: exact_bytes(removal) for removal in went}
    if reclaimed_bytes is not None and sum(size or 0 for size in freed.values()) > reclaimed_bytes:
        freed = dict.fromkeys(freed)
    return {removal.id: outcome_of(removal, "removed", freed_bytes=freed[removal.id]) for removal in went}


def _outcome_unnamed(removal: Removal, is_there: bool, error: EngineError | None, detail: str | None) -> Outcome:
    if not is_there:
        return outcome_of(removal, "removed", f"it is gone, though no answer came: {error}" if error else None)
    if error is not None or detail is not None:
        return outcome_of(removal, "failed", str(error or detail))
    return outcome_of(removal, "skipped", "in use: the engine kept it, for a build or for a record that depends on it")


def _records(context: RemovalContext) -> dict[str, BuildCacheRecord]:
    engine = context.engine
    part: UsagePart | None = "build-cache" if engine.quirks.tells_usage_in_parts else None
    usage = context.reconnect.ask(lambda: engine.disk_usage(part, engine.removal_seconds))
    return {record.id: record for record in usage.build_cache or ()}
