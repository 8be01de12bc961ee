"""Documents as JSON text."""

import msgspec

from dockersweep.model.written_documents import to_written
from dockersweep.words.reasons import reason_text


def write_document(document: msgspec.Struct) -> str:
    """Return the document as indented JSON with a closing newline."""
    return msgspec.json.format(msgspec.json.encode(to_written(document, reason_text)), indent=1).decode() + "\n"
