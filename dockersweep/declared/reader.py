"""Reads what the files named by a policy declare; readings are kept until a file that they looked at changes."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain

from msgspec import Struct

from dockersweep.declared.compose.plugin import Plugin, PluginError, PluginTimeoutError, ask_plugin
from dockersweep.declared.compose.project import (
    FILE_NAMES,
    Chosen,
    chosen_files,
    chosen_in_folder,
    read_project,
)
from dockersweep.declared.followed import MOST_FILES, MOST_QUADLET_FILES, Followed, Stamp, stamps_of
from dockersweep.declared.interpolation import known
from dockersweep.declared.paths import is_pattern, matching
from dockersweep.declared.quadlets.folders import SUFFIXES, standard_folders, units_below
from dockersweep.declared.quadlets.reading import read_quadlets
from dockersweep.errors import DeclaredFileError
from dockersweep.model.declared import Declarations, Declared, DeclaredProject

VERSION = 1
"""The version of the reading; kept readings of another version are not used."""
TOGETHER = ":"
"""Separates the files of one project, as in COMPOSE_FILE."""


class Reading(Struct, frozen=True):
    """What files declare, and the stamps of every file that was looked at."""

    stamps: dict[str, Stamp]
    declarations: Declarations


class Kept(Struct):
    """Readings by key: those of earlier runs, and this run's new ones."""

    earlier: Mapping[str, Reading]
    new: dict[str, Reading]
    matched: dict[str, Reading] = {}
    """The patterns that match files in this run; they are renewed whenever something new is kept."""

    def get(self, key: str, read: Callable[[Followed], Declarations], most_files: int = MOST_FILES) -> Declarations:
        """Return the kept reading if its files are unchanged, else call `read`, which may follow `most_files` files."""
        known = self.earlier.get(key)
        if known is not None and stamps_of(known.stamps) == known.stamps:
            return known.declarations
        followed = Followed(most_files)
        declarations = read(followed)
        if followed.is_settled:
            self.new[key] = Reading(followed.stamps, declarations)
        return declarations

    def matching(self, pattern: str) -> list[str]:
        """Return the files that a pattern matches. Raises DeclaredFileError where it matched some before and none now:
        a file system that is not mounted must not take its protections away."""
        key, files = f"matched {pattern}", matching(pattern)
        if files and is_pattern(pattern):
            self.matched[key] = Reading({}, Declarations())
            if key not in self.earlier:
                self.new[key] = self.matched[key]
        if not files and key in self.earlier:
            raise DeclaredFileError(
                f"{pattern}: matches no file, but did in an earlier run: mount what is missing, or remove it from the "
                "policy"
            )
        return files


