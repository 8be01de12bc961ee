"""Findings about what nobody owns in the engine's folders: what finds each, and its row.

Nothing of dockersweep removes these: no list of the engine has them, and no request of its API takes them away.
"""

from collections.abc import Callable, Iterator

from dockersweep.model.engine_folder import LeakedFolder, LeakKind
from dockersweep.model.quantities import known_sum
from dockersweep.policy.disk_report.evidence import Evidence
from dockersweep.policy.disk_report.finding_facts import FindingFacts
from dockersweep.policy.disk_report.finding_row import FindingRow, FixTemplate
from dockersweep.units import HOUR, format_duration, format_size

YOUNG_SECONDS = HOUR
"""What changed later may be in the making."""
LEAST_BYTES = 1_000_000
"""Less, all together, is not worth stopping an engine for."""
_WHY = {
    "unnamed": "",
    "removal-unfinished": ", left by a removal that did not finish",
}


def leaked(kind: LeakKind) -> Callable[[FindingFacts], Iterator[Evidence]]:
    """Return what yields the things of one kind that nobody owns, where they are large enough together."""

    def find(facts: FindingFacts) -> Iterator[Evidence]:
        leaks = [one for one in leaks_of(facts) if one.kind == kind]
        if (known_sum(one.size_bytes for one in leaks) or 0) >= LEAST_BYTES:
            yield from (_evidence(facts, one) for one in leaks)

    return find


def leaks_of(facts: FindingFacts) -> Iterator[LeakedFolder]:
    """Yield what nobody owns and is not in the making."""
    for leak in facts.inventory.folder.leaks if facts.inventory.folder else ():
        age = facts.seconds_since(leak.changed_at)
        if age is not None and age >= YOUNG_SECONDS:
            yield leak


def _evidence(facts: FindingFacts, leak: LeakedFolder) -> Evidence:
    age = format_duration(facts.seconds_since(leak.changed_at) or 0)
    text = f"{leak.path}: {format_size(leak.size_bytes)}, last changed {age} ago{_WHY[leak.why]}"
    return Evidence(text, leak.size_bytes, name=leak.path)


LEAK_FINDINGS = (
    FindingRow(
        "DS021",
        "warning",
        title_of_one="1 layer folder belongs to no image, container or build",
        title_of_many="{} layer folders belong to no image, container or build",
        fix=FixTemplate(
            "restart the engine and look again, which ends removals that did not finish; then stop the engine, move "
            "what is still listed elsewhere ({name} and so on), start it, and delete that once everything runs",
        ),
        find=leaked("layer"),
    ),
)
