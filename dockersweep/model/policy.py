"""A policy: what is protected, and which rules may remove what. The same values whether they come from the default,
from flags or, later, from a file; a plan carries the policy it was made with."""

from msgspec import Struct

from dockersweep.model.inventory import KINDS, Kind
from dockersweep.units import Age


class Protection(Struct, frozen=True, kw_only=True):
    """A pattern whose objects are never removed, and the flag or key that it stands in."""

    pattern: str
    source: str


class Protections(Struct, frozen=True, kw_only=True):
    """What wins over every rule. Patterns are globs."""

    labels: tuple[Protection, ...] = ()
    """`key` or `key=value`, on any kind."""
    names: tuple[Protection, ...] = ()
    """Names of containers, volumes and networks, tags of images."""
    images: tuple[Protection, ...] = ()
    """Repositories, tags or ids of images."""


class Match(Struct, frozen=True, kw_only=True):
    """What a rule speaks of; a field that is None asks nothing, and all that are set must hold."""

    states: tuple[str, ...] | None = None
    restarts_by_itself: bool | None = None
    """Whether the restart policy is `always` or `unless-stopped`."""
    tagged: bool | None = None
    anonymous: bool | None = None
    drivers: tuple[str, ...] | None = None
    has_options: bool | None = None


class Rule(Struct, frozen=True, kw_only=True):
    """Removes the unused objects of one kind that match and are old enough."""

    name: str
    kind: Kind
    match: Match
    older_than: Age


class Policy(Struct, frozen=True, kw_only=True):
    """Protections and rules. What no rule names is kept."""

    source: str
    """Where it comes from, for people: "the default policy", with the flags that changed it."""
    protections: Protections
    rules: tuple[Rule, ...]
    kinds: tuple[Kind, ...] = KINDS
    """The kinds that are asked for; all others are kept."""
