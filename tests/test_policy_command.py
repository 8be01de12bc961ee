"""The command line of policies as users meet it: which file, whether it is trusted, what each verb makes of it."""

import json
import os
import stat
import subprocess
import sys
import threading
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
from msgspec.structs import replace

from dockersweep import cli, files
from dockersweep.commands import policy_source
from dockersweep.model.documents import write_document
from dockersweep.model.inventory import Object
from tests.fake_engine import fake_engine
from tests.inventories import ago, container, image, inventory, network, record, volume
from tests.privileges import permissions_that_count
from tests.running import dockersweep
from tests.test_bad_days import with_containers
from tests.test_cli import on_a_terminal

HEAD = "version = 1\n"
SCRATCH = """version = 1
[[rule]]
name = "scratch volumes"
kind = "volume"
match.name = "scratch-*"
remove.older_than = "3d"
"""
IMAGES = """version = 1
[[rule]]
name = "old releases"
kind = "image"
match.repository = "app"
keep.last = 1
remove.older_than = "3d"
"""
BROKEN = """version = 1
[[rule]]
name = "scratch volumes"
kind = "volum"
match.nam = "scratch-*"
remove.older_than = "3 parsecs"
"""
EVIL = '\x1b[31mred\u202e\n"x"'
SITUATIONS = sorted((Path(__file__).parent / "situations").glob("*.toml"))
SEEN: tuple[Object, ...] = (
    container("job-1"),
    replace(image("a1b2c3d4", "app:1"), built_at=ago(days=30)),
    replace(image("a1b2e5f6", "app:2"), built_at=ago(days=20)),
    image("c0ffee01"),
    volume("scratch-1", anonymous=False),
    volume("scratch-2", anonymous=False),
    volume("data", anonymous=False),
    network("shop"),
    record("r1"),
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root distrusts files")


class Said(NamedTuple):
    """How a call ended, and what it said."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """What it wrote to standard output, as JSON."""
        return json.loads(self.out)


class Caller:
    """Calls the command line in this process, which is much faster than a process of its own."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        """Write files to `folder`."""
        self._capsys = capsys
        self.folder = folder

    def __call__(self, *arguments: str) -> Said:
        """Run a command line."""
        self._capsys.readouterr()
        status = cli.main(list(arguments))
        captured = self._capsys.readouterr()
        return Said(status, captured.out, captured.err)

    def policy(self, text: str | bytes, path: Path | None = None) -> str:
        """Write a policy file that root trusts, and return its path."""
        file = path or self.folder / "policy.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        file.chmod(0o644)
        return str(file)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Caller:
    """The command line, kept away from the policy of the machine."""
    monkeypatch.setattr(policy_source, "SYSTEM_FOLDER", tmp_path / "etc" / "dockersweep")
    return Caller(capsys, tmp_path)


@pytest.fixture
def saved(tmp_path: Path) -> str:
    """An inventory with something of every kind."""
    return save(tmp_path, *SEEN)


def save(folder: Path, *objects: Object) -> str:
    file = folder / "inventory.json"
    file.write_text(write_document(inventory(*objects)))
    return str(file)


# Where the policy is found.


def every_place(call: Caller, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Put a policy in every place; return them in the order in which they win."""
    places = {
        "flag": call.folder / "flag.toml",
        "variable": call.folder / "variable.toml",
        "xdg": call.folder / "xdg" / "dockersweep" / "dockersweep.toml",
        "system": call.folder / "etc" / "dockersweep" / "dockersweep.toml",
    }
    for path in places.values():
        call.policy(SCRATCH, path)
    monkeypatch.setenv("DOCKERSWEEP_POLICY", str(places["variable"]))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(call.folder / "xdg"))
    return places


