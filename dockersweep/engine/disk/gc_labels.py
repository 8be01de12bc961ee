"""What containerd's garbage collector reads in the labels of an object. See core/metadata/gc.go of containerd.

A label can say that its owner refers to something ("gc.ref."), that something refers to its owner ("gc.bref.", since
containerd 2.2), or that its owner refers to a snapshot while that was used in a given time ("gc.cond.", since 2.3).
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
"""Read elsewhere, or references to what takes no space in this database."""
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
    """A snapshot that is referred to while one of these tests holds for the time of its last use."""

    snapshot: str
    tests: tuple[tuple[str, timedelta], ...]
    """"<" or ">", and how long ago."""

    def holds(self, used_at: Collection[datetime]) -> bool:
        """Return whether one of the tests holds now for one of the times."""
        ages = [datetime.now(UTC) - one for one in used_at]
        return any(age < limit if sign == "<" else age > limit for sign, limit in self.tests for age in ages)


class GcLabels(NamedTuple):
    """What the labels of one object say."""

    refers_to: tuple[Target, ...]
    referred_to_by: tuple[Target, ...]
    conditions: tuple[Condition, ...]
    used_at: tuple[datetime, ...]
    """When a snapshot was last used."""
    is_root: bool
    """Whether it is kept for good."""


def read_gc_labels(labels: Mapping[str, str], snapshotter: str) -> GcLabels:
    """Return what these labels say; of snapshots, only those of `snapshotter` count.

    Raises ValueError where one is for the garbage collector and its meaning is not known.
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
    matches = [_TEST.fullmatch(one) for one in tests.split(",")]
    if not divider or None in matches:
        raise ValueError(f"containerd's condition {value} is not known")
    return Condition(snapshot, tuple((match[1], _duration(match[2])) for match in matches if match))


def _duration(text: str) -> timedelta:
    parts = re.findall(r"([0-9.]+)(ns|us|ms|s|m|h)", text)
    return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))


def _instant(text: str) -> datetime:
    told = datetime.fromisoformat(text)
    if told.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return told
