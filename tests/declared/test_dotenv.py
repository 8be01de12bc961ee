"""Forms of `.env` lines, each with the value that docker compose gives the variable A; OUT is outside in all."""

import json
import subprocess
from pathlib import Path

import pytest

from dockersweep.declared.compose.dotenv import read_dotenv
from dockersweep.declared.followed import Followed
from tests.rig.engines.launch import PLUGINS
from tests.rig.engines.roots import FORKY_DOCKER

OUTSIDE = {"OUT": "outside"}
VALUES = {
    "A=x": "x",
    "A = x ": "x",
    "A: x": "x",
    "export A=x": "x",
    " A=x": "x",
    "A=x=y": "x=y",
    "A=x#y": "x#y",
    "A=x #y": "x",
    "A='x' # c": "x",
    r"A='x\ny'": r"x\ny",
    r'A="x\ny"': "x\ny",
    'A="a\nb"': "a\nb",
    'A="many\n#no comment\nend"': "many\n#no comment\nend",
    r"A='a\'b'": "a'b",
    r'A="a\"b"': 'a"b',
    "A=${OUT}": "outside",
    "A=$OUT-1": "outside-1",
    "A='${OUT}'": "${OUT}",
    'A="${OUT}"': "outside",
    r'A="\$OUT"': "$OUT",
    "A=$$OUT": "$OUT",
    "A=${NO:-d}": "d",
    "A=${OUT:+r}": "r",
    "A=a${NO}b": "ab",
    "B=1\nA=${B}2": "12",
    "OUT=mine\nA=$OUT": "outside",
    "A=": "",
    "A=a$": "a$",
    "A=x\r\nB=y": "x",
    "#x\n\nA=z": "z",
    "A-B=1\nA=3": "3",
    "A=é": "é",
    "\ufeffA=x": "x",
}


@pytest.mark.parametrize(("text", "value"), VALUES.items(), ids=map(repr, VALUES))
def test_a_value_is_what_compose_makes_of_it(tmp_path: Path, text: str, value: str) -> None:
    (tmp_path / ".env").write_bytes(text.encode())
    assert read_dotenv(str(tmp_path / ".env"), OUTSIDE, Followed())["A"] == value


@pytest.mark.engines
def test_docker_compose_gives_these_values(tmp_path: Path) -> None:
    plugin = FORKY_DOCKER.build() / PLUGINS / "docker-compose"
    told = {}
    (tmp_path / "compose.yaml").write_text("name: p\nservices: {a: {image: i, labels: {a: '${A}'}}}\n")
    for text in VALUES:
        (tmp_path / ".env").write_bytes(text.encode())
        command = [str(plugin), f"--file={tmp_path}/compose.yaml", "config", "--format", "json"]
        done = subprocess.run(command, env=OUTSIDE, capture_output=True, check=True)
        told[text] = json.loads(done.stdout)["services"]["a"]["labels"]["a"].replace("$$", "$")
    assert told == VALUES
