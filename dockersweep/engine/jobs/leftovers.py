"""Removes what runs of `swarm` have created: at the end of a run its own, at the beginning what a killed one left."""

from collections.abc import Callable
from datetime import datetime, timedelta

from dockersweep.engine.api.swarm_jobs import OwnObject
from dockersweep.engine.jobs.job_calls import JobCalls
from dockersweep.units import parse_instant

IsOver = Callable[[str], bool | None]
"""Returns whether the run of that id is over; None where that cannot be known here."""


def remove_run(calls: JobCalls, run: str) -> None:
    """Remove all services and configs of a run; raises EngineError."""
    remove_runs(calls, lambda entry: entry.run == run)


def remove_leftovers(calls: JobCalls, is_over: IsOver, now: datetime | None) -> set[str]:
    """Remove what runs that are over have left, and return their ids.

    A run that another user or machine began cannot be asked: its time must have passed, by the manager's clock `now`
    (None if it does not tell). Raises EngineError.
    """
    return remove_runs(calls, lambda entry: _is_left(entry, is_over, now))


def remove_runs(calls: JobCalls, is_meant: Callable[[OwnObject], bool]) -> set[str]:
    """Remove the services and configs of ours that are meant; return of which runs they were. Raises EngineError."""
    # A config cannot be removed before the service that uses it.
    services = [service for service in calls.own_services() if is_meant(service)]
    for service in services:
        calls.remove_service(service.id)
    configs = [config for config in calls.own_configs() if is_meant(config)]
    for config in configs:
        calls.remove_config(config.id)
    return {entry.run for entry in (*services, *configs)}


def _is_left(entry: OwnObject, is_over: IsOver, now: datetime | None) -> bool:
    over = is_over(entry.run)
    if over is not None:
        return over
    created = parse_instant(entry.created_at)
    if created is None or now is None or entry.seconds is None:
        return False
    return now > created + timedelta(seconds=entry.seconds)
