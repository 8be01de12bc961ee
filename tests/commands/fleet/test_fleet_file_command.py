"""A fleet file on the command line: each host is asked as it says, and none where anything in it is wrong."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.calling import BROKEN
from tests.rig.fake_containers import with_containers
from tests.rig.fake_engine import FakeEngine, fake_engine
from tests.rig.policies import VERSION, rule_text
from tests.rig.running import dockersweep

OLD = VERSION + rule_text("old", "container", 'remove.older_than = "1d"')
NONE = VERSION + "removes_nothing = true\n"


@pytest.fixture
def two() -> Iterator[list[FakeEngine]]:
    with fake_engine() as first, fake_engine() as second:
        for engine, name in ((first, "web"), (second, "db")):
            with_containers(engine, name)
        yield [first, second]


def write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o644)


def write_fleet(folder: Path, two: list[FakeEngine]) -> str:
    """Write a fleet file of both engines, the first with a policy of its own, and return its path."""
    write(folder / "default.toml", OLD)
    write(folder / "own.toml", NONE)
    first, second = two
    write(
        folder / "fleet.toml",
        'version = 1\n[defaults]\npolicy = "default.toml"\n'
        f'[[host]]\nname = "first"\nhost = "{first.url}"\npolicy = "own.toml"\ngroups = ["a"]\n'
        f'[[host]]\nname = "second"\nhost = "{second.url}"\n',
    )
    return str(folder / "fleet.toml")


def test_each_host_has_its_policy(tmp_path: Path, two: list[FakeEngine]) -> None:
    run = dockersweep("plan", "--fleet", write_fleet(tmp_path, two), "--format", "json")
    assert run.status == 0, run.stderr
    hosts = json.loads(run.stdout)["hosts"]
    assert [(host["name"], host["groups"], host["address"]) for host in hosts] == [
        ("first", ["a"], two[0].url),
        ("second", [], two[1].url),
    ]
    removals = [[removal["name"] for removal in host["document"]["removals"]] for host in hosts]
    assert removals == [[], ["db"]]


def test_only_selected_hosts_are_asked(tmp_path: Path, two: list[FakeEngine]) -> None:
    path = write_fleet(tmp_path, two)
    run = dockersweep("scan", "--fleet", path, "--group", "a", "--format", "json")
    assert [host["name"] for host in json.loads(run.stdout)["hosts"]] == ["first"]
    assert two[0].asked
    assert not two[1].asked


def test_nothing_is_asked_where_anything_is_wrong(tmp_path: Path, two: list[FakeEngine]) -> None:
    path = write_fleet(tmp_path, two)
    write(tmp_path / "own.toml", BROKEN)
    with open(path, "a") as file:
        file.write('x = 1\n[[host]]\nname = "second"\ncontext = "nope"\n')
    run = dockersweep("sweep", "--yes", "--fleet", path)
    assert (run.status, run.stdout) == (2, "")
    assert [line.removeprefix(f"dockersweep: {path}:").split(": ")[0] for line in run.stderr.splitlines()] == [
        "7:10",
        "12:1",
        "14:8",
        "15:11",
    ]
    assert not two[0].asked
    assert not two[1].asked


def test_a_slip_in_the_selection_is_an_error(tmp_path: Path, two: list[FakeEngine]) -> None:
    path = write_fleet(tmp_path, two)
    for flags, message in (
        (("--not", "frist"), '--not frist matches no host; did you mean "first"?'),
        (("--group", "b"), "--group b: no host is in this group; groups: a"),
    ):
        run = dockersweep("plan", "--fleet", path, *flags)
        assert (run.status, run.stdout, run.stderr) == (2, "", f"dockersweep: {message}\n")
    assert not two[0].asked
