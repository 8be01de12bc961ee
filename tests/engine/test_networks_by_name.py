"""By what a network is asked for: its id, and on Podman its name, by which alone Podman minds what containers name."""

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import CannotDo
from tests.rig.engines.litter import Litter
from tests.rig.recorder import Recording, Request
from tests.rig.running import Run, dockersweep


def swept(engine: Engine, *flags: str) -> Run:
    return dockersweep("sweep", "--yes", "--kind", "network", "--older-than", "0s", *flags, host=engine.url)


def networks(engine: Engine) -> set[str]:
    made_by_the_engine = {"bridge", "host", "none", "podman"}
    return {one["Name"] for one in engine.wire.call("GET", "/networks")} - made_by_the_engine


def asked_for(recording: Recording) -> list[str]:
    return [request.path.removeprefix("/networks/") for request in recording.of("DELETE")]


def test_a_network_goes_by_the_name_that_the_engine_guards(engine: Engine, litter: Litter) -> None:
    free = litter.network("free_net-1.x")
    litter.network("used")
    litter.container("user", state="created", networks=["used"])
    with engine.recorder.recording() as recording:
        assert swept(engine).status == 0
    assert asked_for(recording) == ["free_net-1.x" if engine.kind.flavour == "podman" else free]
    assert networks(engine) == {"used"}


def test_what_podman_refuses_is_told_as_in_use(engine: Engine, litter: Litter) -> None:
    """The list of containers has not got it yet when dockersweep looks; the engine itself knows."""
    if engine.kind.flavour != "podman":
        raise CannotDo("Docker refuses by any name, and only what runs: tests/rig/races/ has that")
    litter.network("late")
    litter.base()

    def connect(request: Request) -> None:
        if request.method == "DELETE":
            litter.container("user", state="created", networks=["late"])

    with engine.recorder.recording() as recording:
        recording.before = connect
        run = swept(engine, "--format", "json")
    assert run.status == 0
    (row,) = run.json()["outcomes"]
    assert (row["status"], row["detail"].split(":")[0]) == ("skipped", "in use")
    assert "associated containers" in row["detail"]
    assert networks(engine) == {"late"}


def begun_by(engine: Engine, litter: Litter, name: str) -> str:
    """A network whose id begins with that name, which is a digit of such ids, and its own name; the ids are random."""
    for number in range(500):
        other = f"other{number}"
        made = litter.network(other)
        if made.startswith(name):
            return other
        engine.api.remove_network(made)
    raise AssertionError(f"no id began with {name} in 500 tries")


@pytest.mark.parametrize("when", ["before the look", "after it", "not"])
def test_a_name_that_begins_the_id_of_another_network_takes_none_in_its_place(
    engine: Engine, litter: Litter, when: str
) -> None:
    if engine.kind.flavour != "podman":
        raise CannotDo("Docker is asked by the full id")
    short = litter.network("e")
    other = begun_by(engine, litter, "e")
    moment = {"before the look": "GET", "after it": "DELETE"}.get(when)

    def takes_it_away(request: Request) -> None:
        if request.method == moment and request.path in ("/networks/e", f"/networks/{short}"):
            engine.wire.raw("DELETE", f"/networks/{short}", tolerate=(404,))

    with engine.recorder.recording() as recording:
        recording.before = takes_it_away
        run = swept(engine, "--keep-name", other, "--format", "json")
    assert run.status == 0
    (row,) = run.json()["outcomes"]
    assert row["status"] == ("gone" if moment else "removed")
    # That of a network which is there already could begin with any name of such digits.
    assert asked_for(recording) == ([] if moment == "GET" else [short])
    assert networks(engine) == {other}
