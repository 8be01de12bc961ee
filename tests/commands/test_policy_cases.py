"""`policy test`: what it says of cases that pass, fail, do not hold or are not there."""

from pathlib import Path

import pytest

from dockersweep.commands import policy_test
from dockersweep.errors import UsageError
from dockersweep.model.policy import Policy
from dockersweep.policy.language.reading import read_policy
from dockersweep.report.policy_cases import cases_text
from dockersweep.words.documents import write_document
from tests.commands.calling import Caller
from tests.rig.inventories import container, inventory

POLICY = """
[[policy.rule]]
name = "two of each"
kind = "image"
match.repository = "app"
keep.last = 2
remove.older_than = "1d"
"""
IMAGES = """
[[image]]
tags = "app:1"
built = "3d"
expect = "remove"
why = "two of each: first seen"

[[image]]
tags = "app:2"
built = 2026-11-22
expect = "keep"
why = ["2nd newest", "of app"]

[[image]]
tags = ["app:3", "app:latest"]
built = 2026-11-23T12:00:00Z
expect = "keep"
"""
HEAD = """shows = "keeps the newest two"
now = 2026-11-24T12:00:00Z
"""
VOLUME = """
[[volume]]
name = "data"
expect = "keep"
"""
DISK = "[[disk]]\ntotal = '1GB'\nfree = '1MB'\n"
RULE = '[[rule]]\nname = "all"\nkind = "volume"\neverything = true\nremove.older_than = "1d"\n'


def run_cases(directory: str, policy: Policy | None) -> tuple[str, bool]:
    """The results as they are told, and whether all have passed."""
    results, _ = policy_test.run_cases(directory, policy)
    return cases_text(results, None), all(one.result == "passed" for one in results)


def told(folder: Path, text: str, name: str = "case.toml") -> str:
    """What is told of one case, which does not pass, without its first and its last line."""
    (folder / name).write_text(text)
    output, passed = run_cases(str(folder), None)
    assert not passed
    return "\n".join(line.strip() for line in output.splitlines()[1:-1])


def passes(folder: Path, text: str) -> None:
    (folder / "case.toml").write_text(text)
    output, passed = run_cases(str(folder), None)
    assert passed, output


