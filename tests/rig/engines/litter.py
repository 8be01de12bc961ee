"""Litter: a vocabulary to fill an engine with things to clean up.

Sizes are honest: contents are random, and what is said to be written has been written when a call returns.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from tests.rig.engines import archive
from tests.rig.engines.archive import EPOCH, ImageSpec, random_bytes
from tests.rig.engines.builds import Builds
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import CannotDo
from tests.rig.engines.wire import Wire

State = Literal["created", "exited", "running", "paused", "restarting", "dead"]

BASE = "busybox:latest"
"""The image of containers that name none."""

_API_WITH_IMAGE_MOUNTS = (1, 48)
_PODMAN_API = "5.0.0"
_FOREVER = "exec sleep 1000000"
_PATIENCE = 60.0


class Litter:
    """Makes things on one engine. Whatever is made for want of a name, such as `BASE`, is litter as well."""

    def __init__(self, engine: Engine) -> None:
        """Litter that engine."""
        self.engine = engine
        self._builds = Builds(engine)

    # Images.

    def image(
        self,
        tag: str | None = None,
        *,
        layers: Mapping[str, int | bytes] | None = None,
        labels: Mapping[str, str] | None = None,
        created: str | None = EPOCH,
        tags: Sequence[str] = (),
        runnable: bool = False,
        volumes: Sequence[str] = (),
    ) -> str:
        """An image with these layers, and its id. Without any tag it is dangling."""
        names = (tag, *tags) if tag else tuple(tags)
        content = {"litter": 1000} if layers is None else layers
        return self.images(
            [ImageSpec(names, content, labels or {}, created, runnable=runnable, volumes=tuple(volumes))]
        )[0]

    def images(self, specs: Sequence[ImageSpec]) -> list[str]:
        """Many images in one load, and their ids."""
        told = self.engine.wire.raw("POST", "/images/load", archive.archive(specs)).decode()
        nameless = iter(_nameless(told))
        names = self._image_names()
        by_manifest = self.engine.kind.image_store == "containerd"
        ids = []
        for spec in specs:
            if spec.tags:
                ids.append(names[spec.tags[0]])
            else:
                # Only the containerd store has ids of its own; it tells them in the order of the archive.
                ids.append(next(nameless) if by_manifest else archive.config_digest(spec))
        return ids

    def base(self) -> str:
        """The image `BASE`, that containers can run; loaded when it is not there."""
        there = self._image_names()
        return there.get(BASE) or self.image(BASE, layers={}, runnable=True)

    def retag(self, image: str, tag: str) -> None:
        """Give an image another name; an image that had it before may so become dangling."""
        name, _, version = tag.rpartition(":")
        self.engine.wire.call("POST", f"/images/{image}/tag", repo=name, tag=version)

    def image_tags(self, image: str) -> list[str]:
        """The names that the engine has for an image."""
        return list(self.engine.wire.call("GET", f"/images/{image}/json")["RepoTags"] or [])

    # Containers.

    def container(
        self,
        name: str | None = None,
        *,
        image: str | None = None,
        state: State = "exited",
        exit_code: int = 0,
        command: str | None = None,
        writes: int = 0,
        volumes: Mapping[str, str] | None = None,
        anonymous_volumes: Sequence[str] = (),
        binds: Sequence[str] = (),
        networks: Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
        restart: str = "no",
        auto_remove: bool = False,
    ) -> str:
        """A container in that state, and its full id. Its image has to be runnable, unless it never ran.

        What it does before it ends can be told as a command of the shell. The restart policy is written as for
        docker: "on-failure:2" is one with two retries.
        """
        if state == "restarting":
            restart, exit_code = "always", exit_code or 1
        body = {
            "Image": image or self.base(),
            "Cmd": ["/bin/sh", "-c", _FOREVER if state in {"running", "paused"} else command or f"exit {exit_code}"],
            "Labels": dict(labels or {}),
            "Volumes": {path: {} for path in anonymous_volumes},
            # A sleeping shell does not heed the polite signal, and nobody wants to wait for that.
            "StopSignal": "SIGKILL",
            "HostConfig": _host_config(restart, volumes or {}, binds, networks, auto_remove),
        }
        made: str = self.engine.wire.call("POST", "/containers/create", body, name=name)["Id"]
        for network in networks[1:]:
            self.engine.wire.raw("POST", f"/networks/{network}/connect", {"Container": made})
        if writes:
            self.write(made, writes)
        self._bring(made, state)
        return made

    def mounting_container(
        self,
        name: str,
        reference: str,
        *,
        state: Literal["created", "running"] = "created",
        and_mounts: Sequence[str] = (),
    ) -> str:
        """A container that mounts an image, as it names it, at /data, and its full id; further ones at /data-1 on."""
        version = tuple(int(part) for part in self.engine.kind.api_version.split("."))
        places = {"/data": reference} | {f"/data-{number}": one for number, one in enumerate(and_mounts, 1)}
        if self.engine.kind.flavour == "podman":
            # Only Podman's own API takes image mounts.
            mounts = [{"Source": one, "Destination": place, "ReadWrite": False} for place, one in places.items()]
            body = {
                "name": name,
                "image": self.base(),
                "command": ["/bin/sh", "-c", _FOREVER],
                "stop_signal": int(signal.SIGKILL),
                "netns": {"nsmode": "none"},
                "image_volumes": mounts,
            }
            own = Wire(self.engine.socket, _PODMAN_API)
            made: str = own.call("POST", "/libpod/containers/create", body)["Id"]
        elif version < _API_WITH_IMAGE_MOUNTS:
            raise CannotDo("image mounts came with Docker 28")
        else:
            mounting = [
                word for place, one in places.items() for word in ("--mount", f"type=image,source={one},target={place}")
            ]
            sleeping = ("--stop-signal", "KILL", self.base(), "/bin/sh", "-c", _FOREVER)
            made = self.engine.docker(
                "create", "--name", name, "--network", "none", *mounting, *sleeping
            ).stdout.strip()
        self._bring(made, state)
        return made

    def write(self, container: str, size: int, name: str = "litter.bin") -> None:
        """Write that many bytes into a container's own layer."""
        content = archive.tar({name: random_bytes(name, size)})
        self.engine.wire.call("PUT", f"/containers/{container}/archive", content, path="/")

    def stop(self, container: str) -> None:
        """End a running container, and wait until that is so."""
        self.engine.wire.call("POST", f"/containers/{container}/kill", signal="SIGKILL")
        self.wait(container)

    def job(self, name: str, **held: Any) -> None:
        """Run a container that comes, does something, and is gone."""
        made = self.container(name, state="created", auto_remove=True, command="exit 0", **held)
        self.start(made)
        deadline = time.monotonic() + 20
        while any(one["Id"] == made for one in self.engine.wire.call("GET", "/containers/json", all="1")):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def start(self, container: str) -> None:
        """Start a container."""
        self.engine.wire.call("POST", f"/containers/{container}/start")

    def wait(self, container: str) -> int:
        """Wait until a container has ended, and return its exit code."""
        code: int = self.engine.wire.call("POST", f"/containers/{container}/wait")["StatusCode"]
        return code

    def state(self, container: str) -> dict[str, Any]:
        """The state of a container, as the engine tells it."""
        told: dict[str, Any] = self.engine.wire.call("GET", f"/containers/{container}/json")
        return {**told["State"], "RestartCount": told.get("RestartCount", 0)}

    # Volumes and networks.

    def volume(
        self,
        name: str | None = None,
        *,
        size: int = 0,
        labels: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
    ) -> str:
        """A volume with a file of that size, and its name. Without a name it is anonymous."""
        body = {"Name": name, "Labels": dict(labels or {}), "DriverOpts": dict(options or {})}
        made = self.engine.wire.call("POST", "/volumes/create", {k: v for k, v in body.items() if v})
        if size:
            folder = Path(made["Mountpoint"])
            (folder / "litter.bin").write_bytes(random_bytes(made["Name"], size))
        return str(made["Name"])

    def anonymous_volume(self, size: int = 0) -> str:
        """A volume whose name the engine makes up."""
        return self.volume(size=size)

    def network(self, name: str, *, labels: Mapping[str, str] | None = None) -> str:
        """A bridge network, and its full id."""
        body = {"Name": name, "Labels": dict(labels or {}), "Driver": "bridge"}
        made: str = self.engine.wire.call("POST", "/networks/create", body)["Id"]
        return made

    # Builds.

    def build_cache(self, name: str, *, records: int = 2, size: int = 0, image: str | None = None) -> list[str]:
        """Build-cache records of a build of its own: their ids. With an image, the build makes that too."""
        self.base()
        return self._builds.cache(BASE, name, records=records, size=size, image=image)

    def build(
        self,
        dockerfile: str,
        files: Mapping[str, bytes] | None = None,
        *,
        image: str | None = None,
        from_folder: bool = False,
    ) -> None:
        """Build with BuildKit what the Dockerfile says, from files that are sent or lie in a folder."""
        self.base()
        self._builds.dockerfile(dockerfile, files or {}, image=image, from_folder=from_folder)

    def cache_ids(self) -> list[str]:
        """The ids of all build-cache records."""
        return self._builds.cache_ids()

    def legacy_build(self, tag: str, *, steps: int = 3, size: int = 0) -> list[str]:
        """An image of the legacy builder: its id, after those of its intermediate images."""
        self.base()
        return self._builds.legacy(BASE, tag, steps=steps, size=size)

    # How it is done.

    def _image_names(self) -> dict[str, str]:
        listed = self.engine.wire.images()
        return {tag.removeprefix("localhost/"): image["Id"] for image in listed for tag in image["RepoTags"] or []}

    def _bring(self, container: str, state: State) -> None:
        if state == "created":
            return
        if state == "dead":
            self._let_die(container)
            return
        if state == "restarting" and not self.engine.kind.has_restarting:
            raise CannotDo("it restarts a container at once, without a state between")
        self.start(container)
        if state == "exited":
            self.wait(container)
        elif state == "paused":
            self.engine.wire.call("POST", f"/containers/{container}/pause")
        elif state == "restarting":
            # The engine doubles its pause each time; from the fifth on it is long enough to look at.
            self._until(container, lambda told: told["RestartCount"] >= 5 and told["Status"] == "restarting")

    def _until(self, container: str, holds: Any) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not holds(told := self.state(container)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"container {container[:12]} stays {told}")
            time.sleep(0.02)

    def _let_die(self, container: str) -> None:
        """Have a removal fail half-way, which is how a container comes to be dead."""
        if not self.engine.kind.has_dead:
            raise CannotDo("a container whose removal failed is gone from its list")
        folder = self.engine.data_root / "containers" / container
        subprocess.run(["chattr", "+i", folder / "hostconfig.json"], check=True)
        try:
            self.engine.wire.call("DELETE", f"/containers/{container}", tolerate=(409, 500))
        finally:
            subprocess.run(["chattr", "-i", folder / "hostconfig.json"], check=True)


def _host_config(
    restart: str, volumes: Mapping[str, str], binds: Sequence[str], networks: Sequence[str], auto_remove: bool
) -> dict[str, object]:
    policy, _, retries = restart.partition(":")
    return {
        "NetworkMode": networks[0] if networks else "none",
        "RestartPolicy": {"Name": policy, "MaximumRetryCount": int(retries or 0)},
        "Binds": [*(f"{volume}:{path}" for volume, path in volumes.items()), *binds],
        "AutoRemove": auto_remove,
    }


def _nameless(told: str) -> Iterable[str]:
    """The ids of images without a name, from what the engine says while it loads them."""
    mark = "Loaded image ID: "
    for line in told.splitlines():
        said = str(json.loads(line).get("stream", ""))
        if said.startswith(mark):
            yield said.removeprefix(mark).strip()
