"""Podman is asked for its lists while it says who it is; containers come last, whatever goes wrong with the others."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from dockersweep.engine.api.client import Client
from dockersweep.engine.api.connection import Connection
from dockersweep.engine.api.endpoint import Endpoint
from tests.rig.fake_engine import FakeEngine, Handler, Reply, fake_engine, reply

OTHERS = {"/images/json", "/volumes", "/networks"}
CONTAINERS = "/libpod/containers/json"


def ping(handler: Handler) -> None:
    handler.send_response(200)
    for name, value in (("Libpod-API-Version", "6.1.0"), ("Api-Version", "1.44"), ("Content-Length", "2")):
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(b"OK")


@contextmanager
def podman(images: Reply | None = None) -> Iterator[tuple[Client, FakeEngine]]:
    """A Podman whose first answer of images is this one."""
    first = [] if images is None else [images]

    def images_of(_: Handler) -> Reply:
        return first.pop() if first else reply([])

    def info(_: Handler) -> Reply:
        # The lists are there sooner.
        engine.release.wait(0.5)
        return reply({"Name": "box", "Driver": "overlay", "DockerRootDir": "/d", "SystemTime": "2026-11-24T12:00:00Z"})

    with fake_engine() as engine:
        engine.replies |= {"/_ping": ping, "/info": info, "/images/json": images_of, CONTAINERS: reply([])}
        with closing(Connection(Endpoint(engine.url, "a test", None), 5)) as connection:
            yield Client(connection, 0, will_list=True), engine


def test_the_lists_are_asked_for_once_and_that_of_containers_last() -> None:
    with podman() as (client, engine):
        paths = [path for _, path in engine.asked]
        assert paths[-1] == CONTAINERS
        assert set(paths) >= OTHERS
        client.images()
        client.volumes()
        client.networks()
        client.podman_containers()
        assert [path for _, path in engine.asked] == paths


def test_where_one_is_asked_for_again_so_are_the_containers_behind_it() -> None:
    with podman(images=reply({"message": "it stumbled"}, 500)) as (client, engine):
        client.images()
        client.podman_containers()
        paths = [path for _, path in engine.asked]
        assert paths.count("/images/json") == 2
        assert paths.count(CONTAINERS) == 2
        assert paths[-2:] == ["/images/json", CONTAINERS]


def test_nothing_is_asked_ahead_of_who_lists_nothing() -> None:
    with podman() as (_, engine):
        engine.asked.clear()
        with closing(Connection(Endpoint(engine.url, "a test", None), 5)) as connection:
            Client(connection, 0)
        assert [path for _, path in engine.asked] == ["/_ping", "/info"]
