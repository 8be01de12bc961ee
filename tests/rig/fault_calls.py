"""The calls that a sweep makes, and what must become of it where one of them goes wrong: the table, written out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from zlib import crc32

from tests.rig.engines.kinds import EACH_STORE, KINDS, EngineKind
from tests.rig.faults import READING_FAULTS, REMOVING_FAULTS, Fault
from tests.rig.faulty_proxy import Strike, params_pattern

Kind = Literal["container", "image", "volume", "network", "build-cache"]
When = Literal["scan", "before", "removal", "after"]

_FLAGS = ("--yes", "--yes-first-time", "--no-ledger", "--older-than", "0s", "--all-images", "--format", "json")
_LOST = re.compile(r"closed|half")
_NOT_WHOLE = re.compile(r"half|stall|drip|200 MB|gone")
NO_SIZES = ", --no-sizes"
IN_EVERY_RUN = ("docker-20.10", *EACH_STORE)
"""Between them they make every call: the oldest, and the newest of each store."""


@dataclass(frozen=True)
class Scenario:
    """A sweep of one kind of object."""

    kind: Kind
    sizes: bool = True

    def flags(self) -> tuple[str, ...]:
        """Return what makes dockersweep remove objects of the kind alone."""
        return (*_FLAGS, "--kind", self.kind, *(() if self.sizes else ("--no-sizes",)))


SCENARIOS = (
    # The cheapest to make anew comes first: in its sweep the calls of the scan go wrong.
    Scenario("volume"),
    Scenario("volume", sizes=False),
    Scenario("container"),
    Scenario("image"),
    Scenario("network"),
    Scenario("build-cache"),
)


@dataclass(frozen=True)
class Call:
    """A call that a sweep makes. `path` has the names of objects in place of their ids, as {container}."""

    scenario: Scenario
    when: When
    method: str
    path: str
    params: Mapping[str, str] = field(hash=False)
    nth: int
    """The how-manieth of just this method, path and parameters it is in a sweep."""

    def __str__(self) -> str:
        path = re.sub(r"\{(\w+)\}", lambda match: match[1].upper(), self.path)
        kind = f" type={self.params['type']}" if "type" in self.params else ""
        filters = " filters" if "filters" in self.params and self.method == "GET" else ""
        call = f"{self.method} {path}{kind}{filters}"
        if self.when == "scan":
            return f"scan: {call}{'' if self.scenario.sizes else NO_SIZES}"
        return call if self.when == "removal" else f"{self.when} {self.scenario.kind}: {call}"

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What can go wrong with it."""
        return REMOVING_FAULTS if self.when == "removal" else READING_FAULTS

    @property
    def lists(self) -> bool:
        """Whether it answers many objects."""
        lists = ("/containers/json", "/images/json", "/volumes", "/networks", "/system/df", "/libpod/containers/json")
        return self.path in lists

    @property
    def target(self) -> tuple[str, str]:
        """The names of the object and of the removal whose outcome it decides; those of the volume for a scan."""
        named = re.findall(r"\{(\w+)\}", self.path)
        if self.when == "scan":
            return "volume", "remove"
        if "tag" in named or (self.scenario.kind == "image" and not named):
            return "app", "untag"
        return (named[0] if named else self.scenario.kind), "remove"

    def strike(self, fault: Fault, names: Mapping[str, str]) -> Strike:
        """Return what makes the fault strike this call."""
        told = dict(self.params)
        for name, value in names.items():
            told = {key: text.replace(f"{{{name}}}", value) for key, text in told.items()}
        params = ".*" if self.method == "POST" else params_pattern(told)
        return Strike(fault, self.method, re.escape(self.path.format(**names)), params, self.nth)


@dataclass(frozen=True)
class Expected:
    """What must become of a sweep: its exit status, and the outcome of the removal that it is about."""

    exits: frozenset[int]
    status: str | None = None
    """None where there may be no outcome, because nothing was begun."""


def expected(call: Call, fault: Fault, is_podman: bool = False) -> Expected:
    """Return what must become of a sweep in which that call goes wrong like that: the table of the design, written out.

    exit 5: the engine cannot be reached or cannot be read in full; 3: a removal failed; 0: all else.
    """
    rules = {"scan": _in_a_scan, "before": _before_a_removal, "removal": _at_a_removal, "after": _after_a_removal}
    name = fault.name
    if is_podman and call.when != "removal" and name.startswith("500") and call.path != "/version":
        # Podman says 500 where something goes while it is looked at, so it is asked again.
        name = "500, asked again"
    return rules[call.when](call, name)


def _is(status: str | None, *exits: int) -> Expected:
    return Expected(frozenset(exits), status)


