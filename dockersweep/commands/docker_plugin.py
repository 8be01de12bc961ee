"""`dockersweep docker-plugin`: a link in the docker client's plugin folder, which makes it know `docker sweep`."""

import os
import stat

from dockersweep.commands.installation import installed_files, package_folder
from dockersweep.commands.options import DockerPluginOptions
from dockersweep.commands.write import write_result
from dockersweep.engine.api.endpoint import docker_config_folder
from dockersweep.errors import OutputError, UsageError
from dockersweep.files import is_there, read_configuration, state_of
from dockersweep.report.text import printable

NAME = "docker-sweep"
"""The file name that docker looks for; also the name of our program."""
SYSTEM_FOLDER = "/usr/local/lib/docker/cli-plugins"
"""The first folder in which docker's client looks for plugins for all users."""
_MARK = b"dockersweep.docker_plugin"
"""Part of every start script of the program, whatever installer wrote it."""
_LARGEST_SCRIPT = 10_000


def run(options: DockerPluginOptions) -> int:
    """Install or remove the link, and report it; returns the exit status.

    Raises UsageError if there is no program to link to, or if something else is in the link's place; OutputError if the
    folder cannot be written.
    """
    folder = SYSTEM_FOLDER if options.system else str(docker_config_folder(os.environ) / "cli-plugins")
    link = os.path.join(folder, NAME)
    try:
        lines = _install(link) if options.action == "install" else _remove(link)
    except OSError as error:
        hint = "; run it as root" if options.system and os.geteuid() != 0 else ""
        raise OutputError(f"{link} cannot be written: {error.strerror}{hint}") from None
    write_result("".join(f"{printable(line)}\n" for line in lines), options.output.path)
    return 0


def _install(link: str) -> tuple[str, ...]:
    program = _program()
    tried = "Try it: docker sweep --help"
    if is_there(link):
        if os.path.realpath(link) == program:
            return f"Already installed: {link} -> {program}", tried
        _refuse_foreign(link)
    os.makedirs(os.path.dirname(link), exist_ok=True)
    # In one step, so that docker calls meanwhile do not miss it.
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
    """Raise UsageError unless this is a link to our program in this or another installation, or in a deleted one."""
    state = state_of(link, follow_links=False)
    if state is not None and stat.S_ISLNK(state.st_mode):
        target = os.path.join(os.path.dirname(link), os.readlink(link))
        if os.path.basename(target) == NAME and (state_of(target) is None or _is_ours(target)):
            return
    raise UsageError(f"{link} is not a link that dockersweep made; it was left as it is: move it away first")


def _is_ours(path: str) -> bool:
    try:
        return _MARK in read_configuration(path, _LARGEST_SCRIPT)
    except OSError:
        return False


def _program() -> str:
    """Return the path of the program that docker is to run, installed together with the running code; raises UsageError
    if there is none."""
    modules = installed_files("__init__.py")
    # An editable installation has no record of its modules.
    is_installed = not modules or os.path.join(package_folder(), "__init__.py") in modules
    programs = [path for path in installed_files(NAME) if os.access(path, os.X_OK)]
    if not is_installed or not programs:
        raise UsageError(
            f"the program {NAME}, which docker would run, is not installed with this dockersweep: install it with "
            "pip or pipx, and run that one"
        )
    return programs[0]
