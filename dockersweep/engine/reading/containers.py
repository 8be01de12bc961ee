"""Details of containers that no list has: for stopped containers, and for a report all others too. Without records on
the engine's disk, this takes one inspect per container."""

from collections.abc import Iterable, Mapping

import msgspec

from dockersweep.engine.api.concurrent import Progress, call_for_each, call_within
from dockersweep.engine.reading.container_logs import hidden_log_path, log_bytes
from dockersweep.engine.reading.engine_reads import EngineReads
from dockersweep.errors import EngineError
from dockersweep.model.inventory import STOPPED_STATES, Container, Engine, ScanWarning
from dockersweep.words.lists import first_of

LogSizes = Mapping[str, int | None]
"""Bytes by container id."""


_ONLY_INSPECTED = (
    "started_at", "restart_policy", "exit_code", "restart_count", "retries_left", "log_driver", "log_path",
    "log_is_limited",
)  # fmt: skip
"""The fields of a container that the list does not have."""


def read_stopped(
    reads: EngineReads,
    listed: tuple[Container, ...],
    recorded: Mapping[str, Container],
    seconds: float,
    warnings: list[ScanWarning],
    progress: Progress,
) -> Iterable[Container]:
    """Add to stopped containers what no list call of any version has: when they finished, and whether they restart.
    Containers whose id is not in `recorded` are inspected."""
    stopped = [container for container in listed if container.state in STOPPED_STATES]
    details = _inspect(reads, stopped, recorded, progress)
    logs = _log_sizes(details, reads.engine, seconds)
    for container in listed:
        inspected = details.get(container.id)
        if container.id not in details:
            yield container
        elif isinstance(inspected, EngineError):
            text = f"not read in full: {inspected}"
            warnings.append(ScanWarning(about=f"container {container.name}", text=text, reason=str(inspected)))
            yield msgspec.structs.replace(container, unread=str(inspected))
        else:
            yield _merged(container, inspected, logs)


def read_running(
    reads: EngineReads,
    containers: tuple[Container, ...],
    recorded: Mapping[str, Container],
    seconds: float,
    warnings: list[ScanWarning],
    progress: Progress,
) -> Iterable[Container]:
    """Add to containers that are not stopped what only a report shows; no verdict depends on it."""
    running = [container for container in containers if container.state not in STOPPED_STATES]
    details = _inspect(reads, running, recorded, progress)
    logs = _log_sizes(details, reads.engine, seconds)
    unread = []
    for container in containers:
        inspected = details.get(container.id)
        if isinstance(inspected, Container):
            container = _with_log(container, inspected, logs)
        if container.log_bytes is None:
            unread.append(container.name)
        yield container
    if unread:
        text = f"of unknown size, because they cannot be read from here: those of {first_of(unread, 1)}"
        warnings.append(ScanWarning(about="container logs", text=text))


def _with_log(listed: Container, details: Container, logs: LogSizes) -> Container:
    fields = {field: getattr(details, field) for field in _ONLY_INSPECTED}
    return msgspec.structs.replace(listed, **fields, log_bytes=logs.get(details.id))


def _log_sizes(details: Mapping[str, Container | EngineError | None], engine: Engine, seconds: float) -> LogSizes:
    """Return the sizes of logs by container id; empty if their disk does not answer."""
    containers = [
        inspected for inspected in details.values() if isinstance(inspected, Container) and not _never_ran(inspected)
    ]
    try:
        return call_within(seconds, lambda: {container.id: _log_bytes(container, engine) for container in containers})
    except TimeoutError:
        return {}


def _log_bytes(details: Container, engine: Engine) -> int | None:
    path = details.log_path or hidden_log_path(details.log_driver, details.id, engine.root_dir)
    return log_bytes(details.log_driver, path, engine.is_local)


def _inspect(
    reads: EngineReads, wanted: list[Container], recorded: Mapping[str, Container], progress: Progress
) -> Mapping[str, Container | EngineError | None]:
    def ask(container_id: str) -> Container | EngineError | None:
        try:
            return reads.container(container_id)
        except EngineError as error:
            return error

    known = {container.id: recorded[container.id] for container in wanted if container.id in recorded}
    return known | call_for_each([container.id for container in wanted if container.id not in known], ask, progress)


def _merged(listed: Container, details: Container | None, logs: LogSizes) -> Container:
    if details is None:
        # It may be gone for good, or come back under another id; until the next scan it counts as there.
        return msgspec.structs.replace(listed, unread="it disappeared while it was being read")
    networks = tuple(sorted({*listed.networks, *details.networks}))
    mounts = details.mounts + tuple(mount for mount in listed.mounts if mount not in details.mounts)
    return msgspec.structs.replace(
        details,
        networks=networks,
        mounts=mounts,
        image_id=listed.image_id or details.image_id,
        log_bytes=0 if _never_ran(details) else logs.get(details.id),
    )


def _never_ran(details: Container) -> bool:
    return details.started_at is None and details.finished_at is None
