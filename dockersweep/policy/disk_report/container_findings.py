"""What there is to find about containers."""

from itertools import filterfalse

from dockersweep.model.inventory import STOPPED_STATES, Container
from dockersweep.policy.disk_report.scene import Evidence, Found, Scene
from dockersweep.policy.protections import is_cleaned_up_by_others
from dockersweep.policy.restarts import restarts_by_itself
from dockersweep.units import HOUR, format_duration, format_size

LARGE_LOG_BYTES = 10_000_000
LARGE_LAYER_BYTES = 100_000_000
MANY_RESTARTS = 5
JUST_STARTED_SECONDS = HOUR
STUCK_SECONDS = HOUR
LEFT_SECONDS = 6 * HOUR
"""A build that still runs may have begun hours ago, and nothing tells it from one that was killed."""


def logs_without_limit(scene: Scene) -> Found:
    """Logs that nothing cuts, and that are or become large; what is stopped writes no more."""
    for one in scene.inventory.containers:
        if one.log_is_limited is not False or one.log_bytes is None or one.state in STOPPED_STATES:
            continue
        rate = scene.per_day(one.log_bytes, one.created_at)
        if one.log_bytes >= LARGE_LOG_BYTES or (rate or 0) >= LARGE_LOG_BYTES:
            grows = "" if rate is None else f", {format_size(round(rate))} a day"
            yield Evidence(f"{one.name}: {format_size(one.log_bytes)}{grows}", one.log_bytes, name=one.name)


def large_writable_layers(scene: Scene) -> Found:
    """What is written there goes with the container, and is slower to write than in a volume."""
    for one in scene.inventory.containers:
        size = _layer_bytes(scene, one)
        if one.state in STOPPED_STATES or size is None or size < LARGE_LAYER_BYTES:
            continue
        rate = scene.per_day(size, one.created_at)
        grows = "" if rate is None else f", {format_size(round(rate))} a day"
        yield Evidence(f"{one.name}: {format_size(size)}{grows}", size, name=one.name)


def _layer_bytes(scene: Scene, one: Container) -> int | None:
    """Return what a container has written, without its log."""
    size = scene.container(one).own_bytes if scene.base == "disk" else one.size_bytes
    if size is None:
        return None
    is_with_log = scene.base == "disk" or scene.inventory.engine.flavour == "podman"
    return max(0, size - (one.log_bytes or 0)) if is_with_log else size


def restart_loops(scene: Scene) -> Found:
    """Those that the engine starts again and again."""
    for one in scene.inventory.containers:
        up = None if one.started_at is None else (scene.inventory.taken_at - one.started_at).total_seconds()
        restarts = one.restart_count or 0
        is_up_again = one.state == "running" and up is not None and up < JUST_STARTED_SECONDS
        if one.state == "restarting" or (is_up_again and restarts >= MANY_RESTARTS):
            ended = f", ended with {one.exit_code}" if one.state == "restarting" and one.exit_code is not None else ""
            count = "" if one.restart_count is None else f", {restarts} restarts"
            yield Evidence(f"{one.name}: {one.state}{count}{ended}", rank=restarts, name=one.name)


def stuck(scene: Scene) -> Found:
    """Those whose removal failed, or does not end. What the swarm or the kubelet made nobody else is to remove."""
    for one in filterfalse(is_cleaned_up_by_others, scene.inventory.containers):
        since = scene.seconds_since(one.finished_at or one.created_at)
        if one.state in ("dead", "removing") and (since is None or since >= STUCK_SECONDS):
            told = "" if since is None else f" for up to {format_duration(since)}"
            yield Evidence(f"{one.name}: {one.state}{told}", scene.container(one).own_bytes, name=one.name)


def stopped_and_restarting(scene: Scene) -> Found:
    """Those that nobody runs, and that come back when the engine starts."""
    for one in scene.inventory.containers:
        # With unless-stopped it stays down where somebody stopped it.
        if one.state not in ("exited", "dead") or one.restart_policy == "unless-stopped" or not restarts_by_itself(one):
            continue
        since = scene.seconds_since(one.finished_at)
        told = "" if since is None else f" for {format_duration(since)}"
        how = "always" if one.restart_policy == "always" else f"on-failure (exit code {one.exit_code})"
        yield Evidence(f"{one.name}: stopped{told}, restarts {how}", scene.container(one).own_bytes, name=one.name)


def left_by_builds(scene: Scene) -> Found:
    """Containers of builds in Podman's storage: a build removes its own at its end, unless it is killed."""
    for one in scene.inventory.external or ():
        since = scene.seconds_since(one.created_at)
        if one.tool == "podman build" and since is not None and since >= LEFT_SECONDS:
            text = f"{one.name}: {format_size(one.size_bytes)}, made {format_duration(since)} ago"
            yield Evidence(text, one.size_bytes, rank=since, name=one.name)
