"""What containerd's metadata say of what lies in its folders, by metadata that a test writes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from dockersweep.engine.disk import containerd_metadata
from dockersweep.engine.disk.leaks import containerd
from dockersweep.engine.disk.leaks.image_mounts import forgotten_mounts
from dockersweep.engine.disk.leaks.unowned import Unowned
from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.model.storage import Part, Storage
from tests.rig import containerd_store
from tests.rig.containerd_store import Tree, Written
from tests.rig.inventories import container

EXPIRES, TEMPORARY, FLAT = "containerd.io/gc.expire", "buildkit/lease.temporary", "containerd.io/gc.flat"
PAST = (datetime.now(UTC) - timedelta(days=3)).replace(microsecond=0)
FUTURE = datetime.now(UTC) + timedelta(hours=1)
DIGESTS = {name: name * 64 for name in "abcdef"}


def daemon_in(folder: Path, snapshots: int, ingests: tuple[str, ...] = ()) -> Path:
    """The folders of a containerd with that many snapshots, the blobs of DIGESTS, and these downloads."""
    home = folder / "io.containerd.snapshotter.v1.overlayfs"
    content = folder / "io.containerd.content.v1.content"
    home.mkdir()
    (home / "metadata.db").touch()
    for number in range(1, snapshots + 1):
        (home / "snapshots" / str(number) / "fs").mkdir(parents=True)
    (content / "blobs" / "sha256").mkdir(parents=True)
    for digest in DIGESTS.values():
        (content / "blobs" / "sha256" / digest).touch()
    for ref in ingests:
        (content / "ingest" / sha256(ref.encode()).hexdigest()).mkdir(parents=True)
    return folder


def unowned(monkeypatch: pytest.MonkeyPatch, daemon: Path, stored: int, **fields: Tree) -> dict[str, Unowned]:
    """What nothing keeps, by the name of its file; snapshot "s1" is stored as 1 and so on."""
    names = {f"moby/{number}/s{number}": {"id": bytes([number])} for number in range(1, stored + 1)}
    monkeypatch.setattr(containerd, "read_bolt", lambda path: Written({"v1": {"snapshots": names}}))
    containerd_store.namespace(monkeypatch, **fields)
    return {one.path.name: one for one in containerd.unowned_contents(Path("/d"), daemon, frozenset())}


def snapshots(*parents: str, labels: Tree | None = None) -> Tree:
    """The snapshots s1, s2 and so on with these parents."""
    return {
        f"s{number}": {"name": f"moby/{number}/s{number}", "parent": parent, "labels": labels or {}}
        for number, parent in enumerate(parents, 1)
    }


def blobs(names: str) -> Tree:
    return {f"sha256:{DIGESTS[name]}": containerd_store.blob() for name in names}


def lease(labels: Tree, blob: str = "", snapshot: str = "", ingest: str = "") -> Tree:
    return {
        "labels": labels,
        "content": {f"sha256:{DIGESTS[blob]}": b""} if blob else {},
        "snapshots": {"overlayfs": {snapshot: b""} if snapshot else {}},
        "ingests": {ingest: b""} if ingest else {},
    }


def test_what_is_kept_and_why_the_rest_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = unowned(
        monkeypatch,
        daemon_in(tmp_path, snapshots=6),
        stored=5,
        blobs=blobs("abcde"),
        images={"app:1": containerd_store.image(f"sha256:{DIGESTS['a']}")},
        snapshots=snapshots("", "s1", "", "", ""),
        leases={
            "build": lease({EXPIRES: FUTURE.isoformat(), TEMPORARY: ""}, "b", "s2"),
            "pull": lease({EXPIRES: PAST.isoformat()}, "c", "s3"),
            # Kept by another one too.
            "old": lease({EXPIRES: PAST.isoformat()}, "d"),
            "record": lease({FLAT: ""}, "d", "s4"),
        },
    )
    assert {name: (one.why, one.expired_at) for name, one in told.items()} == {
        "3": ("lease-expired", PAST),
        "5": ("unkept", None),
        "6": ("unnamed", None),
        DIGESTS["c"]: ("lease-expired", PAST),
        DIGESTS["e"]: ("unkept", None),
        DIGESTS["f"]: ("unnamed", None),
    }


def test_labels_keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = {"labels": {"containerd.io/gc.ref.content.0": f"sha256:{DIGESTS['b']}"}}
    pinned = {"labels": {"containerd.io/gc.root": "now", "containerd.io/gc.ref.snapshot.overlayfs": "s2"}}
    told = unowned(
        monkeypatch,
        daemon_in(tmp_path, snapshots=3),
        stored=3,
        blobs={**blobs("bdef"), f"sha256:{DIGESTS['a']}": index, f"sha256:{DIGESTS['c']}": pinned},
        images={"app:1": containerd_store.image(f"sha256:{DIGESTS['a']}")},
        snapshots=snapshots("", "s1", ""),
    )
    assert set(told) == {"3", *(DIGESTS[name] for name in "def")}


def test_downloads_that_may_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The downloads of a lease that holds, and for a day those without a lease."""
    refs = {"of a lease": FUTURE, "of an old lease": PAST, "of today": None, "of yesterday": None, "unknown": None}
    in_a_day = {"of today": FUTURE, "of yesterday": PAST}
    stored = {f"moby/1/{ref}": ref for ref in refs}
    moby = {
        "content": {
            "ingests": {
                ref: {"ref": name, **({"expireat": go_time(in_a_day[ref])} if ref in in_a_day else {})}
                for name, ref in stored.items()
                if ref != "unknown"
            }
        },
        "leases": {ref: lease({EXPIRES: at.isoformat()}, ingest=ref) for ref, at in refs.items() if at},
    }
    monkeypatch.setattr(containerd_metadata, "read_bolt", lambda path: Written({"v1": {"moby": moby}}))
    monkeypatch.setattr(containerd, "read_bolt", lambda path: Written({"v1": {}}))
    daemon = daemon_in(tmp_path, 0, tuple(stored))
    told = set(names_of(containerd.unowned_contents(Path("/d"), daemon, frozenset()), "ingest-abandoned"))
    expected = {"moby/1/of an old lease", "moby/1/of yesterday", "moby/1/unknown"}
    assert told == {sha256(name.encode()).hexdigest() for name in expected}


