"""`docker sweep`, called by docker's own client of three releases: what arrives, and what comes back."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from dockersweep import __version__
from dockersweep.docker_plugin import METADATA
from dockersweep.usage import help_of
from tests.engine.test_tcp import forwarded, server_context
from tests.rig.docker_client import CLIENTS, DockerClient, install_client
from tests.rig.engines.engine import Engine
from tests.rig.engines.heap import everything
from tests.rig.engines.litter import Litter
from tests.rig.fake_containers import with_containers
from tests.rig.fake_engine import FakeEngine, Handler, Reply, fake_engine, reply
from tests.rig.running import dockersweep

pytestmark = pytest.mark.engines

HELP = help_of("docker sweep")
MANY = [f"web-{number}" for number in range(30)]
UNASKED = ("--older-than", "0s", "--no-ledger", "--yes", "--yes-first-time")
NOT_20_10 = ("26.1", "28.5")
# How words can be typed is read alike by the release between the two.
as_it_is_typed = pytest.mark.parametrize("docker", ["20.10", "28.5"], indirect=True)


@pytest.fixture(scope="module", params=CLIENTS)
def docker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DockerClient:
    return install_client(request.param, tmp_path_factory.mktemp(f"docker-{request.param}"))


@pytest.fixture
def box() -> Iterator[FakeEngine]:
    """An engine that has nothing, and knows who asked."""
    with fake_engine() as one:
        yield one


@pytest.fixture
def other() -> Iterator[FakeEngine]:
    """One that nobody means."""
    with fake_engine() as one:
        yield one


def is_scanned(box: FakeEngine) -> bool:
    """Whether dockersweep has read it; docker itself may have pinged it."""
    return ("GET", "/containers/json") in box.asked


def test_docker_lists_it(docker: DockerClient) -> None:
    lines = [line for line in docker("--help").stdout.splitlines() if line.startswith("  sweep* ")]
    assert [line.split(maxsplit=1)[1].partition(" (")[0] for line in lines] == [
        json.loads(METADATA)["ShortDescription"]
    ]
    assert "Invalid Plugins" not in docker("--help").stdout


@as_it_is_typed
@pytest.mark.parametrize("words", ["sweep --help", "sweep -h", "sweep help", "help sweep", "--help sweep"])
def test_help_is_told_as_it_is_typed(docker: DockerClient, words: str) -> None:
    run = docker(*words.split())
    assert (run.status, run.stdout, run.stderr) == (0, HELP, "")
    assert max(map(len, HELP.splitlines())) <= 80


@as_it_is_typed
@pytest.mark.parametrize("words", ["sweep plan --help", "sweep help plan", "help sweep plan", "--help sweep plan"])
def test_each_verb_has_its_help(docker: DockerClient, words: str) -> None:
    run = docker(*words.split())
    assert (run.status, run.stderr) == (0, "")
    assert run.stdout == dockersweep("plan", "--help").stdout.replace("usage: dockersweep", "usage: docker sweep")


@as_it_is_typed
@pytest.mark.parametrize("words", ["sweep --version", "-v sweep", "sweep version"])
def test_its_version_is_that_of_dockersweep(docker: DockerClient, words: str) -> None:
    run = docker(*words.split())
    assert (run.status, run.stdout) == (0, f"dockersweep {__version__}\n")


def test_docker_sweep_is_the_sweep_and_a_verb_is_that_verb(docker: DockerClient, box: FakeEngine) -> None:
    with_containers(box, "web")
    refused = docker("sweep", DOCKER_HOST=box.url)
    assert (refused.status, refused.stdout, is_scanned(box)) == (4, "", False)
    assert refused.stderr == (
        "dockersweep: nothing removed: there is no terminal to ask on; give --yes to remove, or --dry-run to look\n"
    )
    told = ("--older-than", "0s", "--format=json")
    for words in (("plan", *told), ("--dry-run", *told), ("--format=json", "plan", "--older-than", "0s")):
        run = docker("sweep", *words, DOCKER_HOST=box.url)
        assert [one["name"] for one in run.json()["removals"]] == ["web"], run.stderr
    wrong = docker("sweep", "plna")
    assert (wrong.status, wrong.stdout) == (2, "")
    assert wrong.stderr == (
        'dockersweep: argument VERB: there is no "plna"; did you mean plan? see `docker sweep --help`\n'
    )


@as_it_is_typed
@pytest.mark.parametrize("flags", ["-H URL", "-HURL", "-H=URL", "--host URL", "--host=URL", "-DHURL", "-lerror -H URL"])
def test_the_host_of_docker_is_ours(docker: DockerClient, box: FakeEngine, other: FakeEngine, flags: str) -> None:
    words = [word.replace("URL", box.url) for word in flags.split()]
    run = docker(*words, "sweep", "scan", DOCKER_HOST=other.url)
    assert run.status == 0, run.stderr
    assert is_scanned(box)
    assert not is_scanned(other)


def test_the_context_of_docker_is_ours(
    docker: DockerClient, box: FakeEngine, other: FakeEngine, tmp_path: Path
) -> None:
    """By its flag, which counts more than DOCKER_HOST, by its variable, and by the configuration that is named."""
    config = tmp_path / "config"
    shutil.copytree(docker.config, config, symlinks=True)
    made = docker("--config", str(config), "context", "create", "prod", "--docker", f"host={box.url}")
    assert made.status == 0, made.stderr

    def scans(*words: str, **variables: str) -> bool:
        box.asked.clear()
        run = docker(*words, "sweep", "scan", **variables)
        assert run.status == 0, run.stderr
        return is_scanned(box) and not is_scanned(other)

    here = ("--config", str(config))
    for flag in (("-c", "prod"), ("-cprod",), ("--context=prod",)):
        assert scans(*here, *flag, DOCKER_HOST=other.url)
        assert scans(*flag, DOCKER_HOST=other.url, DOCKER_CONFIG=str(config))
    assert scans(f"--config={config}", DOCKER_CONTEXT="prod")
    assert docker(*here, "context", "use", "prod").status == 0
    assert scans(*here)
    assert scans(*here, DOCKER_HOST=box.url)


def test_what_docker_finds_too_little_or_too_much_is_an_error(docker: DockerClient, box: FakeEngine) -> None:
    """docker's own error in some releases, ours in the others: never another engine."""
    for words in (("-c", "none"), ("-H", box.url, "-H", box.url), ("-c", "none", "-H", box.url)):
        run = docker(*words, "sweep", "scan", DOCKER_HOST=box.url)
        assert run.status != 0
        assert run.stdout == ""
        assert run.stderr
        assert not is_scanned(box)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificates(authority: trustme.CA, tmp_path: Path) -> dict[str, str]:
    """The paths of certificates and key, by the names that a context has for them."""
    client = authority.issue_cert("client@example.org")
    paths = {name: str(tmp_path / f"my-{name}.pem") for name in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(paths["ca"])
    client.cert_chain_pems[0].write_to_path(paths["cert"])
    client.private_key_pem.write_to_path(paths["key"])
    return paths


def test_the_tls_of_docker_is_ours(
    docker: DockerClient, box: FakeEngine, authority: trustme.CA, certificates: dict[str, str], tmp_path: Path
) -> None:
    files = ["--tlscacert", certificates["ca"], f"--tlscert={certificates['cert']}", "--tlskey", certificates["key"]]
    with forwarded(Path(box.url.removeprefix("unix://")), server_context(authority)) as port:
        url = f"tcp://127.0.0.1:{port}"
        host = ["-H", url]
        assert docker(*host, "--tlsverify", *files, "sweep", "scan").status == 0
        assert docker("--tls", *files, *host, "sweep", "scan").status == 0
        told = ",".join(f"{name}={path}" for name, path in certificates.items())
        assert docker("context", "create", "far", "--docker", f"host={url},{told}").status == 0
        assert docker("-c", "far", "sweep", "scan").status == 0
        assert docker("context", "rm", "far").status == 0
        plain = docker(*host, "sweep", "scan")
        assert plain.status == 5
    strange = server_context(trustme.CA(), "elsewhere.example.org")
    with forwarded(Path(box.url.removeprefix("unix://")), strange) as port:
        host = ["-H", f"tcp://127.0.0.1:{port}"]
        refused = docker(*host, "--tlsverify", *files, "sweep", "scan")
        assert refused.status == 5
        assert "TLS failed" in refused.stderr


def test_exit_statuses_arrive(docker: DockerClient, box: FakeEngine) -> None:
    with_containers(box, "web")
    box.replies["/containers/web"] = reply({"message": "no space"}, 500)
    host = ("-H", box.url, "sweep")
    assert docker(*host, "plan", "--older-than", "0s", "--exit-code").status == 10
    assert docker(*host, "plan", "--policy", "/none.toml").status == 2
    assert docker(*host, *UNASKED).status == 3
    assert docker(*host, *UNASKED, "--max-objects", "0").status == 4
    assert docker("-H", "unix:///none", "sweep", "plan").status == 5
    assert docker(*host, "plan").status == 0


@pytest.mark.on_engines("docker-28.5", "podman-6.1")
def test_it_sweeps_a_real_engine(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    heap = everything(litter)
    docker = install_client("28.5", tmp_path)
    run = docker("-H", engine.url, "sweep", "--yes", "--yes-first-time", "--older-than", "0s", "--kind", "container")
    assert run.status == 0, run.stderr
    assert heap.stopped_container not in engine.docker("ps", "-aq", "--no-trunc").stdout
    assert f"at {engine.url}, from --host" in run.stdout


def slowly(handler: Handler) -> Reply:
    """Remove, in a while."""
    time.sleep(0.4)
    return (204, b"") if handler.command == "DELETE" else (404, b"{}")


@pytest.fixture
def slow(box: FakeEngine) -> FakeEngine:
    """An engine with more containers than are removed at once, none of them quickly."""
    with_containers(box, *MANY)
    box.replies.update({f"/containers/{name}": slowly for name in MANY})
    return box


def removed(box: FakeEngine) -> int:
    return sum(method == "DELETE" for method, _ in box.asked)


def test_an_interrupted_question_removes_nothing(docker: DockerClient, slow: FakeEngine) -> None:
    words = ("-H", slow.url, "sweep", "--older-than", "0s", "--no-ledger")
    status, shown = docker.on_a_terminal("\x03", lambda shown: "[y/N]" in shown, *words)
    assert (status, removed(slow)) == (130, 0), shown
    status, shown = docker.on_a_terminal("n\r", lambda shown: "[y/N]" in shown, *words)
    assert (status, removed(slow)) == (0, 0), shown
    assert "nothing removed: not confirmed" in " ".join(shown.split())


def test_ctrl_c_finishes_what_is_under_way(docker: DockerClient, slow: FakeEngine) -> None:
    status, shown = docker.on_a_terminal("\x03", lambda shown: removed(slow) > 0, "-H", slow.url, "sweep", *UNASKED)
    assert status == 130, shown
    assert 0 < removed(slow) < len(MANY)
    assert shown.count("finishing what is under way") == 1
    assert "The sweep ended early: interrupted." in shown


@pytest.mark.parametrize("to", ["docker", "both"])
def test_a_signal_to_docker_finishes_what_is_under_way(docker: DockerClient, slow: FakeEngine, to: str) -> None:
    """By the socket where only docker is told; not once more where both are, as by Ctrl-C of `docker sweep | cat`."""
    if to == "docker" and docker.version == "20.10":
        pytest.skip("20.10 tells its plugins nothing: they go on")
    process = docker.start("-H", slow.url, "sweep", *UNASKED)
    while not removed(slow):
        assert process.poll() is None
        time.sleep(0.01)
    if to == "docker":
        os.kill(process.pid, signal.SIGTERM)
    else:
        os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert 0 < removed(slow) < len(MANY)
    assert err.count("finishing what is under way") == 1
    assert "The sweep ended early: interrupted." in out
