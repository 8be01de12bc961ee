"""Runs in the ledger: what was planned, sent, and became of it, also where the process is killed."""

import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest
from msgspec.structs import replace

from dockersweep.commands.removal_entry import Entries
from dockersweep.commands.running.run_lock import LockFolders, run_lock
from dockersweep.ledger import FILE_NAME, Ledger, RunRecord
from dockersweep.ledger.check import find_problems
from dockersweep.ledger.reading import read_run, read_runs
from dockersweep.model.history import InHand
from dockersweep.model.outcome import Reclaimed
from dockersweep.model.plan import Removal
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.language.reading import read_policy
from dockersweep.words.reasons import reason_text
from tests.bench.ledger import main
from tests.ledger.past_runs import (
    DAY,
    PLAN,
    SEEN,
    START,
    a_run,
    carried_out,
    document,
    outcome,
    run_at_once,
    run_until_killed,
)
from tests.rig.inventories import ENGINE, NOW, image, inventory, plan_of, volume

T = TypeVar("T")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path) as opened:
        yield opened
        assert opened.problem is None
    assert find_problems(tmp_path) == ()


def test_a_run_is_told_as_it_was(ledger: Ledger, tmp_path: Path) -> None:
    run = carried_out(ledger)
    run.finish(130, NOW + DAY, document(), None)
    assert run.number is not None
    told = read_run(tmp_path, run.number)
    [one] = told.runs
    assert (one.number, one.state, one.exit_status, one.finished_at) == (run.number, "ended", 130, NOW + DAY)
    assert (one.user, one.pid, one.version) == ("root", os.getpid(), "0.1.0")
    assert (one.policy_source, one.policy_sha256) == ("the default policy", "ab" * 32)
    assert (one.predicted.low_bytes, one.predicted.high_bytes, one.measured_bytes) == (10, None, 12)
    assert one.removed == {"container": 1, "image": 2, "volume": 1, "network": 1, "build-cache": 1}
    assert (one.tags_removed, one.not_removed, one.in_hand, one.ended_early) == (0, {}, (), "interrupted")
    assert [(two.kind, two.id, two.action) for two in told.removals] == [
        (two.kind, two.id, two.action) for two in PLAN.removals
    ]
    for row, removal in zip(told.removals, PLAN.removals, strict=True):
        [decision] = [two for two in PLAN.decisions if (two.kind, two.id) == (removal.kind, removal.id)]
        shown = [(reason.code, reason.rule, reason_text(reason)) for reason in decision.reasons]
        assert [(reason.code, reason.rule, reason_text(reason)) for reason in row.reasons] == shown
        assert (row.predicted.low_bytes, row.predicted.high_bytes) == (
            removal.reclaim.low_bytes,
            removal.reclaim.high_bytes,
        )
        assert row.size_bytes == (None if removal.action == "untag" else decision.size_bytes)
        assert (row.status, row.freed_bytes) == ("removed", 3)
        assert row.sent_at is not None
        assert row.ended_at is not None


def test_a_tag_has_its_own_reason(tmp_path: Path) -> None:
    of_tags = "[[rule]]\nname = 'old'\nkind = 'image'\nmatch.repository = 'svc'\nremove.built_over = '1d'\n"
    kept = "[[rule]]\nname = 'newest'\nkind = 'image'\nmatch.repository = 'other'\nkeep.last = 1\n"
    policy = read_policy(f"version = 1\n{of_tags}{kept}".encode(), "the policy in x")
    seen = inventory(replace(image("t", "svc:5", "other:1"), built_at=NOW - 30 * DAY))
    plan = plan_of(seen, policy, NOW)
    [removal] = plan.removals
    assert (removal.action, removal.name, plan.decisions[0].reasons[0].tag) == ("untag", "svc:5", "other:1")
    with Ledger(tmp_path) as ledger:
        run = ledger.begin(START)
        run.plan(plan, seen)
        run.ended(removal, outcome(removal))
        run.finish(0, NOW, None, None)
    assert run.number is not None
    told = read_run(tmp_path, run.number)
    assert (told.runs[0].tags_removed, told.runs[0].removed) == (1, {})
    [[reason]] = [one.reasons for one in told.removals]
    assert (reason.code, reason.rule, reason_text(reason)) == ("tag-goes", "old", "built 30 days ago (limit 1 day)")
    entries = Entries(ENGINE, run.number)
    entries.plan(plan)
    assert entries.of(removal, outcome(removal)).entry.reasons == ("old: built 30 days ago (limit 1 day)",)


