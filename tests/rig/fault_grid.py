"""Every call that a scan and a sweep make, times every fault: what dockersweep then does, held against the engine.

The calls are found by recording: a sweep of each kind of object, and one whose removals get no answer. A cell of the
grid is one run of a sweep in which one of these calls goes wrong in one way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any

from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.fault_calls import NO_SIZES, SCENARIOS, Call, Expected, Scenario, expected, is_harmless
from tests.rig.fault_recording import Key, calls_of, key_of, no_answer_to_removals
from tests.rig.faults import Fault
from tests.rig.faulty_proxy import Proxy, Strike, faulty
from tests.rig.preloaded import Preloaded, Timed
from tests.rig.running import preloaded
from tests.rig.traffic import strays

_SLOW = re.compile(r"stall|drip|gone for good")
_LONGEST_SECONDS = 20.0
_STATIONS = 3
_NOT_KNOWN = re.compile(r"is not known|no longer lists it|could not be looked at")


@dataclass(frozen=True)
class Cell:
    """What became of one call with one fault."""

    call: Call
    fault: Fault
    exit: int
    status: str | None
    """The outcome of the removal that it is about; None where there is no document."""
    problems: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        return f"{self.exit}{f' {self.status}' if self.status else ''}{' ✗' if self.problems else ''}"


Objects = frozenset[tuple[str, str]]
"""What an engine holds: kinds and ids; tags are of the kind "tag"."""


@dataclass(frozen=True)
class Station:
    """Where one run at a time can be made: a proxy in front of the engine, and a state folder of its own, because two
    runs on one engine wait for each other."""

    proxy: Proxy
    preloaded: Preloaded
    state: Path

    def run(self, scenario: Scenario, *flags: str) -> Timed:
        """Sweep."""
        words = ("-H", self.proxy.url, "sweep", *scenario.flags(), *flags)
        return self.preloaded.run(*words, environment={"DOCKERSWEEP_STATE_DIR": str(self.state)})


@contextmanager
def grid_of(engine: Engine) -> Iterator[Grid]:
    """Return the grid of an engine that is empty, with what it takes."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="dsw-grid-")))
        stations = []
        # Docker 20.10 walks its disk for one at a time, and refuses the others.
        for number in range(1 if engine.kind.api_version == "1.41" else _STATIONS):
            # Behind the recorder, which keeps what is never allowed.
            proxy = stack.enter_context(faulty(engine.recorder.path))
            process = preloaded(number)
            process.warm("-H", proxy.url, "plan", "--no-ledger", "--format", "json")
            stations.append(Station(proxy, process, folder / str(number)))
        yield Grid(engine, stations)


