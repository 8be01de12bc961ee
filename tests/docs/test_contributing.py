"""CONTRIBUTING: what it says is where it is."""

import re
from pathlib import Path

import pytest

ROOMS = re.compile(r"^  (  )?([a-z_]+)/ ", re.MULTILINE)
FILES = re.compile(r"\b[a-z_]+\.py\b")


@pytest.fixture
def text(checkout: Path) -> str:
    return (checkout / "CONTRIBUTING.md").read_text()


def test_each_path_exists(text: str, checkout: Path) -> None:
    named = {one for one in re.findall(r"`([\w./*-]+)`", text) if "/" in one or one.endswith(".py")}
    assert len(named) > 30
    for path in named:
        assert any(any(top.glob(path)) for top in (checkout, checkout / "dockersweep")), path


def test_each_room_is_drawn_with_files_that_are_in_it(text: str, checkout: Path) -> None:
    drawing = text.split("```")[1]
    root = checkout / "dockersweep"
    drawn = set()
    wing = root
    for line in drawing.splitlines():
        if found := ROOMS.match(line):
            wing = wing if found[1] else root / found[2]
            room = wing / found[2] if found[1] else wing
            drawn.add(room)
            within = line if found[1] is None else line.replace(found[2], "", 1)
            for name in FILES.findall(within):
                assert any(root.rglob(name)), f"{room.name}: {name}"
    packages = {init.parent for init in root.glob("*/__init__.py")} | {
        init.parent for wing in ("engine", "policy", "declared") for init in (root / wing).glob("*/__init__.py")
    }
    assert drawn == packages


def test_it_is_drawn_in_one_screen(text: str) -> None:
    house = text.split("## The house")[1].split("## The tests")[0]
    assert len(house.splitlines()) <= 65
    assert max(map(len, text.split("```")[1].splitlines())) <= 130
