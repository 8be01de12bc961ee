"""Processes side by side: as many as may, none held up by one that does not answer, each end told."""

import os
import signal
import time
from collections.abc import Callable, Sequence

import pytest

from dockersweep.commands.fleet.crew import MOST_WAITING, Crew, Done, Job

LONG_SECONDS = 30.0
# The tests themselves run in several threads.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
PATIENCE_SECONDS = 0.3


def run(crew: Crew, jobs: Sequence[Job], may_begin: Callable[[], bool] = lambda: True) -> list[Done]:
    try:
        return list(crew.run(jobs, may_begin))
    finally:
        crew.close()


def answers(answered: Callable[[], None]) -> bytes:
    answered()
    time.sleep(0.2)
    return str(os.getpid()).encode()


def test_each_job_has_a_process_of_its_own_and_so_many_run_at_once() -> None:
    seen: list[int] = []
    crew = Crew(3, lambda numbers: seen.append(len(numbers)))
    done = run(crew, [Job(number, answers) for number in range(7)])
    assert sorted(one.number for one in done) == list(range(7))
    assert len({one.result for one in done} - {str(os.getpid()).encode()}) == 7
    assert max(seen) == 3


def test_one_that_does_not_answer_gives_its_place_to_the_next() -> None:
    def hangs(answered: Callable[[], None]) -> bytes:
        time.sleep(PATIENCE_SECONDS + 1.2)
        return b"late"

    begun = time.monotonic()
    ends: list[tuple[int, float]] = []
    crew = Crew(1, lambda numbers: None, PATIENCE_SECONDS)
    for done in crew.run([Job(0, hangs), Job(1, answers)], lambda: True):
        ends.append((done.number, time.monotonic() - begun))
    crew.close()
    assert [number for number, _ in ends] == [1, 0]
    assert ends[0][1] < PATIENCE_SECONDS + 1.1


def test_not_more_than_some_wait_for_an_answer() -> None:
    def hangs(answered: Callable[[], None]) -> bytes:
        time.sleep(PATIENCE_SECONDS + 0.2)
        return b""

    seen: list[int] = []
    crew = Crew(1, lambda numbers: seen.append(len(numbers)), PATIENCE_SECONDS / 4)
    run(crew, [Job(number, hangs) for number in range(MOST_WAITING + 2)])
    assert max(seen) <= MOST_WAITING


def test_a_process_that_dies_is_told_with_its_signal() -> None:
    def dies(answered: Callable[[], None]) -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return b""

    [done] = run(Crew(1, lambda numbers: None), [Job(0, dies)])
    assert (done.result, done.exit_code) == (None, -signal.SIGKILL)


def test_no_further_one_is_begun_once_it_may_not() -> None:
    ended: list[int] = []
    crew = Crew(1, lambda numbers: None)
    for done in crew.run([Job(number, answers) for number in range(4)], lambda: len(ended) < 2):
        ended.append(done.number)
    crew.close()
    assert ended == [0, 1]


def test_a_job_begins_when_its_wait_is_over() -> None:
    jobs = [Job(0, answers, after_seconds=0.6), Job(1, answers)]
    begun = time.monotonic()
    done = run(Crew(2, lambda numbers: None), jobs)
    assert [one.number for one in done] == [1, 0]
    assert time.monotonic() - begun >= 0.8


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_passed_on(number: signal.Signals) -> None:
    def waits(answered: Callable[[], None]) -> bytes:
        answered()
        try:
            time.sleep(LONG_SECONDS)
        except KeyboardInterrupt:
            return b"interrupted"
        return b"slept"

    crew: Crew
    begun = time.monotonic()

    def tick(numbers: Sequence[int]) -> None:
        if time.monotonic() - begun > 0.5:
            crew.signal(number)

    crew = Crew(2, tick)
    assert {one.result for one in run(crew, [Job(0, waits), Job(1, waits)])} == {b"interrupted"}
    assert time.monotonic() - begun < LONG_SECONDS / 2
