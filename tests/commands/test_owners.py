"""Whose an object is: text output names the compose project and service."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from dockersweep.model.inventory import Object
from dockersweep.model.last_use import KnownProject, LastProject
from tests.rig.inventories import NOW, ago, container, image, inventory, network, volume, write_inventory
from tests.rig.running import dockersweep

DB = {
    "com.docker.compose.project": "shop",
    "com.docker.compose.service": "db",
    "com.docker.compose.config-hash": "1f",
    "com.docker.compose.project.config_files": "/srv/shop/compose.yaml",
}
WEB = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
USES = (LastProject(project="shop", service="db", container="shop-db-1", at=ago(days=3)),)
OBJECTS: Sequence[Object] = (
    container("shop-db-1", labels=DB),
    container("by-hand", labels=WEB, image="sha256:new"),
    container("lone"),
    image("old", labels=WEB),
    image("new", "shop-web:latest", labels=WEB),
    replace(image("base", "base:1"), last_projects=USES),
    replace(volume("shop_data", anonymous=False, labels=WEB), last_projects=USES),
    network("backbone", project=None),
    replace(network("shop_default", project="shop"), last_projects=USES),
)


@pytest.fixture
def saved(tmp_path: Path) -> str:
    known = KnownProject(project="shop", config_files=("/srv/shop/compose.yaml",), container_at=NOW)
    objects = [replace(one, project="shop") if getattr(one, "labels", {}) == WEB else one for one in OBJECTS]
    return write_inventory(tmp_path, replace(inventory(*objects), projects=(known,)))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("shop-db-1", "owner project shop, service db, from /srv/shop/compose.yaml"),
        ("by-hand", "owner perhaps of project shop, service web: its label may be inherited from an image"),
        ("old", "owner formerly shop/web"),
        ("base:1", "used last used by project shop, service db"),
        ("shop_default", "owner project shop, from /srv/shop/compose.yaml"),
        ("shop_data", "owner project shop, service web, from /srv/shop/compose.yaml"),
    ],
)
def test_explain_tells_whose_an_object_is(saved: str, name: str, told: str) -> None:
    shown = dockersweep("explain", name, "--inventory", saved).stdout
    assert told in " ".join(shown.split())


@pytest.mark.parametrize("name", ["lone", "backbone"])
def test_explain_says_nothing_of_what_is_nobodys(saved: str, name: str) -> None:
    assert "owner" not in dockersweep("explain", name, "--inventory", saved).stdout


def test_a_scan_tells_it_where_it_is_asked_to(saved: str) -> None:
    def states(*flags: str) -> dict[str, str]:
        rows = dockersweep("scan", "--no-header", "--format", "csv", *flags, "--inventory", saved).stdout.splitlines()
        return {row.split(",")[2]: row for row in rows}

    brief, whole = states(), states("--verbose")
    assert "project shop" not in brief["shop-db-1"]
    assert "exited (0), project shop, service db, from /srv/shop/compose.yaml" in whole["shop-db-1"]
    assert "project" not in whole["lone"]
    # A bare id says nothing to anybody.
    assert "formerly shop/web" in brief["old"]


def test_a_plan_tells_of_what_goes_whose_it_is(saved: str) -> None:
    shown = dockersweep("plan", "--inventory", saved, "--format", "csv").stdout
    (row,) = (line for line in shown.splitlines() if ",shop-db-1," in line)
    assert "project shop, service db, from /srv/shop/compose.yaml" in row
