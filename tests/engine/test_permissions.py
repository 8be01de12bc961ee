"""What may not be read is told as such, and not taken for what is not there."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from dockersweep import cli, files
from dockersweep.engine.api.endpoint import resolve_endpoint
from dockersweep.engine.disk.freed_space import freed_space_meter
from dockersweep.engine.disk.parts import UnreadableStorageError
from dockersweep.errors import LedgerError, UsageError
from dockersweep.ledger import FILE_NAME, Ledger
from dockersweep.ledger.check import find_problems
from dockersweep.ledger.reading import read_runs
from dockersweep.model.engine_address import TlsFlags
from dockersweep.model.storage import Part, Storage
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from tests.engine.test_endpoint import write_context
from tests.rig.engines.engine import Engine as RealEngine
from tests.rig.engines.litter import Litter
from tests.rig.inventories import ENGINE, NOW, inventory, plan_of
from tests.rig.own_folders import disks_of, folder_of, storage_on_disk
from tests.rig.privileges import permissions_that_count
from tests.test_files import STORES, engine_of, listed_in


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A folder that this thread may not search, as if it were somebody else's."""
    folder = tmp_path / "closed"
    folder.mkdir()
    yield folder
    folder.chmod(0o700)


def close(folder: Path) -> None:
    folder.chmod(0)


def test_what_cannot_be_seen_is_not_taken_for_missing(closed: Path) -> None:
    (closed / "file").touch()
    close(closed)
    with permissions_that_count():
        for ask in (files.is_there, files.is_folder, files.is_plain_file, files.state_of):
            with pytest.raises(PermissionError):
                ask(closed / "file")
            assert not ask(closed.parent / "none")
            assert not ask("/etc/hostname/none")
        assert files.is_folder(closed)


@pytest.mark.parametrize("level", ["tls", "entry", "docker"])
def test_a_context_whose_tls_cannot_be_seen_never_goes_in_plain_text(closed: Path, level: str) -> None:
    environment = {"DOCKER_CONFIG": str(closed)}
    write_context(closed, "far", "tcp://far.example:2376", tls=True)
    write_context(closed, "plain", "tcp://near.example:2375")
    write_context(closed, "local", "unix:///run/local.sock")
    tls = closed / "contexts" / "tls"
    entry = tls / hashlib.sha256(b"far").hexdigest()
    folder = {"tls": tls, "entry": entry, "docker": entry / "docker"}[level]
    close(folder)
    with permissions_that_count():
        with pytest.raises(UsageError, match=r'TLS files of context "far"|certificates in .* cannot be read') as raised:
            resolve_endpoint(None, "far", environment)
        assert "Permission denied" in str(raised.value)
        assert resolve_endpoint(None, "local", environment).url == "unix:///run/local.sock"
        if level != "tls":
            assert resolve_endpoint(None, "plain", environment).tls is None
    folder.chmod(0o700)
    assert resolve_endpoint(None, "far", environment).tls is not None


def test_a_certificate_of_a_flag_that_cannot_be_seen_is_named(closed: Path, tmp_path: Path) -> None:
    (closed / "ca.pem").touch()
    close(closed)
    flags = TlsFlags(verify=True, ca=str(closed / "ca.pem"))
    with permissions_that_count(), pytest.raises(UsageError) as raised:
        resolve_endpoint("tcp://far", None, {"DOCKER_CONFIG": str(tmp_path)}, flags)
    assert str(raised.value) == f"{closed}/ca.pem cannot be read: Permission denied"


@pytest.mark.parametrize("level", ["tls", "entry", "docker"])
@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("/none")], ids=["file", "dangling"])
def test_a_context_whose_tls_entry_is_odd_is_refused(
    tmp_path: Path, level: str, make: Callable[[Path], object]
) -> None:
    write_context(tmp_path, "far", "tcp://far.example:2376")
    tls = tmp_path / "contexts" / "tls"
    entry = tls / hashlib.sha256(b"far").hexdigest()
    place = {"tls": tls, "entry": entry, "docker": entry / "docker"}[level]
    place.parent.mkdir(parents=True, exist_ok=True)
    make(place)
    with pytest.raises(UsageError, match="is not a directory"):
        resolve_endpoint(None, "far", {"DOCKER_CONFIG": str(tmp_path)})


