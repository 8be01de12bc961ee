"""All that the files of a policy declare, read anew where anything that was followed has changed."""

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
"""Of what is read: with another one, nothing that was kept holds."""
TOGETHER = ":"
"""Stands between files that belong together, as in COMPOSE_FILE."""


class Reading(Struct, frozen=True):
    """What files declare, and what all that was followed looked like."""

    stamps: dict[str, Stamp]
    declarations: Declarations


class Kept(Struct):
    """Readings by what was read: those of earlier runs, and the new ones of this."""

    earlier: Mapping[str, Reading]
    new: dict[str, Reading]
    matched: dict[str, Reading] = {}
    """The patterns that match files in this run, to be kept for longer whenever anything is."""

    def get(self, key: str, read: Callable[[Followed], Declarations], most_files: int = MOST_FILES) -> Declarations:
        """Return what was read of unchanged files, else read them; these may be so many."""
        known = self.earlier.get(key)
        if known is not None and stamps_of(known.stamps) == known.stamps:
            return known.declarations
        followed = Followed(most_files)
        declarations = read(followed)
        if followed.is_settled:
            self.new[key] = Reading(followed.stamps, declarations)
        return declarations

    def matching(self, pattern: str) -> list[str]:
        """Return the files that a pattern means. Raises DeclaredFileError where it has matched some before and now
        matches none: a file system that is not mounted must not take its protections away."""
        key, found = f"matched {pattern}", matching(pattern)
        if found and is_pattern(pattern):
            self.matched[key] = Reading({}, Declarations())
            if key not in self.earlier:
                self.new[key] = self.matched[key]
        if not found and key in self.earlier:
            raise DeclaredFileError(
                f"{pattern}: matches no file, but did in an earlier run: mount what is missing, or remove it from the "
                "policy"
            )
        return found


class DeclaredReader:
    """Reads what a policy names, with docker's compose plugin where that may run."""

    def __init__(self, variables: Mapping[str, str], plugin: Plugin | None, kept: Kept) -> None:
        """`variables` are what files are read with besides their own variables."""
        self._variables = variables
        self._plugin = plugin
        self._kept = kept
        own = " ".join(f"{name}={value}" for name, value in sorted(variables.items()))
        self._salt = f"{VERSION} {plugin and plugin.stamp} {own}"

    def compose(self, patterns: Sequence[str], on_read: Callable[[int, int], None]) -> Declarations:
        """Return what compose files declare; `on_read` is called with how many are read, of how
        many. Raises DeclaredFileError."""
        notes: list[str] = []
        found: list[Declarations] = []
        covered: set[str] = set()
        groups = [group for pattern in patterns for group in self._groups(pattern, notes)]
        # Those with compose's own names first: what they lead to stands for nothing by itself.
        for count, group in enumerate(sorted(groups, key=lambda group: not _is_usual(group)), 1):
            if len(group) == 1 and group[0] in covered:
                continue
            key = f"compose {self._salt} {TOGETHER.join(group)}"
            declarations = self._kept.get(key, partial(self._read, group))
            covered.update(chain.from_iterable(project.files for project in declarations.projects))
            found.append(declarations)
            on_read(count, len(groups))
        return together((*found, Declarations(notes=tuple(notes))))

    def quadlets(self, patterns: Sequence[str] | bool, is_root: bool) -> Declarations:
        """Return what quadlets declare, in the standard folders or of these files and folders. Raises
        DeclaredFileError."""
        if patterns is False:
            return Declarations()
        folders = standard_folders(self._variables, is_root)
        notes: list[str] = []
        named = [] if patterns is True else list(chain.from_iterable(self._matching(one, notes) for one in patterns))

        def read(followed: Followed) -> Declarations:
            told = list(notes)
            paths: list[str] = []
            for path in folders if patterns is True else named:
                if followed.has_folder(path):
                    paths += units_below(path, followed)
                elif patterns is not True or followed.has_file(path):
                    # Few machines have all standard folders.
                    paths.append(path)
            units = [path for path in paths if path.endswith(SUFFIXES)]
            told += [f"{path}: not a quadlet" for path in paths if path not in units]
            objects = read_quadlets(units, folders, followed, told)
            return Declarations(objects=tuple(objects), notes=tuple(dict.fromkeys(told)))

        key = f"quadlets {self._salt} {' '.join(folders if patterns is True else named)}"
        return self._kept.get(key, read, MOST_QUADLET_FILES)

    def _groups(self, pattern: str, notes: list[str]) -> list[tuple[str, ...]]:
        """Return the files that are read together: each that a pattern matches by itself, or several named so."""
        parts = pattern.split(TOGETHER)
        if len(parts) == 1:
            return [(path,) for path in self._matching(pattern, notes)]
        return [tuple(chain.from_iterable(self._matching(one, notes) for one in parts if one))]

    def _matching(self, pattern: str, notes: list[str]) -> list[str]:
        found = self._kept.matching(pattern)
        if not found:
            notes.append(f"{pattern} matches no file")
        return found

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
            # Its .env names other files; the policy names this one.
            yield chosen_files(files, self._variables, followed)

    def _project(self, chosen: Chosen, followed: Followed) -> Declarations:
        project = read_project(chosen, followed)
        notes = list(project.notes)
        objects = [*project.objects]
        if self._plugin is not None and followed.is_of_root_alone():
            try:
                objects += _further(ask_plugin(self._plugin, project, self._variables), project.objects)
            except PluginError as error:
                # It may read more than we follow, or have been too slow.
                followed.is_settled = False
                if isinstance(error, PluginTimeoutError):
                    # Hundreds of projects must not each wait for it.
                    self._plugin = None
                notes.append(
                    f"{project.files[0]}: docker compose failed, so dockersweep's own reading is used: {error}"
                )
        told = DeclaredProject(project=known(project.name), files=project.files)
        return Declarations(objects=tuple(objects), projects=(told,), notes=tuple(notes))


def _further(told: Iterable[Declared], ours: Iterable[Declared]) -> list[Declared]:
    """Return what the plugin tells and we do not: we know the lines."""
    own = {(one.kind, one.name) for one in ours}
    return [one for one in told if (one.kind, one.name) not in own]


def together(found: Iterable[Declarations]) -> Declarations:
    """Return several as one."""
    found = tuple(found)
    return Declarations(
        objects=tuple(chain.from_iterable(one.objects for one in found)),
        projects=tuple(chain.from_iterable(one.projects for one in found)),
        notes=tuple(dict.fromkeys(chain.from_iterable(one.notes for one in found))),
    )


def _is_usual(files: Sequence[str]) -> bool:
    return len(files) == 1 and os.path.basename(files[0]) in FILE_NAMES
