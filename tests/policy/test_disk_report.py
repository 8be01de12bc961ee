"""The disk report: what is counted where, and that it adds up however the engine's storage is known."""

import msgspec
import pytest

from dockersweep.model.engine_folder import EngineFolder
from dockersweep.model.inventory import Container, Inventory, Object
from dockersweep.model.plan import Interval
from dockersweep.model.policy import Policy
from dockersweep.model.report import Report, ReportedObject, Share
from dockersweep.model.storage import Part, Storage
from dockersweep.policy.bytes.totals import sizes_now
from dockersweep.policy.disk_report import Past
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from tests.bench.reporting import full_inventory
from tests.rig.inventories import (
    ENGINE,
    ago,
    container,
    image,
    inventory,
    network,
    record,
    report_of,
    totals_of,
    volume,
)

KILO = 1000


def part(name: str, *needs: str, size: int | None = KILO, folder: str | None = "somewhere") -> Part:
    return Part(id=name, needs=needs, low_bytes=size or 0, high_bytes=size, folder=folder)


def on_disk(*objects: Object, parts: list[Part], folder: int | None = None) -> Inventory:
    """An inventory of which the disk was read."""
    seen = inventory(*objects)
    measured = None if folder is None else EngineFolder(size_bytes=folder)
    return msgspec.structs.replace(seen, storage=Storage(base="disk", parts=tuple(parts)), folder=measured)


def report(seen: Inventory, policy: Policy = DEFAULT_POLICY) -> Report:
    return report_of(seen, policy, Past(()))


def sizes(told: Report) -> dict[Share, tuple[int, int | None]]:
    return {row.share: (row.size.low_bytes, row.size.high_bytes) for row in told.shares}


def named(told: Report, name: str) -> ReportedObject:
    return next(one for one in told.objects if one.name == name)


def exactly(size: int) -> tuple[int, int]:
    return size, size


WEB = container("web", "running", image="sha256:new", size=1, logs=300)
LITTER = on_disk(
    WEB,
    image("new", "app:2"),
    image("old", "app:1"),
    volume("data", anonymous=False),
    record("step", shared=True),
    record("alone"),
    network("front"),
    parts=[
        part("layer:base", size=100 * KILO),
        part("layer:new", "layer:base", size=20 * KILO),
        part("layer:old", "layer:base", size=3 * KILO),
        part("image:sha256:new", "layer:new"),
        part("image:sha256:old", "layer:old"),
        part("container:web", "layer:new", size=50 * KILO),
        part("volume:data", size=7 * KILO, folder="/elsewhere/data"),
        part("build-cache:step", "layer:old", size=0),
        part("build-cache:alone", "snapshot:alone", "build-cache:step", size=0),
        part("snapshot:alone", "layer:base", size=9 * KILO),
        part("lease:history", "blob:log", size=0),
        part("blob:log", size=5 * KILO),
    ],
    folder=200 * KILO,
)


def test_each_part_is_counted_once_and_what_images_and_cache_share_apart() -> None:
    told = report(LITTER)
    assert sizes(told) == {
        "image": exactly(22 * KILO),
        "writable-layer": exactly(50 * KILO - 300),
        "container-log": exactly(300),
        "volume": exactly(7 * KILO),
        "network": exactly(0),
        "build-cache": exactly(9 * KILO),
        "shared": exactly(103 * KILO),
    }
    assert [(row.share, row.count, row.in_use) for row in told.shares] == [
        ("image", 2, 1), ("writable-layer", 1, 1), ("container-log", 1, 1), ("volume", 1, 0), ("network", 1, 0),
        ("build-cache", 2, 0), ("shared", 2, 1),
    ]  # fmt: skip


def test_what_a_stopped_container_names_is_in_use_as_in_a_scan_also_where_both_go() -> None:
    gone = container("gone", created=ago(days=40), networks=["back"])
    stays = container("stays", "running", networks=["front"])
    told = report(inventory(gone, stays, network("back"), network("front"), network("idle")))
    going = sum(one.kind == "network" and one.goes for one in told.objects)
    (row,) = (row for row in told.shares if row.share == "network")
    assert (row.count, row.in_use, going) == (3, 2, 2)
    assert sum(one.in_use for one in told.objects if one.kind == "network") == row.in_use


