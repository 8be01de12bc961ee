"""How each removal can be taken back: what the judge, the planner and the limits ask."""

from typing import TYPE_CHECKING

from dockersweep.model.inventory import BuildCacheRecord, Image, Network, Object
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
_NO_LEDGER = Recovery(how="none", text="no ledger keeps its definition")
_NO_ARCHIVE = Recovery(how="none", text="no archive")


class WaysBack:
    """The way back of each object of an inventory under a policy. Objects share them where they can."""

    def __init__(self, survey: "Survey", policy: Policy) -> None:
        """`survey` has what is known of the archive."""
        self.archiving = _archiving(survey, policy)
        """What goes into the archive; None where nothing does."""
        self._has_ledger = survey.inventory.marks is not None

    def of(self, item: Object) -> Recovery:
        """Return how the removal of an object as a whole can be taken back."""
        archiving = self.archiving
        if archiving is None:
            return self._without_archive(item) or _NO_ARCHIVE
        if archiving.asks_for(item):
            archived = archiving.recovery(item)
            return archived if archived.how == "archive" else self._without_archive(item) or archived
        return self._without_archive(item) or archiving.for_want_of_others(item)

    def _without_archive(self, item: Object) -> Recovery | None:
        """Return the way back that needs no archive; None where there is none."""
        kind = type(item)
        if kind is BuildCacheRecord:
            return REBUILD
        if kind is Network:
            return RECREATE if self._has_ledger else _NO_LEDGER
        reference = reference_of(item) if type(item) is Image else None
        return None if reference is None else Recovery(how="pull", text=reference)

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

    return Archiving(survey, policy.archive)


def reference_of(image: Image) -> str | None:
    """Return the reference by digest by which an image can be pulled again; None where no registry is known to have
    it, or it has no such reference."""
    if not image.in_registry:
        return None
    answer = image.registry_answer
    if answer is not None and answer.reference is not None:
        return answer.reference
    return image.digests[0] if image.digests else None
