"""What engines do differently, by what they say of themselves."""

import pytest

from dockersweep.engine.api.quirks import Quirks
from dockersweep.engine.api.versions import podman_of_ping

CLASSIC = Quirks(api=(1, 51), version="28.5.2")
OLD = Quirks(api=(1, 40), version="19.3.15")
CONTAINERD = Quirks(api=(1, 51), version="29.1.0", has_containerd_store=True)
LATER_CONTAINERD = Quirks(api=(1, 52), version="29.5.0", has_containerd_store=True)
PODMAN = Quirks(api=(1, 44), version="5.8.0", is_podman=True)


@pytest.mark.parametrize(
    ("known", "quirks"),
    [
        (
            OLD,
            {"tells_true_shared_size", "sums_up_layers", "has_build_cache", "lists_network_mode"}
            | {"loads_only_new_layers", "copies_image_to_export"},
        ),
        (
            CLASSIC,
            {"counts_tasks", "tells_usage_in_parts", "marks_anonymous_volumes", "mounts_images", "has_swarm_jobs"}
            | {"tells_true_shared_size", "sums_up_layers", "has_build_cache", "lists_network_mode"}
            | {"loads_only_new_layers", "copies_image_to_export"},
        ),
        (
            CONTAINERD,
            {"counts_tasks", "tells_usage_in_parts", "marks_anonymous_volumes", "mounts_images", "sums_up_layers"}
            | {"has_build_cache", "tells_manifests", "names_dangling_images", "compares_image_on_untag"}
            | {"lists_network_mode", "has_swarm_jobs"},
        ),
        (
            PODMAN,
            {"counts_tasks", "lists_images_per_store", "mounts_images", "takes_a_prefix_for_a_volume"}
            | {"guards_networks_by_name"},
        ),
    ],
    ids=["old", "classic", "containerd", "podman"],
)
def test_each_engine_has_its_own(known: Quirks, quirks: set[str]) -> None:
    names = [name for name, value in vars(Quirks).items() if isinstance(value, property)]
    assert {name for name in names if getattr(known, name) is True} == quirks


def test_the_containerd_store_learnt_to_count_shared_blobs() -> None:
    assert LATER_CONTAINERD.tells_true_shared_size
    assert not CONTAINERD.tells_true_shared_size


def test_a_registry_is_known_by_what_the_store_keeps() -> None:
    sources = [known.registry_source for known in (CLASSIC, CONTAINERD, PODMAN)]
    assert sources == ["digests", "nothing", "names"]


OF_PODMAN = {b"api-version": b"1.44", b"libpod-api-version": b"6.1.1", b"server": b"Libpod/6.1.1 (linux)"}


def test_a_podman_tells_its_version_with_a_ping() -> None:
    told = podman_of_ping(OF_PODMAN)
    assert told is not None
    assert (told.version, told.api_version) == ("6.1.1", "1.44")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"api-version": b"1.51", b"server": b"Docker/28.5.2 (linux)"},
        {b"libpod-api-version": b"6.1.1"},
        OF_PODMAN | {b"api-version": b"1.24"},
        OF_PODMAN | {b"api-version": b"1.99"},
        OF_PODMAN | {b"api-version": b"new"},
        OF_PODMAN | {b"libpod-api-version": b""},
    ],
)
def test_another_engine_is_asked_for_its_version(headers: dict[bytes, bytes]) -> None:
    assert podman_of_ping(headers) is None
