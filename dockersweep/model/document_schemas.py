"""The JSON Schemas of all documents, for `dockersweep schema NAME`."""

from typing import Any

import msgspec

from dockersweep.model.archive import Archive, ArchiveReport
from dockersweep.model.explanation import Explanation, GroupExplanation
from dockersweep.model.fleet import Fleet
from dockersweep.model.fleet_report import FleetReport
from dockersweep.model.history import History
from dockersweep.model.inventory import Inventory
from dockersweep.model.outcome import FailureDocument, OutcomeDocument
from dockersweep.model.plan import Plan
from dockersweep.model.report import Report
from dockersweep.model.restoring import Restoration
from dockersweep.model.written_documents import WRITTEN

DOCUMENTS: dict[str, type[msgspec.Struct]] = {
    "inventory": Inventory,
    "plan": Plan,
    "outcome": OutcomeDocument,
    "failure": FailureDocument,
    "explanation": Explanation,
    "group": GroupExplanation,
    "history": History,
    "restoration": Restoration,
    "report": Report,
    "fleet": Fleet,
    "fleet-report": FleetReport,
    "archive": Archive,
    "archive-report": ArchiveReport,
}
"""The documents by name."""


def json_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a document, one of the names in DOCUMENTS."""
    schema = msgspec.json.schema(WRITTEN.get(DOCUMENTS[name], DOCUMENTS[name]))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"dockersweep.{name}/1", **schema}
