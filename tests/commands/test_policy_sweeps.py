"""Policy files in sweeps of real engines: space targets and their rounds, limits, and what is told of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.engines.truth_remote import far_away
from tests.rig.running import dockersweep

pytestmark = pytest.mark.enough_on(*NEWEST)

TARGET = """
version = 1
[protect]
names = ["kept:*"]
[target]
free = "{free}"
order = ["build-cache", "image"]
older_than = "0s"
"""
SIZE = 3_000_000


def images(litter: Litter) -> None:
    for number in range(4):
        litter.image(f"app-{number}:1", layers={f"layer-{number}": SIZE})
    litter.image("kept:1", layers={"kept": SIZE})


def sweep(policy: str, host: str, *flags: str) -> tuple[int, Any]:
    run = dockersweep("sweep", "--yes", "--policy", "-", "--format", "json", *flags, host=host, stdin=policy)
    assert run.beside_warnings == "" or run.status, run.stderr
    assert run.stdout, run.stderr
    return run.status, run.json()


def removed(document: Any) -> list[str]:
    return [one["name"] for one in document["outcomes"] if one["status"] == "removed" and one["action"] == "remove"]


def tags(engine: Engine) -> set[str]:
    listed = engine.wire.images()
    return {tag.removeprefix("localhost/") for image in listed for tag in image["RepoTags"] or ()}


def test_no_more_goes_for_space_than_it_takes(engine: Engine, litter: Litter) -> None:
    images(litter)
    status, document = sweep(TARGET.format(free="5MB"), engine.url)
    assert status == 0
    # The containerd store has an image twice, packed and unpacked.
    takes = 1 if engine.kind.image_store == "containerd" else 2
    assert len(removed(document)) == takes
    assert document["target"]["reached"] is True
    assert document["target"]["wanted_bytes"] == 5_000_000
    assert document["target"]["freed_bytes"] >= 5_000_000
    assert len(tags(engine)) == 5 - takes


def test_a_target_that_cannot_be_reached_is_told(engine: Engine, litter: Litter) -> None:
    images(litter)
    status, document = sweep(TARGET.format(free="1GB"), engine.url)
    assert status == 3
    assert len(removed(document)) == 4
    assert document["target"]["reached"] is False
    assert "nothing else may be removed" in document["target"]["text"]
    assert tags(engine) == {"kept:1"}


def test_from_afar_it_goes_on_as_long_as_the_answers_prove_too_little(engine: Engine, litter: Litter) -> None:
    images(litter)
    with far_away(engine.recorder.path) as url:
        status, document = sweep(TARGET.format(free="5MB"), url)
    told = document["target"]
    assert "kept:1" in tags(engine)
    assert removed(document)
    # Some engines do not tell at all what came back; then it is not known, and it ends.
    assert (status, told["reached"]) in ((0, True), (3, None)), told


def test_over_a_limit_nothing_is_removed(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    images(litter)
    policy = tmp_path / "dockersweep.toml"
    policy.write_text(
        'version = 1\n[limits]\nobjects = 3\n[[rule]]\nname = "all"\nkind = "image"\n'
        'match.name = "app-*"\nremove.older_than = "0s"\n'
    )
    before = tags(engine)
    run = dockersweep("sweep", "--yes", "--policy", str(policy), host=engine.url)
    assert (run.status, run.stdout) == (4, "")
    assert "4 objects to remove, 3 allowed" in run.stderr
    assert tags(engine) == before
    planned = dockersweep("plan", "--exit-code", "--policy", str(policy), host=engine.url)
    assert planned.status == 4
    assert "Over a limit, so no sweep: 4 objects to remove, 3 allowed." in planned.stdout
    assert str(policy) in planned.stdout
    raised = dockersweep("sweep", "--yes", "--policy", str(policy), "--max-objects", "4", host=engine.url)
    assert raised.status == 0, raised.stderr
    assert tags(engine) == {"kept:1"}


def test_without_room_in_the_archive_no_image_is_exported_and_each_is_tried_once(
    engine: Engine, litter: Litter, tmp_path: Path
) -> None:
    images(litter)
    archive = f'[archive]\nfolder = "{tmp_path}/archive"\nmin_free = "99%"\n'
    with engine.recorder.recording() as recording:
        status, document = sweep(TARGET.format(free="1GB") + archive, engine.url, "--yes-first-time")
    assert status == 3
    assert not [request for request in recording.requests if request.path.endswith("/get")]
    tried = [one["name"] for one in document["outcomes"] if one["action"] == "remove"]
    assert tried
    assert len(set(tried)) == len(tried)
    assert {one["status"] for one in document["outcomes"]} <= {"skipped", "not-attempted"}
    assert "not archived: the archive has no room" in document["target"]["text"]
    said = " ".join(dockersweep("history", str(document["run"])).stdout.split())
    assert "target missed" in said
    assert f"{len(tried)} skipped" in said
