"""The evidence of a finding: what is shown of each object that it is about, and what its fix names."""

from collections.abc import Iterable

from msgspec import Struct


class Evidence(Struct, frozen=True):
    """One object that a finding is about."""

    text: str
    size_bytes: int | None = None
    rank: float = 0
    """The worst has the highest; where they are the same, the largest comes first."""
    name: str = ""
    """What the fix names."""
    matched_by: str = ""
    """What a rule would match it by, where that is not its name."""
    places: tuple[str, ...] = ()
    """The files and folders that the fix says to take away."""
    title: str = ""
    """What the title says where it is no number of objects."""
    is_mended: bool = True
    """Whether the fix does something for it, as far as is known."""


def worst_first(evidence: Iterable[Evidence]) -> list[Evidence]:
    """Return evidence in the order in which it is shown."""
    return sorted(evidence, key=lambda piece: (-piece.rank, -(piece.size_bytes or 0), piece.text))
