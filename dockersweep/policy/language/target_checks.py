"""Problems of the combination of keys in the target of a policy file, where each key is valid by itself."""

from collections.abc import Iterator

from dockersweep.model.policy import Space
from dockersweep.model.policyfile import TargetTable
from dockersweep.policy.language.problems import KeyProblem
from dockersweep.units import parse_percent, parse_size

FAMILIES = {
    "start_above": ("start_above", "stop_below", "inodes_above", "inodes_below"),
    "max_used": ("max_used", "min_free", "reserved"),
    "free": ("free",),
}


def target_problems(target: TargetTable, is_whole: bool) -> Iterator[KeyProblem]:
    """Yield the problems; none about missing keys without `is_whole`, that is if keys with problems were left out."""
    families = {name: [key for key in keys if getattr(target, key) is not None] for name, keys in FAMILIES.items()}
    used = [keys for keys in families.values() if keys]
    if len(used) > 1:
        text = (
            f"{used[1][0]} does not go with {used[0][0]}: a target is start_above with stop_below (or inodes_above), "
            f"or max_used, min_free and reserved, or free"
        )
        yield KeyProblem(("target", used[1][0]), text)
    elif not used and is_whole:
        yield KeyProblem(("target",), 'this target asks for no space: write, say, start_above = "85%" or free = "20GB"')
    yield from _of_thresholds(target, is_whole)
    yield from _of_build_kit(target, is_whole)
    order = target.order or []
    for kind in sorted({kind for kind in order if order.count(kind) > 1}):
        yield KeyProblem(("target", "order"), f'"{kind}" stands there twice: it can go only once', at="value")


def read_space(text: str) -> Space:
    """Return an amount of space: a percentage of the disk, or bytes."""
    if "%" in text:
        return Space(text=text, percent=parse_percent(text))
    return Space(text=text, size_bytes=parse_size(text))


def _of_thresholds(target: TargetTable, is_whole: bool) -> Iterator[KeyProblem]:
    for above, below in (("start_above", "stop_below"), ("inodes_above", "inodes_below")):
        start, stop = getattr(target, above), getattr(target, below)
        if stop is None or (start is None and not is_whole):
            continue
        if start is None:
            yield KeyProblem(("target", below), f"{below} does not tell when to begin: write {above} too")
            continue
        relation = _compared(read_space(stop), read_space(start))
        if relation is None:
            text = f"{below} = {stop} and {above} = {start} cannot be compared: write both in %, or both as sizes"
            yield KeyProblem(("target", below), text, at="value")
        elif relation > 0:
            text = f"{below} = {stop} is more than {above} = {start}: it would end before it begins"
            yield KeyProblem(("target", below), text, at="value")


def _of_build_kit(target: TargetTable, is_whole: bool) -> Iterator[KeyProblem]:
    most, least, own = (
        None if text is None else read_space(text) for text in (target.max_used, target.min_free, target.reserved)
    )
    if least is not None and least.percent == 100:
        yield KeyProblem(("target", "min_free"), "no disk can be free as a whole: write less than 100%", at="value")
    if own is None:
        return
    if most is None and least is None and is_whole:
        yield KeyProblem(("target", "reserved"), "reserved asks for nothing to go: write max_used or min_free too")
    if most is not None and (_compared(own, most) or 0) > 0:
        text = f"reserved = {own.text} is more than max_used = {most.text}, which then could never hold"
        yield KeyProblem(("target", "reserved"), text, at="value")
    if (
        least is not None
        and own.percent is not None
        and least.percent is not None
        and own.percent + least.percent > 100
    ):
        text = f"reserved = {own.text} and min_free = {least.text} are more than the disk: both can never hold"
        yield KeyProblem(("target", "reserved"), text, at="value")


def _compared(space: Space, other: Space) -> int | None:
    """Return 1 if the first is more, -1 if it is less, 0 if both are equal, None if that is not known."""
    if space.percent is not None and other.percent is not None:
        return (space.percent > other.percent) - (space.percent < other.percent)
    if space.size_bytes is not None and other.size_bytes is not None:
        return (space.size_bytes > other.size_bytes) - (space.size_bytes < other.size_bytes)
    return None
