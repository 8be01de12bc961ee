"""Images to count, for tests of what a rule keeps."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from dockersweep.model.inventory import Image, Object
from dockersweep.model.policy import Keep
from dockersweep.policy.judging.retention import retain
from dockersweep.words.reasons import about_text
from tests.rig.inventories import NOW, ago, image

Spoken = list[tuple[Object, tuple[str, ...]]]


def built(name: str, *tags: str, at: datetime | None = None, project: str | None = None, **more: object) -> Image:
    """An image that was built at that time, or nobody knows when."""
    return replace(image(name, *tags), built_at=at, project=project, **more)


def matched(objects: Iterable[Object]) -> Spoken:
    """What a rule without conditions for tags matches."""
    return [(seen, seen.tags if isinstance(seen, Image) else ()) for seen in objects]


def said(keep: Keep, *objects: Object) -> dict[str, str]:
    """What is kept, by its tag or otherwise by its id, with all reasons."""
    kept = retain(keep, matched(objects), NOW).kept
    return {tag or own: "; ".join(map(about_text, reasons)) for (own, tag), reasons in kept.items()}


def series(repository: str, *days: float) -> list[Image]:
    """Images of one repository, each so many days old; the first has the tag 1."""
    return [built(f"{repository}{n}", f"{repository}:{n}", at=ago(days=old)) for n, old in enumerate(days, 1)]


def versions(repository: str, *tags: str) -> list[Image]:
    """Images of one repository, one for each tag, the time of whose build nobody knows."""
    return [built(tag, f"{repository}:{tag}") for tag in tags]
