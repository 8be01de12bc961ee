"""Builds on an engine, for the build cache and the intermediate images that they leave."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.rig.engines.archive import random_bytes, tar
from tests.rig.engines.engine import Engine, EngineError
from tests.rig.engines.kinds import CannotDo


class Builds:
    """Builds images with BuildKit, or with the builder that came before it."""

    def __init__(self, engine: Engine) -> None:
        """Build on that engine."""
        self._engine = engine

    def cache(self, base: str, name: str, *, records: int, size: int, image: str | None) -> list[str]:
        """Build with BuildKit and return the ids of the new build-cache records."""
        self._require_buildkit()
        before = set(self.cache_ids())
        self._buildx("-", image=image, stdin=_context(base, name, steps=records, size=size))
        self._await_release()
        return [record for record in self.cache_ids() if record not in before]

    def _await_release(self) -> None:
        """Wait until a build that has ended lets go of its records: until then one of them may get another id."""
        deadline = time.monotonic() + 10
        while any(record["InUse"] for record in self._records()) and time.monotonic() < deadline:
            time.sleep(0.01)

    def cache_then(self, base: str, name: str, step: str) -> None:
        """Build on top of what `cache` made of that name with two records, one step further."""
        self._require_buildkit()
        self._buildx("-", image=None, stdin=_context(base, name, steps=2, size=1000, last=step))

    def dockerfile(self, text: str, files: Mapping[str, bytes], *, image: str | None, from_folder: bool) -> None:
        """Build with BuildKit what a Dockerfile says, from a context that is sent as a tar or lies in a folder.

        Only a folder leaves records of local sources.
        """
        self._require_buildkit()
        content = {"Dockerfile": text.encode(), **files}
        if not from_folder:
            self._buildx("-", image=image, stdin=tar(content))
            return
        with tempfile.TemporaryDirectory(prefix="dsw-context-") as folder:
            for name, data in content.items():
                Path(folder, name).write_bytes(data)
            self._buildx(folder, image=image)

    def _require_buildkit(self) -> None:
        if not self._engine.kind.has_build_cache:
            raise CannotDo("it has no BuildKit")

    def _buildx(self, context: str, *, image: str | None, stdin: bytes | None = None) -> None:
        output = ["--load", "--tag", image] if image else ["--output", "type=cacheonly"]
        words = ("buildx", "build", "--quiet", "--network", "none", "--provenance=false", *output, context)
        try:
            self._engine.docker(*words, stdin=stdin)
        except EngineError as error:
            # Seen once in some thousand builds on 28.5 with the containerd store; why is not known.
            if "parent snapshot" not in str(error):
                raise
            self._engine.docker(*words, stdin=stdin)

    def cache_ids(self) -> list[str]:
        """The ids of all build-cache records."""
        return [record["ID"] for record in self._records()]

    def _records(self) -> list[dict[str, Any]]:
        return self._engine.wire.call("GET", "/system/df", type="build-cache")["BuildCache"] or []

    def legacy(self, base: str, tag: str, *, steps: int, size: int) -> list[str]:
        """Build with the legacy builder; return the ids of the new images, the oldest first."""
        if not self._engine.kind.has_legacy_builder:
            raise CannotDo("it has no legacy builder")
        self._engine.docker(
            *("build", "--quiet", "--network", "none", "--tag", tag, "-"),
            stdin=_context(base, tag.replace(":", "-"), steps=steps, size=size),
            variables={"DOCKER_BUILDKIT": "0"},
        )
        return self._lineage(tag, base)

    def _lineage(self, tag: str, base: str) -> list[str]:
        """The image and its parents, down to the base that it was built on."""
        wire = self._engine.wire
        found: list[str] = []
        built_on = wire.call("GET", f"/images/{base}/json")["Id"]
        image = wire.call("GET", f"/images/{tag}/json")
        while image["Id"] != built_on:
            found.append(image["Id"])
            if not image.get("Parent"):
                break
            image = wire.call("GET", f"/images/{image['Parent']}/json")
        return found[::-1]


def _context(base: str, name: str, *, steps: int, size: int, last: str = "") -> bytes:
    """A build context: a Dockerfile of that many steps, the first of which copies a file of that size, and a last."""
    lines = [f"FROM {base}", f"COPY payload /{name}"]
    lines += [f"RUN touch /{name}-{step}" for step in range(1, steps)]
    lines += [last] if last else []
    dockerfile = "\n".join(lines) + "\n"
    return tar({"Dockerfile": dockerfile.encode(), "payload": random_bytes(name, max(size, 1))})