def test_the_first_place_that_has_a_policy_wins(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    places = every_place(call, monkeypatch)
    shown = call("--policy", str(places["flag"]), "policy", "show").out
    assert shown.startswith(f"This is the policy in {places['flag']}.")
    assert call("policy", "show").out.startswith(f"This is the policy in {places['variable']}.")
    monkeypatch.delenv("DOCKERSWEEP_POLICY")
    assert call("policy", "show").out.startswith(f"This is the policy in {places['xdg']}.")
    places["xdg"].unlink()
    assert call("policy", "show").out.startswith(f"This is the policy in {places['system']}.")
    places["system"].unlink()
    assert call("policy", "show").out.startswith("This is the default policy.")


@pytest.mark.parametrize("xdg", [None, ""])
def test_without_xdg_config_home_it_is_in_the_home(
    call: Caller, monkeypatch: pytest.MonkeyPatch, xdg: str | None
) -> None:
    if xdg is None:
        monkeypatch.delenv("XDG_CONFIG_HOME")
    else:
        monkeypatch.setenv("XDG_CONFIG_HOME", xdg)
    monkeypatch.setenv("HOME", str(call.folder))
    path = call.policy(SCRATCH, call.folder / ".config" / "dockersweep" / "dockersweep.toml")
    assert call("policy", "show").out.startswith(f"This is the policy in {path}.")


def test_a_home_that_is_not_set_is_no_error(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("HOME")
    assert call("policy", "show").out.startswith("This is the default policy.")


def test_an_empty_variable_is_none_and_an_empty_flag_is_an_error(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKERSWEEP_POLICY", "")
    path = call.policy(SCRATCH, call.folder / "etc" / "dockersweep" / "dockersweep.toml")
    assert call("policy", "show").out.startswith(f"This is the policy in {path}.")
    said = call("policy", "show", "--policy", "")
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("dockersweep: --policy is empty: ")


def test_default_is_the_default_policy_in_spite_of_files(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    every_place(call, monkeypatch)
    assert call("policy", "show", "--policy", "default").out.startswith("This is the default policy.")
    monkeypatch.setenv("DOCKERSWEEP_POLICY", "default")
    assert call("policy", "show").out.startswith("This is the default policy.")
    monkeypatch.setenv("DOCKERSWEEP_POLICY", "/none")
    assert call("policy", "show", "--policy", "default").status == 0


def test_a_dash_is_standard_input(saved: str) -> None:
    run = dockersweep("plan", "--policy", "-", "--inventory", saved, stdin=SCRATCH)
    assert (run.status, run.stderr) == (0, "")
    assert "by the policy on standard input." in run.stdout
    assert "scratch-1" in run.stdout


def test_a_verb_that_needs_no_policy_reads_none(call: Caller, saved: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKERSWEEP_POLICY", "/none")
    assert call("scan", "--inventory", saved).status == 0
    assert call("schema", "policy").status == 0
    assert call("policy", "init").status == 0


# Every output names it.


def test_every_output_names_the_policy(call: Caller, saved: str) -> None:
    path = call.policy(SCRATCH)
    flags = ("--policy", path, "--inventory", saved)
    source = f"the policy in {path}"
    assert f", by {source}.\n" in call("plan", *flags).out
    assert f"Nothing to remove, by {source}, changed by flags.\n" in call("plan", *flags, "--kind", "image").out
    assert call("plan", *flags, "--format", "json").json()["policy"]["source"] == source
    assert f"It goes, by {source}:" in call("explain", "scratch-1", *flags).out
    assert call("explain", "scratch-1", *flags, "--format", "json").json()["policy_source"] == source
    assert call("policy", "show", "--policy", path).out.startswith(f"This is {source}.")
    assert call("policy", "show", "--policy", path, "--format", "json").json()["source"] == source
    assert call("policy", "check", "--policy", path).err == f"{path}: no problems found\n"
    assert call("policy", "check", "--policy", path, "--format", "json").json()["policy"] == path
    assert call("plan", *flags, "--all-images").err == (
        f"dockersweep: --all-images adds a rule to the default policy, but {source} is in force: "
        "write a rule there, or give `--policy default` as well\n"
    )
    call.policy(BROKEN)
    assert call("plan", *flags).err.startswith(f"dockersweep: {source}, line 4, column 8: ")


def test_a_sweep_names_the_policy_before_it_removes(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    call.policy(SCRATCH.replace('"volume"', '"container"').replace("scratch-*", "web"))
    # The terminal of the question is a narrow one.
    monkeypatch.chdir(call.folder)
    with fake_engine() as engine:
        with_containers(engine, "web")
        flags = ["-H", engine.url, "sweep", "--policy", "policy.toml", "--older-than", "0s", "--no-ledger"]
        dry = call(*flags, "--dry-run")
        ended, shown = on_a_terminal(flags, "n\n")
        over = call(*flags, "--yes", "--max-objects", "0")
        assert {method for method, _ in engine.asked} == {"GET"}
    assert "by the policy in policy.toml, changed by flags." in dry.out
    assert ended == 4
    assert "by the policy in policy.toml, changed by flags." in " ".join(shown.split())
    assert over.status == 4
    assert "over a limit of the policy in policy.toml, changed by flags: 1 object to remove, 0 allowed" in over.err


# Files that cannot be read, or not be trusted.


@needs_root
@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666, 0o602, 0o620])
def test_root_refuses_a_file_that_others_can_write(call: Caller, saved: str, mode: int) -> None:
    path = call.policy(SCRATCH)
    os.chmod(path, mode)
    for arguments in (("plan", "--inventory", saved), ("policy", "show"), ("policy", "check")):
        said = call(*arguments, "--policy", path)
        assert (said.status, said.out) == (2, "")
        assert f"the policy file {path} can be written by others than root" in said.err
        assert said.err.endswith(f"if it is right: chmod go-w {path}\n")


@needs_root
def test_root_refuses_a_file_of_another_user(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    path = call.policy(SCRATCH, call.folder / "xdg" / "dockersweep" / "dockersweep.toml")
    os.chown(path, 1234, 0)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(call.folder / "xdg"))
    said = call("policy", "show")
    assert (said.status, said.out) == (2, "")
    assert f"the policy file {path} belongs to the user 1234" in said.err
    link = call.folder / "link.toml"
    link.symlink_to(path)
    assert "belongs to the user 1234" in call("policy", "show", "--policy", str(link)).err


def test_other_users_may_read_what_they_can_write(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    path = call.policy(SCRATCH)
    os.chmod(path, 0o666)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert call("policy", "show", "--policy", path).status == 0


def test_a_file_without_permission_is_said(call: Caller) -> None:
    path = call.policy(SCRATCH)
    os.chmod(path, 0)
    with permissions_that_count():
        said = call("policy", "show", "--policy", path)
    assert (said.status, said.err) == (2, f"dockersweep: the policy file {path} cannot be read: Permission denied\n")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("{tmp}/none.toml", "No such file or directory"),
        ("{tmp}", "Is a directory"),
        ("{tmp}/dangling", "No such file or directory"),
        ("{tmp}/loop", "Too many levels of symbolic links"),
        ("{tmp}/inventory.json/x", "Not a directory"),
        ("{tmp}/a\0b", "embedded null byte"),
        ("{tmp}/" + "x" * 300, "File name too long"),
    ],
)
def test_a_path_that_names_no_file_is_said(call: Caller, saved: str, path: str, message: str) -> None:
    (call.folder / "dangling").symlink_to("/none/at/all")
    (call.folder / "loop").symlink_to("loop")
    named = path.format(tmp=call.folder)
    for arguments in (("plan", "--inventory", saved), ("policy", "show"), ("policy", "check")):
        said = call(*arguments, "--policy", named)
        assert (said.status, said.out) == (2, "")
        assert message in said.err
        assert said.err.count("\n") == 1


def test_a_found_file_that_cannot_be_read_is_not_passed_over(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    call.policy(SCRATCH, call.folder / "etc" / "dockersweep" / "dockersweep.toml")
    own = call.folder / "xdg" / "dockersweep" / "dockersweep.toml"
    own.parent.mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(call.folder / "xdg"))
    own.symlink_to("/none/at/all")
    assert f"the policy file {own} cannot be read: No such file" in call("policy", "show").err
    own.unlink()
    own.mkdir()
    assert f"the policy file {own} cannot be read: Is a directory" in call("policy", "show").err


def test_a_pipe_is_read_like_a_file(call: Caller) -> None:
    path = call.folder / "pipe"
    os.mkfifo(path, 0o600)
    writer = subprocess.Popen([sys.executable, "-c", f"open({str(path)!r}, 'w').write({SCRATCH!r})"])
    said = call("policy", "show", "--policy", str(path))
    assert writer.wait(10) == 0
    assert (said.status, said.err) == (0, "")
    assert '"scratch volumes"' in said.out


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "this policy has no rule and no target"),
        (bytes(range(1, 256)), "line 2, column 118: the byte 0x80 is not UTF-8"),
        (SCRATCH.encode("utf-16"), "line 1, column 1: this is UTF-16 text: save the file as UTF-8"),
        (SCRATCH.encode() + b"\x00", "line 7, column 1: "),
        (SCRATCH.encode() + b"# caf\xe9", "line 7, column 6: the byte 0xe9 is not UTF-8"),
        (b"x = " + b"[" * 100_000, "lists or tables are nested too deep to be read"),
        (b"# " + b"x" * 5_000_000, "this policy has no rule and no target"),
        (b"version = 0x" + b"f" * 100_000, "version"),
    ],
)
def test_what_is_no_policy_is_said_in_one_line(call: Caller, saved: str, data: bytes, message: str) -> None:
    path = call.policy(data)
    said = call("plan", "--policy", path, "--inventory", saved)
    assert (said.status, said.out) == (2, "")
    assert message in said.err
    assert said.err.count("\n") == 1
    assert len(said.err) < 400 + len(path)
    assert call("policy", "check", "--policy", path).status == 2


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf" + SCRATCH.encode(), SCRATCH.replace("\n", "\r\n").encode()])
def test_what_editors_of_windows_write_is_read(call: Caller, saved: str, data: bytes) -> None:
    assert "2 objects to remove" in call("plan", "--policy", call.policy(data), "--inventory", saved).out


