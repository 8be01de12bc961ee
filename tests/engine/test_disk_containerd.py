"""On the containerd image store, counting references over the metadata tells to the block what comes back.

The databases of containerd and BuildKit are left out of both sides: they grow with every removal and never shrink.
"""

import hashlib
import io
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from dockersweep.engine.disk.containerd import find_parts
from dockersweep.engine.disk.parts import DiskPart, UnreadableStorageError
from dockersweep.files import AnyPath
from tests.rig.engines.archive import ImageSpec, random_bytes, tar
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter

on_containerd = pytest.mark.on_engines("docker-28.5-containerd")

MB = 1_000_000
SLACK_BYTES, SLACK_PART = 65_536, 0.01


def parts_of(root: Path) -> list[DiskPart]:
    return find_parts(root, root / "containerd" / "daemon", ())


_OBJECTS = ("image:", "container:", "build-cache:", "lease:")


# Reference counting, as it is to be predicted.


def walked_bytes(places: Iterable[AnyPath]) -> int:
    """The blocks of all that is there, each file once."""
    seen: dict[tuple[int, int], int] = {}
    waiting = list(map(Path, places))
    while waiting:
        one = waiting.pop()
        status = os.lstat(one)
        seen[status.st_dev, status.st_ino] = status.st_blocks * 512
        if one.is_dir() and not one.is_symlink():
            waiting += one.iterdir()
    return sum(seen.values())


def part_bytes(part: DiskPart) -> int:
    return walked_bytes(part.places) + part.known_disk_bytes


def predicted_bytes(parts: list[DiskPart], removed: set[str]) -> int:
    """What comes back: the parts that nothing that stays needs."""
    by_id = {part.id: part for part in parts}
    assert len(by_id) == len(parts)
    assert removed <= set(by_id), removed - set(by_id)
    kept: set[str] = set()
    waiting = [part.id for part in parts if part.id.startswith(_OBJECTS) and part.id not in removed]
    while waiting:
        one = waiting.pop()
        if one not in kept:
            kept.add(one)
            waiting += by_id[one].needs
    return sum(part_bytes(part) for part in parts if part.id not in kept)


# The truth.


def used_bytes(engine: Engine) -> int:
    done = subprocess.run(
        ["du", "-s", "--block-size=1", "--exclude=*.db", str(engine.data_root)],
        capture_output=True,
        text=True,
        check=False,
    )
    return int(done.stdout.split()[0])


def settled_bytes(engine: Engine) -> int:
    """The same once it no longer changes: garbage is collected a moment later."""
    last, still = used_bytes(engine), 0
    deadline = time.monotonic() + 20
    while still < 3 and time.monotonic() < deadline:
        time.sleep(0.3)
        now = used_bytes(engine)
        still = still + 1 if now == last else 0
        last = now
    return last


def remove(engine: Engine, parts: Iterable[str]) -> None:
    ids: dict[str, list[str]] = {"container": [], "image": [], "build-cache": []}
    for part in sorted(parts):
        kind, _, one = part.partition(":")
        ids[kind].append(one)
    for one in ids["container"]:
        engine.wire.call("DELETE", f"/containers/{one}")
    for one in ids["image"]:
        engine.wire.call("DELETE", f"/images/{one}", force="1")
    if ids["build-cache"]:
        chosen = {"id": [f"^({'|'.join(ids['build-cache'])})$"]}
        engine.wire.call("POST", "/build/prune", all="1", filters=json.dumps(chosen))


def collect_garbage(litter: Litter) -> None:
    """Have containerd collect what is garbage already: it does so only when something is removed."""
    nothing = litter.image("garbage:1", layers={"garbage": 1})
    remove(litter.engine, [f"image:{nothing}"])


# What there is, and what goes.


def cached(ids: Iterable[str]) -> set[str]:
    return {f"build-cache:{one}" for one in ids}


def images(ids: Iterable[str]) -> set[str]:
    return {f"image:{one}" for one in ids}


