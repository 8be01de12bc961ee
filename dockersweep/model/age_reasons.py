"""Ages in reasons: how old an object is, beside the age that a rule or a protection asks for."""

from typing import Literal

from dockersweep.model.last_use import UseAction
from dockersweep.model.quantities import Instant
from dockersweep.model.reason_details import Details, Number

Measure = Literal[
    "stopped", "created", "never-started", "last-used", "written", "seen-unused", "unused", "first-seen", "built"
]  # fmt: skip
"""What an age counts from, as detailed as the sentences need it."""


class Aged(Details, frozen=True, tag="age"):
    """How old it is, beside the age or date that a rule or a protection asks for."""

    measure: Measure
    seconds: Number
    limit: str | None = None
    """The required age, as written: "24h"."""
    date: str | None = None
    """The date before which it has to be: "2026-01-31"."""
    is_reached: bool = True
    """Whether it is as old as required."""
    setting: str | None = None
    """The setting that asks for it, where no rule does: "protect.younger_than"."""
    also: tuple["Aged", ...] = ()
    """The other ages that the rule asks for."""
    since_at: Instant | None = None
    """The instant that it counts from, where it has been unused since."""
    scans: Number | None = None
    """How many scans in a row have seen it unused."""
    watched_seconds: Number | None = None
    """For how long of that time uses would have been noticed; None where that is not known."""
    builds_unseen: bool = False
    """Whether the use of an image by a build would not have been noticed in that time."""
    action: UseAction | None = None
    """The use at that instant, or the last one before, where it is known."""
    by: str | None = None
    """The container that used it."""
    by_is_gone: bool = False
    """Whether that container no longer exists."""
    made_by_hand: bool = False
    """Whether it is a network that nothing creates again."""
    only_copy_of: str | None = None
    """The container of a compose project that wrote the only copy of its data here."""


class Unwatched(Details, frozen=True, tag="unwatched"):
    """It was not seen in use, but uses would have been noticed in less than half of the required time."""

    age: Aged
    watched_seconds: Number
    """For how long of the required time uses would have been noticed."""
    asked_seconds: Number
    """How long that time is."""
    limit: str
    """The required time, as written: "7d"."""
    builds_unseen: bool = False
    """Whether the use of an image by a build would not have been noticed at all."""


class AfterContainer(Details, frozen=True, tag="after-container"):
    """Its age counts from the removal of the last container that holds it, which this plan removes."""

    name: str
    """The name of the container."""
    limit: str
    """The required age, as written: "24h"."""
    goes_at: Instant
    """When it reaches that age, if the container is removed now."""
    more: Number = 0
    """How many other containers hold it and are removed now."""
    only_copy_of: str | None = None
    """The container of a compose project that wrote the only copy of its data here."""


class AgeUnknown(Details, frozen=True, tag="age-unknown"):
    """Its age is not known."""

    asked_for: Literal["age", "unused", "built", "created", "last-use"]
    built_on: str | None = None
    """The build date of an image of which the arrival is not known: "2026-01-31"."""
    setting: str | None = None
    """The setting that asks for it, where no rule does: "protect.younger_than"."""


class Candidate(Details, frozen=True, tag="candidate"):
    """How long it has been a candidate of a rule with remove.marked_for."""

    seconds: Number | None
    """None where it is one from now on."""
    limit: str
    """How long it has to be one, as written: "2d"."""
    is_reached: bool
