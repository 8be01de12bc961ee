"""Documents read from JSON text.

Reading is strict about the values of fields and names a wrong one (`$.images[3].size_bytes`); unknown fields are
ignored, because fields may be added within a version of a schema.
"""

import re
from typing import Any, TypeVar, cast, get_args

import msgspec
from msgspec.structs import replace

from dockersweep.errors import DocumentError
from dockersweep.model.explanation import Explanation, GroupExplanation
from dockersweep.model.inventory import Inventory
from dockersweep.model.written_documents import WRITTEN, from_written

_BY_CONTEXT_FLAG = re.compile(r"context (?P<name>.*) \(--context\)", re.DOTALL)

_OF_SEVERAL = re.compile(rb'^\s*\{\s*"schema"\s*:\s*"dockersweep\.fleet/')
_ITS_SCHEMA = re.compile(rb'^\s*\{\s*"schema"\s*:')
_HEAD_BYTES = 200

Document = TypeVar("Document", bound=msgspec.Struct)


class _Header(msgspec.Struct):
    schema: str | None = None


def read_document(data: bytes, expected: type[Document], path: str) -> Document:
    """Parse a document that was read from `path`.

    Raises DocumentError with the path, and the field if one is invalid.
    """
    if not data or data.isspace():
        raise DocumentError(f"{path} is empty; it should hold a {_schema_of_type(expected)} document")
    try:
        document = from_written(_decoded(data, WRITTEN.get(expected, expected)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # Look at the schema only on errors: the type of each document accepts only its own.
        schema = _schema_of_type(expected)
        _check_schema(schema_of(data, path), schema, path)
        raise DocumentError(f"{path} is not a valid {schema} document: {error}") from None
    return cast(Document, _with_context_flag(document) if isinstance(document, Inventory) else document)


def is_of_several(data: bytes) -> bool:
    """Whether a document is about several hosts, whatever else is wrong with it."""
    if _ITS_SCHEMA.search(data, 0, _HEAD_BYTES) is not None:
        return _OF_SEVERAL.search(data, 0, _HEAD_BYTES) is not None
    # Not as it was written: another program has sorted its keys.
    try:
        return (msgspec.json.decode(data, type=_Header).schema or "").startswith("dockersweep.fleet/")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def read_explanation(data: bytes, path: str) -> Explanation | GroupExplanation:
    """Read the explanation of one object, or of several, as `read_document` does."""
    if schema_of(data, path) == "dockersweep.group/1":
        return read_document(data, GroupExplanation, path)
    return read_document(data, Explanation, path)


def _with_context_flag(inventory: Inventory) -> Inventory:
    """Return an inventory with the context of --context, which 0.1.0 wrote only into `endpoint_source`."""
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
        # A newer version may have other types of `about`; the sentence beside them is enough.
        return msgspec.convert(_without_about(msgspec.json.decode(data)), type_)


def _without_about(read: Any) -> Any:
    """Return decoded JSON without the `about` of reasons."""
    if isinstance(read, list):
        return [_without_about(inner) for inner in read]
    if not isinstance(read, dict):
        return read
    is_reason = "code" in read and "text" in read
    return {key: _without_about(inner) for key, inner in read.items() if not (is_reason and key == "about")}


def _schema_of_type(expected: type[msgspec.Struct]) -> str:
    """Return the schema of a type of document: "dockersweep.plan/1"."""
    [wanted] = [field.type for field in msgspec.structs.fields(expected) if field.name == "schema"]
    schema: str = get_args(wanted)[0]
    return schema


def schema_of(data: bytes, path: str) -> str | None:
    """Return the schema that JSON names; None where it names none. Raises DocumentError where it is no whole JSON
    object."""
    try:
        return msgspec.json.decode(data, type=_Header).schema
    except msgspec.ValidationError:
        raise DocumentError(f"{path} is JSON, but not a dockersweep document") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentError(f"{path} is not whole JSON: {error}; was it cut off while it was written?") from None


def _check_schema(schema: str | None, expected: str, path: str) -> None:
    if schema == expected:
        return
    if schema is None:
        raise DocumentError(f'{path} has no "schema"; a {expected} document is needed')
    newer = newer_than_ours(schema, path) if schema.startswith(expected.removesuffix("1")) else None
    raise newer or DocumentError(f"{path} is {schema[:80]!r}; a {expected} document is needed")


def newer_than_ours(schema: str, path: str) -> DocumentError | None:
    """Return the error for a later version of a document of ours; None for any other schema."""
    if not re.fullmatch(r"dockersweep\.[a-z-]+/(?!1$)[1-9][0-9]{0,5}", schema):
        return None
    return DocumentError(f"{path} is {schema}, newer than this dockersweep reads (version 1): update dockersweep")
