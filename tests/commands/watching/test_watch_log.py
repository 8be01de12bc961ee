"""The lines of a watcher: read by somebody who did not write it, and by programs."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from dockersweep.commands.options import LogFormat
from dockersweep.commands.watching.watch_log import WatchLog
from dockersweep.model.watching import ChildResult, EventGap, SummedGaps
from tests.rig.inventories import ENGINE

BOX = replace(ENGINE, endpoint="unix:///s", name="box")
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
GAP = EventGap(begins_at=AT, ends_at=AT + timedelta(minutes=5), why="engine restarted")
MANY = SummedGaps(begins_at=AT, ends_at=AT + timedelta(minutes=9), gaps=40, seconds=120.0, why="connection lost")
DONE = ChildResult(
    exit_status=0, has_outcome=True, removed=3, freed_bytes=5 * 10**9, target_began=True, target_reached=True, run=12
)
MISSED = ChildResult(
    exit_status=3, has_outcome=True, removed=0, failed=2, freed_bytes=0, target_began=True, target_reached=False,
    target="85% of the disk is used; nothing else may be removed", run=13,
)  # fmt: skip
BUSY = ChildResult(exit_status=4, problem="nothing removed: process 7 is at work", is_busy=True)


@pytest.mark.parametrize(
    ("tell", "priority", "line"),
    [
        (
            lambda log: log.engine_away("unix:///s", None), 4,
            "the engine at unix:///s does not answer; waiting for it",
        ),
        (
            lambda log: log.engine_there(BOX, None, AT), 6,
            ("following the events of the engine at unix:///s (box); the next sweep by the schedule is due at "
            "2026-11-24 12:00:00 UTC"),
        ),
        (
            lambda log: log.engine_there(replace(BOX, name=None), 4000, None), 5,
            "following the events of the engine at unix:///s again, after 66 minutes",
        ),
        (
            lambda log: log.gap(GAP), 4,
            ("events were missed from 2026-11-24 12:00:00 UTC to 2026-11-24 12:05:00 UTC: the engine was restarted, "
            "and keeps no events; what was used then is not known"),
        ),
        (
            lambda log: log.engine_there(BOX, None, None, is_followed=False), 6,
            "without the events of the engine at unix:///s (box)",
        ),
        (
            lambda log: log.unfollowed("GET /events with 403"), 4,
            "events are not followed, so what is used between two scans may not be known: GET /events with 403",
        ),
        (lambda log: log.unfollowed(None), 5, "the events of the engine are followed now"),
        (
            lambda log: log.uncompared("the engine refused"), 4,
            "whether all events came is not known, and what is used meanwhile counts as unknown: the engine refused",
        ),
        (
            lambda log: log.gaps(MANY), 4,
            ("events were missed 40 more times, 2 minutes in all, from 2026-11-24 12:00:00 UTC to 2026-11-24 12:09:00 "
            "UTC, the last time because the connection was lost, and the engine no longer has what came meanwhile"),
        ),
        (
            lambda log: log.sweep_begins("space", "81% of the disk is used, over 80%"), 5,
            "sweep for space begins: 81% of the disk is used, over 80%",
        ),
        (lambda log: log.sweep_begins("schedule", "81%"), 5, "sweep by the schedule begins"),
        (
            lambda log: log.sweep_ends("space", DONE, ""), 6,
            "sweep for space ended: removed 3 objects, freed 5.00 GB; the target is reached (dockersweep history 12)",
        ),
        (
            lambda log: log.sweep_ends("space", MISSED, "; no sweep for space before 12:10"), 4,
            ("sweep for space ended: removed nothing, 2 failed; the target is missed: 85% of the disk is used; "
            "nothing else may be removed; `dockersweep plan --only-target --verbose` says what keeps the rest; no "
            "sweep for space before 12:10"),
        ),
        (
            lambda log: log.sweep_ends("schedule", BUSY, "; tried again"), 4,
            "sweep by the schedule ended: nothing removed: process 7 is at work; tried again",
        ),
        (
            lambda log: log.settles("space", "2 minutes", AT), 6,
            ("a sweep for space waits until nothing was pulled, loaded or built for 2 minutes, at most until "
            "2026-11-24 12:00:00 UTC"),
        ),
        (
            lambda log: log.policy_changed("p.toml", ("[target]",), ("no target", "rules: none")), 5,
            "p.toml was read again and is in force; changed: [target]; no target; rules: none",
        ),
        (
            lambda log: log.policy_changed("p.toml", (), ("no target", "rules: none")), 5,
            "p.toml was read again and is in force; nothing in it changed; no target; rules: none",
        ),
        (
            lambda log: log.policy_refused("p.toml, line 2: no"), 3,
            "the policy is refused: p.toml, line 2: no; the one from before stays in force",
        ),
        (
            lambda log: log.clock_jumped(timedelta(hours=-3)), 5,
            "the clock was put back by 3 hours",
        ),
        (
            lambda log: log.clock_jumped(timedelta(hours=3)), 5,
            "the clock was put forward by 3 hours or the machine slept",
        ),
        (lambda log: log.ledger(None), 5, "the ledger can be written again"),
        (lambda log: log.stops("SIGTERM", False), 5, "SIGTERM: the watcher ends"),
        (
            lambda log: log.stops("SIGTERM", True), 5,
            "SIGTERM: the watcher ends after the removal that is under way",
        ),
    ],
)  # fmt: skip
def test_each_line(
    tell: Callable[[WatchLog], None], priority: int, line: str, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("TZ", "UTC")
    told: dict[LogFormat, str] = {}
    formats: tuple[LogFormat, ...] = ("journal", "json", "text")
    for log_format in formats:
        tell(WatchLog(log_format))
        told[log_format] = capfd.readouterr().err
    assert told["journal"] == f"<{priority}>{line}\n"
    assert told["text"][20:] == f"{line}\n"
    datetime.fromisoformat(told["text"][:19])
    fields = json.loads(told["json"])
    assert {"event", "at", "text"} <= fields.keys()
    # Instants in UTC, as in all documents.
    assert fields["text"].replace("T12:0", " 12:0").replace("0Z", "0 UTC") == line


def test_what_an_engine_says_reaches_no_terminal_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    WatchLog("text").engine_there(replace(BOX, name="b\x1b[31mox\nforged"), None, None)
    told = capfd.readouterr().err
    assert told.count("\n") == 1
    assert "\x1b" not in told
