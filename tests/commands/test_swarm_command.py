"""`dockersweep swarm` up to the engine: its command line, and what it refuses before anything is created."""

import os
from pathlib import Path

import pytest

from dockersweep.commands.options import SwarmOptions, SweepOptions, options_of
from dockersweep.commands.swarming.hosts import host_of, host_without_task, names_of
from dockersweep.commands.swarming.kept_plan import ShownPlans, digest_of, drop_plan, keep_plan, kept_plan, plan_path
from dockersweep.commands.swarming.run_id import forget_all_over, held, is_over, new_run
from dockersweep.engine.api.swarm_jobs import ConfigFile, JobSpec, job_body
from dockersweep.engine.jobs.watching import NodeAnswer
from dockersweep.errors import RefusedError
from dockersweep.parser import parse
from tests.commands.calling import Caller
from tests.engine.test_job_watching import node
from tests.rig.fake_engine import fake_engine
from tests.rig.policies import VERSION, rule_text


def options(*words: str) -> SwarmOptions:
    made = options_of(parse(words))
    assert isinstance(made, SwarmOptions)
    return made


def test_flags_of_the_job_may_stand_on_either_side_of_the_verb() -> None:
    job = ("--image", "app:1", "--constraint", "node.role==worker", "--timeout", "5m", "--group-add", "996")
    before, after = options("swarm", *job, "plan"), options("swarm", "plan", *job)
    assert before == after
    assert (before.image, before.timeout_seconds, before.groups) == ("app:1", 300, ("996",))
    both = options("swarm", "--constraint", "node.role==worker", "plan", "--constraint", "node.id!=x")
    assert both.constraints == ("node.role==worker", "node.id!=x")


def test_a_node_gets_the_flags_that_are_for_it() -> None:
    typed = ("-H", "tcp://manager:2375", "--format", "json", "swarm", "--image=app:1", "sweep", "--older-than", "7d")
    more = (
        "-y",
        "-v",
        "--quiet",
        "-o",
        "x.json",
        "--policy",
        "p.toml",
        "--constraint",
        "node.role==worker",
        "--keep-name",
        "db-*",
    )
    made = options(*typed, *more, "--canary", "2")
    assert made.words == ("swarm", "sweep", "--older-than", "7d", "-y", "--keep-name", "db-*", "--canary", "2")
    assert (made.yes, made.canary, made.policy) == (True, 2, "p.toml")
    task = options(*made.words, "--policy", "default", "--format", "json", "--as-task", "0123")
    assert task.as_task == "0123"
    assert isinstance(task.on_node, SweepOptions)
    assert task.on_node.policy.flags.keep_names == ("db-*",)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("swarm",), "the following arguments are required: VERB"),
        (("swarm", "apply"), 'there is no "apply"'),
        (("swarm", "scan"), "give --image: the image of dockersweep that every node has, or can pull"),
        (("swarm", "sweep", "--image", "x", "--canary", "1"), "there is no terminal to ask on; give --yes"),
        (("swarm", "scan", "--image", "x", "--constraint", "worker"), '"worker" is not a constraint'),
        (("swarm", "scan", "--image", "x", "--filter", "name=y"), "unrecognized arguments: --filter"),
        (("swarm", "scan", "--image", "x", "-H", "a", "-H", "b"), "--host is given more than once"),
        (("swarm", "scan", "--image", "x", "--fleet", "f.toml"), "swarm takes one engine: leave out --fleet"),
        (("swarm", "plan", "--image", "x", "--confirm-engine", "y"), "unrecognized arguments: --confirm-engine"),
        (("swarm", "sweep", "-y", "--image", "x", "--confirm-engine", "y"), "--confirm-engine is about one engine"),
    ],
)
def test_wrong_usage_is_told(call: Caller, words: tuple[str, ...], message: str) -> None:
    said = call(*words)
    assert (said.status in (2, 4), message in said.err) == (True, True), said


def test_a_policy_that_no_node_can_follow_is_refused(call: Caller) -> None:
    rule = rule_text("old", "container", 'match.name = "x"', 'remove.older_than = "3d"')
    policy = call.policy(VERSION + rule + "[protect]\nquadlets = ['/etc/containers/systemd']\n")
    said = call("swarm", "plan", "--image", "x", "--policy", policy)
    assert (said.status, "which the nodes of a swarm do not have" in said.err) == (2, True)
    large = call.policy(VERSION + rule + "#" * 600_000)
    said = call("swarm", "plan", "--image", "x", "--policy", large)
    assert (said.status, "larger than the 500 kB" in said.err) == (2, True)


def test_an_engine_without_a_swarm_is_told(call: Caller) -> None:
    with fake_engine() as engine:
        said = call("swarm", "scan", "--image", "x", "-H", engine.url)
    assert (said.status, "is in no swarm: run it on a manager, or name one" in said.err) == (2, True)


