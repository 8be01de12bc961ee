"""What reasons say of ages: how old an object is, and what of that a rule or a protection asks for."""

from typing import Literal

from dockersweep.model.last_use import UseAction
from dockersweep.model.quantities import Instant
from dockersweep.model.reason_details import Details, Number

Measure = Literal[
    "stopped", "created", "never-started", "last-used", "written", "seen-unused", "unused", "first-seen", "built"
]  # fmt: skip
"""Since when an age counts, as finely as sentences tell it apart."""


class Aged(Details, frozen=True, tag="age"):
    """How old it is, and what of that a rule or a protection asks for."""

    measure: Measure
    seconds: Number
    limit: str | None = None
    """The age that is asked for, as it is written: "24h"."""
    date: str | None = None
    """The date from before which it has to be: "2026-01-31"."""
    is_reached: bool = True
    """Whether it is as old as asked for."""
    setting: str | None = None
    """The setting that asks for it, where that is no rule: "protect.younger_than"."""
    also: tuple["Aged", ...] = ()
    """The other ages that the rule asks for."""
    since_at: Instant | None = None
    """Since when that is, where it has not been in use since."""
    scans: Number | None = None
    """How many scans in a row have seen it unused."""
    watched_seconds: Number | None = None
    """For how long of that time uses would have been noticed; None where nothing remembers it."""
    builds_unseen: bool = False
    """Whether the use of an image by a build would not have been noticed in that time."""
    action: UseAction | None = None
    """What was done with it then, or last before then, where it is known."""
    by: str | None = None
    """The container that used it."""
    by_is_gone: bool = False
    """Whether that container is not there any more."""
    made_by_hand: bool = False
    """Whether it is a network that nothing makes again."""
    only_copy_of: str | None = None
    """The container of a compose project whose data it alone has."""


class Unwatched(Details, frozen=True, tag="unwatched"):
    """It was not seen in use, but uses would have been noticed in less than half of the time that is asked for."""

    age: Aged
    watched_seconds: Number
    """For how long of the time that is asked for uses would have been noticed."""
    asked_seconds: Number
    """How long that time is."""
    limit: str
    """The time that is asked for, as it is written: "7d"."""
    builds_unseen: bool = False
    """Whether the use of an image by a build would not have been noticed at all."""


class AfterContainer(Details, frozen=True, tag="after-container"):
    """Its age counts from the removal of the last container that holds it, which goes now."""

    name: str
    """That of the container."""
    limit: str
    """The age that is asked for, as it is written: "24h"."""
    goes_at: Instant
    """When it is as old as that."""
    more: Number = 0
    """How many others hold it and go now."""
    only_copy_of: str | None = None
    """The container of a compose project whose data it alone has."""


class AgeUnknown(Details, frozen=True, tag="age-unknown"):
    """Nothing tells how old it is."""

    asked_for: Literal["age", "unused", "built", "created", "last-use"]
    built_on: str | None = None
    """The day on which an image was built, of which nothing tells when it came here: "2026-01-31"."""
    setting: str | None = None
    """The setting that asks for it, where that is no rule: "protect.younger_than"."""


class Candidate(Details, frozen=True, tag="candidate"):
    """Since when it is a candidate of a rule with remove.marked_for."""

    seconds: Number | None
    """None where it is one from now on."""
    limit: str
    """For how long it has to be one, as it is written: "2d"."""
    is_reached: bool
