"""An engine in a virtual machine: its files are not here, whatever lies at their paths, and a report says so."""

import json
import os
from pathlib import Path

import pytest

from dockersweep.engine.api.session import _is_on_other_kernel
from tests.engine.test_engine_folder import engine_of
from tests.rig.fake_engine import fake_engine, reply
from tests.rig.running import dockersweep

INFO = {"ID": "ENGINE", "Name": "box", "Driver": "overlay2", "SystemTime": "2026-11-24T12:00:00Z"}
OURS = os.uname().release


@pytest.mark.parametrize(
    ("told", "own", "is_other"),
    [
        ("6.1.0-28-amd64", "6.1.0-28-amd64", False),
        ("6.6.0-rc1", "6.6-rc1", False),
        ("6.12.9+deb13-amd64", "6.12.9+deb13-amd64", False),
        ("", "6.1.0-28-amd64", False),
        ("<unknown>", "6.1.0-28-amd64", False),
        ("6.10.14-linuxkit", "24.6.0", True),
        ("6.1.0-29-amd64", "6.1.0-28-amd64", True),
        ("6.6.1-rc1", "6.6-rc1", True),
    ],
)
def test_releases_of_two_kernels(told: str, own: str, is_other: bool) -> None:
    assert _is_on_other_kernel(told, own) == is_other


@pytest.mark.parametrize(("kernel", "base"), [(OURS, "disk"), ("6.10.14-linuxkit", "lengths")])
def test_a_folder_that_would_fit_is_not_that_of_another_kernel(tmp_path: Path, kernel: str, base: str) -> None:
    """Both are empty, and carry one id: nothing but the kernel tells them apart."""
    engine_of(tmp_path)
    info = reply({**INFO, "DockerRootDir": str(tmp_path), "KernelVersion": kernel})
    with fake_engine(info=info) as engine:
        run = dockersweep("scan", "-H", engine.url, "--format", "json", "--no-ledger")
    document = json.loads(run.stdout)
    assert document["storage"]["base"] == base, run.stderr
    assert (document["disk"] is None) == (base == "lengths")
    assert (document["engine"]["kernel"], document["engine"]["on_other_kernel"]) == (kernel, base == "lengths")


@pytest.mark.parametrize("format_", ["table", "markdown", "html"])
def test_a_report_tells_how_the_virtual_disk_gets_smaller(tmp_path: Path, format_: str) -> None:
    info = {**INFO, "DockerRootDir": "/d", "OperatingSystem": "Docker Desktop", "KernelVersion": "6.10.14-linuxkit"}
    with fake_engine(info=reply(info)) as engine:
        run = dockersweep("report", "-H", engine.url, "--format", format_, "--no-ledger")
        plain = dockersweep("scan", "-H", engine.url, "--no-ledger")
    assert run.status == 0, run.stderr
    text = " ".join(run.stdout.split())
    assert "The engine runs in a virtual machine (Docker Desktop): what is removed frees space inside its" in text
    assert "docker/desktop-reclaim-space" in text
    assert "(the engine runs in a virtual machine, or on another machine)" in text
    assert "virtual disk" not in plain.stdout


def test_an_engine_beside_us_has_no_virtual_disk() -> None:
    info = {**INFO, "DockerRootDir": "/d", "OperatingSystem": "Debian GNU/Linux 13 (trixie)", "KernelVersion": OURS}
    with fake_engine(info=reply(info)) as engine:
        run = dockersweep("report", "-H", engine.url, "--no-ledger")
    assert "virtual" not in run.stdout
