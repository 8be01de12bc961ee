"""The review of a plan on a screen, driven by keys and clicks: what is ticked, shown and returned."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from itertools import takewhile
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual import events
from textual.app import App
from textual.pilot import Pilot

from dockersweep.commands.options import SweepOptions, options_of
from dockersweep.commands.review import reviewing
from dockersweep.commands.review.app import Actions, Chosen, ReviewApp
from dockersweep.commands.review.branches import branches_of
from dockersweep.commands.review.lines import Lines
from dockersweep.commands.review.painting import Painter
from dockersweep.commands.review.protection import protect_by_name
from dockersweep.commands.review.reviewing import save_plan
from dockersweep.commands.running import permission, reviewed_run
from dockersweep.commands.running.rounds import PlannedRun
from dockersweep.errors import DeclinedError, OutputError, PolicyError
from dockersweep.model.documents import read_document
from dockersweep.model.inventory import Object, ObjectRef, ScanWarning
from dockersweep.model.plan import Decision, DiskVerdict, Plan
from dockersweep.model.policy import LimitSettings, Policy, Target
from dockersweep.parser.command_line import parse
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.language.reading import read_policy
from dockersweep.policy.planning.choice import Choice
from dockersweep.policy.planning.planner import make_plan
from dockersweep.report.question import question
from dockersweep.units import parse_age
from tests.rig.inventories import NOW, container, image, inventory, network, volume

ALL = policy_from_flags(PolicyFlags(older_than=parse_age("0s"), all_images=True, named_volumes=True))
SHOP: tuple[Object, ...] = (
    container("job", image="sha256:app", volumes=["data"], networks=["net"], size=7_000_000),
    container("web", image="sha256:app", size=5_000_000),
    image("app", "app:1", size=100_000_000, shared=0),
    volume("data", size=20_000_000),
    network("net"),
    *(network(f"r{number}") for number in range(20)),
    container("in-use", "running", image="sha256:base"),
    image("base", "base:1"),
)
SCROLL_BAR = "▁▂▃▄▅▆▇"
Script = Callable[[ReviewApp, Pilot[Chosen]], Awaitable[None]]


def choice_of(*objects: Object, policy: Policy = ALL, warnings: tuple[ScanWarning, ...] = ()) -> Choice:
    survey = Survey(inventory(*objects), NOW)
    return Choice(replace(make_plan(survey, policy), warnings=warnings), survey)


def review(
    choice: Choice,
    script: Script,
    *,
    save: Callable[[Plan, str], str] = lambda plan, path: f"Saved in {path}.",
    protect: Callable[[Decision, str], str] = lambda decision, path: f"Added {decision.name} to {path}.",
    ask: Callable[[Plan], str] = question,
    size: tuple[int, int] = (80, 24),
) -> Chosen | None:
    """Play a script on a screen of that size, and return what the review returns."""
    actions = Actions(
        verb="sweep",
        ask=ask,
        explain=lambda ref, width: f"{ref.id} in {width} columns\n" + "more\n" * 50,
        save=save,
        save_as="plan.json",
        protect=protect,
        policy_path="dockersweep.toml",
    )
    app = ReviewApp(choice, actions)

    async def play() -> Chosen | None:
        async with app.run_test(size=size) as pilot:
            await script(app, pilot)
            await pilot.pause()
        return app.return_value

    return asyncio.run(play())


def screen(app: ReviewApp) -> list[str]:
    """Return the lines that are seen."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips]


def line_of(app: ReviewApp, text: str) -> str:
    tree = takewhile(lambda line: not line.startswith("---"), screen(app))
    [line] = [line for line in tree if text in line]
    return line


def said(app: ReviewApp) -> str:
    """Return what is seen as running text, without the borders of a dialog."""
    return " ".join(" ".join(line.strip(" |") for line in screen(app)).split())


