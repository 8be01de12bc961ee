"""What each sort takes and would give back: containers have two, their writable layers and their logs."""

from collections.abc import Collection, Mapping, Sequence

from dockersweep.model.inventory import Container, Inventory, Kind
from dockersweep.model.plan import NOTHING, Interval, ObjectRef
from dockersweep.model.report import SHARES, Share, ShareOfDisk
from dockersweep.model.use import Use
from dockersweep.policy.other_tools import measured_bytes
from dockersweep.policy.sizes import size_base
from dockersweep.policy.totals import Totals, log_size

KIND_OF: dict[Share, Kind] = {
    "image": "image",
    "writable-layer": "container",
    "container-log": "container",
    "volume": "volume",
    "network": "network",
    "build-cache": "build-cache",
}


def shares_of_disk(
    inventory: Inventory,
    totals: Totals,
    uses: Sequence[Use],
    going: Collection[ObjectRef],
    reclaimable: Mapping[Kind, Interval],
    unused: Mapping[Kind, Interval],
) -> tuple[ShareOfDisk, ...]:
    """Return a row for each sort; `going` are the objects that the policy would remove, and so do not stay in use."""
    sizes = totals.shares
    idle = {ObjectRef(kind=use.kind, id=use.id) for use in uses if not use.in_use}
    leaving = idle.union(going)
    are_apart = size_base(inventory) == "lengths" and inventory.engine.flavour == "docker"
    back = _of_shares(reclaimable, [one for one in inventory.containers if _ref(one) in going], are_apart)
    if_unused_went = _of_shares(unused, [one for one in inventory.containers if _ref(one) in idle], are_apart)
    rows = []
    for share in SHARES:
        is_known = share != "build-cache" or inventory.build_cache is not None
        count, in_use = _counts(inventory, share, uses, leaving)
        external = measured_bytes(inventory) if share == "writable-layer" else ()
        rows.append(
            ShareOfDisk(
                share=share,
                is_known=is_known,
                count=count + len(external),
                in_use=in_use + len(external),
                size=sizes[share] if is_known else Interval(low_bytes=0, high_bytes=None),
                reclaimable=back[share],
                unused=if_unused_went[share],
                external=len(external),
                external_bytes=sum(external),
            )
        )
    return tuple(rows)


def _ref(container: Container) -> ObjectRef:
    return ObjectRef(kind="container", id=container.id)


def _counts(inventory: Inventory, share: Share, uses: Sequence[Use], leaving: Collection[ObjectRef]) -> tuple[int, int]:
    """Return how many there are, and how many stay in use: what is used only by what goes may go with it."""
    if share == "container-log":
        # A log of 0 bytes is none, or lies elsewhere.
        logs = [one for one in inventory.containers if one.log_bytes != 0]
        return len(logs), sum(_ref(one) not in leaving for one in logs)
    of_kind = [ObjectRef(kind=use.kind, id=use.id) for use in uses if use.kind == KIND_OF[share]]
    return len(of_kind), sum(ref not in leaving for ref in of_kind)


def _of_shares(
    of_kinds: Mapping[Kind, Interval], containers: Sequence[Container], are_apart: bool
) -> dict[Share, Interval]:
    """Tell apart what containers give back, a log as long as it is and the rest.

    A log that was not read is in what its container gives back, unless lengths are told and logs are apart from them.
    """
    found: dict[Share, Interval] = {share: of_kinds.get(kind, NOTHING) for share, kind in KIND_OF.items()}
    both, logs = found["writable-layer"], [log_size(one) for one in containers]
    low, high = sum(one.low_bytes for one in logs), [one.high_bytes for one in logs]
    if both.high_bytes is not None:
        # Nothing gives back more than all of it.
        low = min(low, both.high_bytes)
    most = both.high_bytes if None in high else sum(size or 0 for size in high)
    if most is not None and both.high_bytes is not None:
        most = min(most, both.high_bytes)
    found["container-log"] = Interval(low_bytes=low, high_bytes=most)
    found["writable-layer"] = Interval(
        low_bytes=max(0, both.low_bytes - (low if are_apart else both.low_bytes if most is None else most)),
        high_bytes=None if both.high_bytes is None else max(0, both.high_bytes - low),
        reason=both.reason,
    )
    return found
