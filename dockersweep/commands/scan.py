"""`dockersweep scan`: what is there and unused."""

import argparse
import sys

from dockersweep.commands.gather import gather_picture
from dockersweep.commands.write import terminal_width, write_result
from dockersweep.errors import UsageError
from dockersweep.model.documents import write_document
from dockersweep.model.plan import ObjectRef


def run(arguments: argparse.Namespace) -> int:
    """Write the inventory, or its table; return the exit status."""
    selects = arguments.kind or arguments.filter or arguments.all or arguments.sort or not arguments.header
    if arguments.format == "json" and selects:
        raise UsageError(
            "--format json writes the whole inventory, so that it can be read back with --inventory; "
            "leave out --kind, --filter, --all, --sort and --no-header"
        )
    picture = gather_picture(arguments)
    if arguments.format == "json":
        write_result(write_document(picture.inventory), arguments.output)
        return 0
    from dockersweep.policy.selection import Selection, selected
    from dockersweep.policy.totals import reclaim_of_unused
    from dockersweep.policy.use import describe_use
    from dockersweep.report.headline import warning_lines
    from dockersweep.report.scan_table import all_kinds, scan_table

    selection = Selection(kinds=tuple(arguments.kind), filters=tuple(arguments.filter))
    chosen = selected(picture.inventory, selection, picture.now)
    uses = describe_use(picture.inventory, picture.now)
    shown = [use for use in uses if ObjectRef(kind=use.kind, id=use.id) in chosen]
    table = scan_table(
        picture.inventory,
        shown,
        reclaim_of_unused(picture.inventory, shown).of_kinds,
        all_kinds(arguments.kind),
        arguments.sort or "size",
        arguments.all,
        arguments.header,
        # Rows for another program are whole, and one a line.
        terminal_width(arguments.output) if arguments.header else None,
    )
    write_result(table, arguments.output)
    if not arguments.header:
        sys.stderr.write(warning_lines(picture.inventory.warnings, None))
    return 0
