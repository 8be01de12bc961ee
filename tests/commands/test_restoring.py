"""A run of `restore`, apart from what it makes."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dockersweep.commands.restoring import execution
from dockersweep.commands.restoring.execution import RestoreRun
from tests.rig.inventories import NOW


def test_what_is_created_to_fill_volumes_is_removed_after_any_error(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []

    def failing(*_: object) -> Iterator[object]:
        raise ZeroDivisionError

    nothing = cast("Any", None)
    monkeypatch.setattr(execution, "VolumeContainers", lambda *_: SimpleNamespace(close=lambda: closed.append(True)))
    monkeypatch.setattr(execution, "Restorer", lambda *_: SimpleNamespace(carry_out=failing))
    monkeypatch.setattr(RestoreRun, "_volumes", lambda *_: None)
    options = cast("Any", SimpleNamespace(engine=SimpleNamespace(shows_progress=False)))
    stopped = cast("Any", SimpleNamespace(request=SimpleNamespace(is_set=lambda: False)))
    run = RestoreRun(nothing, options, nothing, nothing, None, NOW)
    with pytest.raises(ZeroDivisionError):
        run._made(nothing, [], nothing, stopped, nothing)
    assert closed == [True]
