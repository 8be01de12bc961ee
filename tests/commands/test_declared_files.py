"""Compose files of a policy beside a saved inventory: what is told of them, and what an error is."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dockersweep.commands.declared_files import read_declarations
from dockersweep.errors import DeclaredFileError
from dockersweep.ledger import FILE_NAME, Ledger
from dockersweep.model.policy import Protections
from tests.commands.calling import save
from tests.rig.inventories import network, volume
from tests.rig.running import dockersweep

RULES = """
[[rule]]
name = "all"
kind = ["volume", "network"]
everything = true
remove.older_than = "0s"
"""


@pytest.fixture
def inventory(tmp_path: Path) -> str:
    return save(tmp_path, volume("shop_data"), volume("other"), network("shop_default"))


def policy(folder: Path, protect: str) -> str:
    path = folder / "policy.toml"
    path.write_text(f"version = 1\n[protect]\n{protect}\n{RULES}")
    return str(path)


def shop(folder: Path, text: str) -> Path:
    own = folder / "shop"
    own.mkdir()
    path = own / "compose.yaml"
    path.write_text(text)
    return path


def test_plan_of_a_saved_inventory_reads_the_files_of_this_machine(tmp_path: Path, inventory: str) -> None:
    path = shop(tmp_path, "services:\n  db: {image: 'db:1', volumes: ['data:/d']}\nvolumes:\n  data:\n")
    own = policy(tmp_path, f'compose_files = "{path}"')
    plan = dockersweep("plan", "--policy", own, "--inventory", inventory, "--format", "json").json()
    kept = {one["name"]: one["reasons"] for one in plan["decisions"] if one["verdict"] == "keep"}
    assert set(kept) == {"shop_data", "shop_default"}
    [reason] = kept["shop_data"]
    assert (reason["code"], reason["text"]) == ("protected", f"declared by {path} (service db)")
    assert reason["about"] == {
        "what": "declared-by", "path": str(path), "line": 4, "by": "service db", "project": "shop"
    }  # fmt: skip


def test_what_could_not_be_told_from_files_is_a_warning(tmp_path: Path, inventory: str) -> None:
    path = shop(tmp_path, "include: ['oci://example.com/x:1']\nservices: {}\n")
    own = policy(tmp_path, f'compose_files = ["{path}", "{tmp_path}/none/*.yaml"]')
    plan = dockersweep("plan", "--policy", own, "--inventory", inventory, "--format", "json").json()
    told = [one["text"] for one in plan["warnings"] if one["about"] == "declared files"]
    assert told == [
        f"{path}:1: it includes oci://example.com/x:1, which is not fetched",
        f"{tmp_path}/none/*.yaml matches no file",
    ]
    # Anything with the prefix of the project may be declared there.
    assert {one["name"] for one in plan["decisions"] if one["verdict"] == "remove"} == {"other"}


def test_policy_check_tells_what_is_wrong_with_declared_files(tmp_path: Path, inventory: str) -> None:
    text = "services:\n  a: {image: 'a:${TAG}', build: .}\n"
    path = shop(tmp_path, text)
    whole = policy(tmp_path, f'compose_files = ["{path}", "{tmp_path}/none/*.yaml"]\nquadlets = "{tmp_path}/none"')
    broken = dockersweep("policy", "check", "--policy", whole)
    assert (broken.status, broken.stdout.splitlines()[0]) == (
        2, f"{whole}:4:12: {tmp_path}/none: does not exist, but the policy names it"
    )  # fmt: skip
    own = policy(tmp_path, f'compose_files = ["{path}", "{tmp_path}/none/*.yaml"]')
    notes = [
        f'note: {path}:2: "a:${{TAG}}" has a variable without a value: every name that fits is kept',
        f"note: {path}:2: there is no {path.parent}/Dockerfile: the images it builds on are not protected",
        f"note: {tmp_path}/none/*.yaml matches no file",
    ]
    for flags in ((), ("--inventory", inventory)):
        checked = dockersweep("policy", "check", "--policy", own, *flags)
        assert (checked.status, checked.stdout.splitlines()[:3]) == (0, notes)
    for wrong in (path.parent, f"{tmp_path}/*.toml"):
        own = policy(tmp_path, f'compose_files = "{wrong}"')
        checked = dockersweep("policy", "check", "--policy", own, "--format", "json")
        assert (checked.status, checked.json()["notes"]) == (2, [])
        [problem] = checked.json()["problems"]
        assert (problem["line"], problem["column"]) == (3, 17)


def test_policy_check_knows_a_pattern_that_matches_no_longer(tmp_path: Path, inventory: str) -> None:
    path = shop(tmp_path, "services: {}\n")
    own = policy(tmp_path, f'compose_files = "{tmp_path}/*/compose.yaml"')
    assert dockersweep("policy", "check", "--policy", own).stdout == ""
    path.unlink()
    checked = dockersweep("policy", "check", "--policy", own)
    assert checked.status == 2
    assert checked.stdout.startswith(
        f"{own}:3:17: {tmp_path}/*/compose.yaml: matches no file, but did in an earlier run"
    )
    unremembered = dockersweep("policy", "check", "--policy", own, "--no-ledger")
    assert (unremembered.status, unremembered.stdout) == (0, f"note: {tmp_path}/*/compose.yaml matches no file\n")


def test_many_notes_are_told_together(tmp_path: Path, inventory: str) -> None:
    services = "\n".join(f"  s{number}: {{image: 'a:${{V{number}}}'}}" for number in range(50))
    path = shop(tmp_path, f"services:\n{services}\n")
    own = policy(tmp_path, f'compose_files = "{path}"')
    plan = dockersweep("plan", "--policy", own, "--inventory", inventory, "--format", "json").json()
    told = [one["text"] for one in plan["warnings"] if one["about"] == "declared files"]
    assert len(told) == 21
    assert told[-1] == "and 30 more like these"


@pytest.mark.parametrize("verb", ["plan", "explain volume:other", "report"])
def test_an_error_ends_with_2_and_says_where(tmp_path: Path, inventory: str, verb: str) -> None:
    path = shop(tmp_path, "services:\n  a: {image: [\n")
    own = policy(tmp_path, f'compose_files = "{path}"')
    run = dockersweep(*verb.split(), "--policy", own, "--inventory", inventory)
    assert (run.status, run.stdout) == (2, "")
    assert run.stderr.startswith(f"dockersweep: {path}:3: not valid YAML")


def test_an_odd_name_cannot_write_to_the_terminal(tmp_path: Path, inventory: str) -> None:
    path = shop(tmp_path, 'services: {a: {image: "${\\e[31mX:?\\e[0m}"}}\n')
    run = dockersweep("plan", "--policy", policy(tmp_path, f'compose_files = "{path}"'), "--inventory", inventory)
    assert run.status == 2
    assert "\x1b" not in run.stderr


def test_a_pattern_that_matches_in_every_run_is_not_forgotten(tmp_path: Path) -> None:
    """A file system that is not mounted must not take its protections away, however long the pattern is known."""
    path = shop(tmp_path, "services: {a: {image: 'a:1'}}\n")
    protections = Protections(compose_files=(f"{tmp_path}/*/compose.yaml",))
    ledger = Ledger(tmp_path / "ledger")
    read_declarations(protections, ledger, False)
    for image in ("b:1", "c:1"):
        with closing(sqlite3.connect(tmp_path / "ledger" / FILE_NAME)) as database, database:
            database.execute("UPDATE declared_files SET read_at = read_at - 60 * 86400")
        path.write_text(f"services: {{a: {{image: '{image}'}}}}\n")
        declared = read_declarations(protections, ledger, False)
        assert image in {one.name for one in declared.objects}
    path.unlink()
    with pytest.raises(DeclaredFileError, match="matches no file, but did in an earlier run"):
        read_declarations(protections, ledger, False)
    ledger.close()


def test_scan_reads_no_file(tmp_path: Path, inventory: str) -> None:
    own = policy(tmp_path, f'compose_files = "{tmp_path}/none.yaml"')
    run = dockersweep("scan", "--inventory", inventory, DOCKERSWEEP_POLICY=own)
    assert run.status == 0, run.stderr


def test_policy_show_tells_the_files(tmp_path: Path) -> None:
    own = policy(tmp_path, 'compose_files = "/srv/*/compose.yaml"\nquadlets = true')
    told = dockersweep("policy", "show", "--policy", own).stdout
    assert "what the compose files /srv/*/compose.yaml declare (protect.compose_files)" in told.replace("\n", " ")
    assert "what quadlets in the standard folders declare (protect.quadlets)" in told.replace("\n", " ")


@pytest.mark.parametrize(
    ("protect", "problem"),
    [
        ('compose_files = "compose.yaml"', '"compose.yaml" is not an absolute path'),
        ("compose_files = true", "protect.compose_files must be"),
        ("quadlets = 5", "protect.quadlets must be true or false"),
        ("quadlets = []", "protect.quadlets is an empty list"),
    ],
)
def test_what_a_policy_may_not_say(tmp_path: Path, protect: str, problem: str) -> None:
    run = dockersweep("policy", "check", "--policy", policy(tmp_path, protect))
    assert problem in run.stdout
