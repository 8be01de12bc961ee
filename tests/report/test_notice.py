"""How a run ended, as a message to people: the worst first, a short title, and nothing that steers a terminal."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dockersweep.model.outcome import Archived, FailureDocument, Outcome, OutcomeDocument, TargetOutcome
from dockersweep.report.notice import LONGEST_TITLE, failure_notice, outcome_notice
from tests.report.test_outcome import DOCUMENT
from tests.rig.inventories import ENGINE, NOW

REMOVED = Outcome(
    kind="volume", id="v", name="data", action="remove", status="removed", detail=None, freed_bytes=3_000_000
)
FAILED = replace(REMOVED, id="w", name="other", status="failed", detail="device busy", freed_bytes=None)
MISSED = TargetOutcome(wanted_bytes=5_000_000, freed_bytes=3_000_000, reached=False, text="nothing else may be removed")
ARCHIVED = Archived(folder="/srv/archive", objects=1, archived_bytes=1_000_000, until=NOW, on_engine_disk=False)
BASE = replace(DOCUMENT, outcomes=(REMOVED,), run=7, warnings=())
FAILURE = FailureDocument(
    schema="dockersweep.failure/1",
    verb="sweep",
    machine="ci-1",
    engine=None,
    ended_at=NOW,
    exit_status=5,
    error="cannot reach the engine",
    policy_source="the policy in /etc/dockersweep/dockersweep.toml",
    run=None,
)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (BASE, ["removed 1 volume"]),
        (replace(BASE, outcomes=()), ["nothing to remove"]),
        (replace(BASE, outcomes=(FAILED,)), ["1 removal failed"]),
        (replace(BASE, outcomes=(replace(REMOVED, status="skipped"),)), ["nothing removed"]),
        (replace(BASE, outcomes=(REMOVED, FAILED)), ["1 removal failed", "removed 1 volume"]),
        (replace(BASE, target=MISSED), ["space target missed", "removed 1 volume"]),
        (
            replace(BASE, target=replace(MISSED, reached=None)),
            ["not known whether the target was reached", "removed 1 volume"],
        ),
        (replace(BASE, target=replace(MISSED, reached=True)), ["removed 1 volume"]),
        (
            replace(BASE, ended_early="interrupted", ended_by="signal", outcomes=(REMOVED, FAILED)),
            ["ended early", "1 removal failed", "removed 1 volume"],
        ),
    ],
)
def test_the_title_has_the_worst_first(document: OutcomeDocument, words: list[str]) -> None:
    title = outcome_notice(document, 0).title
    start = f"dockersweep on {ENGINE.name}: "
    assert title.startswith(start)
    assert [part.partition(", freed")[0] for part in title.removeprefix(start).split("; ")] == words


def test_the_text_says_what_failed_and_where_the_archive_is() -> None:
    document = replace(BASE, outcomes=(REMOVED, FAILED), target=MISSED, archived=ARCHIVED)
    lines = outcome_notice(document, 3).text.splitlines()
    assert lines[0] == "Failed: volume other: device busy"
    assert "Removed objects: volume data." in lines
    assert any(line.startswith("In the archive in /srv/archive until ") for line in lines)
    assert any(line.endswith("`dockersweep restore 7` takes back what can be made again.") for line in lines)
    assert "Target missed: freed 3.00 MB of 5.00 MB; nothing else may be removed." in lines
    assert lines[-1] == "Exit status 3. `dockersweep history 7` tells more."


def test_an_error_after_the_removals_comes_first() -> None:
    notice = outcome_notice(BASE, 2, "/x cannot be written: No space left on device")
    assert notice.title.startswith(f"dockersweep on {ENGINE.name}: the run failed after its removals; removed 1 volume")
    assert notice.text.splitlines()[0] == "Error: /x cannot be written: No space left on device."


def test_a_failure_names_the_engine_or_else_the_machine() -> None:
    assert failure_notice(FAILURE).title == "dockersweep on ci-1: sweep failed"
    assert failure_notice(FAILURE).text.splitlines() == [
        "Error: cannot reach the engine.",
        "It ran on the machine ci-1, by the policy in /etc/dockersweep/dockersweep.toml.",
        "Exit status 5.",
    ]
    known = failure_notice(replace(FAILURE, engine=ENGINE, run=3))
    assert known.title == f"dockersweep on {ENGINE.name}: sweep failed"
    assert known.text.splitlines()[-1] == "Exit status 5. `dockersweep history 3` tells more."


def test_what_an_engine_says_has_no_control_characters_and_no_lines_of_its_own() -> None:
    evil = "x\x1b[31m\nSubject: y"
    named = replace(BASE, engine=replace(ENGINE, name=evil), outcomes=(replace(FAILED, name=evil, detail=evil),))
    for notice in (outcome_notice(named, 3), failure_notice(replace(FAILURE, engine=named.engine, error=evil))):
        assert notice.title.isprintable()
        assert all(line.isprintable() for line in notice.text.split("\n"))
        assert not any(line.startswith("Subject") for line in notice.text.split("\n"))


def test_a_title_is_short() -> None:
    assert len(outcome_notice(replace(BASE, engine=replace(ENGINE, name="n" * 1000)), 0).title) == LONGEST_TITLE
