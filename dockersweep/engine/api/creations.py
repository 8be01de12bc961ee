"""The calls that make objects again: in no client but that of `restore`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from dockersweep.engine.api.archive_calls import ArchiveCalls, error_in_lines
from dockersweep.engine.api.client import Client
from dockersweep.engine.api.connection import LARGEST_LIST_BYTES, Answer
from dockersweep.engine.api.decoding import decode
from dockersweep.errors import EngineError
from dockersweep.model.image_references import tag_of, whole_repository_of

Json = dict[str, Any]


class CreationRefusedError(EngineError):
    """The engine answered, and made nothing; the message is the engine's own."""


class Creations(Client, ArchiveCalls):
    """Makes objects. Raises CreationRefusedError where the engine does not, and EngineError where that is not known."""

    def container_document(self, reference: str) -> Json | None:
        """Return the engine's own document of a container; None if it is gone."""
        return self._look(f"/containers/{reference}/json", Json)

    def image_document(self, reference: str) -> Json | None:
        """Return the engine's own document of an image; None if it is gone."""
        return self._look(f"/images/{reference}/json", Json)

    def network_documents(self) -> Sequence[Json]:
        """Return the engine's own documents of all networks."""
        return self._list("/networks", list[Json])

    def create_volume(self, body: Mapping[str, Any]) -> Json:
        """Make a volume, or none if there is one of that name; return the engine's document about it in either case."""
        return self._created("/volumes/create", body)

    def create_network(self, body: Mapping[str, Any]) -> str:
        """Make a network; return its id."""
        return str(self._created("/networks/create", body).get("Id") or "")

    def create_as(self, name: str, body: Mapping[str, Any]) -> str:
        """Make a container; return its id."""
        return str(self._created("/containers/create", body, {"name": name}).get("Id") or "")

    def connect(self, network: str, container_id: str, settings: Mapping[str, Any]) -> None:
        """Connect a container to a network."""
        body = msgspec.json.encode({"Container": container_id, "EndpointConfig": settings})
        path = f"/networks/{quote(network, safe='')}/connect"
        self._check(self._request("POST", path, body=body, timeout_seconds=self.removal_seconds))

    def tag_image(self, image: str, tag: str) -> None:
        """Put a tag on an image; another image that has it loses it."""
        params = {"repo": whole_repository_of(tag), "tag": tag_of(tag) or "latest"}
        path = f"/images/{image}/tag"
        self._check(self._request("POST", path, params=params))

    def remove_loaded(self, tag: str) -> None:
        """Remove an image that was loaded under a tag, and that nothing uses."""
        self._delete(f"/images/{tag}", {"noprune": "1", "force": "0"})

    def pull_image(self, reference: str) -> None:
        """Pull an image by its digest, "app@sha256:...", without credentials."""
        name, _, digest = reference.partition("@")
        answer = self._request(
            "POST",
            "/images/create",
            LARGEST_LIST_BYTES,
            params={"fromImage": name, "tag": digest},
            timeout_seconds=self.removal_seconds,
        )
        error = error_in_lines(answer)
        if error is not None:
            raise CreationRefusedError(error)

    def put_files(self, container_id: str, path: str, tar: Iterable[bytes]) -> None:
        """Unpack a tar below a path of a container that does not run."""
        url = f"{self._prefix}/containers/{container_id}/archive"
        with self._connection.stream("PUT", url, {"path": path}, self.removal_seconds, tar) as answer:
            if answer.status != 200:
                raise CreationRefusedError(answer.message())

    def _created(self, path: str, body: Mapping[str, Any], params: dict[str, str] | None = None) -> Json:
        content = msgspec.json.encode(body)
        answer = self._request("POST", path, params=params, body=content, timeout_seconds=self.removal_seconds)
        self._check(answer)
        try:
            return decode(answer.body, Json)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise EngineError(
                f"{self._where} answered POST {path} with something else than was asked: {error}"
            ) from None

    def _check(self, answer: Answer) -> None:
        if answer.status not in (200, 201, 204):
            raise CreationRefusedError(answer.message())
