"""All findings of a report, the worst first, except those that the policy silences."""

from collections.abc import Collection, Sequence

from dockersweep.model.quantities import known_sum
from dockersweep.model.report import SEVERITIES, Finding
from dockersweep.policy.disk_report.archive_findings import ARCHIVE_FINDINGS
from dockersweep.policy.disk_report.container_findings import CONTAINER_FINDINGS
from dockersweep.policy.disk_report.engine_findings import ENGINE_FINDINGS
from dockersweep.policy.disk_report.evidence import Evidence, worst_first
from dockersweep.policy.disk_report.finding_facts import FindingFacts
from dockersweep.policy.disk_report.finding_row import FindingRow
from dockersweep.policy.disk_report.image_findings import IMAGE_FINDINGS
from dockersweep.policy.disk_report.leak_findings import LEAK_FINDINGS
from dockersweep.policy.disk_report.volume_findings import VOLUME_FINDINGS

_OF_ALL = (
    CONTAINER_FINDINGS, VOLUME_FINDINGS, IMAGE_FINDINGS, ENGINE_FINDINGS, LEAK_FINDINGS, ARCHIVE_FINDINGS,
)  # fmt: skip
FINDING_ROWS = sorted((row for rows in _OF_ALL for row in rows), key=lambda row: row.id)
MOST_EVIDENCE = 10


def find_all(facts: FindingFacts, silenced: Collection[str]) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Return the findings, and the ids of the silenced ones."""
    every = [(row, worst_first(row.find(facts))) for row in FINDING_ROWS]
    findings = [_finding(row, evidence) for row, evidence in every if evidence]
    findings.sort(key=lambda finding: (SEVERITIES.index(finding.severity), -(finding.size_bytes or 0), finding.id))
    return (
        tuple(finding for finding in findings if finding.id not in silenced),
        tuple(sorted(finding.id for finding in findings if finding.id in silenced)),
    )


def _finding(row: FindingRow, evidence: Sequence[Evidence]) -> Finding:
    first = evidence[0]
    title = row.title_of_one if len(evidence) == 1 else row.title_of_many
    shown = evidence[:MOST_EVIDENCE]
    fix = row.fix_for(shown)
    return Finding(
        id=row.id,
        severity=row.severity,
        title=title.format(first.title or len(evidence)),
        evidence=tuple(piece.text for piece in shown),
        objects=len(evidence),
        size_bytes=known_sum([piece.size_bytes for piece in evidence]),
        fix=fix,
        mend=fix.text,
    )
