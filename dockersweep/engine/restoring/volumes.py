"""Makes a volume again, and puts its files back: near on the disk, as root, otherwise through the engine's API."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from dockersweep.engine.api.creations import Creations
from dockersweep.engine.archiving.tar_members import TarReader
from dockersweep.engine.archiving.volume_containers import VolumeContainers
from dockersweep.engine.disk.stores import Stores, volume_folder
from dockersweep.engine.restoring.prefixed_tar import owner_of, prefixed
from dockersweep.engine.restoring.sources import IsThereError, Sources
from dockersweep.errors import ArchiveError, DockersweepError, EngineError
from dockersweep.files import what_is_wrong
from dockersweep.model.inspect_document import part
from dockersweep.model.inventory import Volume
from dockersweep.model.restoring import RESTORED_FROM, Step, mark_of

MOST_PATHS = 3
ASIDE = ".dockersweep-"
"""What the folder begins with in which the files are until they are complete."""
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
        """Make a volume with its files; return what is not as it was. Never touches one that is there, or that takes
        its name meanwhile.

        Raises IsThereError where there is one of its name, EngineError or ArchiveError where it could not be filled:
        then it is removed again. Raises ChangedFilesError where its files are back, and not as they were archived.
        """
        document = sources.document(step.removed)
        mark = f"{mark_of(step.removed)} {secrets.token_hex(8)}"
        labels = {**part(document, "Labels"), RESTORED_FROM: mark}
        options = part(document, "Options")
        driver = str(document.get("Driver") or "local")
        body = {"Name": step.as_name, "Driver": driver, "DriverOpts": options, "Labels": labels}
        try:
            made = self._calls.create_volume(body)
        except EngineError:
            # It may have been made though no answer came.
            self._take_back(step.as_name, mark)
            raise
        # An engine answers with a volume that is there as if it had made it.
        if part(made, "Labels").get(RESTORED_FROM) != mark:
            raise IsThereError(f"a volume called {step.as_name} is there")
        try:
            return self._fill(_New(step, mark, bool(options)), sources)
        except ChangedFilesError:
            raise
        except DockersweepError as error:
            raise type(error)(f"{error}{self._take_back(step.as_name, mark)}") from None
        except BaseException:
            self._take_back(step.as_name, mark)
            raise

    def _fill(self, new: "_New", sources: Sources) -> tuple[str, ...]:
        folder = None if new.has_options else self._folder(self._own(new))
        if folder is None:
            return self._fill_from_afar(new, sources)
        return self._fill_near(new, sources, folder)

    def _own(self, new: "_New") -> Volume:
        """Return the engine's volume; raises EngineError where it is another by now: removed, and made anew."""
        volume = self._calls.volume(new.step.as_name)
        if volume is None or volume.labels.get(RESTORED_FROM) != new.mark:
            raise EngineError("somebody else has removed it meanwhile, before its files were back")
        return volume

    def _folder(self, volume: Volume) -> str | None:
        """Return the folder of a new volume on this machine; None where it cannot be told for sure."""
        folder = volume_folder(volume)
        if self._stores is None or folder is None:
            return None
        return folder if any(folder.startswith(f"{place.path}/") for place in self._stores.places) else None

    def _fill_near(self, new: "_New", sources: Sources, folder: str) -> tuple[str, ...]:
        """Put the files beside those of the volume, where no container can reach them: one that mounts it already
        could lead us elsewhere by a link. In its place all of it is at once."""
        aside = f"{folder}/{ASIDE}{secrets.token_hex(8)}"
        try:
            os.mkdir(aside, 0o700)
            differences = sources.unpack(new.step.removed, aside)
            self._own(new)
            for name in self._running_with(new.step.as_name):
                # It would go on to write into the folder that is replaced, and lose that.
                raise EngineError(f"container {name} runs with it already: stop it, and restore again")
            os.rename(aside, f"{folder}/_data")
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise EngineError("somebody else has put files into it meanwhile") from None
            raise ArchiveError(f"its files cannot be put there: {what_is_wrong(error)}") from None
        self._own(new)
        if differences:
            # How many there are nobody knows: only a few are looked for.
            others = " and others" if len(differences) > MOST_PATHS else ""
            raise ChangedFilesError(
                f"its files are back, but not as they were archived: {', '.join(differences[:MOST_PATHS])}{others}; "
                f"to try again: docker volume rm {new.step.as_name}"
            )
        return tuple(
            f"container {name} has been started with it meanwhile, and may not see its files: restart it"
            for name in self._running_with(new.step.as_name)
        )

    def _running_with(self, volume: str) -> Iterator[str]:
        """Yield the names of running containers that mount a volume."""
        for container in self._calls.containers():
            is_mounted = any(mount.volume == volume for mount in container.mounts)
            if is_mounted and container.state not in ("created", "exited", "dead"):
                yield container.name

    def _fill_from_afar(self, new: "_New", sources: Sources) -> tuple[str, ...]:
        step, has_options = new.step, new.has_options
        tar = sources.files(step.removed)
        if tar is None:
            return ()
        with self._containers.mounting(step.as_name, is_read_only=False) as (container, place):
            # From here on nobody can remove it.
            self._own(new)
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

    def _take_back(self, name: str, mark: str) -> str:
        """Remove a volume that was not filled, if it still is ours; return what is left of it, for people."""
        with suppress(EngineError):
            volume = self._calls.volume(name)
            if volume is None or volume.labels.get(RESTORED_FROM) != mark:
                return ""
            if self._calls.remove_volume(name).status in ("removed", "gone"):
                return ""
        return f"; a part of it is left: docker volume rm {name}"


class _New(NamedTuple):
    """A volume that was just made."""

    step: Step
    mark: str
    """The value of its label, by which it is known from another of its name."""
    has_options: bool


class ChangedFilesError(Exception):
    """The files of a volume are back, and not as they were archived."""


def _lost_owner(tar: Iterator[bytes] | None) -> tuple[str, ...]:
    """Return who owned the folder of a volume, which Podman gives to root."""
    member = None if tar is None else next(TarReader(tar).members(), None)
    if member is None or member.path:
        return ()
    owner = owner_of(member)
    return () if owner == "0:0" else (f"its own folder belongs to 0:0, and belonged to {owner}",)