def records_of(litter: Litter, build: Callable[[], object]) -> set[str]:
    """The records that a build leaves: as long as it goes on, some show under another id."""
    before = set(litter.cache_ids())
    build()
    deadline = time.monotonic() + 10
    while any(one["InUse"] for one in records(litter)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return cached(set(litter.cache_ids()) - before)


def records(litter: Litter) -> list[dict[str, Any]]:
    return list(litter.engine.wire.call("GET", "/system/df", type="build-cache")["BuildCache"])


def image_id(litter: Litter, name: str) -> str:
    return str(litter.engine.wire.call("GET", f"/images/{name}/json")["Id"])


def sharing(litter: Litter) -> list[str]:
    return litter.images(
        [ImageSpec((f"shop/{name}:1",), {"base": 2 * MB, "middle": MB, name: MB}) for name in ("web", "api")]
    )


def cache_without_built(litter: Litter) -> set[str]:
    return records_of(litter, lambda: litter.build_cache("built", records=3, size=2 * MB, image="built:1"))


def cache_of_two_builds(litter: Litter) -> set[str]:
    litter.build_cache("other", records=3, size=MB)
    return records_of(litter, lambda: litter.build_cache("built", records=3, size=2 * MB))


def last_record(litter: Litter) -> set[str]:
    litter.build_cache("built", records=4, size=2 * MB, image="built:1")
    listed = records(litter)
    parents = {parent for one in listed for parent in one.get(" Parents") or []}
    return cached(one["ID"] for one in listed if one["ID"] not in parents and one.get(" Parents"))


def record_with_a_child(litter: Litter) -> set[str]:
    litter.build_cache("built", records=4, size=2 * MB)
    listed = records(litter)
    return cached(parent for one in listed for parent in one.get(" Parents") or [])


def container_of_a_built_image(litter: Litter) -> set[str]:
    """The container keeps the layers that image and cache no longer do: it is not removed."""
    removed = cache_without_built(litter)
    litter.container("kept", image="built:1")
    return removed


def tag_moved_away(litter: Litter) -> set[str]:
    old = litter.image("app:1", layers={"base": 2 * MB, "old": MB})
    litter.retag(litter.image("app:2", layers={"base": 2 * MB, "new": MB}), "app:1")
    return images([old])


def index(litter: Litter) -> set[str]:
    """An image of two platforms, of which only one is unpacked, and another image on the same layer."""
    litter.engine.wire.raw("POST", "/images/load", index_archive())
    litter.image("lower:1", layers={"lower": 2 * MB})
    return images([image_id(litter, "many:1")])


def mounts_and_local_sources(litter: Litter) -> set[str]:
    kept = "RUN --mount=type=cache,target=/kept cat /bin/busybox > /kept/busybox"
    return build(litter, f"FROM busybox\n{kept}\nCOPY payload /payload\n", "payload")


def linked_copies(litter: Litter) -> set[str]:
    """Of such copies BuildKit makes snapshots with hard links into others."""
    return build(litter, "FROM busybox\nCOPY --link one /one\nCOPY --link two /two\nRUN touch /three\n", "one", "two")


def linked_copies_and_image(litter: Litter) -> set[str]:
    return linked_copies(litter) | images([image_id(litter, "built:1")])


def build(litter: Litter, dockerfile: str, *files: str) -> set[str]:
    contents = {name: random_bytes(name, 2 * MB) for name in files}
    return records_of(litter, lambda: litter.build(dockerfile, contents, image="built:1", from_folder=True))


def index_archive() -> bytes:
    """An OCI layout with an index of two manifests, which share a layer."""
    blobs: dict[str, bytes] = {}

    def put(content: bytes, kind: str, **more: object) -> dict[str, object]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content), **more}

    oci = "application/vnd.oci.image."
    manifests = []
    for architecture in ("amd64", "arm64"):
        layers = [tar({name: random_bytes(name, 2 * MB)}) for name in ("lower", architecture)]
        diff_ids = ["sha256:" + hashlib.sha256(one).hexdigest() for one in layers]
        config = {"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{oci}manifest.v1+json",
            "config": put(json.dumps(config).encode(), f"{oci}config.v1+json"),
            "layers": [put(one, f"{oci}layer.v1.tar") for one in layers],
        }
        platform = {"architecture": architecture, "os": "linux"}
        manifests.append(put(json.dumps(manifest).encode(), f"{oci}manifest.v1+json", platform=platform))
    kind = f"{oci}index.v1+json"
    inner = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": manifests}).encode()
    names = {"io.containerd.image.name": "docker.io/library/many:1", "org.opencontainers.image.ref.name": "1"}
    outer = {"schemaVersion": 2, "mediaType": kind, "manifests": [put(inner, kind, annotations=names)]}
    layout = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(outer).encode(), **blobs}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in layout.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