def test_nodes_of_one_name_are_told_apart() -> None:
    first, second, other = node(1), node(2), node(3, hostname="db")
    assert names_of([first, second, other]) == {"node1": "vm (node1)", "node2": "vm (node2)", "node3": "db"}


def answer(
    document: bytes | None, problem: str | None = None, begun: bool = False, crashed: bool = False
) -> NodeAnswer:
    return NodeAnswer(
        node=node(1), document=document, problem=problem, has_begun=begun, has_crashed=crashed, seconds=1.23456
    )


def test_what_became_of_a_node_is_told_by_its_status() -> None:
    lost = host_of(answer(None, "went down (heartbeat failure)"))
    assert (lost.status, lost.exit_status, lost.message) == (
        "not-reached", 5, "it went down (heartbeat failure)",
    )  # fmt: skip
    begun = host_of(answer(None, "went down", begun=True))
    assert (begun.status, begun.exit_status) == ("failed", 5)
    only = "its container was running, and only the ledger on the node tells what it did"
    assert begun.message == f"it went down; {only}"
    crashed = host_of(answer(None, "failed in its container", begun=True, crashed=True))
    assert (crashed.status, crashed.exit_status, crashed.message) == ("failed", 1, "it failed in its container")
    odd = host_of(answer(b'{"name": 5}', begun=True))
    assert (odd.status, "is its image of another version?" in (odd.message or "")) == ("failed", True)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"state": "down", "state_message": "heartbeat failure"}, "it is down (heartbeat failure)"),
        ({"state": "unknown"}, "it is unknown"),
        ({"availability": "drain"}, "it is drained: the swarm gives it no tasks"),
        ({"availability": "pause"}, "it is paused: the swarm gives it no tasks"),
    ],
)
def test_a_node_that_gets_no_task_is_told_with_the_reason(changed: dict[str, str], message: str) -> None:
    host = host_without_task(node(1, **changed))
    assert (host.status, host.exit_status, host.message) == ("not-reached", 5, message)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKERSWEEP_STATE_DIR", str(tmp_path))
    return tmp_path


def test_a_node_carries_out_only_the_plan_that_was_shown(state: Path) -> None:
    run, document = new_run(), b'{"plan": 1}\n'
    keep_plan(b"of an earlier run", new_run())
    keep_plan(document, run)
    assert len(list((state / "plans").iterdir())) == 1
    # In the document of the fleet it has no newline at its end.
    shown = ShownPlans({digest_of(document.strip()): ("nfs",)}, is_confirmed=True)
    assert kept_plan(run, shown) == (document, ("nfs",))
    plan_path(run).write_bytes(b'{"plan": 2}\n')
    with pytest.raises(RefusedError, match="is not the one that was shown"):
        kept_plan(run, shown)
    drop_plan(run)
    with pytest.raises(RefusedError, match="cannot be read"):
        kept_plan(run, shown)


def test_a_run_is_over_when_its_process_is(state: Path) -> None:
    run = new_run()
    assert is_over(run) is None
    with held(run):
        pid = os.fork()
        if pid == 0:
            os._exit(0 if is_over(run) is False else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    # As a kill leaves it.
    assert is_over(run) is True
    with held(at_work := new_run()):
        forget_all_over()
        assert (is_over(run), is_over(at_work)) == (None, False)
    assert is_over("../swarm/" + run) is None


def test_what_the_engine_is_told_of_a_job() -> None:
    spec = JobSpec(
        name="dockersweep-1",
        labels={"a": "b"},
        image="app:1",
        arguments=("swarm", "scan"),
        constraints=("node.role==worker",),
        socket="/var/run/docker.sock",
        state_volume="dockersweep",
        state_folder="/var/lib/dockersweep",
        configs=(ConfigFile("id", "name", "/etc/x"),),
        user="1000:1000",
        groups=("996",),
        stop_seconds=120,
    )
    task = job_body(spec)["TaskTemplate"]
    container = task["ContainerSpec"]
    assert (container["ReadOnly"], container["User"], container["Groups"]) == (True, "1000:1000", ["996"])
    assert container["StopGracePeriod"] == 120_000_000_000
    assert container["Configs"][0]["File"] == {"Name": "/etc/x", "UID": "0", "GID": "0", "Mode": 0o444}
    # Neither a second try nor a log that is cut off.
    assert (task["RestartPolicy"]["Condition"], task["RestartPolicy"]["Delay"] > 3600 * 10**9) == ("on-failure", True)
    assert task["LogDriver"]["Name"] == "json-file"
    assert job_body(spec)["Mode"] == {"GlobalJob": {}}
