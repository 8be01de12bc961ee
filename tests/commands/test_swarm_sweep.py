"""In which order nodes of a swarm are swept, where that stops, and what they are told of plans that were shown."""

from collections.abc import Callable, Sequence

import pytest
from msgspec import Raw
from msgspec.structs import replace

from dockersweep.commands.options import SwarmOptions, options_of
from dockersweep.commands.swarming.kept_plan import ShownPlans, digest_of
from dockersweep.commands.swarming.signals import JobSignals
from dockersweep.commands.swarming.sweep import NodeSweep, Swept
from dockersweep.errors import RefusedError
from dockersweep.fleet.sums import sums_of
from dockersweep.model.fleet import FleetHost, HostStatus
from dockersweep.model.inventory import Volume
from dockersweep.model.plan import Plan
from dockersweep.model.swarm import SwarmNode
from dockersweep.parser import parse
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.language.reading import read_policy
from dockersweep.words.documents import write_document
from tests.engine.test_job_watching import node
from tests.rig.inventories import inventory, plan_of, volume
from tests.rig.policies import VERSION, rule_text

NODES = [node(number, hostname=f"node{number}") for number in range(1, 7)]


class Jobs:
    """Jobs whose results a test chooses."""

    names = {one.id: one.hostname for one in NODES}  # noqa: RUF012

    def __init__(self, ends: dict[str, HostStatus], after: Callable[[], None] = lambda: None) -> None:
        self._ends = ends
        self._after = after
        self.waves: list[list[str]] = []
        self.flags: list[Sequence[str]] = []
        self.shown: list[ShownPlans | None] = []
        self.plans: dict[str, Plan] = {}

    def run(
        self, nodes: Sequence[SwarmNode], what: str, run: str | None = None, flags: Sequence[str] = (),
        shown: ShownPlans | None = None,
    ) -> dict[str, FleetHost]:  # fmt: skip
        self.waves.append([one.id for one in nodes])
        self.flags.append(flags)
        self.shown.append(shown)
        self._after()
        return {one.id: self._host(one, flags) for one in nodes}

    def _host(self, one: SwarmNode, flags: Sequence[str]) -> FleetHost:
        host = replace(self.without_task(one), status=self._ends.get(one.id, "done"), exit_status=0, message=None)
        if "--keep-plan" in flags:
            plan = self.plans.get(one.id) or plan_with()
            return replace(host, sums=sums_of(plan), document=Raw(write_document(plan).encode().strip()))
        return host

    def without_task(self, one: SwarmNode) -> FleetHost:
        return FleetHost(
            name=one.hostname, address="", status="not-reached", exit_status=5, message="down", swarm_node_id=one.id
        )


def swept(jobs: Jobs, *flags: str, signals: JobSignals | None = None, silent: Sequence[FleetHost] = ()) -> Swept:
    options = options_of(parse(["swarm", "sweep", "--yes", *flags]))
    assert isinstance(options, SwarmOptions)
    sweep = NodeSweep(jobs, NODES, silent, options, signals or JobSignals())  # type: ignore[arg-type]
    return sweep.planned_first() if jobs.plans else sweep.unattended()


@pytest.mark.parametrize(
    ("flags", "sizes"),
    [
        ((), [6]),
        (("--canary", "2"), [2, 4]),
        (("--canary", "9"), [6]),
        (("--parallel", "4"), [4, 2]),
        (("--canary", "1", "--parallel", "2"), [1, 2, 2, 1]),
        (("--max-failures", "50%"), [6]),
    ],
)
def test_nodes_are_swept_in_waves(flags: tuple[str, ...], sizes: list[int]) -> None:
    jobs = Jobs({})
    came = swept(jobs, *flags)
    assert [len(wave) for wave in jobs.waves if wave] == sizes
    assert [key for wave in jobs.waves for key in wave] == [one.id for one in NODES]
    assert {host.status for host in came.hosts.values()} == {"done"}
    assert came.rollout is not None
    assert came.rollout.stopped is None


def test_a_canary_that_ends_badly_stops_all() -> None:
    jobs = Jobs({"node2": "failed"})
    came = swept(jobs, "--canary", "2")
    assert [wave for wave in jobs.waves if wave] == [["node1", "node2"]]
    statuses = [came.hosts[one.id].status for one in NODES]
    assert statuses == ["done", "failed", *["not-begun"] * 4]
    assert (came.hosts["node3"].exit_status, came.hosts["node3"].message) == (None, None)
    assert came.rollout is not None
    assert "node2, which goes first, did not end well" in (came.rollout.stopped or "")


def test_more_failures_than_allowed_stop_the_rest() -> None:
    jobs = Jobs({"node1": "refused", "node3": "failed"})
    swept(jobs, "--max-failures", "1", "--parallel", "2")
    assert jobs.waves[1:] == [["node1", "node2"], ["node3", "node4"]]


def test_a_signal_stops_the_rest() -> None:
    signals = JobSignals()

    def interrupt() -> None:
        signals.signal = signals.signal or (2 if any(jobs.waves) else None)

    jobs = Jobs({}, interrupt)
    came = swept(jobs, "--canary", "1", signals=signals)
    assert [came.hosts[one.id].status for one in NODES] == ["done", *["not-begun"] * 5]
    assert came.rollout is not None
    assert came.rollout.stopped == "interrupted"


def nfs(name: str) -> Volume:
    return replace(volume(name, anonymous=False), driver="nfs")


NFS_VOLUMES = VERSION + rule_text("nfs", "volume", 'match.driver = "nfs"', 'remove.older_than = "0s"')


def plan_with(*volumes: Volume, kept: tuple[str, ...] = ()) -> Plan:
    policy = read_policy(NFS_VOLUMES.encode(), "a test")
    return plan_of(inventory(*volumes), policy_from_flags(PolicyFlags(keep_names=kept), policy))


def test_a_volume_that_another_node_keeps_stays_on_all() -> None:
    jobs = Jobs({})
    jobs.plans = {
        "node1": plan_with(nfs("shared"), nfs("own")),
        "node2": plan_with(nfs("shared"), kept=("shared",)),
        "node3": plan_with(nfs("third")),
    }
    came = swept(jobs)
    assert jobs.waves[0] == [one.id for one in NODES]
    assert [key for wave in jobs.waves[1:] for key in wave] == ["node1", "node3"]
    [told] = {id(shown): shown for shown in jobs.shown if shown is not None}.values()
    digests = {name: digest_of(write_document(plan).encode()) for name, plan in jobs.plans.items()}
    assert told == ShownPlans({digests["node1"]: ("shared",), digests["node3"]: ()}, is_confirmed=False)
    assert came.hosts["node1"].notes == ("volume shared stays: node2 has it too, and keeps it",)


def test_a_volume_that_a_silent_node_may_use_stays() -> None:
    jobs = Jobs({})
    jobs.plans = {one.id: plan_with(nfs("shared")) for one in NODES[:2]}
    silent = jobs.without_task(node(9, hostname="node9"))
    came = swept(jobs, silent=[silent])
    assert [wave for wave in jobs.waves[1:] if wave] == []
    assert "node9 did not tell whether it uses it" in came.hosts["node1"].notes[0]


def test_what_failed_to_plan_counts_for_the_rollout() -> None:
    jobs = Jobs({"node1": "failed"})
    jobs.plans = {"node2": plan_with(nfs("x"))}
    with pytest.raises(RefusedError, match="node1, which goes first, did not end well"):
        swept(jobs, "--canary", "1")
