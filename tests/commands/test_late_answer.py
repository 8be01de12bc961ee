"""The question of a sweep: a yes that comes late is none, as jobs may have used meanwhile what is to go."""

import os
import sys
import time
from collections.abc import Callable

import pytest

from dockersweep.commands.options import SweepOptions, options_of
from dockersweep.commands.running import permission
from dockersweep.commands.running.permission import Circumstances, permit
from dockersweep.engine.removing.stopping import StopRequest
from dockersweep.errors import RefusedError
from dockersweep.parser.command_line import parse
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.policy.planning.limits import NOTHING_GONE
from tests.rig.inventories import container, inventory, plan_of

Answer = Callable[[str], None]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Have a plan permitted by somebody who types this."""
    monkeypatch.setattr(permission, "can_ask", lambda: True)
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((80, 24)))

    def type_in(text: str) -> None:
        reads, writes = os.pipe()
        os.write(writes, text.encode())
        os.close(writes)
        options = options_of(parse(["sweep"]))
        assert isinstance(options, SweepOptions)
        with open(reads) as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            circumstances = Circumstances(True, True, NOTHING_GONE, StopRequest())
            permit(plan_of(inventory(container("web")), DEFAULT_POLICY), options.run, circumstances)

    return type_in


def test_a_yes_in_time_is_one(answer: Answer) -> None:
    answer("y\n")
    with pytest.raises(RefusedError, match="not confirmed"):
        answer("n\n")


def test_a_yes_that_comes_long_after_the_plan_is_none(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([1000.0, 1000.0 + permission.ANSWER_SECONDS + 1])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock, 0.0))
    with pytest.raises(RefusedError, match="the yes came over an hour after the question"):
        answer("y\n")