def test_a_case_that_passes_is_told_by_what_it_shows(tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text(HEAD + POLICY + IMAGES)
    output, passed = run_cases(str(tmp_path), None)
    assert passed
    assert output == "ok      keeps the newest two (case.toml)\n1 case: 1 passed, 0 failed\n"


def test_a_case_that_fails_is_told_with_the_reasons(tmp_path: Path) -> None:
    text = (HEAD + POLICY + IMAGES).replace('expect = "keep"\nwhy', 'expect = "remove"\nwhy')
    (tmp_path / "case.toml").write_text(text)
    output, passed = run_cases(str(tmp_path), None)
    assert not passed
    assert output == (
        "FAILED  keeps the newest two (case.toml)\n"
        "        image app:2: expected remove, is kept: two of each: 2nd newest of app (keep.last)\n"
        "1 case: 0 passed, 1 failed\n"
    )


def test_a_reason_that_is_not_given_is_told(tmp_path: Path) -> None:
    line = told(tmp_path, (HEAD + POLICY + IMAGES).replace("2nd newest", "2nd daily (keep.daily)"))
    assert (
        line == 'image app:2: expected "2nd daily (keep.daily)" in the reasons, which are: '
        "two of each: 2nd newest of app (keep.last)"
    )


def test_a_tag_that_should_go_and_does_not_is_told(tmp_path: Path) -> None:
    text = (HEAD + POLICY + IMAGES).replace('built = 2026-11-23T12:00:00Z\nexpect = "keep"', 'expect = "untag app:3"')
    lines = told(tmp_path, text.replace('built = "3d"', 'built = "40d"'))
    assert "image app:3: expected untag app:3, is kept: two of each: 2nd newest of app (keep.last)" in lines


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("shws = 1", 'there is no key "shws" in a case; did you mean "shows"?'),
        (
            "[[image]]\nnme = 1\nexpect = 'keep'",
            'line 12, column 1: there is no key "nme" in image; did you mean "name"?',
        ),
        (
            "[[image]]\ntags = 1\nexpect = 'keep'",
            "line 12, column 8: image.tags cannot be the number 1: expected str | array, got int",
        ),
        ("[[image]]\ntags = 'a:1'", "line 11, column 1: say what is expected of this image: write expect"),
        ("[[volume]]\nexpect = 'keep'", "line 11, column 1: name is missing in volume"),
        ("[[volume]]\nname = 'v'\nexpect = 'kept'", 'volume v: there is no verdict "kept"; did you mean "keep"?'),
        ("[[volume]]\nname = 'v'\nexpect = []", "volume v: there is no verdict that is empty"),
        ("[[image]]\nexpect = 'keep'", "an image without tags needs a name"),
        ("[[image]]\ntags = 'a:1'\nexpect = 'untag a:2'", "image a:1: it has no tag a:2 to lose; it has a:1"),
        ("[[image]]\ntags = 'a:1'\nbuilt = '3x'\nexpect = 'keep'", 'a:1: built: "3x" is not an age'),
        ("[[image]]\ntags = 'a:1'\nbuilt = '2026-13-01'\nexpect = 'keep'", "2026-13-01 is not a date"),
        ("[[image]]\ntags = 'a:1'\nbuilt = 3\nexpect = 'keep'", 'write an age like "3d", a date'),
        ("[[image]]\ntags = 'a:1'\nsize = '3'\nexpect = 'keep'", 'a:1: size: "3" is not a size'),
        (
            "[[container]]\nname = 'c'\nstate = 'exitd'\nexpect = 'keep'",
            'container.state cannot be the text "exitd"; did you mean "exited"?',
        ),
        ("[[container]]\nname = 'c'\nstate = 'running'\nfinished = '1d'\nexpect = 'keep'", "has not finished"),
        ("[[volume]]\nname = 'v'\nexpect = 'keep'\n" * 2, "v stands in the case 2 times"),
        ("[[image]]\ntags = 'a:1'\nexpect = 'keep'\n" * 2, "two images of the case are called a:1"),
        ("[[expect]]\nobject = 'image ap:1'\nverdict = 'keep'", 'there is no "image ap:1" in the inventory'),
        ("[volume]\nname = 'v'", "there can be several of volume: begin each with [[volume]]"),
        (
            "[[volume]]\nname = 'v'\nuses = [{ at = 'unknown' }]\nexpect = 'keep'",
            "v: uses.at: write when it was, an age or a date",
        ),
        ("[[volume]]\nname = 'v'\nuses = [{ at = '1q' }]\nexpect = 'keep'", 'v: uses.at: "1q" is not an age'),
        ("[[volume]]\nname = 'v'\nuses = [{ at = '1d', action = 'flew' }]\nexpect = 'keep'", "cannot be the text"),
        ("[[watched]]\nbegins = '1d'\nends = '2d'" + VOLUME, "watched: it begins at 1d and ends before that, at 2d"),
        ("[[watched]]\nends = '2d'" + VOLUME, "begins is missing in watched"),
        ("[plan]\nremvoes = 1", 'there is no key "remvoes" in plan; did you mean "removes"?'),
        ("[plan]\nremoves = -1", "line 12, column 11: plan.removes cannot be the number -1: expected int >= 0"),
        ("[plan]\ngives_back = '3'", 'plan.gives_back: "3" is not a size'),
        ("[plan]\ngives_back = ['1MB', '2MB', '3MB']", "plan.gives_back must be a size"),
        ("[[disk]]\ntotl = '1GB'", 'line 12, column 1: there is no key "totl" in disk; did you mean "total"?'),
        ("[disk]\ntotal = '1GB'\nfree = 'x'" + VOLUME, 'disk: "x" is not a size'),
        (f"{DISK}holds = 'volumes'", 'disk.holds cannot be the text "volumes"; did you mean "volume"?'),
        (f"{DISK}{DISK}" + VOLUME, "of several disks each needs a name"),
        (
            f"{DISK}mount_point = '/a'\n{DISK}mount_point = '/b'\n" + VOLUME,
            "of several disks all but the first say what lies on them",
        ),
        (
            f"{DISK}mount_point = '/a'\n{DISK}mount_point = '/a'\nholds = 'image'\n" + VOLUME,
            "mount_point /a is of two disks",
        ),
        (
            f"{DISK}mount_point = '/a'\nholds = 'image'\n{DISK}mount_point = '/b'\nholds = ['image']\n" + VOLUME,
            "image is of two disks",
        ),
        ("", "the case expects nothing: write objects like [[image]] with their expect"),
        ("[[policy.rule]]\nname = 'x'\nkind = 'image'\nmatch.nme = 'x'", "line 14, column 7: there is no key"),
        ("now = 3", "line 10, column 1: now has a value already (line 2): it can be"),
    ],
)
def test_a_case_that_does_not_hold_is_broken(tmp_path: Path, wrong: str, says: str) -> None:
    at_the_top = wrong.startswith("shws")
    text = f"{wrong}\n{HEAD}{POLICY}{VOLUME}" if at_the_top else f"{HEAD}{POLICY}\n{wrong}\n"
    if wrong.startswith("now"):
        text = f"{HEAD}\n\n\n\n\n\n\n{wrong}\n"
    assert says in told(tmp_path, text)


