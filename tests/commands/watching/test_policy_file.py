"""The policy of a watcher: read again when its file changes, an earlier one as long as that does not hold."""

import os
from pathlib import Path

import pytest

from dockersweep.commands.options import PolicyOptions
from dockersweep.commands.watching.policy_file import WatchedPolicy
from dockersweep.errors import PolicyError, UsageError
from dockersweep.policy.language.flags import PolicyFlags

RULE = 'version = 1\n[[rule]]\nname = "{}"\nkind = "container"\neverything = true\nremove.older_than = "1d"\n'


def watched(path: Path | str | None, **flags: object) -> WatchedPolicy:
    named = None if path is None else str(path)
    return WatchedPolicy(PolicyOptions(path=named, flags=PolicyFlags(**flags)))  # type: ignore[arg-type]


def rules(policy: WatchedPolicy) -> list[str]:
    return [rule.name for rule in policy.policy.rules]


def test_it_is_read_when_it_changes_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(RULE.format("one"))
    policy = watched(path)
    assert not policy.look()
    path.write_text(RULE.format("two"))
    assert policy.look()
    assert (rules(policy), policy.problem) == (["two"], None)
    assert not policy.look()
    assert policy.look(always=True)


def test_a_file_of_the_same_time_and_size_that_takes_its_place_is_seen(tmp_path: Path) -> None:
    path, other = tmp_path / "p.toml", tmp_path / "q.toml"
    path.write_text(RULE.format("one"))
    policy = watched(path)
    other.write_text(RULE.format("two"))
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.rename(path)
    assert policy.look()
    assert rules(policy) == ["two"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("version = 1\n[targt]\n", "line 2, column 2: there is no key"),
        ('version = 1\n[target]\nfree = "1GB"\n', "a watcher needs a target that begins when space is short"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_one_that_does_not_hold_is_refused_once_and_the_earlier_one_stays(
    tmp_path: Path, text: str | None, problem: str
) -> None:
    path = tmp_path / "p.toml"
    path.write_text(RULE.format("one"))
    policy = watched(path)
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    assert policy.look()
    assert policy.problem is not None
    assert problem in policy.problem
    assert rules(policy) == ["one"]
    assert not policy.look()
    path.write_text(RULE.format("three"))
    assert policy.look()
    assert rules(policy) == ["three"]
    assert watched(path).problem is None


def test_where_there_was_no_file_one_may_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    policy = watched(None)
    assert policy.policy.source == "the default policy"
    (tmp_path / "dockersweep").mkdir()
    (tmp_path / "dockersweep" / "dockersweep.toml").write_text(RULE.format("mine"))
    assert policy.look()
    assert rules(policy) == ["mine"]


def test_flags_hold_for_what_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(RULE.format("one"))
    policy = watched(path, keep_names=("db-*",))
    path.write_text(RULE.format("two"))
    assert policy.look()
    assert [one.pattern for one in policy.policy.protections.names] == ["db-*"]


def test_at_the_start_it_has_to_hold(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text("version = 1\n[targt]\n")
    with pytest.raises(PolicyError):
        watched(path)
    with pytest.raises(UsageError, match="frees a number of bytes"):
        watched("default", free_bytes=5)
