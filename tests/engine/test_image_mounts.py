"""Images that containers mount: no engine refuses to remove them, so dockersweep must not ask for it."""

import re
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dockersweep.engine.disk.graphdriver import find_parts
from dockersweep.model.inventory import Container, Mount
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.inventories import container
from tests.rig.recorder import Request
from tests.rig.running import dockersweep

ALL = ("--all-images", "--older-than", "0s")


def verdicts(engine: Engine) -> dict[str, Any]:
    plan = dockersweep("plan", "--format", "json", "--kind", "image", *ALL, host=engine.url).json()
    return {one["id"]: one for one in plan["decisions"] if one["kind"] == "image"}


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("short", [True, False])
def test_a_mounted_image_stays(engine: Engine, litter: Litter, running: bool, short: bool) -> None:
    made = litter.image("data:1", layers={"data": 1000})
    other = litter.image("other:1", layers={"other": 1000})
    reference = made.removeprefix("sha256:")[:12] if short else litter.image_tags(made)[0]
    litter.mounting_container("user", reference, state="running" if running else "created")
    told = verdicts(engine)
    assert (told[made]["verdict"], told[other]["verdict"]) == ("keep", "remove")
    # Podman mounts it on the host for a container that runs, and both are told.
    assert any("used by container" in one["text"] for one in told[made]["reasons"])
    run = dockersweep("sweep", "--yes", "--kind", "image", *ALL, host=engine.url)
    assert run.status == 0
    left = engine.docker("images", "-aq", "--no-trunc").stdout
    assert made in left
    assert other not in left


def test_a_mounted_image_stays_when_its_tag_has_moved(engine: Engine, litter: Litter) -> None:
    old = litter.image("moved:1", layers={"old": 1000})
    litter.mounting_container("user", litter.image_tags(old)[0], state="running")
    new = litter.image("moved:1", layers={"new": 1000})
    told = verdicts(engine)
    assert {told[old]["verdict"], told[new]["verdict"]} == {"keep"}
    assert any("may be what container" in one["text"] for one in told[old]["reasons"])


SHAPES: tuple[tuple[str, ...], ...] = ((), ("a/{}:1",), ("{}:1", "{}:2"), ("localhost:5000/team/{}:1",))


def test_an_image_that_is_mounted_after_the_scan_stays_whatever_names_it_has(engine: Engine, litter: Litter) -> None:
    held, free = (
        [
            litter.image(tags=[tag.format(name) for tag in shape], layers={f"{name}{number}": 1000})
            for number, shape in enumerate(SHAPES)
        ]
        for name in ("held", "free")
    )
    litter.container("holder", state="created")
    # The sweep looks at several at once, and none of them may get past its look before all are mounted.
    lock = threading.Lock()
    mounting = [(f"user{number}", next(iter(litter.image_tags(made)), made)) for number, made in enumerate(held)]

    def mount_all(request: Request) -> None:
        if re.fullmatch("/images/.*/json", request.path):
            with lock:
                while mounting:
                    litter.mounting_container(*mounting.pop())

    with engine.recorder.recording() as recording:
        recording.before = mount_all
        run = dockersweep("sweep", "--yes", "--kind", "image", "--format", "json", *ALL, host=engine.url)
    assert run.status == 0, run.stdout
    told = {row["id"]: row for row in run.json()["outcomes"]}
    assert {told[one]["status"] for one in free} == {"removed"}
    assert {told[one]["status"] for one in held} == {"skipped"}
    left = {one["Id"] for one in engine.wire.images()}
    assert left >= set(held)
    assert not left & set(free)


def mounting(name: str, *folders: Path) -> Container:
    mounts = [Mount(type="image", volume=None, source="any:1", folder=f"{folder}/merged") for folder in folders]
    return msgspec.structs.replace(container(name), mounts=tuple(mounts))


def mount_folder(root: Path, name: str, layer: str) -> Path:
    folder = root / "image/overlay2/layerdb/mounts" / name
    folder.mkdir(parents=True)
    (folder / "mount-id").write_text(layer)
    return folder


def test_the_layer_of_a_mounted_image_is_its_containers_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "image/overlay2/imagedb").mkdir(parents=True)
    one, two = "1" * 64, "2" * 64
    layers = tmp_path / "overlay2"
    mount_folder(tmp_path, one, "own")
    hashed = mount_folder(tmp_path, "ab" * 32, "hashed")
    short = mount_folder(tmp_path, f"{one}-team", "short")
    deep = mount_folder(tmp_path, f"{one}-team/a/b:1", "deep")
    # What lies in other folders is no mount, and nothing leads out of those of images.
    mount_folder(tmp_path, f"{two}/inner", "inner")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mount-id").write_text("foreign")
    (short / "link").symlink_to(outside)
    (deep / "circle").symlink_to(short)
    (deep / "file").write_text("x")
    mount_folder(tmp_path, "build", "of-a-build")
    elsewhere = mounting(two, tmp_path / "other" / "hashed")
    found = find_parts(
        tmp_path, "overlay2", (mounting(one, *map(layers.joinpath, ("short", "deep", "hashed"))), elsewhere)
    )
    parts = {part.id: part for part in found}
    assert set(parts[f"container:{one}"].needs) == {f"writable-layer:{name}" for name in ("short", "deep", "hashed")}
    places = {part.id: tuple(map(Path, part.places)) for part in found if part.id.startswith("writable-layer:")}
    assert places == {
        "writable-layer:hashed": (layers / "hashed", hashed),
        "writable-layer:short": (layers / "short", short),
        "writable-layer:deep": (layers / "deep", deep),
    }
    assert set(parts) - {f"container:{one}"} - set(parts[f"container:{one}"].needs) == {"container:build"}
    # A container that has gone meanwhile leaves its layer as one that nobody is known to hold.
    assert f"container:{one}-team/a/b:1" in {part.id for part in find_parts(tmp_path, "overlay2", ())}


def test_logs_come_back_with_their_container(engine: Engine, litter: Litter) -> None:
    made = litter.container("chatty", state="running")
    engine.docker("exec", made, "sh", "-c", "head -c 500000 /dev/zero | tr '\\0' x > /proc/1/fd/1")
    litter.stop(made)
    flags = ("--format", "json", "--kind", "container", "--older-than", "0s")
    reclaim = dockersweep("plan", *flags, host=engine.url).json()["reclaim"]
    assert reclaim["high_bytes"] is None or reclaim["low_bytes"] >= 500_000
