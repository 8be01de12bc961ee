"""Whether the folders and files of compose projects are still there, where the engine is on this machine."""

import os
from collections.abc import Iterator

from msgspec.structs import replace

from dockersweep.model.inventory import Inventory
from dockersweep.model.last_use import KnownProject

LOOKING_SECONDS = 2.0
"""A folder of another machine that does not answer is not waited for."""


def with_missing_files(inventory: Inventory) -> Inventory:
    """Return the inventory with what of its projects' folders and files is not there any more.

    Nothing is looked for where the engine is elsewhere, or where dockersweep runs in a container, which has other
    folders.
    """
    if not inventory.projects or inventory.disk is None or inventory.own_container_id is not None:
        return inventory
    # The engine wing is there already, with what it takes to wait for a call.
    from dockersweep.engine.api.concurrent import BackgroundCall

    projects = inventory.projects
    try:
        looked = BackgroundCall(lambda: tuple(map(_with_missing, projects))).result(LOOKING_SECONDS)
    except TimeoutError:
        return inventory
    return replace(inventory, projects=looked)


def _with_missing(project: KnownProject) -> KnownProject:
    try:
        return replace(project, missing=tuple(_missing(project)))
    except (OSError, ValueError):
        # Not allowed to look, or a path that no machine has.
        return project


def _missing(project: KnownProject) -> Iterator[str]:
    for path in filter(None, (project.working_dir, *project.config_files)):
        if not os.path.isabs(path):
            raise ValueError(f"{path!r} is a path of another machine")
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            yield path
