"""Which images go: the cases of others' own tests, as data, to be given to our planner.

The kubelet's are read from kubernetes/kubernetes, pkg/kubelet/images/image_gc_manager_test.go. Images share nothing
there, and what the kubelet knows of them is when it first detected them and when a container last used them. Its cases
about records, and not about what goes, are left out (TestDetectImages*), and so is that of an image listed twice
(TestDeletePinnedImage).

docuum's are read from stepchowfun/docuum, src/run.rs: in which order images go that were built on each other. It counts
a base as used when anything on it was.
"""

from dataclasses import dataclass
from datetime import timedelta

LONG_AGO = timedelta(days=1000)
"""How old what the kubelet found at its start is taken to be: the time of its detection is unknown there."""


@dataclass(frozen=True)
class SeenImage:
    """An image as the kubelet sees it at the time of its collection."""

    id: str
    size_bytes: int
    first_seen_ago: timedelta = LONG_AGO
    last_used_ago: timedelta | None = None
    """None where no container ever used it."""
    in_use: bool = False
    pinned: bool = False
    """Whether it must stay whatever else holds: what our protections are for."""


@dataclass(frozen=True)
class GcCase:
    """One collection, and what it leaves."""

    source: str
    """The name of the kubelet's test."""
    images: tuple[SeenImage, ...]
    wanted_bytes: int | None
    """How much is to come back; None where all that is unused is to go. 0 where there is enough space."""
    deleted: frozenset[str]
    reached: bool
    """Whether as much as was wanted came back; True where nothing certain was wanted."""
    min_age: timedelta = timedelta(0)
    """Images that were first seen more recently stay."""
    max_unused: timedelta | None = None
    """With this all images go that are unused for longer, whatever the space: a rule of ours, no target."""


def case(
    source: str,
    *images: SeenImage,
    wanted: int | None,
    deleted: str = "",
    reached: bool = True,
    min_age: timedelta = timedelta(0),
    max_unused: timedelta | None = None,
) -> GcCase:
    """Return a case; `deleted` are ids with spaces between them."""
    return GcCase(source, images, wanted, frozenset(deleted.split()), reached, min_age, max_unused)


_FREE = SeenImage("image-0", 1024)
_USED = SeenImage("image-1", 2048, last_used_ago=timedelta(0), in_use=True)
_MINUTE, _NOW = timedelta(minutes=1), timedelta(0)

