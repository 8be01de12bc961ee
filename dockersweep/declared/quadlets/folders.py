"""The folders of quadlets, and the files of one quadlet: the unit and its drop-ins."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping

from dockersweep.declared.faults import fault
from dockersweep.declared.followed import Followed
from dockersweep.files import state_of, what_is_wrong

SUFFIXES = (".container", ".volume", ".network", ".image", ".build", ".pod", ".kube")
SYSTEM_FOLDERS = ("/run/containers/systemd", "/etc/containers/systemd", "/usr/share/containers/systemd")
"""The system's, from podman-systemd.unit(5); units of users are in users/ below the last two."""
_DROP_INS = ".d"
_DEEPEST = 30


def standard_folders(environment: Mapping[str, str], is_root: bool) -> tuple[str, ...]:
    """Return root's folders, or those of the current user."""
    if is_root:
        return SYSTEM_FOLDERS
    home = environment.get("XDG_CONFIG_HOME") or os.path.join(environment.get("HOME") or "/nonexistent", ".config")
    runtime = environment.get("XDG_RUNTIME_DIR")
    own = [os.path.join(home, "containers/systemd")]
    own += [os.path.join(runtime, "containers/systemd")] if runtime else []
    return (*own, *(f"{folder}/users" for folder in SYSTEM_FOLDERS[1:]))


def units_below(folder: str, followed: Followed) -> Iterator[str]:
    """Yield the quadlets in a folder and below it. Raises DeclaredFileError where it cannot be read."""
    yield from _below(folder, followed, frozenset())


def _below(folder: str, followed: Followed, above: frozenset[str]) -> Iterator[str]:
    real = os.path.realpath(folder)
    # A link may lead back to a folder above.
    if not followed.has_folder(folder) or real in above:
        return
    if len(above) > _DEEPEST:
        raise fault(folder, None, f"folders more than {_DEEPEST} deep")
    for name in entries_of(folder):
        path = os.path.join(folder, name)
        if name.endswith(SUFFIXES):
            yield path
        elif not name.endswith(_DROP_INS) and not _is_of_another(folder, name) and _is_folder(path):
            yield from _below(path, followed, above | {real})


def _is_of_another(folder: str, name: str) -> bool:
    """Return whether a folder holds the units of another user."""
    is_of_one = name.isdecimal() and os.path.basename(folder) == "users"
    return is_of_one and os.geteuid() != 0 and int(name) != os.geteuid()


def drop_ins(path: str, folders: Iterable[str], followed: Followed) -> Iterator[str]:
    """Yield the drop-ins of a unit in the order in which they apply: its type's, its template's, its own."""
    stem, suffix = os.path.splitext(os.path.basename(path))
    names = [f"{suffix[1:]}.d"]
    prefix, at, _ = stem.partition("@")
    parts = prefix.split("-")
    names += ["-".join(parts[:count]) + f"-{suffix}.d" for count in range(1, len(parts))]
    names += [f"{prefix}@{suffix}.d"] if at else []
    names.append(f"{stem}{suffix}.d")
    for name in dict.fromkeys(names):
        for folder in dict.fromkeys((*folders, os.path.dirname(path))):
            here = os.path.join(folder, name)
            if followed.has_folder(here):
                yield from (os.path.join(here, name) for name in entries_of(here) if name.endswith(".conf"))


def entries_of(folder: str) -> list[str]:
    """Return the names in a folder, in order. Raises DeclaredFileError where it cannot be read."""
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        text = what_is_wrong(error).removeprefix(folder).removeprefix(":").strip()
        raise fault(folder, None, f"cannot be read: {text}") from None


def _is_folder(path: str) -> bool:
    try:
        state = state_of(path)
    except OSError as error:
        raise fault(path, None, f"cannot be read: {error.strerror}") from None
    return state is not None and stat.S_ISDIR(state.st_mode)
