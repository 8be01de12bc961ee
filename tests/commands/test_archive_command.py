"""`dockersweep archive`: what is in the archive, whether it is whole, and what goes."""

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from dockersweep.archive.folder import ArchiveFolder
from dockersweep.archive.verification import verifications
from dockersweep.ledger import Ledger
from dockersweep.report.local_time import local_date
from tests.archive.archives import a_run, archive_in, original, settings, tar_with
from tests.commands.calling import Caller
from tests.ledger.past_runs import START
from tests.ledger.test_archived import ROW
from tests.rig.inventories import ENGINE
from tests.rig.running import on_a_terminal

pytestmark = pytest.mark.linux
FORMATS = ("table", "json", "csv", "markdown")
NOW = datetime.now(UTC)


@pytest.fixture
def archive(tmp_path: Path) -> ArchiveFolder:
    """An archive with three runs, of which the first's time is over; the third has the number of the second."""
    archive = archive_in(tmp_path)
    for number, days in ((11, 20), (12, 3), (12, 1)):
        with a_run(archive, number, NOW - timedelta(days=days), settings()) as run:
            run.volume_from_tar(original(f"v{days}"), b"{}", tar_with(b"x" * 10_000))
            run.network(original("net", "network", "n" * 64), b"{}")
            run.container(original("web", "container", "c" * 64), b"{}", layer=None, log=None, read_from="api")
    return archive


@pytest.fixture
def call(call: Caller, archive: ArchiveFolder, monkeypatch: pytest.MonkeyPatch) -> Caller:
    """Calls with the state folder in which the archive is, and no policy."""
    monkeypatch.setenv("DOCKERSWEEP_STATE_DIR", str(Path(archive.path).parent))
    monkeypatch.setenv("DOCKERSWEEP_POLICY", "default")
    monkeypatch.setenv("COLUMNS", "200")
    return call


def _policy(archive: ArchiveFolder, tmp_path: Path, more: str = "") -> str:
    path = tmp_path / "policy.toml"
    path.write_text(f'version = 1\nremoves_nothing = true\n[archive]\nfolder = "{archive.path}"\n{more}')
    return str(path)


def test_it_lists_the_runs_from_the_oldest_on(call: Caller, archive: ArchiveFolder) -> None:
    said = call("archive", "list")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith(f"Archive: {archive.path} (3 runs of {ENGINE.name}, ")
    rows = [line.split() for line in said.out.splitlines() if line.strip()[:2] in ("11", "12")]
    assert [row[0] for row in rows] == ["11", "12", "12"]
    assert "1 container, 1 network, 1 volume" in said.out
    told = call("archive", "list", "--format", "json").json()
    assert [run["folder"] for run in told["runs"]] == list(archive.run_names())
    assert told["runs"][0]["objects"] == {"container": 1, "network": 1, "volume": 1}
    assert told["archives"] == [{"folder": archive.path, "size_bytes": archive.taken_bytes(), "problem": None}]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("action", ["list", "show", "verify", "prune --dry-run", "drop --dry-run"])
def test_every_format_has_the_runs(call: Caller, archive: ArchiveFolder, action: str, form: str) -> None:
    name, *flags = action.split()
    run = [archive.run_names()[0]] if name in ("show", "drop") else []
    said = call("archive", name, *run, *flags, "--format", form)
    assert (said.status, said.err) == (0, "")
    assert "v20" in said.out if name == "show" else "11" in said.out


def test_a_run_is_named_by_its_number_or_its_folder(call: Caller, archive: ArchiveFolder) -> None:
    first, second, third = archive.run_names()
    assert call("archive", "show", "11", "--format", "json").json()["run"] == 11
    assert call("archive", "show", second, "--format", "json").json()["objects"][0]["name"] == "v3"
    said = call("archive", "show", "12")
    assert said.status == 2
    assert f"there are several runs 12 in the archive {archive.path}: write {second} or {third}" in said.err
    for name in ("13", "../up", "", first[:-1]):
        said = call("archive", "show", name)
        assert (said.status, said.out) == (2, "")
        assert f"there is no run {name} in the archive" in said.err


def test_it_shows_what_the_archive_has_not(call: Caller, tmp_path: Path, archive: ArchiveFolder) -> None:
    with a_run(archive, 99) as run:
        run.volume_from_tar(original("far\x1b[31m"), b"{}", tar_with(b"x"), not_kept=("ACLs", "2 sockets"))
    said = call("archive", "show", "99")
    assert "ACLs, 2 sockets" in said.out
    assert "\x1b" not in said.out
    assert f"{archive.path}/{run.name}\n" in said.out
    assert "`dockersweep restore 99` brings all of it back." in said.out


