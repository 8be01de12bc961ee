"""The question before a plan is carried out."""

from collections import defaultdict
from collections.abc import Iterator

from dockersweep.model.plan import Plan
from dockersweep.report.headline import going_counts, kind_counts, tags_of_staying
from dockersweep.report.local_time import day_of
from dockersweep.words.amounts import amount_words, format_interval, hold, holders_words
from dockersweep.words.lists import both, naturally
from dockersweep.words.recovery import Removed, lost_words, may_go_sentence, recovery_words


def question(plan: Plan) -> str:
    """Return the question: "1 can be pulled again; 1 cannot be recovered: volume pg-old (1.00 GB). Remove 1 image and
    1 volume (freeing 1.20 GB)?"."""
    counts, tags = going_counts(plan)
    parts = kind_counts(counts)
    if tags:
        parts.append(tags_of_staying(tags))
    ways_back = ways_back_words(plan)
    early = early_words(plan)
    recovery = f"{ways_back}. " if ways_back else ""
    recovery += f"{early} " if early else ""
    freeing = f"{amount_words(plan.reclaim)}{archived_words(plan)}{_with_cache(plan)}"
    return f"{recovery}Remove {both(parts)} (freeing {freeing})?"


def ways_back_words(plan: Plan, *, names_folder: bool = False) -> str:
    """Return how the removals of a plan can be taken back, and the names of what cannot be recovered; empty where
    nothing is removed, or an older version made the plan. `names_folder` says where the archive is, too."""
    _, tags = going_counts(plan)
    archive = plan.policy.archive
    up_to = "" if archive is None or archive.max_size is None else "up to "
    kept = "" if archive is None else f"kept {up_to}{archive.keep_for.words()}"
    removed = list(_removed(plan))
    if not (removed or _has_ways_back(plan)):
        return ""
    takes = None if plan.archive is None else plan.archive.takes
    return recovery_words(removed, tags, kept, takes, _folder(plan) if names_folder else "")


def _folder(plan: Plan) -> str:
    share = plan.archive
    if share is None or not share.folder:
        return ""
    return f" in {share.folder}{', which will be made' if share.is_new else ''}"


def early_words(plan: Plan) -> str:
    """Return a sentence on what may go from the archive before its time to make room; empty for nothing."""
    return may_go_sentence(plan.archive.makes_room) if plan.archive is not None else ""


def words_for_lost(plan: Plan) -> str:
    """Return what of a plan cannot be recovered; empty for nothing."""
    return lost_words(_removed(plan))


def archived_words(plan: Plan) -> str:
    """Return how much of what is freed the archive takes, to follow that amount; empty where it is on another disk."""
    archive = plan.archive
    if archive is None or archive.on_engine_disk is False or archive.takes.high_bytes == 0:
        return ""
    day, most, freed = day_of(archive.until, plan.now), archive.takes.high_bytes, plan.reclaim.high_bytes
    may = "takes" if archive.on_engine_disk else "may take"
    if most is not None and freed is not None and most >= freed:
        return f", all of which the archive may take until {day}: maybe no net gain"
    return f", of which the archive {may} {amount_words(archive.takes, 'an unknown part')} until {day}"


def _removed(plan: Plan) -> Iterator[Removed]:
    tags: defaultdict[str, list[str]] = defaultdict(list)
    for step in plan.removals:
        if step.action == "untag":
            tags[step.id].append(step.name)
    sizes = {decision.ref: decision.size_bytes for decision in plan.decisions if decision.verdict == "remove"}
    for step in plan.removals:
        if step.action == "remove" and step.recovery is not None:
            name = " = ".join((step.name, *naturally(tags[step.id]))) if step.kind == "image" else step.name
            yield Removed(step.kind, name, sizes.get(step.ref), step.recovery)


def _has_ways_back(plan: Plan) -> bool:
    return any(step.recovery is not None for step in plan.removals)


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