# policy init


def test_init_writes_a_file_that_does_what_no_file_does(call: Caller, saved: str) -> None:
    path = call.folder / "new.toml"
    said = call("policy", "init", "-o", str(path))
    assert said == (0, "", "")
    assert call("policy", "init").out == path.read_text()
    assert call("policy", "check", "--policy", str(path)).status == 0
    with_file = call("plan", "--policy", str(path), "--inventory", saved, "--format", "json").json()
    without = call("plan", "--inventory", saved, "--format", "json").json()
    assert with_file["removals"] == without["removals"] != []
    for one in (with_file, without):
        one["policy"].pop("source")
        for decision in one["decisions"]:
            # The default policy also says which flag would help.
            for reason in decision["reasons"]:
                reason["text"] = reason["text"].partition(" (only --")[0]
        for rule in one["policy"]["rules"]:
            rule.pop("flag_for_others", None)
    assert with_file == without


def test_init_makes_a_file_that_root_trusts(call: Caller) -> None:
    path = call.folder / "new.toml"
    umask = os.umask(0o022)
    try:
        call("policy", "init", "-o", str(path))
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_init_writes_over_nothing(call: Caller) -> None:
    path = call.policy(SCRATCH)
    said = call("policy", "init", "-o", path)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith(f"dockersweep: {path} is there already, and is not written over")
    assert Path(path).read_text() == SCRATCH
    assert call("policy", "init", "-o", str(call.folder)).status == 2
    assert call("policy", "init", "-o", "/none/x").err.endswith("No such file or directory\n")


