"""One inventory at one instant, and all that follows from it alone, whatever a policy says."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from dockersweep.model.inventory import Inventory, Kind, Object, ObjectRef
from dockersweep.model.listed import Listing
from dockersweep.model.naming import ref_of, size_of
from dockersweep.model.reason import Reason
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
    from dockersweep.model.declared import Declarations
    from dockersweep.policy.bytes.on_disks import OnDisks
    from dockersweep.policy.judging.declared import DeclaredObjects


class Survey(Struct, frozen=True, dict=True):
    """An inventory, and the instant up to which its ages count.

    A verb makes one of each inventory and hands it down, so that each property is computed once, and only where
    something asks for it.
    """

    inventory: Inventory
    now: datetime
    declarations: "Declarations | None" = None
    """What files declare; None where no file was read."""

    @property
    def is_of_now(self) -> bool:
        """Whether ages count up to the scan: only then may the ledger keep what they come to."""
        return self.now == self.inventory.taken_at

    @property
    def size_base(self) -> SizeBase:
        """What sizes are counted in."""
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
        """What holds each object that something holds."""
        return find_holders(self.listing, self.now)

    @cached_property
    def hard(self) -> HardProtections:
        """What no policy overrides."""
        return HardProtections(self.listing)

    @cached_property
    def declared(self) -> "DeclaredObjects | None":
        """What of the inventory files declare; None where no file was read."""
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
        """What depends on what."""
        return find_layer_graph(self.listing)

    @cached_property
    def reclaim(self) -> Reclaim:
        """Predicts what removals free."""
        return Reclaim(self.layer_graph)

    @cached_property
    def on_disks(self) -> "OnDisks":
        """Which disks the objects lie on."""
        # Only a target asks, and what a sweep has freed.
        from dockersweep.policy.bytes.on_disks import OnDisks

        return OnDisks(self.inventory, self.layer_graph)

    @cached_property
    def totals(self) -> Totals:
        """What all objects of each sort take together."""
        return Totals(self.inventory, self.sizes)

    @cached_property
    def unused(self) -> frozenset[ObjectRef]:
        """What is of no use; what a stopped container names is used."""
        return find_unused(self.listing, self.holders, self.hard)

    @cached_property
    def watch(self) -> Watch:
        """For which time uses would have been noticed."""
        return Watch(self.inventory)

    def never_removed(self, kind: Kind) -> Mapping[int, tuple[Reason, ...]]:
        """Return why objects of a kind stay whatever a policy says, by their places; not for what holds them."""
        return self.hard.of_kind(kind, self.holders.of_kind(kind))

    @cached_property
    def _build_uses(self) -> Mapping[str, tuple[datetime, ...]]:
        return {image: (instant,) for image, instant in build_uses(self.inventory).items()}

    def build_uses(self, kind: Kind) -> Mapping[str, tuple[datetime, ...]]:
        """Return when builds last used objects of a kind, by id and where that is known: only images are."""
        return self._build_uses if kind == "image" else {}

    def since(self, ref: ObjectRef, item: Object) -> Since | None:
        """Return since when an object that nothing holds is of no use; None where nothing tells."""
        return since_of(item, self.build_uses(ref.kind).get(ref.id, ()))

    @property
    def in_use(self) -> frozenset[ObjectRef]:
        """All that is not unused."""
        return frozenset(self.objects).difference(self.unused)

    @property
    def facts(self) -> ConditionFacts:
        """What conditions of rules ask for that no object tells by itself."""
        return ConditionFacts(self.size_of, self.hard.services.names, self.is_declared)

    def retold(self, inventory: Inventory) -> "Survey":
        """Return the survey of the same objects, with what the ledger remembers of them or their tags in another order.

        That changes ages, but neither sizes nor by what names anything holds them: what is computed already holds for
        it too.
        """
        survey = Survey(inventory, self.now, self.declarations)
        vars(survey).update({name: vars(self)[name] for name in _OF_NAMES_AND_SIZES if name in vars(self)})
        return survey

    def declaring(self, declarations: "Declarations | None") -> "Survey":
        """Return the same where files declare this."""
        survey = Survey(self.inventory, self.now, declarations)
        own = {name: value for name, value in vars(self).items() if name != "declared"}
        vars(survey).update(own | {"declarations": declarations})
        return survey

    def at(self, now: datetime) -> "Survey":
        """Return the same at another instant, with holders as they are described at this one."""
        survey = Survey(self.inventory, now, self.declarations)
        vars(survey).update(vars(self) | {"now": now})
        return survey


_OF_NAMES_AND_SIZES = (
    "holders", "hard", "declared", "unused", "sizes", "totals", "layer_graph", "on_disks", "reclaim", "_build_uses",
)  # fmt: skip
