"""One object as it is judged: with what holds it, and since when it is of no use."""

from datetime import datetime

from msgspec import Struct

from dockersweep.model.inventory import Kind, Object, ObjectRef
from dockersweep.policy.judging.ages import Since
from dockersweep.policy.judging.holders import Holder


class Case(Struct, frozen=True, gc=False):
    """One object, and what its age depends on."""

    item: Object
    kind: Kind
    id: str
    place: int
    """That among its kind."""
    staying: tuple[Holder, ...]
    going: tuple[Holder, ...]
    """Those that hold it and go in the same plan."""
    used_until: tuple[datetime, ...] | None
    """When these last used it; None where that is not known of one of them."""
    since: Since | None
    age_seconds: int | None
    """Its age; None where that is not known."""

    @property
    def ref(self) -> ObjectRef:
        """The object's reference."""
        return ObjectRef(kind=self.kind, id=self.id)