def go_time(at: datetime) -> bytes:
    """What Go's time.MarshalBinary writes."""
    seconds = (at - datetime(1, 1, 1, tzinfo=UTC)).total_seconds()
    return containerd_store.go_time(seconds - 63_900_000_000)


def names_of(found: Iterator[Unowned], why: str) -> Iterator[str]:
    return (one.path.name for one in found if one.why == why)


def test_what_mounts_of_images_keep_whose_containers_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, listed, folder = ("ab" * 32, "cd" * 32, "ef" * 32)
    root = tmp_path / "root"
    (root / "containers" / folder).mkdir(parents=True)
    daemon = tmp_path / "daemon"
    daemon.mkdir()
    names = {f"moby/{number}/s{number}": {"id": bytes([number])} for number in range(1, 9)}
    monkeypatch.setattr(containerd, "read_bolt", lambda path: Written({"v1": {"snapshots": names}}))
    containerd_store.namespace(
        monkeypatch,
        images={"app:1": containerd_store.image("sha256:x", {"containerd.io/gc.ref.snapshot.overlayfs": "s1"})},
        snapshots=snapshots("", "s1", "s2", "s3", "s3", "", "", ""),
        leases={
            f"{gone}-team/app:1": {**lease({}, snapshot="s4"), "createdat": go_time(PAST)},
            f"{gone}-app": lease({}, snapshot="s5"),
            f"{listed}-app:1": lease({}, snapshot="s6"),
            f"{folder}-app:1": lease({}, snapshot="s7"),
            gone: lease({}, snapshot="s8"),
        },
    )
    (daemon_in(daemon, snapshots=8) / "io.containerd.metadata.v1.bolt").mkdir()
    parts = (Part(id=f"lease:{gone}-team/app:1", high_bytes=0),)
    objects = ListedObjects((container(listed, "exited"),), (), (), ())
    found = forgotten_mounts(root, daemon, objects, Storage(base="disk", parts=parts))
    told = {one.path.name: (one.lease, one.lease_made_at) for one in found}
    assert told == {
        "2": (f"{gone}-team/app:1", PAST),
        "3": (f"{gone}-team/app:1", PAST),
        "4": (f"{gone}-team/app:1", PAST),
        "5": (f"{gone}-app", None),
    }
    others = (Part(id=f"lease:{gone}", high_bytes=0), Part(id=f"container:{gone}", high_bytes=0))
    assert list(forgotten_mounts(root, daemon, objects, Storage(base="disk", parts=others))) == []


def test_what_the_scan_knew_needs_no_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path) -> Written:
        raise AssertionError(path)

    monkeypatch.setattr(containerd_metadata, "read_bolt", read)
    daemon = daemon_in(tmp_path, snapshots=2)
    known = {str(path) for place in ("*snapshotter*/snapshots/*", "*content*/blobs/*/*") for path in daemon.glob(place)}
    assert list(containerd.unowned_contents(Path("/d"), daemon, known)) == []