def test_all_that_is_wrong_is_told_and_the_other_cases_run(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "case.toml").write_text(HEAD + POLICY + IMAGES)
    (tmp_path / "bad.toml").write_text(f"{HEAD}{POLICY}\n[[volume]]\nnme = 1\n")
    output, passed = run_cases(str(tmp_path), None)
    assert not passed
    assert output.splitlines()[0] == "BROKEN  bad.toml"
    assert output.count("line 11, column 1: name is missing in volume") == 1
    assert output.count('there is no key "nme" in volume') == 1
    assert "ok      keeps the newest two (good/case.toml)" in output
    assert output.endswith("2 cases: 1 passed, 0 failed, 1 broken\n")


def test_a_case_takes_the_policy_that_is_given(tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text(HEAD + VOLUME)
    removing = read_policy(f"version = 1\n{RULE}".encode(), "the policy in x")
    output, passed = run_cases(str(tmp_path), removing)
    assert not passed
    assert "volume data: expected keep, is removed: all: first seen 30 days ago (limit 1 day)" in output


def test_a_case_names_its_policy_by_a_path_seen_from_itself(tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()
    (tmp_path / "dockersweep.toml").write_text(f"version = 1\n{RULE}")
    text = f'{HEAD}policy = "../dockersweep.toml"\n{VOLUME}'
    assert "is removed: all: " in told(tmp_path / "cases", text)


def test_a_case_can_ask_for_the_default_policy(tmp_path: Path) -> None:
    passes(tmp_path, f'{HEAD}policy = "default"\n{VOLUME}')


def test_a_case_without_a_policy_says_so(tmp_path: Path) -> None:
    assert "the case names no policy, and none is given" in told(tmp_path, HEAD + VOLUME)


def test_a_policy_in_a_case_stands_in_tables_of_its_own(tmp_path: Path) -> None:
    line = told(tmp_path, f"{HEAD}policy = {{ removes_nothing = true }}\n{VOLUME}")
    assert "the policy of a case must stand in tables of its own" in line


def test_a_policy_in_a_case_may_be_written_as_in_a_file(tmp_path: Path) -> None:
    policy = """
[policy] # as it is in force
version = 1

[ policy . protect ]  # wins
names = [
    "prod-*", # of the shop
    "[ab]",
]

[[policy.rule]]
name = "[[volume]]"
kind = "volume"
everything = true
[policy.rule.remove]
older_than = "1d"
"""
    passes(tmp_path, (HEAD + policy + VOLUME.replace("data", "a")).replace("\n", "\r\n"))


@pytest.mark.parametrize("named", ["missing.toml", "."])
def test_a_policy_that_cannot_be_read_is_named(tmp_path: Path, named: str) -> None:
    line = told(tmp_path, f'{HEAD}policy = "{named}"\n{VOLUME}')
    assert line.startswith(str(tmp_path))
    assert "cannot be read: " in line


def test_an_inventory_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    text = f'{HEAD}policy = "default"\ninventory = "scan.json"\n{VOLUME}'
    assert f"{tmp_path}/scan.json cannot be read: No such file or directory" in told(tmp_path, text)
    (tmp_path / "scan.json").write_text("{}")
    assert f'{tmp_path}/scan.json has no "schema"' in told(tmp_path, text)


def test_a_saved_inventory_lies_on_one_disk_where_a_case_writes_one(tmp_path: Path) -> None:
    (tmp_path / "scan.json").write_text(write_document(inventory(container("job", "running"))))
    head = f'{HEAD}inventory = "scan.json"\n'
    target = '[policy.target]\nstart_above = "80%"\n[plan]\ntarget = "not reached"\n'
    passes(tmp_path, f"{head}{DISK}{target}")
    two = f"{head}{DISK}mount_point = '/'\n{DISK}mount_point = '/b'\nholds = 'image'\n{target}"
    assert "a saved inventory are not told apart by disk" in told(tmp_path, two)


def test_objects_of_a_saved_inventory_are_named(tmp_path: Path) -> None:
    (tmp_path / "scan.json").write_text(write_document(inventory(container("job"), container("web", "running"))))
    head = f'{HEAD}policy = "default"\ninventory = "scan.json"\n'
    passes(tmp_path, f"{head}[[expect]]\nobject = 'container job'\nverdict = 'remove'\n[plan]\nothers = 'keep'\n")
    line = told(tmp_path, f"{head}[[expect]]\nobject = 'container jobs'\nverdict = 'remove'\n")
    assert line == 'there is no "container jobs" in the inventory; did you mean container:job?'
    passes(tmp_path, f"{head}[[expect]]\nobject = 'job'\nverdict = 'remove'\n")
    line = told(tmp_path, f"{head}[[container]]\nname = 'job'\nid = 'job'\nexpect = 'remove'\n")
    assert line == "job is in the saved inventory already: write [[expect]] for it instead"
    line = told(tmp_path, f"{head}[plan]\nothers = 'keep'\n")
    assert line.startswith("container job: expected keep as of all others, is removed: stopped containers: ")


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ("removes = 2", "expected 2 removals, there are 1: image app:1"),
        ("order = ['image app:2']", "expected the order image app:2, it is: image app:1"),
        ("gives_back = '2MB'", "expected 2.00 MB to be freed, it is 1.00 MB"),
        ("gives_back = ['1MB', 'unknown']", "expected 1.00 MB to unknown to be freed, it is 1.00 MB"),
        ("limits = 'objects'", 'expected "objects" in what is told of limits: nothing is told'),
        ("target = 'reached'", "expected something of the space target, but the policy has none"),
        ("warnings = 'x'", 'expected "x" in the warnings: nothing is told'),
    ],
)
def test_what_differs_in_the_plan_as_a_whole_is_told(tmp_path: Path, plan: str, says: str) -> None:
    assert told(tmp_path, f"{HEAD}{POLICY}{IMAGES}\n[plan]\n{plan}\n") == says


