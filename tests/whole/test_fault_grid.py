"""Every call that a scan and a sweep make goes wrong in every way, and nothing is lost, nor left unsaid.

A tenth of the cells are tried here, each on one of the engines that have its call, so that CI has the time; the program
`tests/grid` tries all on each, and prints the table.
"""

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import EngineKind
from tests.rig.fault_calls import IN_EVERY_RUN, Call, expected, falls_to, kinds_with
from tests.rig.fault_grid import Grid, grid_of
from tests.rig.faults import DAMAGED, Fault, answer

_RECORDED: dict[EngineKind, list[Call]] = {}


def recorded(grid: Grid, engine: Engine) -> list[Call]:
    """The calls that an engine is asked, which to record takes half a minute: once for all tests here."""
    if engine.kind not in _RECORDED:
        _RECORDED[engine.kind] = grid.calls()
    return _RECORDED[engine.kind]


@pytest.mark.on_engines(*IN_EVERY_RUN)
def test_its_part_of_the_grid_holds(engine: Engine) -> None:
    with grid_of(engine) as grid:
        calls = recorded(grid, engine)
        unknown = [str(call) for call in calls if engine.kind not in kinds_with(call)]
        assert not unknown, "tests.rig.fault_calls says that this engine is not asked for these"
        wanted = [(call, fault) for call in calls for fault in call.faults if falls_to(call, fault) is engine.kind]
        cells = list(grid.cells(wanted, repair=False))
        wrong = [f"{cell.call} | {cell.fault} | {cell}: {'; '.join(cell.problems)}" for cell in cells if cell.problems]
        wrong += grid.unrepaired()
    assert len(cells) > 8
    assert not wrong, "\n".join(wrong)


@pytest.mark.on_engines("docker-28.5")
def test_the_grid_finds_out_an_engine_that_lies(engine: Engine) -> None:
    says_it_is_done = Fault("a lie", lambda _: (answer(204, b""),), acts=False, ends=False)
    with grid_of(engine) as grid:
        calls = {str(call): call for call in recorded(grid, engine)}
        for name in ("DELETE /volumes/VOLUME", "DELETE /containers/CONTAINER", "DELETE /networks/NETWORK"):
            [cell] = grid.cells([(calls[name], says_it_is_done)], repair=True)
            assert [problem for problem in cell.problems if "is told as removed, and is there" in problem]
        list_call = calls["scan: GET /networks"]
        [cell] = grid.cells([(list_call, says_it_is_done)], repair=True)
    assert (cell.exit, cell.problems) == (5, ())


@pytest.mark.on_engines("docker-28.5")
def test_every_call_is_known_to_the_table(engine: Engine) -> None:
    with grid_of(engine) as grid:
        calls = recorded(grid, engine)
    assert {call.when for call in calls} == {"scan", "before", "removal", "after"}
    removals = [str(call) for call in calls if call.when == "removal"]
    assert sorted(removals) == [
        "DELETE /containers/CONTAINER",
        "DELETE /images/APP",
        "DELETE /images/DANGLING",
        "DELETE /images/TAG",
        "DELETE /networks/NETWORK",
        "DELETE /volumes/VOLUME",
        "POST /build/prune",
    ]
    for call in calls:
        for fault in call.faults:
            assert expected(call, fault).exits <= {0, 3, 5}
    assert {fault.name for fault in DAMAGED} <= {fault.name for call in calls for fault in call.faults}
