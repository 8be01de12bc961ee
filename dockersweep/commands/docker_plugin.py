"""`dockersweep docker-plugin`: a link where docker's client looks for plugins, by which it has `docker sweep`."""

import contextlib
import os

from dockersweep.commands.installation import installed_files, package_folder
from dockersweep.commands.options import DockerPluginOptions
from dockersweep.commands.write import write_result
from dockersweep.engine.api.endpoint import docker_config_folder
from dockersweep.errors import OutputError, UsageError
from dockersweep.files import is_there, state_of
from dockersweep.report.text import printable

NAME = "docker-sweep"
"""What docker looks for, and the name of our program."""
SYSTEM_FOLDER = "/usr/local/lib/docker/cli-plugins"
"""The first of the folders where docker's client looks for plugins of all users."""
_MARK = b"dockersweep.docker_plugin"
"""In every script by which an installer starts the program, however it writes them."""
_LARGEST_SCRIPT = 10_000


def run(options: DockerPluginOptions) -> int:
    """Install or remove the link, and say what was done; returns the exit status.

    Raises UsageError where there is no program to link to, or something of somebody else is in its place, OutputError
    where the folder cannot be written.
    """
    folder = SYSTEM_FOLDER if options.system else str(docker_config_folder(os.environ) / "cli-plugins")
    link = os.path.join(folder, NAME)
    try:
        told = _install(link) if options.action == "install" else _remove(link)
    except OSError as error:
        hint = "; run it as root" if options.system and os.geteuid() != 0 else ""
        raise OutputError(f"{link} cannot be written: {error.strerror}{hint}") from None
    write_result("".join(f"{printable(line)}\n" for line in told), options.output.path)
    return 0


def _install(link: str) -> tuple[str, ...]:
    program = _program()
    tried = "Try it: docker sweep --help"
    if is_there(link):
        if os.path.realpath(link) == program:
            return f"Already installed: {link} -> {program}", tried
        _refuse_foreign(link)
    os.makedirs(os.path.dirname(link), exist_ok=True)
    # In one step, so that no docker that is called meanwhile misses it.
    new = f"{link}.{os.getpid()}"
    os.symlink(program, new)
    try:
        os.replace(new, link)
    except OSError:
        os.unlink(new)
        raise
    return f"Installed: {link} -> {program}", tried


def _remove(link: str) -> tuple[str, ...]:
    if not is_there(link):
        return (f"Nothing to remove: {link} does not exist",)
    _refuse_foreign(link)
    os.unlink(link)
    return (f"Removed: {link}",)


def _refuse_foreign(link: str) -> None:
    """Raise UsageError unless this is a link to our program, in this installation or another, or one that is gone."""
    if os.path.islink(link):
        target = os.path.join(os.path.dirname(link), os.readlink(link))
        if os.path.basename(target) == NAME and (state_of(target) is None or _is_ours(target)):
            return
    raise UsageError(f"{link} is not a link that dockersweep made; it was left as it is: move it away first")


def _is_ours(path: str) -> bool:
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return _MARK in file.read(_LARGEST_SCRIPT)
    return False


def _program() -> str:
    """Return the path of the program that docker is to run, as it was installed with the code that runs now; raises
    UsageError where it was not."""
    modules = installed_files("__init__.py")
    # An editable installation has recorded none.
    is_installed = not modules or os.path.join(package_folder(), "__init__.py") in modules
    programs = [path for path in installed_files(NAME) if os.access(path, os.X_OK)]
    if not is_installed or not programs:
        raise UsageError(
            f"the program {NAME}, which docker would run, is not installed with this dockersweep: install it with "
            "pip or pipx, and run that one"
        )
    return programs[0]
