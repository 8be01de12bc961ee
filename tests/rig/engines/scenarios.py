"""Scenarios: litters whose freed bytes are hard to foretell, and the flags that pick what goes.

Sizes are powers of two of a megabyte (or of 100 kB, where there are many), so that a total names what was chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.rig.engines.archive import ImageSpec, random_bytes
from tests.rig.engines.heap import everything as everything_there_is
from tests.rig.engines.kinds import CannotDo
from tests.rig.engines.litter import BASE, Litter
from tests.rig.engines.scenarios_layers import deletions, half_empty, hard_links, platforms_archive, small_files
from tests.rig.engines.scenarios_leaks import leaks
from tests.rig.engines.scenarios_registry import registry

Cache = Literal["none", "goes", "stays"]

MB = 1_000_000
_SMALL = 100_000
_AT_ONCE = ("--older-than", "0s")
_IMAGES = ("--kind", "image", "--all-images")
_EVERYTHING = ("--all-images", "--named-volumes")


@dataclass(frozen=True)
class Step:
    """One sweep, and what of the litter it takes."""

    what: str
    picks: tuple[str, ...]
    cache: Cache = "none"
    """What becomes of the build cache: where it stays, it may hold layers of images that go."""

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags of `dockersweep plan` and `dockersweep sweep` that pick the set, whatever the age."""
        return (*self.picks, *_AT_ONCE)


@dataclass(frozen=True)
class Scenario:
    """A litter, and the sweeps that take it away one after the other."""

    name: str
    litter: Callable[[Litter], None]
    steps: tuple[Step, ...]
    slow: bool = False
    """Whether to make the litter takes an engine some ten seconds: left to the table, and out of the tests."""

    def __str__(self) -> str:
        return self.name


# Images.


def _shared_base(litter: Litter) -> None:
    base = {"base": 8 * MB}
    litter.images(
        [
            ImageSpec(("app/one:1",), {**base, "one": MB}),
            ImageSpec(("app/two:1",), {**base, "two": 2 * MB}),
            ImageSpec(("app/kept:1",), {**base, "kept": 4 * MB}),
        ]
    )


def _rebuilt(litter: Litter) -> None:
    chain = {"base": MB, "first": 2 * MB, "second": 4 * MB, "third": 8 * MB}
    names = list(chain)
    versions = [{name: chain[name] for name in names[:count]} for count in (2, 3, 4)]
    ours = [{"base": MB, f"kept-{number}": _SMALL} for number in range(2)]
    litter.images([ImageSpec((), layers) for layers in versions] + [ImageSpec(("app:1",), ours[0])])
    # The name moves on to a new image, and the old one dangles.
    litter.images([ImageSpec(("app:1",), ours[1])])


def _legacy_intermediates(litter: Litter) -> None:
    litter.legacy_build("legacy:old", steps=2, size=MB)
    litter.legacy_build("legacy:1", steps=2, size=4 * MB)
    # The name moves on, and the image dangles.
    litter.retag(BASE, "legacy:1")
    # What the containers of the builds wrote is garbage by now. containerd collects it some time later, and at once
    # where an image is removed (images.SynchronousDelete): else it could go together with what is on trial.
    litter.image("legacy:gone", layers={"gone": 1000})
    litter.engine.wire.call("DELETE", "/images/legacy:gone")


def _several_names(litter: Litter) -> None:
    litter.image("app:1", tags=("app:latest", "other/app:1"), layers={"base": MB, "app": 2 * MB})
    litter.image("kept:1", tags=("kept:2",), layers={"base": MB, "kept": 4 * MB})


def _identical_layers(litter: Litter) -> None:
    litter.images(
        [
            ImageSpec(("app/left:1",), {"left": MB, "same": 4 * MB, "top": _SMALL}),
            ImageSpec(("app/right:1",), {"right": 2 * MB, "same": 4 * MB}),
            ImageSpec(("app/kept:1",), {"kept": 2 * MB + _SMALL, "same": 4 * MB}),
        ]
    )


def _zero_byte_layers(litter: Litter) -> None:
    litter.images(
        [
            ImageSpec(("app/a:1",), {"z0": 0, "a": MB, "z1": 0, "z2": 0, "b": 2 * MB, "z3": 0}, commented=True),
            ImageSpec(("app/b:1",), {"z0": 0, "a": MB, "z1": 0, "c": 4 * MB}),
            ImageSpec(("app/only:1",), {"z0": 0, "z4": 0}),
            ImageSpec(("app/kept:1",), {"z0": 0, "a": MB, "z1": 0, "z2": 0, "d": 8 * MB}, commented=True),
            ImageSpec(("app/kept:2",), {"z5": 0, "e": _SMALL, "z1": 0}),
        ]
    )


