"""What the last verification of each run found; kept in the archive's folder, for reports."""

from collections.abc import Mapping

import msgspec

from dockersweep.archive.paths import cannot, write_whole
from dockersweep.files import read_inside
from dockersweep.model.archive import ArchiveProblem
from dockersweep.model.quantities import Instant

_FILE = "verified.json"
_LARGEST_BYTES = 100_000_000


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """The last verification of one run."""

    at: Instant
    damaged: tuple[ArchiveProblem, ...]
    """The damaged files; empty where all is whole."""


def note_verified(archive: str, verified: Mapping[str, Verified], there: frozenset[str]) -> None:
    """Note verifications by the name of their run, in the archive in a folder, whose lock the caller holds; of runs
    that are no longer `there` none is kept.

    Raises ArchiveError where it cannot be written.
    """
    known = {**verifications(archive), **verified}
    try:
        kept = {name: known[name] for name in sorted(there & known.keys())}
        write_whole(f"{archive}/{_FILE}", msgspec.json.encode(kept))
    except OSError as error:
        raise cannot("written", archive, error) from None


def verifications(archive: str) -> Mapping[str, Verified]:
    """Return the last verification of each run in the archive in a folder, by the name of its run.

    What cannot be understood is as if nothing had been verified. Raises ArchiveError where it cannot be read.
    """
    try:
        data = read_inside(f"{archive}/{_FILE}", _LARGEST_BYTES)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise cannot("read", archive, error) from None
    try:
        return msgspec.json.decode(data, type=dict[str, Verified])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
