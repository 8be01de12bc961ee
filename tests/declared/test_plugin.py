"""docker's own compose plugin, where it may run: it says what our reader says, fetches nothing, and is given up."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockersweep.declared.compose import plugin as asking
from dockersweep.declared.compose.plugin import Plugin, PluginError, ask_plugin, find_plugin
from dockersweep.declared.compose.project import ComposeProject, chosen_files, read_project
from dockersweep.declared.followed import Followed
from dockersweep.declared.interpolation import known
from dockersweep.declared.reader import DeclaredReader, Kept
from dockersweep.model.declared import DeclaredKind
from tests.declared.compose_strategies import SERVICES, write_project
from tests.declared.test_compose_cases import ACCEPTED, KINDS, REFUSED, Case, read
from tests.rig.engines.launch import PLUGINS
from tests.rig.engines.roots import FORKY_DOCKER

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps it off the network and owns the files")
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/root"}


@pytest.fixture(scope="module")
def plugin() -> Plugin:
    found = find_plugin((str(FORKY_DOCKER.build() / PLUGINS),))
    assert found is not None
    return found


def stub(folder: Path, script: str) -> Plugin:
    """A plugin that does what a script says."""
    path = folder / "docker-compose"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    found = find_plugin((str(folder),))
    assert found is not None
    return found


def project(folder: Path, text: str) -> ComposeProject:
    """The project of one file, with nothing read of it."""
    path = folder / "compose.yaml"
    path.write_text(text)
    return ComposeProject(name="p", files=(str(path),), folder=str(folder), env_files=(), objects=(), notes=())


@pytest.mark.engines
@pytest.mark.parametrize("name", [name for name in ACCEPTED if not name.endswith(" -p")])
def test_the_plugin_agrees_with_our_reader(plugin: Plugin, name: str) -> None:
    case = ACCEPTED[name]
    ours = read(case)
    told = ask_plugin(plugin, ours, ENVIRONMENT | case.told["env"])
    for kind in KINDS:
        names = {one.name for one in told if one.kind == kind}
        assert names <= {one.name for one in ours.objects if one.kind == kind}
        assert expected(case, kind) <= names


def expected(case: Case, kind: DeclaredKind) -> set[str]:
    return {one.replace("$$", "$") for one in case.expected[KINDS[kind]]}


@pytest.mark.engines
@pytest.mark.parametrize("name", REFUSED)
def test_the_plugin_refuses_what_our_reader_refuses(plugin: Plugin, name: str) -> None:
    case = REFUSED[name]
    path = case.cwd / "compose.yaml"
    bare = ComposeProject(name="p", files=(str(path),), folder=str(case.cwd), env_files=(), objects=(), notes=())
    with pytest.raises(PluginError, match=r"name|undefined volume"):
        ask_plugin(plugin, bare, ENVIRONMENT | case.told["env"])


@pytest.fixture
def server() -> Iterator[tuple[str, list[int]]]:
    """The address of a server on the loopback, and who has called."""
    calls: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        ended = threading.Event()

        def listen() -> None:
            while not ended.is_set():
                try:
                    connection, _ = listening.accept()
                except TimeoutError:
                    continue
                calls.append(1)
                connection.close()

        thread = threading.Thread(target=listen)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}", calls
        ended.set()
        thread.join()


@pytest.mark.engines
def test_nothing_is_fetched(plugin: Plugin, tmp_path: Path, server: tuple[str, list[int]]) -> None:
    address, calls = server
    text = f"name: p\ninclude: ['oci://{address}/x:1']\nservices: {{a: {{image: 'a:1'}}}}\n"
    with pytest.raises(PluginError):
        ask_plugin(plugin, project(tmp_path, text), ENVIRONMENT)
    assert calls == []
    kept = Kept({}, {})
    declared = DeclaredReader(ENVIRONMENT, plugin, kept).compose(
        [str(tmp_path / "compose.yaml")], lambda done, of: None
    )
    assert calls == []
    assert {(one.kind, one.name) for one in declared.objects} >= {("image", "a:1"), ("volume", "p_*"), ("image", "p-*")}
    assert any("which is not fetched" in note for note in declared.notes)


def test_a_plugin_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "TIMEOUT_SECONDS", 0.3)
    with pytest.raises(PluginError, match=r"no answer in 0\.3 seconds"):
        ask_plugin(stub(tmp_path, "exec sleep 60"), project(tmp_path, "services: {}"), ENVIRONMENT)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "compose.yaml").write_text("services: {}\n")
    slow = stub(tmp_path, f"echo >>{tmp_path}/calls; exec sleep 60")
    patterns = [f"{tmp_path}/*/compose.yaml"]
    found = DeclaredReader(ENVIRONMENT, slow, Kept({}, {})).compose(patterns, lambda done, of: None)
    assert len(found.projects) == 2
    assert (tmp_path / "calls").read_text() == "\n"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo nonsense", "its answer is not understood"),
        ("echo 'no such flag' >&2; exit 125", "no such flag"),
        ("exit 1", "no reason given"),
    ],
)
def test_what_it_cannot_say_is_read_by_ourselves(tmp_path: Path, script: str, why: str) -> None:
    odd = stub(tmp_path, script)
    path = tmp_path / "compose.yaml"
    path.write_text("name: p\nservices: {a: {image: 'a:1'}}\n")
    kept = Kept({}, {})
    declared = DeclaredReader(ENVIRONMENT, odd, kept).compose([str(path)], lambda done, of: None)
    # The next run asks again.
    assert not kept.new
    assert ("image", "a:1") in {(one.kind, one.name) for one in declared.objects}
    [note] = declared.notes
    assert why in note


def test_where_nothing_may_be_kept_off_the_network_it_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = tmp_path / "unshare"
    refusing.write_text("#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2; exit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setattr(asking, "_UNSHARE", str(refusing))
    ran = tmp_path / "ran"
    runs = stub(tmp_path, f"touch {ran}")
    path = tmp_path / "compose.yaml"
    path.write_text("name: p\nservices: {a: {image: 'a:1'}}\n")
    declared = DeclaredReader(ENVIRONMENT, runs, Kept({}, {})).compose([str(path)], lambda done, of: None)
    assert ("image", "a:1") in {(one.kind, one.name) for one in declared.objects}
    assert not declared.notes
    assert not ran.exists()


def test_it_is_not_run_where_others_can_write(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    runs = stub(tmp_path, f'touch {ran}; echo \'{{"name": "p"}}\'')
    shared = tmp_path / "shared"
    shared.mkdir()
    path = shared / "compose.yaml"
    path.write_text("name: p\nservices: {a: {image: 'a:1'}}\n")
    for mode, owner, of_file in ((0o777, 0, 0o644), (0o755, 1234, 0o644), (0o755, 0, 0o666)):
        shared.chmod(mode)
        os.chown(shared, owner, 0)
        path.chmod(of_file)
        DeclaredReader(ENVIRONMENT, runs, Kept({}, {})).compose([str(path)], lambda done, of: None)
        assert not ran.exists()
    path.chmod(0o644)
    DeclaredReader(ENVIRONMENT, runs, Kept({}, {})).compose([str(path)], lambda done, of: None)
    assert ran.exists()


def test_a_plugin_that_others_can_change_is_none(tmp_path: Path) -> None:
    stub(tmp_path, "exit 0")
    (tmp_path / "docker-compose").chmod(0o777)
    assert find_plugin((str(tmp_path),)) is None
    assert find_plugin((str(tmp_path / "none"),)) is None
    (tmp_path / "docker-compose").chmod(0o755)
    (tmp_path / "of-others").mkdir()
    (tmp_path / "of-others" / "docker-compose").symlink_to(tmp_path / "docker-compose")
    found = find_plugin((str(tmp_path / "of-others"),))
    assert found is not None
    assert found.path == str(tmp_path / "docker-compose")
    os.chown(tmp_path / "of-others", 1234, 0)
    assert find_plugin((str(tmp_path / "of-others"),)) is None


def test_a_file_that_is_not_there_is_nobodys(tmp_path: Path) -> None:
    followed = Followed()
    assert not followed.has_file(str(tmp_path / ".env"))
    assert followed.is_of_root_alone()


@pytest.mark.engines
@pytest.mark.parametrize("seeds", [range(start, start + 12) for start in range(0, 72, 12)], ids=str)
def test_projects_by_chance_are_read_as_the_plugin_reads_them(plugin: Plugin, tmp_path: Path, seeds: range) -> None:
    agreed = 0
    for seed in seeds:
        folder = tmp_path / f"project-{seed}"
        folder.mkdir()
        files = [str(folder / name) for name in write_project(folder, seed)]
        followed = Followed()
        ours = read_project(chosen_files(files, ENVIRONMENT, followed), followed)
        try:
            told = ask_plugin(plugin, ours, ENVIRONMENT)
        except PluginError:
            # What it does not take we may read all the same: a service that the override alone has, without an image.
            continue
        agreed += 1
        names = {(one.kind, one.name) for one in ours.objects if not one.is_pattern}
        # As podman-compose names what is built.
        names -= {("image", f"{known(ours.name)}_{service}") for service in SERVICES}
        assert {(one.kind, one.name) for one in told} <= names
        # Dockerfiles it does not read.
        images = {("image", one.name) for one in told if one.kind == "image"} | {("image", "f")}
        assert {one for one in names if one[0] == "image"} <= images
    assert agreed > len(seeds) / 3
