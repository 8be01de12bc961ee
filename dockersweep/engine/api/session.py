"""Requests to one engine in one version of its API, and their answers: decoded, gone, or an error."""

import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Self, TypeVar, Unpack

import msgspec

from dockersweep.engine.api import wire
from dockersweep.engine.api.connection import LARGEST_LIST_BYTES, LARGEST_OBJECT_BYTES, Answer, Asking, Connection
from dockersweep.engine.api.decoding import decode
from dockersweep.engine.api.list_requests import ask_ahead, ask_ahead_of_info
from dockersweep.engine.api.quirks import Quirks
from dockersweep.engine.api.registry_access import registry_access_of
from dockersweep.engine.api.removal_answer import means_gone
from dockersweep.engine.api.swarm import SwarmRole, role_of
from dockersweep.engine.api.throw_away import is_throw_away
from dockersweep.engine.api.versions import PODMAN, choose_api, dotted, podman_of_ping
from dockersweep.errors import EngineError, OtherEngineError
from dockersweep.model.engine_address import socket_url
from dockersweep.model.inventory import Engine
from dockersweep.model.naming import engine_identity
from dockersweep.units import parse_instant

MOST_STUMBLES = 4
STUMBLE_SECONDS = 0.1

Shape = TypeVar("Shape")


