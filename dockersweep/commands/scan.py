"""`dockersweep scan`: what is there and unused."""

import argparse
import sys
from typing import TYPE_CHECKING

from dockersweep.commands.gather import Picture, gather_picture
from dockersweep.commands.write import terminal_width, write_result
from dockersweep.errors import UsageError
from dockersweep.model.documents import write_document
from dockersweep.model.plan import ObjectRef
from dockersweep.report.headline import warning_lines

if TYPE_CHECKING:
    from dockersweep.report.scan_table import Shown


def run(arguments: argparse.Namespace) -> int:
    """Write the inventory, or what is selected of it; return the exit status."""
    selects = arguments.kind or arguments.filter or arguments.all or arguments.sort or not arguments.header
    if arguments.format == "json" and selects:
        raise UsageError(
            "--format json writes the whole inventory, so that it can be read back with --inventory; "
            "leave out --kind, --filter, --all, --sort and --no-header"
        )
    if arguments.format == "markdown" and not arguments.header:
        raise UsageError("a table in Markdown has headings: leave out --no-header, or take the format table or csv")
    picture = gather_picture(arguments)
    if arguments.format == "json":
        write_result(write_document(picture.inventory), arguments.output)
        return 0
    write_result(_text(picture, arguments), arguments.output)
    if arguments.format == "csv" or not arguments.header:
        sys.stderr.write(warning_lines(picture.inventory.warnings, None))
    return 0


def _text(picture: Picture, arguments: argparse.Namespace) -> str:
    from dockersweep.report.scan_table import scan_csv, scan_markdown, scan_table

    shown = _shown(picture, arguments)
    if arguments.format == "csv":
        return scan_csv(shown, arguments.header)
    if arguments.format == "markdown":
        return scan_markdown(shown)
    # Rows for another program are whole, and one a line.
    return scan_table(shown, arguments.header, terminal_width(arguments.output) if arguments.header else None)


def _shown(picture: Picture, arguments: argparse.Namespace) -> "Shown":
    from dockersweep.policy.selection import Selection, selected
    from dockersweep.policy.totals import reclaim_of_unused
    from dockersweep.policy.use import describe_use
    from dockersweep.report.scan_table import Shown, all_kinds

    selection = Selection(kinds=tuple(arguments.kind), filters=tuple(arguments.filter))
    chosen = selected(picture.inventory, selection, picture.now)
    uses = describe_use(picture.inventory, picture.now)
    shown = [use for use in uses if ObjectRef(kind=use.kind, id=use.id) in chosen]
    return Shown(
        inventory=picture.inventory,
        uses=shown,
        gives_back=reclaim_of_unused(picture.inventory, shown).of_kinds,
        kinds=all_kinds(arguments.kind),
        sort=arguments.sort or "size",
        used_too=arguments.all,
    )