def test_what_is_needed_to_know_an_object_again_is_written_down(ledger: Ledger, tmp_path: Path) -> None:
    run = ledger.begin(START)
    run.plan(PLAN, replace(SEEN, volumes=(volume("v", options={"o": "p"}),)))
    run.finish(0, NOW, None, None)
    told = {row.id: row.recognition for row in read_run(tmp_path, run.number or 0).removals}
    assert told["c"] == {
        "image": "sha256:a",
        "labels": {"k": "x" * 1000 + "…"},
        "mounts": ["volume:w"],
        "networks": ["n"],
    }
    tagged = {"tags": ["app:1", "app:2"], "digests": ["app@sha256:d"], "labels": {"l": "1"}}
    assert told["sha256:t"] == {**tagged, "pull": "app@sha256:d"}
    mountpoint = "/var/lib/docker/volumes/v/_data"
    assert told["v"] == {"driver": "local", "options": {"o": "p"}, "labels": {}, "mountpoint": mountpoint}
    assert told["net-n"] == {"driver": "bridge", "labels": {}}
    assert told["r"] == {"type": "regular", "parents": ["q"]}


def test_what_was_never_sent_was_not_attempted(ledger: Ledger, tmp_path: Path) -> None:
    run = a_run(ledger, "removed")
    told = read_run(tmp_path, run.number or 0)
    assert [row.status for row in told.removals] == ["removed"] + ["not-attempted"] * (len(PLAN.removals) - 1)
    # The tag of an image that goes too is no object of its own.
    assert told.runs[0].not_removed == {"not-attempted": len(PLAN.removals) - 2}
    assert [row.sent_at is None for row in told.removals] == [False] + [True] * (len(PLAN.removals) - 1)


def test_a_refusal_is_a_run_with_a_note(ledger: Ledger, tmp_path: Path) -> None:
    run = ledger.begin(START)
    run.finish(4, NOW, None, "over a limit")
    [told] = read_runs(tmp_path, None).runs
    assert (told.number, told.exit_status, told.note, told.state) == (run.number, 4, "over a limit", "ended")


def test_rounds_are_one_run(ledger: Ledger, tmp_path: Path) -> None:
    run = ledger.begin(START)
    for _ in range(2):
        run.plan(PLAN, SEEN)
        run.sending(PLAN.removals[0])
        run.ended(PLAN.removals[0], outcome(PLAN.removals[0], "failed"))
    run.finish(3, NOW, None, None)
    told = read_run(tmp_path, run.number or 0).removals
    assert [row.status for row in told if row.kind == "container"] == ["failed", "failed"]
    # A run counts once, however often it tried.
    [(runs, _)] = ledger.failed_before(ENGINE, PLAN.removals).values()
    assert runs == 1


def test_failures_are_counted_until_something_else_becomes_of_it(ledger: Ledger) -> None:
    [first] = [removal for removal in PLAN.removals if removal.kind == "container"]
    key = (first.kind, first.id, first.action, first.name)
    assert ledger.failed_before(ENGINE, PLAN.removals) == {}
    for day in range(3):
        a_run(ledger, "failed", day * DAY)
    assert ledger.failed_before(ENGINE, PLAN.removals) == {key: (3, NOW)}
    assert ledger.failed_before(replace(ENGINE, id="ANOTHER"), PLAN.removals) == {}
    assert ledger.failed_before(ENGINE, PLAN.removals[1:]) == {}
    a_run(ledger, "not-attempted", 3 * DAY)
    assert ledger.failed_before(ENGINE, PLAN.removals) == {key: (3, NOW)}
    a_run(ledger, "skipped", 4 * DAY)
    assert ledger.failed_before(ENGINE, PLAN.removals) == {}
    a_run(ledger, "failed", 5 * DAY)
    assert ledger.failed_before(ENGINE, PLAN.removals) == {key: (1, NOW + 5 * DAY)}


def test_old_runs_are_forgotten_and_numbers_not_used_again(ledger: Ledger, tmp_path: Path) -> None:
    for day in range(3):
        a_run(ledger, "removed", day * DAY)
    ledger.forget_before(NOW + DAY)
    assert [run.number for run in read_runs(tmp_path, None).runs] == [3, 2]
    ledger.forget_before(NOW + 9 * DAY)
    assert a_run(ledger).number == 4


