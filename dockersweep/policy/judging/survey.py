"""One inventory at one instant, and everything that follows from it without a policy."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from dockersweep.model.inventory import Inventory, Kind, Object, ObjectRef
from dockersweep.model.listed import Listing
from dockersweep.model.naming import ref_of, size_of
from dockersweep.model.reason import Fact, Reason
from dockersweep.model.storage import SizeBase
from dockersweep.policy.bytes.layer_graph import LayerGraph, find_layer_graph
from dockersweep.policy.bytes.reclaim import Reclaim
from dockersweep.policy.bytes.sizes import Sizes, size_base
from dockersweep.policy.bytes.totals import Totals
from dockersweep.policy.judging.ages import Since, since_of
from dockersweep.policy.judging.build_uses import build_uses
from dockersweep.policy.judging.hard_protections import HardProtections
from dockersweep.policy.judging.holders import Holders, find_holders
from dockersweep.policy.judging.unused import find_unused
from dockersweep.policy.judging.watch import Watch
from dockersweep.policy.language.conditions import ConditionFacts

if TYPE_CHECKING:
    from dockersweep.model.archive_facts import ArchiveFacts
    from dockersweep.model.declared import Declarations
    from dockersweep.policy.bytes.on_disks import OnDisks
    from dockersweep.policy.judging.declared import DeclaredObjects

NOT_ARCHIVED = Reason(code="unrecoverable", rule="archive", about=Fact(name="not-archived"))


class Survey(Struct, frozen=True, dict=True):
    """An inventory, and the instant at which its ages are taken.

    A verb makes one for each inventory and passes it on, so that each property is computed once, when first needed.
    """

    inventory: Inventory
    now: datetime
    declarations: "Declarations | None" = None
    """What files declare; None where none was read."""
    archive: "ArchiveFacts | None" = None
    """What is known of the archive; None where there is none, or nothing is known of it."""
    not_archived: frozenset[ObjectRef] = frozenset()
    """What could not be archived earlier in the same run, and stays."""

    @property
    def is_of_now(self) -> bool:
        """Whether ages are as of the scan: only then may the ledger record what follows from them."""
        return self.now == self.inventory.taken_at

    @property
    def size_base(self) -> SizeBase:
        """Whether sizes are lengths or disk blocks."""
        return size_base(self.inventory)

    @cached_property
    def listing(self) -> Listing:
        """The objects by kind, id and place."""
        return Listing(self.inventory)

    @cached_property
    def objects(self) -> dict[ObjectRef, Object]:
        """Every object, in the order of the inventory."""
        return dict(self.listing.objects())

    @cached_property
    def holders(self) -> Holders:
        """Held object -> its holders."""
        return find_holders(self.listing, self.now)

    @cached_property
    def hard(self) -> HardProtections:
        """What no policy overrides."""
        return HardProtections(self.listing)

    @cached_property
    def declared(self) -> "DeclaredObjects | None":
        """The objects that files declare; None where no file was read."""
        if self.declarations is None:
            return None
        # Few policies name files.
        from dockersweep.policy.judging.declared import DeclaredObjects

        return DeclaredObjects(self.declarations.objects, self.inventory)

    def is_declared(self, item: Object) -> bool | None:
        """Return whether a file declares an image, volume or network; None where no file was read."""
        return None if self.declared is None else ref_of(item) in self.declared.reasons

    @cached_property
    def sizes(self) -> Sizes:
        """The size of each object."""
        return Sizes(self.layer_graph if self.size_base == "disk" else None)

    @property
    def size_of(self) -> Callable[[Object], int | None]:
        """Returns the size of an object in bytes, None where it is not known."""
        return size_of if self.size_base == "lengths" else self.sizes.of

    @cached_property
    def layer_graph(self) -> LayerGraph:
        """Which objects need which parts of the storage."""
        return find_layer_graph(self.listing)

    @cached_property
    def reclaim(self) -> Reclaim:
        """Predicts what removals free."""
        return Reclaim(self.layer_graph)

    @cached_property
    def on_disks(self) -> "OnDisks":
        """Which disks the objects lie on."""
        # Needed only for a space target and for what a sweep freed.
        from dockersweep.policy.bytes.on_disks import OnDisks

        return OnDisks(self.inventory, self.layer_graph)

    @cached_property
    def totals(self) -> Totals:
        """How much space all objects of each type use together."""
        return Totals(self.inventory, self.sizes)

    @cached_property
    def unused(self) -> frozenset[ObjectRef]:
        """The unused objects; what a stopped container holds is in use."""
        return find_unused(self.listing, self.holders, self.hard)

    @cached_property
    def watch(self) -> Watch:
        """When uses of objects would have been noticed."""
        return Watch(self.inventory)

    def never_removed(self, kind: Kind) -> Mapping[int, tuple[Reason, ...]]:
        """Return place -> why an object of a kind is kept whatever a policy says, its holders aside."""
        never = self.hard.of_kind(kind, self.holders.of_kind(kind))
        if not self.not_archived:
            return never
        places = self.listing.of_kind(kind).places
        again = [places[ref.id] for ref in self.not_archived if ref.kind == kind and ref.id in places]
        return {**never, **{place: (*never.get(place, ()), NOT_ARCHIVED) for place in again}}

    @cached_property
    def _build_uses(self) -> Mapping[str, tuple[datetime, ...]]:
        return {image: (instant,) for image, instant in build_uses(self.inventory).items()}

    def build_uses(self, kind: Kind) -> Mapping[str, tuple[datetime, ...]]:
        """Return id -> when builds last used an object of a kind, where that is known; only images have such uses."""
        return self._build_uses if kind == "image" else {}

    def since(self, ref: ObjectRef, item: Object) -> Since | None:
        """Return since when an object without holders is unused; None where that is not known."""
        return since_of(item, self.build_uses(ref.kind).get(ref.id, ()))

    @property
    def in_use(self) -> frozenset[ObjectRef]:
        """Every object that is not unused."""
        return frozenset(self.objects).difference(self.unused)

    @property
    def facts(self) -> ConditionFacts:
        """What rule conditions need beyond the object itself."""
        return ConditionFacts(self.size_of, self.hard.services.names, self.is_declared)

    def with_inventory(self, inventory: Inventory) -> "Survey":
        """Return the survey of an inventory with the same objects, but with more from the ledger, or other tag orders.

        That changes ages, but neither sizes nor holders, so what is computed already is taken over.
        """
        survey = Survey(inventory, self.now, self.declarations, self.archive)
        vars(survey).update({name: vars(self)[name] for name in _OF_NAMES_AND_SIZES if name in vars(self)})
        return survey

    def declaring(self, declarations: "Declarations | None") -> "Survey":
        """Return the same survey with other declarations."""
        survey = Survey(self.inventory, self.now, declarations, self.archive)
        own = {name: value for name, value in vars(self).items() if name != "declared"}
        vars(survey).update(own | {"declarations": declarations})
        return survey

    def archiving_to(self, archive: "ArchiveFacts") -> "Survey":
        """Return the same survey with what is known of the archive."""
        survey = Survey(self.inventory, self.now, self.declarations, archive)
        vars(survey).update(vars(self))
        return survey

    def at(self, now: datetime) -> "Survey":
        """Return the same survey at another instant; descriptions of holders stay those of this one."""
        survey = Survey(self.inventory, now, self.declarations, self.archive)
        vars(survey).update(vars(self) | {"now": now})
        return survey


_OF_NAMES_AND_SIZES = (
    "holders", "hard", "declared", "unused", "sizes", "totals", "layer_graph", "on_disks", "reclaim", "_build_uses",
)  # fmt: skip
