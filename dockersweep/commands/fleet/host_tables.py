"""The tables of one of several hosts, as the verb has them on this host alone."""

from typing import TYPE_CHECKING

import msgspec

from dockersweep.model.documents import read_document
from dockersweep.model.inventory import Inventory
from dockersweep.model.outcome import OutcomeDocument
from dockersweep.model.plan import Plan
from dockersweep.model.report import Report
from dockersweep.policy.judging.survey import Survey

if TYPE_CHECKING:
    from dockersweep.report.layout import Layout


class _Header(msgspec.Struct):
    schema: str


def host_layout(name: str, data: bytes, width: int | None) -> "Layout":
    """Return the layout of the document of a host; `width` as in a table."""
    schema = msgspec.json.decode(data, type=_Header).schema
    if schema == "dockersweep.plan/1":
        from dockersweep.report.plan import plan_layout

        return plan_layout(read_document(data, Plan, name), "all")
    if schema == "dockersweep.outcome/1":
        from dockersweep.report.outcome import outcome_layout

        return outcome_layout(read_document(data, OutcomeDocument, name), 0)
    if schema == "dockersweep.report/1":
        from dockersweep.report.disk.layout import disk_layout

        return disk_layout(read_document(data, Report, name), width, with_bars=False)
    from dockersweep.commands.unused import shown_of
    from dockersweep.report.scan import scan_layout

    inventory = read_document(data, Inventory, name)
    return scan_layout(shown_of(Survey(inventory, inventory.taken_at)), header=True)
