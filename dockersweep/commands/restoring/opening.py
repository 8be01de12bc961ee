"""Opens what `restore` needs: the ledger, the engine, its lock, and the archives."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime

from dockersweep.commands.gather import confirm_engine, open_ledger
from dockersweep.commands.options import RestoreOptions
from dockersweep.commands.restoring.archives import Archives
from dockersweep.commands.restoring.execution import RestoreRun
from dockersweep.commands.running.permission import can_ask
from dockersweep.commands.running.run_lock import LockFolders, run_lock
from dockersweep.commands.running.shared_lock import lock_folder
from dockersweep.commands.write import Destination
from dockersweep.engine.api.connection import Connection
from dockersweep.engine.api.creations import Creations
from dockersweep.engine.api.endpoint import resolve_endpoint
from dockersweep.errors import RefusedError
from dockersweep.ledger import state_folder


@contextmanager
def open_restore(options: RestoreOptions) -> Iterator[RestoreRun]:
    """Connect to the engine, and take its lock, but for a dry run.

    Raises RefusedError where nobody can be asked, or another run holds the lock.
    """
    if not (options.dry_run or options.yes or can_ask()):
        raise RefusedError("there is no terminal to ask on; give --yes to restore, or --dry-run to look")
    Destination(options.output.path).check()
    with open_ledger(options.engine) as ledger, _creations(options) as calls, Archives(calls.engine) as archives:
        confirm_engine(calls, options.confirm_engine)
        folders = LockFolders(state_folder(os.environ, os.geteuid()), lock_folder(os.environ))
        lock = run_lock(calls.engine, folders, options.lock_timeout_seconds)
        with nullcontext() if options.dry_run else lock as held:
            yield RestoreRun(calls, options, ledger, archives, held, datetime.now(UTC))


@contextmanager
def _creations(options: RestoreOptions) -> Iterator[Creations]:
    engine = options.engine
    endpoint = resolve_endpoint(engine.host, engine.context, os.environ, engine.tls)
    connection = Connection(endpoint, engine.engine_timeout_seconds)
    try:
        yield Creations(connection, options.restore_timeout_seconds)
    finally:
        connection.close()
