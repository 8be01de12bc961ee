"""What goes into the archive under a policy, and how much that takes there."""

from collections.abc import Collection

from dockersweep.model.archive_facts import ArchiveFacts, Reading
from dockersweep.model.inventory import Container, Image, Network, Object, Volume
from dockersweep.model.naming import KIND_OF, kind_of, ref_of
from dockersweep.model.plan import ArchiveShare, Interval
from dockersweep.model.policy import ArchiveSettings
from dockersweep.model.quantities import known_sum
from dockersweep.model.recovery import Recovery
from dockersweep.policy.bytes.layer_graph import reached
from dockersweep.policy.judging.survey import Survey

_NOT_ARCHIVED = {
    of_type: Reading(read_from=None, text=f"archive.kinds has no {kind}") for of_type, kind in KIND_OF.items()
}
_DESCRIPTION_BYTES = 16_384
"""What the description of an object takes at most: a few files of one block each."""


class Archiving:
    """The archive that a policy asks for, and the objects of an inventory."""

    def __init__(self, survey: Survey, settings: ArchiveSettings) -> None:
        """Where nothing is known of the archive, it can keep everything."""
        self.facts = survey.archive or ArchiveFacts()
        self._survey = survey
        self._kinds = frozenset(settings.kinds)
        self._until = settings.keep_for.after(survey.now)
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
        return self._of_readings[reading]

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

    def share(self, archived: Collection[Object]) -> ArchiveShare | None:
        """Return what these objects take in the archive; None for none."""
        if not archived:
            return None
        return ArchiveShare(
            folder=self.facts.folder,
            objects=len(archived),
            takes=Interval(low_bytes=0, high_bytes=self.most_bytes(archived), reason="how well it compresses"),
            until=self._until,
            on_engine_disk=self.facts.on_engine_disk,
            disk=self.facts.disk,
        )

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
