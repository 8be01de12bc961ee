"""The findings that there are, as a table: what each is called, how bad it is, and what mends it.

Ids are for ever: the policy files of people silence by them. What mends may name the first object of the evidence.
"""

from dataclasses import dataclass

from dockersweep.model.report import FindingId, Severity


@dataclass(frozen=True)
class Known:
    """A finding, without what it is seen by."""

    severity: Severity
    one: str
    """The title where it is about one object; {} is what the finding itself tells."""
    many: str
    """The title where it is about several, with their number as {}."""
    mend: str
    """{} is the name of the first object, as a shell takes it; {pattern} what a rule matches it by, as TOML has it."""


CATALOGUE: dict[FindingId, Known] = {
    "DS001": Known(
        "warning",
        "1 container log grows without a limit",
        "{} container logs grow without a limit",
        # An engine does not start where its default log driver is another one, which has no such options.
        'write "log-driver": "json-file" and "log-opts": {{"max-size": "10m", "max-file": "3"}} into '
        "/etc/docker/daemon.json, restart the engine, and make the containers anew: a log goes with its container",
    ),
    "DS002": Known(
        "warning",
        "1 container keeps much in its writable layer",
        "{} containers keep much in their writable layers",
        "mount a volume where it writes: docker diff {} shows where",
    ),
    "DS003": Known(
        "note",
        "1 volume has been of no use for long",
        "{} volumes have been of no use for long",
        'look with dockersweep explain volume:{}; a [[rule]] with kind = "volume", match.name = {pattern} and '
        'remove.unused_for = "30d" removes it once it was seen unused for so long',
    ),
    "DS004": Known(
        "note",
        "1 volume was of a compose project that is gone",
        "{} volumes were of compose projects that are gone",
        'look with dockersweep explain volume:{}; a [[rule]] with kind = "volume", match.project = {pattern} and '
        'remove.unused_for = "30d" removes those of this project once they were seen unused for so long',
    ),
    "DS005": Known(
        "note",
        "1 volume is the state of a buildx builder that is gone",
        "{} volumes are the state of buildx builders that are gone",
        "docker volume rm {}: it is cache only, which builds make anew",
    ),
    "DS006": Known(
        "note",
        "1 image is kept only by an old stopped container",
        "{} images are kept only by old stopped containers",
        "docker rm {} where the container is of no use, then dockersweep sweep --all-images, which shows all unused "
        "images that would go, and asks",
    ),
    "DS007": Known(
        "note",
        "1 repository has many versions here",
        "{} repositories have many versions here",
        'a [[rule]] with kind = "image", match.repository = {pattern}, keep.last = 5 and remove.unused_for = "14d" '
        "keeps the newest and removes the rest",
    ),
    "DS008": Known(
        "warning",
        "1 container is in a restart loop",
        "{} containers are in a restart loop",
        "read why with docker logs --tail 50 {}, and stop it till that is mended",
    ),
    "DS009": Known(
        "warning",
        "1 container is dead or in removal for long",
        "{} containers are dead or in removal for long",
        "docker rm {}; where that fails, what holds its folder is in the engine's log",
    ),
    "DS010": Known(
        "note",
        "dangling images return every day: {}",
        "dangling images return every day: {}",
        "give what the build makes a tag of its own (docker build -t NAME:VERSION), and let dockersweep sweep --yes "
        "run daily",
    ),
    "DS011": Known(
        "warning",
        "the build cache is over the engine's own limit: {}",
        "the build cache is over the engine's own limit: {}",
        "dockersweep sweep --kind build-cache; where it stays so, builds that need all of it at once need a higher "
        "limit",
    ),
    "DS012": Known(
        "note",
        "nothing limits the build cache: {}",
        "nothing limits the build cache: {}",
        'write "builder": {{"gc": {{"enabled": true, "defaultKeepStorage": "20GB"}}}} into /etc/docker/daemon.json, '
        "or let dockersweep sweep --yes run daily",
    ),
    "DS013": Known(
        "warning",
        "1 image store is left behind from before a switch of store",
        "{} image stores are left behind from before a switch of store",
        "set the engine back to the former store to see and remove what is in it, or, with the engine stopped and "
        "when nothing of it is wanted, remove {}",
    ),
    "DS014": Known(
        "note",
        "1 stopped container would start again with the engine",
        "{} stopped containers would start again with the engine",
        "docker update --restart=no {} where it is not meant to come back; then sweep removes it in its time",
    ),
    "DS015": Known(
        "critical",
        "the disk is nearly full: {}",
        "the disk is nearly full: {}",
        "dockersweep sweep; for more than the rules give, a policy with [target] start_above",
    ),
    "DS016": Known(
        "warning",
        "the disk fills up: {}",
        "the disk fills up: {}",
        'dockersweep sweep, and a policy with [target] start_above = "85%" for the days to come',
    ),
    "DS017": Known(
        "warning",
        "the disk is full soon: {}",
        "the disk is full soon: {}",
        "where it is the engine that grows, let dockersweep sweep --yes run daily; what else fills this disk, "
        "du -x tells",
    ),
    "DS018": Known(
        "warning",
        "1 container of a build was left behind",
        "{} containers of builds were left behind",
        # The option came with Podman 5.4 (containers/podman#25102).
        "podman rm --force {}, unless its build still runs; podman system prune --build (Podman 5.4 or newer) removes "
        "all of them, but stopped containers and dangling images too",
    ),
    "DS019": Known(
        "note",
        "1 unused volume looks anonymous but is not marked so",
        "{} unused volumes look anonymous but are not marked so",
        'look with dockersweep explain volume:{}; a [[rule]] with kind = "volume", match.name = '
        '"/^[0-9a-f]{{64}}$/", match.driver = "local", match.has_options = false and remove.unused_for = "30d" '
        "removes them all, also those that a person or a program named so",
    ),
}