def _odd_layers(litter: Litter) -> None:
    base: dict[str, int | bytes] = {"base": 2 * MB, "gone": MB}
    odd = {**base, "deletions": deletions("layer/gone", "layer/never"), "links": hard_links("links", 4 * MB, 5)}
    litter.images([ImageSpec(("app/odd:1",), odd), ImageSpec(("app/kept:1",), {**base, "kept": _SMALL})])


def _small_files(litter: Litter) -> None:
    litter.image("app:1", layers={"base": MB, "many": small_files("many", 2_000, 780)})


def _many_small_files(litter: Litter) -> None:
    litter.image("app:1", layers={"base": MB, "many": small_files("many", 20_000, 780)})


def _platforms(litter: Litter) -> None:
    layers = {
        "amd64": [small_files("common", 1, MB), small_files("amd64", 1, 2 * MB)],
        "arm64": [small_files("common", 1, MB), small_files("arm64", 1, 4 * MB)],
    }
    litter.engine.wire.raw("POST", "/images/load", platforms_archive("platforms:1", layers))
    litter.image("app/kept:1", layers={"kept": _SMALL})


def _platforms_unpacked(litter: Litter) -> None:
    if litter.engine.kind.image_store != "containerd":
        raise CannotDo("it keeps one platform of an image only")
    _platforms(litter)
    # To create a container of the other platform unpacks it.
    body = {"Image": "platforms:1", "Cmd": ["/bin/true"], "HostConfig": {"NetworkMode": "none"}}
    made = litter.engine.wire.call("POST", "/containers/create", body, platform="linux/arm64")
    litter.engine.wire.raw("DELETE", f"/containers/{made['Id']}")


def _digests(litter: Litter) -> None:
    with registry(litter.engine) as source:
        base = half_empty("base", MB)
        source.offer("1", [base, half_empty("first", 2 * MB)])
        source.pull("app", "1")
        # The name moves on when it is pulled again, and leaves its image with a digest alone.
        source.offer("1", [base, half_empty("second", _SMALL)])
        source.pull("app", "1")
        source.offer("2", [base, half_empty("third", 4 * MB)])
        source.pull("other", "2")


# Build cache.


def _cache_alone(litter: Litter) -> None:
    litter.build_cache("alone", records=3, size=4 * MB)
    litter.build_cache("other", records=2, size=MB)


def _built(litter: Litter) -> None:
    litter.build_cache("built", records=3, size=4 * MB, image="built:1")
    litter.build_cache("alone", records=2, size=2 * MB)