class Session:
    """The session with one engine: its identity, and requests in one version of its API. Safe for several threads."""

    def __init__(self, connection: Connection, removal_seconds: float, will_list: bool = False) -> None:
        """`removal_seconds` is the limit for a removal: deleting millions of files takes long, and a look before the
        end would find the object still there. With `will_list`, the requests for all lists are sent right away."""
        self._connection = connection
        self.removal_seconds = removal_seconds
        self._where = f"the engine at {connection.endpoint.url}"
        self._prefix = ""
        # A placeholder: the first request has no version prefix.
        self.quirks = Quirks(api=(0, 0), version="")
        ping = self._request("GET", "/_ping", timeout_seconds=connection.first_answer_seconds)
        version = podman_of_ping(ping.headers) or self._get("/version", wire.WireVersion)
        api = choose_api(version, self._where)
        self._prefix = f"/v{dotted(api)}"
        is_podman = any(part.name == PODMAN for part in version.components or ())
        self.quirks = Quirks(api=api, version=version.version, is_podman=is_podman)
        if will_list and is_podman:
            ask_ahead_of_info(connection, self._prefix, self.quirks)
        info = self._get("/info", wire.WireInfo)
        driver = info.driver_status or []
        has_containerd_store = ["driver-type", "io.containerd.snapshotter.v1"] in driver
        has_native_diff = ["Native Overlay Diff", "true"] in driver
        self.quirks = Quirks(api, version.version, is_podman, has_containerd_store, has_native_diff)
        if will_list and not is_podman:
            ask_ahead(connection, self._prefix, self.quirks)
        self.clock = parse_instant(info.system_time)
        """The engine's clock at the first request, or at the last `set_clock`; None if it does not report its time."""
        self._clock_set_at = time.monotonic()
        self.swarm_role: SwarmRole = role_of(info.swarm)
        self.engine = _engine_of(info, self.quirks, connection)
        self.registry_access = registry_access_of(info.registry_config, self.engine, socket.gethostname())
        """How the engine reaches registries."""
        self.is_throw_away = is_throw_away(
            None if self.engine.on_other_kernel else self.engine.root_dir, info.labels or ()
        )
        """Whether the project's tests or the sandbox started it."""

    @classmethod
    def sharing(cls, session: "Session") -> Self:
        """Return the same session, with its connections, for the calls of this class."""
        shared = cls.__new__(cls)
        vars(shared).update(vars(session))
        return shared

    def set_clock(self) -> None:
        """Set `clock` to now: the reported time plus what has passed here since, which is never ahead of the engine."""
        passed_seconds = time.monotonic() - self._clock_set_at
        if self.clock is not None:
            self.clock += timedelta(seconds=passed_seconds)
        self._clock_set_at += passed_seconds

    def engine_now(self) -> datetime | None:
        """Return the engine's time, never ahead of its clock; None if it does not report that."""
        passed_seconds = time.monotonic() - self._clock_set_at
        return None if self.clock is None else self.clock + timedelta(seconds=passed_seconds)

    def check_back(self) -> None:
        """Return if the same engine answers; raises OtherEngineError if another one does."""
        info = self._get("/info", wire.WireInfo)
        now = _engine_of(info, self.quirks, self._connection)
        if engine_identity(now) != engine_identity(self.engine):
            raise OtherEngineError(f"{self._where} is another engine now: {now.name}, with its data in {now.root_dir}")

    @contextmanager
    def asking_once(self) -> Iterator[None]:
        """Send each request only once, for a caller that checks the engine before it repeats one
        (`removing.reconnect`)."""
        self._connection.asks_again = False
        try:
            yield
        finally:
            self._connection.asks_again = True

    def _request(
        self, method: str, path: str, largest_bytes: int = LARGEST_OBJECT_BYTES, **asking: Unpack[Asking]
    ) -> Answer:
        return self._connection.request(method, self._prefix + path, largest_bytes=largest_bytes, **asking)

    def _settled(self, path: str, largest_bytes: int, **asking: Unpack[Asking]) -> Answer:
        """Return the answer to a GET. If an object disappears during the request, some engines fail (the containerd
        store answers 404 to a list, Podman 500 to one object): then ask again."""
        answer = self._request("GET", path, largest_bytes, **asking)
        begun, stumbles = time.monotonic(), 0
        while stumbles < MOST_STUMBLES and self._stumbled(answer, is_list=largest_bytes == LARGEST_LIST_BYTES):
            time.sleep(STUMBLE_SECONDS)
            # Docker 20.10 walks its disk for one caller at a time, and rejects others.
            is_busy = answer.status == 500 and "already running" in answer.message()
            if not is_busy or time.monotonic() - begun > (asking.get("timeout_seconds") or 0):
                stumbles += 1
            answer = self._request("GET", path, largest_bytes, **asking)
        return answer

    def _stumbled(self, answer: Answer, is_list: bool) -> bool:
        if answer.status not in (404, 500):
            return False
        if self.quirks.is_podman:
            return answer.status == 500 and not means_gone(answer, is_podman=True)
        text = answer.message()
        return is_list and ("not found" in text or "already running" in text)

    def _list(self, path: str, shape: type[Shape], **asking: Unpack[Asking]) -> Shape:
        return self._get(path, shape, LARGEST_LIST_BYTES, **asking)

    def _get(
        self, path: str, shape: type[Shape], largest_bytes: int = LARGEST_OBJECT_BYTES, **asking: Unpack[Asking]
    ) -> Shape:
        return self._decoded(self._settled(path, largest_bytes, **asking), shape, f"GET {path}")

    def _look(self, path: str, shape: type[Shape]) -> Shape | None:
        """Return one object; None if it is gone."""
        found = self._look_whole(path, shape)
        return None if found is None else found[0]

    def _look_whole(self, path: str, shape: type[Shape]) -> tuple[Shape, bytes] | None:
        """Return one object, and all that the engine answered about it; None if it is gone."""
        answer = self._settled(path, LARGEST_OBJECT_BYTES)
        if answer.status == 404 or means_gone(answer, self.quirks.is_podman):
            return None
        return self._decoded(answer, shape, f"GET {path}"), answer.body

    def _decoded(self, answer: Answer, shape: type[Shape], request: str) -> Shape:
        if answer.status != 200:
            raise EngineError(f"{self._where} answered {request} with {answer.status}: {answer.message()}")
        try:
            return decode(answer.body, shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise EngineError(
                f"{self._where} answered {request} with something else than was asked: {error}"
            ) from error


def _engine_of(info: wire.WireInfo, quirks: Quirks, connection: Connection) -> Engine:
    endpoint = connection.endpoint
    # Podman makes up a new one for each answer.
    url, engine_id = endpoint.url, None if quirks.is_podman else info.id or None
    if engine_id is None and (socket := endpoint.socket) is not None:
        # Its endpoint is its identity, so links are resolved: two paths of one socket are one engine.
        url = socket_url(os.path.realpath(socket))
    return Engine(
        endpoint=url,
        endpoint_source=endpoint.source,
        context_flag=endpoint.context_flag,
        tls_flags=endpoint.tls_flags,
        id=engine_id,
        machine_id=connection.machine_id() if engine_id is None else None,
        name=info.name or None,
        version=quirks.version,
        api_version=dotted(quirks.api),
        flavour="podman" if quirks.is_podman else "docker",
        image_store="containerd" if quirks.has_containerd_store else info.driver,
        root_dir=info.docker_root_dir or None,
        operating_system=info.operating_system or None,
        kernel=info.kernel_version or None,
        on_other_kernel=_is_on_other_kernel(info.kernel_version, os.uname().release),
    )


def _is_on_other_kernel(engine_release: str, own_release: str) -> bool:
    """Return whether two releases are of different kernels. The same one proves nothing. Docker tells it in three
    numbers: "6.6.0-rc1" of "6.6-rc1" (moby/moby, pkg/parsers/kernel)."""
    in_three = re.sub(r"^(\d+\.\d+)(?![.\d])", r"\1.0", own_release)
    # An older Docker that cannot read it says "<unknown>".
    return engine_release[:1].isdigit() and engine_release not in (own_release, in_three)
