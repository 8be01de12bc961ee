"""Which calls a sweep makes: told apart by what a recorded one asked, in which order, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tests.rig.fault_calls import Call, Scenario, When
from tests.rig.faults import CLOSED_UNHEARD
from tests.rig.faulty_proxy import Strike
from tests.rig.recorder import Request

Key = tuple[str, str, tuple[tuple[str, str], ...]]
"""Method, path with the names of objects, and parameters."""


def key_of(request: Request, named: Mapping[str, str]) -> Key:
    path, params = request.path, {} if request.method == "POST" else request.params
    for value, name in named.items():
        path = path.replace(value, name)
        params = {key: text.replace(value, name) for key, text in params.items()}
    return request.method, path, tuple(sorted(params.items()))


def calls_of(
    scenario: Scenario, looked: Sequence[Key], swept: Sequence[Key], without_answer: Sequence[Key]
) -> Iterator[Call]:
    """Tell the calls of the scan, of the removals, and of the looks after them apart by how often each comes."""
    scans, sweeps = Counter(looked), Counter(swept)
    for (method, path, params), nth in _numbered(swept):
        when: When = "removal" if method != "GET" else "scan" if nth <= scans[method, path, params] else "before"
        yield Call(scenario, when, method, path, dict(params), nth)
    for (method, path, params), nth in _numbered(without_answer):
        # The one asks whether the engine is back, and comes as often as it takes; the other is shared by all removals
        # that wait for it, which are sometimes more and sometimes fewer.
        comes_by_chance = path in ("/info", "/containers/json")
        if method == "GET" and nth > sweeps[method, path, params] and not comes_by_chance:
            yield Call(scenario, "after", method, path, dict(params), nth)


def _numbered(keys: Sequence[Key]) -> Iterator[tuple[Key, int]]:
    seen = Counter[Key]()
    for key in keys:
        seen[key] += 1
        yield key, seen[key]


def no_answer_to_removals() -> tuple[Strike, ...]:
    """Return what makes every removal of a small sweep end without an answer, and without the engine hearing of it."""
    return tuple(Strike(CLOSED_UNHEARD, method, ".*", nth=nth) for method in ("DELETE", "POST") for nth in range(1, 9))
