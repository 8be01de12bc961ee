"""What a year of hourly sweeps makes of the ledger, and what it costs each of them.

    python -m tests.bench.ledger [RUNS [FOLDER]]

An engine of 2,000 objects, of which 6 are removed and 6 new in each run, through the calls that a sweep makes; between
two runs 60 jobs use 180 of them, and an hour is watched but for the minutes that the engine has forgotten. A watcher
records 1,200 events of 200 jobs an hour beside that, which no scan ever sees. Then what
4,000 removals of one sweep cost. The figures are of the ledger alone: no engine, no scan, no judgement. Exit status 1
where the file is over 60 MB, or a run's median over 50 ms.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from msgspec.structs import replace

from dockersweep.ledger import FILE_NAME, Ledger, RunRecord
from dockersweep.model.age_reasons import Aged
from dockersweep.model.event_reading import EngineEvent, EventMark, EventPosition, NoticedUses
from dockersweep.model.history import RunStart, ShareSize
from dockersweep.model.inventory import Inventory, Mark, Object, ObjectRef
from dockersweep.model.last_use import PastUse, Span
from dockersweep.model.naming import id_of, kind_of, name_of, ref_of, size_of
from dockersweep.model.outcome import Outcome
from dockersweep.model.plan import Decision, Interval, Limits, Plan, Removal
from dockersweep.model.policy import Policy
from dockersweep.model.reason import Reason
from dockersweep.model.report import SHARES
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from tests.rig.inventories import ENGINE, NOW, container, image, inventory, network, record, volume

A_YEAR = 8_760
OBJECTS = 2_000
MOST_BYTES, MOST_SECONDS = 60_000_000, 0.05
HOUR = timedelta(hours=1)
TERMS = ("networks", "older than 24h")
KEPT = timedelta(days=400)


@dataclass(frozen=True)
class Cost:
    """What one run took."""

    wall: float
    """Seconds."""
    processor: float
    """Seconds of the process itself."""


class Litter:
    """An engine whose oldest objects go and whose new ones come."""

    def __init__(self, random: Random) -> None:
        """Fill it."""
        self._random = random
        self._kinds = ("container", "image", "volume", "container", "image", "record")
        self.objects = deque(self._new(number) for number in range(OBJECTS - 50))
        self.networks = [network(f"net{number}") for number in range(50)]

    def _hex(self, digits: int = 64) -> str:
        return f"{self._random.getrandbits(digits * 4):0{digits}x}"

    def _new(self, number: int) -> Object:
        kind = self._kinds[number % 6]
        if kind == "container":
            name = f"shop-worker-run-{self._hex(12)}"
            labels = {
                "com.docker.compose.config-hash": self._hex(),
                "com.docker.compose.container-number": "1",
                "com.docker.compose.oneoff": "True",
                "com.docker.compose.project": "shop",
                "com.docker.compose.project.working_dir": "/srv/shop",
                "com.docker.compose.service": "worker",
                "com.docker.compose.version": "2.29.7",
            }
            one = container(name, image="registry.example.com/shop/worker:latest", labels=labels, volumes=["data"])
            return replace(one, id=self._hex())
        if kind == "image":
            labels = {"org.opencontainers.image.revision": self._hex(40), "org.opencontainers.image.title": "worker"}
            return image(self._hex(), labels=labels, size=210_000_000)
        if kind == "volume":
            return volume(self._hex())
        return record(self._hex(25), self._hex(25))

    def turn(self, number: int) -> list[Object]:
        """Let six come, and return the six that are to go; they are still there."""
        self.objects.extend(self._new(6 * number + one) for one in range(6))
        return [self.objects[one] for one in range(6)]

    def take(self) -> None:
        """Let the six go."""
        for _ in range(6):
            self.objects.popleft()

    def inventory(self) -> Inventory:
        """Return what is there."""
        return inventory(*self.objects, *self.networks)

    def events(self) -> list[EngineEvent]:
        """Return what 200 jobs make in a few minutes, as a watcher records it."""
        events = []
        for number in range(33):
            job, at = self._hex(), int(NOW.timestamp()) * 10**9 + number
            of_job = {"name": f"shop-worker-run-{job[:12]}", "image": "shop/worker:latest"}
            events += [EngineEvent(at, "container", action, job, of_job) for action in ("create", "start", "die")]
            events += [EngineEvent(at, "volume", action, "data", {"container": job}) for action in ("mount", "unmount")]
            events.append(EngineEvent(at, "network", "connect", self._hex(), {"container": job}))
        return events

    def noticed(self, now: datetime) -> NoticedUses:
        """Return what the events of the last hour told."""
        uses: dict[ObjectRef, tuple[PastUse, ...]] = {}
        there = [one for one in (*self.objects, *self.networks) if kind_of(one) != "build-cache"]
        for number in range(60):
            at, name = now - number * HOUR / 60, f"shop-worker-run-{self._hex(12)}"
            use = PastUse(at=at, action="exited", by=name, by_id=self._hex(), project="shop", service="worker")
            for held in self._random.sample(there, 3):
                uses[ref_of(held)] = (use,)
        anchor = EventMark(at_nanos=int(now.timestamp()) * 10**9, type="container", action="destroy", id=self._hex())
        watched = Span(begins_at=now - HOUR * 3 / 4, ends_at=now)
        return NoticedUses(position=EventPosition(ends_at=now, anchor=anchor), watched=watched, uses=uses)


def plan_for(going: Sequence[Object], seen: Inventory, policy: Policy, kept: Sequence[Decision]) -> Plan:
    """Return the plan that removes these."""
    reasons = (
        Reason(code="old-enough", rule="dangling images", about=Aged(measure="unused", seconds=93_600, limit="24h")),
    )
    return Plan(
        schema="dockersweep.plan/1",
        engine=seen.engine,
        taken_at=seen.taken_at,
        now=seen.taken_at,
        policy=policy,
        decisions=(*kept, *(_decision(one, reasons) for one in going)),
        removals=tuple(
            Removal(
                kind=kind_of(one), id=id_of(one), name=name_of(one), action="remove", judged={}, after=(),
                reclaim=Interval(low_bytes=size_of(one) or 0, high_bytes=size_of(one)),
            )
            for one in going
        ),
        reclaim=Interval(low_bytes=0, high_bytes=None),
        limits=Limits(),
        warnings=(),
    )  # fmt: skip


def _decision(one: Object, reasons: tuple[Reason, ...]) -> Decision:
    return Decision(
        kind=kind_of(one), id=id_of(one), name=name_of(one), verdict="remove", size_bytes=size_of(one),
        age_seconds=93_600, age_source="seen unused", reasons=reasons,
    )  # fmt: skip


def _sizes(size: int) -> list[ShareSize]:
    shares = (*SHARES, "total", "disk")
    return [ShareSize(share=share, base="disk", objects=400, size_bytes=size) for share in shares]


def a_year(runs: int, folder: Path) -> Iterator[Cost]:
    """Yield what each of so many hourly runs costs."""
    litter, policy = Litter(Random(1)), policy_from_flags(PolicyFlags())
    too_young = Aged(measure="unused", seconds=10_800, limit="24h", is_reached=False)
    keep = (Reason(code="too-young", rule="dangling images", about=too_young),)
    kept = [_decision(one, keep) for one in litter.objects]
    layers = {f"layer:{number:064x}": b"x" * 90 for number in range(1_500)}
    marks = [Mark(kind="network", id=one.id, rule=TERMS[0], terms=TERMS[1], marked_at=NOW) for one in litter.networks]
    for number in range(runs):
        now = NOW + number * HOUR
        going = litter.turn(number)
        seen = replace(litter.inventory(), taken_at=now)
        layers[f"layer:{number + 10_000:064x}"] = b"y" * 90
        del layers[next(iter(layers))]
        plan = plan_for(going, seen, policy, kept)
        noticed = litter.noticed(now)
        with Ledger(folder) as ledger:
            for _ in range(6):
                ledger.record_events(ENGINE, litter.events(), noticed.position, (), now)
        wall, processor = time.perf_counter(), time.process_time()
        with Ledger(folder) as ledger:
            ledger.layers(ENGINE)
            ledger.keep_layers(ENGINE, layers)
            ledger.event_position(ENGINE)
            noticed = replace(noticed, pending=ledger.pending_events(ENGINE))
            ledger.update_objects(seen, (), now, noticed=noticed)
            ledger.keep_sizes(_sizes(10**10 + number), ENGINE, now)
            ledger.unfinished(ENGINE)
            ledger.mark(ENGINE, marks, [TERMS], now)
            run = ledger.begin(start_at(now, 1_000 + number))
            ledger.is_known(ENGINE)
            ledger.looked_at(ENGINE, now)
            run.plan(plan, seen)
            ledger.failed_before(ENGINE, plan.removals)
            carry_out(run, plan)
            run.finish(0, now, None, None)
            ledger.forget_before(now - KEPT)
            assert ledger.problem is None, ledger.problem
        yield Cost(time.perf_counter() - wall, time.process_time() - processor)
        litter.take()


def one_large_sweep(folder: Path) -> Cost:
    """Return what it costs to write down 4,000 removals, each before and after it."""
    seen = inventory(*(volume(f"v{number}") for number in range(4_000)))
    plan = plan_for(seen.volumes, seen, policy_from_flags(PolicyFlags()), ())
    with Ledger(folder) as ledger:
        run = ledger.begin(start_at(NOW, 1))
        run.plan(plan, seen)
        wall, processor = time.perf_counter(), time.process_time()
        carry_out(run, plan)
        return Cost(time.perf_counter() - wall, time.process_time() - processor)


def carry_out(run: RunRecord, plan: Plan) -> None:
    """Write each removal down, before and after it."""
    for removal in plan.removals:
        run.sending(removal)
        run.ended(removal, removed(removal))


def start_at(now: datetime, pid: int) -> RunStart:
    """Return the start of a run."""
    return RunStart(
        engine=ENGINE, verb="sweep", started_at=now, user="root", pid=pid, version="0.1.0",
        policy_source="the policy in /etc/dockersweep/dockersweep.toml", policy_sha256="0" * 64,
    )  # fmt: skip


def removed(removal: Removal) -> Outcome:
    """Return that it was removed."""
    return Outcome(
        kind=removal.kind, id=removal.id, name=removal.name, action="remove", status="removed", detail=None,
        freed_bytes=None,
    )  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Print the size of the file and the cost of a run; return the exit status."""
    runs = int(arguments[0]) if arguments else A_YEAR
    with tempfile.TemporaryDirectory(dir=arguments[1] if len(arguments) > 1 else None) as name:
        costs = list(a_year(runs, Path(name)))
        size = (Path(name) / FILE_NAME).stat().st_size
        sweep = one_large_sweep(Path(name))
    walls, processors = ([getattr(cost, what) for cost in costs] for what in ("wall", "processor"))
    print(f"{runs} runs: {size / 1e6:.1f} MB")  # noqa: T201 - this is what it is for.
    for what, values in (("wall", walls), ("processor", processors), ("wall, the last 100", walls[-100:])):
        told = f"median {1e3 * statistics.median(values):.1f} ms, worst {1e3 * max(values):.1f} ms"
        print(f"a run, {what}: {told}")  # noqa: T201
    print(f"4,000 removals: wall {sweep.wall:.2f} s, processor {sweep.processor:.2f} s")  # noqa: T201
    return int(size > MOST_BYTES or statistics.median(walls) > MOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
