"""What the compose files and quadlets named by a policy declare, read before anything is judged.

Imported only for policies that name files, as it imports a YAML reader.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from dockersweep.commands.progress import show_progress
from dockersweep.declared.compose.plugin import find_plugin
from dockersweep.declared.reader import DeclaredReader, Kept, Reading, together
from dockersweep.model.declared import Declarations
from dockersweep.model.inventory import ScanWarning
from dockersweep.model.policy import Protections
from dockersweep.policy.judging.survey import Survey

if TYPE_CHECKING:
    from dockersweep.ledger import Ledger

ABOUT = "declared files"
MOST_NOTES = 20
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def read_declarations(protections: Protections, ledger: "Ledger | None", shows_progress: bool) -> Declarations:
    """Return what the files of a policy declare.

    Readings of unchanged files come from the ledger. Raises DeclaredFileError where a file cannot be read or is
    invalid.
    """
    kept = Kept(_kept_before(ledger), {})
    reader = DeclaredReader(_environment(os.environ), find_plugin(), kept)
    with show_progress("reading compose files", shows_progress) as progress:
        declared = together(
            (
                reader.compose(protections.compose_files, progress),
                reader.quadlets(protections.quadlets, os.geteuid() == 0),
            )
        )
    if ledger is not None and kept.new:
        readings = {key: msgspec.json.encode(reading) for key, reading in (kept.matched | kept.new).items()}
        ledger.keep_declared_files(readings, datetime.now(UTC))
    return declared


def declaring(survey: Survey, declarations: Declarations) -> Survey:
    """Return the survey with these declarations, and with warnings for what could not be learned from the files."""
    notes = declarations.notes[:MOST_NOTES]
    if len(declarations.notes) > MOST_NOTES:
        notes = (*notes, f"and {len(declarations.notes) - MOST_NOTES} more like these")
    warnings = tuple(ScanWarning(about=ABOUT, text=note) for note in notes)
    inventory = msgspec.structs.replace(survey.inventory, warnings=(*survey.inventory.warnings, *warnings))
    return survey.with_inventory(inventory).declaring(declarations)


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that files are read with. No others count: cron and a shell must get the same plan."""
    folders = {
        "HOME": environment.get("HOME"),
        "XDG_CONFIG_HOME": environment.get("XDG_CONFIG_HOME"),
        "XDG_RUNTIME_DIR": environment.get("XDG_RUNTIME_DIR"),
    }
    return {"PATH": PATH, **{name: folder for name, folder in folders.items() if folder}}


def _kept_before(ledger: "Ledger | None") -> dict[str, Reading]:
    kept: dict[str, Reading] = {}
    for key, encoded in ({} if ledger is None else ledger.declared_files()).items():
        try:
            kept[key] = msgspec.json.decode(encoded, type=Reading)
        except msgspec.DecodeError:
            # Another version wrote it: the files are read again.
            continue
    return kept
