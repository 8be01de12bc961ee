"""Which objects are used and which lie about, whatever a policy would do with them."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from dockersweep.model.inventory import KINDS, BuildCacheRecord, Container, Image, Inventory, Object, Volume
from dockersweep.model.naming import id_of, kind_of, name_of, objects_of
from dockersweep.model.plan import ObjectRef
from dockersweep.model.use import Use
from dockersweep.policy.ages import since_of
from dockersweep.policy.order import holders_first
from dockersweep.policy.protections import HardProtections
from dockersweep.policy.references import Hold, find_holds
from dockersweep.policy.sizes import Sizes


def describe_use(inventory: Inventory, now: datetime) -> tuple[Use, ...]:
    """Return the use of every object; what a stopped container names counts as used."""
    return tuple(_uses(inventory, now))


def used_of(uses: Iterable[Use]) -> frozenset[ObjectRef]:
    """Return what is in use."""
    return frozenset(ObjectRef(kind=use.kind, id=use.id) for use in uses if use.in_use)


def _uses(inventory: Inventory, now: datetime) -> Iterator[Use]:
    """A parent is used where something used stands on it, so what holds comes before what is held."""
    holds = find_holds(inventory, now)
    sizes = Sizes(inventory)
    hard = HardProtections(inventory)
    idle: set[ObjectRef] = set()
    for kind in KINDS:
        for ref, seen in holders_first(objects_of(inventory, kind), holds):
            use = _use_of(seen, hard, holds.get(ref, ()), idle, now, sizes.of(seen))
            if not use.in_use and kind != "container":
                idle.add(ref)
            yield use


def _use_of(
    seen: Object,
    hard: HardProtections,
    holders: tuple[Hold, ...],
    idle: Collection[ObjectRef],
    now: datetime,
    size: int | None,
) -> Use:
    used_by = tuple(hold for hold in holders if hold.by not in idle)
    reasons = [reason.text for reason in hard.of(seen, bool(holders))] + _in_short(used_by)
    since = since_of(seen, ())
    return Use(
        kind=kind_of(seen),
        id=id_of(seen),
        name=name_of(seen),
        in_use=bool(reasons),
        why=", ".join(reasons) or _why_unused(seen, holders),
        size_bytes=size,
        age_seconds=None if since is None else int((now - since.instant).total_seconds()),
        age_source=None if since is None else since.source,
    )


def _in_short(holders: tuple[Hold, ...]) -> list[str]:
    if not holders:
        return []
    return [holders[0].text] if len(holders) == 1 else [f"{holders[0].text} and {len(holders) - 1} more"]


def _why_unused(seen: Object, holders: tuple[Hold, ...]) -> str:
    if isinstance(seen, Container):
        code = "" if seen.exit_code is None or seen.state == "created" else f" ({seen.exit_code})"
        restarts = f", restarts {seen.restart_policy}" if seen.restart_policy not in (None, "no") else ""
        return f"{seen.state}{code}{restarts}"
    if isinstance(seen, Image):
        if seen.tags:
            return "no container uses it"
        if holders:
            return _in_short(holders)[0]
        return "dangling, can be pulled again" if seen.in_registry else "dangling"
    if isinstance(seen, Volume):
        return f"{'anonymous, ' if seen.anonymous else ''}no container mounts it"
    if isinstance(seen, BuildCacheRecord):
        return f"{seen.type or 'unknown type'}{', shared' if seen.shared else ''}"
    return "no container names it"
