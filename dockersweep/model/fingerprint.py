"""The properties of an object that must not change between its judgment and its removal.

The scan and the check just before a removal create the same types, so both fingerprints come from here.
"""

from collections.abc import Collection
from datetime import UTC

from msgspec.json import encode

from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Network, Object, Volume
from dockersweep.model.quantities import Instant

Fingerprint = dict[str, str | int | bool | list[str] | dict[str, str] | None]


def _text(instant: Instant | None) -> str | None:
    """Return the same as isoformat(), which would take as long as the rest of a fingerprint."""
    if instant is None or instant.tzinfo is not UTC:
        return None if instant is None else instant.isoformat()
    # Cut the quotation marks and the Z.
    return f"{encode(instant)[1:-2].decode()}+00:00"


def fingerprint_of(subject: Object) -> Fingerprint:
    """Return the fingerprint of any object."""
    if type(subject) is Container:
        return {
            "id": subject.id,
            "name": subject.name,
            "state": subject.state,
            "started_at": _text(subject.started_at),
            "finished_at": _text(subject.finished_at),
            "restart_policy": subject.restart_policy,
            # `docker update --restart on-failure:9` makes it restart under the same policy.
            **({} if subject.retries_left is None else {"retries_left": subject.retries_left}),
        }
    if type(subject) is Image:
        return image_fingerprint(subject.id, subject.tags)
    if type(subject) is Volume:
        return {
            "name": subject.name,
            "created_at": _text(subject.created_at),
            "driver": subject.driver,
            "mountpoint": subject.mountpoint,
            "labels": subject.labels,
            "options": subject.options,
        }
    if type(subject) is Network:
        return {
            "id": subject.id,
            "name": subject.name,
            "created_at": _text(subject.created_at),
            "driver": subject.driver,
            "labels": subject.labels,
        }
    return _record_fingerprint(subject)


def image_fingerprint(image_id: str, tags: Collection[str]) -> Fingerprint:
    """Return the fingerprint of an image with exactly these tags: each removal of a tag leaves fewer."""
    return {"id": image_id, "tags": sorted(tags)}


def _record_fingerprint(record: BuildCacheRecord) -> Fingerprint:
    return {
        "id": record.id,
        "in_use": record.in_use,
        "last_used_at": _text(record.last_used_at),
        "usage_count": record.usage_count,
    }


def differences(then: Fingerprint, now: Fingerprint) -> str:
    """Return the changed properties as words; empty where nothing changed."""
    return ", ".join(_difference(key, then.get(key), now[key]) for key in now if then.get(key) != now[key])


def _difference(key: str, then: object, now: object) -> str:
    name = key.removesuffix("_at").replace("_", " ")
    if isinstance(then, dict) or isinstance(now, dict):
        # Labels and mount options may hold passwords.
        return f"{name} changed"
    return f"{name} was {_shown(then)}, is {_shown(now)}"


def _shown(value: object) -> str:
    if isinstance(value, list):
        return " and ".join(map(str, value)) or "nothing"
    return "nothing" if value is None else str(value)
