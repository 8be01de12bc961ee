"""Which removed objects are meant by what a person asks for."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from dockersweep.errors import UnknownObjectError, UsageError
from dockersweep.model.inventory import KINDS
from dockersweep.model.lookup import Named, meant_by
from dockersweep.model.restoring import Present, Removed
from dockersweep.words.lists import either

_NEVER = datetime(1, 1, 1, tzinfo=UTC)


def of_run(known: Sequence[Removed], run: int | str) -> tuple[Removed, ...]:
    """Return what a run removed, by its number, or by its folder in the archive; a tag of an image that went with it is
    part of the image.

    Raises UsageError where archives have several runs of a number that the ledger does not know.
    """
    whole = [removed for removed in known if run in (removed.run, _folder_name(removed))]
    folders = sorted({_folder_name(removed) or "" for removed in whole if not removed.is_in_ledger})
    if len(folders) > 1:
        raise UsageError(f"there are several runs {run} in the archive: write {either(folders)}")
    gone = {removed.id for removed in whole if removed.kind == "image" and removed.action == "create"}
    return tuple(removed for removed in whole if removed.action == "create" or removed.id not in gone)


def of_object(known: Sequence[Removed], text: str, run: int | None, present: Present | None = None) -> Removed:
    """Return the removed object that a text means, in the latest run that removed one of its name, or in this run. Of
    objects of several kinds it is the one whose name is not `present`, if there is only one.

    Raises UnknownObjectError where nothing removed was called so, and UsageError where objects of several kinds were.
    """
    in_runs = [removed for removed in known if run in (None, removed.run)]
    named = [Named(removed, removed.kind, removed.id, _names(removed)) for removed in in_runs]
    meant = _latest_of_each([found.what for found in meant_by(text, named)])
    if not meant:
        if run is None:
            raise UnknownObjectError(
                f'nothing called "{text}" was removed, as far as the ledger and the archive tell: '
                "`dockersweep history` lists the runs, `dockersweep archive list` what is in the archive"
            )
        raise UnknownObjectError(
            f'run {run} removed nothing called "{text}": `dockersweep history {run}` lists what it removed'
        )
    gone = [removed for removed in meant if present is None or not _is_there(removed, present)]
    if len(meant) > 1 and len(gone) == 1:
        return gone[0]
    if len(meant) > 1:
        texts = [f"{removed.kind}:{removed.name}" for removed in meant]
        raise UsageError(f'"{text}" can mean {either(texts)}: write one of these')
    return meant[0]


def _is_there(removed: Removed, present: Present) -> bool:
    if removed.kind == "image":
        return removed.id in present.images if removed.action == "create" else removed.name in present.tags
    names = {"container": present.containers, "volume": present.volumes, "network": present.networks}
    return removed.name in names.get(removed.kind, ())


def _folder_name(removed: Removed) -> str | None:
    return None if removed.folder is None else removed.folder.rpartition("/")[2]


def _names(removed: Removed) -> tuple[str, ...]:
    if removed.kind != "image":
        return (removed.name,)
    return (removed.name,) if removed.action == "tag" else (*removed.tags, removed.name, *removed.references)


def _latest_of_each(meant: Iterable[Removed]) -> list[Removed]:
    """Return the latest removal of each kind and name, in the order of kinds. An image that went is meant before a tag
    that only was taken off."""
    latest: dict[tuple[str, str], Removed] = {}
    for removed in meant:
        key = removed.kind, removed.id if removed.kind == "image" and removed.action == "create" else removed.name
        if key not in latest or _age(removed) > _age(latest[key]):
            latest[key] = removed
    by_kind = sorted(latest.values(), key=lambda removed: KINDS.index(removed.kind))
    images = [removed for removed in by_kind if removed.kind == "image"]
    if len(images) > 1:
        # A tag may have named several images, one after the other.
        newest = max(images, key=_age)
        by_kind = [removed for removed in by_kind if removed.kind != "image" or removed is newest]
    return by_kind


def _age(removed: Removed) -> tuple[datetime, int, bool]:
    # The time first: another ledger, as one that was lost, numbers its runs for itself.
    return removed.removed_at or _NEVER, removed.run or 0, removed.action == "create"
