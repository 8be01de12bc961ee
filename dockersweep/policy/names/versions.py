"""Tags that are semantic versions, and which of them is the newest of its major or minor version."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from dockersweep.model.policy import Count
from dockersweep.model.reason import KeptVersion

if TYPE_CHECKING:
    from semver import Version

T = TypeVar("T")
Line = tuple[int, ...]
"""A major version (2,) or a minor one (1, 4)."""


def version_of(tag: str) -> Version | None:
    """Return the semantic version in a tag, with or without a leading v; None for other tags.

    "1.2" and "latest" are not versions: these tags move from one version to the next. "1.2.3-rc.1" is a pre-release,
    and by semver.org's definition so is "1.2.3-alpine".
    """
    text = tag.removeprefix("v")
    # Most tags are not versions, and an exception for each would be slow.
    if text.count(".") < 2 or not text[0].isdecimal():
        return None
    from semver import Version

    try:
        return Version.parse(text)
    except ValueError:
        return None


def newest_of_majors(versions: Iterable[tuple[Version, T]], count: Count) -> Iterator[tuple[T, KeptVersion]]:
    """Yield the owners of the newest version of each of the newest major versions, with that version.

    `versions` are (version, owner) pairs of one repository. A release is newer than every pre-release of its major
    version. Major versions with only pre-releases are counted apart, so that the first release candidate of the next
    version pushes out no release.
    """
    return _newest(versions, count, lambda version: (version.major,))


def newest_of_minors(versions: Iterable[tuple[Version, T]], count: Count) -> Iterator[tuple[T, KeptVersion]]:
    """Yield the owners of the newest patch of each of the newest minor versions, as `newest_of_majors` does."""
    return _newest(versions, count, lambda version: (version.major, version.minor))


def _newest(
    versions: Iterable[tuple[Version, T]], count: Count, line_of: Callable[[Version], Line]
) -> Iterator[tuple[T, KeptVersion]]:
    releases: defaultdict[Line, list[tuple[Version, T]]] = defaultdict(list)
    candidates: defaultdict[Line, list[tuple[Version, T]]] = defaultdict(list)
    for version, owner in versions:
        (candidates if version.prerelease else releases)[line_of(version)].append((version, owner))
    for line in releases:
        candidates.pop(line, None)
    for lines in (releases, candidates):
        for line in sorted(lines, reverse=True)[: None if count == "all" else count]:
            newest = KeptVersion(version=".".join(map(str, line)), pre_release=lines is candidates)
            for owner in _of_the_highest(lines[line]):
                yield owner, newest


def _of_the_highest(versions: Iterable[tuple[Version, T]]) -> Iterator[T]:
    """Yield all owners of the highest version: v1.2.3 equals 1.2.3."""
    by_numbers: defaultdict[Line, list[tuple[Version, T]]] = defaultdict(list)
    for version, owner in versions:
        by_numbers[version.major, version.minor, version.patch].append((version, owner))
    # Comparing versions is slow, and only pre-releases with equal numbers need it.
    tied = by_numbers[max(by_numbers)]
    if not tied[0][0].prerelease:
        yield from (owner for _, owner in tied)
        return
    highest = max(version for version, _ in tied)
    yield from (owner for version, owner in tied if version == highest)
