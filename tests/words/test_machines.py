"""Whose virtual machine an engine runs in, and what is said of its disk."""

from typing import Any

import pytest
from msgspec.structs import replace

from dockersweep.words.machines import sentences_on_machine
from tests.rig.inventories import ENGINE

ELSEWHERE: dict[str, Any] = {"on_other_kernel": True, "kernel": "6.8.0-64-generic", "operating_system": "Ubuntu 24.04"}


@pytest.mark.parametrize(
    ("told", "product", "how"),
    [
        ({"operating_system": "Docker Desktop", "kernel": "6.10.14-linuxkit"}, "Docker Desktop", "Docker.raw"),
        ({"operating_system": "OrbStack", "kernel": "6.13.7-orbstack-00283"}, "OrbStack", "is sparse"),
        # Docker Desktop on Windows, seen from a distribution beside it.
        (
            {"operating_system": "Docker Desktop", "kernel": "6.6.87.2-microsoft-standard-WSL2"},
            "WSL2",
            "a .vhdx file of Windows",
        ),
        (ELSEWHERE | {"name": "colima"}, "Colima", "colima ssh -- sudo fstrim -a"),
        (ELSEWHERE | {"name": "colima-work"}, "Colima", "colima ssh"),
        (ELSEWHERE | {"name": "own", "endpoint": "unix:///Users/ann/.colima/work/docker.sock"}, "Colima", "colima ssh"),
        (ELSEWHERE | {"name": "lima-rancher-desktop"}, "Rancher Desktop", "rdctl shell sudo fstrim /mnt/data"),
        (ELSEWHERE | {"name": "own", "endpoint": "unix:///Users/ann/.rd/docker.sock"}, "Rancher Desktop", "rdctl"),
        (ELSEWHERE | {"name": "lima-default"}, "Lima", "limactl shell"),
        (
            ELSEWHERE | {"endpoint": "unix:///private/tmp/podman/podman-machine-default-api.sock", "flavour": "podman"},
            "podman machine",
            "may stay as large as it is",
        ),
    ],
)
def test_products_are_recognized(told: dict[str, Any], product: str, how: str) -> None:
    engine = replace(ENGINE, **told)
    assert engine.may_be_virtual
    [text] = sentences_on_machine(engine)
    assert text.startswith(f"The engine runs in a virtual machine ({product}): what is removed frees space inside its")
    assert how in text


def test_a_product_that_cannot_be_told() -> None:
    [text] = sentences_on_machine(replace(ENGINE, **ELSEWHERE))
    assert text.startswith("The engine runs on another kernel than this machine: if that is a virtual machine here,")


def test_a_host_name_alone_tells_of_none() -> None:
    """Anybody may call a server like that."""
    assert not replace(ENGINE, name="colima", kernel="6.8.0-64-generic").may_be_virtual
    afar = replace(ENGINE, **ELSEWHERE, name="lima-peru", endpoint="tcp://lima-peru:2376")
    assert sentences_on_machine(afar) == []
