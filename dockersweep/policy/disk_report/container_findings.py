"""Findings about containers: the function that finds each, and its row."""

from collections.abc import Iterator

from dockersweep.model.inventory import STOPPED_STATES, Container
from dockersweep.model.restarts import restarts_by_itself
from dockersweep.policy.disk_report.evidence import Evidence
from dockersweep.policy.disk_report.finding_facts import FindingFacts
from dockersweep.policy.disk_report.finding_row import FindingRow, FixTemplate
from dockersweep.policy.judging.hard_protections import is_cleaned_up_by_others
from dockersweep.units import HOUR, format_duration, format_size

LARGE_LOG_BYTES = 10_000_000
LARGE_LAYER_BYTES = 100_000_000
MANY_RESTARTS = 5
JUST_STARTED_SECONDS = HOUR
STUCK_SECONDS = HOUR
LEFT_SECONDS = 6 * HOUR
"""A build that still runs may have begun hours ago, and looks the same as one that was killed."""


def logs_without_limit(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield the logs without a limit that are large or grow fast, of containers that still run."""
    for container in facts.inventory.containers:
        if container.log_is_limited is not False or container.log_bytes is None or container.state in STOPPED_STATES:
            continue
        rate = facts.per_day(container.log_bytes, container.created_at)
        if container.log_bytes >= LARGE_LOG_BYTES or (rate or 0) >= LARGE_LOG_BYTES:
            grows = "" if rate is None else f", {format_size(round(rate))} a day"
            yield Evidence(
                f"{container.name}: {format_size(container.log_bytes)}{grows}", container.log_bytes, name=container.name
            )


def large_writable_layers(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield the large writable layers of running containers: their data is lost with the container, and volumes are
    faster to write."""
    for container in facts.inventory.containers:
        size = None if container.state in STOPPED_STATES else _layer_bytes(facts, container)
        if size is None or size < LARGE_LAYER_BYTES:
            continue
        rate = facts.per_day(size, container.created_at)
        grows = "" if rate is None else f", {format_size(round(rate))} a day"
        yield Evidence(f"{container.name}: {format_size(size)}{grows}", size, name=container.name)


def _layer_bytes(facts: FindingFacts, container: Container) -> int | None:
    """Return the size of a container's writable layer, without its log."""
    size = facts.container(container).own_bytes if facts.survey.size_base == "disk" else container.size_bytes
    if size is None:
        return None
    is_with_log = facts.survey.size_base == "disk" or facts.inventory.engine.flavour == "podman"
    return max(0, size - (container.log_bytes or 0)) if is_with_log else size


def restart_loops(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield the containers that the engine starts again and again."""
    for container in facts.inventory.containers:
        restarts = container.restart_count or 0
        is_often = container.state == "running" and restarts >= MANY_RESTARTS
        if container.state == "restarting" or (is_often and _has_just_started(facts, container)):
            ended = (
                f", last exit code {container.exit_code}"
                if container.state == "restarting" and container.exit_code is not None
                else ""
            )
            count = "" if container.restart_count is None else f", {restarts} restarts"
            yield Evidence(f"{container.name}: {container.state}{count}{ended}", rank=restarts, name=container.name)


def _has_just_started(facts: FindingFacts, container: Container) -> bool:
    if container.started_at is None:
        return False
    return (facts.inventory.taken_at - container.started_at).total_seconds() < JUST_STARTED_SECONDS


def stuck(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield the containers whose removal failed or does not end, except those of the swarm and the kubelet."""
    for container in facts.inventory.containers:
        if container.state not in ("dead", "removing") or is_cleaned_up_by_others(container):
            continue
        since = facts.seconds_since(container.finished_at or container.created_at)
        if since is None or since >= STUCK_SECONDS:
            duration = "" if since is None else f" for up to {format_duration(since)}"
            yield Evidence(
                f"{container.name}: {container.state}{duration}",
                facts.container(container).own_bytes,
                name=container.name,
            )


def stopped_and_restarting(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield the stopped containers that the engine will start when it starts itself."""
    for container in facts.inventory.containers:
        # With unless-stopped, a container that somebody stopped is not started.
        if (
            container.state not in ("exited", "dead")
            or container.restart_policy == "unless-stopped"
            or not restarts_by_itself(container)
        ):
            continue
        since = facts.seconds_since(container.finished_at)
        ago = "" if since is None else f" {format_duration(since)} ago"
        how = "always" if container.restart_policy == "always" else f"on-failure (exit code {container.exit_code})"
        yield Evidence(
            f"{container.name}: stopped{ago}, restarts {how}",
            facts.container(container).own_bytes,
            name=container.name,
        )


def left_by_builds(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield the containers of killed builds in Podman's storage: other builds remove theirs when they end."""
    for leftover in facts.inventory.external or ():
        since = facts.seconds_since(leftover.created_at)
        if leftover.tool == "podman build" and since is not None and since >= LEFT_SECONDS:
            text = f"{leftover.name}: {format_size(leftover.size_bytes)}, made {format_duration(since)} ago"
            yield Evidence(text, leftover.size_bytes, rank=since, name=leftover.name)


CONTAINER_FINDINGS = (
    FindingRow(
        "DS001",
        "warning",
        title_of_one="1 container log grows without a limit",
        title_of_many="{} container logs grow without a limit",
        fix=FixTemplate(
            # Without "log-driver", an engine with another default driver, which lacks these options, fails to start.
            'write "log-driver": "json-file" and "log-opts": {{"max-size": "10m", "max-file": "3"}} into '
            "/etc/docker/daemon.json, restart the engine, and make the containers anew: a log goes with its "
            "container",
        ),
        find=logs_without_limit,
    ),
    FindingRow(
        "DS002",
        "warning",
        title_of_one="1 container has a large writable layer",
        title_of_many="{} containers have large writable layers",
        fix=FixTemplate(
            "mount a volume where it writes: {command} shows where",
            command="docker diff {name}",
        ),
        find=large_writable_layers,
    ),
    FindingRow(
        "DS008",
        "warning",
        title_of_one="1 container is in a restart loop",
        title_of_many="{} containers are in a restart loop",
        fix=FixTemplate(
            "read why with {command}, and stop it until that is fixed",
            command="docker logs --tail 50 {name}",
        ),
        find=restart_loops,
    ),
    FindingRow(
        "DS009",
        "warning",
        title_of_one="1 container is stuck, dead or being removed",
        title_of_many="{} containers are stuck, dead or being removed",
        fix=FixTemplate(
            "{command}; if that fails, the engine's log says what holds its folder",
            command="docker rm {name}",
        ),
        find=stuck,
    ),
    FindingRow(
        "DS014",
        "note",
        title_of_one="1 stopped container would start again with the engine",
        title_of_many="{} stopped containers would start again with the engine",
        fix=FixTemplate(
            "{command} if it should stay stopped; sweep then removes it when it is old enough",
            command="docker update --restart=no {name}",
        ),
        find=stopped_and_restarting,
    ),
    FindingRow(
        "DS018",
        "warning",
        title_of_one="1 container of a build was left behind",
        title_of_many="{} containers of builds were left behind",
        fix=FixTemplate(
            # The option came with Podman 5.4 (containers/podman#25102).
            "{command}, unless its build still runs; podman system prune --build (Podman 5.4 or newer) removes "
            "all of them, but stopped containers and dangling images too",
            command="podman rm --force {name}",
        ),
        find=left_by_builds,
    ),
)
