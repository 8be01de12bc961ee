"""The review of a plan in a real terminal: what is unticked is asked for by no request, whatever happens meanwhile."""

import json
import re
import signal
import time
from pathlib import Path

import pytest

from dockersweep.errors import OutputError
from dockersweep.model.inventory import Object
from dockersweep.words.documents import write_document
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import EACH_STORE, NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.fake_containers import with_containers
from tests.rig.fake_engine import Handler, Reply, fake_engine, reply
from tests.rig.faulty_proxy import faulty
from tests.rig.inventories import container, image, inventory, network, volume
from tests.rig.recorder import Recording
from tests.rig.running import dockersweep
from tests.rig.tmux import terminal
from tests.rig.traffic import Named, removals

SIZES = pytest.mark.parametrize(("columns", "lines"), [(80, 24), (200, 60)])
EVERYTHING = ("--older-than", "0s", "--all-images", "--named-volumes")
TICKED = "ticked, freeing"


def asked_for(recording: Recording) -> set[Named]:
    """Return what was asked to be removed."""
    return {named for request in recording.requests for named in removals(request)}


def ids_there(litter: Litter) -> set[str]:
    """Return the ids of the containers that are there."""
    return {one["Id"] for one in litter.engine.wire.call("GET", "/containers/json?all=1")}


@SIZES
@pytest.mark.enough_on(*EACH_STORE)
def test_what_is_unticked_is_asked_for_by_no_request(engine: Engine, litter: Litter, columns: int, lines: int) -> None:
    litter.volume("review-data")
    keep = litter.container("review-job-1", volumes={"review-data": "/data"}, writes=50_000)
    goes = [litter.container(f"review-job-{number}", writes=10_000) for number in (2, 3)]
    words = ["-H", engine.recorder.url, "sweep", "-i", *EVERYTHING]
    with engine.recorder.recording() as recording, terminal(*words, columns=columns, lines=lines) as screen:
        screen.wait_for(TICKED)
        screen.press("/")
        screen.type("job-1")
        screen.press("Enter")
        screen.wait_for("1 shown, 1 ticked")
        screen.press("Space")
        screen.wait_for("1 shown, 0 ticked")
        screen.press("Escape", "Enter")
        screen.wait_for("Remove 2 containers")
        screen.press("y")
        assert screen.status() == 0
        assert "Removed 2 containers" in screen.text
    named = asked_for(recording)
    assert {name for kind, name in named if kind == "container"} == set(goes)
    assert ("volume", "review-data") not in named
    assert ids_there(litter) == {keep}
    assert "review-data" in [one["Name"] for one in engine.wire.call("GET", "/volumes")["Volumes"]]


@pytest.mark.enough_on(*NEWEST)
def test_a_saved_plan_is_reviewed_and_each_of_its_removals_has_an_outcome(
    engine: Engine, litter: Litter, tmp_path: Path
) -> None:
    names = ["review-a", "review-b"]
    ids = {name: litter.container(name) for name in names}
    plan, result = tmp_path / "plan.json", tmp_path / "result.json"
    flags = ["--older-than", "0s", "--kind", "container"]
    with terminal("-H", engine.recorder.url, "plan", "-i", *flags, "--format", "json", "-o", str(plan)) as screen:
        screen.wait_for(TICKED)
        screen.press("Enter")
        screen.wait_for("Write it to")
        screen.press("y")
        assert screen.status() == 0
    assert {one["name"] for one in json.loads(plan.read_bytes())["removals"]} == set(names)
    words = ["-H", engine.recorder.url, "apply", "-i", str(plan), "--format", "json", "-o", str(result)]
    with engine.recorder.recording() as recording, terminal(*words) as screen:
        screen.wait_for(TICKED)
        screen.press("/")
        screen.type("review-a")
        screen.press("Enter", "Space", "Escape", "Enter", "y")
        assert screen.status() == 0
    assert asked_for(recording) == {("container", ids["review-b"])}
    outcomes = {one["name"]: (one["status"], one["detail"]) for one in json.loads(result.read_bytes())["outcomes"]}
    assert outcomes == {"review-a": ("skipped", "not ticked in the review"), "review-b": ("removed", None)}


@pytest.mark.enough_on(*NEWEST)
def test_a_missed_target_tells_that_the_rest_was_unticked(engine: Engine, litter: Litter) -> None:
    keep = litter.container("review-1", writes=50_000)
    litter.container("review-2", writes=10_000)
    words = ["-H", engine.recorder.url, "sweep", "-i", "--older-than", "0s", "--kind", "container", "--free", "100GB"]
    with engine.recorder.recording() as recording, terminal(*words) as screen:
        screen.wait_for(TICKED)
        screen.press("/")
        screen.type("review-1")
        screen.press("Enter", "Space", "Escape", "Enter")
        screen.wait_for("Remove 1 container")
        screen.press("y")
        screen.status()
        assert "what else may be removed was unticked" in screen.text
    assert ("container", keep) not in asked_for(recording)


