"""A second watcher on an engine is noticed, whatever the first one left behind."""

import os
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from dockersweep.commands.watching.watch_lock import WatchLock
from dockersweep.ledger.folder import state_folder, watch_lock_file
from dockersweep.model.naming import engine_identity
from tests.rig.inventories import ENGINE


def test_a_second_one_is_told_who_the_first_is_and_a_later_one_nobody() -> None:
    first, second = WatchLock(), WatchLock()
    assert first.take(ENGINE) is None
    told = second.take(ENGINE)
    assert told is not None
    assert told.startswith(f"process {os.getpid()}, since {datetime.now(UTC):%Y-%m-%d}")
    first.close()
    assert second.take(ENGINE) is None
    # Taken again, it is its own.
    assert second.take(ENGINE) is None
    second.close()


def test_another_engine_has_another_one_and_the_first_is_let_go() -> None:
    first, second = WatchLock(), WatchLock()
    first.take(ENGINE)
    assert first.take(replace(ENGINE, id="OTHER")) is None
    assert second.take(ENGINE) is None
    for one in (first, second):
        one.close()


def test_what_a_killed_one_left_and_a_folder_that_cannot_be_written_hold_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock = WatchLock()
    path = watch_lock_file(state_folder(os.environ, os.geteuid()), engine_identity(ENGINE))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"pid": 1, "started_at": "2026-01-01T00:00:00Z"}')
    assert lock.take(ENGINE) is None
    lock.close()
    monkeypatch.setenv("DOCKERSWEEP_STATE_DIR", "/proc/none")
    assert lock.take(ENGINE) is None