def test_an_unreadable_docker_configuration_is_refused_and_a_linked_one_read(closed: Path, tmp_path: Path) -> None:
    (closed / "config.json").write_text(json.dumps({"currentContext": "prod"}))
    write_context(closed, "prod", "unix:///run/prod.sock")
    (tmp_path / "linked").symlink_to("closed")
    for name in ("closed", "linked"):
        assert resolve_endpoint(None, None, {"DOCKER_CONFIG": str(tmp_path / name)}).url == "unix:///run/prod.sock"
    (tmp_path / "dotfiles.json").write_bytes((closed / "config.json").read_bytes())
    (closed / "config.json").unlink()
    (closed / "config.json").symlink_to("../dotfiles.json")
    assert resolve_endpoint(None, None, {"DOCKER_CONFIG": str(closed)}).url == "unix:///run/prod.sock"
    (tmp_path / "dotfiles.json").unlink()
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        resolve_endpoint(None, None, {"DOCKER_CONFIG": str(closed)})
    (closed / "config.json").unlink()
    os.mkfifo(closed / "config.json")
    with pytest.raises(UsageError, match="is a pipe, not a plain file"):
        resolve_endpoint(None, None, {"DOCKER_CONFIG": str(closed)})
    close(closed)
    with permissions_that_count(), pytest.raises(UsageError, match="cannot be read: Permission denied"):
        resolve_endpoint(None, None, {"DOCKER_CONFIG": str(closed)})


@pytest.mark.parametrize("what", ["folder", "file"])
def test_an_unreadable_ledger_is_no_empty_one(
    closed: Path, what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Ledger(closed):
        pass
    close(closed if what == "folder" else closed / FILE_NAME)
    monkeypatch.setenv("DOCKERSWEEP_STATE_DIR", str(closed))
    with permissions_that_count():
        for read in (find_problems, lambda folder: read_runs(folder, None)):
            with pytest.raises(LedgerError, match=f"{FILE_NAME} cannot be used: Permission denied"):
                read(closed)
        for words in (["history"], ["history", "verify"], ["history", "1"]):
            assert cli.main(words) == 2
            told = capsys.readouterr()
            assert told.out == ""
            assert told.err == f"dockersweep: {closed / FILE_NAME} cannot be used: Permission denied\n"
    (closed if what == "folder" else closed / FILE_NAME).chmod(0o700)
    assert cli.main(["history"]) == 0


@pytest.mark.parametrize("store", STORES)
def test_an_unreadable_engine_folder_is_told_as_unreadable(closed: Path, store: str) -> None:
    engine, listed = engine_of(closed / "data", store), listed_in(store)
    for folder in (closed, closed / "data"):
        close(folder)
        with permissions_that_count():
            with pytest.raises(UnreadableStorageError, match=r"cannot be read: .*Permission denied"):
                storage_on_disk(engine, listed)
            assert disks_of(engine, listed) == ()
            told, (warning,) = folder_of(engine, listed)
            assert (told, "Permission denied" in warning.text) == (None, True)
        folder.chmod(0o700)


def test_an_engine_whose_folder_may_not_be_read_is_reported_all_the_same(
    engine: RealEngine, litter: Litter, capsys: pytest.CaptureFixture[str]
) -> None:
    litter.image("app:1", layers={"one": 100_000})
    words = ["-H", engine.url, "report", "--format", "json"]
    mode = engine.data_root.stat().st_mode
    close(engine.data_root)
    try:
        with permissions_that_count():
            assert cli.main(words) == 0
    finally:
        engine.data_root.chmod(mode)
    told = json.loads(capsys.readouterr().out)
    assert told["size_base"] == "lengths"
    assert told["not_from_disk"].startswith(f"{engine.data_root} cannot be read: ")
    assert told["not_from_disk"].endswith("Permission denied")
    about_folder = [one["text"] for one in told["warnings"] if one["about"] == "the engine's folder"]
    assert about_folder == [f"not measured: {told['not_from_disk']}"]
    assert cli.main(words) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["size_base"], again["not_from_disk"]) == ("disk", None)


def test_what_cannot_be_seen_has_not_gone(closed: Path) -> None:
    (closed / "part").mkdir()
    root = closed.parent
    parts = (Part(id="layer:1", low_bytes=1, high_bytes=1, folder="closed/part"),)
    plan = plan_of(inventory(), policy_from_flags(PolicyFlags()), NOW)
    meter = freed_space_meter(
        msgspec.structs.replace(ENGINE, root_dir=str(root)), Storage(base="disk", parts=parts), plan
    )
    assert meter is not None
    close(closed)
    with permissions_that_count():
        assert meter.measure([]).gone == frozenset()
    closed.chmod(0o700)
    (closed / "part").rmdir()
    assert meter.measure([]).gone == {"layer:1"}
