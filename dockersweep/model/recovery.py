"""How a removal can be taken back."""

from typing import Literal

from msgspec import Struct

from dockersweep.model.quantities import Instant

How = Literal["pull", "rebuild", "recreate", "archive", "none"]
"""pull: a registry has the image. rebuild: builds make the record again. recreate: the ledger keeps all that it takes.
archive: it is in the archive. none: it is lost."""


class Recovery(Struct, frozen=True, kw_only=True, gc=False):
    """The way back after one removal."""

    how: How
    text: str
    """For people: "docker pull app@sha256:...", "without ACLs and extended attributes", "no archive"."""
    until: Instant | None = None
    """Until when that way is open; None where nothing ends it, or there is none."""
