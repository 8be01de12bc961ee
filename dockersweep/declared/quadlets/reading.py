"""What quadlets declare, by the keys that podman-systemd.unit(5) lists for each type of unit."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from dockersweep.declared.dockerfile import images_of_dockerfile
from dockersweep.declared.followed import Followed
from dockersweep.declared.interpolation import UNKNOWN, TemplateError, as_names, interpolate, known, unknown_part
from dockersweep.declared.quadlets.folders import drop_ins
from dockersweep.declared.quadlets.kube import declared_by_kube
from dockersweep.declared.quadlets.unit_file import Entry, Unit, read_unit, together
from dockersweep.model.declared import Declared, DeclaredKind

_SECTIONS = {
    ".container": "Container", ".volume": "Volume", ".network": "Network", ".image": "Image", ".build": "Build",
    ".pod": "Pod", ".kube": "Kube",
}  # fmt: skip
_MODES = ("host", "none", "bridge", "private", "pasta", "slirp4netns", "container", "ns", "default")
_KUBE_NETWORK = "podman-default-kube-network"
_SPECIFIER = re.compile(r"%(.)")
_MASKED = "/dev/null"


def read_quadlets(paths: Iterable[str], folders: Iterable[str], followed: Followed, notes: list[str]) -> list[Declared]:
    """Return what units declare; drop-ins are in `folders` and beside each unit. `notes` receives what is not
    understood. Raises DeclaredFileError where a file cannot be read or is not a unit."""
    folders = tuple(folders)
    units: list[_Quadlet] = []
    for path in dict.fromkeys(paths):
        # A link to /dev/null masks a unit.
        if os.path.realpath(path) != _MASKED:
            parts = [path, *drop_ins(path, folders, followed)]
            units.append(_Quadlet(path, together(read_unit(followed.read(part), part) for part in parts)))
    by_name: dict[str, _Quadlet] = {}
    for unit in units:
        by_name.setdefault(unit.name, unit)
    return list(
        dict.fromkeys(chain.from_iterable(_Reading(unit, by_name, followed, notes).declared() for unit in units))
    )


class _Quadlet:
    """One unit, with its drop-ins."""

    def __init__(self, path: str, unit: Unit) -> None:
        self.path = path
        self.name = os.path.basename(path)
        self.stem, self.suffix = os.path.splitext(self.name)
        self._unit = unit
        self.written = {(path, line): value for entries in unit.values() for value, line, path in entries}
        """(file, line) -> the value as written there."""
        self._section = _SECTIONS[self.suffix]

    def all(self, key: str) -> Iterator[Entry]:
        """Yield the values of a key, with specifiers and variables replaced; unknown ones become `UNKNOWN`."""
        for value, line, path in self._unit.get((self._section, key), ()):
            yield self.valued(value), line, path

    def last(self, key: str) -> Entry | None:
        """Return the last value of a key, which is the one that counts."""
        values = list(self.all(key))
        return values[-1] if values else None

    def own_name(self, key: str) -> Entry:
        """Return the name of this unit's volume or network, specifiers not yet replaced: a unit that uses it has its
        own values for them."""
        values = self._unit.get((self._section, key))
        if values:
            return values[-1]
        prefix, at, instance = self.stem.partition("@")
        if not at:
            return f"systemd-{self.stem}", 0, self.path
        # As the generator of Podman 5 and 6 names them.
        return f"systemd-{prefix}{'@' if instance else ''}-%i", 0, self.path

    def valued(self, text: str) -> str:
        """Return a text with specifiers and variables replaced; unknown ones become `UNKNOWN`."""
        prefix, at, instance = self.stem.partition("@")
        ending = "" if self.suffix in (".container", ".kube") else f"-{self.suffix[1:]}"
        name = f"{self.stem if instance or not at else self.stem + UNKNOWN}{ending}"
        specifiers = {"%": "%", "N": name, "n": f"{name}.service", "p": prefix if at else name}
        if instance:
            specifiers["i"] = specifiers["I"] = f"{instance}{ending}"
        text = _SPECIFIER.sub(lambda match: specifiers.get(match[1], UNKNOWN), text)
        try:
            return interpolate(text, {}, doubled=False)
        except TemplateError:
            return text.replace("$", UNKNOWN)


class _Reading:
    """What one unit declares."""

    def __init__(self, unit: _Quadlet, units: Mapping[str, _Quadlet], followed: Followed, notes: list[str]) -> None:
        self._unit = unit
        self._units = units
        self._followed = followed
        self._notes = notes

    def declared(self) -> Iterator[Declared]:
        unit = self._unit
        if unit.suffix == ".volume":
            yield from self._own("volume", "VolumeName")
        if unit.suffix == ".network":
            yield from self._own("network", "NetworkName")
        if unit.suffix in (".container", ".image", ".volume"):
            yield from self._images(unit.all("Image"))
        yield from self._images(unit.all("ImageTag"))
        for mount in unit.all("Mount"):
            yield from self._mount(mount)
        for volume in unit.all("Volume"):
            yield from self._volume(volume)
        if unit.suffix != ".network":
            for network in unit.all("Network"):
                yield from self._network(network)
        if unit.suffix == ".build":
            yield from self._dockerfile()
        if unit.suffix == ".kube":
            yield from self._kube()

    def _declare(
        self, kind: DeclaredKind, entry: Entry, by: str | None = None, written: str | None = None
    ) -> Iterator[Declared]:
        text, line, path = entry
        name, pattern = as_names(text)
        if pattern is not None:
            shown = written or self._unit.written.get((path, line), name)
            self._notes.append(unknown_part(f"{path}:{line or 1}", shown, "is not fully known"))
        for form in (name, pattern):
            if form:
                yield Declared(kind=kind, name=form, is_pattern=form is pattern, path=path, line=line or None, by=by)

    def _own(self, kind: DeclaredKind, key: str) -> Iterator[Declared]:
        text, line, path = self._unit.own_name(key)
        yield from self._declare(kind, (self._unit.valued(text), line, path), written=text)

    def _images(self, entries: Iterable[Entry]) -> Iterator[Declared]:
        for text, line, path in entries:
            name = known(text)
            if not name.endswith((".image", ".build")):
                yield from self._declare("image", (text, line, path))
                continue
            other = self._units.get(name)
            if other is None:
                self._notes.append(f"{path}:{line}: there is no unit {name}")
                continue
            for key in ("Image", "ImageTag") if other.suffix == ".image" else ("ImageTag",):
                for tag in other.all(key):
                    yield from self._declare("image", (tag[0], line, path))

    def _volume(self, entry: Entry) -> Iterator[Declared]:
        text, line, path = entry
        source, colon, _ = text.partition(":")
        if colon:
            yield from self._named_volume((source, line, path))

    def _named_volume(self, entry: Entry) -> Iterator[Declared]:
        source, line, path = entry
        # A specifier at the beginning of a source is a path: %h, %t, %S.
        if source.startswith(("/", ".", "~", UNKNOWN)) or not source:
            return
        if source.endswith(".volume"):
            yield from self._declare("volume", (self._name_of(entry, "VolumeName"), line, path))
        else:
            yield from self._declare("volume", entry)

    def _mount(self, entry: Entry) -> Iterator[Declared]:
        text, line, path = entry
        options = dict(part.partition("=")[::2] for part in text.split(","))
        source = options.get("source") or options.get("src") or ""
        if options.get("type") == "image":
            yield from self._images([(source, line, path)])
        elif options.get("type", "volume") == "volume":
            yield from self._named_volume((source, line, path))

    def _network(self, entry: Entry) -> Iterator[Declared]:
        text, line, path = entry
        name = text.partition(":")[0]
        if name.endswith(".network"):
            yield from self._declare("network", (self._name_of((name, line, path), "NetworkName"), line, path))
        elif name and name not in _MODES and not name.endswith(".container"):
            yield from self._declare("network", (name, line, path))

    def _name_of(self, entry: Entry, key: str) -> str:
        """Return the name that another unit gives its volume or network."""
        text, line, path = entry
        name = known(text)
        other = self._units.get(name)
        if other is not None:
            return self._unit.valued(other.own_name(key)[0])
        self._notes.append(f"{path}:{line}: there is no unit {name}")
        return f"systemd-{text.rpartition('.')[0]}"

    def _dockerfile(self) -> Iterator[Declared]:
        unit, folder = self._unit, os.path.dirname(self._unit.path)
        working = unit.last("SetWorkingDirectory")
        if working is not None and known(working[0]) not in ("unit", "file"):
            folder = os.path.join(folder, known(working[0]))
        file = unit.last("File")
        if file is not None and "://" in file[0]:
            self._notes.append(f"{file[2]}:{file[1]}: {file[0]} is not fetched")
            return
        names = ("Containerfile", "Dockerfile") if file is None else (known(file[0]),)
        paths = [os.path.join(folder, name) for name in names]
        path = next((candidate for candidate in paths if self._followed.has_file(candidate)), None)
        if path is None:
            self._notes.append(f"{unit.path}: there is no {paths[0]}: the images it builds on are not protected")
            return
        text = self._followed.read(path).decode("utf-8", "replace")
        arguments = dict(argument[0].partition("=")[::2] for argument in unit.all("BuildArg"))
        by = f"the Containerfile of {unit.name}"
        for image in images_of_dockerfile(text, arguments):
            yield from self._declare("image", (image.name, image.line, path), by, image.written)

    def _kube(self) -> Iterator[Declared]:
        unit = self._unit
        if not any(True for _ in unit.all("Network")):
            yield from self._declare("network", (_KUBE_NETWORK, 0, unit.path))
        for text, line, path in unit.all("Yaml"):
            file = os.path.normpath(os.path.join(os.path.dirname(unit.path), known(text)))
            if "://" in text or UNKNOWN in text:
                self._notes.append(f"{path}:{line}: {known(text)} is not read")
            else:
                yield from declared_by_kube(self._followed.read(file), file, self._notes)
