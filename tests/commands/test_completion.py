"""Completion in the real shells: verbs, flags, choices, files, and the names on an engine."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockersweep.parser.verbs import SHELLS
from tests.docs.test_man import verbs
from tests.rig.engines.shared import Filled
from tests.rig.fake_engine import FakeEngine, fake_engine, reply, stall
from tests.rig.running import dockersweep

pytestmark = pytest.mark.programs

REAL_SHELLS = [shell for shell in SHELLS if shell != "names"]
IMAGE = {"Id": "sha256:a", "RepoTags": ["shop/web:1", "shop/web:2", "$(touch /tmp/owned)"]}
CONTAINERS: list[dict[str, object]] = [
    {"Id": name, "Names": [f"/{name}"], "State": "exited", "ImageID": "sha256:a", "Mounts": [],
     "NetworkSettings": {"Networks": {}}}
    for name in ("web-1", "web-2")
]  # fmt: skip

FILE_NAMES = {"bash": "dockersweep", "zsh": "_dockersweep", "fish": "dockersweep.fish"}
LISTINGS = (
    ("ps", "--all", "--format", "{{.Names}}"),
    ("images", "--format", "{{.Repository}}:{{.Tag}}"),
    ("volume", "ls", "--quiet"),
    ("network", "ls", "--format", "{{.Name}}"),
)
# Each reads the command line from its first argument, and prints a candidate a line.
BASH = """
source "$1"
COMP_LINE=$2 COMP_POINT=${#2}
# As readline cuts it.
read -ra COMP_WORDS <<<"$(sed 's/[:=]/ & /g' <<<"$COMP_LINE")"
[[ $COMP_LINE == *[[:space:]] ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
complete -p dockersweep >/dev/null || exit 1
_dockersweep dockersweep "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
# A zsh of its own on a terminal of its own, which lists what it would complete.
ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; stty -echo; fpath=($1 \\$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w shell 'compadd() { local -a all; builtin compadd -O all "$@"; print -rl -- "<"$^all">"; builtin compadd "$@" }'
zpty -w shell 'over() { print "the ""end" }; zle -N over; bindkey "^I" complete-word "^X^X" over; print re""ady'
zpty -r -m shell output '*ready*'
zpty -w -n shell "$2"$'\\t\\x18\\x18'
zpty -r -m shell output '*the end*'
print -r -- $output
"""
FISH = "source $argv[1]; complete -C $argv[2]"


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of all shells."""
    folder = tmp_path_factory.mktemp("completion")
    for shell in REAL_SHELLS:
        assert dockersweep("completion", shell, "-o", str(folder / FILE_NAMES[shell])).status == 0
    return folder


@pytest.fixture
def engine_with_names() -> Iterator[FakeEngine]:
    with fake_engine() as engine:
        engine.replies["/containers/json"] = reply(CONTAINERS)
        engine.replies["/images/json"] = reply([IMAGE])
        yield engine


def completed(shell: str, scripts: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return what a shell offers at the end of a line."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    program = {"bash": BASH, "zsh": ZSH, "fish": FISH}[shell]
    where = scripts if shell == "zsh" else scripts / FILE_NAMES[shell]
    options = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    command = [shell, *options, "-c", program, *(["x"] if shell != "fish" else []), str(where), line]
    # zsh loads it from a folder, by its name.
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    if shell == "zsh":
        # What it draws itself may come between, in pieces.
        return {part.partition(">")[0] for part in done.stdout.split("<")[1:] if ">" in part} - {""}
    return {one.partition("\t")[0] for one in done.stdout.splitlines()} - {""}


every_shell = pytest.mark.parametrize("shell", REAL_SHELLS)


@every_shell
def test_verbs_flags_and_choices(shell: str, scripts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offered(line: str) -> set[str]:
        return completed(shell, scripts, line, monkeypatch)

    assert offered("dockersweep ") == set(verbs())
    assert offered("dockersweep sc") == {"scan", "schema"}
    assert offered("dockersweep scan --so") == {"--sort"}
    assert offered("dockersweep --format json scan --sort ") == {"size", "age", "name"}
    assert offered("dockersweep history --format ") == set(verbs()["history"].get_default("formats"))
    assert offered("dockersweep policy ") == {"init", "check", "show", "test"}
    assert offered("dockersweep docker-plugin ") == {"install", "remove"}
    assert offered("dockersweep docker-plugin --sy") == {"--system"}
    assert offered("dockersweep sweep --log-format=j") - {"--log-format=json", "--log-format=journal"} <= {
        "json",
        "journal",
    }


@every_shell
def test_files_and_folders(shell: str, scripts: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.json").touch()
    (tmp_path / "planned").mkdir()

    def offered(line: str) -> set[str]:
        return {name.rstrip("/") for name in completed(shell, scripts, line, monkeypatch)}

    assert offered("dockersweep apply pl") == {"plan.json", "planned"}
    assert offered("dockersweep plan --policy pl") == {"plan.json", "planned"}
    assert offered("dockersweep policy check pl") == {"plan.json", "planned"}


@every_shell
def test_explain_offers_what_the_engine_has(
    shell: str, scripts: Path, monkeypatch: pytest.MonkeyPatch, engine_with_names: FakeEngine
) -> None:
    url = engine_with_names.url

    def offered(line: str) -> set[str]:
        return completed(shell, scripts, line, monkeypatch)

    assert offered(f"dockersweep -H {url} explain ") == {"web-1", "web-2", "shop/web:1", "shop/web:2"}
    assert offered(f"dockersweep explain --host={url} web") == {"web-1", "web-2"}
    assert offered(f"dockersweep explain -H {url} --older-than 7d web-1") == {"web-1"}
    # bash replaces what stands behind the last colon.
    expected = {"1", "2"} if shell == "bash" else {"shop/web:1", "shop/web:2"}
    assert offered(f"dockersweep explain -H {url} shop/web:") == expected
    monkeypatch.setenv("DOCKER_HOST", url)
    assert offered("dockersweep explain web-2") == {"web-2"}
    assert {method for method, _ in engine_with_names.asked} == {"GET"}


@every_shell
def test_the_engine_is_asked_with_all_flags_that_reach_it(
    shell: str, scripts: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A program in the place of dockersweep prints what the shell calls it with."""
    programs = tmp_path / "bin"
    programs.mkdir()
    called = programs / "dockersweep"
    called.write_text('#!/bin/sh\nshift 2\nfor word; do echo "x$word"; done\n')
    called.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    flags = ["-H", "tcp://h", "--tlsverify", "--tlscacert", "a.pem", "--tlscert=b.pem", "--tlskey", "c.pem"]
    offered = completed(shell, scripts, f"dockersweep {' '.join(flags)} explain x", monkeypatch)
    words = {word for flag in flags for word in (flag.split("=") if shell == "bash" else [flag])}
    # bash replaces what stands behind the last colon.
    assert {one.rpartition("x")[2] for one in offered} - {""} == words


@every_shell
def test_without_an_engine_nothing_is_said(shell: str, scripts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert completed(shell, scripts, "dockersweep -H unix:///none explain x", monkeypatch) == set()


def test_names_that_a_shell_could_take_for_something_else_are_left_out(engine_with_names: FakeEngine) -> None:
    assert dockersweep("completion", "names", host=engine_with_names.url).stdout.split() == [
        "web-1",
        "web-2",
        "shop/web:1",
        "shop/web:2",
    ]


@pytest.mark.parametrize("stalls", ["/version", "/containers/json", "/volumes"])
def test_an_engine_that_stalls_is_not_waited_for(engine_with_names: FakeEngine, stalls: str) -> None:
    engine_with_names.replies[stalls] = stall
    begun = time.monotonic()
    run = dockersweep("completion", "names", host=engine_with_names.url)
    assert time.monotonic() - begun < 4
    assert (run.status, run.stderr) == (0, "")
    assert ("web-1" in run.stdout) == (stalls == "/volumes")


@pytest.mark.parametrize("host", ["unix:///none", "tcp://192.0.2.1:2375", "ssh://nobody", "nonsense"])
def test_an_engine_that_is_none_is_no_error(host: str) -> None:
    run = dockersweep("completion", "names", host=host)
    assert (run.status, run.stdout, run.stderr) == (0, "", "")


def test_it_names_what_every_engine_has(filled: Filled) -> None:
    engine, heap = filled.engine, filled.heap
    names = dockersweep("completion", "names", host=engine.url).stdout.split()
    told = [engine.docker(*words).stdout.split() for words in LISTINGS]
    assert set(names) == {name for lines in told for name in lines if "<none>" not in name}
    assert len(names) == len(set(names))
    assert heap.anonymous_volume in names
