"""How a removal can be taken back."""

from typing import Literal

from msgspec import Struct

from dockersweep.model.inventory import Kind
from dockersweep.model.quantities import Instant

How = Literal["pull", "rebuild", "recreate", "archive", "none"]
"""pull: a registry has the image. rebuild: builds make the record again. recreate: the ledger keeps all that it takes;
of a tag the image stays. archive: it is in the archive. none: it is lost."""


RestoreAction = Literal["create", "tag"]
"""tag: only a tag was taken off an image, and is put back."""
RestoreStatus = Literal["planned", "restored", "skipped", "failed", "not-attempted"]
"""planned: with --dry-run. skipped: something of its name is there, or what it needs is not. not-attempted: the run
ended before."""


COMPLETE = "complete"
"""The text of an archive that keeps everything of an object."""


class EarlyDeletion(Struct, frozen=True, kw_only=True, gc=False):
    """A run that goes from the archive before its time, to make room for what is new."""

    folder: str
    """The name of its folder in the archive."""
    run: int | None
    """Its number in the ledger; None where none was used."""
    objects: dict[Kind, int]
    """How many objects of each kind are in it."""
    until: Instant
    """Until when it was to be kept."""


class Recovery(Struct, frozen=True, kw_only=True, gc=False):
    """The way back after one removal."""

    how: How
    text: str
    """Of "pull" the reference by digest, "app@sha256:...". Otherwise for people: "without ACLs and xattrs"."""
    until: Instant | None = None
    """Until when that way is open; None where nothing ends it, or there is none."""
    without_data: bool = False
    """With "none": whether nothing is lost but settings, logs and what builds left."""
    may_fit: bool = False
    """With "none": whether it goes into the archive all the same where it turns out to fit."""

    @property
    def asks_archive(self) -> bool:
        """Whether it is to be put into the archive before it is removed, or at least to be tried."""
        return self.how == "archive" or self.may_fit
