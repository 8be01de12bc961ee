"""One object as it is judged: with its holders, and since when it is unused."""

from datetime import datetime

from msgspec import Struct

from dockersweep.model.inventory import Kind, Object, ObjectRef
from dockersweep.policy.judging.ages import Since
from dockersweep.policy.judging.holders import Holder


class Case(Struct, frozen=True, gc=False):
    """One object, its holders and its age."""

    item: Object
    kind: Kind
    id: str
    place: int
    """Its index among the objects of its kind."""
    staying: tuple[Holder, ...]
    going: tuple[Holder, ...]
    """The holders that the same plan removes."""
    used_until: tuple[datetime, ...] | None
    """When builds and these last used it; None where that is not known of one of them."""
    since: Since | None
    age_seconds: int | None
    """Its age; None where that is not known."""

    @property
    def ref(self) -> ObjectRef:
        """The object's reference."""
        return ObjectRef(kind=self.kind, id=self.id)
