"""The remainder: what is in the engine's folders and belongs to no object, folder by folder."""

from collections import Counter
from collections.abc import Iterator

from dockersweep.model.engine_folder import FolderOnDisk
from dockersweep.model.report import RemainderPart
from dockersweep.policy.bytes.disks import folders_of_parts
from dockersweep.policy.disk_report.leak_findings import old_leaks
from dockersweep.policy.judging.survey import Survey

LARGE_BYTES = 1_000_000_000
_PART_OF_FOLDER = 10
_LEAST_BYTES = 10_000_000
"""A smaller remainder is not broken down: every engine has its metadata."""
_LEAST_SHOWN = 100
"""Parts smaller than this fraction of the remainder are not listed."""
_NOBODYS = "belongs to nobody"
_CONTENT = "io.containerd.content.v1.content"
_OTHER_FOLDERS = ("containers", "image")
"""Where containers and images have files besides their layers."""
_WHAT = {
    "buildkit": "databases of the build cache",
    "buildkit/content": "contents of the build cache",
    "containers": "configurations, logs and checkpoints of containers",
    "image": "metadata of images and layers",
    "network": "metadata of networks",
    "overlay": "layers that no listed object has",
    "overlay2": "layers that no listed object has",
    "plugins": "plugins of the engine",
    "swarm": "raft log and snapshots of the swarm",
    "tmp": "temporary files",
    "volumes": "volumes that are not listed or not measured",
    f"{_CONTENT}/blobs": "contents that no listed object has",
    f"{_CONTENT}/ingest": "downloads that have not ended",
    "io.containerd.metadata.v1.bolt": "containerd's database",
    "io.containerd.snapshotter.v1.overlayfs": "snapshots that no listed object has",
}
"""Last one or two names of a folder's path -> what is in it."""


def is_large(remainder: int | None, folder: int | None) -> bool:
    """Return whether a remainder of the engine's folder is worth a look."""
    if remainder is None or folder is None or remainder < _LEAST_BYTES:
        return False
    return remainder >= LARGE_BYTES or remainder * _PART_OF_FOLDER >= folder


def parts_of_remainder(survey: Survey, folder: FolderOnDisk | None, remainder: int | None) -> tuple[RemainderPart, ...]:
    """Return the parts of one disk's remainder, the largest first; empty where it is small or was not measured."""
    if folder is None or not folder.tops or not is_large(remainder, folder.size_bytes):
        return ()
    least = (remainder or 0) // _LEAST_SHOWN
    parts = [part for part in _parts(survey, folder) if part.size_bytes > least]
    return tuple(sorted(parts, key=lambda part: (-part.size_bytes, part.path)))


def _parts(survey: Survey, folder: FolderOnDisk) -> Iterator[RemainderPart]:
    counted, leaked = _counted(survey), _leaked(survey)
    paths = [top.path for top in folder.tops]
    rests = [top.size_bytes - counted[top.path] - leaked[top.path] for top in folder.tops]
    for path, rest in zip(paths, _without_debts(paths, rests), strict=True):
        if leaked[path]:
            yield RemainderPart(path=path, size_bytes=leaked[path], what=_NOBODYS)
        yield RemainderPart(path=path, size_bytes=rest, what=_what(survey, path))


def _without_debts(paths: list[str], rests: list[int]) -> list[int]:
    """Return what remains in each folder, at least 0. An object is counted as a whole in the folder with most of it:
    what it has elsewhere, like the log of a container, makes that folder's rest too small and the other's too large."""
    debt = -sum(rest for rest in rests if rest < 0)
    left = [max(0, rest) for rest in rests]
    for number in sorted(range(len(left)), key=lambda number: paths[number].rpartition("/")[2] not in _OTHER_FOLDERS):
        taken = min(debt, left[number])
        left[number] -= taken
        debt -= taken
    return left


def _counted(survey: Survey) -> dict[str, int]:
    """Return folder -> bytes of objects and of Podman's artifacts in it, on whichever disk."""
    paths = _paths(survey)
    numbers = folders_of_parts(survey.sizes.parts, paths, survey.inventory.engine.root_dir)
    of_kinds = survey.sizes.in_regions(numbers, len(paths))
    counted = {
        path: sum(size.low_bytes for size in kinds.values()) for path, kinds in zip(paths, of_kinds, strict=True)
    }
    artifacts = survey.inventory.folder.artifacts if survey.inventory.folder else None
    if artifacts is not None and artifacts.folder in counted:
        counted[artifacts.folder] += artifacts.size_bytes
    return counted


def _leaked(survey: Survey) -> Counter[str]:
    """Return folder -> bytes of leaks in it."""
    paths = _paths(survey)
    leaked: Counter[str] = Counter()
    for leak in old_leaks(survey.inventory, survey.now):
        around = [path for path in paths if leak.path.startswith(f"{path}/")]
        leaked[max(around, key=len, default="")] += leak.size_bytes or 0
    return leaked


def _paths(survey: Survey) -> list[str]:
    folder = survey.inventory.folder
    return [top.path for on_disk in (folder.on_disks if folder else ()) for top in on_disk.tops]


def _what(survey: Survey, path: str) -> str:
    if path == survey.inventory.engine.root_dir:
        return "files directly in it, such as core dumps"
    left = survey.inventory.folder.left_stores if survey.inventory.folder else ()
    if any(f"{path}/".startswith(f"{folder}/") for store in left for folder in store.places):
        return "an image store left behind"
    *_, above, name = path.split("/")
    return _WHAT.get(f"{above}/{name}", _WHAT.get(name, ""))
