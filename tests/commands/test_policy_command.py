"""The verbs of policies as users meet them: init, check, show and test."""

import json
import os
import stat
import tomllib
from pathlib import Path

import jsonschema
import pytest

from tests.commands.calling import BROKEN, IMAGES, SCRATCH, Caller, save
from tests.rig.inventories import container, image, network, volume
from tests.rig.policies import VERSION

EVIL = '\x1b[31mred\u202e\n"x"'
SITUATIONS = sorted((Path(__file__).parents[1] / "situations").glob("*.toml"))


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
                reason["text"] = reason["text"].partition(" (add --")[0]
                reason.get("about", {}).pop("flag", None)
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


NO_RULE = "note: target: there is no [[rule]], so nothing but the target removes anything"
ONLY_HERE = "note: target: it may remove images that exist only here"


@pytest.mark.parametrize(
    ("more", "notes"),
    [
        ("", [NO_RULE, ONLY_HERE]),
        ('order = ["build-cache"]', [NO_RULE]),
        ("spare_registry_less = false", [NO_RULE]),
        ('spare_registry_less = "never"', [NO_RULE]),
        ("[archive]", [NO_RULE]),
        (IMAGES, [ONLY_HERE]),
    ],
    ids=["target alone", "no images", "accepted", "spared", "archived", "a rule"],
)
def test_check_notes_what_a_target_does_that_may_not_be_expected(call: Caller, more: str, notes: list[str]) -> None:
    path = call.policy(f'{VERSION}[target]\nmin_free = "1GB"\n{more.removeprefix(VERSION)}\n')
    said = call("policy", "check", "--policy", path)
    assert said.status == 0
    assert [line[: len(note)] for line, note in zip(said.out.splitlines(), notes, strict=True)] == notes


def test_init_writes_over_nothing(call: Caller) -> None:
    path = call.policy(SCRATCH)
    said = call("policy", "init", "-o", path)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith(f"dockersweep: {path} already exists, not overwritten")
    assert Path(path).read_text() == SCRATCH
    assert call("policy", "init", "-o", str(call.folder)).status == 2
    assert call("policy", "init", "-o", "/none/x").err.endswith("No such file or directory\n")


def test_init_takes_neither_json_nor_a_folder(call: Caller) -> None:
    assert "policy init writes TOML" in call("policy", "init", "--format", "json").err
    assert "policy init takes no operand: write the file with -o x" in call("policy", "init", "x").err


# policy check


