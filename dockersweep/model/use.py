"""Whether objects are used, as tables of a scan and of a report show it."""

from msgspec import Struct

from dockersweep.model.inventory import Kind
from dockersweep.model.plan import Interval
from dockersweep.model.quantities import Bytes


class KindTotal(Struct, frozen=True, kw_only=True):
    """What the objects of one kind take together."""

    kind: Kind
    is_known: bool
    """Whether objects of this kind could be read at all."""
    count: int
    in_use: int
    size: Interval
    reclaimable: Interval
    """What the plan gives back of it."""
    unused: Interval
    """What would come back if all that is unused went."""


class Use(Struct, frozen=True, kw_only=True):
    """Whether one object is used, by what or why not, and since when."""

    kind: Kind
    id: str
    name: str
    in_use: bool
    why: str
    """For a person: "used by container web-1 (running)", "dangling", "exited (1)"."""
    size_bytes: Bytes | None
    age_seconds: int | None
    age_source: str | None