def test_a_regular_record_is_a_step() -> None:
    told = report(inventory(record("r"), record("s", shared=True)))
    assert sorted(one.why for one in told.objects) == ["step", "step, shared"]


def test_the_remainder_is_what_is_in_the_folder_and_no_objects() -> None:
    told = report(LITTER)
    counted = sum(row.size.low_bytes for row in told.shares) - 7 * KILO
    assert (told.folder_bytes, told.remainder_bytes) == (200 * KILO, 200 * KILO - counted)


def test_own_bytes_and_what_is_shared_add_up() -> None:
    told = report(LITTER)
    own = {one.name: one.own_bytes for one in told.objects}
    assert own == {
        "app:2": 21 * KILO, "app:1": 1 * KILO, "web": 50 * KILO, "data": 7 * KILO, "step alone": 9 * KILO,
        "step step": 0, "front": 0,
    }  # fmt: skip
    shared = [(one.images, one.layers, one.size_bytes) for one in told.sharing]
    assert shared == [(2, 1, 100 * KILO), (1, 2, 23 * KILO)]
    assert sum(size or 0 for size in own.values()) + 103 * KILO == sum(row.size.low_bytes for row in told.shares)
    assert named(told, "app:1").size_bytes == 104 * KILO


def test_repositories_count_versions_and_what_nothing_used_needs() -> None:
    (app,) = report(LITTER).repositories
    assert (app.name, app.versions, app.size_bytes, app.unused_bytes) == ("app", 2, 125 * KILO, 4 * KILO)


def test_what_a_record_was_built_on_is_the_own_of_the_record_that_has_it() -> None:
    parts = [
        part("build-cache:a", "snapshot:a", size=0),
        part("build-cache:b", "pointer:b", "build-cache:a", size=0),
        part("build-cache:c", "pointer:b", size=0),
        part("build-cache:d", "snapshot:d", size=0),
        part("pointer:b", "snapshot:b", size=0),
        part("snapshot:a", size=10),
        part("snapshot:b", "snapshot:a", size=20),
        part("snapshot:d", "snapshot:b", size=40),
    ]
    told = report(on_disk(record("a"), record("b", "a"), record("c"), record("d"), parts=parts))
    own = {one.id: one.own_bytes for one in told.objects}
    # Two that have the same have nothing for themselves.
    assert own == {"a": 10, "b": 0, "c": 0, "d": 40}
    assert sizes(told)["build-cache"] == exactly(70)


def test_projects_and_ages_group_what_belongs_together() -> None:
    mine = msgspec.structs.replace(volume("p", created=ago(days=3)), project="billing")
    theirs = msgspec.structs.replace(volume("q", created=ago(days=400), size=30), project="shop")
    told = report(inventory(mine, theirs, volume("r", created=ago(hours=2))))
    assert [(one.name, one.objects, one.size_bytes, one.unused_bytes) for one in told.projects] == [
        ("shop", 1, 30, 30), ("billing", 1, 10, 10),
    ]  # fmt: skip
    assert [(one.name, one.objects, one.size_bytes) for one in told.ages] == [
        ("under a day", 1, 10), ("a day to a week", 1, 10), ("a week to a month", 0, 0),
        ("a month to a quarter", 0, 0), ("older", 1, 30), ("unknown", 0, 0),
    ]  # fmt: skip


def test_a_log_that_was_not_read_may_be_all_that_its_container_has() -> None:
    unread = msgspec.structs.replace(WEB, log_bytes=None)
    seen = msgspec.structs.replace(LITTER, containers=(unread,))
    told = sizes(report(seen))
    assert (told["writable-layer"], told["container-log"]) == ((0, 50 * KILO), (0, 50 * KILO))


def test_what_came_after_the_disk_was_read_is_unknown_and_not_nothing() -> None:
    later = container("later")
    told = report(msgspec.structs.replace(LITTER, containers=(WEB, later)))
    assert sizes(told)["writable-layer"][1] is None
    assert (named(told, "later").size_bytes, told.folder_bytes, told.remainder_bytes) == (None, 200 * KILO, None)
    assert [one.about for one in told.warnings] == ["remainder"]


def test_layers_that_only_a_container_keeps_are_its_own() -> None:
    parts = [part("layer:gone"), part("container:web", "layer:gone", size=20)]
    seen = on_disk(msgspec.structs.replace(WEB, log_bytes=0), parts=parts)
    assert sizes(report(seen))["writable-layer"] == exactly(KILO + 20)


