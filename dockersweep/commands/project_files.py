"""Checks whether the folders and files of compose projects still exist, if the engine is on this machine."""

import os
from collections.abc import Iterator

from msgspec.structs import replace

from dockersweep.model.inventory import Inventory
from dockersweep.model.last_use import KnownProject

LOOKING_SECONDS = 2.0
"""The time limit: a network mount that does not answer is not waited for."""


def with_missing_files(inventory: Inventory) -> Inventory:
    """Return the inventory with the missing folders and files of its projects.

    Does nothing if the engine is on another machine, or if dockersweep runs in a container, which has other folders.
    """
    if not inventory.projects or inventory.disk is None or inventory.own_container_id is not None:
        return inventory
    # Imported late; the engine package is loaded already at this point.
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
        # No permission to look, or an invalid path.
        return project


def _missing(project: KnownProject) -> Iterator[str]:
    for path in filter(None, (project.working_dir, *project.config_files)):
        if not os.path.isabs(path):
            raise ValueError(f"{path!r} is a path of another machine")
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            yield path
