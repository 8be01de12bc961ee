"""The containers that have done their work and that their compose project needs to start again.

`docker compose start` (2.40) fails with "web is missing dependency init" where the container of a service is gone that
another one depends on. Where no service depends on it, its work is silently not done again.
"""

from collections.abc import Iterable, Mapping

from dockersweep.model.compose_labels import dependencies_in, is_one_off, service_in
from dockersweep.model.inventory import STOPPED_STATES, Container
from dockersweep.model.reason import OfRunningProject, Reason


def needed_to_start(containers: Iterable[Container]) -> Mapping[str, tuple[Reason, ...]]:
    """Return container id -> why it is kept: it has ended, another one of its compose project runs, and it ended with 0
    or another service depends on it. Not those of `compose run`: nothing starts them again."""
    by_project: dict[str, list[Container]] = {}
    for container in containers:
        if container.project is not None:
            by_project.setdefault(container.project, []).append(container)
    kept: dict[str, tuple[Reason, ...]] = {}
    for project, own in by_project.items():
        running = min((container.name for container in own if container.state not in STOPPED_STATES), default=None)
        if running is None:
            continue
        services = [container for container in own if not is_one_off(container.labels)]
        wanted = {service for container in services for service in dependencies_in(container.labels)}
        for container in services:
            if container.state in ("exited", "dead") and (
                container.exit_code in (0, None) or service_in(container.labels) in wanted
            ):
                about = OfRunningProject(project=project, running=running)
                kept[container.id] = (Reason(code="project-runs", rule="protection", about=about),)
    return kept
