"""What keeps [notify] from working, as far as that can be told before anything happened."""

import os
import stat
from collections.abc import Iterator

from dockersweep.commands.notifying.services import HOW_TO_INSTALL, is_apprise_there, unknown_services
from dockersweep.commands.trusted_file import why_untrusted_program
from dockersweep.files import state_of
from dockersweep.model.policy import NotifySettings


def notify_faults(settings: NotifySettings) -> Iterator[str]:
    """Yield what is wrong on this machine: a program that is missing or not trusted, or apprise that is not there."""
    fault = program_fault(settings)
    if fault is not None:
        yield fault
    if settings.urls and not is_apprise_there():
        yield HOW_TO_INSTALL


def address_faults(settings: NotifySettings) -> dict[int, str]:
    """Return which addresses apprise cannot use, by their places from 0 on, where it is there to tell. Starts a
    process."""
    return unknown_services(settings) if settings.urls and is_apprise_there() else {}


def program_fault(settings: NotifySettings) -> str | None:
    """Return why the program must not, or cannot, be run; None where nothing is known against it."""
    if not settings.command:
        return None
    path = settings.command[0]
    try:
        state = state_of(path)
        if state is None:
            return f"{path} does not exist"
        if not stat.S_ISREG(state.st_mode):
            return f"{path} is not a program"
        if os.geteuid() == 0 and (distrust := why_untrusted_program(os.path.realpath(path))) is not None:
            return distrust
        return (
            None if os.access(path, os.X_OK) else f"{path} cannot be executed; if it is the right one: chmod +x {path}"
        )
    except OSError as error:
        return f"{path} cannot be run: {error.strerror}"