def test_init_takes_neither_json_nor_a_folder(call: Caller) -> None:
    assert "policy init writes TOML" in call("policy", "init", "--format", "json").err
    assert "policy init takes no directory" in call("policy", "init", "x").err


# policy check


def test_check_tells_each_problem_with_its_place(call: Caller) -> None:
    path = call.policy(BROKEN)
    said = call("policy", "check", "--policy", path)
    assert (said.status, said.err) == (2, "")
    lines = said.out.splitlines()
    assert lines[0].startswith(f"{path}:4:8: kind ")
    assert 'did you mean "volume"?' in lines[0]
    assert lines[1].startswith(f"{path}:5:7: ")
    assert 'did you mean "name"?' in lines[1]
    assert lines[2].startswith(f"{path}:6:21: remove.older_than: ")
    assert len(lines) == 3


def test_check_tells_problems_as_json(call: Caller) -> None:
    path = call.policy(BROKEN)
    said = call("policy", "check", "--policy", path, "--format", "json")
    assert said.status == 2
    document = said.json()
    assert (document["policy"], document["notes"]) == (path, [])
    assert [(one["line"], one["column"]) for one in document["problems"]] == [(4, 8), (5, 7), (6, 21)]


def test_check_finds_what_holds_and_is_hardly_meant(call: Caller, saved: str) -> None:
    path = call.policy(SCRATCH + 'not.name = "scratch-*"\n')
    said = call("policy", "check", "--policy", path)
    assert said.status == 2
    assert said.out.startswith(f"{path}:7:5: this rule can never match: ")
    assert call("plan", "--policy", path, "--inventory", saved).status == 0