@pytest.mark.enough_on(*NEWEST)
def test_an_engine_that_goes_away_meanwhile_loses_nothing(engine: Engine, litter: Litter) -> None:
    there = {litter.container(f"review-{number}") for number in range(3)}
    with faulty(engine.socket) as proxy:
        proxy.begin()
        words = ["-H", proxy.url, "sweep", "-i", "--older-than", "0s", "--kind", "container", "--engine-timeout", "2s"]
        with terminal(*words) as screen:
            screen.wait_for(TICKED)
            proxy.gone(3600)
            screen.press("Enter")
            screen.wait_for("Remove 3 containers")
            screen.press("y")
            assert screen.status() == 5
    assert ids_there(litter) == there


@pytest.mark.programs
def test_a_slow_engine_is_waited_for_and_what_is_typed_meanwhile_answers_nothing() -> None:
    with fake_engine() as engine:
        with_containers(engine, *(f"c{number}" for number in range(5)))

        def slow(handler: Handler) -> Reply:
            handler.server.engine.release.wait(2)
            return reply([])

        engine.replies["/networks"] = slow
        with terminal("-H", engine.url, "sweep", "-i", "--older-than", "0s", "--no-ledger") as screen:
            screen.press("Enter", "y", "Enter", "y")
            screen.wait_for(TICKED)
            screen.press("Down")
            assert "[y/N]" not in screen.text
            screen.press("q")
            assert screen.status() == 0
            assert "nothing removed: the review was ended without a yes" in screen.text
    assert not [path for method, path in engine.asked if method == "DELETE"]


def ten_thousand() -> list[Object]:
    """Objects that hold each other, on layers that they share."""
    numbers = range(2_500)
    return [
        *(container(f"job-{one}", image=f"sha256:app-{one}", volumes=[f"data-{one}"], size=one) for one in numbers),
        *(image(f"app-{one}", f"app:{one}", size=1_000 + one, shared=1_000) for one in numbers),
        *(volume(f"data-{one}", size=1_000_000 + one) for one in numbers),
        *(network(f"net-{one}") for one in numbers),
    ]


