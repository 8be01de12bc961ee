"""Completion of `docker sweep` by docker's own scripts, in the real shells."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.test_completion import CONTAINERS, FISH, IMAGE, ZSH
from tests.docs.test_man import verbs
from tests.rig.docker_client import CLIENTS, DockerClient, install_client
from tests.rig.fake_engine import FakeEngine, fake_engine, reply

pytestmark = pytest.mark.engines

DEBIANS = "Debian's bash"
SCRIPTS = (("28.5", "bash"), ("28.5", "zsh"), ("28.5", "fish"), ("26.1", "bash"), ("28.5", DEBIANS), ("20.10", DEBIANS))
"""Each a client and a shell; 20.10 has no scripts, and asks no plugin."""
FILE_NAMES = {"bash": "docker", "zsh": "_docker", "fish": "docker.fish"}
OWN = Path("usr/share/bash-completion/completions/docker")
"""Debian's own script, which asks plugins by itself."""
# As bash-completion does where words end at spaces only; Debian's script needs one thing more of it.
BASH = """
_get_comp_words_by_ref() {
  read -ra words <<<"$COMP_LINE"
  [[ $COMP_LINE == *[[:space:]] ]] && words+=("")
  cword=$((${#words[@]} - 1)) cur=${words[cword]} prev=${words[cword - 1]}
}
_filedir() { COMPREPLY=($(compgen -f -- "$cur")); }
compopt() { :; }
source "$1"
COMP_LINE=$2 COMP_POINT=${#2} COMP_TYPE=9
[[ $(complete -p docker) =~ -F\\ ([a-z_]+) ]] || exit 1
"${BASH_REMATCH[1]}" docker
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def box() -> Iterator[FakeEngine]:
    with fake_engine() as engine:
        engine.replies["/containers/json"] = reply(CONTAINERS)
        engine.replies["/images/json"] = reply([IMAGE])
        yield engine


class Shell:
    """A shell, with a script by which it completes docker's commands."""

    def __init__(self, name: str, script: Path, docker: DockerClient, box: FakeEngine) -> None:
        self.name, self._script, self._docker, self._box = name, script, docker, box
        self.is_debians = script.name == OWN.name and script.parent.name == OWN.parent.name

    def offers(self, line: str) -> set[str]:
        """Return what it offers at the end of a line."""
        program = {"bash": BASH, "zsh": ZSH, "fish": FISH}[self.name]
        where = self._script.parent if self.name == "zsh" else self._script
        options = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[self.name]
        done = subprocess.run(
            [self.name, *options, "-c", program, *(["x"] if self.name != "fish" else []), str(where), line],
            env=self._docker.environment({"DOCKER_HOST": self._box.url}),
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert done.stderr == ""
        if self.name == "zsh":
            return {part.partition(">")[0] for part in done.stdout.split("<")[1:] if ">" in part} - {""}
        return {one.partition("\t")[0] for one in done.stdout.splitlines()} - {""}


@pytest.fixture(scope="module", params=SCRIPTS, ids=" ".join)
def shell(request: pytest.FixtureRequest, box: FakeEngine, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    version, name = request.param
    docker = install_client(version, tmp_path_factory.mktemp("client"))
    if name == DEBIANS:
        return Shell("bash", CLIENTS[version].path / OWN, docker, box)
    script = tmp_path_factory.mktemp("script") / FILE_NAMES[name]
    script.write_text(docker("completion", name).stdout)
    return Shell(name, script, docker, box)


def test_what_can_be_typed_is_offered(shell: Shell) -> None:
    assert shell.offers("docker swe") == {"sweep"}
    assert shell.offers("docker sweep ") == set(verbs())
    assert shell.offers("docker sweep pl") == {"plan"}
    assert shell.offers("docker sweep --dry") == {"--dry-run"}
    assert shell.offers("docker sweep --yes --kind ") == {"container", "image", "volume", "network", "build-cache"}
    assert shell.offers("docker sweep policy ") == {"init", "check", "show", "test"}
    assert shell.offers("docker sweep -H unix:///x plan --for") == {"--format"}
    assert shell.offers("docker sweep explain web") == {"web-1", "web-2"}


def test_names_are_those_of_the_engine_that_docker_was_given(shell: Shell) -> None:
    with fake_engine() as other:
        other.replies["/containers/json"] = reply([{**CONTAINERS[0], "Names": ["/web-of-another"]}])
        for flags in (f"-H {other.url}", f"--tls=0 --host={other.url}"):
            # Debian's script leaves out the first two words, whatever they are.
            expected = set() if shell.is_debians else {"web-of-another"}
            assert shell.offers(f"docker {flags} sweep explain web") == expected
        assert shell.offers(f"docker sweep explain -H {other.url} web") == {"web-of-another"}


def test_files_are_offered_where_one_is_read(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.json").touch()
    # bash adds files itself, to what a function leaves to it.
    expected = {"plan.json"} if shell.name in ("zsh", "fish") or shell.is_debians else set()
    assert shell.offers("docker sweep apply pl") == expected
    assert shell.offers("docker sweep plan --policy pl") == expected
    assert "plan.json" not in shell.offers("docker sweep schema pl")
