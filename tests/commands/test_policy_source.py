"""Where a policy is found, whether it can be read and is trusted, and that every output names it."""

import os
import re
import shlex
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dockersweep import files
from tests.commands.calling import BROKEN, SCRATCH, Caller, needs_root
from tests.rig.fake_containers import with_containers
from tests.rig.fake_engine import fake_engine
from tests.rig.privileges import permissions_that_count
from tests.rig.running import dockersweep, on_a_terminal

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
    assert f"Nothing to remove, by {source} and command-line flags.\n" in call("plan", *flags, "--kind", "image").out
    assert call("plan", *flags, "--format", "json").json()["policy"]["source"] == source
    assert f"will be removed by {source} (" in call("explain", "scratch-1", *flags).out
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
    assert "by the policy in policy.toml and command-line flags." in dry.out
    assert ended == 0
    assert "by the policy in policy.toml and command-line flags." in " ".join(shown.split())
    assert over.status == 4
    assert "over a limit of the policy in policy.toml and command-line flags: 1 object to remove, 0 allowed" in over.err


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


@pytest.mark.linux
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


def test_a_policy_with_several_problems_names_the_command_that_tells_them(saved: str, tmp_path: Path) -> None:
    file = tmp_path / "my policy.toml"
    file.write_text("version = 1\nlables = 1\nlimts = 2\n")
    run = dockersweep("plan", "--inventory", saved, "--policy", str(file))
    assert run.status == 2
    [command] = re.findall(r"\(and 1 more problem: see `dockersweep ([^`]*)`\)", run.stderr)
    assert dockersweep(*shlex.split(command)).stderr.count("dockersweep: ") == 2


@pytest.mark.parametrize(
    ("table", "flags"),
    [
        ("[archive]\n", "--policy default --archive"),
        ('[archive]\nfolder = "/srv/my keep"\n', "--policy default --archive '/srv/my keep'"),
    ],
)
def test_a_hint_at_the_default_policy_keeps_the_archive(call: Caller, table: str, flags: str) -> None:
    policy = call.policy(f"version = 1\nremoves_nothing = true\n{table}")
    for flag, more in (("--named-volumes", ""), ("--spare-local", " --all-images")):
        told = call("policy", "show", "--policy", policy, flag)
        assert told.status == 2
        assert f"or give `{flags}{more}` as well\n" in told.err