def _in_a_scan(call: Call, fault: str) -> Expected:
    sizes = call.path == "/system/df" and call.params.get("type") != "build-cache"
    layers = call.path.startswith("/images/{")
    one_container = call.path.startswith("/containers/{")
    other_tools = call.path.startswith("/libpod/")
    if fault == "gone for good":
        return _is(None, 5)
    if fault == "gone 0.6 s":
        return _is(None, 0, 5) if sizes or layers or one_container or other_tools else _is(None, 5)
    if (fault == "200 MB" and call.lists) or fault == "500, asked again" or fault.startswith("closed"):
        return _is("removed", 0)
    if layers and _LOST.match(fault):
        return _is(None, 5)
    if sizes or layers or one_container or other_tools or (fault == "missing key" and call.path == "/info"):
        return _is("removed", 0)
    if call.path == "/_ping" and not _NOT_WHOLE.match(fault):
        # Whatever it says instead, the engine is asked for its version.
        return _is("removed", 0)
    return _is(None, 5)


def _before_a_removal(call: Call, fault: str) -> Expected:
    several_ask = call.scenario.kind == "image" and call.lists
    if fault == "gone for good":
        # The removal of another image may have been sent, and then it is not known what became of that.
        return _is(None if several_ask else "not-attempted", 5)
    if fault == "gone 0.6 s" and call.scenario.kind == "image":
        # The removal of another image may have been under way.
        return _is(None if call.lists else "removed", 0, 3)
    if _LOST.match(fault) or fault in ("gone 0.6 s", "500, asked again") or (fault == "200 MB" and call.lists):
        # What changes nothing is asked again.
        return _is("removed", 0)
    if fault == "404" and not call.lists:
        return _is("gone", 0)
    # Several images may ask for the list at once, and it is not known which of them was struck.
    return _is(None if several_ask else "failed", 3)


def _at_a_removal(call: Call, fault: str) -> Expected:
    prunes = call.method == "POST"
    if fault.startswith("gone for good"):
        return _is("failed", 3, 5)
    if fault == "404" and not prunes:
        # An image is looked at once more: it may only have got a name, by which alone it can be found then.
        return _is("skipped" if call.scenario.kind == "image" and "{tag}" not in call.path else "gone", 0)
    if prunes and fault == "500 JSON, done":
        # Here an object that is gone is gone: nothing of a record stays behind.
        return _is("removed", 0)
    if fault == "409" and not prunes:
        return _is("skipped", 0)
    if "not heard" in fault or re.match(r"40|500", fault):
        return _is("failed", 3)
    # The removal of another image may have been under way.
    return _is("removed", 0, 3) if fault.startswith("gone") and call.scenario.kind == "image" else _is("removed", 0)


def _after_a_removal(call: Call, fault: str) -> Expected:
    """What was asked for was not done, and nobody said so."""
    if fault == "404" and not call.lists:
        # The other images did not go either.
        return _is("removed", 3 if call.scenario.kind == "image" else 0)
    looked = _LOST.match(fault) or fault in ("gone 0.6 s", "500, asked again") or (fault == "200 MB" and call.lists)
    # What became of it is not known: the engine cannot be read in full.
    return _is("failed", 3) if looked else _is("failed", 5)


def kinds_with(call: Call) -> tuple[EngineKind, ...]:
    """Return the kinds of engine on which dockersweep makes that call."""

    def makes(kind: EngineKind) -> bool:
        docker = kind.flavour == "docker"
        in_parts = docker and kind.api_version >= "1.42"
        if call.scenario.kind == "build-cache" and not docker:
            return False
        if call.path.startswith("/libpod/"):
            return not docker
        if call.path == "/version" or (call.path == "/containers/json" and call.when == "scan"):
            return docker
        if call.path.startswith("/containers/{") and call.when == "scan":
            # Its files are beside us; from afar it is asked by the fake engines of tests/whole/test_bad_days.py.
            return False
        if call.path == "/system/df":
            of_containerd = kind.image_store == "containerd"
            by_part = {None: docker and not in_parts, "container": of_containerd, "volume": False}
            return by_part.get(call.params.get("type"), in_parts)
        if call.path == "/volumes" and call.when == "before":
            return not docker
        if call.path.startswith("/images/{tag}"):
            return (kind.image_store == "containerd") == ("@" in call.path) or call.method == "GET"
        return True

    return tuple(kind for kind in KINDS if makes(kind))


def falls_to(call: Call, fault: Fault) -> EngineKind | None:
    """Return the engine on which a cell is tried where a tenth of them are, each on one alone; None for the others."""
    kinds = [one for one in kinds_with(call) if one.name in IN_EVERY_RUN]
    number = crc32(f"{call} {fault}".encode())
    return None if number % 10 else kinds[number // 10 % len(kinds)]


def is_harmless(call: Call, fault: Fault, is_podman: bool) -> bool:
    """Return whether nothing is to go, so that others can be tried at the same time."""
    wanted = expected(call, fault, is_podman)
    if call.when == "scan":
        return wanted == _is(None, 5)
    return call.scenario.kind != "image" and wanted.status in ("failed", "not-attempted") and "done" not in fault.name
