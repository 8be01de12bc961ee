"""The requests that remove something: one object each, by its full id, never forced."""

import re

import msgspec

from dockersweep.engine.api import wire
from dockersweep.engine.api.removal_answer import RemovalAnswer, read_removal_answer
from dockersweep.engine.api.session import Session

DANGLING_NAME = "moby-dangling"


class Removals(Session):
    """Removals; each returns what the engine answered, and raises EngineError only if no answer came."""

    def remove_container(self, container_id: str) -> RemovalAnswer:
        """Remove one stopped container, and none of its volumes."""
        return self._delete(f"/containers/{container_id}", {"v": "0", "force": "0"})

    def remove_image(self, image_id: str, is_nameless: bool) -> RemovalAnswer:
        """Remove one image by its id, with its last tag, and none of its parents.

        `is_nameless` is an image without tag and digest reference. If the engine has a special name for it, that is
        used: addressed by its id, it would be removed along with a tag that it has just got.
        """
        is_dangling = is_nameless and self.quirks.names_dangling_images
        reference = f"{DANGLING_NAME}@{image_id}" if is_dangling else image_id
        return self._delete(f"/images/{reference}", {"noprune": "1", "force": "0"})

    def untag_image(self, tag: str, image_id: str) -> RemovalAnswer:
        """Remove one tag of an image that has others; the engine compares the image in the same step if it can."""
        reference = f"{tag}@{image_id}" if self.quirks.compares_image_on_untag else tag
        return self._delete(f"/images/{reference}", {"noprune": "1", "force": "0"})

    def remove_volume(self, name: str) -> RemovalAnswer:
        """Remove one volume that nothing uses."""
        return self._delete(f"/volumes/{name}", {"force": "0"})

    def remove_network(self, reference: str) -> RemovalAnswer:
        """Remove one network, by id or name. Docker ignores stopped containers: the caller has to check them."""
        return self._delete(f"/networks/{reference}", {})

    def prune_build_cache(self, record_ids: tuple[str, ...]) -> RemovalAnswer:
        """Remove only these build-cache records; the engine skips those in use or with a remaining child.

        The filter is a regular expression, so it is anchored; `all` includes internal and shared records.
        """
        odd = [record_id for record_id in record_ids if not re.fullmatch(r"[A-Za-z0-9_-]+", record_id)]
        if odd or not record_ids:
            return RemovalAnswer(status="failed", detail=f"{odd!r} is no build-cache id that can be asked for alone")
        pattern = "^(" + "|".join(record_ids) + ")$"
        filters = msgspec.json.encode({"id": [pattern]}).decode()
        answer = self._request(
            "POST", "/build/prune", params={"all": "1", "filters": filters}, timeout_seconds=self.removal_seconds
        )
        if answer.status != 200:
            return RemovalAnswer(status="failed", detail=answer.message())
        pruned = self._decoded(answer, wire.WirePrune, "POST /build/prune")
        return RemovalAnswer(
            status="removed", deleted=tuple(pruned.caches_deleted or ()), reclaimed_bytes=pruned.space_reclaimed
        )

    def _delete(self, path: str, params: dict[str, str]) -> RemovalAnswer:
        answer = self._request("DELETE", path, params=params, timeout_seconds=self.removal_seconds)
        return read_removal_answer(answer, self.quirks.is_podman)
