"""The findings about the archive."""

from typing import Any

import pytest
from msgspec.structs import replace

from dockersweep.model.report import ArchiveState, Finding, Report
from dockersweep.policy.disk_report import make_report
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.policy.planning.planner import foresee
from dockersweep.report.disk.words import archive_sentences, share_rows
from dockersweep.report.local_time import day_of
from tests.policy.findings_of import GIGA, MEGA
from tests.rig.inventories import NOW, ago, inventory

IDS = ("DS028", "DS029", "DS030")


def report_with(*archives: ArchiveState) -> Report:
    """Return the report on an empty engine with archives."""
    survey = Survey(inventory(), NOW)
    return make_report(survey, DEFAULT_POLICY, foresee(survey, DEFAULT_POLICY), None, archives)


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
    assert "Archive" not in [row[0] for row in share_rows(report_with())]


def test_a_sentence_tells_what_is_in_it_until_when_and_whether_it_is_whole() -> None:
    assert archive_sentences(report_with()) == []
    state = ArchiveState(
        folder="/srv/archive", objects=18, runs=3, size_bytes=GIGA, max_bytes=5 * GIGA, on_engine_disk=True,
        until_first=ago(days=-2), until_last=ago(days=-16), unverified_runs=3,
    )  # fmt: skip
    until = f"kept until {day_of(ago(days=-2), NOW)} to {day_of(ago(days=-16), NOW)}"
    has = (
        f"The archive /srv/archive has 18 objects in 3 runs (1.00 GB of at most 5.00 GB), {until}, on the engine's disk"
    )
    assert archive_sentences(report_with(state)) == [f"{has}, never verified: `dockersweep archive verify`."]
    seen = replace(state, verified_at=ago(days=1), unverified_runs=1)
    assert archive_sentences(report_with(seen)) == [f"{has}, last verified {day_of(ago(days=1), NOW)}, 1 run never."]
    other = ArchiveState(folder="/mnt/usb", size_bytes=0)
    assert archive_sentences(report_with(state, other))[1] == "The archive /mnt/usb is empty (0 B)."
    broken = ArchiveState(folder="/mnt/usb", problem="it cannot be read")
    assert archive_sentences(report_with(broken)) == ["The archive /mnt/usb cannot be read."]


def test_other_archives_have_their_findings_too() -> None:
    whole = ArchiveState(folder="/srv/archive", size_bytes=GIGA)
    told = report_with(whole, replace(whole, folder="/mnt/usb", damaged=("x is damaged",)))
    [finding] = [finding for finding in told.findings if finding.id in IDS]
    assert (finding.id, finding.evidence) == ("DS030", ("x is damaged",))
    assert "dockersweep restore RUN still brings back what else is in that run" in finding.fix.text
    assert told.other_archives[0].folder == "/mnt/usb"


def test_of_one_that_cannot_be_read_nothing_is_made_up() -> None:
    state = ArchiveState(folder="/srv/archive", problem="the archive cannot be read")
    assert share_rows(report_with(state))[-1] == ("Archive", "unknown", "", "", "unknown", "", "")