def test_check_notes_what_rules_find_and_protections_protect(call: Caller, saved: str) -> None:
    text = SCRATCH + IMAGES.removeprefix(HEAD) + '[protect]\nnames = ["prod-*"]\n'
    path = call.policy(text.replace("scratch-*", "tmp-*"))
    said = call("policy", "check", "--policy", path, "--inventory", saved)
    assert said.out.splitlines() == [
        'note: the rule "scratch volumes" speaks of none of the 3 objects of the kind volume',
        "note: protect.names prod-* protects nothing that is there",
    ]
    assert (said.status, said.err) == (0, f"{path}: no problems found\n")
    assert len(call("policy", "check", "--policy", path, "--inventory", saved, "--format", "json").json()["notes"]) == 2


def test_check_needs_a_file(call: Caller) -> None:
    for flags in ((), ("--policy", "default")):
        said = call("policy", "check", *flags)
        assert (said.status, said.out) == (2, "")
        assert "there is no policy file to check" in said.err


# policy show


def test_show_says_who_may_use_what_is_never_removed(call: Caller) -> None:
    [line] = [one for one in call("policy", "show").out.splitlines() if one.startswith("Never removed: ")]
    assert all(user in line for user in ("containers", "services of a swarm", "other tools", "kubelet", "not be read"))


EVERYTHING = """version = 1
[protect]
labels = ["keep", "env=prod"]
names = "prod-*"
images = "base/*"
projects = "billing"
younger_than = "1h"
[limits]
objects = 500
bytes = "200GB"
share = "60%"
[[rule]]
name = "images"
kind = "image"
match.name = "*app*"
match.repository = "team/app"
match.tag = "v*"
match.digest = "sha256:12*"
match.labels = ["a", "b=c"]
match.project = "shop"
match.tagged = true
match.recoverable = false
match.size_over = "1MB"
match.size_under = "9GB"
not.labels = "pinned"
keep.group_by = "label:team"
keep.last = 5
keep.within = "30d"
keep.hourly = 1
keep.daily = 2
keep.weekly = 3
keep.monthly = 4
keep.yearly = "all"
keep.tags = "stable"
keep.majors = 6
keep.minors = 7
remove.older_than = "8d"
remove.unused_for = "9d"
remove.before = 2026-01-01
remove.built_before = 2026-02-01
remove.built_over = "10d"
[[rule]]
name = "containers"
kind = "container"
match.state = ["exited", "dead"]
match.exit_code = [0, 137]
match.restarts_by_itself = false
remove.stopped_for = "11d"
[[rule]]
name = "volumes"
kind = "volume"
match.driver = "local"
match.options = "type=nfs"
match.has_options = true
match.anonymous = true
remove.older_than = "12d"
[[rule]]
name = "cache"
kind = "build-cache"
match.type = "source.local"
remove.older_than = "0s"
[target]
start_above = "85%"
stop_below = "70%"
inodes_above = "90%"
inodes_below = "80%"
order = ["build-cache", "image"]
spare_registry_less = "never"
older_than = "2h"
"""
SHOWN = (
    "keep;env=prod;prod-*;base/*;billing;1 hour;500 objects;200 GB;60%;*app*;team/app;tag v*;sha256:12*;a or b=c;shop;"
    "with a tag;cannot be pulled again;larger than 1.00 MB;smaller than 9.00 GB;not of those with the label pinned;"
    "each value of the label team;newest 5;30 days older;last 1 hour;last 2 days;last 3 weeks;last 4 months;all years;"
    "tags stable;last 6;last 7;older than 8 days;unused for 9 days;2026-01-01;2026-02-01;built more than 10 days ago;"
    "exited or dead;0 or 137;do not restart by themselves;stopped for 11 days;driver local;type=nfs;with mount options;"
    "anonymous;older than 12 days;source.local;whatever the age;85%;70%;90%;80%;build-cache records and images;"
    "never go;younger than 2 hours;Everything else is kept."
)


