"""What an engine says of a removal that failed, as a person reads it."""

import re

from dockersweep.model.naming import short_id

_ID = re.compile(r"\b[0-9a-f]{64}\b")


def with_short_ids(text: str) -> str:
    """Return a text with each whole id in it as the twelve digits by which people know it."""
    return _ID.sub(lambda found: short_id(found[0]), text)


def cause_first(detail: str) -> str:
    """Return "device or resource busy (remove 5d4e651d01d9: unlinkat /var/...)" of an error that an engine wrapped: it
    says what it was at before what went wrong, and names the object by its whole id each time. Others stay as they are.
    """
    around, _, cause = detail.rpartition(": ")
    return with_short_ids(f"{cause} ({around})") if _ID.search(around) else detail
