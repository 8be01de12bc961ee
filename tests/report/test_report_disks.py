"""The report of real engines whose things lie on several disks: each disk adds up by itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.report.test_report_engines import MEGABYTE, du, report, size_of
from tests.rig.engines.disks import SYSTEM_CONTAINERD, SmallDisk
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import EACH_STORE, KINDS, EngineKind, kind
from tests.rig.engines.litter import Litter
from tests.rig.running import dockersweep

pytestmark = pytest.mark.engines

MB = 1 << 20
ROUNDING = 64 << 10


def kinds(row: Any) -> dict[str, int]:
    assert all(one["size"]["low_bytes"] == one["size"]["high_bytes"] for one in row["kinds"]), row
    return {one["kind"]: one["size"]["low_bytes"] for one in row["kinds"]}


def check(told: Any, *folders: list[str]) -> None:
    """Each disk, and all of them together, add up to what du counts."""
    assert told["size_base"] == "disk"
    assert len(told["disks"]) == len(folders)
    for row, places in zip(told["disks"], folders, strict=True):
        there = sum(du(Path(place)) for place in places)
        assert abs(row["folder_bytes"] - there) <= max(ROUNDING, there // 100)
        assert row["folder_is_whole"]
        assert row["remainder_bytes"] >= 0
        assert sum(kinds(row).values()) + row["remainder_bytes"] == row["folder_bytes"]
    rows = told["disks"]
    assert told["folder_bytes"] == sum(row["folder_bytes"] for row in rows)
    assert told["remainder_bytes"] == sum(row["remainder_bytes"] for row in rows)
    for bound in ("low_bytes", "high_bytes"):
        assert sum(row["reclaimable"][bound] for row in rows) == told["reclaimable"][bound]
    shares = sum(one["size"]["low_bytes"] for one in told["shares"])
    assert shares == sum(size for row in rows for size in kinds(row).values())
    assert [one["about"] for one in told["warnings"]] == []


@pytest.mark.enough_on(*EACH_STORE)
@pytest.mark.parametrize("one", KINDS, ids=str)
def test_volumes_that_fill_a_disk_of_their_own(one: EngineKind) -> None:
    with Engine(one, disks=(SmallDisk("volumes", size=32 * MB),)) as engine:
        litter = Litter(engine)
        litter.image("app:1", layers={"app": 6 * MB})
        litter.container("writer", writes=MB, state="exited")
        litter.volume("filled", size=28 * MB)
        volumes = f"{engine.data_root}/volumes"
        told = report(engine.url)
        check(told, [str(engine.data_root)], [volumes])
        would_go = report(engine.url, "--older-than", "0s", "--named-volumes")
        check(would_go, [str(engine.data_root)], [volumes])
        assert would_go["disks"][1]["reclaimable"]["low_bytes"] == size_of(told, "volume")
        assert would_go["disks"][0]["reclaimable"]["low_bytes"] > MB
        main, second = told["disks"]
        assert main["disk"] == told["disk"]
        assert second["disk"]["mount_point"] == volumes
        assert kinds(second) == {"volume": size_of(told, "volume")}
        assert abs(size_of(told, "volume") - 28 * MB) < ROUNDING
        assert kinds(main)["image"] > 6 * MEGABYTE
        found = {one["id"]: one for one in told["findings"]}
        assert re.fullmatch(rf"the disk fills up: {volumes}: (8[89]|90)% of its bytes used", found["DS016"]["title"])
        assert told["trend"]["points"][-1]["sizes"][f"disk:{volumes}"] == second["disk"]["used_bytes"]
        assert second["filling"]["text"].startswith("needs 5 scans")
        text = " ".join(dockersweep("report", host=engine.url, COLUMNS="200").stdout.split())
        assert f"{volumes} (tmpfs) holds 29.4 MB of the engine's: volumes 29.4 MB and remainder" in text
        metrics = dockersweep("report", "--format", "prometheus", host=engine.url).stdout
        assert f'dockersweep_filesystem_size_bytes{{disk="{volumes}",engine="{engine.url}"}} 3.3554432e+07' in metrics


@pytest.mark.parametrize("disks", [(), (SmallDisk(SYSTEM_CONTAINERD, "ext4", 64 * MB),)], ids=["one disk", "its own"])
def test_images_that_the_containerd_of_the_system_keeps(disks: tuple[SmallDisk, ...]) -> None:
    with Engine(kind("docker-28.5-containerd"), disks=disks, system_containerd=True) as engine:
        Litter(engine).image("app:1", layers={"app": 22 * MB})
        told = report(engine.url)
        folders = [str(engine.data_root), SYSTEM_CONTAINERD]
        check(told, *([[folder] for folder in folders] if disks else [folders]))
        # Its layers are there twice: packed, and unpacked.
        assert kinds(told["disks"][-1])["image"] > 44 * MEGABYTE
        findings = [one["title"] for one in told["findings"] if one["id"] in ("DS015", "DS016")]
        assert [re.sub(r"\d+%", "N%", one) for one in findings] == [
            f"the disk fills up: {SYSTEM_CONTAINERD}: N% of its bytes used" for _ in disks
        ]
        if disks:
            disk = told["disks"][1]["disk"]
            assert disk["total_bytes"] - disk["used_bytes"] - disk["free_bytes"] > 5 * MB
