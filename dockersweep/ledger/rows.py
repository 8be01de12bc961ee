"""Converts values to and from database rows."""

from collections.abc import Mapping
from datetime import UTC, datetime

from dockersweep.ledger.opening import UnusableError

LONGEST_LABEL = 1_000


def seconds(instant: datetime) -> int:
    """Return an instant as rows store it: whole seconds since 1970."""
    return int(instant.timestamp())


def instant(value: object) -> datetime:
    """Return the instant in a row; raises UnusableError where it holds none."""
    try:
        if isinstance(value, int):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise UnusableError(f"is damaged (there is no instant {value!r:.40})")


def instant_or_none(value: object) -> datetime | None:
    """Return the instant in a row; None for NULL."""
    return None if value is None else instant(value)


def bytes_or_none(value: object) -> int | None:
    """Return the size in a row, None for NULL; raises UnusableError where it is not a size."""
    if value is None or (isinstance(value, int) and value >= 0):
        return value
    raise UnusableError(f"is damaged (there is no size {value!r:.40})")


def storable(text: str) -> str:
    """Return the text with lone surrogates escaped: they stand for bytes that are no UTF-8, and SQLite rejects them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace").decode()
    return text


def storable_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels with long values cut: a label may hold a whole file, and the ledger keeps it for a year."""
    return {key: value if len(value) <= LONGEST_LABEL else f"{value[:LONGEST_LABEL]}…" for key, value in labels.items()}
