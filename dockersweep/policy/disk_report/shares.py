"""What each sort takes and would free: containers have two, their writable layers and their logs."""

from collections.abc import Collection, Mapping, Sequence

from dockersweep.model.inventory import Container, Kind, ObjectRef
from dockersweep.model.naming import objects_of
from dockersweep.model.plan import NOTHING, Interval
from dockersweep.model.quantities import known_sum
from dockersweep.model.report import SHARES, Share, ShareOfDisk
from dockersweep.policy.bytes.totals import log_size, measured_bytes
from dockersweep.policy.judging.survey import Survey

KIND_OF: dict[Share, Kind] = {
    "image": "image",
    "writable-layer": "container",
    "container-log": "container",
    "volume": "volume",
    "network": "network",
    "build-cache": "build-cache",
}


def shares_of_disk(
    survey: Survey, going: Collection[ObjectRef], reclaimable: Mapping[Kind, Interval], unused: Mapping[Kind, Interval]
) -> tuple[ShareOfDisk, ...]:
    """Return a row for each sort; `going` are the objects that the policy would remove, and so do not stay in use."""
    inventory, sizes, idle = survey.inventory, survey.totals.shares, survey.unused
    leaving = idle.union(going)
    are_apart = survey.size_base == "lengths" and inventory.engine.flavour == "docker"
    back = _of_shares(reclaimable, [one for one in inventory.containers if _ref(one) in going], are_apart)
    if_unused_went = _of_shares(unused, [one for one in inventory.containers if _ref(one) in idle], are_apart)
    rows = []
    for share in SHARES:
        is_known = share != "build-cache" or inventory.build_cache is not None
        count, in_use = _counts(survey, share, leaving)
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


def _counts(survey: Survey, share: Share, leaving: Collection[ObjectRef]) -> tuple[int, int]:
    """Return how many there are, and how many stay in use: what is used only by what goes may go with it."""
    if share == "container-log":
        # A log of 0 bytes is none, or lies elsewhere.
        logs = [one for one in survey.inventory.containers if one.log_bytes != 0]
        return len(logs), sum(_ref(one) not in leaving for one in logs)
    kind = KIND_OF[share]
    count = sum(1 for _ in objects_of(survey.inventory, kind))
    return count, count - sum([ref.kind == kind for ref in leaving])


def _of_shares(
    of_kinds: Mapping[Kind, Interval], containers: Sequence[Container], are_apart: bool
) -> dict[Share, Interval]:
    """Tell apart what containers free, a log as long as it is and the rest.

    A log that was not read is in what its container frees, unless lengths are told and logs are apart from them.
    """
    found: dict[Share, Interval] = {share: of_kinds.get(kind, NOTHING) for share, kind in KIND_OF.items()}
    both, logs = found["writable-layer"], [log_size(one) for one in containers]
    low, high = sum(one.low_bytes for one in logs), [one.high_bytes for one in logs]
    if both.high_bytes is not None:
        # Nothing frees more than all of it.
        low = min(low, both.high_bytes)
    of_all = known_sum(high)
    most = both.high_bytes if of_all is None else of_all
    if most is not None and both.high_bytes is not None:
        most = min(most, both.high_bytes)
    found["container-log"] = Interval(low_bytes=low, high_bytes=most)
    found["writable-layer"] = Interval(
        low_bytes=max(0, both.low_bytes - (low if are_apart else both.low_bytes if most is None else most)),
        high_bytes=None if both.high_bytes is None else max(0, both.high_bytes - low),
        reason=both.reason,
    )
    return found