class Grid:
    """The grid of one engine, which is empty at the beginning and is kept littered."""

    def __init__(self, engine: Engine, stations: Sequence[Station]) -> None:
        """The first of the stations is for what changes the engine."""
        self._engine, self._stations = engine, stations
        self._litter = Litter(engine)
        self._names: dict[str, str] = {}
        self._is_podman = engine.kind.flavour == "podman"

    # The calls.

    def calls(self) -> list[Call]:
        """Record a sweep of each kind, and return every call once."""
        found: dict[str, Call] = {}
        for scenario in SCENARIOS:
            if scenario.kind == "build-cache" and not self._engine.kind.has_build_cache:
                continue
            for call in self._recorded(scenario):
                if call.when != "scan" or (scenario.kind == "volume" and not re.search("{(base|dangling)}", call.path)):
                    found.setdefault(str(call).removesuffix(NO_SIZES), call)
        return list(found.values())

    def _recorded(self, scenario: Scenario) -> Iterator[Call]:
        self._make_whole()
        looked = self._keys_of(scenario, "--dry-run")
        without_answer = self._keys_of(scenario, strikes=no_answer_to_removals())
        self._make_whole()
        return calls_of(scenario, looked, self._keys_of(scenario), without_answer)

    def _keys_of(self, scenario: Scenario, *flags: str, strikes: Sequence[Strike] = ()) -> list[Key]:
        station = self._stations[0]
        station.proxy.begin(*strikes)
        run = station.run(scenario, *flags)
        assert run.status in (0, 3), run
        named = {value: f"{{{name}}}" for name, value in self._names.items()}
        return [key_of(request, named) for request in station.proxy.requests]

    # Its cells.

    def cells(self, wanted: Sequence[tuple[Call, Fault]], repair: bool) -> Iterator[Cell]:
        """Try these cells. With `repair`, see after each that the next run puts right what it left; else do so where
        something went, and after all that left the engine as it was, once for each kind."""
        together = [] if repair else [one for one in wanted if is_harmless(*one, self._is_podman)]
        alone = [one for one in wanted if one not in together]
        free: SimpleQueue[Station] = SimpleQueue()
        for station in self._stations:
            free.put(station)

        def one_of_many(call: Call, fault: Fault) -> Cell:
            station = free.get()
            try:
                return self._cell(call, fault, station, repair=None)
            finally:
                free.put(station)

        self._make_whole()
        with ThreadPoolExecutor(len(self._stations)) as pool:
            for cell in pool.map(lambda one: one_of_many(*one), together):
                if cell.problems:
                    # One that removed what it should not has spoiled others: each is judged once more, by itself.
                    alone.append((cell.call, cell.fault))
                else:
                    yield cell
        for call, fault in alone:
            self._make_whole()
            yield self._cell(call, fault, self._stations[0], repair)

    def unrepaired(self) -> Iterator[str]:
        """Sweep each kind without a fault; return what is wrong with that."""
        for scenario in SCENARIOS:
            self._make_whole()
            yield from self._unrepaired(scenario, self._stations[0])

    def _cell(self, call: Call, fault: Fault, station: Station, repair: bool | None) -> Cell:
        """Try a cell; `repair` is None where others are tried at the same time."""
        there = self._objects()
        station.proxy.begin(call.strike(fault, self._names), *(no_answer_to_removals() if call.when == "after" else ()))
        run = station.run(call.scenario, *_time_outs(call, fault))
        left = self._objects()
        document = run.json() if run.stdout else None
        rows: list[dict[str, Any]] = document["outcomes"] if document else []
        problems = [] if fault in station.proxy.struck else ["it was not struck"]
        problems += _wrong_with_the_run(run, document)
        problems += strays(list(station.proxy.requests), "sweep", rows)
        problems += self._untrue(call, fault, there, left, rows)
        status = self._status(call, rows)
        problems += _unexpected(expected(call, fault, self._is_podman), run.status, status)
        if fault.name.startswith("200 MB") and not call.lists and station.proxy.sent_bytes > 20_000_000:
            problems.append(f"it read on for {station.proxy.sent_bytes} bytes")
        if repair or (repair is not None and left != there):
            problems += self._unrepaired(call.scenario, station)
        return Cell(call, fault, run.status, status, tuple(problems), run.seconds)

    def _status(self, call: Call, rows: Sequence[Mapping[str, Any]]) -> str | None:
        name, action = call.target
        if name == "build-cache":
            told = {row["status"] for row in rows}
            return " and ".join(sorted(told)) or None
        return next((row["status"] for row in rows if row["id"] == self._names[name] and row["action"] == action), None)

    def _untrue(
        self, call: Call, fault: Fault, there: Objects, left: Objects, rows: Sequence[Mapping[str, Any]]
    ) -> Iterator[str]:
        """Return which outcomes do not hold, and what went that was not planned."""
        planned = {_object_of(row): row for row in rows}
        # BuildKit itself lets go of some records, a while after a build.
        let_go = {"build-cache"} if call.when != "removal" or call.method != "POST" or not fault.acts else set()
        for gone in there - left:
            # With the last tag of an image goes the image, and with the image its last tag.
            if (
                gone[0] not in let_go
                and gone not in planned
                and not (gone[0] == "tag" and ("image", self._names["app"]) in planned)
            ):
                yield f"{gone} went, and stands in no plan"
        lied = self._names.get(call.target[0]) if fault.name == "404" else None
        for what, row in planned.items():
            if row["status"] in ("removed", "gone") and what in left and row["id"] != lied:
                yield f"{what} is told as {row['status']}, and is there"
            says_so = row["status"] == "failed" and _NOT_KNOWN.search(row["detail"] or "")
            says_so = says_so or what[0] in let_go
            if row["status"] in ("skipped", "failed", "not-attempted") and what not in left and not says_so:
                yield f"{what} is told as {row['status']} ({row['detail']}), and is not there"

    def _unrepaired(self, scenario: Scenario, station: Station) -> Iterator[str]:
        station.proxy.begin()
        run = station.run(scenario)
        if run.status != 0:
            yield f"the next run ended with {run.status}: {run.stderr}{run.stdout}"
            return
        wrong = [row for row in run.json()["outcomes"] if row["status"] not in ("removed", "gone")]
        meant = {self._names[name] for name in ("container", "dangling", "app", "volume", "network")}
        left = [
            name for kind, name in self._objects() if kind == scenario.kind and (name in meant or kind == "build-cache")
        ]
        if wrong or left:
            yield f"the next run left something: {wrong} {left}"

    # The engine.

    def _make_whole(self) -> None:
        """Make what is no longer there, and know what it is called."""
        names, litter = self._names, self._litter
        names["base"] = litter.base()
        there = {name for _, name in self._objects()}
        if names.get("container") not in there:
            names["container"] = litter.container("grid", state="created")
        if names.get("dangling") not in there:
            names["dangling"] = litter.image(None, layers={"grid-dangling": 1000})
        if names.get("tag") not in there or names.get("app") not in there:
            names["app"] = litter.image("grid/app:1", tags=("grid/app:2",), layers={"grid-app": 1000})
            names["tag"] = max(litter.image_tags(names["app"]))
        if names.get("volume") not in there:
            names["volume"] = litter.anonymous_volume()
        if names.get("network") not in there:
            names["network"] = litter.network("grid")
        if self._engine.kind.has_build_cache and not self._cache():
            litter.build_cache("grid", records=2)

    def _objects(self) -> Objects:
        call = self._engine.wire.call
        images = self._engine.wire.images()
        found = [("container", one["Id"]) for one in call("GET", "/containers/json", all="1")]
        found += [("image", _full_id(one["Id"])) for one in images]
        found += [("tag", tag) for one in images for tag in one["RepoTags"] or () if tag != "<none>:<none>"]
        found += [("volume", one["Name"]) for one in call("GET", "/volumes")["Volumes"] or ()]
        found += [("network", one["Id"]) for one in call("GET", "/networks")]
        found += [("build-cache", record) for record in self._cache()]
        return frozenset(found)

    def _cache(self) -> list[str]:
        return self._litter.cache_ids() if self._engine.kind.has_build_cache else []


