"""Reads the files of volumes through the engine's API, which has them only in containers: by one that is created from
an empty image, and never started.

Both are labelled with the run. The run removes them at its end, and the next one what a killed one has left.
"""

import hashlib
import io
import secrets
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import msgspec

from dockersweep.engine.api.archive_calls import ArchiveCalls, OwnObject
from dockersweep.engine.api.lists import ARCHIVING_LABEL
from dockersweep.engine.api.removal_answer import RemovalAnswer
from dockersweep.engine.archiving.tar_members import whole
from dockersweep.errors import EngineError, NotArchivedError

NAME = "dockersweep-archiving"
PLACE = "/volume"
LONGEST = timedelta(days=1)
"""How long another machine's run may need for one volume: what it has created is left alone till then."""
LOST_BY_API = ("ACLs", "extended attributes", "fractions of a second", "sockets")
"""What Docker's archive of a path has not; of the attributes it has security.capability."""


class VolumeContainers:
    """Creates the containers of one run. Safe for several threads."""

    def __init__(self, calls: ArchiveCalls, place: str) -> None:
        """`place` tells where runs share the engine's lock with this one."""
        self._calls = calls
        self._run = f"{place}-{secrets.token_hex(8)}"
        self._left: set[str] = set()
        """The names of containers that are no longer needed, and may be there."""
        self._ids: set[str] = set()
        """Of all of its containers."""
        self._lock = threading.Lock()
        self._may_have_image = False
        self._is_loaded = False

    @contextmanager
    def files(self, volume: str) -> Iterator[Iterator[bytes]]:
        """Yield the pieces of a tar of a volume's files, in which its own folder is "./".

        Raises EngineError, also while it is read; at the end NotArchivedError where somebody has mounted the volume
        meanwhile.
        """
        calls = self._calls
        if calls.quirks.is_podman:
            raise NotArchivedError(
                "Podman's API does not tell who owns the files; run dockersweep as root on the engine's machine"
            )
        since = calls.engine_now()
        with (
            self.mounting(volume, is_read_only=True) as (container, place),
            calls.files_tar(container, f"{place}/.") as pieces,
        ):
            yield self._unused(whole(pieces), volume, since)

    @contextmanager
    def mounting(self, volume: str, *, is_read_only: bool) -> Iterator[tuple[str, str]]:
        """Yield the name of a container that mounts a volume, and the path at which. Raises EngineError."""
        name, body = f"{NAME}-{secrets.token_hex(6)}", self._body(volume, is_read_only=is_read_only)
        self._remove_left()
        try:
            # Without an answer it may be there all the same.
            self._ids.add(self._calls.create_container(name, body))
            yield name, PLACE
        finally:
            self._remove(name)

    def _remove(self, name: str) -> None:
        """Remove a container; if that fails, the next one, the end of the run or the next run does. While it is there,
        its volume stays."""
        self._left.add(name)
        with suppress(EngineError):
            if self._calls.remove_container(name).status in ("removed", "gone"):
                self._left.discard(name)

    def _remove_left(self) -> None:
        for name in list(self._left):
            self._remove(name)

    def _unused(self, pieces: Iterator[bytes], volume: str, since: datetime | None) -> Iterator[bytes]:
        """Yield the pieces; raise NotArchivedError at their end if a container has mounted the volume since. It may be
        gone, and what it has written is in no part that was read before."""
        yield from pieces
        events = self._calls.events_since(since)
        mounts = [event for event in events if (event.type, event.action, event.id) == ("volume", "mount", volume)]
        if any(event.attributes.get("container") not in self._ids for event in mounts):
            raise NotArchivedError("a container has used it while it was read")

    def close(self) -> str | None:
        """Remove what is left of this run; return why that failed."""
        if not self._may_have_image:
            return None
        try:
            remove_left(self._calls, lambda entry: entry.run == self._run)
        except EngineError as error:
            return str(error)
        return None

    def _body(self, volume: str, *, is_read_only: bool) -> dict[str, object]:
        mount = {
            "Type": "volume",
            "Source": volume,
            "Target": PLACE,
            "ReadOnly": is_read_only,
            "VolumeOptions": {"NoCopy": True},
        }
        return {
            "Image": self._image(),
            # It is never run, and there is nothing that could be.
            "Cmd": ["none"],
            "Labels": {ARCHIVING_LABEL: self._run},
            "HostConfig": {"NetworkMode": "none", "LogConfig": {"Type": "none"}, "Mounts": [mount]},
        }

    def _image(self) -> str:
        """Return the tag of the empty image, which is loaded once."""
        tag = f"{NAME}:{self._run}"
        with self._lock:
            if not self._is_loaded:
                # Without an answer the image may be there all the same.
                self._may_have_image = True
                made_at = self._calls.clock or datetime.now(UTC)
                self._calls.load_images(empty_image(tag, {ARCHIVING_LABEL: self._run}, made_at))
                self._is_loaded = True
        return tag


def empty_image(tag: str, labels: dict[str, str], made_at: datetime) -> bytes:
    """Return the tar of an image without any layer, as `docker load` takes it."""
    config = msgspec.json.encode(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": made_at,
            "config": {"Labels": labels},
            "rootfs": {"type": "layers", "diff_ids": []},
            "history": [],
        }
    )
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = msgspec.json.encode([{"Config": name, "RepoTags": [tag], "Layers": []}])
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for file, content in ((name, config), ("manifest.json", manifest)):
            info = tarfile.TarInfo(file)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return written.getvalue()


def remove_leftovers(calls: ArchiveCalls, place: str, now: datetime | None) -> None:
    """Remove what killed runs have left, of which those of this `place` are over; what another place has created is
    removed once it is `LONGEST` old, by the engine's clock `now` (None if it does not tell). Raises EngineError."""

    def is_left(entry: OwnObject) -> bool:
        if entry.run.partition("-")[0] == place:
            return True
        return now is not None and entry.created_at < (now - LONGEST).timestamp()

    remove_left(calls, is_left)


def remove_left(calls: ArchiveCalls, is_meant: Callable[[OwnObject], bool]) -> None:
    """Remove the containers and images that were created for reading and are meant; an image with a container that is
    not meant stays. Raises EngineError."""
    for container in filter(is_meant, calls.own_containers()):
        _check(calls.remove_container(container.reference), f"the container {container.reference}")
    for image in filter(is_meant, calls.own_images()):
        answer = calls.remove_image(image.reference, is_nameless=False)
        if answer.status != "in-use":
            _check(answer, f"the image {image.reference}")


def _check(answer: RemovalAnswer, what: str) -> None:
    if answer.status not in ("removed", "gone"):
        raise EngineError(f"{what}, which was made to read a volume, was not removed: {answer.detail}")
