"""What was removed from an engine, and how each of it can be made again: the ledger's removals, with what archives
have."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from typing import Any

from msgspec.structs import replace

from dockersweep.commands.restoring.archives import Archives, FoundObject, LazyDocument, Place, read_json
from dockersweep.errors import ArchiveError
from dockersweep.ledger import Ledger
from dockersweep.model.history import ArchivedRow
from dockersweep.model.image_references import whole_repository_of
from dockersweep.model.inventory import Engine, Kind
from dockersweep.model.restoring import Document, Removed

_Key = tuple[int, Kind, str]


def known_removals(
    ledger: Ledger, engine: Engine, archives: Archives, folder: str, *, is_named: bool
) -> tuple[Removed, ...]:
    """Return everything that was removed from an engine, as far as the ledger and its archives tell.

    `folder` is the archive to look into before those that the ledger names; `is_named` whether a person named it.
    Raises ArchiveError where that cannot be read.
    """
    rows = ledger.archived(engine)
    archives.look_into(folder, must_be_there=is_named, is_named=is_named)
    if is_named and (problem := archives.problems.get(os.path.realpath(folder))):
        raise ArchiveError(problem)
    looked_into = set()
    for (run, *_), row in rows.items():
        # One that was moved to `folder` is missed where it was by nobody.
        if row.folder not in looked_into and archives.find(run, row) is None:
            archives.look_into(row.folder, must_be_there=True)
            looked_into.add(row.folder)
    of_ledger = list(_of_ledger(ledger, engine, rows, archives))
    used = {place for place in map(_place_of, of_ledger) if place is not None}
    is_run = cache(lambda number: ledger.run_of(engine, number) is not None)
    others = [
        _of_archive(found, archives, is_run)
        for place, found in archives.found.items()
        if used.isdisjoint({place, *(place._replace(folder=folder) for folder in archives.tried)})
    ]
    return (*of_ledger, *_without_copies(others))


def _without_copies(others: Iterable[Removed]) -> Iterator[Removed]:
    """Yield what only archives tell of, once where a run lies in several."""
    seen = set()
    for removed in others:
        place = _place_of(removed)
        key = None if place is None else place._replace(folder="")
        if key not in seen:
            seen.add(key)
            yield removed


def _of_ledger(
    ledger: Ledger, engine: Engine, archived: Mapping[_Key, ArchivedRow], archives: Archives
) -> Iterator[Removed]:
    definitions = ledger.definitions(engine)
    for row in ledger.removed_from(engine):
        key = row.run, row.kind, row.id
        place = archived.get(key)
        removed = Removed(
            kind=row.kind, id=row.id, name=row.name, action=row.action, run=row.run, removed_at=row.removed_at,
            how="none", why_not="it was not archived", tags=row.tags,
        )  # fmt: skip
        if row.action == "tag":
            yield replace(removed, how="recreate", why_not=None)
        elif place is not None:
            yield _archived(removed, place, archives)
        elif key in definitions:
            document = Document(LazyDocument(partial(_definition, ledger, key, row.name)))
            yield replace(removed, how="recreate", why_not=None, document=document)
        elif row.reference is not None:
            yield replace(removed, how="pull", why_not=None, references=references_of(row.reference, row.tags))
        else:
            yield removed


def references_of(reference: str, tags: Iterable[str]) -> tuple[str, ...]:
    """Return the references by digest under which a registry may have an image: the one that is known, and its digest
    in the repositories of its tags: the containerd store tells it of one name alone, whichever that is."""
    digest = reference.rpartition("@")[2]
    of_tags = (f"{whole_repository_of(tag)}@{digest}" for tag in tags)
    known = (reference,) if "@" in reference else ()
    return tuple(dict.fromkeys((*known, *of_tags)))


def _archived(removed: Removed, row: ArchivedRow, archives: Archives) -> Removed:
    found = None if removed.run is None else archives.find(removed.run, row)
    if found is None:
        return replace(removed, why_not=archives.why_not(row))
    return _with_contents(removed, found, archives)


def _with_contents(removed: Removed, found: FoundObject, archives: Archives) -> Removed:
    removed = replace(removed, how="archive", why_not=None, archived=found.archived, folder=found.folder)
    if removed.kind not in ("container", "network"):
        return removed
    return replace(removed, document=Document(LazyDocument(partial(archives.document, removed))))


def _definition(ledger: Ledger, key: _Key, name: str) -> dict[str, Any]:
    """Return what the ledger keeps of an object; raises ArchiveError where it does not any more, or it is damaged."""
    return read_json(ledger.definition(*key) or b"", f"what the ledger keeps of {key[1]} {name}")


def _of_archive(found: FoundObject, archives: Archives, is_run: Callable[[int], bool]) -> Removed:
    """Return what only an archive tells of: the ledger was not used, or is another by now, and may have another run of
    the same number, which `is_run` tells."""
    archived, number = found.archived, found.archive.run
    removed = Removed(
        kind=archived.kind, id=archived.id, name=archived.name, action="create",
        run=None if number is None or is_run(number) else number,
        removed_at=archived.archived_at, how="archive", tags=archived.tags, is_in_ledger=False,
    )  # fmt: skip
    return _with_contents(removed, found, archives)


def _place_of(removed: Removed) -> Place | None:
    if removed.folder is None:
        return None
    folder, _, run = removed.folder.rpartition("/")
    return Place(folder, run, removed.kind, removed.id)
