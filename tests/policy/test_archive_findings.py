"""The findings about the archive."""

from typing import Any

import pytest

from dockersweep.model.report import ArchiveState, Finding, Report
from dockersweep.policy.disk_report import make_report
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.policy.planning.planner import foresee
from dockersweep.report.disk.words import archive_sentences, share_rows
from tests.policy.findings_of import GIGA, MEGA
from tests.rig.inventories import NOW, ago, inventory

IDS = ("DS028", "DS029", "DS030")


def report_with(archive: ArchiveState | None) -> Report:
    """Return the report on an empty engine with an archive."""
    survey = Survey(inventory(), NOW)
    return make_report(survey, DEFAULT_POLICY, foresee(survey, DEFAULT_POLICY), None, archive)


def findings(**state: Any) -> list[Finding]:
    """Return the findings about an archive."""
    made = report_with(ArchiveState(folder="/srv/archive", **{"objects": 3, "size_bytes": GIGA, **state}))
    return [finding for finding in made.findings if finding.id in IDS]


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"max_bytes": 2 * GIGA},
        {"free_bytes": 3 * GIGA, "min_free_bytes": 2 * GIGA},
        {"size_bytes": None, "max_bytes": 1},
    ],
)
def test_nothing_to_say(state: dict[str, Any]) -> None:
    assert findings(**state) == []


def test_it_is_nearly_as_large_as_it_may_be() -> None:
    [finding] = findings(max_bytes=GIGA + 100 * MEGA)
    assert (finding.id, finding.title) == ("DS028", "the archive is nearly full: 1.00 GB of 1.10 GB")
    assert finding.evidence == ("/srv/archive: it may take 1.10 GB (archive.max_size), and its oldest runs go first",)
    assert findings(max_bytes=GIGA + 200 * MEGA) == []


def test_its_disk_is_nearly_full() -> None:
    [finding] = findings(free_bytes=1100 * MEGA, min_free_bytes=GIGA)
    assert (finding.id, finding.title) == ("DS028", "the archive is nearly full: its disk has 1.10 GB free")


def test_it_cannot_be_used() -> None:
    [finding] = findings(problem="the archive cannot be read: /srv/archive: Permission denied", size_bytes=None)
    assert (finding.id, finding.severity) == ("DS029", "critical")
    assert finding.evidence == ("the archive cannot be read: /srv/archive: Permission denied",)


def test_it_is_damaged() -> None:
    [finding] = findings(damaged=("volumes/a/data.tar.zst is damaged", "volumes/b/data.tar.zst is damaged"))
    assert (finding.id, finding.title) == ("DS030", "2 files of the archive are damaged")


def test_it_has_a_row() -> None:
    state = ArchiveState(
        folder="/srv/archive", objects=3, size_bytes=GIGA, max_bytes=2 * GIGA, oldest_at=ago(days=2)
    )  # fmt: skip
    assert share_rows(report_with(state))[-1] == ("Archive", "3", "", "", "1.00 GB", "", "")
    [sentence] = archive_sentences(report_with(state))
    assert sentence.startswith("The archive is in /srv/archive, which may take 2.00 GB; its oldest run is of 20")
    assert "Archive" not in [row[0] for row in share_rows(report_with(None))]
    assert archive_sentences(report_with(None)) == []


def test_of_one_that_cannot_be_read_nothing_is_made_up() -> None:
    state = ArchiveState(folder="/srv/archive", problem="the archive cannot be read")
    assert share_rows(report_with(state))[-1] == ("Archive", "unknown", "", "", "unknown", "", "")
