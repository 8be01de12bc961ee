"""Makes a volume again, and puts its files back: near on the disk, as root, otherwise through the engine's API."""

import secrets
from collections.abc import Iterator
from contextlib import suppress

from dockersweep.engine.api.creations import Creations
from dockersweep.engine.archiving.tar_members import TarReader
from dockersweep.engine.archiving.volume_containers import VolumeContainers
from dockersweep.engine.disk.stores import Stores, volume_folder
from dockersweep.engine.restoring.container_body import part
from dockersweep.engine.restoring.prefixed_tar import owner_of, prefixed
from dockersweep.engine.restoring.sources import IsThereError, Sources
from dockersweep.errors import DockersweepError, EngineError
from dockersweep.model.restoring import RESTORED_FROM, Step
from dockersweep.words.lists import first_of

MOST_PATHS = 3
_LOST_ON_DOCKER = (
    "without the capabilities of files with several names, times before 1970, and the holes of sparse files, which the "
    "engine's API does not take"
)
_LOST_ON_PODMAN = (
    "without ACLs, extended attributes other than user.* and capabilities, fractions of a microsecond, and the holes "
    "of sparse files, which the engine's API does not take"
)


class VolumeMaker:
    """Makes the volumes of one run of `restore`."""

    def __init__(self, calls: Creations, containers: VolumeContainers, stores: Stores | None) -> None:
        """`stores` is where the engine has its data on this machine; None to put all files back through its API."""
        self._calls = calls
        self._containers = containers
        self._stores = stores

    def make(self, step: Step, sources: Sources) -> tuple[str, ...]:
        """Make a volume with its files; return what is not as it was. Never touches one that is there.

        Raises IsThereError where there is one of its name, and EngineError or ArchiveError where it could not be
        filled: then it is removed again.
        """
        document = sources.document(step.removed)
        mark = f"{step.removed.run or 'archive'} {secrets.token_hex(8)}"
        labels = {**part(document, "Labels"), RESTORED_FROM: mark}
        options = part(document, "Options")
        driver = str(document.get("Driver") or "local")
        body = {"Name": step.as_name, "Driver": driver, "DriverOpts": options, "Labels": labels}
        try:
            made = self._calls.create_volume(body)
        except EngineError:
            # It may have been made though no answer came.
            self._take_back_own(step.as_name, mark)
            raise
        # An engine answers with a volume that is there as if it had made it.
        if part(made, "Labels").get(RESTORED_FROM) != mark:
            raise IsThereError(f"a volume called {step.as_name} is there")
        try:
            return self._fill(step, sources, has_options=bool(options))
        except DockersweepError as error:
            raise type(error)(f"{error}{self._take_back(step.as_name)}") from None
        except BaseException:
            self._take_back(step.as_name)
            raise

    def _fill(self, step: Step, sources: Sources, *, has_options: bool) -> tuple[str, ...]:
        folder = None if has_options else self._folder(step.as_name)
        if folder is not None:
            differences = sources.unpack(step.removed, folder)
            if differences:
                raise ChangedFilesError(
                    f"its files are back, but {len(differences)} are not as they were archived: "
                    f"{first_of(differences, MOST_PATHS)}"
                )
            return ()
        return self._fill_from_afar(step, sources, has_options=has_options)

    def _folder(self, name: str) -> str | None:
        """Return the folder of a new volume's files on this machine; None where it cannot be told for sure."""
        volume = self._calls.volume(name)
        folder = None if volume is None else volume_folder(volume)
        if self._stores is None or folder is None:
            return None
        return f"{folder}/_data" if any(folder.startswith(f"{place.path}/") for place in self._stores.places) else None

    def _fill_from_afar(self, step: Step, sources: Sources, *, has_options: bool) -> tuple[str, ...]:
        tar = sources.files(step.removed)
        if tar is None:
            return ()
        with self._containers.mounting(step.as_name, is_read_only=False) as (container, place):
            # A share or a folder of the host keeps its files when its volume is removed.
            if has_options and self._has_files(container, place):
                return ("its files are where they were, so none were put there",)
            if self._calls.quirks.is_podman:
                # What goes into the root there does not reach the volume.
                self._calls.put_files(container, place, tar)
                return (_LOST_ON_PODMAN, *_lost_owner(sources.files(step.removed)))
            self._calls.put_files(container, "/", prefixed(tar, place.removeprefix("/")))
        return (_LOST_ON_DOCKER,)

    def _has_files(self, container: str, place: str) -> bool:
        """Return whether there is anything in a folder."""
        with self._calls.files_tar(container, f"{place}/.") as pieces:
            return any(member.path for member in TarReader(pieces).members())

    def _take_back_own(self, name: str, mark: str) -> None:
        """Remove a volume if it is the one that was asked for."""
        with suppress(EngineError):
            volume = self._calls.volume(name)
            if volume is not None and volume.labels.get(RESTORED_FROM) == mark:
                self._take_back(name)

    def _take_back(self, name: str) -> str:
        """Remove a volume that was not filled; return what is left of it, for people."""
        with suppress(EngineError):
            if self._calls.remove_volume(name).status in ("removed", "gone"):
                return ""
        return f"; a part of it is left: docker volume rm {name}"


class ChangedFilesError(Exception):
    """The files of a volume are back, and not as they were archived."""


def _lost_owner(tar: Iterator[bytes] | None) -> tuple[str, ...]:
    """Return who owned the folder of a volume, which Podman gives to root."""
    member = None if tar is None else next(TarReader(tar).members(), None)
    if member is None or member.path:
        return ()
    owner = owner_of(member)
    return () if owner == "0:0" else (f"its own folder belongs to 0:0, and belonged to {owner}",)
