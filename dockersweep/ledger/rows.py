"""Values on their way into rows, and out of them again."""

from collections.abc import Mapping
from datetime import UTC, datetime

from dockersweep.ledger.opening import UnusableError

LONGEST_LABEL = 1_000


def seconds(instant: datetime) -> int:
    """Return an instant as a row has it."""
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
    """Return the instant in a row where there is one."""
    return None if value is None else instant(value)


def bytes_or_none(value: object) -> int | None:
    """Return the size in a row where there is one; raises UnusableError where it is none."""
    if value is None or (isinstance(value, int) and value >= 0):
        return value
    raise UnusableError(f"is damaged (there is no size {value!r:.40})")


def storable(text: str) -> str:
    """Return the text without what SQLite cannot keep: halves of pairs, which stand for bytes that are no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace").decode()
    return text


def storable_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels with the longest values cut: a label may hold a file, and the ledger keeps it for a year."""
    return {key: value if len(value) <= LONGEST_LABEL else f"{value[:LONGEST_LABEL]}…" for key, value in labels.items()}