@SIZES
@pytest.mark.programs
def test_ten_thousand_objects_are_reviewed_at_any_size(tmp_path: Path, columns: int, lines: int) -> None:
    saved, plan = tmp_path / "scan.json", tmp_path / "plan.json"
    saved.write_text(write_document(inventory(*ten_thousand())))
    words = ["plan", "-i", "--inventory", str(saved), *EVERYTHING, "--format", "json", "-o", str(plan)]
    with terminal(*words, columns=columns, lines=lines) as screen:
        screen.wait_for("10,000 objects ticked")
        screen.press("/")
        screen.type("job-24")
        screen.press("Enter", "Space")
        screen.wait_for("111 shown, 0 ticked")
        screen.press("Escape")
        # An image and a volume of each stay with it.
        screen.wait_for("9667 of 10,000 objects ticked")
        screen.resize(lines * 2, columns // 2)
        screen.press("End", "PageUp", "Home")
        seen = screen.wait_for(lambda shown: any(line.startswith(">[-] v 9667 of") for line in shown))
        assert max(map(len, seen)) <= lines * 2
        screen.press("Enter")
        screen.wait_for("Write it to")
        screen.press("y")
        assert screen.status() == 0
    names = {one["name"] for one in json.loads(plan.read_bytes())["removals"]}
    assert len(names) == 9_667
    assert not any(re.search(r"^(job-|data-|app:)24(\d\d?)?$", name) for name in names)


@pytest.mark.programs
@pytest.mark.parametrize("variables", [{"TERM": "vt100"}, {"NO_COLOR": "1"}, {"TERM": "linux"}])
def test_it_needs_no_colour(tmp_path: Path, variables: dict[str, str]) -> None:
    saved = tmp_path / "scan.json"
    saved.write_text(write_document(inventory(container("job-1"), container("job-2"))))
    words = ["plan", "-i", "--inventory", str(saved), "--older-than", "0s"]
    with terminal(*words, environment=variables) as screen:
        screen.wait_for(TICKED)
        screen.press("Down", "Down", "Space")
        # A screen may be looked at while it is being painted.
        boxes = [">[ ]", " [x]"]
        screen.wait_for(lambda lines: [line[:4] for line in lines if "job-" in line and "]" in line] == boxes)
        screen.wait_for("1 of 2 containers")
        assert "\x1b[3" not in screen.coloured.replace("\x1b[39m", "")
        screen.press("q")
        assert screen.status() == 4
        assert "no plan written: the review was ended" in screen.text


@pytest.mark.linux
@pytest.mark.programs
@pytest.mark.parametrize("keys", [(), ("Enter",), ("s",)])
def test_after_ctrl_z_all_of_the_screen_comes_back(tmp_path: Path, keys: tuple[str, ...]) -> None:
    saved = tmp_path / "scan.json"
    saved.write_text(write_document(inventory(container("job-1"), container("job-2"))))
    with terminal("plan", "-i", "--inventory", str(saved), "--older-than", "0s") as screen:
        screen.wait_for(TICKED)
        if keys:
            screen.press(*keys)
            screen.wait_for("y yes n no" if keys == ("Enter",) else "enter ok escape back")
        # A screen may be looked at while it is being painted.
        time.sleep(0.5)
        before = screen.lines
        screen.press("C-z")
        screen.wait_for(lambda lines: screen.is_left)
        screen.send(signal.SIGCONT)
        screen.wait_for(lambda lines: lines == before)
        screen.press("C-c")
        assert screen.status() == 130


@pytest.mark.programs
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_as_it_was(tmp_path: Path, number: signal.Signals) -> None:
    saved = tmp_path / "scan.json"
    saved.write_text(write_document(inventory(container("job-1"))))
    with terminal("plan", "-i", "--inventory", str(saved), "--older-than", "0s") as screen:
        screen.wait_for(TICKED)
        assert not screen.is_left
        screen.send(number)
        assert screen.status() == 128 + number
        assert screen.is_left


@pytest.mark.programs
@pytest.mark.parametrize("is_to_file", [True, False])
def test_the_screen_is_as_large_as_the_terminal(tmp_path: Path, is_to_file: bool) -> None:
    saved = tmp_path / "scan.json"
    saved.write_text(write_document(inventory(container("job-1"))))
    command = ["plan", "-i", "--inventory", str(saved), "--older-than", "0s"]
    stale = {"COLUMNS": "200", "LINES": "60"}
    out = tmp_path / "out" if is_to_file else None
    with terminal(*command, columns=100, lines=30, environment={} if is_to_file else stale, out=out) as screen:
        # A screen may be looked at while it is being painted.
        screen.wait_for(lambda lines: lines[-1].startswith("space tick") and max(map(len, lines)) == 100)
        assert len(screen.lines) == 30
        screen.resize(120, 40)
        screen.wait_for(lambda lines: (len(lines), max(map(len, lines))) == (40, 120))
        screen.press("q")
        screen.status()


@pytest.mark.programs
def test_nothing_is_saved_where_the_screen_is(tmp_path: Path) -> None:
    saved = tmp_path / "scan.json"
    saved.write_text(write_document(inventory(container("job-1"))))
    with terminal("plan", "-i", "--inventory", str(saved), "--older-than", "0s") as screen:
        screen.wait_for(TICKED)
        screen.press("s")
        screen.wait_for("plan.json")
        screen.press("C-u")
        screen.type("-")
        screen.press("Enter")
        screen.wait_for("cannot be saved to standard output, where the screen is: name a file")


@pytest.mark.programs
def test_a_review_that_nobody_can_make_is_refused(tmp_path: Path) -> None:
    saved = tmp_path / "scan.json"
    saved.write_text(write_document(inventory(container("job-1"))))
    run = dockersweep("plan", "-i", "--inventory", str(saved))
    assert (run.status, run.stdout) == (2, "")
    assert run.stderr == "dockersweep: --interactive needs a terminal, for the keys and for the screen\n"
    for variables, words, why in (
        ({"TERM": "dumb"}, ["plan"], 'needs a terminal with a screen, and TERM is "dumb"'),
        ({}, ["plan", "--next", "7d"], "leave out --at and --next"),
        ({}, ["sweep", "--yes"], "--interactive asks and --yes does not: leave out one of them"),
    ):
        with terminal(*words, "-i", "-H", "unix:///nowhere", environment=variables) as screen:
            assert screen.status() == 2
            assert why in screen.text


@pytest.mark.programs
def test_no_review_is_lost_for_a_folder_that_is_missing() -> None:
    with terminal("plan", "-i", "-o", "/nowhere/plan.json", "-H", "unix:///nowhere") as screen:
        assert screen.status() == OutputError.exit_status
        assert "/nowhere/plan.json cannot be written: No such file or directory" in screen.text