def test_what_would_come_back_of_containers_is_told_apart_into_layers_and_logs() -> None:
    parts = [part("container:a", size=50 * KILO), part("container:b", size=70 * KILO)]
    told = report(on_disk(container("a", logs=400), container("b", "running", logs=900), parts=parts))
    back = {row.share: (row.reclaimable.low_bytes, row.reclaimable.high_bytes) for row in told.shares}
    assert (back["writable-layer"], back["container-log"]) == (exactly(50 * KILO - 400), exactly(400))
    assert [row.unused for row in told.shares] == [row.reclaimable for row in told.shares]
    assert named(told, "a").goes
    assert not named(told, "b").goes


def test_from_afar_the_engines_words_are_added_up() -> None:
    seen = inventory(
        container("a", size=5, logs=None),
        image("one", "app:1", size=100, shared=60),
        image("two", "app:2", size=80, shared=60),
        volume("v", size=None),
        record("r", size=9),
    )
    told = report(seen)
    assert sizes(told) == {
        "image": (60, 180), "writable-layer": (5, 5), "container-log": (0, None), "volume": (0, None),
        "network": (0, 0), "build-cache": (9, 9), "shared": (0, 0),
    }  # fmt: skip
    assert named(told, "app:1").own_bytes == 40
    assert named(told, "v").own_bytes is None
    assert (told.folder_bytes, told.remainder_bytes, told.repositories[0].size_bytes) == (None, None, None)
    back = {row.share: (row.unused.low_bytes, row.unused.high_bytes) for row in told.shares}
    assert (back["writable-layer"], back["container-log"]) == ((5, 5), (0, None))
    told = report(msgspec.structs.replace(seen, layers_bytes=120))
    assert sizes(told)["image"] == exactly(120)


def test_podman_counts_the_log_with_the_writable_layer() -> None:
    podman = msgspec.structs.replace(ENGINE, flavour="podman", image_store="overlay")
    one: Container = container("a", size=500, logs=200)
    told = report(inventory(one, engine=podman))
    assert (sizes(told)["writable-layer"], sizes(told)["container-log"]) == (exactly(300), exactly(200))
    assert named(told, "a").size_bytes == 500
    docker = report(inventory(one))
    assert sizes(docker)["writable-layer"] == exactly(500)
    assert named(docker, "a").size_bytes == 700


def test_a_cache_that_was_not_read_is_not_known() -> None:
    told = report(inventory(cache_read=False))
    row = next(one for one in told.shares if one.share == "build-cache")
    assert (row.is_known, row.size) == (False, Interval(low_bytes=0, high_bytes=None))


@pytest.mark.parametrize("seen", [LITTER, inventory(WEB, image("new", "a:1"), volume("v"), record("r"))])
def test_every_scan_remembers_what_a_report_tells(seen: Inventory) -> None:
    told = report(seen)
    remembered = {one.share: one.size_bytes for one in sizes_now(totals_of(seen))}
    total = remembered.pop("total")
    told_now = {row.share: row.size.low_bytes for row in told.shares if row.share != "network"}
    # Earlier versions counted all of them so, and a trend goes on.
    told_now["image"] += told_now.pop("shared")
    assert remembered == told_now
    assert total == totals_of(seen).held_bytes
    if told.size_base == "disk":
        assert total == sum(remembered.values())


def test_what_is_not_known_is_not_remembered() -> None:
    seen = msgspec.structs.replace(LITTER, containers=(msgspec.structs.replace(WEB, log_bytes=None),), build_cache=None)
    assert {one.share for one in sizes_now(totals_of(seen))} == {"image", "volume", "total"}
    assert {one.base for one in sizes_now(totals_of(inventory()))} == {"lengths"}


def test_a_large_engine_adds_up() -> None:
    told = report(full_inventory(600))
    own = sum(one.own_bytes or 0 for one in told.objects)
    shared = sum(one.size_bytes or 0 for one in told.sharing if one.images > 1)
    assert own + shared == sum(row.size.low_bytes for row in told.shares)
    assert sum(group.objects for group in told.ages) == len(told.objects) == 600 - 600 * 3 % 10
    assert len(told.repositories) == 18
    assert len(told.projects) == 40
    assert sum(group.size_bytes or 0 for group in told.repositories) == told.shares[0].size.low_bytes