KUBELET_CASES = (
    case(
        "TestFreeSpaceImagesInUseContainersAreIgnored",
        _FREE,
        _USED,
        wanted=2048,
        deleted="image-0",
        reached=False,
    ),
    case(
        "TestDeleteUnusedImagesRemoveAllUnusedImages",
        _FREE,
        SeenImage("image-1", 2048),
        SeenImage("image-2", 2048, last_used_ago=_NOW, in_use=True),
        wanted=None,
        deleted="image-0 image-1",
    ),
    case(
        "TestDeleteUnusedImagesLimitByImageLiveTime, at once",
        SeenImage("image-0", 1024, first_seen_ago=_NOW),
        SeenImage("image-1", 2048, first_seen_ago=_NOW),
        SeenImage("image-2", 2048, first_seen_ago=_NOW, last_used_ago=_NOW, in_use=True),
        wanted=None,
        min_age=timedelta(seconds=3),
    ),
    case(
        "TestDeleteUnusedImagesLimitByImageLiveTime, after 3 seconds",
        SeenImage("image-0", 1024, first_seen_ago=timedelta(seconds=3)),
        SeenImage("image-1", 2048, first_seen_ago=timedelta(seconds=3)),
        SeenImage("image-2", 2048, first_seen_ago=timedelta(seconds=3), last_used_ago=_NOW, in_use=True),
        wanted=None,
        deleted="image-0 image-1",
        min_age=timedelta(seconds=3),
    ),
    case(
        "TestFreeSpaceRemoveByLeastRecentlyUsed",
        SeenImage("image-0", 1024, last_used_ago=timedelta(minutes=2)),
        SeenImage("image-1", 2048, last_used_ago=_MINUTE),
        wanted=1024,
        deleted="image-0",
    ),
    # There is no tie, whatever the name says: image-1 was never used, and was detected just before the last use of
    # image-0 was seen.
    case(
        "TestFreeSpaceTiesBrokenByDetectedTime",
        SeenImage("image-0", 1024, last_used_ago=_MINUTE),
        SeenImage("image-1", 2048, first_seen_ago=_MINUTE + timedelta(milliseconds=1)),
        wanted=1024,
        deleted="image-1",
    ),
    case("TestGarbageCollectBelowLowThreshold", wanted=0),
    case(
        "TestGarbageCollectBelowSuccess",
        SeenImage("image-0", 450),
        wanted=150,
        deleted="image-0",
    ),
    case(
        "TestGarbageCollectNotEnoughFreed",
        SeenImage("image-0", 50),
        wanted=150,
        deleted="image-0",
        reached=False,
    ),
    case(
        "TestGarbageCollectImageNotOldEnough, at once",
        SeenImage("image-0", 1024, first_seen_ago=_NOW),
        SeenImage("image-1", 2048, first_seen_ago=_NOW, last_used_ago=_NOW, in_use=True),
        wanted=1024,
        reached=False,
        min_age=_MINUTE,
    ),
    case(
        "TestGarbageCollectImageNotOldEnough, after a minute",
        SeenImage("image-0", 1024, first_seen_ago=_MINUTE),
        SeenImage("image-1", 2048, first_seen_ago=_MINUTE, last_used_ago=_NOW, in_use=True),
        wanted=1024,
        deleted="image-0",
        min_age=_MINUTE,
    ),
    case(
        "TestGarbageCollectImageTooOld, just used",
        SeenImage("image-0", 1024, first_seen_ago=_NOW, last_used_ago=_NOW),
        _USED,
        wanted=None,
        max_unused=_MINUTE,
    ),
    case(
        "TestGarbageCollectImageTooOld, after more than a minute",
        SeenImage("image-0", 1024, first_seen_ago=2 * _MINUTE, last_used_ago=_MINUTE + timedelta(microseconds=1)),
        _USED,
        wanted=None,
        deleted="image-0",
        max_unused=_MINUTE,
    ),
    # Where there is no maximum it does not matter how long an image is unused.
    case("TestGarbageCollectImageMaxAgeDisabled", _FREE, _USED, wanted=0),
    case(
        "TestDeleteUnusedImagesExemptSandboxImage",
        SeenImage("pause", 1024, pinned=True),
        wanted=None,
    ),
    case(
        "TestDoNotDeletePinnedImage",
        SeenImage("1", 1024, pinned=True),
        SeenImage("2", 1024),
        wanted=4096,
        deleted="2",
        reached=False,
    ),
    case(
        "TestDeleteUnPinnedImage",
        SeenImage("1", 1024),
        SeenImage("2", 1024),
        wanted=2048,
        deleted="1 2",
    ),
    case(
        "TestAllPinnedImages",
        SeenImage("1", 1024, pinned=True),
        SeenImage("2", 1024, pinned=True),
        wanted=2048,
        reached=False,
    ),
)
"""One entry for each collection that a test makes."""


@dataclass(frozen=True)
class BuiltImage:
    """An image as docuum sees it."""

    id: str
    last_used: int
    """In seconds of some clock."""
    parent: str | None = None


@dataclass(frozen=True)
class EvictionCase:
    """Images, and the order in which they are evicted as long as space is short."""

    source: str
    images: tuple[BuiltImage, ...]
    order: tuple[str, ...]


DOCUUM_CASES = (
    EvictionCase("single image", (BuiltImage("id-0", 42),), ("id-0",)),
    EvictionCase(
        "parent and child, increasing timestamps",
        (BuiltImage("id-0", 42), BuiltImage("id-1", 43, "id-0")),
        ("id-1", "id-0"),
    ),
    EvictionCase(
        "parent and child, decreasing timestamps",
        (BuiltImage("id-0", 43), BuiltImage("id-1", 42, "id-0")),
        ("id-1", "id-0"),
    ),
    EvictionCase(
        "grandparent, parent and child, increasing timestamps",
        (BuiltImage("id-0", 42), BuiltImage("id-1", 43, "id-0"), BuiltImage("id-2", 44, "id-1")),
        ("id-2", "id-1", "id-0"),
    ),
    EvictionCase(
        "grandparent, parent and child, decreasing timestamps",
        (BuiltImage("id-0", 44), BuiltImage("id-1", 43, "id-0"), BuiltImage("id-2", 42, "id-1")),
        ("id-2", "id-1", "id-0"),
    ),
    EvictionCase(
        "multiple children",
        (BuiltImage("id-0", 43), BuiltImage("id-1", 42, "id-0"), BuiltImage("id-2", 44, "id-0")),
        ("id-1", "id-2", "id-0"),
    ),
)