def test_a_limit_of_which_the_case_does_not_speak_must_not_be_exceeded(tmp_path: Path) -> None:
    text = f"{HEAD}{POLICY}\n[policy.limits]\nobjects = 0\n{IMAGES}"
    assert told(tmp_path, text).startswith("expected no limit to be exceeded, but: ")


def test_a_policy_beside_its_cases_is_no_case(tmp_path: Path) -> None:
    (tmp_path / "dockersweep.toml").write_text(f"version = 1\n{RULE}")
    (tmp_path / ".hidden.toml").write_text("nonsense")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.toml").write_text("nonsense")
    passes(tmp_path, HEAD + POLICY + IMAGES)


def test_files_of_other_tools_are_skipped_and_noted(call: Caller) -> None:
    (call.folder / "src").mkdir()
    (call.folder / "src" / "pyproject.toml").write_text('[project]\nname = "\\u202eshop"\n')
    (call.folder / "empty.toml").write_text("")
    (call.folder / "case.toml").write_text(HEAD + POLICY + IMAGES)
    said = call("policy", "test", str(call.folder))
    assert (said.status, said.out) == (0, "ok      keeps the newest two (case.toml)\n1 case: 1 passed, 0 failed\n")
    assert said.err == "note: neither a case nor a policy, skipped: empty.toml, src/pyproject.toml\n"
    # What has a key of a case is meant as one, and so is what is named.
    (call.folder / "src" / "broken.toml").write_text(VOLUME)
    said = call("policy", "test", str(call.folder))
    assert (said.status, "BROKEN  src/broken.toml\n" in said.out) == (2, True)
    assert call("policy", "test", str(call.folder / "src" / "pyproject.toml")).out.startswith(
        "BROKEN  pyproject.toml\n"
    )


