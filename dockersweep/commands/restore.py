"""`dockersweep restore`: make again what a run removed."""

from dockersweep.commands.options import RestoreOptions
from dockersweep.errors import RefusedError


def run(options: RestoreOptions) -> int:
    """Make it again, or with --dry-run show what would be made; return the exit status."""
    # Imported late: completion needs the options alone.
    from dockersweep.commands.restoring.opening import open_restore

    try:
        with open_restore(options) as restoring:
            return restoring.run()
    except RefusedError as error:
        raise type(error)(error.reason, "restored") from None
