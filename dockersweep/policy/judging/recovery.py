"""How each removal can be taken back: what the judge, the planner and the limits ask."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Network, Object, Volume
from dockersweep.model.last_use import UseAction
from dockersweep.model.naming import ref_of
from dockersweep.model.policy import Policy
from dockersweep.model.reason import Reason, Unrecoverable
from dockersweep.model.recovery import Recovery

if TYPE_CHECKING:
    from dockersweep.policy.judging.archiving import Archiving
    from dockersweep.policy.judging.survey import Survey

FLAG = "--only-recoverable"
REBUILD = Recovery(how="rebuild", text="builds make it again")
RECREATE = Recovery(how="recreate", text="the ledger keeps its definition")
TAG_AGAIN = Recovery(how="recreate", text="its image stays")
"""Of a tag that is removed from an image that stays."""
_NO_ARCHIVE = Recovery(how="none", text="no archive")
_NO_LEDGER = Recovery(how="none", text="no ledger keeps its definition")
_NOT_BUILT: tuple[UseAction, ...] = ("loaded", "imported", "made by commit")
"""How images come to be that no build can make again."""


class WaysBack:
    """The way back of each object of an inventory under a policy. Objects share them where they can."""

    def __init__(self, survey: "Survey", policy: Policy) -> None:
        """`survey` has what is known of the archive."""
        self.archiving = _archiving(survey, policy)
        """What goes into the archive; None where nothing does."""
        self._has_ledger = survey.inventory.marks is not None
        self._without_data: dict[Recovery, Recovery] = {}

    def of(self, item: Object) -> Recovery:
        """Return how the removal of an object as a whole can be taken back."""
        archiving = self.archiving
        archived = _NO_ARCHIVE if archiving is None else archiving.recovery(item)
        if archived.how == "archive" and archiving is not None and archiving.asks_for(item):
            return archived
        return self._without_archive(item) or (archived if archived.how == "archive" else self._lost(item, archived))

    def of_plan(self, removed: Iterable[Object]) -> Callable[[Object], Recovery]:
        """Return what finds the way back of each of these objects, where they are removed in this order: what goes
        first takes the room in the archive."""
        if self.archiving is None or not self.archiving.removes_without_room:
            return self.of
        from dockersweep.policy.judging.archiving import NO_ROOM

        full = self.archiving.without_room(item for item in removed if self.of(item).how == "archive")

        def found(item: Object) -> Recovery:
            if ref_of(item) not in full:
                return self.of(item)
            return self._without_archive(item) or self._lost(item, NO_ROOM)

        return found

    def _without_archive(self, item: Object) -> Recovery | None:
        """Return the way back of an object that does not go to the archive; None where only that could keep it."""
        kind = type(item)
        if kind is BuildCacheRecord:
            return REBUILD
        if kind is Network:
            return RECREATE if self._has_ledger else self._lost(item, _NO_LEDGER)
        reference = reference_of(item) if type(item) is Image else None
        return None if reference is None else Recovery(how="pull", text=reference)

    def _lost(self, item: Object, recovery: Recovery) -> Recovery:
        """Return that nothing brings an object back, and whether any data are lost."""
        if has_data(item):
            return recovery
        if recovery not in self._without_data:
            self._without_data[recovery] = replace(recovery, without_data=True)
        return self._without_data[recovery]

    def objection(self, item: Object) -> tuple[Reason, ...]:
        """Return why an object stays that nothing brings back, where only others are to be removed; empty where
        something does."""
        recovery = self.of(item)
        if recovery.how != "none":
            return ()
        return (Reason(code="unrecoverable", rule=FLAG, about=Unrecoverable(why=recovery.text)),)


def _archiving(survey: "Survey", policy: Policy) -> "Archiving | None":
    if policy.archive is None:
        return None
    # Most runs have no archive.
    from dockersweep.policy.judging.archiving import Archiving

    return Archiving(survey, policy)


def reference_of(image: Image) -> str | None:
    """Return the reference by digest by which an image can be pulled again; None where no registry is known to have
    it, or it has no such reference."""
    if not image.in_registry:
        return None
    answer = image.registry_answer
    if answer is not None and answer.reference is not None:
        return answer.reference
    return image.digests[0] if image.digests else None


def has_data(item: Object) -> bool:
    """Whether an object may have data that exist nowhere else: what containers wrote, files in a volume, an image that
    builds did not leave without a tag."""
    if isinstance(item, Image):
        return bool(item.tags) or was_not_built(item)
    # Nothing was ever written to a layer of 0 bytes; one of unknown size may hold anything.
    return isinstance(item, Container | Volume) and item.size_bytes != 0


def was_not_built(image: Image) -> bool:
    """Whether an image is known to be one that no build can make again."""
    return any(use.action in _NOT_BUILT for use in image.uses)