def test_check_tells_each_problem_with_its_place(call: Caller) -> None:
    path = call.policy(BROKEN)
    said = call("policy", "check", "--policy", path)
    lines = said.out.splitlines()
    assert (said.status, said.err) == (2, "".join(f"dockersweep: {line}\n" for line in lines))
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
    text = SCRATCH + IMAGES.removeprefix(VERSION) + '[protect]\nnames = ["prod-*"]\n'
    path = call.policy(text.replace("scratch-*", "tmp-*"))
    said = call("policy", "check", "--policy", path, "--inventory", saved)
    assert said.out.splitlines() == [
        'note: the rule "scratch volumes" matches none of the 3 objects of the kind volume',
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
[archive]
folder = "/srv/archive"
kinds = ["volume", "container"]
keep_for = "13d"
max_size = "21GB"
min_free = "11%"
when_full = "remove"
[watch]
sweep = "every 7h"
splay = "17m"
settle = "3m"
settle_at_most = "33m"
backoff = "44m"
"""
SHOWN = (
    "keep;env=prod;prod-*;base/*;billing;1 hour;500 objects;200 GB;60%;*app*;team/app;tag v*;sha256:12*;a or b=c;shop;"
    "with a tag;cannot be pulled again;larger than 1.00 MB;smaller than 9.00 GB;except those with the label pinned;"
    "each value of the label team;newest 5 images;30 days older;last 1 hour;last 2 days;last 3 weeks;"
    "last 4 months;all years;"
    "tags stable;last 6;last 7;older than 8 days;unused for 9 days;2026-01-01;2026-02-01;built more than 10 days ago;"
    "exited or dead;0 or 137;do not restart by themselves;stopped for 11 days;driver local;type=nfs;with mount options;"
    "anonymous;older than 12 days;source.local;whatever the age;85%;70%;90%;80%;build-cache records and images;"
    "never removed;younger than 2 hours;containers, volumes and images that no registry is known to have;/srv/archive;"
    "13 days;at most 21GB;11% of its disk;removed without an archive;Everything else is kept.;"
    "every 7h, up to 17 minutes later;for 3 minutes;at most 33 minutes;for 44 minutes"
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


@pytest.mark.parametrize(
    ("kind", "rule", "said"),
    [
        ("image", "keep.last = 3", "Images without a repository count as one more group."),
        ("image", 'match.repository = "app"\nkeep.last = 3', None),
        ("image", 'keep.last = 3\nkeep.group_by = "none"', None),
        ("image", 'keep.tags = "v*"', None),
        (
            "volume",
            'keep.last = 3\nkeep.group_by = "project"',
            "Volumes of no compose project count as one more group.",
        ),
        (
            "volume",
            'keep.daily = 3\nkeep.group_by = "label:app"',
            "Volumes without the label app count as one more group.",
        ),
    ],
)
def test_show_says_what_has_no_name_to_be_grouped_by(call: Caller, kind: str, rule: str, said: str | None) -> None:
    text = f'{VERSION}[[rule]]\nname = "some"\nkind = "{kind}"\n{rule}\nremove.older_than = "1d"\n'
    shown = call("policy", "show", "--policy", call.policy(text)).out
    assert [line.strip() for line in shown.splitlines() if "one more group" in line] == ([said] if said else [])


def test_show_tells_what_the_flags_of_an_archive_change(call: Caller) -> None:
    path = call.policy(SCRATCH)
    shown = " ".join(call("policy", "show", "--policy", path, "--archive", "--only-recoverable").out.split())
    assert "containers, volumes and images that no registry is known to have go into the archive in the state" in shown
    assert "stay there for 14 days. 10% of its disk stay free. What it has no room for is kept." in shown
    assert "What nothing brings back once it is removed is kept." in shown
    here = call("policy", "show", "--policy", path, "--archive", "./kept", "--format", "json").json()["archive"]
    assert here["folder"] == str(Path.cwd() / "kept")
    without = call("policy", "show", "--policy", call.policy(EVERYTHING), "--no-archive", "--format", "json").json()
    assert without["archive"] is None


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("plan.json", 'argument --archive: "plan.json" is not a path: write ./plan.json for a folder here'),
        ("/a\x1b[31m", "argument --archive: the path has control characters"),
    ],
)
def test_what_follows_the_flag_of_an_archive_has_to_be_a_path(call: Caller, folder: str, said: str) -> None:
    run = call("apply", "--archive", folder)
    assert (run.status, said in run.err) == (2, True), run.err


def test_show_tells_what_flags_change(call: Caller) -> None:
    path = call.policy(SCRATCH)
    flags = ("--older-than", "9d", "--kind", "volume", "--keep-name", "x*", "--keep-label", "y", "--max-share", "5%")
    shown = call("policy", "show", "--policy", path, *flags).out
    for said in (
        "and command-line flags",
        "older than 9 days",
        "Only volumes",
        "x* (--keep-name)",
        "y (--keep-label)",
        "5%",
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
    assert "policy test needs a folder with cases" in call("policy", "test").err
    assert call("policy", "test", str(call.folder / "none")).status == 2
    (call.folder / "empty").mkdir()
    assert "there is no case in" in call("policy", "test", str(call.folder / "empty")).err


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
        f"{VERSION}[protect]\nnames = [{json.dumps(EVIL + '-not-there')}]\n[limits]\nobjects = 0\n"
        f'[[rule]]\nname = {evil}\nkind = ["volume", "network", "container"]\nmatch.name = {evil}\n'
        f'remove.older_than = "1d"\n[[rule]]\nname = "tags"\nkind = "image"\nmatch.tag = "1"\n'
        f'remove.older_than = "1d"\n'
        f'[target]\nfree = "1GB"\n'
    )
    flags = ("--policy", path, "--inventory", saved)
    broken = call.policy(f"{VERSION}{evil} = 1\n[[rule]]\nname = 1\nkind = {evil}\n", tmp_path / "broken.toml")
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


def test_a_key_of_a_thousand_parts_is_no_traceback(call: Caller) -> None:
    assert call("policy", "check", "--policy", call.policy(VERSION + ".".join(["a"] * 1000) + " = 1\n")).status == 2


def test_a_file_can_be_named_as_the_operand(call: Caller, tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text('version = 1\n[[rule]]\nname = "x"\nkind = "image"\nremove.older_than = "1d"\neverything = true\n')
    for action in ("check", "show"):
        assert call("policy", action, str(file)) == call("policy", action, "--policy", str(file))
        both = call("policy", action, str(file), "--policy", "default")
        assert (both.status, both.out) == (2, "")
        assert "name a policy file each: give one of them" in both.err
