"""`--free SIZE` is a target without a file; `--not-kind` leaves kinds out."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.rig.inventories import ago, container, image, inventory, record, volume, write_inventory
from tests.rig.running import dockersweep


@pytest.fixture
def saved(tmp_path: Path) -> str:
    pulled = [
        replace(image(f"i{n}", f"app:{n}", size=10_000_000, first_seen=ago(days=n), first_unused=ago(days=n)),
                in_registry=True)
        for n in range(1, 6)
    ]  # fmt: skip
    local = replace(image("own", "own:1", size=90_000_000, first_seen=ago(days=9), first_unused=ago(days=9)),
                    in_registry=False)  # fmt: skip
    cache = record("r", size=1_000_000, last_used=ago(days=2))
    there = inventory(
        *pulled, local, cache, container("old", size=1000, image="sha256:i1"), volume("data", anonymous=False)
    )
    return write_inventory(tmp_path, there)


def planned(saved: str, *flags: str) -> dict[str, Any]:
    run = dockersweep("plan", "--inventory", saved, "--format", "json", *flags)
    assert run.status == 0, run.stderr
    plan: dict[str, Any] = json.loads(run.stdout)
    return plan


def names(plan: dict[str, Any]) -> set[str]:
    return {step["name"] for step in plan["removals"] if step["action"] == "remove"}


def test_as_much_goes_as_is_asked_for_the_least_recently_used_first(saved: str) -> None:
    assert names(planned(saved)) == {"old"}
    assert names(planned(saved, "--free", "15MB")) == {"old", "step r", "app:1", "app:5"}


def test_what_cannot_be_pulled_again_never_goes_for_it(saved: str) -> None:
    plan = planned(saved, "--free", "1GB")
    assert "own:1" not in names(plan)
    assert plan["target"]["reached"] is False
    text = " ".join(dockersweep("plan", "--inventory", saved, "--free", "1GB").stdout.split())
    assert "the policy allows no more without --all-images or --named-volumes: " in text
    more = " ".join(dockersweep("plan", "--inventory", saved, "--free", "1GB", "--all-images").stdout.split())
    assert "the policy allows no more without --named-volumes: " in more


def test_a_policy_keeps_what_its_own_target_says(saved: str, tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text('version = 1\n[target]\nmin_free = "1B"\norder = ["image"]\nspare_registry_less = false\n')
    plan = planned(saved, "--policy", str(file), "--free", "85MB")
    assert names(plan) == {"own:1"}


def test_all_but_some_kinds(saved: str) -> None:
    assert names(planned(saved, "--older-than", "0s")) == {"old", "step r"}
    assert names(planned(saved, "--older-than", "0s", "--not-kind", "container")) == {"step r"}
    assert names(planned(saved, "--older-than", "0s", "--kind", "container", "--not-kind", "volume")) == {"old"}
    assert names(planned(saved, "--free", "1GB", "--not-kind", "image")) == {"old", "step r"}
    none = dockersweep("plan", "--inventory", saved, "--kind", "image", "--not-kind", "image")
    assert (none.status, none.stdout) == (2, "")
    assert "--not-kind leaves no kind" in none.stderr
    assert dockersweep("scan", "-q", "--inventory", saved, "--not-kind", "image", "--not-kind", "container").stdout == (
        "data\nr\n"
    )