def test_show_says_every_key_in_words_within_the_terminal(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    path = call.policy(EVERYTHING)
    assert call("policy", "check", "--policy", path).out == ""
    monkeypatch.setenv("COLUMNS", "80")
    shown = call("policy", "show", "--policy", path).out
    assert max(map(len, shown.splitlines())) <= 80
    words = " ".join(shown.split()).replace(" %", "%")
    for said in SHOWN.split(";"):
        assert said in words, said


def test_show_tells_what_flags_change(call: Caller) -> None:
    path = call.policy(SCRATCH)
    flags = ("--older-than", "9d", "--kind", "volume", "--keep-name", "x*", "--keep-label", "y", "--max-share", "5%")
    shown = call("policy", "show", "--policy", path, *flags).out
    for said in (
        "changed by flags",
        "older than 9 days",
        "Only volumes",
        "x* (--keep-name)",
        "y (--keep-label)",
        "5 %",
    ):
        assert said in shown


def test_show_as_json_is_what_the_plan_has(call: Caller, saved: str) -> None:
    path = call.policy(EVERYTHING)
    shown = call("policy", "show", "--policy", path, "--format", "json").json()
    assert call("plan", "--policy", path, "--inventory", saved, "--format", "json").json()["policy"] == shown


# policy test

CASE = """shows = "{shows}"
now = 2026-11-24T12:00:00Z
[[volume]]
name = "scratch-1"
created = "10d"
expect = "{expect}"
"""


def test_policy_test_has_its_exit_status(call: Caller) -> None:
    path = call.policy(SCRATCH, call.folder / "p.toml")
    cases = call.folder / "cases"
    call.policy(CASE.format(shows="goes", expect="remove"), cases / "a.toml")
    said = call("policy", "test", str(cases), "--policy", path)
    assert (said.status, said.err) == (0, "")
    assert said.out == "ok      goes (a.toml)\n1 case: 1 passed, 0 failed\n"
    call.policy(CASE.format(shows="stays", expect="keep"), cases / "b.toml")
    said = call("policy", "test", str(cases), "--policy", path)
    assert said.status == 2
    assert "FAILED  stays (b.toml)" in said.out
    assert said.out.endswith("2 cases: 1 passed, 1 failed\n")
    told = call("policy", "test", str(cases), "--policy", path, "--format", "json")
    assert told.status == 2
    assert [one["result"] for one in told.json()["cases"]] == ["passed", "failed"]
    call.policy("shows = 3\n", cases / "c.toml")
    said = call("policy", "test", str(cases), "--policy", path)
    assert (said.status, "1 broken" in said.out) == (2, True)


def test_policy_test_needs_a_folder_with_cases(call: Caller) -> None:
    assert "policy test needs the folder" in call("policy", "test").err
    assert call("policy", "test", str(call.folder / "none")).status == 2
    (call.folder / "empty").mkdir()
    assert "there is no case in" in call("policy", "test", str(call.folder / "empty")).err


# Flags beside a file.


def going(said: Said) -> list[str]:
    assert said.status == 0, said.err
    return sorted(one["name"] for one in said.json()["removals"])


def test_flags_change_what_a_file_says(call: Caller, saved: str) -> None:
    path = call.policy(SCRATCH + IMAGES.removeprefix(HEAD))
    flags = ("plan", "--policy", path, "--inventory", saved, "--format", "json")
    assert going(call(*flags)) == ["app:1", "scratch-1", "scratch-2"]
    assert going(call(*flags, "--older-than", "30d")) == []
    assert going(call(*flags, "--kind", "image")) == ["app:1"]
    assert going(call(*flags, "--keep-name", "scratch-1")) == ["app:1", "scratch-2"]
    assert going(call(*flags, "--keep-image", "app")) == ["scratch-1", "scratch-2"]
    for flag in ("--all-images", "--named-volumes"):
        said = call(*flags, flag)
        assert (said.status, said.out) == (2, "")
        assert f"{flag} adds a rule to the default policy" in said.err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--max-objects", "2"), "3 objects to remove, 2 allowed"),
        (("--max-bytes", "119B"), "up to 120 B would come back, 119 B allowed"),
        (("--max-share", "50%"), "2 of 3 objects of the kind volume to remove (66.7 %), 50 % allowed"),
    ],
)
def test_limits_are_told_and_are_an_exit_status(call: Caller, saved: str, flags: tuple[str, str], message: str) -> None:
    path = call.policy(SCRATCH + IMAGES.removeprefix(HEAD))
    plan = ("plan", "--policy", path, "--inventory", saved)
    over = call(*plan, *flags, "--exit-code")
    assert over.status == 4
    assert f"Over a limit, so no sweep: {message}.\n" in over.out
    assert call(*plan, *flags).status == 0
    assert message in call(*plan, *flags, "--format", "json").json()["limits"]["exceeded"]
    assert f"The plan is over a limit, so no sweep: {message}." in call("explain", "app:1", *plan[1:], *flags).out
    assert call(*plan, "--exit-code", "--max-objects", "3", "--max-bytes", "120B", "--max-share", "67%").status == 10
    assert call(*plan, "--exit-code", "--kind", "network", "--max-objects", "0").status == 0


