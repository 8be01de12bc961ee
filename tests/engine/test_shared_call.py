"""A list that removals share: nobody is given one that was asked for before he asked."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from dockersweep.engine.removing.shared_call import SharedCall
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.recorder import Request
from tests.rig.running import dockersweep


class Held:
    """A call that answers its number; the first is held until it is let go."""

    def __init__(self) -> None:
        self.calls = 0
        self.begun = threading.Event()
        self.let_go = threading.Event()

    def __call__(self) -> int:
        self.calls += 1
        number = self.calls
        self.begun.set()
        assert self.let_go.wait(20)
        return number


def ask_while_held(held: Held, ask: Callable[[], int], others: int) -> list[int]:
    """Ask once, then so many times while that call is under way; return the answers to those."""
    with ThreadPoolExecutor(others + 1) as pool:
        first = pool.submit(ask)
        assert held.begun.wait(20)
        later = [pool.submit(ask) for _ in range(others)]
        time.sleep(0.1)
        held.let_go.set()
        assert first.result() == 1
        return [one.result() for one in later]


def test_all_that_ask_meanwhile_share_the_next_call_and_none_the_one_under_way() -> None:
    held = Held()
    answers = ask_while_held(held, SharedCall(held).ask, 20)
    assert min(answers) == 2
    assert held.calls < 10
    assert len(answers) == 20


def test_who_asks_alone_makes_the_call_anew_each_time() -> None:
    held = Held()
    held.let_go.set()
    shared = SharedCall(held)
    assert [shared.ask() for _ in range(3)] == [1, 2, 3]


def test_an_error_goes_to_all_that_waited_for_that_call_and_not_to_the_next() -> None:
    held = Held()

    def fails_at_first() -> int:
        if held() == 2:
            raise ValueError("no")
        return held.calls

    shared = SharedCall(fails_at_first)

    def ask() -> int:
        try:
            return shared.ask()
        except ValueError:
            return -1

    answers = ask_while_held(held, ask, 5)
    assert -1 in answers
    assert shared.ask() == held.calls


@pytest.mark.on_engines("docker-28.5-containerd", "podman-6.1")
def test_a_container_that_comes_while_a_list_is_on_its_way_spares_its_image(engine: Engine, litter: Litter) -> None:
    """The answer to the first list is held back until the other image has been looked at; it does not tell of the
    container that comes then, and so must not be taken for that image."""
    litter.image("app:1", layers={"a": 1000}, tags=["app:2"])
    spared = litter.image("spared:1", layers={"b": 1000}, tags=["spared:2"], runnable=True)
    tags = litter.image_tags(spared)
    looks = {f"/images/{tag}/json" for tag in tags}
    first_list, looked = threading.Event(), threading.Event()
    seen: list[Request] = []

    def before(request: Request) -> None:
        seen.append(request)
        if request.path in looks and not looked.is_set():
            assert first_list.wait(20)

    def holds_back(request: Request) -> bool:
        if request.path in looks:
            looked.set()
        elif request.path == "/containers/json" and is_for_a_removal(request) and not first_list.is_set():
            first_list.set()
            assert looked.wait(20)
            litter.container("late", image=spared, state="created")
            # For a worker that would take this list.
            time.sleep(0.3)
        return False

    def is_for_a_removal(request: Request) -> bool:
        return any(other.path.startswith("/images/") and other.path.endswith(":2/json") for other in list(seen))

    with engine.recorder.recording() as recording:
        recording.before, recording.swallows = before, holds_back
        flags = ("--yes", "--kind", "image", "--all-images", "--older-than", "0s", "--no-sizes", "--format", "json")
        run = dockersweep("sweep", *flags, host=engine.url)
    outcomes = {row["name"].removeprefix("localhost/"): row for row in run.json()["outcomes"]}
    assert outcomes["spared:2"]["status"] == "skipped", outcomes
    assert "container late (created) names it" in outcomes["spared:2"]["detail"]
    assert outcomes["app:2"]["status"] == "removed"
    assert set(litter.image_tags(spared)) == set(tags)
    lists = [place for place, request in enumerate(recording.requests) if request.path == "/containers/json"]
    look = next(place for place, request in enumerate(recording.requests) if request.path in looks)
    assert lists[-1] > look