def test_the_last_run_and_what_all_gave_back(ledger: Ledger) -> None:
    assert ledger.last_run(ENGINE) == (None, 0)
    for number in range(3):
        run = ledger.begin(replace(START, started_at=NOW + number * DAY))
        run.plan(PLAN, SEEN)
        if number < 2:
            reclaimed = Reclaimed(low_bytes=1, high_bytes=1, measured_bytes=(40, None)[number])
            run.finish(number, NOW + number * DAY, replace(document(), reclaimed=reclaimed), None)
    last, total = ledger.last_run(ENGINE)
    assert last is not None
    assert (last.number, last.state, last.exit_status, total) == (3, "running", None, 40)
    assert ledger.last_run(replace(ENGINE, id="OTHER")) == (None, 0)


def test_several_threads_write_one_run(ledger: Ledger, tmp_path: Path) -> None:
    many = inventory(*[volume(f"v{number}") for number in range(200)])
    plan = plan_of(many, policy_from_flags(PolicyFlags()), NOW)
    run = ledger.begin(START)
    run.plan(plan, many)

    def remove(removals: tuple[Removal, ...]) -> None:
        for removal in removals:
            run.sending(removal)
            run.ended(removal, outcome(removal))

    threads = [threading.Thread(target=remove, args=(plan.removals[part::4],)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.finish(0, NOW, None, None)
    assert read_runs(tmp_path, None).runs[0].removed == {"volume": 200}


def test_those_that_are_sent_at_once_are_written_in_one_transaction(ledger: Ledger, tmp_path: Path) -> None:
    number = ledger.begin(START).number
    all_wait = threading.Barrier(4, timeout=20)
    lock = threading.Lock()
    statements: list[str] = []
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None, check_same_thread=False)) as database:
        database.set_trace_callback(statements.append)

        def using(work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
            if threading.current_thread() is not threading.main_thread():
                all_wait.wait()
            with lock:
                return work(database)

        run = RunRecord(number, using)
        run.plan(PLAN, SEEN)
        statements.clear()
        threads = [threading.Thread(target=run.sending, args=(removal,)) for removal in PLAN.removals[:4]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [one for one in statements if one in ("BEGIN IMMEDIATE", "COMMIT")] == ["BEGIN IMMEDIATE", "COMMIT"]
    assert [one.name for one in read_runs(tmp_path, None).runs[0].in_hand] == [one.name for one in PLAN.removals[:4]]


def test_what_went_is_written_before_the_next_is_sent_and_all_else_at_once(ledger: Ledger, tmp_path: Path) -> None:
    def in_hand() -> list[str]:
        return [one.name for one in read_runs(tmp_path, None).runs[0].in_hand]

    first, second, third = PLAN.removals[:3]
    run = ledger.begin(START)
    run.plan(PLAN, SEEN)
    run.sending(first)
    run.ended(first, outcome(first))
    # Until then it counts as in hand: who finds the run like this looks, and finds it gone.
    assert in_hand() == [first.name]
    run.sending(second)
    assert in_hand() == [second.name]
    run.ended(second, outcome(second, "failed"))
    assert in_hand() == []
    run.sending(third)
    run.ended(third, outcome(third))
    run.finish(3, NOW, None, None)
    told = read_run(tmp_path, run.number or 0).removals
    assert [row.status for row in told[:4]] == ["removed", "failed", "removed", "not-attempted"]


def test_without_a_ledger_a_run_writes_nothing() -> None:
    run = Ledger(None).begin(START)
    run.plan(PLAN, SEEN)
    run.sending(PLAN.removals[0])
    run.ended(PLAN.removals[0], outcome(PLAN.removals[0]))
    run.finish(0, NOW, None, None)
    assert run.number is None


KILLED = """
import os, signal, sys
from pathlib import Path
from dockersweep.ledger import Ledger
from tests.ledger.past_runs import PLAN, SEEN, START, outcome
from msgspec.structs import replace
ledger = Ledger(Path(sys.argv[1]))
run = ledger.begin(replace(START, pid=os.getpid()))
run.plan(PLAN, SEEN)
run.sending(PLAN.removals[0])
run.ended(PLAN.removals[0], outcome(PLAN.removals[0]))
run.sending(PLAN.removals[1])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a ledger whose run was killed between sending and its outcome."""
    folder = tmp_path_factory.mktemp("killed")
    run_until_killed(KILLED, str(folder))
    return folder


def test_a_killed_run_is_told_with_what_it_had_in_hand_and_settled(killed: Path) -> None:
    second = PLAN.removals[1]
    in_hand = InHand(kind=second.kind, id=second.id, name=second.name, action=second.action)
    [before] = read_runs(killed, None).runs
    assert (before.state, before.in_hand, before.exit_status) == ("did-not-end", (in_hand,), None)
    with Ledger(killed) as ledger:
        assert ledger.unfinished(replace(ENGINE, id="ANOTHER")) == ()
        [run] = ledger.unfinished(ENGINE)
        assert (run.number, run.started_at, run.in_hand) == (before.number, NOW, (in_hand,))
        ledger.settle(run.number, [outcome(second, "failed", "it is still there")])
        assert ledger.unfinished(ENGINE) == ()
        assert set(ledger.failed_before(ENGINE, PLAN.removals)) == {
            (second.kind, second.id, second.action, second.name)
        }
        assert ledger.problem is None
    told = read_run(killed, before.number)
    assert [row.status for row in told.removals[:3]] == ["removed", "failed", "not-attempted"]
    assert (told.removals[1].sent_at is None, told.removals[1].ended_at) == (False, None)
    assert told.removals[2].detail == "the run did not end"
    assert (told.runs[0].state, told.runs[0].in_hand) == ("did-not-end", (in_hand,))
    assert find_problems(killed) == ()


def test_a_run_that_goes_on_is_not_unfinished_to_itself_and_shown_as_running(ledger: Ledger, tmp_path: Path) -> None:
    run = ledger.begin(START)
    run.plan(PLAN, SEEN)
    run.sending(PLAN.removals[0])
    assert ledger.unfinished(ENGINE) == ()
    [told] = read_runs(tmp_path, None).runs
    assert (told.state, [one.name for one in told.in_hand]) == ("running", [PLAN.removals[0].name])
    # Another of the same engine can only have begun because this one broke off.
    ledger.begin(replace(START, engine=replace(ENGINE, id="ANOTHER"))).finish(0, NOW, None, None)
    assert read_run(tmp_path, 1).runs[0].state == "running"
    ledger.begin(START).finish(0, NOW, None, None)
    assert read_run(tmp_path, 1).runs[0].state == "did-not-end"


def test_of_a_run_in_a_container_its_lock_tells_whether_it_goes_on(ledger: Ledger, tmp_path: Path) -> None:
    """It is the first process there, as others are elsewhere."""
    ledger.begin(replace(START, pid=1)).plan(PLAN, SEEN)
    assert read_run(tmp_path, 1).runs[0].state == "did-not-end"
    with run_lock(ENGINE, LockFolders(own=tmp_path, shared=tmp_path / "none"), 0):
        assert read_run(tmp_path, 1).runs[0].state == "running"
    assert read_run(tmp_path, 1).runs[0].state == "did-not-end"


def test_a_run_that_finishes_with_something_in_hand_stays_open(ledger: Ledger, tmp_path: Path) -> None:
    run = ledger.begin(START)
    run.plan(PLAN, SEEN)
    run.sending(PLAN.removals[0])
    run.finish(1, NOW, None, "a bug")
    with Ledger(tmp_path) as later:
        assert [one.number for one in later.unfinished(ENGINE)] == [run.number]
        later.settle(run.number or 0, [outcome(PLAN.removals[0], "removed")])
    assert [row.status for row in read_run(tmp_path, 1).removals][:2] == ["removed", "not-attempted"]


TWO = """
import sys
from pathlib import Path
from dockersweep.ledger import Ledger
from tests.rig.inventories import ENGINE, NOW
from tests.ledger.past_runs import SEEN, START, carried_out
from msgspec.structs import replace
engine = replace(ENGINE, id=sys.argv[2])
sys.stdin.readline()
for number in range(15):
    with Ledger(Path(sys.argv[1])) as ledger:
        ledger.update_objects(replace(SEEN, engine=engine), (), NOW)
        carried_out(ledger, replace(START, engine=engine)).finish(0, NOW, None, None)
        assert ledger.problem is None, ledger.problem
"""


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    run_at_once(TWO, (str(tmp_path), "ONE"), (str(tmp_path), "TWO"))
    told = read_runs(tmp_path, None)
    assert [run.number for run in told.runs] == list(range(30, 0, -1))
    assert {(run.state, sum(run.removed.values())) for run in told.runs} == {("ended", 6)}
    assert find_problems(tmp_path) == ()


def test_the_benchmark_makes_the_calls_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["3", str(tmp_path)]) in (0, 1)
    assert re.match(r"3 runs: [01]\.\d MB\n", capsys.readouterr().out)
