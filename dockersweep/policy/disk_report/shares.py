"""How much each type uses and would free; containers are two types, writable layers and logs."""

from collections.abc import Collection, Mapping, Sequence

from dockersweep.model.inventory import Container, Kind, ObjectRef
from dockersweep.model.naming import objects_of
from dockersweep.model.plan import NOTHING, Interval, exactly
from dockersweep.model.quantities import known_sum
from dockersweep.model.report import SHARES, Share, ShareOfDisk
from dockersweep.policy.bytes.layer_graph import CountedWith
from dockersweep.policy.bytes.reclaim import FreedByRow
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
    survey: Survey, going: Collection[ObjectRef], reclaimable: FreedByRow, unused: FreedByRow
) -> tuple[ShareOfDisk, ...]:
    """Return a row for each type; `going` are the objects that the policy removes.

    `unused` is what these and all unused objects free."""
    inventory, sizes = survey.inventory, _sizes(survey)
    leaving = survey.unused.union(going)
    are_apart = survey.size_base == "lengths" and inventory.engine.flavour == "docker"
    logs = {_ref(container): _log(survey, container) for container in inventory.containers}
    of_reclaimable = _of_shares(reclaimable.of_rows, [log for ref, log in logs.items() if ref in going], are_apart)
    of_unused = _of_shares(unused.of_rows, [log for ref, log in logs.items() if ref in leaving], are_apart)
    rows = []
    for share in SHARES:
        is_known = share != "build-cache" or inventory.build_cache is not None
        count, in_use = _counts(survey, share, unused.nodes)
        external = measured_bytes(inventory) if share == "writable-layer" else ()
        size = sizes[share] if is_known else Interval(low_bytes=0, high_bytes=None)
        # Lengths of objects and of layers need not agree, nor do bounds of different width.
        if_policy = _at_most(of_reclaimable[share], size)
        if_unused = _at_most(_at_least(of_unused[share], if_policy), size)
        rows.append(
            ShareOfDisk(
                share=share,
                is_known=is_known,
                count=count + len(external),
                in_use=in_use + len(external),
                size=_at_least(size, exactly(if_unused.low_bytes)),
                reclaimable=if_policy,
                unused=if_unused,
                external=len(external),
                external_bytes=sum(external),
            )
        )
    return tuple(rows)


def _sizes(survey: Survey) -> dict[Share, Interval]:
    """Return how much each type uses; what images and build cache share is a type of its own."""
    graph, sizes = survey.layer_graph, survey.totals.shares
    on_disk = survey.size_base == "disk"
    highs = [graph.high[node] for node in graph.of_images_and_cache]
    lows = highs if on_disk else [graph.low[node] for node in graph.of_images_and_cache]
    shared = Interval(low_bytes=sum(low or 0 for low in lows), high_bytes=known_sum(highs))
    images = sizes["image"]
    taken = shared.low_bytes if on_disk else images.low_bytes if shared.high_bytes is None else shared.high_bytes
    others = Interval(
        low_bytes=max(0, images.low_bytes - taken),
        high_bytes=None if images.high_bytes is None else max(0, images.high_bytes - shared.low_bytes),
    )
    return {**sizes, "image": others, "shared": shared}


def _at_most(interval: Interval, most: Interval) -> Interval:
    """Return the bounds of a number that is at most another one."""
    if most.high_bytes is None or (interval.high_bytes is not None and interval.high_bytes <= most.high_bytes):
        return interval
    low = min(interval.low_bytes, most.high_bytes)
    reason = None if low == most.high_bytes else interval.reason
    return Interval(low_bytes=low, high_bytes=most.high_bytes, reason=reason)


def _at_least(interval: Interval, least: Interval) -> Interval:
    """Return the bounds of a number that is at least another one."""
    ends = (interval.high_bytes, least.high_bytes)
    high = None if None in ends else max(end or 0 for end in ends)
    low = max(interval.low_bytes, least.low_bytes)
    if (low, high) == (interval.low_bytes, interval.high_bytes):
        return interval
    return Interval(low_bytes=low, high_bytes=high, reason=None if low == high else interval.reason or least.reason)


def _log(survey: Survey, container: Container) -> Interval:
    """Return the size of a container's log; on disk at most what the container uses there."""
    log = log_size(container)
    own = survey.sizes.of(container) if survey.size_base == "disk" else None
    return log if own is None else _at_most(log, exactly(own))


def _ref(container: Container) -> ObjectRef:
    return ObjectRef(kind="container", id=container.id)


def _counts(survey: Survey, share: Share, freed: Collection[int]) -> tuple[int, int]:
    """Return how many there are, and how many are in use, as a scan counts: a stopped container uses what it names.

    `freed` are the parts that removing everything unused frees."""
    if share == "shared":
        graph = survey.layer_graph
        layers = [node for node in graph.of_images_and_cache if graph.high[node] != 0]
        return len(layers), sum(node not in freed for node in layers)
    if share == "container-log":
        # A log of 0 bytes is no log, or not in a file.
        logging = [container for container in survey.inventory.containers if container.log_bytes != 0]
        return len(logging), sum(_ref(container) not in survey.unused for container in logging)
    kind = KIND_OF[share]
    count = sum(1 for _ in objects_of(survey.inventory, kind))
    return count, count - sum([ref.kind == kind for ref in survey.unused])


def _of_shares(
    of_rows: Mapping[CountedWith | None, Interval], logs: Sequence[Interval], are_apart: bool
) -> dict[Share, Interval]:
    """Return type -> what it frees, with what containers free split into logs and writable layers.

    What a container frees includes its log, even if that was not read, unless they `are_apart`.
    """
    freed: dict[Share, Interval] = {share: of_rows.get(kind, NOTHING) for share, kind in KIND_OF.items()}
    freed["shared"] = of_rows.get("shared", NOTHING)
    both = freed["writable-layer"]
    low, high = sum(log.low_bytes for log in logs), [log.high_bytes for log in logs]
    if both.high_bytes is not None:
        # The logs cannot free more than all of it.
        low = min(low, both.high_bytes)
    of_all = known_sum(high)
    most = both.high_bytes if of_all is None else of_all
    if most is not None and both.high_bytes is not None:
        most = min(most, both.high_bytes)
    freed["container-log"] = Interval(low_bytes=low, high_bytes=most)
    freed["writable-layer"] = Interval(
        low_bytes=max(0, both.low_bytes - (low if are_apart else both.low_bytes if most is None else most)),
        high_bytes=None if both.high_bytes is None else max(0, both.high_bytes - low),
        reason=both.reason,
    )
    return freed