def test_results_fit_a_terminal(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (HEAD + POLICY + IMAGES).replace('expect = "keep"\nwhy', 'expect = "remove"\nwhy')
    (call.folder / "case.toml").write_text(text.replace("keeps the newest two", "keeps the newest two " * 5))
    (call.folder / "shows.toml").write_text(HEAD + POLICY + IMAGES + "\nshws = 1\n")
    (call.folder / "table.toml").write_text((HEAD + POLICY + IMAGES).replace('"2nd newest"', '{ code = "in-use" }'))
    whole = call("policy", "test", str(call.folder)).out
    monkeypatch.setenv("COLUMNS", "60")
    told = call("policy", "test", str(call.folder)).out
    assert " ".join(told.split()) == " ".join(whole.split())
    tables = [line for line in told.splitlines() if " {" in line]
    assert max(len(line) for line in told.splitlines() if line not in tables) <= 60
    # What can be copied is one line.
    assert all(line in whole.splitlines() for line in tables if line.startswith("          { "))
    assert any(line.startswith("          { ") for line in tables)


def test_tags_and_rules_are_named_once(tmp_path: Path) -> None:
    images = IMAGES.replace('tags = "app:1"', 'tags = ["app:1", "kept:1"]').replace(
        '"remove"\nwhy = "two of each: ', '"keep"\nwhy = "'
    )
    assert told(tmp_path, HEAD + POLICY + images) == (
        "image app:1: expected keep, is kept and loses app:1: two of each: "
        "kept:1: the rule matches other tags only; "
        "tag app:1 goes (frees 0 B): first seen 30 days ago (limit 1 day); 3rd newest of app (keep.last = 2)"
    )


def test_a_folder_without_cases_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"there is no case in {tmp_path}: write one as NAME.toml"):
        run_cases(str(tmp_path), None)


