"""Findings about leaked folders, which belong to no object of the engine: the function that finds each, and its row.

dockersweep never removes them: the engine does not list them, and its API cannot remove them.
"""

from collections.abc import Callable, Iterator
from datetime import datetime

from dockersweep.model.engine_folder import LeakedFolder, LeakKind
from dockersweep.model.inventory import Inventory
from dockersweep.model.quantities import known_sum
from dockersweep.policy.disk_report.evidence import Evidence
from dockersweep.policy.disk_report.finding_facts import FindingFacts
from dockersweep.policy.disk_report.finding_row import FindingRow, FixTemplate
from dockersweep.units import HOUR, format_duration, format_size

YOUNG_SECONDS = HOUR
"""A folder that changed more recently may still be in use by the engine."""
LEAST_BYTES = 1_000_000
"""A smaller total is not worth stopping an engine for."""
_WHY = {
    "unnamed": "",
    "removal-unfinished": ", left by a removal that did not finish",
    "unkept": ", nothing keeps it",
    "lease-expired": ", its lease expired",
    "ingest-abandoned": ", a download that did not end",
    "container-gone": "",
}


def leaked(kind: LeakKind) -> Callable[[FindingFacts], Iterator[Evidence]]:
    """Return the function that yields the leaks of one kind, if they are large enough together."""

    def find(facts: FindingFacts) -> Iterator[Evidence]:
        leaks = [leak for leak in old_leaks(facts.inventory, facts.survey.now) if leak.kind == kind]
        if (known_sum(leak.size_bytes for leak in leaks) or 0) >= LEAST_BYTES:
            yield from (_evidence(facts, leak) for leak in leaks)

    return find


def old_leaks(inventory: Inventory, now: datetime) -> Iterator[LeakedFolder]:
    """Yield the leaks that have not changed for a while."""
    for leak in inventory.folder.leaks if inventory.folder else ():
        if leak.changed_at is not None and (now - leak.changed_at).total_seconds() >= YOUNG_SECONDS:
            yield leak


def _evidence(facts: FindingFacts, leak: LeakedFolder) -> Evidence:
    age = format_duration(facts.seconds_since(leak.changed_at) or 0)
    why = _WHY[leak.why]
    if (expired := facts.seconds_since(leak.expired_at)) is not None:
        why += f" {format_duration(expired)} ago"
    text = f"{leak.path}: {format_size(leak.size_bytes)}, last changed {age} ago{why}"
    return Evidence(text, leak.size_bytes, name=_name(leak))


def _name(leak: LeakedFolder) -> str:
    """Return the name in the fix: the lease, the volume's name, or the path."""
    return leak.lease or (leak.path.rpartition("/")[2] if leak.kind == "volume" else leak.path)


LEAK_FINDINGS = (
    FindingRow(
        "DS021",
        "warning",
        title_of_one="1 layer folder belongs to no image, container or build",
        title_of_many="{} layer folders belong to no image, container or build",
        fix=FixTemplate(
            "restart the engine and look again, which ends removals that did not finish; then stop the engine, move "
            "what is still listed elsewhere ({name} and so on), start it, and delete that once everything runs",
        ),
        find=leaked("layer"),
    ),
    FindingRow(
        "DS022",
        "warning",
        title_of_one="1 folder or file of containerd is kept by no image, container or lease",
        title_of_many="{} folders and files of containerd are kept by no image, container or lease",
        fix=FixTemplate(
            "{command}, which has containerd collect, as it does when an image goes; then stop the engine, move "
            "what is still listed elsewhere ({name} and so on), start it, and delete that once everything runs",
            command="head -c 1024 /dev/zero | docker import - collect:now && docker rmi collect:now",
        ),
        find=leaked("containerd"),
    ),
    FindingRow(
        "DS023",
        "warning",
        title_of_one="1 folder in Podman's storage is not in its lists",
        title_of_many="{} folders in Podman's storage are not in its lists",
        fix=FixTemplate(
            "{command}, which removes what its lists do not name",
            command="podman system prune --external --force",
        ),
        find=leaked("podman"),
    ),
    FindingRow(
        "DS024",
        "warning",
        title_of_one="1 folder of a volume is of no volume that the engine knows",
        title_of_many="{} folders of volumes are of no volume that the engine knows",
        fix=FixTemplate(
            "restart the engine, which makes each a volume again; look into it, and where nobody misses it, {command}",
            command="docker volume rm {name}",
        ),
        find=leaked("volume"),
    ),
    FindingRow(
        "DS025",
        "warning",
        title_of_one="1 folder of a container belongs to no container",
        title_of_many="{} folders of containers belong to no container",
        fix=FixTemplate(
            "restart the engine and look again; then stop the engine, move what is still listed elsewhere ({name} and "
            "so on), start it, and delete that once everything runs",
        ),
        find=leaked("container"),
    ),
    FindingRow(
        "DS027",
        "warning",
        title_of_one="1 snapshot is kept for an image mount of a container that is gone",
        title_of_many="{} snapshots are kept for image mounts of containers that are gone",
        fix=FixTemplate(
            "{command}, with --address /run/docker/containerd/containerd.sock where the engine starts containerd "
            "itself; then look again, as another lease may keep the rest",
            command="ctr --namespace moby leases rm --sync {name}",
        ),
        find=leaked("image-mount"),
    ),
)
