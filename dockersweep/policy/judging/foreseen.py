"""What a plan removes, without the reasons."""

from collections.abc import Callable

from msgspec import Struct

from dockersweep.model.inventory import ObjectRef, ScanWarning
from dockersweep.model.plan import Decision


class Foreseen(Struct, frozen=True):
    """What a plan removes, without the reasons."""

    going: list[ObjectRef]
    """The objects to remove, kind by kind in the order of removal; unordered within a kind."""
    warnings: tuple[ScanWarning, ...]
    decision_of: Callable[[ObjectRef], Decision]
    """Returns the decision on an object, with its reasons; only for objects that nothing of their own kind holds."""
