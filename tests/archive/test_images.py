"""Images: each form in which engines save them becomes one layout, and every engine takes back what is made of it."""

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from dockersweep.archive.folder import ArchiveFolder
from dockersweep.archive.image_tar import tar_of_image
from dockersweep.archive.run_writer import RunWriter
from dockersweep.errors import ArchiveError, NoRoomError, NotArchivedError
from dockersweep.model.archive import Original
from tests.archive.archives import a_run, archive_in, original, reader_of, settings, tar_with
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter

pytestmark = pytest.mark.linux

LAYERS = (b"base" * 300, b"second" * 100, b"base" * 300)
CONFIG = json.dumps(
    {"rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(layer).hexdigest()}" for layer in LAYERS]}}
).encode()
IMAGE_ID = f"sha256:{sha256(CONFIG).hexdigest()}"


def _image(image_id: str = IMAGE_ID, tags: Sequence[str] = ("app:1", "localhost:5000/team/app:2")) -> Original:
    return Original(kind="image", id=image_id, name=tags[0] if tags else image_id[7:19], tags=tuple(tags), size_bytes=1)


def _tar(files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> list[bytes]:
    """Return a tar in odd pieces."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    data = buffer.getvalue()
    return [data[at : at + 777] for at in range(0, len(data), 777)]


def _manifest(config: str, layers: Sequence[str]) -> bytes:
    return json.dumps([{"Config": config, "RepoTags": None, "Layers": list(layers)}]).encode()


def old_docker() -> list[bytes]:
    """What Docker saved before 25: a layer that is there twice is a link."""
    files = {f"{IMAGE_ID[7:]}.json": CONFIG}
    for name, layer in zip("ab", LAYERS, strict=False):
        files |= {f"{name}/VERSION": b"1.0", f"{name}/json": b"{}", f"{name}/layer.tar": layer}
    files["manifest.json"] = _manifest(f"{IMAGE_ID[7:]}.json", ["a/layer.tar", "b/layer.tar", "c/layer.tar"])
    return _tar(files, {"c/layer.tar": "../a/layer.tar"})


def podman() -> list[bytes]:
    """What Podman saves: the links are what nothing names."""
    layers = {f"{sha256(layer).hexdigest()}.tar": layer for layer in LAYERS}
    order = [f"{sha256(layer).hexdigest()}.tar" for layer in LAYERS]
    files = {**layers, f"{IMAGE_ID[7:]}.json": CONFIG, "manifest.json": _manifest(f"{IMAGE_ID[7:]}.json", order)}
    return _tar(files, {"x/layer.tar": f"../{order[0]}"})


def _blob(content: bytes) -> str:
    return f"blobs/sha256/{sha256(content).hexdigest()}"


def _described(content: bytes) -> dict[str, Any]:
    return {"mediaType": "x", "digest": f"sha256:{sha256(content).hexdigest()}", "size": len(content)}


def new_docker(**changes: bytes) -> list[bytes]:
    """What Docker saves since 25."""
    return _tar(_new_files() | changes)


def _new_files() -> dict[str, bytes]:
    manifest = json.dumps({"config": _described(CONFIG), "layers": [_described(layer) for layer in LAYERS]}).encode()
    return {
        **{_blob(content): content for content in (CONFIG, *LAYERS, manifest, b"of nobody")},
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": json.dumps({"schemaVersion": 2, "manifests": [_described(manifest)]}).encode(),
        "manifest.json": _manifest(_blob(CONFIG), [_blob(layer) for layer in LAYERS]),
    }


def _layout_of(run: RunWriter) -> dict[str, Any]:
    return {
        name: json.loads((Path(run.path) / "images" / name).read_text()) for name in ("index.json", "manifest.json")
    }


def _blobs_in(run: RunWriter) -> set[str]:
    return set(os.listdir(f"{run.path}/images/blobs/sha256"))


@pytest.mark.parametrize("saved", [old_docker(), podman(), new_docker()], ids=["old docker", "podman", "new docker"])
def test_each_form_becomes_the_same_layout(tmp_path: Path, saved: list[bytes]) -> None:
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        archived = run.image(_image(), saved)
    layout = _layout_of(run)
    (entry,) = layout["manifest.json"]
    assert entry["Config"] == _blob(CONFIG)
    assert entry["RepoTags"] == ["app:1", "localhost:5000/team/app:2"]
    assert entry["Layers"] == [_blob(layer) for layer in LAYERS]
    names = [one["annotations"] for one in layout["index.json"]["manifests"]]
    assert [one["io.containerd.image.name"] for one in names] == [
        "docker.io/library/app:1",
        "localhost:5000/team/app:2",
    ]
    assert [one["org.opencontainers.image.ref.name"] for one in names] == ["1", "2"]
    # What no image names is not kept; the manifest is not the same, for an older engine had none.
    assert _blobs_in(run) > {_blob(content)[13:] for content in (CONFIG, *LAYERS)}
    assert len(_blobs_in(run)) == 4
    assert {file.path for file in archived.files if "blobs/sha256" in file.path} == {
        f"images/blobs/sha256/{name}" for name in _blobs_in(run)
    }


def test_layers_that_images_share_lie_once(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    other = b'{"rootfs": {}, "other": true}'
    files = {"other.json": other, "l.tar": LAYERS[0], "manifest.json": _manifest("other.json", ["l.tar"])}
    with a_run(archive) as run:
        run.image(_image(), old_docker())
        before = _blobs_in(run)
        run.image(_image(f"sha256:{sha256(other).hexdigest()}", ["other:1"]), _tar(files))
    assert len(_blobs_in(run) - before) == 2
    assert [entry["RepoTags"][0] for entry in _layout_of(run)["manifest.json"]] == ["app:1", "other:1"]
    with reader_of(archive, run) as read:
        for archived in read.objects:
            names = _names_in(read.image_tar(archived, with_tags=True))
            assert [name for name in names if name.startswith("blobs/sha256/")] == [
                file.path.removeprefix("images/") for file in archived.files if "/blobs/sha256/" in file.path
            ]


@pytest.mark.parametrize(
    "index",
    [
        b"[]",
        b"null",
        b"{}",
        b'{"manifests": []}',
        b'{"manifests": ["x"]}',
        b'{"manifests": [{"annotations": 7}]}',
        b"[" * 5000,
    ],
)
def test_documents_of_an_image_that_are_damaged_are_told(index: bytes) -> None:
    for documents in ((index, None), (b'{"manifests": [{}]}', index)):
        if documents == (b'{"manifests": [{}]}', b"[]"):
            continue
        with pytest.raises(ArchiveError, match="the image's own documents cannot be read"):
            list(tar_of_image(documents[0], documents[1], [], with_tags=False))


def test_an_image_without_room_at_its_end_leaves_nothing(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    with a_run(archive, 1, of=settings()) as older:
        older.volume_from_tar(original(), b"{}", tar_with(os.urandom(150_000)))
    with a_run(archive, of=settings(max_size="100kB")) as run, archive.open_run(older.name):
        with pytest.raises(NoRoomError, match="nothing older can be deleted"):
            run.image(_image(), old_docker())
        assert _blobs_in(run) == set()
        assert _layout_of(run)["manifest.json"] == []
        assert os.listdir(f"{run.path}/images/objects") == []


def _names_in(tar: Iterator[bytes]) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(tar))) as opened:
        return opened.getnames()


SPOILED: dict[str, tuple[list[bytes], str]] = {
    "another image": (
        _tar({"o.json": b"{}", "manifest.json": _manifest("o.json", [])}),
        f"the engine gave another image than {IMAGE_ID[7:19]}",
    ),
    "nothing": (_tar({}), "another image"),
    "a layer is missing": (
        _tar({f"{IMAGE_ID[7:]}.json": CONFIG, "manifest.json": _manifest(f"{IMAGE_ID[7:]}.json", ["gone.tar"])}),
        "not whole: gone.tar is missing",
    ),
    "a blob is not what its name says": (
        _tar(_new_files() | {_blob(LAYERS[0]): b"else"}),
        f"damaged image: {_blob(LAYERS[0])} is not what its name says",
    ),
    "links in a circle": (
        _tar(
            {f"{IMAGE_ID[7:]}.json": CONFIG, "manifest.json": _manifest(f"{IMAGE_ID[7:]}.json", ["a"])},
            {"a": "b", "b": "a"},
        ),
        "is missing",
    ),
    "no JSON": (_tar({"manifest.json": b"{"}), "in a form that is not known"),
    "other JSON": (_tar({"manifest.json": b'[{"Config": 7}]'}), "in a form that is not known"),
    "an index of numbers": (_tar({"index.json": b'{"manifests": [1]}'}), "in a form that is not known"),
    "no tar": ([b"x" * 5000], "in a form that is not known"),
}


@pytest.mark.parametrize(("saved", "text"), SPOILED.values(), ids=SPOILED)
def test_what_is_not_the_whole_image_is_not_archived(tmp_path: Path, saved: list[bytes], text: str) -> None:
    archive = archive_in(tmp_path)
    other = b'{"rootfs": {}}'
    files = {"other.json": other, "l.tar": LAYERS[0], "manifest.json": _manifest("other.json", ["l.tar"])}
    with a_run(archive) as run:
        run.image(_image(f"sha256:{sha256(other).hexdigest()}", ["other:1"]), _tar(files))
        before, layout = _blobs_in(run), _layout_of(run)
        with pytest.raises(NotArchivedError, match=text):
            run.image(_image(), saved)
        # Nothing is left of it, and nothing that the other one needs is gone.
        assert (_blobs_in(run), _layout_of(run)) == (before, layout)
        assert len(os.listdir(f"{run.path}/images/objects")) == 1


def test_an_image_of_several_platforms_keeps_those_that_are_there(tmp_path: Path) -> None:
    files = _new_files()
    here = json.loads(files["index.json"])["manifests"][0]
    absent = _described(b"not there")
    half = json.dumps({"config": absent, "layers": []}).encode()
    index = json.dumps({"manifests": [absent, here, _described(half)]}).encode()
    files |= {_blob(index): index, _blob(half): half}
    files["index.json"] = json.dumps({"manifests": [_described(index)]}).encode()
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        run.image(_image(_described(index)["digest"]), _tar(files))
    assert len(_blobs_in(run)) == 5
    assert _layout_of(run)["index.json"]["manifests"][0]["digest"] == _described(index)["digest"]


def test_a_damaged_blob_ends_the_tar_before_it_is_whole(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        run.image(_image(), old_docker())
    place = Path(run.path) / "images" / _blob(LAYERS[1])
    place.write_bytes(b"S" + place.read_bytes()[1:])
    with reader_of(archive, run) as read:
        pieces = read.image_tar(read.objects[0], with_tags=True)
        with pytest.raises(ArchiveError, match=rf"the archive is damaged: {place}: its SHA-256"):
            list(pieces)


def test_every_engine_takes_back_what_it_saved(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    tagged = litter.image("app:1", layers={"base": 100_000, "own": 3000}, tags=("team/app:2",), runnable=True)
    nameless = litter.image(None, layers={"base": 100_000, "x": 500})
    before = [_inspected(engine, one) for one in (tagged, nameless)]
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        _archive(run, engine, tagged, "app:1", "team/app:2")
        _archive(run, engine, nameless)
    _remove(engine, tagged, nameless)
    _load(archive, run, engine, with_tags=False)
    after = [_inspected(engine, one) for one in (tagged, nameless)]
    assert [one["Id"] for one in after] == [one["Id"] for one in before]
    assert [one["RootFS"] for one in after] == [one["RootFS"] for one in before]
    assert [one["Config"] for one in after] == [one["Config"] for one in before]
    assert [_without_made_up(one["RepoTags"]) for one in after] == [[], []]
    _remove(engine, tagged, nameless)
    _load(archive, run, engine, with_tags=True)
    assert sorted(_inspected(engine, tagged)["RepoTags"]) == sorted(before[0]["RepoTags"])


def test_tar_and_the_list_of_blobs_put_one_image_together(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    app = litter.image("app:1", layers={"base": 100_000, "own": 3000})
    other = litter.image("other:1", layers={"base": 100_000, "x": 500})
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        _archive(run, engine, app, "app:1")
        _archive(run, engine, other, "other:1")
    _remove(engine, app, other)
    own = f"{run.path}/images/objects/{app.removeprefix('sha256:')}"
    command = ["tar", "-cf", "-", "-C", f"{run.path}/images", "oci-layout", "-T", f"{own}/blobs"]
    tar = subprocess.run([*command, "-C", own, "index.json", "manifest.json"], check=True, capture_output=True).stdout
    engine.wire.raw("POST", "/images/load", tar)
    assert any(tag.endswith("app:1") for tag in _inspected(engine, app)["RepoTags"])
    assert [one["Id"].removeprefix("sha256:") for one in engine.wire.call("GET", "/images/json")] == [app[7:]]


def _inspected(engine: Engine, image: str) -> dict[str, Any]:
    told: dict[str, Any] = engine.wire.call("GET", f"/images/{image}/json")
    return told


def _archive(run: RunWriter, engine: Engine, image: str, *tags: str) -> None:
    run.image(_image(image, tags), [engine.wire.raw("GET", f"/images/{image}/get")])


def _remove(engine: Engine, *images: str) -> None:
    for image in images:
        engine.wire.call("DELETE", f"/images/{image}?force=true")


def _load(archive: ArchiveFolder, run: RunWriter, engine: Engine, *, with_tags: bool) -> None:
    with reader_of(archive, run) as read:
        for archived in read.objects:
            engine.wire.raw("POST", "/images/load", b"".join(read.image_tar(archived, with_tags=with_tags)))


def _without_made_up(tags: list[str] | None) -> list[str]:
    return [tag for tag in tags or () if "<none>" not in tag]
