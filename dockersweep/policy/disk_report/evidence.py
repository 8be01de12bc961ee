"""The evidence of a finding: what is shown for each of its objects, and what its fix needs."""

from collections.abc import Iterable

from msgspec import Struct


class Evidence(Struct, frozen=True):
    """One object that a finding is about."""

    text: str
    size_bytes: int | None = None
    rank: float = 0
    """The highest is the worst; where it is equal, the largest comes first."""
    name: str = ""
    """The name in the fix."""
    matched_by: str = ""
    """The name that a rule of the fix matches, where that is not `name`."""
    places: tuple[str, ...] = ()
    """The files and folders that the fix says to remove."""
    title: str = ""
    """The words of the title in place of a number of objects."""
    fix_helps: bool = True
    """Whether the fix improves anything here, as far as is known."""


def worst_first(evidence: Iterable[Evidence]) -> list[Evidence]:
    """Return evidence in display order."""
    return sorted(evidence, key=lambda piece: (-piece.rank, -(piece.size_bytes or 0), piece.text))
