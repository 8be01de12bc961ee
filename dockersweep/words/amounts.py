"""Numbers in sentences: counts, bytes within bounds, and percentages."""

from dockersweep.model.inventory import Kind
from dockersweep.model.naming import PLURAL_OF
from dockersweep.model.plan import LayersHeld
from dockersweep.model.quantities import Bounds
from dockersweep.units import format_size


def plural(count: int, noun: str) -> str:
    """Return "1 image", "3 images"; grouped digits from 10,000 on."""
    shown = f"{count:,}" if count >= 10_000 else str(count)
    return f"{shown} {noun}" if count == 1 else f"{shown} {noun}s"


def ordinal(number: int) -> str:
    """Return "1st", "2nd", "13th"."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def format_interval(interval: Bounds) -> str:
    """Return "21.0 MB", "1.20 MB to 3.40 MB", "at least 5 B" or "unknown"."""
    low, high = format_size(interval.low_bytes), format_size(interval.high_bytes)
    if interval.high_bytes is None:
        return f"at least {low}" if interval.low_bytes else "unknown"
    if low == high:
        return high
    return f"up to {high}" if interval.low_bytes == 0 else f"{low} to {high}"


def amount_words(interval: Bounds, unknown: str = "an unknown number of bytes") -> str:
    """Return the same for a sentence; `unknown` is the phrase for an amount that is not known at all."""
    amount = format_interval(interval)
    return unknown if amount == "unknown" else amount


def layers_text(held: LayersHeld, kind: Kind, *, others_go: bool = False) -> str:
    """Return why an object of a kind frees far less than its size: "its layers are held by 7 build-cache records; with
    them it would free 38.0 MB", "its layers are shared with 3 images". `others_go` as in `held_words`."""
    layers = "its layer is" if kind == "build-cache" else "its layers are"
    text = f"{layers} {held_words(held, others_go=others_go)}"
    if held.with_them is None:
        return text
    together = "removing both" if held.count == 1 else "with them it"
    return f"{text}; {together} would free {format_interval(held.with_them)}"


def held_words(held: LayersHeld, *, others_go: bool = False) -> str:
    """Return a short form, to follow a size: "held by 7 build-cache records", "shared with 3 images".

    With `others_go`, other holders are removed: "held by 7 build-cache records that stay".
    """
    stay = f" that {'stays' if held.count == 1 else 'stay'}" if others_go else ""
    return f"{'shared with' if held.by == 'image' else 'held by'} {holders_words(held)}{stay}"


def hold(held: LayersHeld) -> str:
    """Return the verb for the holders of layers: "hold", or "holds" for one."""
    return "holds" if held.count == 1 else "hold"


def holders_words(held: LayersHeld) -> str:
    """Return how many hold layers: "7 build-cache records", "over 100 images"."""
    if held.count is None:
        return f"over 100 {PLURAL_OF[held.by]}"
    return plural(held.count, PLURAL_OF[held.by].removesuffix("s"))


def percent_as_df(used: int, whole: int) -> int:
    """Return the used percentage of a whole, rounded up as df does; 0 for a whole of 0."""
    return max(0, -(-100 * used // whole)) if whole > 0 else 0
