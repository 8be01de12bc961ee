"""`plan --at` and `plan --next`: plans for later instants."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

from msgspec.structs import replace

from dockersweep.errors import UsageError
from dockersweep.model.plan import Plan
from dockersweep.model.policy import Policy
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.upcoming import upcoming_days
from dockersweep.units import Age, format_instant

MOST_DAYS = 92


def survey_at(survey: Survey, at: Age | datetime) -> Survey:
    """Return the survey as it would be at `at` if nothing changes; an age counts from the survey's own instant.

    Raises UsageError for a time that is not after the scan.
    """
    instant = at.after(survey.now) if isinstance(at, Age) else at
    if instant <= survey.now:
        raise UsageError(
            f"--at: {format_instant(instant)} is not after the scan of {format_instant(survey.now)}: "
            "name a later time, or write an age like +7d"
        )
    return survey.at(instant)


def with_upcoming(plan: Plan, survey: Survey, policy: Policy, within: Age) -> Plan:
    """Return the plan with what would be removed `within` an age from now, by days of the local time zone.

    Raises UsageError for an age of zero or over `MOST_DAYS`.
    """
    end = within.after(survey.now)
    if not timedelta() < end - survey.now <= timedelta(days=MOST_DAYS):
        raise UsageError(f'--next: "{within.text}" is not from 1s to {MOST_DAYS}d; for later, use --at')
    return replace(plan, upcoming=upcoming_days(survey, policy, plan, list(_ends_of_days(survey.now, end))))


def _ends_of_days(now: datetime, end: datetime) -> Iterator[datetime]:
    """Yield each local midnight before `end`, then `end`."""
    today = now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for number in count(1):
        # Built without a zone, it gets the UTC offset of that day.
        midnight = (today + timedelta(days=number)).astimezone(UTC)
        if midnight >= end:
            break
        yield midnight
    yield end
