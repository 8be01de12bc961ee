"""Where the keys and values of a TOML text stand."""

import tomllib

import pytest

from dockersweep.commands.policy_source import default_policy_text
from dockersweep.policy.language.toml_positions import Path, Position, Positions
from tests.rig.policies import ISSUE, PLACES, paths

AT: dict[Path, tuple[Position, Position | None]] = {
    ("version",): (Position(2, 1), Position(2, 11)),
    ("protect",): (Position(3, 2), None),
    ("protect", "labels"): (Position(4, 2), Position(4, 13)),
    ("protect", "labels", 0): (Position(4, 14), None),
    ("protect", "labels", 1): (Position(4, 21), None),
    ("rule", 0): (Position(5, 1), None),
    ("rule", 0, "name"): (Position(6, 1), Position(6, 8)),
    ("rule", 0, "match"): (Position(8, 1), None),
    ("rule", 0, "match", "repository"): (Position(8, 9), Position(8, 22)),
    ("rule", 0, "keep", "last"): (Position(9, 17), Position(9, 24)),
    ("rule", 0, "keep", "tags", 0): (Position(9, 37), None),
    ("rule", 0, "keep", "tags", 1): (Position(11, 5), None),
    ("rule", 0, "remove"): (Position(12, 7), None),
    ("rule", 0, "remove", "older_than"): (Position(13, 2), Position(13, 15)),
    ("rule", 1): (Position(14, 1), None),
    ("rule", 1, "name"): (Position(15, 1), Position(15, 10)),
    ("rule", 1, "not"): (Position(16, 9), None),
    ("rule", 1, "not", "labels"): (Position(17, 3), Position(17, 12)),
    ("deep", "er", 0, "list", 1, "x", 1, "y", "z"): (Position(23, 21), Position(23, 25)),
    # What is not there is looked for where its table begins.
    ("rule", 1, "kind"): (Position(14, 1), None),
    ("target", "order"): (Position(18, 2), None),
    ("removes_nothing",): (Position(1, 1), None),
}


@pytest.mark.parametrize("path", AT, ids=str)
@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["unix", "windows"])
def test_positions(path: Path, ends: str) -> None:
    positions = Positions(PLACES.replace("\n", ends))
    key, value = AT[path]
    assert positions.of(path) == key
    assert positions.of(path, "value") == (value or key)


@pytest.mark.parametrize("text", [ISSUE, PLACES, default_policy_text()], ids=["issue", "places", "init"])
def test_every_key_has_a_place_of_its_own(text: str) -> None:
    positions = Positions(text)
    known = list(paths(tomllib.loads(text)))
    # The first of a list of tables begins where the list does; nothing else shares a place.
    places = [positions.of(path) for path in known if path not in (("rule",), ("deep",), ("deep", "er", 0, "list"))]
    assert len(set(places)) == len(places)
