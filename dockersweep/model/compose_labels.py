"""The labels that docker compose and podman-compose set on their objects.

Checked with docker compose 2.40: an image that it builds gets project, service and version; a container gets these and
others that no built image has. `docker commit` copies all of a container's labels into the image.
"""

from collections.abc import Mapping

_COMPOSE, _PODMAN = "com.docker.compose.", "io.podman.compose."
PROJECT = f"{_COMPOSE}project"
SERVICE = f"{_COMPOSE}service"
CONTAINER_NUMBER = f"{_COMPOSE}container-number"
_CONFIG_FILES, _DEPENDS_ON, _ONE_OFF = f"{PROJECT}.config_files", f"{_COMPOSE}depends_on", f"{_COMPOSE}oneoff"
_PROJECTS = (PROJECT, f"{_PODMAN}project")
_SERVICES = (SERVICE, f"{_PODMAN}service")
_TELLING = frozenset((*_SERVICES, _CONFIG_FILES))
_OF_CONTAINERS_ONLY = (CONTAINER_NUMBER, f"{_COMPOSE}config-hash", f"{_PODMAN}config-hash")
USER_LABELS = (*_PROJECTS, *_SERVICES)
"""The labels that name project and service."""

Labels = Mapping[str, str]


def project_in(labels: Labels) -> str | None:
    """Return the project that labels name; None where they name none."""
    return _first(labels, _PROJECTS)


def are_any_of_compose(labels: Labels) -> bool:
    """Whether labels name a service or files: those of most objects do not."""
    return not _TELLING.isdisjoint(labels)


def service_in(labels: Labels) -> str | None:
    """Return the service that labels name."""
    return _first(labels, _SERVICES)


def is_one_off(labels: Labels) -> bool:
    """Whether `compose run` created a container: it does not belong to its service, and nothing starts it again."""
    return labels.get(_ONE_OFF, "").lower() == "true"


def are_of_container(labels: Labels) -> bool:
    """Whether labels include any that compose sets only on containers."""
    return any(key in labels for key in _OF_CONTAINERS_ONLY)


def adds_to(labels: Labels, inherited: Labels) -> bool:
    """Whether labels include any of compose's that cannot be inherited: `inherited` lacks it or has another value."""
    return any(key.startswith((_COMPOSE, _PODMAN)) and inherited.get(key) != value for key, value in labels.items())


def working_dir_in(labels: Labels) -> str | None:
    """Return the folder from which compose was run."""
    return labels.get(f"{PROJECT}.working_dir") or None


def config_files_in(labels: Labels) -> tuple[str, ...]:
    """Return the paths of the compose files, which a label lists with commas between them.

    A path with a comma in it comes out in pieces.
    """
    written = labels.get(_CONFIG_FILES)
    return tuple(path for path in written.split(",") if path) if written else ()


def dependencies_in(labels: Labels) -> tuple[str, ...]:
    """Return the services that a container's service depends on. docker compose 2 lists them as name, condition and
    whether it restarts with them: "db:service_healthy:false,init:..."."""
    written = labels.get(_DEPENDS_ON)
    return tuple(entry.partition(":")[0] for entry in written.split(",") if entry) if written else ()


def _first(labels: Labels, keys: tuple[str, ...]) -> str | None:
    for key in keys:
        value = labels.get(key)
        if value:
            return value
    return None
