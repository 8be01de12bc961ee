"""The question before a plan is carried out."""

import re
from collections import defaultdict
from collections.abc import Iterator

from dockersweep.model.plan import Decision, Plan
from dockersweep.report.headline import going_counts, kind_counts, tags_of_staying
from dockersweep.words.amounts import amount_words, format_interval, hold, holders_words, plural
from dockersweep.words.lists import both, first_of, naturally

MOST_NAMES = 5
"""The most names of what cannot be recovered, of each kind."""
_LONG_ID = re.compile(r"[0-9a-f]{64}")
_SHORT = 12


def question(plan: Plan) -> str:
    """Return the question: "No undo for volume pg-old and files in container job. Remove 1 container and 1 volume
    (freeing 1.20 GB)?"."""
    counts, tags = going_counts(plan)
    parts = kind_counts(counts)
    if tags:
        parts.append(tags_of_staying(tags))
    lost = lost_words(plan)
    no_undo = f"No undo for {lost}. " if lost else ""
    return f"{no_undo}Remove {both(parts)} (freeing {amount_words(plan.reclaim)}{_with_cache(plan)})?"


def lost_words(plan: Plan) -> str:
    """Return what cannot be recovered: "volume pg-old and files in container job"; empty for nothing."""
    return both(_lost(plan))


def _with_cache(plan: Plan) -> str:
    """Return what would be freed along with the build-cache records that hold layers of removed images."""
    held = plan.layers_held
    if held is None or held.with_them is None:
        return ""
    return f"; {format_interval(held.with_them)} with {holders_words(held)} that {hold(held)} {layers_of_images(plan)}"


def layers_of_images(plan: Plan) -> str:
    """Return words for the held layers of removed images: "layers of these images"."""
    counts, _ = going_counts(plan)
    return f"layers of {'this image' if counts['image'] == 1 else 'these images'}"


def only_here(plan: Plan) -> list[str]:
    """Return the names of removed images that exist nowhere else, in natural order; all tags of one: "api:1 =
    api:stable"."""
    tags: defaultdict[str, list[str]] = defaultdict(list)
    for step in plan.removals:
        if step.action == "untag":
            tags[step.id].append(step.name)
    return naturally(
        " = ".join((decision.name, *naturally(tags[decision.id])))
        for decision in _going(plan)
        if any(reason.code == "only-here" for reason in decision.reasons)
    )


def _lost(plan: Plan) -> Iterator[str]:
    """Yield what cannot be recovered: volumes, images that exist only here, and what containers wrote."""
    going = list(_going(plan))
    volumes = naturally(decision.name for decision in going if decision.kind == "volume")
    # Nothing was ever written to a layer of 0 bytes; one of unknown size may hold anything.
    layers = naturally(decision.name for decision in going if decision.kind == "container" and decision.size_bytes != 0)
    for of, noun, names in (
        ("", "volume", volumes),
        ("", "image", only_here(plan)),
        ("files in ", "container", layers),
    ):
        if names:
            counted = noun if len(names) == 1 else plural(len(names), noun)
            named = first_of(list(map(_short, names)), MOST_NAMES)
            yield f"{of}{counted} ({named})" if len(names) > 1 else f"{of}{counted} {named}"


def _short(name: str) -> str:
    """Return a name, shortened as docker shortens ids if it is one (names of anonymous volumes are)."""
    return name[:_SHORT] if _LONG_ID.fullmatch(name) else name


def _going(plan: Plan) -> Iterator[Decision]:
    return (decision for decision in plan.decisions if decision.verdict == "remove")
