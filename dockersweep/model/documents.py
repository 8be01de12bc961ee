"""Documents as JSON text, and back.

Reading is strict about what a field holds and says where it does not (`$.images[3].size_bytes`); fields that this
version does not know are passed over, because additions are allowed within a version of a schema.
"""

import re
from typing import Any, TypeVar

import msgspec

from dockersweep.errors import DocumentError
from dockersweep.model.explanation import Explanation
from dockersweep.model.history import History
from dockersweep.model.inventory import Inventory
from dockersweep.model.outcome import OutcomeDocument
from dockersweep.model.plan import Plan
from dockersweep.model.report import Report

DOCUMENTS: dict[str, type[msgspec.Struct]] = {
    "inventory": Inventory,
    "plan": Plan,
    "outcome": OutcomeDocument,
    "explanation": Explanation,
    "history": History,
    "report": Report,
}
"""The documents by name, for `dockersweep schema NAME`."""

Document = TypeVar("Document", Inventory, Plan, OutcomeDocument, Explanation, History, Report)


class _Header(msgspec.Struct):
    schema: str | None = None


def write_document(document: Inventory | Plan | OutcomeDocument | Explanation | History | Report) -> str:
    """Return the document as indented JSON with a closing newline."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"


def read_document(data: bytes, expected: type[Document], path: str) -> Document:
    """Read a document that was read from `path`.

    Raises DocumentError, which names the path, and the field where one does not hold.
    """
    name = next(name for name, type_ in DOCUMENTS.items() if type_ is expected)
    if not data.strip():
        raise DocumentError(f"{path} is empty; it should hold a dockersweep.{name}/1 document")
    try:
        schema = msgspec.json.decode(data, type=_Header).schema
    except msgspec.ValidationError:
        raise DocumentError(f"{path} is JSON, but not a dockersweep document") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentError(f"{path} is not whole JSON: {error}; was it cut off while it was written?") from None
    _check_schema(schema, name, path)
    try:
        return msgspec.json.decode(data, type=expected)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentError(f"{path} is not a valid dockersweep.{name}/1 document: {error}") from None


def _check_schema(schema: str | None, name: str, path: str) -> None:
    if schema == f"dockersweep.{name}/1":
        return
    if schema is None:
        raise DocumentError(f'{path} has no "schema"; a dockersweep.{name}/1 document is needed')
    stem, _, version = schema.rpartition("/")
    if stem == f"dockersweep.{name}" and re.fullmatch(r"[1-9][0-9]{0,5}", version):
        raise DocumentError(f"{path} is {schema}, newer than this dockersweep reads (version 1): update dockersweep")
    raise DocumentError(f"{path} is {schema[:80]!r}; a dockersweep.{name}/1 document is needed")


def json_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a document, one of the names in DOCUMENTS."""
    schema = msgspec.json.schema(DOCUMENTS[name])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"dockersweep.{name}/1", **schema}
