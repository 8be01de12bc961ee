"""`dockersweep apply`: carry out a saved plan, and nothing else."""

from dockersweep.commands.gather import LARGEST_DOCUMENT_BYTES
from dockersweep.commands.options import ApplyOptions
from dockersweep.commands.running.saved_run import run_saved
from dockersweep.commands.trusted_file import read_trusted
from dockersweep.errors import DocumentError
from dockersweep.model.documents import is_of_several, read_document
from dockersweep.model.plan import Plan


def run(options: ApplyOptions) -> int:
    """Carry out the plan, of one engine or of several hosts; return the exit status."""
    where = "standard input" if options.plan == "-" else options.plan
    data = read_trusted(options.plan, "plan", LARGEST_DOCUMENT_BYTES, DocumentError)
    if is_of_several(data):
        from dockersweep.commands.fleet.applying import apply_fleet_plan

        return apply_fleet_plan(data, where, options)
    return run_saved(read_document(data, Plan, where), where, options)
