"""What engines do differently, by API version, image store and flavor: only this module knows which does what."""

from msgspec import Struct

from dockersweep.engine.api.translate import RegistrySource
from dockersweep.engine.api.versions import ApiVersion, version_pair

API_WITH_SERVICE_STATUS: ApiVersion = (1, 41)
API_WITH_SWARM_JOBS: ApiVersion = (1, 41)
API_WITH_PARTIAL_USAGE: ApiVersion = (1, 42)
API_WITH_MARKED_VOLUMES: ApiVersion = (1, 42)
API_WITH_MANIFESTS: ApiVersion = (1, 47)
API_WITH_IMAGE_MOUNTS: ApiVersion = (1, 48)
# The oldest version that it was tried on.
API_WITH_DANGLING_NAME: ApiVersion = (1, 48)
TRUE_SHARED_SIZE_ON_CONTAINERD = (29, 5)


class Quirks(Struct, frozen=True):
    """The abilities and peculiarities of one engine."""

    api: ApiVersion
    """The version of the API that is used."""
    version: str
    """The engine's own version."""
    is_podman: bool = False
    has_containerd_store: bool = False
    has_native_diff: bool = False
    """Whether overlay keeps a container's changes in a folder of their own, so that no layers need to be compared."""

    # Requests

    @property
    def counts_tasks(self) -> bool:
        """Whether the list of services can include the number of running tasks."""
        return self.api >= API_WITH_SERVICE_STATUS

    @property
    def tells_usage_in_parts(self) -> bool:
        """Whether one part of the disk usage can be requested without walking the rest (API 1.42; never Podman)."""
        return self.api >= API_WITH_PARTIAL_USAGE and not self.is_podman

    @property
    def tells_manifests(self) -> bool:
        """Whether the image list can include the manifests of an image."""
        return self.has_containerd_store and self.api >= API_WITH_MANIFESTS

    @property
    def has_build_cache(self) -> bool:
        """Whether the engine keeps build-cache records; Podman's cache is intermediate images."""
        return not self.is_podman

    @property
    def has_swarm_jobs(self) -> bool:
        """Whether a service of a swarm can be a job, which runs to its end once (Docker 20.10)."""
        return self.api >= API_WITH_SWARM_JOBS and not self.is_podman

    # Answers

    @property
    def tells_true_shared_size(self) -> bool:
        """Whether SharedSize is right. Podman always says 0; the containerd store left out shared blobs before 29.5
        (moby#52476)."""
        if self.is_podman:
            return False
        version = version_pair(self.version)
        return not self.has_containerd_store or (version is not None and version >= TRUE_SHARED_SIZE_ON_CONTAINERD)

    @property
    def sums_up_layers(self) -> bool:
        """Whether LayersSize counts each layer once; Podman's counts a shared layer once for each image."""
        return not self.is_podman

    @property
    def marks_anonymous_volumes(self) -> bool:
        """Whether volumes that the engine named itself have a label; with Podman only its own API shows it."""
        return self.api >= API_WITH_MARKED_VOLUMES and not self.is_podman

    @property
    def lists_network_mode(self) -> bool | None:
        """Whether the list of containers (with Podman, the one for docker clients) has the network mode; None for
        versions of Podman that were not tried."""
        if not self.is_podman:
            return True
        return {(5, 8): False, (6, 1): True}.get(version_pair(self.version) or (0, 0))

    @property
    def registry_source(self) -> RegistrySource:
        """Which fields of an image show whether a registry has it."""
        if self.is_podman:
            return "names"
        return "nothing" if self.has_containerd_store else "digests"

    @property
    def lists_images_per_store(self) -> bool:
        """Whether an image is listed once for each store that has it: Podman's additional image stores."""
        return self.is_podman

    # Removals

    @property
    def mounts_images(self) -> bool:
        """Whether containers can mount images, which no engine counts as a use of the image (API 1.48, Podman)."""
        return self.is_podman or self.api >= API_WITH_IMAGE_MOUNTS

    @property
    def names_dangling_images(self) -> bool:
        """Whether an untagged image has a name that it loses with its first tag: the containerd store knows it as
        "moby-dangling@ID" (daemon/containerd/image_delete.go, 28 and 29)."""
        return self.has_containerd_store and self.api >= API_WITH_DANGLING_NAME

    @property
    def compares_image_on_untag(self) -> bool:
        """Whether DELETE /images/{tag}@{id} removes the tag only while it names this image: the containerd store. On
        other stores that spelling means something else (engine-api.md §4)."""
        return self.has_containerd_store and not self.is_podman

    @property
    def copies_image_to_export(self) -> bool:
        """Whether GET /images/{name}/get writes the whole image to the engine's own disk before its first byte comes:
        Docker's classic store (image/tarexport/save.go, in the folder tmp of its root or in DOCKER_TMPDIR)."""
        return not self.is_podman and not self.has_containerd_store

    @property
    def takes_a_prefix_for_a_volume(self) -> bool:
        """Whether DELETE /volumes/{name} accepts a unique prefix of a name: Podman 5.8."""
        return self.is_podman

    @property
    def guards_networks_by_name(self) -> bool:
        """Whether the engine refuses to remove a network that any container names, but only if it is addressed by name,
        not by id: Podman 5.8 and 6.1. Docker checks for endpoints in either case."""
        return self.is_podman

    # Creations

    @property
    def loads_only_new_layers(self) -> bool:
        """Whether the tar of an image to load may leave out layers that the engine has: Docker's classic store looks
        for each by its chain id first (image/tarexport/load.go, 20.10 to 28.5)."""
        return not self.is_podman and not self.has_containerd_store
