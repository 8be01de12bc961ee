"""What docker compose and podman-compose write into labels of what they make.

Checked with docker compose 2.40: an image that it builds gets project, service and version; a container gets these too,
and others beside them that no built image has. `docker commit` copies all of a container's labels into the image.
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

Labels = Mapping[str, str]


def project_in(labels: Labels) -> str | None:
    """Return the project that labels name; None where they name none."""
    return _first(labels, _PROJECTS)


def are_any_of_compose(labels: Labels) -> bool:
    """Whether labels tell a service or files: those of most objects do not."""
    return not _TELLING.isdisjoint(labels)


def service_in(labels: Labels) -> str | None:
    """Return the service that labels name."""
    return _first(labels, _SERVICES)


def is_one_off(labels: Labels) -> bool:
    """Whether `compose run` made a container: such a one is no container of its service, and none starts it again."""
    return labels.get(_ONE_OFF, "").lower() == "true"


def are_of_container(labels: Labels) -> bool:
    """Whether compose writes such labels to containers alone."""
    return any(key in labels for key in _OF_CONTAINERS_ONLY)


def adds_to(labels: Labels, inherited: Labels) -> bool:
    """Whether compose labels are among these that what they could be inherited from does not have, or has otherwise."""
    return any(key.startswith((_COMPOSE, _PODMAN)) and inherited.get(key) != value for key, value in labels.items())


def working_dir_in(labels: Labels) -> str | None:
    """Return the folder from which compose was run."""
    return labels.get(f"{PROJECT}.working_dir") or None


def config_files_in(labels: Labels) -> tuple[str, ...]:
    """Return the paths of the compose files, which labels have in one text with commas between them.

    One with a comma in its own path is told in pieces.
    """
    written = labels.get(_CONFIG_FILES)
    return tuple(path for path in written.split(",") if path) if written else ()


def dependencies_in(labels: Labels) -> tuple[str, ...]:
    """Return the services without which a container's own is not started: "db:service_healthy:false,init:...": docker
    compose 2 writes them as name, condition and whether it restarts with them."""
    written = labels.get(_DEPENDS_ON)
    return tuple(one.partition(":")[0] for one in written.split(",") if one) if written else ()


def _first(labels: Labels, keys: tuple[str, ...]) -> str | None:
    for key in keys:
        value = labels.get(key)
        if value:
            return value
    return None
