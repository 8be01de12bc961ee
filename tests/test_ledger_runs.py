"""Runs in the ledger: what was planned, sent, and became of it, also where the process is killed."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from dockersweep.ledger import Memory, RunRecord, find_problems, read_run, read_runs
from dockersweep.model.attempt import outcome_for
from dockersweep.model.history import InHand, RunStart
from dockersweep.model.outcome import Outcome, OutcomeDocument, Reclaimed, Status
from dockersweep.model.plan import Plan, Removal
from dockersweep.policy.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.planner import make_plan
from tests.bench.ledger import main
from tests.inventories import ENGINE, NOW, container, image, inventory, network, record, volume

DAY = timedelta(days=1)
SEEN = inventory(
    container("c", image="sha256:a", volumes=["v"], networks=["n"], labels={"k": "x" * 2000}, size=5),
    image("a"),
    image("t", "app:1", "app:2", digests=["app@sha256:d"], labels={"l": "1"}),
    volume("v"),
    network("n"),
    record("r", "q"),
)
PLAN = make_plan(SEEN, policy_from_flags(PolicyFlags(all_images=True)), NOW)
START = RunStart(
    engine=ENGINE,
    verb="sweep",
    started_at=NOW,
    user="root",
    pid=os.getpid(),
    version="0.1.0",
    policy_source="the default policy",
    policy_sha256="ab" * 32,
)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path) as opened:
        yield opened
        assert opened.problem is None
    assert find_problems(tmp_path) == ()


def outcome(removal: Removal, status: Status = "removed", detail: str | None = None) -> Outcome:
    return outcome_for(removal, status, detail, 3 if status == "removed" else None)


def document(plan: Plan = PLAN) -> OutcomeDocument:
    return OutcomeDocument(
        schema="dockersweep.outcome/1",
        engine=ENGINE,
        started_at=NOW,
        finished_at=NOW,
        ended_early="interrupted",
        outcomes=(),
        reclaimed=Reclaimed(low_bytes=10, high_bytes=None, measured_bytes=12),
        warnings=(),
    )


def a_run(memory: Memory, status: Status = "failed", at: timedelta = timedelta(0)) -> RunRecord:
    """A run whose first removal ends like that, and the others are not attempted."""
    run = memory.begin(replace(START, started_at=NOW + at))
    run.plan(PLAN, SEEN)
    run.sending(PLAN.removals[0])
    run.ended(PLAN.removals[0], outcome(PLAN.removals[0], status))
    run.finish(0, NOW + at, None, None)
    return run


def test_a_run_is_told_as_it_was(memory: Memory, tmp_path: Path) -> None:
    run = memory.begin(START)
    run.plan(PLAN, SEEN)
    for removal in PLAN.removals:
        run.sending(removal)
        run.ended(removal, outcome(removal))
    run.finish(130, NOW + DAY, document(), None)
    assert run.number is not None
    told = read_run(tmp_path, run.number)
    [one] = told.runs
    assert (one.number, one.state, one.exit_status, one.finished_at) == (run.number, "ended", 130, NOW + DAY)
    assert (one.user, one.pid, one.version) == ("root", os.getpid(), "0.1.0")
    assert (one.policy_source, one.policy_sha256) == ("the default policy", "ab" * 32)
    assert (one.predicted.low_bytes, one.predicted.high_bytes, one.measured_bytes) == (10, None, 12)
    assert one.removed == {"container": 1, "image": 2, "volume": 1, "network": 1, "build-cache": 1}
    assert (one.tags_removed, one.not_removed, one.in_hand, one.ended_early) == (1, {}, (), "interrupted")
    assert [(two.kind, two.id, two.action) for two in told.removals] == [
        (two.kind, two.id, two.action) for two in PLAN.removals
    ]
    for row, removal in zip(told.removals, PLAN.removals, strict=True):
        [decision] = [two for two in PLAN.decisions if (two.kind, two.id) == (removal.kind, removal.id)]
        assert row.reasons == decision.reasons
        assert (row.predicted.low_bytes, row.predicted.high_bytes) == (
            removal.reclaim.low_bytes,
            removal.reclaim.high_bytes,
        )
        assert row.size_bytes == (None if removal.action == "untag" else decision.size_bytes)
        assert (row.status, row.freed_bytes) == ("removed", 3)
        assert row.sent_at is not None
        assert row.ended_at is not None


def test_what_is_needed_to_know_an_object_again_is_written_down(memory: Memory, tmp_path: Path) -> None:
    run = memory.begin(START)
    run.plan(PLAN, replace(SEEN, volumes=(volume("v", options={"o": "p"}),)))
    run.finish(0, NOW, None, None)
    told = {row.id: row.recognition for row in read_run(tmp_path, run.number or 0).removals}
    assert told["c"] == {
        "image": "sha256:a",
        "labels": {"k": "x" * 1000 + "…"},
        "mounts": ["volume:v"],
        "networks": ["n"],
    }
    assert told["sha256:t"] == {"tags": ["app:1", "app:2"], "digests": ["app@sha256:d"], "labels": {"l": "1"}}
    mountpoint = "/var/lib/docker/volumes/v/_data"
    assert told["v"] == {"driver": "local", "options": {"o": "p"}, "labels": {}, "mountpoint": mountpoint}
    assert told["net-n"] == {"driver": "bridge", "labels": {}}
    assert told["r"] == {"type": "regular", "parents": ["q"]}


def test_what_was_never_sent_was_not_attempted(memory: Memory, tmp_path: Path) -> None:
    run = a_run(memory, "removed")
    told = read_run(tmp_path, run.number or 0)
    assert [row.status for row in told.removals] == ["removed"] + ["not-attempted"] * (len(PLAN.removals) - 1)
    assert told.runs[0].not_removed == {"not-attempted": len(PLAN.removals) - 1}
    assert [row.sent_at is None for row in told.removals] == [False] + [True] * (len(PLAN.removals) - 1)


def test_a_refusal_is_a_run_with_a_note(memory: Memory, tmp_path: Path) -> None:
    run = memory.begin(START)
    run.finish(4, NOW, None, "over a limit")
    [told] = read_runs(tmp_path, None).runs
    assert (told.number, told.exit_status, told.note, told.state) == (run.number, 4, "over a limit", "ended")


def test_rounds_are_one_run(memory: Memory, tmp_path: Path) -> None:
    run = memory.begin(START)
    for _ in range(2):
        run.plan(PLAN, SEEN)
        run.sending(PLAN.removals[0])
        run.ended(PLAN.removals[0], outcome(PLAN.removals[0], "failed"))
    run.finish(3, NOW, None, None)
    told = read_run(tmp_path, run.number or 0).removals
    assert [row.status for row in told if row.kind == "container"] == ["failed", "failed"]
    # A run counts once, however often it tried.
    [(runs, _)] = memory.failed_before(ENGINE, PLAN.removals).values()
    assert runs == 1


def test_failures_are_counted_until_something_else_becomes_of_it(memory: Memory) -> None:
    [first] = [removal for removal in PLAN.removals if removal.kind == "container"]
    key = (first.kind, first.id, first.action, first.name)
    assert memory.failed_before(ENGINE, PLAN.removals) == {}
    for day in range(3):
        a_run(memory, "failed", day * DAY)
    assert memory.failed_before(ENGINE, PLAN.removals) == {key: (3, NOW)}
    assert memory.failed_before(replace(ENGINE, id="ANOTHER"), PLAN.removals) == {}
    assert memory.failed_before(ENGINE, PLAN.removals[1:]) == {}
    a_run(memory, "not-attempted", 3 * DAY)
    assert memory.failed_before(ENGINE, PLAN.removals) == {key: (3, NOW)}
    a_run(memory, "skipped", 4 * DAY)
    assert memory.failed_before(ENGINE, PLAN.removals) == {}
    a_run(memory, "failed", 5 * DAY)
    assert memory.failed_before(ENGINE, PLAN.removals) == {key: (1, NOW + 5 * DAY)}


def test_old_runs_are_forgotten_and_numbers_not_used_again(memory: Memory, tmp_path: Path) -> None:
    for day in range(3):
        a_run(memory, "removed", day * DAY)
    memory.forget_before(NOW + DAY)
    assert [run.number for run in read_runs(tmp_path, None).runs] == [3, 2]
    memory.forget_before(NOW + 9 * DAY)
    assert a_run(memory).number == 4


def test_the_last_run_and_what_all_gave_back(memory: Memory) -> None:
    assert memory.last_run(ENGINE) == (None, 0)
    for number in range(3):
        run = memory.begin(replace(START, started_at=NOW + number * DAY))
        run.plan(PLAN, SEEN)
        if number < 2:
            reclaimed = Reclaimed(low_bytes=1, high_bytes=1, measured_bytes=(40, None)[number])
            run.finish(number, NOW + number * DAY, replace(document(), reclaimed=reclaimed), None)
    last, total = memory.last_run(ENGINE)
    assert last is not None
    assert (last.number, last.state, last.exit_status, total) == (3, "running", None, 40)
    assert memory.last_run(replace(ENGINE, id="OTHER")) == (None, 0)


def test_several_threads_write_one_run(memory: Memory, tmp_path: Path) -> None:
    many = inventory(*[volume(f"v{number}") for number in range(200)])
    plan = make_plan(many, policy_from_flags(PolicyFlags()), NOW)
    run = memory.begin(START)
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


def test_without_a_ledger_a_run_writes_nothing() -> None:
    run = Memory(None).begin(START)
    run.plan(PLAN, SEEN)
    run.sending(PLAN.removals[0])
    run.ended(PLAN.removals[0], outcome(PLAN.removals[0]))
    run.finish(0, NOW, None, None)
    assert run.number is None


KILLED = """
import os, signal, sys
from pathlib import Path
from dockersweep.ledger import Memory
from tests.test_ledger_runs import PLAN, SEEN, START, outcome
from msgspec.structs import replace
memory = Memory(Path(sys.argv[1]))
run = memory.begin(replace(START, pid=os.getpid()))
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
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    return folder


