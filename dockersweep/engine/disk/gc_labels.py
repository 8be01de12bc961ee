"""Labels for containerd's garbage collector. See core/metadata/gc.go of containerd.

A label says that its owner refers to something ("gc.ref."), that something refers to its owner ("gc.bref.", since
containerd 2.2), or that its owner refers to a snapshot as long as that was used within a given time ("gc.cond.", since
2.3).
"""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_PREFIX = "containerd.io/gc."
_REFERENCE = re.compile(
    r"containerd\.io/gc\.(?:ref|(bref))\.(?:(content|image|(?<=bref\.)container)(?:[./].*)?|snapshot\.([^/]*)(?:/.*)?)",
    re.DOTALL,
)
_HOLDS_NOTHING = re.compile(r"containerd\.io/gc\.(?:expire|flat|ref\.(?:mount|stream)(?:[./].*)?)", re.DOTALL)
"""Labels that are read elsewhere, or refer to things that take no space in this database."""
_ROOT = "containerd.io/gc.root"
_CONDITION, _USED_AT = "containerd.io/gc.cond.snapshot", "containerd.io/gc.cond.value-usedat"
_TEST = re.compile(r"usedat([<>])((?:[0-9]+(?:\.[0-9]+)?(?:ns|us|ms|s|m|h))+)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}


class Target(NamedTuple):
    """What a label names."""

    kind: str
    """"content", "image", "snapshot" or "container"."""
    key: str


class Condition(NamedTuple):
    """A reference to a snapshot that holds while one of these tests of its last use does."""

    snapshot: str
    tests: tuple[tuple[str, timedelta], ...]
    """("<" or ">", age) pairs."""

    def holds(self, used_at: Collection[datetime]) -> bool:
        """Return whether any test holds now for any of these times."""
        ages = [datetime.now(UTC) - instant for instant in used_at]
        return any(age < limit if sign == "<" else age > limit for sign, limit in self.tests for age in ages)


class GcLabels(NamedTuple):
    """The garbage-collection labels of one object."""

    refers_to: tuple[Target, ...]
    referred_to_by: tuple[Target, ...]
    conditions: tuple[Condition, ...]
    used_at: tuple[datetime, ...]
    """When a snapshot was last used."""
    is_root: bool
    """Whether it is kept for good."""


def read_gc_labels(labels: Mapping[str, str], snapshotter: str) -> GcLabels:
    """Return the garbage-collection labels; only snapshots of `snapshotter` count.

    Raises ValueError for an unknown label of the garbage collector.
    """
    refers_to: list[Target] = []
    referred_to_by: list[Target] = []
    conditions: list[Condition] = []
    used_at: list[datetime] = []
    is_root = False
    for key, value in labels.items():
        if not key.startswith(_PREFIX) or _HOLDS_NOTHING.fullmatch(key):
            continue
        if match := _REFERENCE.fullmatch(key):
            if match[3] in (None, snapshotter):
                target = Target(match[2] or "snapshot", value)
                (referred_to_by if match[1] else refers_to).append(target)
        elif key.startswith(_ROOT):
            is_root = True
        elif key.startswith(_CONDITION):
            if key.removeprefix(_CONDITION).lstrip("./").partition("/")[0] == snapshotter:
                conditions.append(_condition(value))
        elif key.startswith(_USED_AT):
            used_at.append(_instant(value))
        else:
            raise ValueError(f"containerd's label {key} is not known")
    return GcLabels(tuple(refers_to), tuple(referred_to_by), tuple(conditions), tuple(used_at), is_root)


def _condition(value: str) -> Condition:
    tests, divider, snapshot = value.partition("|")
    matches = [_TEST.fullmatch(test) for test in tests.split(",")]
    if not divider or None in matches:
        raise ValueError(f"containerd's condition {value} is not known")
    return Condition(snapshot, tuple((match[1], _duration(match[2])) for match in matches if match))


def _duration(text: str) -> timedelta:
    parts = re.findall(r"([0-9.]+)(ns|us|ms|s|m|h)", text)
    return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return instant
