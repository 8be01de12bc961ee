"""The id of a run of `swarm`, and whether it is still at work."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dockersweep.file_lock import lock_within
from dockersweep.ledger.folder import state_folder

_FOLDER = "swarm"


def new_run() -> str:
    """Return an id that no other run has."""
    return secrets.token_hex(8)


@contextmanager
def held(run: str) -> Iterator[None]:
    """Show to other runs of this user that this one is at work, as far as the folder of the ledger can be written.

    Its file stays until `forget`: what is there unlocked is of a run that may have left something.
    """
    path = _file(run)
    descriptor = None
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        lock_within(descriptor, 0)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def is_over(run: str) -> bool | None:
    """Return whether a run of this user on this machine is over; None for one of others."""
    try:
        descriptor = os.open(_file(run), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except (OSError, ValueError):
        return None
    try:
        lock_within(descriptor, 0)
        return True
    except BlockingIOError:
        return False
    except OSError:
        return None
    finally:
        os.close(descriptor)


def forget(run: str) -> None:
    """Remove the file of a run that has left nothing."""
    with suppress(OSError):
        _file(run).unlink()


def forget_all_over() -> None:
    """Remove the files of runs that are over, after all that they may have left was removed."""
    with suppress(OSError):
        for path in _file("-").parent.iterdir():
            if is_over(path.name):
                forget(path.name)


def _file(run: str) -> Path:
    # The id of another run is read from a label, which is not trusted.
    name = run if run.isalnum() else "-"
    return state_folder(os.environ, os.geteuid()) / _FOLDER / name
