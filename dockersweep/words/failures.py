"""Error messages of engines about failed removals, made readable."""

import re

from dockersweep.model.naming import short_id

_ID = re.compile(r"\b[0-9a-f]{64}\b")


def with_short_ids(text: str) -> str:
    """Return a text with each full id cut to the usual twelve digits."""
    return _ID.sub(lambda match: short_id(match[0]), text)


def cause_first(detail: str) -> str:
    """Return a wrapped error with its cause first: "device or resource busy (remove 5d4e651d01d9: unlinkat /var/...)".

    Engines put what they were doing before the cause, with full ids. Errors without an id are returned unchanged.
    """
    around, _, cause = detail.rpartition(": ")
    return with_short_ids(f"{cause} ({around})") if _ID.search(around) else detail
