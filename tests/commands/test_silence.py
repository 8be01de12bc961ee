"""Whatever ends a run early or makes its exit status other than 0 is one sentence on standard error: cron mails that,
and nobody reads a file."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockersweep.engine.removing.executor import WORKERS
from tests.commands.test_guard_rails import slow
from tests.rig.fake_containers import details, with_containers
from tests.rig.fake_engine import EMPTY, FakeEngine, Handler, Reply, fake_engine, reply, wait_for_request
from tests.rig.running import Run, dockersweep, start

pytestmark = pytest.mark.programs

Prepare = Callable[[FakeEngine, Path], tuple[str, ...]]
"""Makes a sweep end in its way; returns the flags that it takes."""

WAYS = (
    ("table", "out", True),
    ("json", "file", False),
    ("csv", "file", True),
    ("markdown", "out", False),
)
"""Format, where the result goes, and whether --quiet is given."""


def fails(engine: FakeEngine, folder: Path) -> tuple[str, ...]:
    engine.replies["/containers/a"] = reply({"message": "device\nbusy"}, 500)
    return ()


def all_fail(engine: FakeEngine, folder: Path) -> tuple[str, ...]:
    engine.replies["/containers/a"] = engine.replies["/containers/b"] = reply({"message": "device busy"}, 500)
    return ()


def goes_away(engine: FakeEngine, folder: Path) -> tuple[str, ...]:
    def vanish(handler: Handler) -> Reply | None:
        for path in EMPTY:
            engine.replies[path] = lambda handler: None
        for name in "ab":
            engine.replies[f"/containers/{name}"] = lambda handler: None
            engine.replies[f"/containers/{name}/json"] = lambda handler: None
        return None

    engine.replies["/containers/a"] = engine.replies["/containers/b"] = vanish
    return ("--engine-timeout", "1s")


def does_something_else(engine: FakeEngine, folder: Path) -> tuple[str, ...]:
    image, other = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
    listed = [{"Id": one, "RepoTags": [], "Size": 5, "Created": 1700000000} for one in (image, other)]
    engine.replies["/images/json"] = reply(listed)
    for one in (image, other):
        engine.replies[f"/images/{one}/json"] = reply({"Id": one, "RepoTags": []})
        engine.replies[f"/images/{one}"] = reply([{"Deleted": image}, {"Deleted": other}])
    return ()


def over_a_limit(engine: FakeEngine, folder: Path) -> tuple[str, ...]:
    return ("--max-objects", "1")


def is_another(engine: FakeEngine, folder: Path) -> tuple[str, ...]:
    return ("--confirm-engine", "another")


def misses_its_target(engine: FakeEngine, folder: Path) -> tuple[str, ...]:
    policy = folder / "target.toml"
    policy.write_text('version = 1\n[target]\nfree = "5GB"\nolder_than = "0s"\n')
    return ("--policy", str(policy))


def breaks_the_ledger(table: str) -> Prepare:
    def prepare(engine: FakeEngine, folder: Path) -> tuple[str, ...]:
        def remove(handler: Handler) -> Reply:
            with sqlite3.connect(folder / "state" / "ledger.sqlite3") as database:
                database.execute(f"DROP TABLE IF EXISTS {table}")
            database.close()
            return 204, b""

        # More than are sent before the first of them has ended.
        names = [f"many-{number}" for number in range(WORKERS + 1)]
        with_containers(engine, *names)
        engine.replies.update({f"/containers/{name}": remove for name in names})
        return ("--require-ledger",)

    return prepare


def loses_its_file(engine: FakeEngine, folder: Path) -> tuple[str, ...]:
    """The folder of the result goes while the run removes."""

    def remove(handler: Handler) -> Reply:
        (folder / "results").rename(folder / "moved")
        return reply({"message": "device busy"}, 500)

    engine.replies["/containers/a"] = remove
    return ("-o", str(folder / "results" / "last"))


ENDS: dict[str, tuple[Prepare, int, str]] = {
    "one removal fails": (fails, 3, "dockersweep: 1 removal failed"),
    "all fail": (all_fail, 3, "dockersweep: 2 removals failed"),
    "the engine goes away": (goes_away, 5, "the sweep ended early: "),
    "the engine does something else": (does_something_else, 3, "the sweep ended early: image "),
    "over a limit": (over_a_limit, 4, "nothing removed: over a limit of the default policy"),
    "another engine": (is_another, 4, "nothing removed: the engine at "),
    "the target is missed": (misses_its_target, 3, "Target missed"),
    "the ledger breaks": (breaks_the_ledger("outcomes"), 3, "the sweep ended early: "),
    "the ledger breaks at the end": (breaks_the_ledger("runs"), 3, "ledger.sqlite3 "),
}


def sentences(run: Run) -> list[str]:
    """Return what it said on standard error, without the problems that have a line each."""
    return [line for line in run.stderr.splitlines() if not line.startswith(("Warning: ", "Failed: "))]


def sweep(engine: FakeEngine, folder: Path, *flags: str) -> Run:
    state = str(folder / "state")
    ages = () if "--policy" in flags else ("--older-than", "0s")
    return dockersweep("sweep", "--yes", *ages, *flags, host=engine.url, DOCKERSWEEP_STATE_DIR=state)


@pytest.mark.parametrize("end", ENDS)
def test_one_sentence_says_why(end: str, tmp_path: Path) -> None:
    prepare, status, told = ENDS[end]
    for number, (form, where, is_quiet) in enumerate(WAYS):
        folder = tmp_path / str(number)
        folder.mkdir()
        with fake_engine() as engine:
            with_containers(engine, "a", "b")
            engine.replies["/containers/a"] = engine.replies["/containers/b"] = (204, b"")
            flags = ["--format", form, *prepare(engine, folder), *(["--quiet"] if is_quiet else [])]
            if where == "file":
                flags += ["-o", str(folder / "result")]
            run = sweep(engine, folder, *flags)
        assert run.status == status, (form, where, run)
        assert len(sentences(run)) == 1, (form, where, run.stderr)
        assert sentences(run)[0].startswith("dockersweep: ")
        assert told in sentences(run)[0]
        assert run.stdout == "" or where == "out"


@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown"])
def test_what_ends_well_says_nothing(form: str, tmp_path: Path) -> None:
    """Also where something was in use or gone meanwhile: that is no reason to look."""
    with fake_engine() as engine:
        with_containers(engine, "a", "b", "c")
        engine.replies["/containers/a"] = (204, b"")
        engine.replies["/containers/b"] = reply({"message": "it is running"}, 409)
        engine.replies["/containers/c"] = reply({"message": "no such container"}, 404)
        run = sweep(engine, tmp_path, "--format", form, "-o", str(tmp_path / "result"))
    assert (run.status, sentences(run)) == (0, [])


def test_a_result_that_cannot_be_written_either_is_in_the_same_sentence(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    with fake_engine() as engine:
        with_containers(engine, "a")
        run = sweep(engine, tmp_path, "--format", "json", *loses_its_file(engine, tmp_path))
    assert (run.status, len(sentences(run))) == (3, 1)
    assert "dockersweep: 1 removal failed; " in run.stderr
    assert f"{tmp_path}/results/last cannot be written" in run.stderr
    assert run.json()["outcomes"][0]["status"] == "failed"


@pytest.mark.parametrize("flags", [("--format", "json"), ("--quiet",)])
def test_an_interrupted_sweep_says_so(flags: tuple[str, ...], tmp_path: Path) -> None:
    with fake_engine() as engine:
        with_containers(engine, *(f"c{one:02}" for one in range(20)))
        for one in range(20):
            engine.replies[f"/containers/c{one:02}"] = slow
        given = ("--yes", "--yes-first-time", "--older-than", "0s", "-o", str(tmp_path / "result"))
        process = start("-H", engine.url, "sweep", *given, *flags)
        wait_for_request(engine, "DELETE", "/containers/c00")
        process.send_signal(signal.SIGTERM)
        engine.release.wait(0.3)
        engine.release.set()
        stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout) == (143, "")
    said: list[Any] = [line for line in stderr.splitlines() if line.startswith("dockersweep: ")]
    assert len(said) == 1
    assert said[0].startswith("dockersweep: the sweep ended early: interrupted; ")
    assert said[0].endswith(" not attempted")


def test_a_verdict_that_goes_to_a_file_is_told(tmp_path: Path) -> None:
    bad, out = tmp_path / "bad.toml", ("-o", str(tmp_path / "result"))
    bad.write_text("version = 1\nnonsense = 1\n")
    case = '[policy]\n[[policy.rule]]\nname = "r"\nkind = "volume"\nremove.older_than = "1d"\n'
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "one.toml").write_text(f'shows = "x"\n{case}[[volume]]\nname = "v"\nexpect = "keep"\n')
    with fake_engine() as engine:
        with_containers(engine, "a")
        plan = ("plan", "--older-than", "0s", "--no-ledger", "--exit-code")
        runs = {
            "1 removal planned, freeing ": (10, dockersweep(*plan, *out, host=engine.url)),
            "a sweep would be refused: over a limit of ": (
                4, dockersweep(*plan, "--max-objects", "0", *out, host=engine.url)
            ),
            '/bad.toml:2:1: there is no key "nonsense"': (2, dockersweep("policy", "check", str(bad), *out)),
            "1 of 1 cases did not pass\n": (2, dockersweep("policy", "test", str(tmp_path / "cases"), *out)),
        }  # fmt: skip
        assert dockersweep(*plan, host=engine.url).stderr == ""
        always = details("a") | {"HostConfig": {"RestartPolicy": {"Name": "always"}}}
        engine.replies["/containers/a/json"] = reply(always)
        report = ("report", "--no-ledger", "--fail-on", "note", *out)
        runs["(DS014)\n"] = (10, dockersweep(*report, host=engine.url))
    for told, (status, run) in runs.items():
        assert (run.status, run.stdout) == (status, ""), (told, run)
        assert told in run.stderr
        assert len(sentences(run)) == 1
