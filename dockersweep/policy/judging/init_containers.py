"""The containers that have done their work and that their compose project needs to start again.

`docker compose start` (2.40) ends with "web is missing dependency init" where a container of a service is gone that
another one depends on; of those that none depends on, what has ended with 0 is not run again without being told of.
"""

from collections.abc import Iterable, Mapping

from dockersweep.model.compose_labels import dependencies_in, is_one_off, service_in
from dockersweep.model.inventory import STOPPED_STATES, Container
from dockersweep.model.reason import OfRunningProject, Reason


def needed_to_start(containers: Iterable[Container]) -> Mapping[str, tuple[Reason, ...]]:
    """Return why containers stay, by id, that have ended while another one of their compose project runs: those that
    ended with 0, and those of services that others depend on. What `compose run` made is started by none again."""
    by_project: dict[str, list[Container]] = {}
    for one in containers:
        if one.project is not None:
            by_project.setdefault(one.project, []).append(one)
    found: dict[str, tuple[Reason, ...]] = {}
    for project, own in by_project.items():
        running = min((one.name for one in own if one.state not in STOPPED_STATES), default=None)
        if running is None:
            continue
        services = [one for one in own if not is_one_off(one.labels)]
        wanted = {service for one in services for service in dependencies_in(one.labels)}
        for one in services:
            if one.state in ("exited", "dead") and (one.exit_code in (0, None) or service_in(one.labels) in wanted):
                about = OfRunningProject(project=project, running=running)
                found[one.id] = (Reason(code="project-runs", rule="protection", about=about),)
    return found
