"""The plan of a node that a person is asked about: it stays in the state volume of the node until it is carried out.

A config of a swarm holds 500 kB, and a plan may have more. So only its digest travels, computed from what the person
has seen.
"""

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec

from dockersweep.engine.api.swarm_jobs import LARGEST_CONFIG_BYTES
from dockersweep.errors import RefusedError
from dockersweep.files import read_configuration, what_is_wrong
from dockersweep.ledger.folder import state_folder

_FOLDER = "plans"
SHOWN_PATH = "/etc/dockersweep/shown.json"
"""Where the config with the digests of plans is mounted."""
LARGEST_BYTES = 4_000_000_000


class ShownPlans(msgspec.Struct, frozen=True):
    """What the nodes are told of the plans that they may carry out."""

    plans: dict[str, tuple[str, ...]]
    """The digest of each plan -> volumes that stay, since other nodes may have them too. Each plan names its engine, so
    that none is taken for another node's."""
    is_confirmed: bool
    """Whether a person has said yes to them."""


def shown_plans() -> ShownPlans:
    """Return what this node is told of the plans. Raises RefusedError where it cannot be read."""
    try:
        return msgspec.json.decode(read_configuration(SHOWN_PATH, LARGEST_CONFIG_BYTES), type=ShownPlans)
    except (OSError, msgspec.DecodeError) as error:
        raise RefusedError(f"{SHOWN_PATH} cannot be read: {what_is_wrong(error)}") from None


def digest_of(document: bytes) -> str:
    """Return the SHA-256 of a plan's document, in hex. Inside of another document it has no space around it."""
    return sha256(document.strip()).hexdigest()


def keep_plan(document: bytes, run: str) -> None:
    """Keep the plan that a run made on this node, in place of those of earlier runs.

    Raises RefusedError where it cannot be written.
    """
    path = plan_path(run)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for former in path.parent.iterdir():
            former.unlink()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(document)
    except OSError as error:
        raise RefusedError(f"the plan cannot be kept at {path}: {error.strerror}") from None


def kept_plan(run: str, shown: ShownPlans) -> tuple[bytes, tuple[str, ...]]:
    """Return the plan that a run kept here, and the volumes that stay. Raises RefusedError where it is not one of those
    shown."""
    path = plan_path(run)
    try:
        document = read_configuration(path, LARGEST_BYTES)
    except OSError as error:
        raise RefusedError(f"the plan that was shown cannot be read at {path}: {error.strerror}") from None
    stay = shown.plans.get(digest_of(document))
    if stay is None:
        raise RefusedError(f"the plan at {path} is not the one that was shown")
    return document, stay


def drop_plan(run: str) -> None:
    """Remove a plan that was carried out."""
    with suppress(OSError):
        plan_path(run).unlink()


def plan_path(run: str) -> Path:
    """Return where the plan of a run is kept."""
    return state_folder(os.environ, os.geteuid()) / _FOLDER / f"{run}.json"