def test_one_case_is_run_alone(tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text(HEAD + POLICY + IMAGES)
    (tmp_path / "other.toml").write_text("nonsense")
    output, passed = run_cases(str(tmp_path / "case.toml"), None)
    assert (output, passed) == ("ok      keeps the newest two (case.toml)\n1 case: 1 passed, 0 failed\n", True)
    output, passed = run_cases(str(tmp_path / "other.toml"), None)
    assert (output.startswith("BROKEN  other.toml\n"), passed) == (True, False)


def test_a_policy_is_tested_by_the_cases_beside_it(call: Caller) -> None:
    case = HEAD + VOLUME.replace("keep", "remove")
    (call.folder / "cases").mkdir()
    (call.folder / "cases" / "case.toml").write_text(case)
    policy = call.policy(f"version = 1\n{RULE}", call.folder / "dockersweep.toml")
    said = call("policy", "test", policy)
    assert (said.status, said.err) == (0, ""), said
    assert said.out.endswith("1 case: 1 passed, 0 failed\n")
    # The default policy keeps what has a name.
    assert call("policy", "test", str(call.folder), "--policy", "default").status == 2
    said = call("policy", "test", policy, "--policy", "default")
    assert (said.status, said.out) == (2, "")
    assert "name a policy file each" in said.err


def test_a_policy_is_tested_only_by_cases_that_name_it_or_none(call: Caller) -> None:
    policy = call.policy(f"version = 1\n{RULE}", call.folder / "one.toml")
    call.policy(f"version = 1\n{RULE}", call.folder / "good.toml")
    (call.folder / "other.toml").write_text(f"{HEAD}policy = 'good.toml'\n{VOLUME.replace('keep', 'remove')}")
    (call.folder / "default.toml").write_text(f"{HEAD}policy = 'default'\n{VOLUME}")
    (call.folder / "own.toml").write_text(HEAD + POLICY + IMAGES)
    said = call("policy", "test", policy)
    assert (said.status, said.out) == (2, "")
    assert f'no case in {call.folder} tests {policy}: each has another policy. Write policy = "one.toml" in' in said.err
    (call.folder / "named.toml").write_text(f"{HEAD}policy = './one.toml'\n{VOLUME.replace('keep', 'remove')}")
    said = call("policy", "test", policy)
    assert (said.status, said.out) == (0, "ok      keeps the newest two (named.toml)\n1 case: 1 passed, 0 failed\n")
    said = call("policy", "test", str(call.folder))
    assert said.out.splitlines()[:4] == [
        "ok      keeps the newest two (default.toml), by the default policy",
        f"ok      keeps the newest two (named.toml), by the policy in {call.folder}/one.toml",
        f"ok      keeps the newest two (other.toml), by the policy in {call.folder}/good.toml",
        "ok      keeps the newest two (own.toml), by its own policy",
    ]


def test_a_policy_without_a_version_is_told_as_a_policy(call: Caller) -> None:
    policy = call.policy(RULE, call.folder / "one.toml")
    said = call("policy", "test", policy)
    assert (said.status, said.out) == (2, "")
    assert "version is missing" in said.err
    said = call("policy", "test", str(call.folder))
    assert f"there is no case in {call.folder}" in said.err


def test_a_policy_without_cases_is_an_error(call: Caller) -> None:
    policy = call.policy(f"version = 1\n{RULE}", call.folder / "alone" / "dockersweep.toml")
    said = call("policy", "test", policy)
    assert (said.status, said.out) == (2, "")
    assert f"there is no case in {call.folder}/alone: write one as NAME.toml" in said.err


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="missing does not exist"):
        run_cases(str(tmp_path / "missing"), None)


def test_text_of_a_case_cannot_steer_a_terminal(tmp_path: Path) -> None:
    text = (HEAD + POLICY + IMAGES).replace("keeps the newest two", "red \\u001b[31m").replace("app:1", "app:1\\u202e")
    (tmp_path / "case.toml").write_text(text)
    output, _ = run_cases(str(tmp_path), None)
    assert output.replace("\n", "").isprintable()


def test_a_name_that_several_objects_have_is_not_clear(tmp_path: Path) -> None:
    text = f"{HEAD}policy = 'default'\n[[expect]]\nobject = 'data'\nverdict = 'keep'\n{VOLUME}"
    both = text + VOLUME.replace("volume", "network")
    assert told(tmp_path, both) == '"data" can be volume:data or network:data: write which is meant'
    passes(tmp_path, text)