def test_a_flag_replaces_the_limit_of_the_file(call: Caller, saved: str) -> None:
    path = call.policy(SCRATCH + "[limits]\nobjects = 1\n")
    plan = ("plan", "--policy", path, "--inventory", saved, "--exit-code")
    assert call(*plan).status == 4
    assert call(*plan, "--max-objects", "2").status == 10
    assert call(*plan, "--max-share", "100%").status == 4


@pytest.mark.parametrize(
    "flags", [("--max-objects", "-1"), ("--max-objects", "1e3"), ("--max-bytes", "5"), ("--max-share", "101%")]
)
def test_a_limit_that_is_none_is_wrong_usage(call: Caller, saved: str, flags: tuple[str, str]) -> None:
    said = call("plan", "--inventory", saved, *flags)
    assert (said.status, said.out) == (2, "")
    assert flags[0] in said.err


# explain


def test_explain_refuses_what_is_not_clear(call: Caller, saved: str) -> None:
    said = call("explain", "a1b2", "--inventory", saved)
    assert said == (2, "", 'dockersweep: "a1b2" can mean image:app:1 or image:app:2: write one of these\n')
    said = call("explain", "scrach-1", "--inventory", saved)
    assert (said.status, said.out) == (2, "")
    assert "did you mean volume:scratch-1" in said.err


@pytest.mark.parametrize("name", ["job-1", "app:1", "app:2", "c0ffee", "scratch-1", "data", "shop", "r1"])
def test_explain_as_json_holds_to_its_schema(call: Caller, saved: str, name: str) -> None:
    path = call.policy(SCRATCH + IMAGES.removeprefix(HEAD))
    schema = call("schema", "explanation").json()
    document = call("explain", name, "--policy", path, "--inventory", saved, "--format", "json").json()
    jsonschema.Draft202012Validator(schema).validate(document)


# schema policy


def test_the_schema_holds_for_what_holds_and_not_for_what_does_not(call: Caller) -> None:
    schema = call("schema", "policy").json()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    texts = [path.read_text() for path in SITUATIONS]
    assert len(texts) == 10
    for text in (*texts, call("policy", "init").out, SCRATCH, IMAGES):
        validator.validate(tomllib.loads(text))
    assert not validator.is_valid(tomllib.loads(BROKEN))
    assert not validator.is_valid(tomllib.loads(SCRATCH.replace("version = 1", "version = 2")))


# Names from anybody.


