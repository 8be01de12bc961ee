"""What every output begins and ends with (the engine, the warnings), and the words for kinds, statuses and counts."""

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
    # Not "was gone": an edited plan may name what never existed.
    "gone": "not there",
    "skipped": "skipped",
    "failed": "failed",
    "not-attempted": "not attempted",
}
"""The status of a removal, in words."""
NOT_REMOVED: tuple[Status, ...] = ("failed", "skipped", "not-attempted", "gone")
"""All statuses other than removed, the worst first."""

BASE_WORDS: dict[SizeBase, str] = {"disk": "of disk blocks", "lengths": "as the engine counts"}
"""What a number of bytes counts; follows the number."""


def unused_sentence(has_stopped: bool) -> str:
    """Return what counts as unused; `has_stopped` if there are stopped containers, which may hold more."""
    more = " Once the stopped containers are gone, more may be freed." if has_stopped else ""
    return f"Unused is what no container holds, running or stopped.{more}"


def base_sentence(base: SizeBase, not_from_disk: str | None) -> str:
    """Return what sizes count, and why."""
    if base == "disk":
        return "Sizes are disk blocks, as du counts them."
    why = f" ({not_from_disk})" if not_from_disk else ""
    return f"Sizes are as the engine counts: lengths, not disk blocks{why}."


def engine_sentence(engine: Engine, at: Instant) -> str:
    """Return the engine, its endpoint, what chose it, and when it was scanned."""
    flavour = "Podman" if engine.flavour == "podman" else "Docker"
    return (
        f"{flavour} {engine.version} ({engine.image_store}) at {engine.endpoint}, from {engine.endpoint_source}, "
        f"{local_time(at)}"
    )


def kind_counts(counts: Mapping[Kind, int]) -> list[str]:
    """Return the count of each kind, in the order of the kinds: "2 images", "1 volume"."""
    return [plural(counts[kind], NOUN_OF[kind]) for kind in KINDS if counts.get(kind)]


def going_counts(plan: "Plan") -> tuple[Counter[Kind], int]:
    """Return how many objects of each kind a plan removes, and how many tags of images that stay."""
    counts = Counter(step.kind for step in plan.removals if step.action == "remove")
    return counts, sum(len(decision.untag) for decision in plan.decisions)


def over_limit_sentences(limits: "Limits", what: str = "Over") -> tuple[str, ...]:
    """Return a sentence for each limit of the policy that a plan exceeds, beginning with `what`."""
    return tuple(f"{what} a limit, so no sweep: {limit}." for limit in limits.exceeded)


def tags_of_staying(count: int) -> str:
    """Return a count of tags whose images stay: "1 tag of an image that stays"."""
    return "1 tag of an image that stays" if count == 1 else f"{count} tags of images that stay"


def going_words(plan: "Plan") -> str:
    """Return "3 objects", or "3 objects and 2 tags" where images lose tags and stay."""
    counts, tags = going_counts(plan)
    count = counts.total()
    if not tags:
        return plural(count, "object")
    return f"{plural(count, 'object')} and {plural(tags, 'tag')}" if count else plural(tags, "tag")


def done_counts(outcomes: Sequence[Outcome]) -> tuple[Counter[Kind], int, Counter[Status]]:
    """Return how many objects of each kind were removed, how many tags of images that stayed, and how many of both had
    each other status. As in plans, an image counts once, however many tags it has."""
    of_objects = {outcome.ref: outcome for outcome in outcomes if outcome.action == "remove"}
    removed = Counter(ref.kind for ref, outcome in of_objects.items() if outcome.status == "removed")
    of_tags = [outcome for outcome in outcomes if outcome.action == "untag"]
    tags = sum(
        outcome.status == "removed" and (outcome.ref not in of_objects or of_objects[outcome.ref].status != "removed")
        for outcome in of_tags
    )
    others = [*of_objects.values(), *(outcome for outcome in of_tags if outcome.ref not in of_objects)]
    return removed, tags, Counter(outcome.status for outcome in others if outcome.status != "removed")


def engine_words(engine: Engine) -> str:
    """Return the name of an engine for a title, else its endpoint."""
    return engine.name or engine.endpoint


def warning_sentences(warnings: Sequence[ScanWarning]) -> tuple[str, ...]:
    """Return the warnings of a scan, a sentence each."""
    return tuple(f"Warning: {warning.about}: {warning.text}" for warning in warnings)


def problems_of(warnings: Sequence[ScanWarning]) -> tuple[ScanWarning, ...]:
    """Return the warnings that need a person, for runs that nobody watches."""
    return tuple(warning for warning in warnings if warning.is_problem)


def warning_lines(warnings: Sequence[ScanWarning], width: int | None) -> str:
    """Return the warnings of a scan, a paragraph each; empty where there are none."""
    return "".join(fold(sentence, width) for sentence in warning_sentences(warnings))
