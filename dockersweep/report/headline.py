"""What every output begins and ends with: which engine this was, and what could not be read."""

from collections.abc import Sequence

from dockersweep.model.inventory import Engine, Kind, ScanWarning
from dockersweep.model.outcome import Status
from dockersweep.model.plan import Interval
from dockersweep.model.quantities import Instant
from dockersweep.model.storage import SizeBase
from dockersweep.report.text import printable, wrap
from dockersweep.units import format_instant, format_size

TITLE_OF: dict[Kind, str] = {
    "container": "Containers",
    "image": "Images",
    "volume": "Volumes",
    "network": "Networks",
    "build-cache": "Build cache",
}
NOUN_OF: dict[Kind, str] = {
    "container": "container",
    "image": "image",
    "volume": "volume",
    "network": "network",
    "build-cache": "build-cache record",
}

STATUS_WORDS: dict[Status, str] = {
    "removed": "removed",
    # A plan that somebody edited may name what never was.
    "gone": "not there",
    "skipped": "skipped",
    "failed": "failed",
    "not-attempted": "not attempted",
}
"""What became of a removal, to people."""

INDENT = "  "
BASE_WORDS: dict[SizeBase, str] = {"disk": "of disk blocks", "lengths": "as the engine counts"}
"""What a number of bytes counts, to be said behind it."""


def base_sentence(base: SizeBase, not_from_disk: str | None) -> str:
    """Return what sizes count, and why."""
    if base == "disk":
        return "Sizes are disk blocks, as du counts them."
    why = f" ({not_from_disk})" if not_from_disk else ""
    return f"Sizes are as the engine counts: lengths, not disk blocks{why}."


def engine_sentence(engine: Engine, at: Instant) -> str:
    """Return which engine, where, who said so, and when."""
    flavour = "Podman" if engine.flavour == "podman" else "Docker"
    return (
        f"{flavour} {engine.version} ({engine.image_store}) at {engine.endpoint}, from {engine.endpoint_source}, "
        f"{format_instant(at)}"
    )


def engine_line(engine: Engine, at: Instant, width: int | None) -> str:
    """Return the same as a paragraph."""
    return fold(engine_sentence(engine, at), width)


def engine_words(engine: Engine) -> str:
    """Return what a title calls an engine: its name, else its address."""
    return engine.name or engine.endpoint


def warning_sentences(warnings: Sequence[ScanWarning]) -> tuple[str, ...]:
    """Return the warnings of a scan, each as it is shown."""
    return tuple(f"Warning: {warning.about}: {warning.text}" for warning in warnings)


def warning_lines(warnings: Sequence[ScanWarning], width: int | None) -> str:
    """Return the warnings of a scan, a paragraph each; empty where there are none."""
    return "".join(fold(sentence, width) for sentence in warning_sentences(warnings))


def fold(text: str, width: int | None) -> str:
    """Return a paragraph, made printable, with a closing newline."""
    clean = printable(text)
    return "\n".join(wrap(clean, width) if width is not None else [clean]) + "\n"


def fold_hanging(text: str, width: int | None) -> str:
    """Return a paragraph, made printable, whose lines after the first are indented."""
    clean = printable(text)
    if width is None:
        return f"{clean}\n"
    first = wrap(clean, width)[0]
    words = clean.split(" ")[len(first.split(" ")) :]
    rest = wrap(" ".join(words), width - len(INDENT)) if words else []
    return "".join(f"{line}\n" for line in (first, *(f"{INDENT}{line}" for line in rest)))


def format_interval(interval: Interval) -> str:
    """Return "21.0 MB", "1.20 MB to 3.40 MB", "at least 5 B" or "unknown"."""
    low, high = format_size(interval.low_bytes), format_size(interval.high_bytes)
    if interval.high_bytes is None:
        return f"at least {low}" if interval.low_bytes else "unknown"
    if low == high:
        return high
    return f"up to {high}" if interval.low_bytes == 0 else f"{low} to {high}"


def amount_words(interval: Interval) -> str:
    """Return the same where it stands in a sentence."""
    amount = format_interval(interval)
    return "an unknown number of bytes" if amount == "unknown" else amount