def _rebuilt_with_cache(litter: Litter) -> None:
    for number in range(3):
        text = f"FROM {BASE}\nCOPY common /common\nCOPY own /own\n"
        files = {"common": random_bytes("common", 4 * MB), "own": random_bytes(f"own-{number}", 2**number * MB // 2)}
        litter.build(text, files, image="built:1")


def _cache_mounts(litter: Litter) -> None:
    text = (
        f"FROM {BASE}\nCOPY payload /payload\n"
        "RUN --mount=type=cache,target=/cache dd if=/payload of=/cache/one bs=1M && touch /done\n"
    )
    litter.build(text, {"payload": random_bytes("payload", 2 * MB)}, image="mounted:1")


def _local_sources(litter: Litter) -> None:
    litter.build(
        f"FROM {BASE}\nCOPY payload /payload\nRUN touch /done\n",
        {"payload": random_bytes("payload", 4 * MB), "unused": random_bytes("unused", 2 * MB)},
        image="local:1",
        from_folder=True,
    )


def _built_upon_loaded(litter: Litter) -> None:
    litter.image("base:1", layers={"base": 8 * MB}, runnable=True)
    litter.image("sibling:1", layers={"base": 8 * MB, "sibling": MB}, runnable=True)
    files = {"payload": random_bytes("payload", 2 * MB)}
    litter.build("FROM base:1\nCOPY payload /payload\nRUN touch /done\n", files, image="built:1")


# Containers and volumes.


def _writable_layers(litter: Litter) -> None:
    litter.image("app:1", layers={"big": 4 * MB, "small": _SMALL}, runnable=True)
    work = (
        "rm /layer/big && dd if=/dev/urandom of=/one bs=1000000 count=1"
        " && busybox ln /one /two && busybox ln /one /three && mkdir /folder"
        " && dd if=/dev/urandom of=/folder/sparse bs=1000000 count=1 seek=20"
    )
    litter.container("busy", image="app:1", command=work.replace("busybox ln", "/bin/busybox ln"))
    litter.container("idle", image="app:1", writes=2 * MB, state="created")
    # A file of the image that is only touched is copied up as a whole.
    litter.container("touchy", image="app:1", command="touch /layer/big")
    litter.container("busy-running", image="app:1", writes=MB, state="running")


def _volumes(litter: Litter) -> None:
    litter.volume("plain", size=MB)
    litter.anonymous_volume(2 * MB)
    litter.volume("empty")
    odd = _folder(litter, litter.volume("odd"))
    with (odd / "sparse").open("wb") as sparse:
        sparse.seek(100 * MB)
        sparse.write(random_bytes("sparse", 4 * MB))
    (odd / "linked").write_bytes(random_bytes("linked", MB))
    for number in range(5):
        (odd / f"link-{number}").hardlink_to(odd / "linked")
    many = _folder(litter, litter.volume("many"))
    for number in range(1_000):
        (many / str(number)).write_bytes(b"x" * 100)
    litter.container("keeper", volumes={litter.volume("held", size=MB): "/data"}, state="created")


def _many_of_a_kind(litter: Litter) -> None:
    """What an engine keeps besides the contents counts most where these are small."""
    for number in range(20):
        litter.container(f"small-{number}", state="created")
    litter.images(
        [ImageSpec((f"small-{number}:1",), {f"low-{number}": 100, f"top-{number}": 100}) for number in range(20)]
    )


def _logs(litter: Litter) -> None:
    talk = "busybox head -c 3000000 /dev/zero | busybox tr '\\0' x; echo"
    litter.container("chatty", command=talk.replace("busybox", "/bin/busybox"))
    litter.container("quiet")


def _last_layers(litter: Litter) -> None:
    base = {"base": 4 * MB}
    _, dangling, _ = litter.images(
        [
            ImageSpec(("app:1",), {**base, "app": 2 * MB}, runnable=True),
            ImageSpec((), {**base, "dangling": MB}, runnable=True, labels={"is": "dangling"}),
            ImageSpec(("kept:1",), {"kept": _SMALL}, runnable=True),
        ]
    )
    litter.container("of-app", image="app:1", writes=_SMALL)
    litter.container("of-dangling", image=dangling, state="created")
    litter.container("of-kept", image="kept:1", state="running")


def _mounted_images(litter: Litter) -> None:
    base = {"base": 4 * MB}
    litter.images(
        [
            # One name is the beginning of another: up to Docker 28.5 it is a folder with the other's in it.
            ImageSpec(("team:1", "team:latest"), {**base, "team": MB}),
            ImageSpec(("team/data:1",), {**base, "data": 2 * MB}),
            ImageSpec(("deep.example:5000/a/b/data:1",), {"deep": 8 * MB}),
            ImageSpec(("kept:1",), {"kept": _SMALL}, runnable=True),
        ]
    )
    litter.mounting_container("of-team", "team")
    litter.mounting_container("of-data", "team/data:1", and_mounts=("team",))
    litter.stop(litter.mounting_container("of-deep", "deep.example:5000/a/b/data:1", state="running"))
    litter.stop(litter.mounting_container("of-data-too", "team/data:1", state="running"))
    litter.mounting_container("of-kept", "kept:1", state="running")


def _orphaned_container(litter: Litter) -> None:
    litter.image("lost:1", layers={"lost": 4 * MB}, runnable=True)
    litter.container("orphan", image="lost:1", writes=MB)
    if litter.engine.kind.flavour == "podman":
        raise CannotDo("to remove an image by force removes its containers")
    litter.engine.wire.raw("DELETE", "/images/lost:1", force="1")


def _mount_without_image(litter: Litter) -> None:
    made = litter.image("lost:1", layers={"lost": 4 * MB})
    if litter.engine.kind.flavour == "podman":
        raise CannotDo("it fails to remove a container when an image that it mounts is gone")
    litter.mounting_container("mounts-lost", "lost:1")
    # By its id an image goes that only a container mounts.
    litter.engine.wire.raw("DELETE", f"/images/{made}", force="1")


def _everything(litter: Litter) -> None:
    everything_there_is(litter)
    _several_names(litter)
    if litter.engine.kind.has_build_cache:
        _local_sources(litter)


def _folder(litter: Litter, volume: str) -> Path:
    return Path(litter.engine.wire.call("GET", f"/volumes/{volume}")["Mountpoint"])


_KEEP = ("--keep-image", "app/kept*", "--keep-image", "kept*")
_CACHE = ("--kind", "build-cache")
_DANGLING = ("--kind", "image")

SCENARIOS = (
    Scenario(
        "shared base", _shared_base, (Step("one user stays", (*_IMAGES, *_KEEP)), Step("the last user goes", _IMAGES))
    ),
    Scenario("rebuilt images", _rebuilt, (Step("those that dangle", _DANGLING),)),
    Scenario(
        "legacy intermediates",
        _legacy_intermediates,
        (Step("those that dangle", _DANGLING), Step("with their image", (*_IMAGES, "--keep-image", "busybox"))),
    ),
    Scenario("several names", _several_names, (Step("all names of one image", (*_IMAGES, *_KEEP)),)),
    Scenario("identical layers", _identical_layers, (Step("two of three parents", (*_IMAGES, *_KEEP)),)),
    Scenario("layers of zero bytes", _zero_byte_layers, (Step("some images", (*_IMAGES, *_KEEP)),)),
    Scenario("deletions and hard links", _odd_layers, (Step("the image with them", (*_IMAGES, *_KEEP)),)),
    Scenario("small files", _small_files, (Step("2,000 of them", _IMAGES),)),
    Scenario("many small files", _many_small_files, (Step("20,000 of them", _IMAGES),), slow=True),
    Scenario("two platforms", _platforms, (Step("the image", (*_IMAGES, *_KEEP)),)),
    Scenario("two platforms unpacked", _platforms_unpacked, (Step("the image", (*_IMAGES, *_KEEP)),)),
    Scenario("tags and digests", _digests, (Step("the one that dangles", _DANGLING), Step("the others", _IMAGES))),
    Scenario("build cache", _cache_alone, (Step("all of it", _CACHE, "goes"),)),
    Scenario(
        "built image", _built, (Step("the cache stays", _IMAGES, "stays"), Step("then the cache", _CACHE, "goes"))
    ),
    Scenario("cached image", _built, (Step("the image stays", _CACHE, "goes"), Step("then the image", _IMAGES))),
    Scenario(
        "rebuilt with BuildKit",
        _rebuilt_with_cache,
        (
            Step("those that dangle, the cache stays", _DANGLING, "stays"),
            Step("the rest", (*_CACHE, *_IMAGES), "goes"),
        ),
    ),
    Scenario("cache mounts", _cache_mounts, (Step("the image stays", _CACHE, "goes"),)),
    Scenario("local sources", _local_sources, (Step("with their image", (*_CACHE, *_IMAGES), "goes"),)),
    Scenario("base under a build", _built_upon_loaded, (Step("the cache stays", _IMAGES, "stays"),)),
    Scenario("writable layers", _writable_layers, (Step("stopped containers", ("--kind", "container")),)),
    Scenario("volumes", _volumes, (Step("unused ones", ("--kind", "volume", "--named-volumes")),)),
    Scenario(
        "many of a kind",
        _many_of_a_kind,
        (
            Step("20 containers", ("--kind", "container")),
            Step("20 small images", (*_IMAGES, "--keep-image", "busybox")),
        ),
    ),
    Scenario("container logs", _logs, (Step("stopped containers", ("--kind", "container")),)),
    Scenario("last layers", _last_layers, (Step("containers with their images", _EVERYTHING),)),
    Scenario(
        "mounted images",
        _mounted_images,
        (Step("containers alone", ("--kind", "container")), Step("then the images", _IMAGES)),
    ),
    Scenario("mounted images with their containers", _mounted_images, (Step("those that are stopped", _EVERYTHING),)),
    Scenario("orphaned container", _orphaned_container, (Step("without its image", ("--kind", "container")),)),
    Scenario("mount without its image", _mount_without_image, (Step("the container", ("--kind", "container")),)),
    Scenario(
        "leaks",
        leaks,
        (Step("one image", (*_IMAGES, "--keep-image", "app/two")), Step("all that is owned", _EVERYTHING)),
    ),
    Scenario(
        "everything",
        _everything,
        (
            Step("every image, the cache stays", ("--kind", "container", *_IMAGES), "stays"),
            Step("the rest", _EVERYTHING, "goes"),
        ),
    ),
    Scenario("everything by default", _everything, (Step("by default", (), "goes"),), slow=True),
)
"""All of them, images first."""
