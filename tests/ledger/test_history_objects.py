"""What became of an object: by which names it is found, and its lives."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dockersweep.ledger import Ledger
from tests.ledger.past_runs import DAY, Asked, sweep
from tests.rig.inventories import NOW, container, image, inventory, network, volume


def test_what_a_run_removed_is_gone_before_a_scan_finds_it_out(history: Asked, tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.update_objects(inventory(volume("a"), volume("v")), (), NOW)
        sweep(ledger, inventory(volume("a"), volume("v")), 0)
    first = history("--object", "v")[1].splitlines()[0]
    assert (
        first
        == "Volume v on box: gone, by run 1, first seen 2026-11-24 12:00:00 UTC, last seen 2026-11-24 12:00:00 UTC."
    )
    with Ledger(tmp_path) as ledger:
        ledger.update_objects(inventory(volume("a")), (), datetime.now(UTC))
    assert history("--object", "v")[1].splitlines()[0] == first
    # What failed is there, and what came back is too.
    assert history("--object", "a")[1].startswith("Volume a on box: there, ")
    with Ledger(tmp_path) as ledger:
        ledger.update_objects(inventory(volume("v")), (), datetime.now(UTC) + DAY)
        ledger.update_objects(inventory(), (), datetime.now(UTC) + 2 * DAY)
    # Somebody else removed it the second time.
    second, again = history("--object", "v")[1].splitlines()[:2]
    assert "Volume v on box: gone, first seen " in second
    assert "Volume v on box: gone, by run 1, first seen " in again


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("c", {"c"}),
        ("/c", {"c"}),
        ("container:c", {"c"}),
        ("image:c", None),
        ("app:1", {"sha256:t"}),
        ("app:2", {"sha256:t"}),
        ("docker.io/library/app:1", {"sha256:t"}),
        ("library/app:1", {"sha256:t"}),
        ("image:app:1", {"sha256:t"}),
        ("sha256:t", {"sha256:t"}),
        ("t", {"sha256:t"}),
        ("net-", {"net-n"}),
        ("n", {"net-n"}),
        ("/n", {"net-n"}),
        ("step r", {"r"}),
        ("volume:v", {"v"}),
        ("volume:", None),
        ("zz", None),
    ],
)
def test_an_object_is_found_by_all_that_it_was_called(
    history: Asked, three_runs: Path, text: str, ids: set[str] | None
) -> None:
    status, out, errors = history("--object", text, "--format", "json")
    if ids is None:
        assert (status, out) == (2, "")
        assert f'nothing in the ledger was ever called "{text}"' in errors
    else:
        told = json.loads(out)
        assert {one["id"] for one in told["lives"]} == {one["id"] for one in told["removals"]} == ids


def test_a_whole_name_wins_over_the_beginning_of_an_id(history: Asked, tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.update_objects(inventory(container("web"), container("web-2"), image("web3"), volume("web4")), (), NOW)
    assert [one["id"] for one in json.loads(history("--object", "web", "--format", "json")[1])["lives"]] == ["web"]
    told = json.loads(history("--object", "we", "--format", "json")[1])
    assert {one["id"] for one in told["lives"]} == {"web", "web-2", "sha256:web3"}


def test_an_image_is_found_by_the_tag_that_it_had(history: Asked, tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.update_objects(inventory(image("old", "app:1")), (), NOW)
        ledger.update_objects(inventory(image("old"), image("new", "app:1")), (), NOW + DAY)
        ledger.update_objects(inventory(image("new", "app:1")), (), NOW + 2 * DAY)
    told = json.loads(history("--object", "app:1", "--format", "json")[1])
    assert [(one["id"], one["names"]) for one in told["lives"]] == [
        ("sha256:new", ["app:1"]),
        ("sha256:old", ["old", "app:1"]),
    ]


def test_what_became_of_an_object_is_told_over_its_lives(history: Asked, tmp_path: Path) -> None:
    there, gone = inventory(container("web", image="i")), inventory()
    with Ledger(tmp_path) as ledger:
        for day, seen in enumerate((there, there, gone, there)):
            ledger.update_objects(seen, (), NOW + day * DAY)
            if seen is there:
                sweep(ledger, seen, day)
    status, out, _ = history("--object", "web")
    assert status == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[:2] == [
        (
            "Container web (web) on box: there, first seen 2026-11-27 12:00:00 UTC, last seen 2026-11-27 12:00:00 UTC, "
            "unused since 2026-11-27 12:00:00 UTC."
        ),
        "Container web (web) on box: gone, first seen 2026-11-24 12:00:00 UTC, last seen 2026-11-25 12:00:00 UTC.",
    ]
    assert [line.split()[0] for line in lines if "device busy" in line] == ["3", "2", "1"]
    assert "What it was in run 3" in lines
    assert "image i" in lines
    # What was over before, and runs that began before, are left out.
    told = json.loads(history("--object", "web", "--since", "2026-11-26", "--format", "json")[1])
    assert ([one["is_there"] for one in told["lives"]], [one["run"] for one in told["removals"]]) == ([True], [3])


def test_many_lives_are_told_in_json_only(history: Asked, tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        for _ in range(25):
            ledger.update_objects(inventory(container("web")), (), NOW)
            ledger.update_objects(inventory(), (), NOW)
    lines = history("--object", "web")[1].splitlines()
    assert lines[-1] == "5 more have been called so; --format json has them all."
    assert len(lines) == 21
    assert len(json.loads(history("--object", "web", "--format", "json")[1])["lives"]) == 25


def test_a_network_that_a_container_names_twice_is_told_once(history: Asked, tmp_path: Path) -> None:
    own = container("c", networks=["net-n", "n", "default"])
    with Ledger(tmp_path) as ledger:
        ledger.update_objects(inventory(own, network("n")), (), NOW)
        sweep(ledger, inventory(own, network("n")), 0)
    recognition = json.loads(history("--object", "container:c", "--format", "json")[1])["removals"][0]["recognition"]
    assert recognition["networks"] == ["n"]
    lines = [" ".join(line.split()) for line in history("--object", "container:c")[1].splitlines()]
    assert [line for line in lines if line.startswith("networks ")] == ["networks n"]