def test_verifying_names_what_is_damaged_and_notes_it(call: Caller, archive: ArchiveFolder) -> None:
    said = call("archive", "verify")
    assert said.status == 0
    assert "12 files of 3 runs read: all of them are whole" in said.out
    damaged = Path(archive.path) / archive.run_names()[1] / "volumes" / "v3" / "data.tar.zst"
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    said = call("archive", "verify")
    assert said.status == 2
    assert f"volume v3: the archive is damaged: {damaged}: its SHA-256 is not what the index says" in " ".join(
        said.out.split()
    )
    assert verifications(archive.path)[archive.run_names()[1]].damaged
    assert "`dockersweep restore` still brings back what is whole." in said.out
    assert "damaged: volume v3" in call("archive", "list").out
    shown = call("archive", "show", archive.run_names()[1]).out
    assert re.search(r"volume +v3 .* damaged\n", shown)
    assert "`dockersweep restore 12` brings all but volume v3 back." in shown
    assert f"Last verified {local_date(datetime.now(UTC))}." in shown
    (problem,) = call("archive", "verify", "--format", "json").json()["problems"]
    assert (problem["kind"], problem["name"], problem["path"]) == ("volume", "v3", "volumes/v3/data.tar.zst")
    damaged.write_bytes(content)
    assert call("archive", "verify", archive.run_names()[1]).status == 0
    assert "damaged" not in call("archive", "list").out


def test_what_cannot_be_noted_of_a_verification_is_said_all_the_same(call: Caller, archive: ArchiveFolder) -> None:
    (Path(archive.path) / "lock").unlink()
    (Path(archive.path) / "lock").mkdir()
    said = call("archive", "verify")
    assert "12 files of 3 runs read: all of them are whole" in said.out
    assert (said.status, said.err) == (
        2,
        f"dockersweep: the archive cannot be locked: {archive.path}/lock: Is a directory\n",
    )


def test_pruning_deletes_what_its_time_is_over_for(call: Caller, archive: ArchiveFolder) -> None:
    names = archive.run_names()
    said = call("archive", "prune", "--dry-run")
    assert (said.status, archive.run_names()) == (0, names)
    assert "Would delete 1 run (" in said.out
    said = call("archive", "prune", "--yes")
    assert (said.status, archive.run_names()) == (0, names[1:])
    assert "Deleted 1 run (" in said.out
    said = call("archive", "prune", "--yes")
    assert "Nothing to delete" in said.out


def test_pruning_makes_the_archive_as_small_as_the_policy_says(
    call: Caller, archive: ArchiveFolder, tmp_path: Path
) -> None:
    names = archive.run_names()
    policy = _policy(archive, tmp_path, 'max_size = "100kB"\n')
    told = call("archive", "prune", "--yes", "--policy", policy, "--format", "json").json()
    assert [run["status"] for run in told["runs"]] == ["deleted", "deleted", "kept"]
    assert archive.run_names() == names[2:]


def test_dropping_deletes_the_run_that_is_named(call: Caller, archive: ArchiveFolder) -> None:
    names = archive.run_names()
    said = call("archive", "drop", names[1], "--yes")
    assert (said.status, archive.run_names()) == (0, (names[0], names[2]))


def test_a_run_is_no_archive(call: Caller, archive: ArchiveFolder) -> None:
    run = f"{archive.path}/{archive.run_names()[0]}"
    said = call("archive", "list", "--archive", run)
    assert (said.status, said.out) == (2, "")
    assert f"{run} is one run of an archive: --archive {archive.path} names all of it" in said.err


def test_what_could_not_be_deleted_is_told(call: Caller, archive: ArchiveFolder) -> None:
    strange = Path(archive.path) / archive.run_names()[0] / "strange"
    strange.write_text("mine")
    said = call("archive", "drop", "11", "--yes")
    assert said.status == 3
    assert f"{strange} is not dockersweep's, so it stays" in said.err
    assert "Nothing was deleted" in said.out
    with archive.open_run(archive.run_names()[0]):
        said = call("archive", "prune", "--yes")
        assert said.status == 3
        assert "try again when that has ended" in said.err


def test_without_a_terminal_nothing_is_deleted_without_a_yes(call: Caller, archive: ArchiveFolder) -> None:
    for arguments in (("prune",), ("drop", "11")):
        said = call("archive", *arguments)
        assert said.status == 4
        assert "there is no terminal to ask on; give --yes to delete, or --dry-run to look" in said.err
    assert len(archive.run_names()) == 3


@pytest.mark.parametrize(("answer", "left"), [("y\n", 2), ("n\n", 3), ("\n", 3)])
def test_on_a_terminal_it_asks(call: Caller, archive: ArchiveFolder, answer: str, left: int) -> None:
    status, shown = on_a_terminal(["archive", "drop", "11", "--archive", archive.path], answer)
    assert (status, len(archive.run_names())) == (0, left)
    assert "and lose 3 objects for good? [y/N]" in " ".join(shown.split())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["list", "11"], "archive list takes no run: leave out 11"),
        (["show"], "a run is missing: name one of `archive list`, as in `archive show 12`"),
        (["drop", "--yes"], "a run is missing"),
        (["verify", "--yes"], "archive verify deletes nothing: leave out --dry-run and --yes"),
        (["list", "-H", "unix:///x"], "archive asks no engine: leave out -H, -c and the TLS flags"),
        (
            ["list", "--archive", "/nonexistent/archive"],
            "no archive at /nonexistent/archive: --archive takes the directory",
        ),
    ],
)
def test_wrong_usage_is_told(call: Caller, arguments: list[str], text: str) -> None:
    said = call("archive", *arguments)
    assert (said.status, said.out) == (2, "")
    assert text in said.err


