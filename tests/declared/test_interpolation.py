"""Forms of variables in texts, each with what docker compose makes of it; and in Dockerfiles, where a dollar is one."""

import json
import subprocess
from pathlib import Path

import pytest

from dockersweep.declared.interpolation import TemplateError, as_names, interpolate, known
from tests.rig.engines.launch import PLUGINS
from tests.rig.engines.roots import FORKY_DOCKER

VARIABLES = {"A": "a", "B": "b", "EMPTY": ""}
VALUES = {
    "$A": "a",
    "${A}x": "ax",
    "$Ax": "",
    "$A-b.$B": "a-b.b",
    "${N:-d}${N-d}": "dd",
    "${EMPTY-d}": "",
    "${EMPTY:-d}": "d",
    "${A:+s}${N:+s}": "s",
    "${EMPTY+s}${EMPTY:+t}": "s",
    "${N:-${B}}": "b",
    "${N:-${M:-${O:-x}}}-${N:-y}": "x-y",
    "${N:-a:b}": "a:b",
    "${A:-${": "ERROR",
    "${N:-}": "",
    "$$A": "$A",
    "$${A}": "${A}",
    "$$$A": "$a",
    "${N:-$$}": "$",
    "$": "$",
    "$1 $ a$": "$1 $ a$",
    "${N:-a$}": "a$",
    "${A?e}": "a",
    "${N?e}": "ERROR",
    "${EMPTY:?e}": "ERROR",
    "${EMPTY?e}": "",
    "${A": "ERROR",
    "${}": "ERROR",
    "${1}": "ERROR",
    "${A:x}": "ERROR",
    "${A-b-c}": "a",
    "$é": "$é",
}


def ours(text: str) -> str:
    try:
        return known(interpolate(text, VARIABLES))
    except TemplateError:
        return "ERROR"


@pytest.mark.parametrize(("text", "value"), VALUES.items())
def test_a_text_is_what_compose_makes_of_it(text: str, value: str) -> None:
    assert ours(text) == value


@pytest.mark.engines
def test_docker_compose_makes_these_texts(tmp_path: Path) -> None:
    plugin = str(FORKY_DOCKER.build() / PLUGINS / "docker-compose")
    told = {}
    for text in VALUES:
        (tmp_path / "compose.json").write_text(json.dumps({"services": {"a": {"image": "i", "labels": {"a": text}}}}))
        command = [plugin, "--project-name=p", f"--file={tmp_path}/compose.json", "config", "--format", "json"]
        done = subprocess.run(command, env=VARIABLES, capture_output=True, check=False)
        if done.returncode:
            told[text] = "ERROR"
        else:
            told[text] = json.loads(done.stdout)["services"]["a"]["labels"]["a"].replace("$$", "$")
    assert told == VALUES


def test_in_a_dockerfile_a_doubled_dollar_is_two() -> None:
    assert interpolate("$$A", VARIABLES, doubled=False) == "$a"


def test_what_is_not_known_makes_a_pattern() -> None:
    assert as_names(interpolate("x/$N:$A", VARIABLES)) == ("x/:a", "x/*:a")
    assert as_names(interpolate("$N$M[1]*", VARIABLES)) == ("[1]*", "*?1??")
    assert as_names(interpolate("x:$A", VARIABLES)) == ("x:a", None)
