"""What engines do differently, by API version, by image store, and Podman: the one place that knows which does what."""

from msgspec import Struct

from dockersweep.engine.api.translate import RegistrySource
from dockersweep.engine.api.versions import ApiVersion, version_pair

API_WITH_SERVICE_STATUS: ApiVersion = (1, 41)
API_WITH_PARTIAL_USAGE: ApiVersion = (1, 42)
API_WITH_MARKED_VOLUMES: ApiVersion = (1, 42)
API_WITH_MANIFESTS: ApiVersion = (1, 47)
API_WITH_IMAGE_MOUNTS: ApiVersion = (1, 48)
# The oldest that it was tried on.
API_WITH_DANGLING_NAME: ApiVersion = (1, 48)
TRUE_SHARED_SIZE_ON_CONTAINERD = (29, 5)


class Quirks(Struct, frozen=True):
    """What one engine can do, and what it does in its own way."""

    api: ApiVersion
    """The version of the API in which it is asked."""
    version: str
    """The engine's own version."""
    is_podman: bool = False
    has_containerd_store: bool = False
    has_native_diff: bool = False
    """Whether the driver overlay finds in a folder of its own what a container has written, and compares nothing."""

    # What it can be asked

    @property
    def counts_tasks(self) -> bool:
        """Whether the list of services tells how many tasks run."""
        return self.api >= API_WITH_SERVICE_STATUS

    @property
    def tells_usage_in_parts(self) -> bool:
        """Whether one part of the disk usage can be asked for without walking the rest (API 1.42; never Podman)."""
        return self.api >= API_WITH_PARTIAL_USAGE and not self.is_podman

    @property
    def tells_manifests(self) -> bool:
        """Whether the image list tells of the manifests that an image has here."""
        return self.has_containerd_store and self.api >= API_WITH_MANIFESTS

    @property
    def has_build_cache(self) -> bool:
        """Whether the engine keeps build-cache records; Podman's cache is intermediate images."""
        return not self.is_podman

    # What its answers are worth

    @property
    def tells_true_shared_size(self) -> bool:
        """Podman says 0 always; the containerd store left out shared blobs before 29.5 (moby#52476)."""
        if self.is_podman:
            return False
        version = version_pair(self.version)
        return not self.has_containerd_store or (version is not None and version >= TRUE_SHARED_SIZE_ON_CONTAINERD)

    @property
    def sums_up_layers(self) -> bool:
        """Whether LayersSize counts each layer once; Podman's is a sum that counts a shared layer once per image."""
        return not self.is_podman

    @property
    def marks_anonymous_volumes(self) -> bool:
        """Whether volumes that the engine named itself have a label; Podman tells it only by an API of its own."""
        return self.api >= API_WITH_MARKED_VOLUMES and not self.is_podman

    @property
    def lists_network_mode(self) -> bool | None:
        """Whether Podman's list for docker clients has the mode of a container's network; None where neither was tried.
        Docker's has it."""
        if not self.is_podman:
            return True
        return {(5, 8): False, (6, 1): True}.get(version_pair(self.version) or (0, 0))

    @property
    def registry_source(self) -> RegistrySource:
        """What of an image tells whether a registry has it."""
        if self.is_podman:
            return "names"
        return "nothing" if self.has_containerd_store else "digests"

    @property
    def lists_images_per_store(self) -> bool:
        """Whether an image is listed once for each store that has it: Podman's additional image stores."""
        return self.is_podman

    # What a removal has to heed

    @property
    def mounts_images(self) -> bool:
        """Whether containers can mount images, which no engine counts as a use of these (API 1.48, Podman)."""
        return self.is_podman or self.api >= API_WITH_IMAGE_MOUNTS

    @property
    def names_dangling_images(self) -> bool:
        """Whether an image without a name can be asked for by one that it loses with its first tag: the containerd
        store finds it by "moby-dangling@ID" (daemon/containerd/image_delete.go, 28 and 29)."""
        return self.has_containerd_store and self.api >= API_WITH_DANGLING_NAME

    @property
    def compares_image_on_untag(self) -> bool:
        """Whether DELETE /images/{tag}@{id} takes the tag off only while it names this image: the containerd store.
        Elsewhere that spelling means something else (engine-api.md §4)."""
        return self.has_containerd_store and not self.is_podman

    @property
    def takes_a_prefix_for_a_volume(self) -> bool:
        """Whether DELETE /volumes/{name} takes the beginning of a name for the name, where it is unique: Podman 5.8."""
        return self.is_podman

    @property
    def guards_networks_by_name(self) -> bool:
        """Whether the engine refuses to remove a network that a container names, in any state, where it is asked for
        by its name, and not where it is by its id: Podman 5.8 and 6.1. Docker asks for endpoints in either case."""
        return self.is_podman
