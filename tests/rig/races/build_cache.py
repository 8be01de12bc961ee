"""What can happen to a build-cache record that is to go."""

from __future__ import annotations

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import CannotDo
from tests.rig.engines.litter import Litter
from tests.rig.races.held_build import HeldBuild
from tests.rig.races.race import Race, Scene


def _records(engine: Engine, litter: Litter) -> str:
    if not engine.kind.has_build_cache:
        raise CannotDo("it has no BuildKit")
    litter.build_cache("cache", records=2, size=1000)
    told = engine.wire.call("GET", "/system/df", type="build-cache")["BuildCache"]
    # The record of the last step gets another id when it is used again. Docker 20.10 does not say which the first is,
    # but for it being the parent of the last.
    below = {one.get("Parent") for one in told if "touch" in one["Description"]} - {"", None}
    return next(str(one["ID"]) for one in told if "COPY payload" in one["Description"] or one["ID"] in below)


def _cache_hit(engine: Engine, litter: Litter) -> Scene:
    record = _records(engine, litter)
    return Scene(
        record, lambda: litter.build_cache("cache", records=2, size=1000), lambda: record in litter.cache_ids()
    )


def _cache_in_a_build(engine: Engine, litter: Litter) -> Scene:
    record = _records(engine, litter)
    build = HeldBuild(engine)
    return Scene(record, build.hold, lambda: record in litter.cache_ids(), build.finish)


BUILD_CACHE_RACES = (
    Race("build-cache", "is used again", _cache_hit, window="removed"),
    Race("build-cache", "is used by a build under way", _cache_in_a_build),
)  # fmt: skip
