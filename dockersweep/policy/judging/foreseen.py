"""What a plan comes to, where nobody asks why."""

from collections.abc import Callable

from msgspec import Struct

from dockersweep.model.inventory import ObjectRef, ScanWarning
from dockersweep.model.plan import Decision


class Foreseen(Struct, frozen=True):
    """What a plan comes to, where nobody asks why."""

    going: list[ObjectRef]
    """The objects that go, kind by kind as they are removed, but in no order within a kind."""
    warnings: tuple[ScanWarning, ...]
    decision_of: Callable[[ObjectRef], Decision]
    """Returns the decision of an object that nothing of its own kind holds, with its reasons."""