def test_a_killed_run_is_told_with_what_it_had_in_hand_and_settled(killed: Path) -> None:
    second = PLAN.removals[1]
    in_hand = InHand(kind=second.kind, id=second.id, name=second.name, action=second.action)
    [before] = read_runs(killed, None).runs
    assert (before.state, before.in_hand, before.exit_status) == ("did-not-end", (in_hand,), None)
    with Memory(killed) as memory:
        assert memory.unfinished(replace(ENGINE, id="ANOTHER")) == ()
        [run] = memory.unfinished(ENGINE)
        assert (run.number, run.started_at, run.in_hand) == (before.number, NOW, (in_hand,))
        memory.settle(run.number, [outcome(second, "failed", "it is still there")])
        assert memory.unfinished(ENGINE) == ()
        assert set(memory.failed_before(ENGINE, PLAN.removals)) == {
            (second.kind, second.id, second.action, second.name)
        }
        assert memory.problem is None
    told = read_run(killed, before.number)
    assert [row.status for row in told.removals[:3]] == ["removed", "failed", "not-attempted"]
    assert (told.removals[1].sent_at is None, told.removals[1].ended_at) == (False, None)
    assert told.removals[2].detail == "the run did not end"
    assert (told.runs[0].state, told.runs[0].in_hand) == ("did-not-end", (in_hand,))
    assert find_problems(killed) == ()


