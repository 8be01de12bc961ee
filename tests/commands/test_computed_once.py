"""What every verb finds out of an inventory and of a policy file, it finds once."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from dockersweep import cli
from dockersweep.policy.bytes.layer_graph import find_layer_graph
from dockersweep.policy.bytes.reclaim import Reclaim
from dockersweep.policy.bytes.sizes import Sizes
from dockersweep.policy.bytes.totals import Totals
from dockersweep.policy.disk_report.footprint import Footprint
from dockersweep.policy.judging.hard_protections import HardProtections
from dockersweep.policy.judging.holders import find_holders
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.judging.unused import find_unused
from dockersweep.policy.judging.use import describe_use
from dockersweep.policy.language.reading import read_policy_tables
from dockersweep.policy.language.toml_text import read_toml
from dockersweep.words.documents import write_document
from tests.rig.fake_engine import fake_engine, reply
from tests.rig.inventories import NOW, container, image, inventory, volume

COUNTED: dict[str, Callable[..., Any]] = {
    "holders": find_holders,
    "layer graph": find_layer_graph,
    "sizes": Sizes.__init__,
    "reclaim": Reclaim.__init__,
    "totals": Totals.__init__,
    "footprint": Footprint.__init__,
    "hard protections": HardProtections.__init__,
    "unused": find_unused,
    "policy text": read_toml,
    "policy": read_policy_tables,
}
OF_INVENTORIES = frozenset(COUNTED) - {"policy text", "policy"}
RULES = """
version = 1
[[rule]]
name = "old"
kind = ["container", "volume"]
keep.last = 1
remove.older_than = "1h"
"""
VOLUME = {
    "Name": "v", "Driver": "local", "Scope": "local", "Mountpoint": "/d/volumes/v/_data", "Labels": {}, "Options": {},
    "CreatedAt": "2026-11-01T12:00:00Z",
}  # fmt: skip
FORMATS = ("table", "json", "csv", "markdown", "html", "prometheus")
SAVED = [
    ["scan"],
    ["plan"],
    ["explain", "volume:v"],
    *(["report", "--format", name] for name in FORMATS),
]


@contextmanager
def counting(also: Callable[[FrameType], object] = lambda frame: None) -> Iterator[Counter[tuple[str, object]]]:
    """Count the calls of what is counted, wherever they come from; `also` tells of a call what counts by itself."""
    names: dict[CodeType, str] = {function.__code__: name for name, function in COUNTED.items()}
    counts: Counter[tuple[str, object]] = Counter()

    def count(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in names:
            counts[names[frame.f_code], also(frame)] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield counts
    finally:
        sys.setprofile(before)


def once(counts: Counter[tuple[str, object]]) -> set[str]:
    """Return what was computed; nothing of it more than once."""
    assert {key: times for key, times in counts.items() if times > 1} == {}
    return {name for name, _ in counts}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a saved inventory and a policy, that is also home."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKERSWEEP_POLICY", "DOCKERSWEEP_NOW", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    objects = (container("c", image="sha256:a", volumes=["w"]), image("a", "app:1"), volume("v"), volume("w"))
    (tmp_path / "saved.json").write_text(write_document(inventory(*objects)))
    (tmp_path / "policy.toml").write_text(RULES)
    return tmp_path


@pytest.mark.parametrize("words", SAVED, ids=" ".join)
def test_of_a_saved_inventory(folder: Path, words: list[str]) -> None:
    saved, policy = folder / "saved.json", folder / "policy.toml"
    flags = ["--inventory", str(saved), "--output", str(folder / "out")]
    flags += [] if words == ["scan"] else ["--policy", str(policy)]
    with counting() as counts:
        assert cli.main([*words, *flags]) == 0
    computed = once(counts)
    assert {"holders", "layer graph", "hard protections"} <= computed
    assert words == ["scan"] or {"policy text", "policy"} <= computed
    assert words[0] != "report" or computed == set(COUNTED)


@pytest.mark.parametrize("words", [*SAVED, ["sweep", "--dry-run"]], ids=" ".join)
@pytest.mark.parametrize("ledger", [[], ["--no-ledger"]], ids=["ledger", "no ledger"])
def test_of_an_engine(folder: Path, words: list[str], ledger: list[str]) -> None:
    flags = ["--output", str(folder / "out"), *ledger]
    flags += [] if words == ["scan"] else ["--policy", str(folder / "policy.toml")]
    with fake_engine() as engine:
        engine.replies["/volumes"] = reply({"Volumes": [VOLUME]})
        with counting() as counts:
            assert cli.main([words[0], "-H", engine.url, *words[1:], *flags]) == 0
    assert {"holders", "hard protections"} <= once(counts)


FIRST_TAG = """
version = 1
[[rule]]
name = "first"
kind = "image"
match.tag = "1"
remove.older_than = "0s"
"""


def test_of_a_saved_plan_that_takes_tags_off_in_an_order_of_its_own(folder: Path) -> None:
    plan, told = folder / "plan.json", {"Id": "sha256:a", "RepoTags": ["app:1", "app:2"], "Size": 5, "Created": 1}
    (folder / "first.toml").write_text(FIRST_TAG)
    with fake_engine() as engine:
        engine.replies["/images/json"] = reply([told])
        engine.replies["/images/sha256:a/json"] = engine.replies["/images/app:1/json"] = reply(told)
        words = ["--policy", str(folder / "first.toml"), "-H", engine.url, "--output"]
        assert cli.main(["plan", *words, str(plan)]) == 0
        with counting() as counts:
            cli.main(["apply", str(plan), "-H", engine.url, "--output", str(folder / "out")])
    assert ("DELETE", "/images/app:1") in [(verb, path.partition("?")[0]) for verb, path in engine.asked]
    assert {"holders", "hard protections", "unused"} <= once(counts)


def test_of_a_checked_policy(folder: Path) -> None:
    words = ["policy", "check", "--policy", str(folder / "policy.toml"), "--inventory", str(folder / "saved.json")]
    with counting() as counts:
        assert cli.main([*words, "--output", str(folder / "out")]) == 0
    assert once(counts) >= {"policy text", "policy", "hard protections"}


CASE = """
shows = "it is counted"
now = 2026-11-24T12:00:00Z
policy = "../policy.toml"
[[volume]]
name = "v"
created = "10d"
expect = "keep"
"""


def test_of_each_inventory_of_a_case(folder: Path) -> None:
    (folder / "cases").mkdir()
    (folder / "cases" / "one.toml").write_text(CASE)
    kept: list[object] = []

    def inventory_of(frame: FrameType) -> object:
        listing = frame.f_locals.get("listing")
        seen = frame.f_locals.get("inventory") if listing is None else listing.inventory
        # Kept, so that none gets the identity of another.
        kept.append(seen)
        return id(seen)

    with counting(inventory_of) as counts:
        assert cli.main(["policy", "test", str(folder / "cases"), "--output", str(folder / "out")]) == 0
    of_inventories = Counter({key: times for key, times in counts.items() if key[0] in OF_INVENTORIES})
    assert {"holders", "hard protections", "layer graph"} <= once(of_inventories)


def test_what_is_computed_twice_is_counted() -> None:
    with counting() as counts:
        for _ in range(2):
            describe_use(Survey(inventory(volume("v")), NOW))
    with pytest.raises(AssertionError):
        once(counts)
