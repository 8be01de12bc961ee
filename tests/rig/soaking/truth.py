"""What a soak knows to be in use or to be kept, and what the traffic says of a removal that should not have been."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from tests.rig.engines.wire import Wire
from tests.rig.recorder import Request
from tests.rig.traffic import Named, removals

Key = tuple[str, str]
"""The kind and the id of an object; of a volume, the name; of an image that a rule keeps, the tag."""


@dataclass(frozen=True)
class Holder:
    """Why something must stay, and since when."""

    why: str
    since: float


@dataclass(frozen=True)
class Loss:
    """Something that had to stay and is gone."""

    key: Key
    hold: Holder
    window: float | None
    """Where it came to be used after it was looked at: the seconds from that look to the removal."""

    def __str__(self) -> str:
        when = "" if self.window is None else f", in a window of {self.window * 1000:.0f} ms"
        return f"{self.key[0]} {self.key[1][:24]} ({self.hold.why}) is gone{when}"


class Truth:
    """Everything that must be there now."""

    def __init__(self, wire: Wire) -> None:
        self.losses: list[Loss] = []
        self.checked = 0
        self._wire = wire
        self._holds: dict[Key, dict[str, Holder]] = {}

    def hold(self, key: Key, holder: str, why: str) -> None:
        """From now on this must stay, whatever else happens to it, until the holder lets it go."""
        self._holds.setdefault(key, {})[holder] = Holder(why, time.monotonic())

    def release(self, holder: str) -> None:
        """Whatever this holder had may go, as far as nobody else holds it."""
        for key in list(self._holds):
            self._holds[key].pop(holder, None)
            if not self._holds[key]:
                del self._holds[key]

    def check(self, traffic: Iterable[Request]) -> None:
        """Look whether all is there; what is not is a loss, told once."""
        there = present(self._wire)
        for key in [key for key in self._holds if key not in there]:
            hold = min(self._holds.pop(key).values(), key=lambda hold: hold.since)
            self.losses.append(Loss(key, hold, _window(key, hold, list(traffic))))
        self.checked += 1


def present(wire: Wire) -> set[Key]:
    """Everything that the engine lists, images also by their tags."""
    images = wire.images(intermediates=True)
    return {
        *(("container", one["Id"]) for one in wire.call("GET", "/containers/json", all="1")),
        *(("image", one["Id"]) for one in images),
        *(("image", tag.removeprefix("localhost/")) for one in images for tag in one["RepoTags"] or ()),
        *(("volume", one["Name"]) for one in wire.call("GET", "/volumes")["Volumes"] or ()),
        *(("network", one["Id"]) for one in wire.call("GET", "/networks")),
    }


def _window(key: Key, hold: Holder, traffic: list[Request]) -> float | None:
    """How long the removal came after the last look, if that look was before the use; no request can know better."""
    named: Named = key
    for request in reversed(traffic):
        if named in removals(request) and request.method == "DELETE":
            looks = [one.at for one in traffic if one.pid == request.pid and one.at < request.at and _looks(one, key)]
            if looks and max(looks) < hold.since:
                return request.at - max(looks)
    return None


def _looks(request: Request, key: Key) -> bool:
    if request.method != "GET":
        return False
    users = key[0] == "network" and request.path == "/containers/json"
    return users or request.path.startswith(f"/{key[0]}s/{key[1]}")
