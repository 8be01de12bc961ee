"""A race: a scene, a change at one of three moments, and what must then become of the removal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import EngineKind
from tests.rig.engines.litter import Litter

Kind = Literal["container", "image", "volume", "network", "build-cache"]
Moment = Literal["saved", "look", "window"]
MOMENTS: tuple[Moment, ...] = ("saved", "look", "window")


@dataclass(frozen=True)
class Scene:
    """One object that a plan removes, and what then happens to it."""

    id: str
    change: Callable[[], object]
    there: Callable[[], bool] | None
    """Whether the object is still there; None where `whole` says all that is to be said."""
    whole: Callable[[], None] = lambda: None
    """Asserts that nothing is lost which something uses."""
    flags: tuple[str, ...] = ()
    untags: str | None = None
    """The tag whose row is meant; None where the object itself goes."""
    named: str | None = None
    """The name by which an engine may be asked for it; None where it never is."""


@dataclass(frozen=True)
class Race:
    """One thing that can happen, and what must become of the removal."""

    kind: Kind
    what: str
    scene: Callable[[Engine, Litter], Scene]
    before: str | Mapping[str, str] = "skipped"
    """The status where it happens before the look: for all engines, or by `family`, with `else` for the others."""
    saved: str | Mapping[str, str] | None = None
    """The same where it happens before `apply`, which judges anew, if that makes a difference."""
    window: str | Mapping[str, str] = "skipped"
    """The same in the window."""
    open: str | None = None
    """What is lost where the window is open; None where nothing is that anybody misses."""

    def __str__(self) -> str:
        return f"{self.kind} {self.what}"

    def expected(self, moment: Moment, kind: EngineKind) -> str:
        """The status that the removal must have."""
        told = self.window if moment == "window" else self.before
        if moment == "saved" and self.saved:
            told = self.saved
        return told if isinstance(told, str) else told.get(family(kind), told.get("else", "skipped"))


def family(kind: EngineKind) -> str:
    """What an engine's guarantees depend on: the store of Docker's images, or Podman."""
    return "podman" if kind.flavour == "podman" else kind.image_store