def test_a_run_that_goes_on_is_not_unfinished_to_itself_and_shown_as_running(memory: Memory, tmp_path: Path) -> None:
    run = memory.begin(START)
    run.plan(PLAN, SEEN)
    run.sending(PLAN.removals[0])
    assert memory.unfinished(ENGINE) == ()
    [told] = read_runs(tmp_path, None).runs
    assert (told.state, [one.name for one in told.in_hand]) == ("running", [PLAN.removals[0].name])
    # Another of the same engine can only have begun because this one broke off.
    memory.begin(replace(START, engine=replace(ENGINE, id="ANOTHER"))).finish(0, NOW, None, None)
    assert read_run(tmp_path, 1).runs[0].state == "running"
    memory.begin(START).finish(0, NOW, None, None)
    assert read_run(tmp_path, 1).runs[0].state == "did-not-end"


def test_a_run_that_finishes_with_something_in_hand_stays_open(memory: Memory, tmp_path: Path) -> None:
    run = memory.begin(START)
    run.plan(PLAN, SEEN)
    run.sending(PLAN.removals[0])
    run.finish(1, NOW, None, "a bug")
    with Memory(tmp_path) as later:
        assert [one.number for one in later.unfinished(ENGINE)] == [run.number]
        later.settle(run.number or 0, [outcome(PLAN.removals[0], "removed")])
    assert [row.status for row in read_run(tmp_path, 1).removals][:2] == ["removed", "not-attempted"]


TWO = """
import sys
from pathlib import Path
from dockersweep.ledger import Memory
from tests.bench.ledger import main
from tests.inventories import ENGINE, NOW
from tests.test_ledger_runs import PLAN, SEEN, START, outcome
from msgspec.structs import replace
engine = replace(ENGINE, id=sys.argv[2])
sys.stdin.readline()
for number in range(15):
    with Memory(Path(sys.argv[1])) as memory:
        memory.remember(replace(SEEN, engine=engine), (), NOW)
        run = memory.begin(replace(START, engine=engine))
        run.plan(PLAN, SEEN)
        for removal in PLAN.removals:
            run.sending(removal)
            run.ended(removal, outcome(removal))
        run.finish(0, NOW, None, None)
        assert memory.problem is None, memory.problem
"""


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    commands = [[sys.executable, "-c", TWO, str(tmp_path), engine] for engine in ("ONE", "TWO")]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for command in commands]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()
    assert [process.wait(60) for process in processes] == [0, 0]
    told = read_runs(tmp_path, None)
    assert [run.number for run in told.runs] == list(range(30, 0, -1))
    assert {(run.state, sum(run.removed.values())) for run in told.runs} == {("ended", 6)}
    assert find_problems(tmp_path) == ()


def test_the_benchmark_makes_the_calls_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["3", str(tmp_path)]) in (0, 1)
    assert "3 runs: 0." in capsys.readouterr().out
