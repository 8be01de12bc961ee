"""How often the text of a policy file is parsed: once, whatever a verb asks of it."""

import tomllib
from typing import Any

import pytest

from tests.commands.calling import BROKEN, SCRATCH, Caller


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that a TOML parser has read as a whole, one after the other."""
    texts: list[str] = []
    parse = tomllib.loads

    def counting(text: str, **arguments: Any) -> dict[str, Any]:
        texts.append(text)
        return parse(text, **arguments)

    monkeypatch.setattr(tomllib, "loads", counting)
    return texts


@pytest.mark.parametrize(
    "verb",
    [
        ("policy", "check"),
        ("policy", "check", "--inventory", "SAVED"),
        ("policy", "show"),
        ("plan", "--inventory", "SAVED"),
        ("explain", "container:job-1", "--inventory", "SAVED"),
        ("report", "--inventory", "SAVED"),
    ],
)
def test_a_verb_parses_the_policy_file_once(call: Caller, saved: str, parsed: list[str], verb: tuple[str, ...]) -> None:
    words = [saved if word == "SAVED" else word for word in verb]
    said = call(*words, "--policy", call.policy(SCRATCH))
    assert said.status == 0, said.err
    assert parsed == [SCRATCH]


def test_a_policy_file_with_problems_is_parsed_once(call: Caller, parsed: list[str]) -> None:
    assert call("policy", "check", "--policy", call.policy(BROKEN)).status != 0
    assert parsed == [BROKEN]


def test_a_policy_file_that_many_cases_name_is_parsed_once(call: Caller, parsed: list[str]) -> None:
    call.policy(SCRATCH)
    folder = call.folder / "cases"
    folder.mkdir()
    written = (
        'shows = "it stays"',
        "now = 2026-01-01T00:00:00Z",
        'policy = "../policy.toml"',
        "[[volume]]",
        'name = "data"',
        'expect = "keep"',
    )
    for name in ("a", "b"):
        (folder / f"{name}.toml").write_text("\n".join(written))
    said = call("policy", "test", str(folder), "--policy", "default")
    assert said.status == 0, said.out
    assert parsed.count(SCRATCH) == 1
