"""What every output begins and ends with: which engine this was, and what could not be read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dockersweep.model.inventory import KINDS, Engine, Kind, ScanWarning
from dockersweep.model.outcome import Outcome, Status
from dockersweep.model.quantities import Instant
from dockersweep.model.storage import SizeBase
from dockersweep.report.local_time import local_time
from dockersweep.report.text import fold
from dockersweep.words.amounts import plural

if TYPE_CHECKING:
    from dockersweep.model.plan import Limits, Plan

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
NOT_REMOVED: tuple[Status, ...] = ("failed", "skipped", "not-attempted", "gone")
"""What may become of it but to be removed, the worst first."""

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
        f"{local_time(at)}"
    )


def kind_counts(counts: Mapping[Kind, int]) -> list[str]:
    """Return how many of each kind, in the order of the kinds: "2 images", "1 volume"."""
    return [plural(counts[kind], NOUN_OF[kind]) for kind in KINDS if counts.get(kind)]


def going_counts(plan: "Plan") -> tuple[Counter[Kind], int]:
    """Return how many objects of each kind a plan removes, and how many tags of images that stay."""
    counts = Counter(step.kind for step in plan.removals if step.action == "remove")
    return counts, sum(len(decision.untag) for decision in plan.decisions)


def over_limit_sentences(limits: "Limits", what: str = "Over") -> tuple[str, ...]:
    """Return over which limits of the policy a plan is, a sentence each, which begins with `what`."""
    return tuple(f"{what} a limit, so no sweep: {limit}." for limit in limits.exceeded)


def going_words(plan: "Plan") -> str:
    """Return "3 objects", or "3 objects and 2 tags" where images lose tags and stay."""
    counts, tags = going_counts(plan)
    count = counts.total()
    if not tags:
        return plural(count, "object")
    return f"{plural(count, 'object')} and {plural(tags, 'tag')}" if count else plural(tags, "tag")


def done_counts(outcomes: Sequence[Outcome]) -> tuple[Counter[Kind], int, Counter[Status]]:
    """Return how many objects of each kind were removed, how many tags of images that stayed, and how many of both
    ended in each other way: counted as plans count, in which an image is one however many tags it has."""
    of_objects = {one.ref: one for one in outcomes if one.action == "remove"}
    removed = Counter(ref.kind for ref, one in of_objects.items() if one.status == "removed")
    of_tags = [one for one in outcomes if one.action == "untag"]
    tags = sum(
        one.status == "removed" and (one.ref not in of_objects or of_objects[one.ref].status != "removed")
        for one in of_tags
    )
    others = [*of_objects.values(), *(one for one in of_tags if one.ref not in of_objects)]
    return removed, tags, Counter(one.status for one in others if one.status != "removed")


def engine_words(engine: Engine) -> str:
    """Return what a title calls an engine: its name, else its address."""
    return engine.name or engine.endpoint


def warning_sentences(warnings: Sequence[ScanWarning]) -> tuple[str, ...]:
    """Return the warnings of a scan, each as it is shown."""
    return tuple(f"Warning: {warning.about}: {warning.text}" for warning in warnings)


def warning_lines(warnings: Sequence[ScanWarning], width: int | None) -> str:
    """Return the warnings of a scan, a paragraph each; empty where there are none."""
    return "".join(fold(sentence, width) for sentence in warning_sentences(warnings))
