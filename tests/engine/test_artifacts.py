"""Podman's artifacts: what a report tells of them, and what is read of a store that is damaged or hostile."""

import json
import math
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dockersweep.engine.disk.artifacts import read_artifacts
from dockersweep.engine.disk.walk import Walker
from dockersweep.model.engine_folder import ArtifactStore
from tests.rig.engines.archive import random_bytes
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import kind
from tests.rig.engines.podman_cli import podman
from tests.rig.inventories import ENGINE
from tests.rig.running import dockersweep

MEGABYTE = 1_000_000
NAME = "org.opencontainers.image.ref.name"
PODMAN = msgspec.structs.replace(ENGINE, flavour="podman", image_store="overlay")


def du(folder: Path) -> int:
    told = subprocess.run(["du", "-s", "--block-size=1", folder], capture_output=True, text=True, check=True)
    return int(told.stdout.split()[0])


@pytest.mark.engines
@pytest.mark.parametrize("name", ["podman-5.8", "podman-6.1"])
def test_artifacts_have_a_row_of_their_own_beside_the_remainder(name: str) -> None:
    with Engine(kind(name)) as engine:
        before = dockersweep("report", "--format", "json", host=engine.url).json()
        files = []
        for number, size in enumerate((8 * MEGABYTE, 2 * MEGABYTE)):
            files.append(engine.run_directory / f"artifact-{number}")
            files[-1].write_bytes(random_bytes(f"artifact-{number}", size))
        podman(engine, "artifact", "add", "quay.io/team/model:1", str(files[0]))
        podman(engine, "artifact", "add", "localhost/both:1", *map(str, files))
        told = dockersweep("report", "--format", "json", host=engine.url).json()
        there = du(engine.data_root / "artifacts")
        assert told["artifacts_bytes"] == there
        assert 10 * MEGABYTE < there < 10.1 * MEGABYTE
        assert (before["artifacts_bytes"], told["disks"][0]["artifacts_bytes"]) == (0, told["artifacts_bytes"])
        assert told["remainder_bytes"] == pytest.approx(before["remainder_bytes"], abs=65_536)
        counted = sum(one["size"]["low_bytes"] for one in told["shares"])
        assert counted + told["artifacts_bytes"] + told["remainder_bytes"] == told["folder_bytes"]
        assert "DS026" not in [one["id"] for one in told["findings"]]
        for style in ("table", "markdown", "html"):
            text = dockersweep("report", "--format", style, host=engine.url).stdout
            assert "Artifacts" in text
            assert "10.0 MB" in text


WALKER = Walker(math.inf, {})


def store(root: Path, blobs: Mapping[str, object], *descriptors: Mapping[str, Any]) -> ArtifactStore | None:
    """What is read of a store with these files, by the digits of their digests, and these descriptors."""
    folder = root / "artifacts"
    (folder / "blobs" / "sha256").mkdir(parents=True)
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": descriptors}))
    for digits, content in blobs.items():
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        (folder / "blobs" / "sha256" / digits).write_bytes(data)
    return read_artifacts(PODMAN, root, WALKER)


def of(digits: str, name: str | None = None) -> dict[str, Any]:
    return {"digest": f"sha256:{digits}", "annotations": {} if name is None else {NAME: name}}


A, B, C, D = ("a" * 64, "b" * 64, "c" * 64, "d" * 64)


def test_files_of_several_count_once_and_a_name_is_no_option(tmp_path: Path) -> None:
    blobs = {A: {"layers": [of(C)]}, B: {"config": of(D), "layers": [of(C)]}, C: b"x" * 100_000, D: b"x" * 50_000}
    told = store(tmp_path, blobs, of(A, "quay.io/one:1"), of(B, "--all"), of(B))
    assert told is not None
    sizes = [(one.name, (one.size_bytes or 0) // 1000) for one in told.artifacts]
    assert sizes == [("quay.io/one:1", 106), (f"sha256:{B}", 57), (f"sha256:{B}", 0)]
    assert told.size_bytes > sum(one.size_bytes or 0 for one in told.artifacts)


@pytest.mark.parametrize("digest", ["sha256:../../../secret", "sha256:" + "a" * 65 + "/../x", "../x:" + "a" * 64, ""])
def test_a_digest_leads_nowhere_else(tmp_path: Path, digest: str) -> None:
    (tmp_path / "secret").write_text(json.dumps({"layers": []}))
    told = store(tmp_path, {A: {"layers": [{"digest": digest}]}}, {"digest": digest}, of(A, "one:1"))
    assert told is not None
    assert [one.size_bytes for one in told.artifacts] == [None, None]


@pytest.mark.parametrize("manifest", [b"{", b'{"layers": 3}', b"\xff", b"[" * 100_000])
def test_a_damaged_manifest_leaves_the_size_unknown(tmp_path: Path, manifest: bytes) -> None:
    told = store(tmp_path, {A: manifest, C: {"layers": []}}, of(A, "damaged:1"), of(B, "gone:1"), of(C, "whole:1"))
    assert told is not None
    assert [one.size_bytes is None for one in told.artifacts] == [True, True, False]


@pytest.mark.parametrize("index", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"manifests": []}'])
def test_without_an_index_there_are_none(tmp_path: Path, index: bytes) -> None:
    assert store(tmp_path, {}) is None
    (tmp_path / "artifacts" / "index.json").write_bytes(index)
    assert read_artifacts(PODMAN, tmp_path, WALKER) is None
    assert read_artifacts(ENGINE, tmp_path, WALKER) is None
    assert read_artifacts(PODMAN, tmp_path / "nothing", WALKER) is None