class DeclaredReader:
    """Reads the files that a policy names, with docker's compose plugin where that may run."""

    def __init__(self, variables: Mapping[str, str], plugin: Plugin | None, kept: Kept) -> None:
        """`variables` are the environment with which files are read."""
        self._variables = variables
        self._plugin = plugin
        self._kept = kept
        own = " ".join(f"{name}={value}" for name, value in sorted(variables.items()))
        self._salt = f"{VERSION} {plugin and plugin.stamp} {own}"

    def compose(self, patterns: Sequence[str], on_read: Callable[[int, int], None]) -> Declarations:
        """Return what compose files declare; `on_read` is called with (projects read, projects in all). Raises
        DeclaredFileError."""
        notes: list[str] = []
        readings: list[Declarations] = []
        covered: set[str] = set()
        groups = [group for pattern in patterns for group in self._groups(pattern, notes)]
        # Files with compose's own names first: files that these refer to are not projects of their own.
        for count, group in enumerate(sorted(groups, key=lambda group: not _is_usual(group)), 1):
            if len(group) == 1 and group[0] in covered:
                continue
            key = f"compose {self._salt} {TOGETHER.join(group)}"
            declarations = self._kept.get(key, partial(self._read, group))
            covered.update(chain.from_iterable(project.files for project in declarations.projects))
            readings.append(declarations)
            on_read(count, len(groups))
        return together((*readings, Declarations(notes=tuple(notes))))

    def quadlets(self, patterns: Sequence[str] | bool, is_root: bool) -> Declarations:
        """Return what quadlets declare: those in the standard folders (True), or in these files and folders. Raises
        DeclaredFileError."""
        if patterns is False:
            return Declarations()
        folders = standard_folders(self._variables, is_root)
        notes: list[str] = []
        named = (
            []
            if patterns is True
            else list(chain.from_iterable(self._matching(pattern, notes) for pattern in patterns))
        )

        def read(followed: Followed) -> Declarations:
            all_notes = list(notes)
            paths: list[str] = []
            for path in folders if patterns is True else named:
                if followed.has_folder(path):
                    paths += units_below(path, followed)
                elif patterns is not True or followed.has_file(path):
                    # Few machines have all standard folders.
                    paths.append(path)
            units = [path for path in paths if path.endswith(SUFFIXES)]
            all_notes += [f"{path}: not a quadlet" for path in paths if path not in units]
            objects = read_quadlets(units, folders, followed, all_notes)
            return Declarations(objects=tuple(objects), notes=tuple(dict.fromkeys(all_notes)))

        key = f"quadlets {self._salt} {' '.join(folders if patterns is True else named)}"
        return self._kept.get(key, read, MOST_QUADLET_FILES)

    def _groups(self, pattern: str, notes: list[str]) -> list[tuple[str, ...]]:
        """Return the files of each project: each match of a pattern is one, unless TOGETHER joins several."""
        parts = pattern.split(TOGETHER)
        if len(parts) == 1:
            return [(path,) for path in self._matching(pattern, notes)]
        return [tuple(chain.from_iterable(self._matching(part, notes) for part in parts if part))]

    def _matching(self, pattern: str, notes: list[str]) -> list[str]:
        files = self._kept.matching(pattern)
        if not files:
            notes.append(f"{pattern} matches no file")
        return files

    def _read(self, files: tuple[str, ...], followed: Followed) -> Declarations:
        projects = [self._project(chosen, followed) for chosen in self._chosen(files, followed)]
        return together(projects)

    def _chosen(self, files: tuple[str, ...], followed: Followed) -> Iterable[Chosen]:
        if not _is_usual(files):
            yield chosen_files(files, self._variables, followed)
            return
        usual = chosen_in_folder(os.path.dirname(files[0]), self._variables, followed, fallback=files[0])
        assert usual is not None
        yield usual
        if files[0] not in usual.files:
            # The folder's .env names other files; the policy names this one.
            yield chosen_files(files, self._variables, followed)

    def _project(self, chosen: Chosen, followed: Followed) -> Declarations:
        project = read_project(chosen, followed)
        notes = list(project.notes)
        objects = [*project.objects]
        if self._plugin is not None and followed.is_of_root_alone():
            try:
                objects += _further(ask_plugin(self._plugin, project, self._variables), project.objects)
            except PluginError as error:
                # It may have read files that we do not follow, or may have been too slow.
                followed.is_settled = False
                if isinstance(error, PluginTimeoutError):
                    # Hundreds of projects must not each wait for it.
                    self._plugin = None
                notes.append(
                    f"{project.files[0]}: docker compose failed, so dockersweep's own reading is used: {error}"
                )
        declared = DeclaredProject(project=known(project.name), files=project.files)
        return Declarations(objects=tuple(objects), projects=(declared,), notes=tuple(notes))


def _further(theirs: Iterable[Declared], ours: Iterable[Declared]) -> list[Declared]:
    """Return what only the plugin declares: for the rest our own reading has the lines."""
    own = {(declared.kind, declared.name) for declared in ours}
    return [declared for declared in theirs if (declared.kind, declared.name) not in own]


def together(declarations: Iterable[Declarations]) -> Declarations:
    """Merge several declarations into one."""
    declarations = tuple(declarations)
    return Declarations(
        objects=tuple(chain.from_iterable(part.objects for part in declarations)),
        projects=tuple(chain.from_iterable(part.projects for part in declarations)),
        notes=tuple(dict.fromkeys(chain.from_iterable(part.notes for part in declarations))),
    )


def _is_usual(files: Sequence[str]) -> bool:
    return len(files) == 1 and os.path.basename(files[0]) in FILE_NAMES
