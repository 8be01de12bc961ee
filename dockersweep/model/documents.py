"""Documents read from JSON text, and their schemas.

Reading is strict about what a field holds and says where it does not (`$.images[3].size_bytes`); fields that this
version does not know are passed over, because additions are allowed within a version of a schema.
"""

import re
from typing import Any, TypeVar, cast

import msgspec
from msgspec.structs import replace

from dockersweep.errors import DocumentError
from dockersweep.model.explanation import Explanation, GroupExplanation
from dockersweep.model.history import History
from dockersweep.model.inventory import Inventory
from dockersweep.model.outcome import OutcomeDocument
from dockersweep.model.plan import Plan
from dockersweep.model.report import Report
from dockersweep.model.written_documents import WRITTEN, from_written

DOCUMENTS: dict[str, type[msgspec.Struct]] = {
    "inventory": Inventory,
    "plan": Plan,
    "outcome": OutcomeDocument,
    "explanation": Explanation,
    "group": GroupExplanation,
    "history": History,
    "report": Report,
}
"""The documents by name, for `dockersweep schema NAME`."""

_BY_CONTEXT_FLAG = re.compile(r"context (?P<name>.*) \(--context\)", re.DOTALL)

Document = TypeVar("Document", Inventory, Plan, OutcomeDocument, Explanation, GroupExplanation, History, Report)


class _Header(msgspec.Struct):
    schema: str | None = None


def read_document(data: bytes, expected: type[Document], path: str) -> Document:
    """Read a document that was read from `path`.

    Raises DocumentError, which names the path, and the field where one does not hold.
    """
    name = next(name for name, type_ in DOCUMENTS.items() if type_ is expected)
    if not data or data.isspace():
        raise DocumentError(f"{path} is empty; it should hold a dockersweep.{name}/1 document")
    try:
        document = from_written(_decoded(data, WRITTEN.get(expected, expected)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # Which document it is matters only now: the type of each allows no schema but its own.
        _check_schema(_schema_of(data, path), name, path)
        raise DocumentError(f"{path} is not a valid dockersweep.{name}/1 document: {error}") from None
    return cast(Document, _with_context_flag(document) if isinstance(document, Inventory) else document)


def _with_context_flag(inventory: Inventory) -> Inventory:
    """Return an inventory with the context that --context named, which 0.1.0 wrote in `endpoint_source` only."""
    engine = inventory.engine
    source = _BY_CONTEXT_FLAG.fullmatch(engine.endpoint_source)
    if source is None or engine.context_flag is not None:
        return inventory
    return replace(inventory, engine=replace(engine, context_flag=source["name"]))


def _decoded(data: bytes, type_: type[msgspec.Struct]) -> msgspec.Struct:
    try:
        return msgspec.json.decode(data, type=type_)
    except msgspec.ValidationError:
        if type_ not in WRITTEN.values():
            raise
        # A newer version may know other values that reasons are about; beside them stands the sentence.
        return msgspec.convert(_without_about(msgspec.json.decode(data)), type_)


def _without_about(read: Any) -> Any:
    """Return what was read without what its reasons are about."""
    if isinstance(read, list):
        return [_without_about(one) for one in read]
    if not isinstance(read, dict):
        return read
    is_reason = "code" in read and "text" in read
    return {key: _without_about(one) for key, one in read.items() if not (is_reason and key == "about")}


def _schema_of(data: bytes, path: str) -> str | None:
    try:
        return msgspec.json.decode(data, type=_Header).schema
    except msgspec.ValidationError:
        raise DocumentError(f"{path} is JSON, but not a dockersweep document") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentError(f"{path} is not whole JSON: {error}; was it cut off while it was written?") from None


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
    schema = msgspec.json.schema(WRITTEN.get(DOCUMENTS[name], DOCUMENTS[name]))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"dockersweep.{name}/1", **schema}