def _time_outs(call: Call, fault: Fault) -> tuple[str, ...]:
    """Return short time-outs for what will have to be waited for, and long ones for all that is not to be late."""
    short = "1s" if _SLOW.match(fault.name) else "30s"
    is_df = call.path == "/system/df"
    # A look at the build cache has the time-out of removals, and a call of the scan may be both.
    removal = short if call.when == "removal" or (is_df and call.when != "scan") else "30s"
    sizes = short if is_df and call.when == "scan" else "30s"
    engine = short if not (is_df or call.when == "removal") or fault.gone_seconds else "30s"
    return "--engine-timeout", engine, "--size-timeout", sizes, "--removal-timeout", removal


def _wrong_with_the_run(run: Timed, document: Mapping[str, Any] | None) -> Iterator[str]:
    told = run.stderr.splitlines()
    problems = [line for line in told if line.startswith(("Warning: ", "Failed: "))]
    lines = [line for line in told if line not in problems]
    if document is None and not (len(lines) == 1 and lines[0].startswith("dockersweep: ")):
        yield f"it said {run.stderr!r}"
    said = ["dockersweep: "] if document is not None and run.status else []
    if document is not None and [line[: len("dockersweep: ")] for line in lines] != said:
        yield f"it had a document, ended with {run.status}, and said {run.stderr!r}"
    failed = sum(row["status"] == "failed" for row in (document or {"outcomes": ()})["outcomes"])
    if document is not None and sum(line.startswith("Failed: ") for line in problems) != failed:
        yield f"it listed other removals that failed than it has in the document: {run.stderr!r}"
    if run.seconds > _LONGEST_SECONDS:
        yield f"it took {run.seconds:.1f} seconds"
    if document is None:
        if run.status != 5:
            yield f"it ended with {run.status} and no document"
        return
    statuses = {row["status"] for row in document["outcomes"]}
    right = 5 if document.get("ended_by") == "engine" else 3 if statuses & {"failed", "not-attempted"} else 0
    if run.status != right:
        yield f"it ended with {run.status}, and its document says {right}"
    for row in document["outcomes"]:
        if (row["status"] == "removed") != (row["detail"] is None) and row["status"] != "removed":
            yield f"nothing says why {row['id']} is {row['status']}"


def _unexpected(wanted: Expected, exit_status: int, status: str | None) -> Iterator[str]:
    if exit_status not in wanted.exits:
        yield f"it ended with {exit_status} and not with {' or '.join(map(str, sorted(wanted.exits)))}"
    if wanted.status is not None and status != wanted.status:
        yield f"what it is about was {status} and not {wanted.status}"


def _object_of(row: Mapping[str, Any]) -> tuple[str, str]:
    return ("tag", row["name"]) if row["action"] == "untag" else (row["kind"], row["id"])


def _full_id(image: str) -> str:
    return image if image.startswith("sha256:") else f"sha256:{image}"