async def press(pilot: Pilot[Chosen], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


def ref(kind: str, name: str) -> ObjectRef:
    return ObjectRef(kind=kind, id=name)  # type: ignore[arg-type]


def test_the_plan_is_a_tree_with_sums_and_reasons() -> None:
    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        shown = screen(app)
        assert shown[2:13] == [
            "25 objects ticked, freeing 132 MB as the engine counts.",
            "     OBJECT                                                       SIZE     FREES",
            ">[x] v 25 objects to remove                                               132 MB",
            " [x]   v 2 containers: whatever their age (stopped 10 days…              12.0 MB",
            " [x]       job                                                 7.00 MB   7.00 MB",
            " [x]       web                                                 5.00 MB   5.00 MB",
            " [x]     image app:1: whatever its age (last used 10 days …     100 MB    100 MB",
            " [x]     volume data: whatever its age (last used 10 days …    20.0 MB   20.0 MB",
            " [x]   v 21 networks",
            " [x]       net: whatever its age (last used 10 days ago); …",
            " [x]     > 20 networks: whatever their age (first seen 10 …",
        ]

    assert review(choice_of(*SHOP), script) is None


def test_a_container_that_stays_keeps_what_it_holds() -> None:
    choice = choice_of(*SHOP)

    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        await press(pilot, "down", "down", "space")
        assert line_of(app, "       job").startswith(">[ ]")
        assert " [-]   v 1 of 2 containers" in line_of(app, " containers: whatever")
        assert line_of(app, "image app:1").startswith(" [ ]")
        assert any("21 of 25 objects ticked, freeing 5.00 MB" in line for line in screen(app))
        # What it holds cannot be ticked as long as it stays.
        await press(pilot, "down", "down", "space")
        assert any("needed by container job, which stays: tick that first" in line for line in screen(app))
        await press(pilot, "up", "up", "space")
        assert any("25 objects ticked" in line for line in screen(app))
        await press(pilot, "space", "enter")
        assert "Remove 1 container and 20 networks (freeing 5.00 MB)?" in said(app)
        await press(pilot, "y")

    assert review(choice, script) == Chosen(choice.chosen(), choice.unticked)
    assert choice.unticked == {ref("container", "job")}
    assert set(choice.staying) == {
        ref("container", "job"), ref("image", "sha256:app"), ref("volume", "data"), ref("network", "net-net")
    }  # fmt: skip


def test_a_group_is_ticked_as_a_whole() -> None:
    choice = choice_of(*SHOP)

    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        await press(pilot, "space")
        assert any("0 of 25 objects ticked, freeing 0 B" in line for line in screen(app))
        await press(pilot, "enter")
        assert any("Nothing is ticked" in line for line in screen(app))
        # One that is ticked in part loses the rest first, so that nothing is ticked by surprise.
        await press(pilot, "down", "down", "space", "up", "space")
        assert line_of(app, "0 of 2 containers: ").startswith(">[ ]")
        await press(pilot, "space")
        assert line_of(app, "v 2 containers").startswith(">[x]")
        await press(pilot, "q")

    assert review(choice, script) is None


def test_a_filter_shows_some_and_ticks_only_these() -> None:
    choice = choice_of(*SHOP)

    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        await press(pilot, "slash", *"R1", "enter", "home", "space")
        assert "[ ] v 11 shown, 0 ticked: 25 objects" in line_of(app, "ticked: 25")
        assert not any("job" in line for line in screen(app))
        await press(pilot, "escape")
        assert "9 of 20 networks" in line_of(app, "of 20 networks")
        await press(pilot, "slash", *"nowhere", "enter")
        assert any("No object has such a name" in line for line in screen(app))
        await press(pilot, "q")

    review(choice, script)
    assert {one.id for one in choice.unticked} == {"net-r1", *(f"net-r1{digit}" for digit in range(10))}


TAGS = b"""
version = 1
[[rule]]
name = "old tags"
kind = "image"
match.tag = "old*"
remove.unused_for = "0s"
"""


def test_an_image_that_only_loses_tags_is_told_from_one_that_goes() -> None:
    images = (image("a", "app:new", "app:old"), image("b", "job:old-1", "job:old-2"))
    choice = choice_of(*images, policy=read_policy(TAGS, "p"))

    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        assert "v 2 objects: 1 to remove, 1 to untag" in line_of(app, "to untag")
        assert "v 1 image that stays and loses 1 tag" in line_of(app, "that stays")
        assert " [x]       app:old of image app:new " in line_of(app, "app:old")
        # The tags that go are what a person looks for.
        for query, found in (("app:old", "app:old of image"), ("old-2", "image job:old-1")):
            await press(pilot, "slash", *query, "enter")
            assert "1 shown, 1 ticked" in said(app)
            assert line_of(app, found)
            await press(pilot, "escape")
        await press(pilot, "slash", *"app", "enter", "space", "escape", "enter")
        assert "Remove 1 image (" in said(app)
        await press(pilot, "y")

    chosen = review(choice, script)
    assert chosen is not None
    steps = [(step.action, step.name) for step in chosen.plan.removals]
    assert steps == [("untag", "job:old-2"), ("remove", "job:old-1")]


def test_an_object_is_explained_and_what_is_kept_cannot_be_ticked() -> None:
    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        await press(pilot, "e")
        assert any("Go to one object" in line for line in screen(app))
        await press(pilot, "down", "down", "e")
        assert any("job in 74 columns" in line for line in screen(app))
        await press(pilot, "escape", "end", "right", "down", "right", "down")
        assert "in-use" in "\n".join(screen(app))
        await press(pilot, "space")
        assert any("The policy keeps it" in line for line in screen(app))
        await press(pilot, "e")
        assert any("in-use in 74 columns" in line for line in screen(app))

    review(choice_of(*SHOP), script)


def test_a_plan_is_saved_under_the_name_that_is_typed() -> None:
    saved: list[tuple[int, str]] = []

    def save(plan: Plan, path: str) -> str:
        if path == "plan.json":
            raise OutputError("plan.json cannot be written: Permission denied")
        saved.append((len(plan.removals), path))
        return f"Saved in {path}."

    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        await press(pilot, "down", "space", "s", "enter")
        assert any("Permission denied" in line for line in screen(app))
        await press(pilot, *"my.json", "enter")
        assert any("Saved in my.json." in line for line in screen(app))
        await press(pilot, "s", "escape")
        assert line_of(app, " containers: whatever").startswith(">[ ]")

    review(choice_of(*SHOP), script, save=save)
    assert saved == [(20, "my.json")]


def test_a_plan_is_saved_to_a_file_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan, pipe = choice_of(*SHOP).plan, tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in ("/dev/null", str(pipe)):
        with pytest.raises(OutputError, match=f"{path} is not a file: type the path of one"):
            save_plan(plan, path)
    for path, why in ((str(tmp_path), "Is a directory"), (str(tmp_path / "no" / "plan.json"), "No such file")):
        with pytest.raises(OutputError, match=why):
            save_plan(plan, path)
    path = str(tmp_path / "plan.json")
    assert save_plan(plan, path) == f"Saved in {path}, 25 objects to remove; `dockersweep apply` carries it out."
    assert len(read_document(Path(path).read_bytes(), Plan, path).removals) == 25
    assert capsys.readouterr().out == ""


def test_a_protection_is_added_and_unticks() -> None:
    choice = choice_of(*SHOP)

    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        await press(pilot, "down", "down", "k")
        assert "Always keep job: add its name to protect.names in the policy file:" in said(app)
        await press(pilot, "enter")
        assert any("Added job to dockersweep.toml." in line for line in screen(app))

    review(choice, script)
    assert choice.unticked == {ref("container", "job")}


def test_over_a_limit_there_is_no_question_until_enough_is_unticked() -> None:
    choice = choice_of(*SHOP, policy=replace(ALL, limits=LimitSettings(objects=10)))

    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        assert "Over a limit: 25 objects to remove, 10 allowed." in said(app)
        await press(pilot, "enter")
        assert "10 allowed. Untick some, or raise the limit." in said(app)
        await press(pilot, "end", "up", "space", "enter", "y")

    assert review(choice, script) == Chosen(choice.chosen(), choice.unticked)
    assert not choice.over_limits()


def test_a_target_is_reached_where_bytes_in_all_say_so() -> None:
    policy = replace(ALL, target=Target(free_bytes=130_000_000, older_than=parse_age("0s"), order=("image",)))
    choice = choice_of(*SHOP, policy=policy)
    target = choice.plan.target
    assert target is not None

    def summary(**changes: object) -> str:
        changed = Choice(replace(choice.plan, target=replace(target, **changes)), Survey(inventory(*SHOP), NOW))
        changed.change(choice.unticked, ticks=False)
        return Painter(Lines(branches_of(changed.plan), changed), changed).summary()

    assert summary().endswith(f"Target: {target.text}, reached.")
    choice.change([ref("container", "job")], ticks=False)
    assert summary().endswith(f"Target: {target.text}, 125 MB short.")
    # Of several disks, each wants its own.
    disk = DiskVerdict(disk="/data", text="", begins=True, wanted_bytes=1, wanted_inodes=None, reached=True)
    for changes in ({"disks": (disk,)}, {"wanted_inodes": 5}):
        assert summary(**changes).endswith(f"Target: {target.text}.")


@pytest.mark.parametrize("no", ["n", "escape", "enter", "q", "x"])
def test_only_y_is_a_yes(no: str) -> None:
    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        await press(pilot, "enter", no)

    assert review(choice_of(*SHOP), script) is None


def test_a_yes_may_be_a_capital() -> None:
    choice = choice_of(*SHOP)

    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        await press(pilot, "enter", "Y")

    assert review(choice, script) == Chosen(choice.chosen(), frozenset())


def test_what_comes_too_late_is_told_before_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    choice = choice_of(*SHOP)
    survey = Survey(inventory(*SHOP), NOW)
    run = PlannedRun(choice.plan, ALL, survey, "a test")
    options = options_of(parse(["sweep", "-i"]))
    assert isinstance(options, SweepOptions)

    def show(
        plan: Plan, survey: Survey, policy: str | None, verb: str, ask: Callable[[Plan], str], *_: object
    ) -> Chosen | None:
        monkeypatch.setattr(permission, "ANSWER_SECONDS", -1.0)

        async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
            await press(pilot, "enter")
            late = "The plan is over an hour old: save it (s), and carry it out with `dockersweep apply`."
            assert late in said(app)
            await press(pilot, "y")
            assert app.is_running

        return review(choice, script, ask=ask)

    monkeypatch.setattr(reviewed_run, "review", show)
    with pytest.raises(DeclinedError):
        reviewed_run.reviewed_run(run, options.run)


def test_ctrl_c_ends_it_wherever_it_is() -> None:
    for keys in ((), ("enter",), ("s",), ("slash",)):

        async def script(app: ReviewApp, pilot: Pilot[Chosen], keys: tuple[str, ...] = keys) -> None:
            await press(pilot, *keys)
            assert not app.is_interrupted
            await press(pilot, "ctrl+c")
            assert app.is_interrupted

        assert review(choice_of(*SHOP), script) is None


def test_signals_are_as_before_a_review(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)

    def show(app: ReviewApp) -> Chosen | None:
        for number in taken:
            signal.signal(number, lambda number, frame: None)
        return app.return_value

    monkeypatch.setattr(ReviewApp, "run", show)
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        reviewing.review(choice_of(*SHOP).plan, Survey(inventory(*SHOP), NOW), None, "sweep", question)
    assert [signal.getsignal(number) for number in taken] == [signal.SIG_DFL] * 3


def test_a_bug_is_no_answer(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def show(app: ReviewApp) -> Chosen | None:
        return App.run(app, headless=True)

    def summary(painter: Painter) -> str:
        raise ValueError(f"a bug in {type(painter).__name__}")

    monkeypatch.setattr(ReviewApp, "run", show)
    monkeypatch.setattr(Painter, "summary", summary)
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(SystemExit) as ended:
            reviewing.review(choice_of(*SHOP).plan, Survey(inventory(*SHOP), NOW), None, "sweep", question)
    assert ended.value.code == 1
    assert "a bug in Painter" in "".join(capfd.readouterr())


def test_names_reach_the_screen_without_control_characters() -> None:
    evil = container("\x1b[2J[red]evil\u202e[/]\nline", size=5)

    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        for keys in ((), ("down",), ("down", "k"), ("escape", "enter")):
            await press(pilot, *keys)
            text = "".join(screen(app))
            assert text.isprintable()
            if keys != ("down",):
                assert "\\x1b[2J[red]evil\\u202e[/]" in text

    review(choice_of(evil, container("other", size=1)), script, size=(120, 24))


def test_a_click_on_a_box_ticks_and_one_on_a_title_opens() -> None:
    choice = choice_of(*SHOP)

    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        rows = [number for number, line in enumerate(screen(app)) if "  job" in line or "> 20 networks" in line]
        await pilot.click(offset=(2, rows[0]))
        await pilot.pause()
        assert line_of(app, "       job").startswith(">[ ]")
        await pilot.click(offset=(20, rows[1]))
        await pilot.pause()
        assert line_of(app, "v 20 networks").startswith(">[x]")
        assert line_of(app, "         r1").startswith(" [x]")

    review(choice, script)
    assert choice.unticked == {ref("container", "job")}


def test_other_buttons_than_the_left_do_nothing() -> None:
    choice = choice_of(*SHOP)

    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        [row] = [number for number, line in enumerate(screen(app)) if "  job" in line]
        for button in (2, 3):
            await pilot.click(offset=(2, row), button=button)
        await pilot.pause()

    review(choice, script)
    assert not choice.unticked


def test_a_group_that_cannot_be_ticked_tells_why() -> None:
    choice = choice_of(container("job", volumes=["a", "b"]), volume("a", size=1), volume("b", size=1))

    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        await press(pilot, "down", "space")
        await press(pilot, "down", "space")
        assert "0 of 2 volumes" in line_of(app, "volumes")
        assert "Needed by objects that stay: tick those first." in said(app)

    review(choice, script)
    assert choice.unticked == {ref("container", "job")}


def test_a_pasted_name_is_filtered_by() -> None:
    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        app.post_message(events.Paste("q\n"))
        await press(pilot, "slash")
        app.post_message(events.Paste("jo\n"))
        await press(pilot, "b", "enter")
        assert "filter: job" in said(app)
        assert "1 shown, 1 ticked" in said(app)

    review(choice_of(*SHOP), script)


@pytest.mark.parametrize("size", [(40, 12), (80, 24)])
def test_a_question_longer_than_the_screen_can_be_read_to_its_end(size: tuple[int, int]) -> None:
    many = [volume(f"{number}-{'data' * 60}", size=1) for number in range(5)]

    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        await press(pilot, "enter")
        assert "y yes n no up/down scroll" in said(app)
        assert "Remove 5 volumes" not in said(app)
        await press(pilot, "end")
        await pilot.pause(0.5)
        shown = "".join(character for character in said(app) if character not in SCROLL_BAR)
        assert "Remove 5 volumes (freeing 5 B)? y yes n no up/down scroll" in " ".join(shown.split())

    review(choice_of(*many), script, size=size)


def test_a_path_is_asked_for_however_long_the_name_is() -> None:
    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        await press(pilot, "down", "down", "k")
        assert "dockersweep.toml" in said(app)
        assert "enter ok" in said(app)

    review(choice_of(container("job" * 500), container("other")), script, size=(40, 12))


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")

    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        await press(pilot, "s", "home", *"~/", "enter")
        assert "Saved in /home/me/plan.json." in said(app)

    review(choice_of(*SHOP), script)


def test_warnings_can_be_read() -> None:
    choice = choice_of(*SHOP, warnings=(ScanWarning(about="sizes", text="one could not be read"),))

    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        assert any("1 warning (w)." in line for line in screen(app))
        await press(pilot, "w")
        assert any("Warning: sizes: one could not be read" in line for line in screen(app))

    review(choice, script)


def test_the_cursor_stays_in_sight_at_any_size() -> None:
    async def script(app: ReviewApp, pilot: Pilot[Chosen]) -> None:
        for size in ((80, 24), (200, 60), (40, 12)):
            await pilot.resize_terminal(*size)
            for keys in (("home",), ("end",), ("pageup",)):
                await press(pilot, *keys)
                shown = screen(app)
                assert len(shown) <= size[1]
                [heading] = [line for line in shown if "OBJECT" in line]
                assert len(heading) == size[0]
                assert sum(line.startswith(">") for line in shown) == 1
        await press(pilot, "home", "down", "down")
        assert ">[x]       job " in line_of(app, "job ")

    review(choice_of(*SHOP), script)


POLICY = """version = 1  # ours
removes_nothing = true

[protect]
names = [
  "db",  # the pride of the house
]
"""


def decision(name: str, kind: str = "container") -> Decision:
    return Decision(
        kind=kind, id="x", name=name, verdict="remove", size_bytes=1, age_seconds=1, age_source=None, reasons=()  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_protection_leaves_the_rest_of_the_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(POLICY)
    assert protect_by_name(decision("web[1]*"), str(path)) == f"Added web[1]* to protect.names in {path}."
    assert path.read_text() == POLICY.replace("house\n", 'house\n  "web[[]1][*]",\n')
    assert protect_by_name(decision("web[1]*"), str(path)) == f"{path} keeps web[1]* already."
    for text in ("", 'protect.labels = ["x"]', 'protect = {names = ["a"]}', '[protect]\nyounger_than = "1d"'):
        path.write_text(f"version = 1\nremoves_nothing = true\n{text}\n")
        protect_by_name(decision("web"), str(path))
        names = read_policy(path.read_bytes(), "p").protections.names
        assert [name.pattern for name in names][-1:] == ["web"]
        assert len(names) == 1 + ("names" in text)


def test_line_endings_and_a_byte_order_mark_stay(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    for before in ("\ufeff" + POLICY, POLICY.replace("\n", "\r\n")):
        path.write_bytes(before.encode())
        protect_by_name(decision("web"), str(path))
        added = 'house\r\n  "web",\r\n' if "\r" in before else 'house\n  "web",\n'
        assert path.read_bytes().decode() == before.replace("house\r\n" if "\r" in before else "house\n", added)


def test_a_file_that_cannot_be_changed_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    with pytest.raises(PolicyError, match="does not exist: make one with `dockersweep policy init -o"):
        protect_by_name(decision("web"), str(path))
    for text, why in (
        ("version = 7\n", "version"),
        ("version = 1\nremoves_nothing = true\nprotect = 3\n", "protect"),
        ("[protect\n", "line 1"),
        (
            'version = 1\nremoves_nothing = true\n[protect]\nnames = [ # 1\n  "db" # 2\n  # 3\n]\n',
            'add "web" by hand',
        ),
        (
            "version = 1\nremoves_nothing = true\nprotect.names = ['db']\nprotect.labels = ['x']\n",
            'add "web" by hand',
        ),
    ):
        path.write_text(text)
        with pytest.raises(PolicyError, match=why):
            protect_by_name(decision("web"), str(path))
        assert path.read_text() == text
    path.write_text(POLICY)
    for kind, name in (
        ("image", "0123456789ab"),
        ("image", "registry:5000/app@0123456789ab"),
        ("build-cache", "from local"),
    ):
        with pytest.raises(PolicyError, match="no name of its own"):
            protect_by_name(decision(name, kind), str(path))
    for odd, why in ((f"/{'a' * 300}", "File name too long"), ("a\0b", "null byte")):
        with pytest.raises(PolicyError, match=why):
            protect_by_name(decision("web"), odd)
    path.chmod(0o666)
    with pytest.raises(PolicyError, match="can be written by others"):
        protect_by_name(decision("web"), str(path))
    assert path.read_text() == POLICY
