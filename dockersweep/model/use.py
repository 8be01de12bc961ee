"""Whether objects are used, as tables of a scan and of a report show it."""

from dockersweep.model.inventory import OfObject
from dockersweep.model.quantities import Bytes


class Use(OfObject, frozen=True, kw_only=True):
    """Whether one object is used, by what or why not, and since when."""

    name: str
    in_use: bool
    why: str
    """For people: "used by container web-1 (running)", "dangling", "exited (1)"."""
    size_bytes: Bytes | None
    age_seconds: int | None
    age_source: str | None
    since: str | None
    """The same for people, with the last use: "loaded", "tagged"."""
