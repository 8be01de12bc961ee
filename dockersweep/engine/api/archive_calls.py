"""The calls that read whole objects for an archive; a volume takes a container, which is created and never started.

They are in no client of the verbs that only look: only a sweep with an archive has these.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import msgspec

from dockersweep.engine.api.connection import LARGEST_LIST_BYTES, Answer
from dockersweep.engine.api.decoding import decode
from dockersweep.engine.api.events import Events
from dockersweep.engine.api.lists import ARCHIVING_LABEL
from dockersweep.engine.api.removals import Removals
from dockersweep.engine.api.streamed import StreamedAnswer
from dockersweep.errors import EngineError
from dockersweep.model.event_reading import EngineEvent

CHANGED, ADDED, REMOVED = 0, 1, 2
"""The kinds of changes."""
_LARGEST_LINES_BYTES = 1 << 20
"""Of what an engine tells while it loads an image; asked to be quiet, it says a line a tag."""


class Change(msgspec.Struct, frozen=True, rename="pascal"):
    """A path in which a container differs from its image."""

    path: str
    kind: int


class OwnObject(msgspec.Struct, frozen=True):
    """A container or an image that was created for reading."""

    reference: str
    """Its name; its id where it has none."""
    run: str
    """The value of its label."""
    created_at: int
    """In seconds since 1970, by the engine's clock."""


class _WireOwn(msgspec.Struct, rename="pascal"):
    id: str
    created: Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)] = 0
    labels: dict[str, str] | None = None
    names: list[str] | None = None
    """Of a container, with a slash in front."""
    repo_tags: list[str] | None = None

    @property
    def reference(self) -> str:
        names = [name.removeprefix("/") for name in self.names or ()] + (self.repo_tags or [])
        return names[0] if names else self.id


class _WireCreated(msgspec.Struct, rename="pascal"):
    id: str


class ArchiveCalls(Events, Removals):
    """Reads objects as wholes. Raises EngineError where the engine refuses, or breaks off an answer."""

    def document(self, path: str) -> bytes | None:
        """Return the engine's own document of one object ("/containers/ID/json"); None if it is gone."""
        answer = self._settled(path, LARGEST_LIST_BYTES)
        if answer.status == 404:
            return None
        # Whatever is kept must be readable.
        self._decoded(answer, dict[str, Any], f"GET {path}")
        return answer.body

    @contextmanager
    def image_tar(self, image_id: str) -> Iterator[Iterator[bytes]]:
        """Yield the pieces of an image's tar, as `docker save` writes it."""
        with self._streamed(f"/images/{image_id}/get") as answer:
            yield answer.pieces()

    @contextmanager
    def files_tar(self, container_id: str, path: str) -> Iterator[Iterator[bytes]]:
        """Yield the pieces of a tar of one path in a container, volumes included."""
        with self._streamed(f"/containers/{container_id}/archive", {"path": path}) as answer:
            yield answer.pieces()

    @contextmanager
    def exported(self, container_id: str) -> Iterator[Iterator[bytes]]:
        """Yield the pieces of a tar of all files of a container, those of its image too, without volumes."""
        with self._streamed(f"/containers/{container_id}/export") as answer:
            yield answer.pieces()

    def changes(self, container_id: str) -> tuple[Change, ...]:
        """Return the paths in which a container differs from its image."""
        path = f"/containers/{container_id}/changes"
        answer = self._request("GET", path, LARGEST_LIST_BYTES, timeout_seconds=self.removal_seconds)
        # Nothing has changed.
        if answer.status == 200 and answer.body.strip() == b"null":
            return ()
        return tuple(self._decoded(answer, list[Change], f"GET {path}"))

    @contextmanager
    def log(self, container_id: str) -> Iterator[Iterator[bytes] | None]:
        """Yield the pieces of a container's log, with times; None where its log driver cannot be read."""
        params = {"stdout": "1", "stderr": "1", "timestamps": "1"}
        path = f"/containers/{container_id}/logs"
        with self._connection.stream("GET", self._prefix + path, params, self.removal_seconds) as answer:
            if answer.status == 200:
                yield answer.pieces()
                return
            message = answer.message()
            # Docker 501, Podman 500.
            if answer.status == 501 or "cannot read logs" in message:
                yield None
                return
            raise EngineError(f"{self._where} answered GET {path} with {answer.status}: {message}")

    def events_since(self, since: datetime | None) -> tuple[EngineEvent, ...]:
        """Return what has happened since an instant of the engine's clock, as far as it tells that: a proxy may refuse
        the call, and an engine forget events."""
        until = self.engine_now()
        if since is None or until is None:
            return ()
        try:
            return self.events(int(since.timestamp() * 10**9), until)
        except EngineError:
            return ()

    def load_images(self, tar: bytes | Iterable[bytes]) -> None:
        """Load the images of a tar, as `docker load` does."""
        path = "/images/load"
        with self._connection.stream("POST", self._prefix + path, {"quiet": "1"}, self.removal_seconds, tar) as answer:
            error = error_in_lines(Answer(answer.status, answer.beginning(_LARGEST_LINES_BYTES)))
            if error is not None:
                raise EngineError(f"{self._where} answered POST {path} with {answer.status}: {error}")

    def create_container(self, name: str, body: Mapping[str, Any]) -> str:
        """Create a container, and return its id."""
        path, content = "/containers/create", msgspec.json.encode(body)
        answer = self._request("POST", path, params={"name": name}, body=content, timeout_seconds=self.removal_seconds)
        if answer.status != 201:
            raise EngineError(f"{self._where} answered POST {path} with {answer.status}: {answer.message()}")
        try:
            return msgspec.json.decode(answer.body, type=_WireCreated).id
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise EngineError(
                f"{self._where} answered POST {path} with something else than was asked: {error}"
            ) from None

    def own_containers(self) -> tuple[OwnObject, ...]:
        """Return the containers that were created for reading, of this run and of others."""
        return self._own("/containers/json", {"all": "1"})

    def own_images(self) -> tuple[OwnObject, ...]:
        """Return the images that were created for reading, of this run and of others."""
        return self._own("/images/json", {})

    def _own(self, path: str, params: Mapping[str, str]) -> tuple[OwnObject, ...]:
        filters = msgspec.json.encode({"label": [ARCHIVING_LABEL]}).decode()
        listed = self._list(path, list[_WireOwn], params={**params, "filters": filters})
        # A filter that an engine does not know it may ignore.
        return tuple(
            OwnObject(entry.reference, entry.labels[ARCHIVING_LABEL], entry.created)
            for entry in listed
            if entry.labels and ARCHIVING_LABEL in entry.labels
        )

    @contextmanager
    def _streamed(self, path: str, params: Mapping[str, str] | None = None) -> Iterator[StreamedAnswer]:
        # An older Docker writes a whole image to its disk before it answers.
        with self._connection.stream("GET", self._prefix + path, params, self.removal_seconds) as answer:
            if answer.status != 200:
                raise EngineError(f"{self._where} answered GET {path} with {answer.status}: {answer.message()}")
            yield answer


class _Line(msgspec.Struct):
    error: str = ""


def error_in_lines(answer: Answer) -> str | None:
    """Return the error in an answer that comes in lines, where it may follow a status of success; None for none."""
    if answer.status != 200:
        return answer.message()
    for line in answer.body.splitlines():
        try:
            error = decode(line, _Line).error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if error:
            return error
    return None
