"""Sweeps beside others at work break none of what they have begun; `tests/soak --sweeps 200` is the long form."""

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.soaking.alongside import AGGRESSIVE, sweep_beside, work_of

SWEEPS = 2


@pytest.mark.enough_on("docker-28.5-containerd")
def test_sweeps_beside_loads_builds_and_runs_break_none_of_them(engine: Engine, litter: Litter) -> None:
    beside = sweep_beside(engine, SWEEPS, *AGGRESSIVE)
    assert beside.broken == [], str(beside)
    assert set(beside.done) == set(work_of(litter)), "some have not come to do anything"
    taken = {what for what, count in beside.removed.items() if count and what.endswith(" removed")}
    assert taken >= {"container removed", "image removed", "volume removed", "network removed"}
