"""What other tools hold in Podman's storage stays, and is told: containers of builds, of CRI-O and of volumes, mounted
images, and images in read-only stores."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.rig.allowed import READING_CALLS
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import KINDS, EngineKind
from tests.rig.engines.litter import Litter
from tests.rig.engines.podman_cli import killed_build, podman
from tests.rig.faulty_proxy import faulty
from tests.rig.running import dockersweep

pytestmark = [pytest.mark.engines, pytest.mark.enough_on("podman-6.1")]

MEGABYTE = 1_000_000
ALL = ("--all-images", "--named-volumes", "--older-than", "0s")
POD = "k8s_app_web-0_default_5b1f_0"
PODMANS = [one for one in KINDS if one.flavour == "podman"]
OF_DOCKER = tuple(call for call in READING_CALLS if "libpod" not in call[1])


@dataclass(frozen=True)
class Held:
    """An engine with an image for each tool, by what it is called."""

    engine: Engine
    options: tuple[str, ...]
    ids: dict[str, str]

    def podman(self, *words: str) -> str:
        return podman(self.engine, *words, options=self.options)


@pytest.fixture(scope="module", params=PODMANS, ids=str)
def held(request: pytest.FixtureRequest) -> Iterator[Held]:
    """An engine on which each other tool holds an image, and one more image that nothing holds."""
    kind: EngineKind = request.param
    engine = Engine(kind)
    with engine:
        ids = {"base": Litter(engine).image("base:1", layers={"base": MEGABYTE})}
        ids["both"] = Litter(engine).image("both:1", layers={"both": MEGABYTE})
        engine.stop()
        store = engine.run_directory / "store"
        shutil.move(engine.data_root, store)
        options = ("--storage-opt", f"additionalimagestore={store}")
        engine.options = options
        engine.start()
        yield _held(engine, options, ids)
        assert engine.recorder.forbidden == []


def _held(engine: Engine, options: tuple[str, ...], ids: dict[str, str]) -> Held:
    litter = Litter(engine)
    # Which the images of pod and build depend on.
    ids["parent"] = litter.base()
    ids["pod"] = litter.image("pod:1", layers={"pod": 1000}, runnable=True)
    litter.container(POD, image=ids["pod"], state="created")
    # What Podman's database does not know is not Podman's: so it sees what CRI-O has in the same storage.
    engine.stop()
    (engine.data_root / "db.sql").unlink()
    engine.start()
    # On a layer of the read-only store.
    ids["child"] = litter.image("child:1", layers={"base": MEGABYTE, "child": 2 * MEGABYTE})
    ids["build"] = litter.image("ubi:1", layers={"ubi": 1000}, runnable=True)
    ids["volume"] = litter.image("data:1", layers={"data": 1000})
    ids["mount"] = litter.image("mounted:1", layers={"mounted": 1000})
    litter.image("both:1", layers={"both": MEGABYTE})
    ids["free"] = litter.image("free:1", layers={"free": 3 * MEGABYTE})
    made = Held(engine, options, ids)
    step = f"RUN head -c {3 * MEGABYTE} /dev/urandom > /written; exec sleep 1000"
    killed_build(engine, f"FROM ubi:1\n{step}\n", writes="written", size=3 * MEGABYTE, options=options)
    made.podman("volume", "create", "--driver", "image", "--opt", "image=data:1", "v")
    made.podman("image", "mount", "mounted:1")
    return made


def planned(host: str, *words: str) -> tuple[dict[str, Any], Any]:
    run = dockersweep("plan", "--format", "json", "--no-ledger", *words, host=host)
    assert run.status == 0, run.stderr
    plan = run.json()
    return {one["id"]: one for one in plan["decisions"]}, plan


WHY = {
    "base": "in a read-only store (additionalimagestores); it cannot be removed here",
    "build": "used by ubi-working-container, a container of a build",
    "pod": f"used by {POD}, a container of CRI-O",
    "volume": "used by volume v (driver image)",
    "mount": "mounted on the host (podman image mount lists it)",
}


def test_no_policy_takes_what_other_tools_hold(held: Held) -> None:
    by_default, _ = planned(held.engine.url)
    decisions, plan = planned(held.engine.url, *ALL, "--kind", "image")
    for name, text in WHY.items():
        for told in (by_default[held.ids[name]], decisions[held.ids[name]]):
            assert told["verdict"] == "keep"
            assert text in told["reasons"][0]["text"]
            assert told["reasons"][0]["rule"] == "protected"
            assert told["reasons"][0]["code"] == ("read-only" if name == "base" else "external")
    assert "parent of image" in decisions[held.ids["parent"]]["reasons"][0]["text"]
    going = {one["id"]: one for one in plan["removals"]}
    # Of what both stores have, this one's can go.
    assert going.keys() == {held.ids["free"], held.ids["child"], held.ids["both"]}
    assert plan["warnings"] == []


def test_what_is_here_is_measured_though_a_store_lies_elsewhere(held: Held) -> None:
    _, plan = planned(held.engine.url, *ALL)
    assert (plan["size_base"], plan["not_from_disk"]) == ("disk", None)
    sizes = {one["id"]: one["reclaim"] for one in plan["removals"]}
    # The layer that it has in common with the image in the other store is not counted.
    assert (
        2 * MEGABYTE < sizes[held.ids["child"]]["low_bytes"] == sizes[held.ids["child"]]["high_bytes"] < 2.9 * MEGABYTE
    )
    alone = dockersweep("explain", "base:1", "--format", "json", host=held.engine.url).json()
    assert (alone["reclaim_alone"]["low_bytes"], alone["reclaim_alone"]["high_bytes"]) == (0, 0)


def test_explain_says_who_holds_it(held: Held) -> None:
    for name, tag in (("build", "ubi:1"), ("volume", "data:1"), ("mount", "mounted:1"), ("base", "base:1")):
        run = dockersweep("explain", tag, *ALL, host=held.engine.url)
        assert run.status == 0
        words = " ".join(run.stdout.split())
        assert WHY[name] in words
        assert "Nothing holds it" not in words
    scan = dockersweep("scan", "--format", "json", host=held.engine.url).json()
    external = {one["tool"]: one for one in scan["external"]}
    assert external.keys() == {"podman build", "CRI-O", "volume", "image mount"}
    assert 3 * MEGABYTE < external["podman build"]["size_bytes"] < 3.2 * MEGABYTE


def test_a_report_counts_them_and_tells_of_what_a_killed_build_left(held: Held) -> None:
    words = ("report", "--format", "json", "--no-ledger")
    young = dockersweep(*words, host=held.engine.url).json()
    [layers] = [one for one in young["shares"] if one["share"] == "writable-layer"]
    assert (layers["count"], layers["in_use"], layers["external"]) == (3, 3, 3)
    assert 3 * MEGABYTE < layers["external_bytes"] == layers["size"]["low_bytes"] == layers["size"]["high_bytes"]
    assert "DS018" not in [one["id"] for one in young["findings"]]
    page = dockersweep("report", "--format", "html", "--no-ledger", host=held.engine.url).stdout
    assert "Among the writable layers are 3 containers of other tools" in page
    later = (datetime.now(UTC) + timedelta(hours=8)).isoformat()
    old = dockersweep(*words, host=held.engine.url, DOCKERSWEEP_NOW=later).json()
    [left] = [one for one in old["findings"] if one["id"] == "DS018"]
    assert (left["objects"], left["size_bytes"] > 3 * MEGABYTE) == (1, True)
    assert left["fix"]["command"] == "podman rm --force ubi-working-container"


def test_from_afar_nothing_of_another_store_is_counted(held: Held) -> None:
    _, plan = planned(held.engine.url, *ALL, "--no-sizes")
    sizes = {one["id"]: one["reclaim"] for one in plan["removals"]}
    assert plan["size_base"] == "lengths"
    assert sizes[held.ids["child"]]["high_bytes"] < 2.9 * MEGABYTE
    words = ("report", "--format", "json", "--no-sizes")
    afar = dockersweep(*words, host=held.engine.url).json()
    [images] = [one["size"] for one in afar["shares"] if one["share"] == "image"]
    listed = [one for one in held.engine.wire.images() if not one.get("ReadOnly")]
    assert images["high_bytes"] == sum(one["Size"] for one in listed)


def test_behind_a_proxy_for_docker_clients_the_rest_works_and_it_is_told(held: Held) -> None:
    with faulty(held.engine.recorder.path, allowed=OF_DOCKER) as proxy:
        decisions, plan = planned(proxy.url, *ALL)
    [warning] = plan["warnings"]
    assert warning["about"] == "containers of other tools"
    assert "403" in warning["text"]
    assert decisions[held.ids["free"]]["verdict"] == "remove"
    assert decisions[held.ids["base"]]["reasons"][0]["code"] == "read-only"
    # That much the list of volumes tells.
    assert decisions[held.ids["volume"]]["reasons"][0]["text"] == WHY["volume"]


def test_a_note_of_mounts_that_is_none_is_told_and_does_not_end_the_scan(held: Held) -> None:
    note = held.engine.run_directory / "runroot" / "overlay-layers" / "mountpoints.json"
    kept = note.with_name("kept")
    # Podman itself reads it once more where another has mounted, and would wait for the pipe for ever.
    planned(held.engine.url)
    note.rename(kept)
    try:
        os.mkfifo(note)
        _, plan = planned(held.engine.url)
        note.unlink()
        note.write_text("[{")
        _, damaged = planned(held.engine.url)
    finally:
        kept.replace(note)
    for [warning] in (plan["warnings"], damaged["warnings"]):
        assert warning["about"] == "mounted images"
        assert warning["text"].startswith(
            "not known, and Podman removes an image that podman image mount has mounted: "
        )
    _, plan = planned(held.engine.url)
    assert plan["warnings"] == []


@pytest.mark.parametrize("kind", PODMANS, ids=str)
def test_a_run_root_that_cannot_be_seen_is_told(kind: EngineKind) -> None:
    """As in a container that sees the engine's folder and not its run root: no note is not no mounts."""
    with Engine(kind, options=("--runroot", "/run/elsewhere")) as engine:
        _, plan = planned(engine.url)
        [warning] = plan["warnings"]
        assert warning["about"] == "mounted images"
        assert "/run/elsewhere/overlay-layers" in warning["text"]
        assert engine.recorder.forbidden == []


def test_a_sweep_takes_the_rest_and_ends_well(held: Held) -> None:
    run = dockersweep("sweep", "--yes", "--format", "json", "--kind", "image", *ALL, host=held.engine.url)
    assert run.status == 0, run.stderr
    assert {row["status"] for row in run.json()["outcomes"]} == {"removed"}
    assert dockersweep("plan", "--exit-code", "--kind", "image", *ALL, host=held.engine.url).status == 0
    left = {one["Id"] for one in held.engine.wire.images(intermediates=True)}
    assert left == {image for name, image in held.ids.items() if name not in ("free", "child")}
    decisions, _ = planned(held.engine.url, *ALL)
    assert decisions[held.ids["both"]]["reasons"][0]["code"] == "read-only"
    assert "ubi-working-container" in held.podman("ps", "--all", "--external")
    # Whose holders go can go as well.
    held.podman("image", "unmount", "mounted:1")
    held.podman("rm", "--force", "ubi-working-container")
    held.podman("volume", "rm", "v")
    _, plan = planned(held.engine.url, *ALL, "--kind", "image")
    assert {one["id"] for one in plan["removals"]} == {held.ids[name] for name in ("build", "volume", "mount")}
