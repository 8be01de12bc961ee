"""The engines that the tests of one process share, each started when it is first asked for."""

from __future__ import annotations

from dataclasses import dataclass

from tests.rig.engines.engine import Engine
from tests.rig.engines.heap import Everything, everything
from tests.rig.engines.kinds import EngineKind
from tests.rig.engines.litter import Litter


@dataclass(frozen=True)
class Filled:
    """An engine with everything there is on it, for tests that only look."""

    engine: Engine
    heap: Everything


class Engines:
    """The engines of this process, each started when it is first asked for."""

    def __init__(self) -> None:
        """Start none yet."""
        self._started: dict[EngineKind, Engine] = {}
        self._filled: dict[EngineKind, Filled] = {}

    def filled(self, wanted: EngineKind) -> Filled:
        """The engine of that kind with everything there is on it; it is made again where it was empty since."""
        if wanted not in self._filled:
            engine = self.get(wanted)
            self._filled[wanted] = Filled(engine, everything(Litter(engine)))
        return self._filled[wanted]

    def get(self, wanted: EngineKind) -> Engine:
        """The engine of that kind, running and empty."""
        self._filled.pop(wanted, None)
        if wanted in self._started:
            self._started[wanted].wipe()
        else:
            self._started[wanted] = Engine(wanted, without_packages=True).start()
        return self._started[wanted]

    def forbidden(self) -> list[str]:
        """What was asked of any of them since the last call that nothing may ask for."""
        found = []
        for engine in self._started.values():
            found += [str(request) for request in engine.recorder.forbidden]
            engine.recorder.forbidden.clear()
        return found

    def close(self) -> None:
        """End them all."""
        for engine in self._started.values():
            engine.close()
