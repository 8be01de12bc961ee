"""A real registry, Debian's docker-registry, on the loopback interface of an engine's network."""

from __future__ import annotations

import base64
import ctypes
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from tests.rig.engines.engine import Engine, EngineError
from tests.rig.engines.wire import Wire

PROGRAM = Path(sys.executable).with_name("docker-registry")
"""tests/prepare.sh puts it there."""
PASSWORD = "opensesame"
_HTPASSWD = "somebody:$2b$05$Wns/Z1XUI4D8hTpeZnm5XuxkdaJZfNUtes0xoNbQa58q2Ahsq0MMq\n"
"""The user "somebody" with that password, as `htpasswd -B` writes it."""
USER = "somebody"

_PATIENCE = 30.0
_CLONE_NEWNET = 0x40000000
_PODMAN_API = "5.0.0"
_CONFIGURATION = """\
version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {data}}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}"}}
{auth}
"""
_AUTH = "auth: {{htpasswd: {{realm: engines, path: {path}}}}}"

Result = TypeVar("Result")


class DockerRegistry:
    """A registry that runs; `address` goes before the names of images."""

    def __init__(self, engine: Engine, port: int, password: str | None) -> None:
        """Name a registry that is listening; without a password anybody may use it."""
        self.address = f"127.0.0.1:{port}"
        self._headers: dict[str, str] = {}
        self._engine = engine
        self._port = port
        if password is not None:
            word = base64.b64encode(f"{USER}:{password}".encode()).decode()
            self._headers = {"Authorization": f"Basic {word}"}
        self._password = password

    def push(self, name: str) -> None:
        """Have the engine push the image of that name, which begins with the address."""
        repository, _, tag = name.rpartition(":")
        if self._engine.kind.flavour == "podman":
            told = self._wire().raw("POST", f"/libpod/images/{name}/push", tlsVerify="false")
        else:
            # Without credentials in a header Docker 20.10 wants them in the body.
            told = self._wire().raw("POST", f"/images/{repository}/push", {}, tag=tag)
        if b'"error"' in told:
            raise EngineError(f"{name} was not pushed: {told.decode(errors='replace')}")

    def pull(self, name: str) -> None:
        """Have the engine pull an image, by its tag or digest."""
        repository, _, tag = name.partition("@") if "@" in name else name.rpartition(":")
        if self._engine.kind.flavour == "podman":
            told = self._wire().raw("POST", "/libpod/images/pull", reference=name, tlsVerify="false")
        else:
            told = self._wire().raw("POST", "/images/create", fromImage=repository, tag=tag)
        if b'"error"' in told:
            raise EngineError(f"{name} was not pulled: {told.decode(errors='replace')}")

    def digest(self, name: str) -> str:
        """The digest of what lies there under a name with its tag."""
        repository, _, tag = name.removeprefix(f"{self.address}/").rpartition(":")
        status, headers = self._ask("HEAD", f"/v2/{repository}/manifests/{tag}")
        assert status == 200, status
        return headers["docker-content-digest"]

    def delete(self, name: str) -> None:
        """Delete the manifest of a name with its tag."""
        self.delete_manifest(name.removeprefix(f"{self.address}/").rpartition(":")[0], self.digest(name))

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Delete the manifest with a digest."""
        status, _ = self._ask("DELETE", f"/v2/{repository}/manifests/{digest}")
        assert status == 202, status

    def _wire(self) -> Wire:
        """The way to the engine, with what it is to show to the registry."""
        own = self._engine.wire
        version = _PODMAN_API if self._engine.kind.flavour == "podman" else own.version
        if self._password is None:
            return Wire(own.socket, version)
        given = json.dumps({"username": USER, "password": self._password, "serveraddress": self.address})
        shown = base64.urlsafe_b64encode(given.encode()).decode()
        return Wire(own.socket, version, headers=(("X-Registry-Auth", shown),))

    def _ask(self, method: str, path: str) -> tuple[int, dict[str, str]]:
        def ask() -> tuple[int, dict[str, str]]:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE)
            accept = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
            index = "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.index.v1+json"
            connection.request(method, path, headers={"Accept": f"{accept}, {index}", **self._headers})
            answer = connection.getresponse()
            answer.read()
            connection.close()
            return answer.status, {key.lower(): value for key, value in answer.getheaders()}

        return in_network_of(self._engine, ask)


@contextmanager
def docker_registry(engine: Engine, port: int = 5000, password: str | None = None) -> Iterator[DockerRegistry]:
    """A registry beside an engine, in its network; empty, and gone in the end."""
    folder = engine.run_directory / f"registry-{port}"
    folder.mkdir()
    auth = ""
    if password is not None:
        (folder / "htpasswd").write_text(_HTPASSWD)
        auth = _AUTH.format(path=folder / "htpasswd")
    configuration = folder / "config.yml"
    configuration.write_text(_CONFIGURATION.format(data=folder / "data", port=port, auth=auth))
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            ["nsenter", f"--net=/proc/{engine.pid}/ns/net", str(PROGRAM), "serve", str(configuration)],
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={"PATH": os.defpath},
        )
    try:
        made = DockerRegistry(engine, port, password)
        _await(made, server, folder)
        yield made
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder)


def _await(made: DockerRegistry, server: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            made._ask("GET", "/v2/")
            return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise EngineError(f"the registry does not start:\n{(folder / 'log').read_text()}") from None
            time.sleep(0.02)


def in_network_of(engine: Engine, call: Callable[[], Result]) -> Result:
    """Return what a call comes to in the network of an engine: in a thread, which alone changes over."""
    results: list[Any] = []

    def run() -> None:
        try:
            enter()
            results.append((True, call()))
        except BaseException as error:
            results.append((False, error))

    def enter() -> None:
        with open(f"/proc/{engine.pid}/ns/net") as network:
            # Python has it from 3.12 on.
            if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    thread = Thread(target=run)
    thread.start()
    thread.join()
    is_well, result = results[0]
    if not is_well:
        raise result
    return result  # type: ignore[no-any-return]
