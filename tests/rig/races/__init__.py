"""What can happen to an object between the plan and its removal: each race is a scene, a change, and what must follow.

There are three moments at which the change is made, each by a barrier and not by luck: between `plan -o` and `apply`;
during a sweep, just before the object is looked at again; and in the narrow window between that look and the removal.
In the window only the engine itself can protect an object. Where it does not, the race says so (`window` names a
removal, `open` what is lost), and its test is the documentation of that.

There is a file for each kind of object: its scenes, and below them its races.
"""

from tests.rig.engines.kinds import KINDS
from tests.rig.races.build_cache import BUILD_CACHE_RACES
from tests.rig.races.containers import CONTAINER_RACES
from tests.rig.races.images import IMAGE_RACES
from tests.rig.races.networks import NETWORK_RACES
from tests.rig.races.race import MOMENTS
from tests.rig.races.volumes import VOLUME_RACES

RACES = (*CONTAINER_RACES, *VOLUME_RACES, *IMAGE_RACES, *NETWORK_RACES, *BUILD_CACHE_RACES)


def race_table(told: list[str]) -> str:
    """A Markdown table of races by engine; each of what is told is a race, a moment, an engine and a status."""
    rows: dict[str, dict[str, dict[str, str]]] = {}
    for race, moment, engine, status in (one.split("|") for one in told):
        rows.setdefault(race, {}).setdefault(engine, {})[moment] = status
    engines = [str(kind) for kind in KINDS]
    lines = [f"| {' | '.join(['race', *engines])} |", f"|{'---|' * (len(engines) + 1)}"]
    for race in [str(race) for race in RACES if str(race) in rows]:
        cells = (" / ".join(rows[race].get(engine, {}).get(m, "-") for m in MOMENTS) for engine in engines)
        lines.append(f"| {' | '.join([race, *cells])} |")
    return "\n".join(lines)
