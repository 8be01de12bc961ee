"""Ledgers with runs in them, and how their tests read what is said of them."""

import csv
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from dockersweep.ledger import FILE_NAME, Ledger, RunRecord
from dockersweep.model.attempt import outcome_for
from dockersweep.model.history import RunStart
from dockersweep.model.inventory import Inventory, Mark
from dockersweep.model.outcome import Outcome, OutcomeDocument, Reclaimed, Status
from dockersweep.model.plan import Plan, Removal
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from tests.rig.inventories import ENGINE, NOW, container, image, inventory, network, plan_of, record, volume

DAY = timedelta(days=1)
SEEN = inventory(
    container("c", image="sha256:a", volumes=["w"], networks=["n"], labels={"k": "x" * 2000}, size=5),
    image("a"),
    image("t", "app:1", "app:2", digests=["app@sha256:d"], labels={"l": "1"}),
    volume("v"),
    network("n"),
    record("r", "q"),
    watched=None,
)
PLAN = plan_of(SEEN, policy_from_flags(PolicyFlags(all_images=True)), NOW)
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
Said = tuple[int, str, str]
Asked = Callable[..., Said]


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


def carried_out(ledger: Ledger, start: RunStart = START, status: Status = "removed") -> RunRecord:
    """A run that has sent all its removals, which ended like that, and is not finished yet."""
    run = ledger.begin(start)
    run.plan(PLAN, SEEN)
    for removal in PLAN.removals:
        run.sending(removal)
        run.ended(removal, outcome(removal, status))
    return run


def a_run(ledger: Ledger, status: Status = "failed", at: timedelta = timedelta(0)) -> RunRecord:
    """A run whose first removal ends like that, and the others are not attempted."""
    run = ledger.begin(replace(START, started_at=NOW + at))
    run.plan(PLAN, SEEN)
    run.sending(PLAN.removals[0])
    run.ended(PLAN.removals[0], outcome(PLAN.removals[0], status))
    run.finish(0, NOW + at, None, None)
    return run


def sweep(ledger: Ledger, seen: Inventory, day: int, all_images: bool = True) -> None:
    """Remove all that goes; the first fails."""
    plan = plan_of(seen, policy_from_flags(PolicyFlags(all_images=all_images)), NOW)
    run = ledger.begin(replace(START, engine=seen.engine, started_at=NOW + day * DAY))
    run.plan(plan, seen)
    for number, removal in enumerate(plan.removals):
        run.sending(removal)
        run.ended(removal, outcome(removal, "removed" if number else "failed", None if number else "device busy"))
    run.finish(3, NOW + day * DAY, None, None)


def full_ledger(folder: Path) -> Path:
    """A ledger with something in every table."""
    with Ledger(folder) as ledger:
        ledger.update_objects(SEEN, (), NOW)
        ledger.update_objects(replace(SEEN, volumes=()), (), NOW)
        ledger.keep_layers(ENGINE, {"layer:a": b"1"})
        ledger.mark(ENGINE, [Mark(kind="network", id="net-n", rule="r", terms="t", marked_at=NOW)], [("r", "t")], NOW)
        carried_out(ledger, status="failed").finish(3, NOW, None, None)
    return folder / FILE_NAME


def whole_run(folder: Path) -> str | None:
    """Make every call of a run, none of which may raise anything; return what it said."""
    with Ledger(folder) as ledger:
        ledger.layers(ENGINE)
        ledger.keep_layers(ENGINE, {"layer:b": b"1"})
        ledger.update_objects(SEEN, (), NOW)
        ledger.is_known(ENGINE)
        for run in ledger.unfinished(ENGINE):
            ledger.settle(run.number, ())
        ledger.mark(ENGINE, (), [("r", "t")], NOW)
        ledger.looked_at(ENGINE, NOW)
        ledger.failed_before(ENGINE, PLAN.removals)
        carried_out(ledger).finish(0, NOW, None, None)
        ledger.forget_before(NOW)
        return ledger.problem


def aside(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name.startswith(f"{FILE_NAME}."))


def table(text: str) -> list[dict[str, str]]:
    assert text.endswith("\r\n")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def run_until_killed(program: str, *arguments: str) -> None:
    """Run a Python program that kills itself."""
    done = subprocess.run([sys.executable, "-c", program, *arguments], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL


def run_at_once(program: str, *arguments: tuple[str, ...]) -> None:
    """Run a Python program once with each of these arguments, all at once: each waits for a line of input."""
    commands = [[sys.executable, "-c", program, *words] for words in arguments]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for command in commands]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()
    assert [process.wait(60) for process in processes] == [0] * len(processes)
