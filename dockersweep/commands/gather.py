"""From flags and environment to an inventory, a policy and the instant up to which ages count."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dockersweep.commands.policy_source import policy_in_force
from dockersweep.commands.progress import show_progress
from dockersweep.engine.endpoint import resolve_endpoint
from dockersweep.errors import DocumentError, UsageError
from dockersweep.ledger import keep_layers, recall_layers, remember, state_folder
from dockersweep.model.documents import read_document
from dockersweep.model.inventory import Inventory, ScanWarning
from dockersweep.model.policy import Policy
from dockersweep.policy.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.use import used_objects
from dockersweep.units import parse_instant

# Time enough for an engine that is busy; what walks its disk has --size-timeout.
ENGINE_TIMEOUT_SECONDS = 60.0


if TYPE_CHECKING:
    from dockersweep.engine.client import Client


@dataclass(frozen=True)
class Picture:
    """An inventory, and the instant up to which its ages count."""

    inventory: Inventory
    now: datetime


def gather_picture(arguments: argparse.Namespace) -> Picture:
    """Read the inventory from --inventory, else from the engine that the flags and the environment name."""
    if arguments.inventory is not None:
        if arguments.host is not None or arguments.context is not None:
            raise UsageError("--inventory reads a file instead of an engine: leave out --host and --context")
        return _at_its_moment(read_inventory(arguments.inventory))
    with open_engine(arguments) as client:
        return picture_of(client, arguments)


@contextmanager
def open_engine(arguments: argparse.Namespace) -> Iterator["Client"]:
    """Connect to the engine that the flags and the environment name."""
    # docker-py takes as long to import as all else; a saved inventory needs none of it.
    from dockersweep.engine.client import Client
    from dockersweep.engine.connection import Connection

    endpoint = resolve_endpoint(arguments.host, arguments.context, os.environ)
    connection = Connection(endpoint, ENGINE_TIMEOUT_SECONDS)
    try:
        yield Client(connection)
    finally:
        connection.close()


def picture_of(client: "Client", arguments: argparse.Namespace) -> Picture:
    """Scan the engine, and add to the inventory what the ledger remembers of its objects."""
    from dockersweep.engine.scanner import scan

    folder = state_folder(os.environ, os.geteuid())
    known = recall_layers(client.engine, folder) if arguments.ledger else {}
    with show_progress("reading containers") as progress:
        inventory, layers = scan(client, arguments.sizes, arguments.size_timeout.seconds, progress, known)
    picture = _at_its_moment(inventory)
    if not arguments.ledger:
        return picture
    keep_layers(client.engine, layers, folder)
    used = used_objects(picture.inventory, picture.now)
    writes = picture.now == inventory.taken_at
    return replace(picture, inventory=remember(picture.inventory, used, picture.now, folder, writes))


def read_inventory(path: str) -> Inventory:
    """Read a saved inventory; raises DocumentError that names the path."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror}") from None
    return read_document(data, Inventory, path)


def gather_policy(arguments: argparse.Namespace) -> Policy:
    """Return the policy that is in force, as the flags change it."""
    return policy_from_flags(policy_flags(arguments), policy_in_force(arguments.policy, os.environ))


def policy_flags(arguments: argparse.Namespace) -> PolicyFlags:
    """Return the flags that change a policy."""
    return PolicyFlags(
        older_than=arguments.older_than,
        kinds=tuple(arguments.kind),
        all_images=arguments.all_images,
        named_volumes=arguments.named_volumes,
        keep_labels=tuple(arguments.keep_label),
        keep_names=tuple(arguments.keep_name),
        keep_images=tuple(arguments.keep_image),
        max_objects=arguments.max_objects,
        max_bytes=arguments.max_bytes,
        max_share=arguments.max_share,
    )


def _at_its_moment(inventory: Inventory) -> Picture:
    """Ages count up to the scan. Tests and the sandbox choose another instant, because no engine makes old volumes;
    where one is left set by mistake, every output says so."""
    text = os.environ.get("DOCKERSWEEP_NOW")
    if not text:
        return Picture(inventory, inventory.taken_at)
    instant = parse_instant(text)
    if instant is None:
        raise UsageError(f'DOCKERSWEEP_NOW is "{text}", which is no instant: write it like 2026-11-23T22:36:25Z')
    warning = ScanWarning(about="ages", text=f"counted up to {text}, as DOCKERSWEEP_NOW has it")
    known = tuple(one for one in inventory.warnings if one != warning)
    return Picture(msgspec.structs.replace(inventory, warnings=(*known, warning)), instant)
