"""What goes into the archive under a policy, and how much that takes there."""

from collections.abc import Collection, Iterable, Iterator

from dockersweep.model.archive_facts import ArchiveFacts, Reading
from dockersweep.model.inventory import Container, Image, Network, Object, ObjectRef, Volume
from dockersweep.model.naming import KIND_OF, kind_of, ref_of
from dockersweep.model.plan import ArchiveShare, Interval
from dockersweep.model.policy import Policy
from dockersweep.model.quantities import known_sum
from dockersweep.model.recovery import EarlyDeletion, Recovery
from dockersweep.policy.bytes.layer_graph import reached
from dockersweep.policy.judging.survey import Survey

_NOT_ARCHIVED = {
    of_type: Reading(read_from=None, text=f"archive.kinds has no {kind}") for of_type, kind in KIND_OF.items()
}
_DESCRIPTION_BYTES = 16_384
"""What the description of an object takes at most: a few files of one block each."""
NO_ROOM = Recovery(how="none", text="no room in the archive", may_fit=True)
"""Of what may not fit, and then goes without."""


class Archiving:
    """The archive that a policy asks for, and the objects of an inventory."""

    def __init__(self, survey: Survey, policy: Policy) -> None:
        """The policy has an archive. Where nothing is known of that, it can keep everything."""
        assert policy.archive is not None
        self.facts = survey.archive or ArchiveFacts()
        self._survey = survey
        self._kinds = frozenset(policy.archive.kinds)
        self._until = policy.archive.keep_for.after(survey.now)
        self._room = self.facts.room_bytes if policy.removes_without_room else None
        """Where what does not fit goes without: how much does; None where nothing goes without."""
        self._of_readings: dict[Reading, Recovery] = {}

    def asks_for(self, item: Object) -> bool:
        """Whether the policy names the kind of an object."""
        return kind_of(item) in self._kinds

    def recovery(self, item: Object) -> Recovery:
        """Return the way back of an object for which there is no other one, or that the policy asks for."""
        reading = self._reading(item) if self.asks_for(item) or type(item) is Image else _NOT_ARCHIVED[type(item)]
        if reading not in self._of_readings:
            if reading.read_from is None:
                recovery = Recovery(how="none", text=reading.text)
            else:
                recovery = Recovery(how="archive", text=reading.text, until=self._until)
            self._of_readings[reading] = recovery
        recovery = self._of_readings[reading]
        return NO_ROOM if recovery.how == "archive" and not self._fits(item) else recovery

    def _fits(self, item: Object) -> bool:
        """Whether there is room for an object alone, or it stays where there is none."""
        if self._room is None:
            return True
        takes = self.most_bytes((item,))
        return takes is not None and takes <= self._room

    @property
    def removes_without_room(self) -> bool:
        """Whether it is known how much there is room for, and what does not fit goes without."""
        return self._room is not None

    def without_room(self, archived: Iterable[Object]) -> frozenset[ObjectRef]:
        """Return what of these objects, archived in this order, may find no room any more, and then goes without."""
        if self._room is None:
            return frozenset()
        left, counted, without = self._room, set[int](), set[ObjectRef]()
        for item in archived:
            layers = self._new_layers(item, counted) if isinstance(item, Image) else ()
            takes = self.most_bytes((item,))
            if layers and takes is not None:
                shared = known_sum(self._survey.layer_graph.high[node] for node in layers)
                takes = takes if shared is None else min(takes, shared + _DESCRIPTION_BYTES)
            if takes is None or takes > left:
                without.add(ref_of(item))
                continue
            left -= takes
            counted.update(layers)
        return frozenset(without)

    def _new_layers(self, image: Image, counted: Collection[int]) -> Collection[int]:
        """Return the layers of an image, and the image itself, but those that are counted."""
        graph = self._survey.layer_graph
        node = graph.node_of(ref_of(image))
        if node is None:
            return ()
        return reached((node,), lambda one: [need for need in graph.needs[one] if need not in counted])

    def _reading(self, item: Object) -> Reading:
        match item:
            case Volume():
                if item.has_files_elsewhere:
                    return self.facts.volumes_elsewhere
                is_plain = item.driver == "local" and not item.options
                return self.facts.volumes if is_plain else self.facts.mounted_volumes
            case Container():
                return self.facts.containers
            case Image():
                return self.facts.images
            case Network():
                return self.facts.networks
        return _NOT_ARCHIVED[type(item)]

    def share(self, archived: Collection[Object], tried: Collection[Object] = ()) -> ArchiveShare | None:
        """Return what these objects take in the archive; None for none. `tried` go there only where they fit."""
        if not (archived or tried):
            return None
        most = self.most_bytes((*archived, *tried))
        if tried and self._room is not None:
            most = self._room if most is None else min(most, self._room)
        return ArchiveShare(
            folder=self.facts.folder,
            objects=len(archived),
            takes=Interval(low_bytes=0, high_bytes=most, reason="how well it compresses"),
            until=self._until,
            on_engine_disk=self.facts.on_engine_disk,
            disk=self.facts.disk,
            is_new=self.facts.is_new,
            makes_room=tuple(self._going_for(most)),
        )

    def _going_for(self, most_bytes: int | None) -> Iterator[EarlyDeletion]:
        """Yield the runs that may go before their time to make room for so many bytes."""
        room = self.facts.room_bytes
        added = most_bytes if room is None else room if most_bytes is None else min(most_bytes, room)
        over = None if added is None else self.facts.over_bytes + added
        for run in self.facts.runs:
            if over is not None and over <= 0:
                return
            if run.deletion.until > self._survey.now:
                yield run.deletion
            over = None if over is None else over - run.size_bytes

    def may_be_on(self, disk: str | None) -> bool:
        """Whether the archive is, or may be, on a disk of the engine of this name; None stands for all together."""
        if self.facts.on_engine_disk is False:
            return False
        return None in (disk, self.facts.disk) or disk == self.facts.disk

    def most_bytes(self, archived: Collection[Object]) -> int | None:
        """Return how much these objects take in the archive at most, with the layers that images share once; None
        where that is not known. Files that compress take less."""
        images = [item for item in archived if isinstance(item, Image)]
        others = [self._of_one(item) for item in archived if not isinstance(item, Image)]
        return known_sum([*others, self._of_images(images), _DESCRIPTION_BYTES * len(archived)])

    def _of_one(self, item: Object) -> int | None:
        if isinstance(item, Network) or (isinstance(item, Volume) and item.has_files_elsewhere):
            return 0
        size = self._survey.size_of(item)
        if isinstance(item, Container) and self._survey.size_base == "lengths":
            # On a disk, logs are in the folder that was measured.
            return known_sum((size, item.log_bytes))
        return size

    def _of_images(self, images: Collection[Image]) -> int | None:
        graph = self._survey.layer_graph
        nodes = [node for image in images if (node := graph.node_of(ref_of(image))) is not None]
        together = known_sum(graph.high[node] for node in reached(nodes, graph.needs.__getitem__))
        apart = known_sum(self._survey.size_of(image) for image in images)
        return together if apart is None else apart if together is None else min(together, apart)