def test_names_of_files_and_engines_cannot_steer_a_terminal(
    call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    evil = json.dumps(EVIL)
    saved = save(tmp_path, volume(EVIL), image("a1b2c3d4", f"{EVIL}:1", "app:2"), container(EVIL), network(EVIL))
    path = call.policy(
        f"{HEAD}[protect]\nnames = [{json.dumps(EVIL + '-not-there')}]\n[limits]\nobjects = 0\n"
        f'[[rule]]\nname = {evil}\nkind = ["volume", "network", "container"]\nmatch.name = {evil}\n'
        f'remove.older_than = "1d"\n[[rule]]\nname = "tags"\nkind = "image"\nmatch.tag = "1"\n'
        f'remove.older_than = "1d"\n'
        f'[target]\nfree = "1GB"\n'
    )
    flags = ("--policy", path, "--inventory", saved)
    broken = call.policy(f"{HEAD}{evil} = 1\n[[rule]]\nname = 1\nkind = {evil}\n", tmp_path / "broken.toml")
    for arguments in (
        ("plan", *flags),
        ("plan", "-v", *flags),
        ("explain", f"volume:{EVIL}", *flags),
        ("explain", f"{EVIL}:1", *flags),
        ("explain", EVIL, *flags),
        ("explain", EVIL + "x", *flags),
        ("policy", "show", "--policy", path),
        ("policy", "check", *flags),
        ("policy", "check", "--policy", broken),
        ("policy", "show", "--policy", broken),
        ("policy", "show", "--policy", f"/none/{EVIL}"),
        ("policy", "test", f"/none/{EVIL}"),
        ("policy", "init", "-o", f"/none/{EVIL}"),
    ):
        said = call(*arguments)
        assert said.status in (0, 2)
        assert not [one for one in said.out + said.err if one != "\n" and not one.isprintable()], arguments
        assert "red\\u202e" in said.out + said.err, arguments


# What once went wrong.


def test_the_value_of_a_label_may_be_a_regular_expression(call: Caller, tmp_path: Path) -> None:
    labelled = (volume("a", labels={"env": "prod-1"}), volume("b", labels={"env": "test-1"}))
    flags = ("--inventory", save(tmp_path, *labelled), "--format", "json")
    path = call.policy(f'{HEAD}[protect]\nlabels = "env=/^prod-[0-9]+$/"\n' + SCRATCH.removeprefix(HEAD))
    call.policy(Path(path).read_text().replace("scratch-*", "?"))
    assert going(call("plan", "--policy", path, *flags)) == ["b"]
    assert going(call("plan", "--keep-label", "env=/^prod/", *flags)) == ["b"]


def test_a_folder_that_cannot_be_searched_is_not_passed_over(call: Caller) -> None:
    path = Path(call.policy(SCRATCH, call.folder / "etc" / "dockersweep" / "dockersweep.toml"))
    path.parent.chmod(0)
    with permissions_that_count():
        said = call("policy", "show")
    path.parent.chmod(0o700)
    assert (said.status, said.err) == (2, f"dockersweep: the policy file {path} cannot be read: Permission denied\n")


def write_to(pipe: int, data: bytes) -> None:
    """Write it all, and close the pipe."""
    with open(pipe, "wb") as file:
        file.write(data)


def test_what_a_person_names_may_be_a_pipe(call: Caller, saved: str) -> None:
    """As `--policy <(...)` and `--inventory /dev/stdin` are."""
    for flag, other, content in (
        ("--policy", ("--inventory", saved), SCRATCH.encode()),
        ("--inventory", ("--policy", call.policy(SCRATCH)), Path(saved).read_bytes()),
    ):
        reading, writing = os.pipe()
        writer = threading.Thread(target=write_to, args=(writing, content))
        writer.start()
        said = call("plan", flag, f"/dev/fd/{reading}", *other, "--format", "json")
        writer.join()
        os.close(reading)
        assert said.status == 0, said.err
        assert said.json()["removals"]


def test_a_pipe_that_nobody_writes_to_ends_a_run(call: Caller, saved: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WRITER_SECONDS", 0.05)
    pipe = str(call.folder / "pipe")
    os.mkfifo(pipe, 0o600)
    told = f"{pipe} is a pipe that nobody has written to for 0.05 seconds"
    said = call("plan", "--policy", pipe, "--inventory", saved)
    assert (said.status, said.err) == (2, f"dockersweep: the policy file {told}\n")
    said = call("plan", "--inventory", pipe)
    assert (said.status, said.err) == (2, f"dockersweep: {told}\n")
    case = call.folder / "cases" / "case.toml"
    case.parent.mkdir()
    os.mkfifo(case)
    assert "is a pipe, not a plain file" in call("policy", "test", str(case.parent)).out


@needs_root
def test_a_pipe_of_another_user_is_refused_before_it_is_waited_for(call: Caller) -> None:
    pipe = call.folder / "pipe"
    os.mkfifo(pipe, 0o600)
    os.chown(pipe, 1234, 1234)
    said = call("policy", "show", "--policy", str(pipe))
    assert (said.status, "belongs to the user 1234" in said.err) == (2, True)


def test_the_first_day_of_the_calendar_is_a_date(call: Caller, saved: str) -> None:
    path = call.policy(SCRATCH.replace('older_than = "3d"', "before = 0001-01-01"))
    assert going(call("plan", "--policy", path, "--inventory", saved, "--format", "json")) == []


def test_a_key_of_a_thousand_parts_is_no_traceback(call: Caller) -> None:
    assert call("policy", "check", "--policy", call.policy(HEAD + ".".join(["a"] * 1000) + " = 1\n")).status == 2
