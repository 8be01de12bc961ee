"""Reads a folder with GNU tar, and notices what changes meanwhile."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from msgspec import Struct

from dockersweep.archive.manifest import Fields, digest_of, look_through, paths_by_inode
from dockersweep.archive.mapped_files import MappedFiles
from dockersweep.archive.programs import Program, output_of, running
from dockersweep.archive.tar_headers import TarHeaders
from dockersweep.errors import NotArchivedError
from dockersweep.files import AnyPath, open_folder_inside, shows_trusted_attributes

TAR = (
    "tar", "--create", "--file=-", "--format=posix", "--xattrs", "--xattrs-include=*", "--acls", "--sparse",
    "--numeric-owner", "--blocking-factor=1024", "--pax-option=delete=atime,delete=ctime", ".",
)  # fmt: skip
_CHANGED = ("file changed as we read it", "File removed before we read it")
_SHRANK = "padding with zeros"
_SOCKETS = "socket ignored"
TRUSTED = "trusted.* attributes"
"""What only root with all capabilities is shown, which a service of systemd may not have."""
_ENDS = "Exiting with failure status due to previous errors"


class Packed(Struct, frozen=True):
    """What is known of a folder that was read."""

    entries: int
    not_kept: tuple[str, ...]
    has_attributes: bool
    """Whether an entry has extended attributes, ACLs among them, or is a device."""
    digest: bytes
    """Of its manifest, for `check_unchanged`."""


def pack(
    folder: int,
    write_manifest: Callable[[bytes], None],
    end_manifest: Callable[[], None],
    write_tar: Callable[[memoryview], None],
) -> Packed:
    """Read an open folder: first its manifest, then all of it as a tar. Whether it has changed meanwhile is for
    `check_unchanged`, once nothing else is to be done.

    Raises NotArchivedError where it cannot be read in full, or tar notices a change.
    """
    seen = look_through(folder, write_manifest)
    end_manifest()
    headers = TarHeaders()
    with running(TAR, folder) as program:
        for data in output_of(program):
            write_tar(data)
            headers.look(cast("bytearray", data.obj), len(data))
        not_kept = tuple(_judge(program))
    if not shows_trusted_attributes():
        not_kept += (TRUSTED,)
    if seen.unlinked:
        not_kept += ("hard links of pipes and devices",)
    return Packed(seen.entries, not_kept, headers.has_attributes or seen.has_devices, seen.digest)


def check_unchanged(folder: int, packed: Packed, mapped: MappedFiles) -> None:
    """Raise NotArchivedError where an open folder is no longer what was packed, or may be without showing it."""
    written = mapped.on(os.fstat(folder).st_dev)

    def look(fields: Fields) -> None:
        for inode, path in paths_by_inode(fields):
            if inode in written:
                name = path.decode(errors="backslashreplace")
                raise NotArchivedError(f"process {written[inode]} has a file in it mapped for writing: ./{name}")

    if digest_of(folder, look if written else None) != packed.digest:
        raise NotArchivedError("it changed while it was read")


def _judge(program: Program) -> Iterator[str]:
    """Look at how tar ended; yield what it left out. Raises NotArchivedError for anything but sockets."""
    status = program.end()
    sockets = program.messages.pop(_SOCKETS, 0)
    for message, line in program.first.items():
        if message in _CHANGED or message.endswith(_SHRANK):
            raise NotArchivedError(f"it changed while it was read: {line}")
        if message not in (_SOCKETS, _ENDS):
            raise NotArchivedError(f"it cannot be read in full: {line}")
    if status:
        raise NotArchivedError(f"it cannot be read in full: tar ended with status {status}")
    if sockets:
        yield "1 socket" if sockets == 1 else f"{sockets} sockets"


@contextmanager
def open_tree(path: AnyPath) -> Iterator[int]:
    """Yield a descriptor of a folder to read, on the way to which no link of others was followed.

    Raises NotArchivedError where it cannot be opened, or another file system is mounted below it: removing the folder
    would not remove that.
    """
    try:
        with open_folder_inside(path) as descriptor:
            mounted = _mounted_below(os.readlink(f"/proc/self/fd/{descriptor}"))
            if mounted is not None:
                raise NotArchivedError(f"another file system is mounted in it, at {mounted}")
            yield descriptor
    except OSError as error:
        raise NotArchivedError(f"it cannot be read: {error.strerror or error}") from None


def _mounted_below(folder: str) -> str | None:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        places = [line.split(" ")[4] for line in file]
    # As the kernel writes it there.
    for character in ("\\", " ", "\t", "\n"):
        folder = folder.replace(character, f"\\{ord(character):03o}")
    return next((place for place in places if place.startswith(f"{folder.rstrip('/')}/")), None)
