"""What containerd's labels keep, as its garbage collector reads them (core/metadata/gc.go of containerd 2.3)."""

import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from dockersweep.engine.disk.containerd_metadata import leases_of, running_of
from tests.rig.containerd_store import image, namespace, snapshot
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.running import dockersweep

GC = "containerd.io/gc."
CONTAINERD = "/run/dk/containerd/containerd.sock"


def labelled(**labels: str) -> dict[str, dict[str, str]]:
    return {"labels": {GC + key.replace("_", "."): value for key, value in labels.items()}}


def ago(hours: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat()


def test_what_refers_to_its_holder_is_kept_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = {
        "sha256:a": labelled(ref_snapshot_overlayfs="top"),
        "sha256:of-content": labelled(bref_content="sha256:a", ref_content_l_0="sha256:below"),
        "sha256:of-image": labelled(bref_image="app"),
        "sha256:of-snapshot": labelled(bref_snapshot_overlayfs="bottom"),
        "sha256:of-container": labelled(bref_container="c1"),
        "sha256:of-nothing": labelled(bref_content="sha256:gone"),
        "sha256:of-another": labelled(bref_snapshot_native="bottom"),
        "sha256:below": labelled(),
    }
    snapshots = {"top": snapshot("bottom"), "bottom": snapshot(), "free": snapshot()}
    seen = namespace(
        monkeypatch,
        blobs=blobs,
        images={"app": image("sha256:a")},
        snapshots=snapshots,
        containers={"c1": {"snapshotter": "overlayfs", "snapshotKey": "free"}},
    )
    reached = seen.reach(["name:app"])
    kept = {one for one in reached if one.startswith("blob:")}
    assert kept == {f"blob:sha256:{name}" for name in ("a", "of-content", "below", "of-image", "of-snapshot")}
    assert "snapshot:top" in reached
    ((key, held),) = running_of(seen)
    assert key == "c1"
    assert held & {*seen.blobs, *seen.snapshots} == {"blob:sha256:of-container", "snapshot:free"}


def test_a_pod_keeps_what_its_sandbox_and_its_first_container_do(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = namespace(
        monkeypatch,
        blobs={"sha256:of-sandbox": labelled()},
        snapshots={"rootfs": snapshot()},
        containers={"pod": {"snapshotter": "overlayfs", "snapshotKey": "rootfs"}},
        sandboxes={"pod": labelled(ref_content="sha256:of-sandbox")},
    )
    held = set().union(*(kept for _, kept in running_of(seen)))
    assert held >= {"snapshot:rootfs", "blob:sha256:of-sandbox"}


def test_a_flat_lease_keeps_nothing_by_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = {"sha256:a": labelled(), "sha256:b": labelled(bref_snapshot_overlayfs="s", bref_content="sha256:a")}
    held = {"content": {"sha256:a": b""}, "snapshots": {"overlayfs": {"s": b""}}}
    leases = {"flat": {**held, "labels": {GC + "flat": "1"}}, "whole": held}
    found = dict(leases_of(namespace(monkeypatch, blobs=blobs, snapshots={"s": snapshot()}, leases=leases)))
    assert found["flat"] == {"blob:sha256:a", "snapshot:s"}
    assert found["whole"] == {"blob:sha256:a", "snapshot:s", "blob:sha256:b"}


def test_an_image_that_has_expired_is_kept_by_what_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    past = {GC + "expire": ago(1), GC + "bref.image": "app"}
    images = {
        "app": image("sha256:a"),
        "old": image("sha256:b", past),
        "live": image("sha256:c", {GC + "bref.image": "app"}),
    }
    blobs = {f"sha256:{name}": labelled() for name in "abc"}
    reached = namespace(monkeypatch, blobs=blobs, images=images).reach(["name:app"])
    assert {one for one in reached if one.startswith("blob:")} == {"blob:sha256:a", "blob:sha256:b"}


@pytest.mark.parametrize(
    ("condition", "hours_ago", "is_kept"),
    [
        ("usedat<24h|s", 1, True),
        ("usedat<24h|s", 25, False),
        ("usedat>1h30m|s", 2, True),
        ("usedat>1.5h|s", 1, False),
        ("usedat<1m,usedat>2h|s", 3, True),
        ("usedat<24h|other", 1, False),
    ],
)
def test_a_condition_keeps_a_snapshot_while_it_holds(
    monkeypatch: pytest.MonkeyPatch, condition: str, hours_ago: float, is_kept: bool
) -> None:
    blobs = {"sha256:a": {"labels": {GC + "cond.snapshot.overlayfs/x": condition}}}
    snapshots = {"s": snapshot(labels={GC + "cond.value-usedat": ago(hours_ago)}), "other": snapshot()}
    seen = namespace(monkeypatch, blobs=blobs, images={"app": image("sha256:a")}, snapshots=snapshots)
    assert ("snapshot:s" in seen.reach(["name:app"])) is is_kept


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bref.volume", "v"),
        ("ref.container", "c"),
        ("ref.contents", "sha256:a"),
        ("cond.snapshot.overlayfs", "usedat<soon|s"),
        ("cond.snapshot.overlayfs", "size<1|s"),
        ("cond.snapshot.overlayfs", "s"),
        ("cond.image", "usedat<1h|s"),
        ("weight", "1"),
    ],
)
def test_what_is_not_understood_is_not_guessed(monkeypatch: pytest.MonkeyPatch, key: str, value: str) -> None:
    with pytest.raises(ValueError, match="is not known"):
        namespace(monkeypatch, blobs={"sha256:a": {"labels": {GC + key: value}}})


@pytest.mark.on_engines("docker-28.5-containerd")
def test_the_engine_s_own_figures_do_where_a_label_is_not_understood(engine: Engine, litter: Litter) -> None:
    image_id = litter.image("app:1", layers={"app": 1000})
    scanned = dockersweep("scan", "--format", "json", host=engine.url).json()
    assert scanned["storage"]["base"] == "disk"
    for label, base in ((GC + "bref.image=docker.io/library/app:1", "disk"), (GC + "weight=1", "lengths")):
        inside = ["nsenter", f"--target={engine.pid}", "--mount", "ctr", f"--address={CONTAINERD}", "--namespace=moby"]
        subprocess.run([*inside, "content", "label", image_id, label], check=True, capture_output=True)
        scanned = dockersweep("scan", "--format", "json", host=engine.url).json()
        assert scanned["storage"]["base"] == base
    assert "containerd.io/gc.weight is not known" in scanned["storage"]["not_from_disk"]