def test_on_a_narrow_terminal_runs_stay_a_table(
    call: Caller, archive: ArchiveFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_run(archive, None) as run:
        run.network(original("net", "network", "n" * 64), b"{}")
    monkeypatch.setenv("COLUMNS", "80")
    said = call("archive", "list").out
    assert re.search(r"^ +RUN +WHEN +ARCHIVED +SIZE +KEPT UNTIL\n", said, re.MULTILINE)
    assert re.search(rf"^{run.name} +2026-12-01 +1 network +", said, re.MULTILINE)
    assert max(map(len, said.splitlines()[1:])) <= 80


def _in_ledger(state: Path, *folders: Path) -> None:
    """Write down that runs have put something into these archives."""
    with Ledger(state) as ledger:
        for folder in folders:
            run = ledger.begin(START)
            run.archived(replace(ROW, folder=str(folder)))
            run.finish(0, NOW, None, None)


def test_archives_that_the_ledger_names_are_looked_into_too(
    call: Caller, archive: ArchiveFolder, tmp_path: Path
) -> None:
    (tmp_path / "usb").mkdir()
    other = archive_in(tmp_path / "usb")
    with a_run(other, 40) as run:
        run.network(original("net", "network", "n" * 64), b"{}")
    with a_run(other, 41, NOW - timedelta(days=20)) as gone:
        gone.network(original("net", "network", "n" * 64), b"{}")
    _in_ledger(tmp_path, Path(other.path), tmp_path / "nowhere", Path(archive.path))
    said = call("archive", "list")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith(f"Archive: {archive.path} (3 runs of {ENGINE.name}, ")
    assert f"\nArchive: {other.path} (2 runs of {ENGINE.name}, " in said.out
    told = call("archive", "list", "--format", "json").json()
    assert [one["folder"] for one in told["archives"]] == [archive.path, other.path]
    assert [run["archive"] for run in told["runs"]] == [archive.path] * 3 + [other.path] * 2
    assert call("archive", "show", "40", "--format", "json").json()["run"] == 40
    assert "14 files of 5 runs read" in call("archive", "verify").out
    said = call("archive", "show", "99")
    assert f"there is no run 99 in the archives {archive.path} and {other.path}" in said.err
    # How large it may be says a policy of its own archive alone.
    policy = _policy(archive, tmp_path, 'max_size = "1kB"\n')
    pruned = call("archive", "prune", "--yes", "--policy", policy, "--format", "json").json()
    assert [run["status"] for run in pruned["runs"]] == ["deleted", "deleted", "kept", "deleted", "kept"]
    assert call("archive", "drop", "40", "--yes").status == 0
    assert (len(archive.run_names()), other.run_names()) == (1, ())
    assert call("archive", "list", "--archive", archive.path, "--format", "json").json()["archives"][0]["folder"] == (
        archive.path
    )


def test_one_of_several_archives_that_cannot_be_read_is_told(
    call: Caller, archive: ArchiveFolder, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    _in_ledger(tmp_path, tmp_path / "file")
    said = call("archive", "list")
    assert said.status == 2
    assert f"there is no archive at {tmp_path}/file" in said.err
    assert said.out.count("1 container, 1 network, 1 volume") == 3
    shutil.copytree(Path(archive.path) / archive.run_names()[0], tmp_path / "copy" / archive.run_names()[0])
    _in_ledger(tmp_path, tmp_path / "copy")
    assert "choose one with --archive FOLDER" in call("archive", "show", "11").err


def test_an_archive_that_nobody_has_made_yet_is_empty(
    call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKERSWEEP_STATE_DIR", str(tmp_path / "none"))
    said = call("archive", "list", "--format", "json")
    assert (said.status, said.json()["runs"]) == (0, [])
    assert said.err == f"nothing is archived yet: there is no archive at {tmp_path}/none/archive\n"
    assert not (tmp_path / "none").exists()


def test_what_cannot_be_read_does_not_hide_the_rest(call: Caller, archive: ArchiveFolder) -> None:
    index = Path(archive.path) / archive.run_names()[0] / "index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"schema": "dockersweep.archive/2"}))
    for action in ("list", "verify"):
        said = call("archive", action)
        assert said.status == 2
        assert f"{index} is dockersweep.archive/2, newer than this dockersweep reads (version 1)" in said.err
        assert said.out.count("12  ") == 2
    said = call("archive", "drop", archive.run_names()[0], "--yes")
    assert said.status == 3
    assert f"what cannot be read is not deleted: delete {index.parent} by hand" in said.err
