"""All findings of a report, the worst first, without those that the policy silences."""

import json
import shlex
from collections.abc import Callable, Collection
from glob import escape

from dockersweep.model.report import SEVERITIES, Finding, FindingId
from dockersweep.policy.disk_report import container_findings, engine_findings, image_findings, volume_findings
from dockersweep.policy.disk_report.catalogue import CATALOGUE
from dockersweep.policy.disk_report.scene import Evidence, Found, Scene, worst_first
from dockersweep.policy.patterns import is_regular_expression

MOST_EVIDENCE = 10
FINDERS: dict[FindingId, Callable[[Scene], Found]] = {
    "DS001": container_findings.logs_without_limit,
    "DS002": container_findings.large_writable_layers,
    "DS003": volume_findings.unused_for_long,
    "DS004": volume_findings.of_gone_projects,
    "DS005": volume_findings.of_gone_builders,
    "DS006": image_findings.kept_by_one_old_container,
    "DS007": image_findings.many_versions,
    "DS008": container_findings.restart_loops,
    "DS009": container_findings.stuck,
    "DS010": image_findings.dangling_every_day,
    "DS011": engine_findings.cache_over_limit,
    "DS012": engine_findings.cache_without_limit,
    "DS013": engine_findings.left_stores,
    "DS014": container_findings.stopped_and_restarting,
    "DS015": engine_findings.disk_nearly_full,
    "DS016": engine_findings.disk_fills_up,
    "DS017": engine_findings.disk_full_soon,
    "DS018": container_findings.left_by_builds,
    "DS019": volume_findings.not_marked_anonymous,
}


def find_all(scene: Scene, silenced: Collection[str]) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Return the findings, and the ids of those that are silenced."""
    found = [_finding(one, worst_first(finder(scene))) for one, finder in FINDERS.items()]
    told = [one for one in found if one is not None]
    told.sort(key=lambda one: (SEVERITIES.index(one.severity), -(one.size_bytes or 0), one.id))
    return (
        tuple(one for one in told if one.id not in silenced),
        tuple(sorted(one.id for one in told if one.id in silenced)),
    )


def _finding(id_: FindingId, evidence: list[Evidence]) -> Finding | None:
    if not evidence:
        return None
    known, first = CATALOGUE[id_], evidence[0]
    title = known.one if len(evidence) == 1 else known.many
    return Finding(
        id=id_,
        severity=known.severity,
        title=title.format(first.title or len(evidence)),
        evidence=tuple(one.text for one in evidence[:MOST_EVIDENCE]),
        objects=len(evidence),
        size_bytes=_sum(evidence),
        mend=known.mend.format(shlex.quote(first.name), pattern=_pattern(first.matched_by or first.name)),
    )


def _pattern(name: str) -> str:
    """Return, as TOML has it, the pattern that speaks of just this name: projects are called by anybody, and one that
    is called * must not become a rule for all."""
    glob = escape(name)
    text = json.dumps(f"[/]{glob[1:]}" if is_regular_expression(glob) else glob, ensure_ascii=False)
    # The one character that JSON takes as it is, and TOML does not.
    return text.replace("\x7f", r"\u007f")


def _sum(evidence: list[Evidence]) -> int | None:
    sizes = [one.size_bytes for one in evidence]
    return None if None in sizes else sum(size or 0 for size in sizes)