SCENARIOS: list[Callable[[Litter], set[str]]] = [
    cache_without_built,
    cache_of_two_builds,
    last_record,
    record_with_a_child,
    container_of_a_built_image,
    tag_moved_away,
    index,
    linked_copies,
    linked_copies_and_image,
]


def written_meanwhile(before: list[DiskPart], after: list[DiskPart]) -> int:
    """What BuildKit's history took since: it keeps a trace of each build, three seconds after its end."""
    old = {part.id for part in before}
    kept = {one for part in after if part.id.startswith("lease:moby_history/") for one in part.needs}
    return sum(part_bytes(part) for part in after if part.id in kept - old)


def assert_exact(engine: Engine, litter: Litter, removed: set[str]) -> None:
    collect_garbage(litter)
    settled_bytes(engine)
    parts = parts_of(engine.data_root)
    before = used_bytes(engine)
    predicted = predicted_bytes(parts, removed)
    remove(engine, removed)
    after = settled_bytes(engine)
    freed = before - after + written_meanwhile(parts, parts_of(engine.data_root))
    assert abs(freed - predicted) <= max(SLACK_BYTES, SLACK_PART * freed), (predicted, freed)


@pytest.mark.parametrize("scenario", SCENARIOS)
@on_containerd
def test_what_comes_back(engine: Engine, litter: Litter, scenario: Callable[[Litter], set[str]]) -> None:
    assert_exact(engine, litter, scenario(litter))


@on_containerd
def test_what_comes_back_after_a_restart(engine: Engine, litter: Litter) -> None:
    removed = linked_copies(litter)
    engine.restart()
    assert_exact(engine, litter, removed)


@on_containerd
def test_all_that_is_on_disk_is_in_a_part(engine: Engine, litter: Litter) -> None:
    sharing(litter)
    linked_copies(litter)
    mounts_and_local_sources(litter)
    litter.container("kept", writes=MB)
    collect_garbage(litter)
    settled_bytes(engine)
    daemon = engine.data_root / "containerd/daemon"
    folders = [
        engine.data_root / "containers",
        daemon / "io.containerd.snapshotter.v1.overlayfs/snapshots",
        daemon / "io.containerd.content.v1.content/blobs/sha256",
    ]
    there = walked_bytes(place for folder in folders for place in folder.iterdir())
    assert sum(map(part_bytes, parts_of(engine.data_root))) == there


@on_containerd
def test_every_object_has_its_part(engine: Engine, litter: Litter) -> None:
    sharing(litter)
    cache_without_built(litter)
    litter.legacy_build("legacy:1")
    container = litter.container("kept", image="built:1", state="running")
    listed = {one["Id"] for one in engine.wire.images(intermediates=True)}
    objects = images(listed) | cached(litter.cache_ids()) | {f"container:{container}"}
    found = {part.id for part in parts_of(engine.data_root)}
    assert {one for one in found if one.startswith(_OBJECTS) and not one.startswith("lease:")} == objects


def test_what_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadableStorageError, match="containerd image store"):
        parts_of(tmp_path)


def test_what_is_damaged_cannot_be_read(tmp_path: Path) -> None:
    metadata = tmp_path / "containerd/daemon/io.containerd.metadata.v1.bolt/meta.db"
    metadata.parent.mkdir(parents=True)
    metadata.write_bytes(b"\0" * 65_536)
    with pytest.raises(UnreadableStorageError, match="no bolt database"):
        parts_of(tmp_path)
