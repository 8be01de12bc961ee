"""From flags and environment to an inventory, a policy and the instant up to which ages count."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from dockersweep.commands.policy_source import policy_in_force
from dockersweep.commands.progress import show_progress
from dockersweep.engine.endpoint import resolve_endpoint
from dockersweep.errors import DocumentError, EngineError, RefusedError, UsageError
from dockersweep.files import OddFileError, read_named
from dockersweep.ledger import Memory, state_folder
from dockersweep.model.documents import read_document
from dockersweep.model.inventory import ALL_SIZES, Inventory, ScanWarning
from dockersweep.model.plan import Plan
from dockersweep.model.policy import Policy
from dockersweep.policy.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.kinds_removed import may_remove
from dockersweep.policy.marks import candidates, marking_rules
from dockersweep.policy.planner import make_plan
from dockersweep.policy.totals import sizes_now
from dockersweep.policy.unmarked_volumes import unmarked_warnings
from dockersweep.policy.use import describe_use, used_of
from dockersweep.units import parse_instant

if TYPE_CHECKING:
    from dockersweep.engine.client import Client


# A verb that only reads removes nothing, so nothing of it can take so long.
NO_REMOVALS_SECONDS = 0.0
LARGEST_DOCUMENT_BYTES = 4_000_000_000


@dataclass(frozen=True)
class Picture:
    """An inventory, and the instant up to which its ages count."""

    inventory: Inventory
    now: datetime

    @property
    def is_of_now(self) -> bool:
        """Whether ages count up to the scan; what somebody chose must not become a memory."""
        return self.now == self.inventory.taken_at


def gather_picture(arguments: argparse.Namespace) -> Picture:
    """Read the inventory from --inventory, else from the engine that the flags and the environment name."""
    if arguments.inventory is not None:
        return _saved_picture(arguments)
    with open_memory(arguments) as memory, open_engine(arguments, NO_REMOVALS_SECONDS) as client:
        picture = picture_of(client, arguments, memory)
        memory.looked_at(client.engine, picture.inventory.taken_at)
        return picture


def gather_plan(arguments: argparse.Namespace) -> Plan:
    """Return the plan for the inventory that `gather_picture` reads, and mark its candidates."""
    policy = gather_policy(arguments)
    if arguments.inventory is not None:
        picture = _saved_picture(arguments)
        return _plan(picture, policy)
    with open_memory(arguments) as memory, open_engine(arguments, NO_REMOVALS_SECONDS) as client:
        confirm_engine(client, arguments.confirm_engine)
        picture = picture_of(client, arguments, memory)
        require_build_cache(picture, may_remove(policy, "build-cache"), arguments)
        memory.looked_at(client.engine, picture.inventory.taken_at)
        return judge(picture, policy, memory)


def judge(picture: Picture, policy: Policy, memory: Memory) -> Plan:
    """Return the plan, and mark in the ledger what is a candidate of rules with `marked_for`."""
    plan = _plan(picture, policy)
    if picture.is_of_now:
        marks = tuple(candidates(plan.decisions, policy, picture.now))
        memory.mark(plan.engine, marks, tuple(marking_rules(policy)), picture.now, policy.kinds)
    return plan


def _plan(picture: Picture, policy: Policy) -> Plan:
    plan = make_plan(picture.inventory, policy, picture.now)
    return msgspec.structs.replace(plan, warnings=(*plan.warnings, *unmarked_warnings(picture.inventory, plan)))


def require_build_cache(picture: Picture, is_wanted: bool, arguments: argparse.Namespace) -> None:
    """Raise EngineError where the build cache was to be read, something of it may have to go, and it was not told:
    Docker before 23.0 tells it only in /system/df as a whole, whose failure elsewhere only leaves sizes unknown."""
    if is_wanted and arguments.sizes and picture.inventory.build_cache is None:
        why = [one.text.removeprefix("unknown: ") for one in picture.inventory.warnings if one.about == ALL_SIZES]
        raise EngineError(
            "the build cache cannot be read, which this engine tells only together with all sizes "
            f"({'; '.join(why)}): allow more time with --size-timeout, or leave it out with --no-sizes"
        )


def open_memory(arguments: argparse.Namespace, required: bool = False) -> Memory:
    """Open the ledger; with --no-ledger, one that remembers nothing."""
    return Memory(state_folder(os.environ, os.geteuid()) if arguments.ledger else None, required)


def _saved_picture(arguments: argparse.Namespace) -> Picture:
    if arguments.host is not None or arguments.context is not None:
        raise UsageError("--inventory reads a file instead of an engine: leave out --host and --context")
    return _at_its_moment(read_inventory(arguments.inventory))


@contextmanager
def open_engine(arguments: argparse.Namespace, removal_seconds: float) -> Iterator["Client"]:
    """Connect to the engine that the flags and the environment name; a removal may take so long."""
    # docker-py takes as long to import as all else; a saved inventory needs none of it.
    from dockersweep.engine.client import Client
    from dockersweep.engine.connection import Connection

    endpoint = resolve_endpoint(arguments.host, arguments.context, os.environ)
    connection = Connection(endpoint, arguments.engine_timeout.seconds)
    try:
        yield Client(connection, removal_seconds)
    finally:
        connection.close()


def picture_of(client: "Client", arguments: argparse.Namespace, memory: Memory, for_report: bool = False) -> Picture:
    """Scan the engine, and add to the inventory what the ledger remembers of its objects; `for_report` is as in
    `engine.scanner.scan`."""
    from dockersweep.engine.scanner import scan

    known = memory.layers(client.engine)
    with show_progress("reading containers", arguments.log_format) as progress:
        inventory, layers = scan(client, arguments.sizes, arguments.size_timeout.seconds, progress, known, for_report)
    picture = _at_its_moment(inventory)
    if not arguments.ledger:
        return picture
    memory.keep_layers(client.engine, layers)
    uses = describe_use(picture.inventory, picture.now)
    inventory = memory.remember(picture.inventory, used_of(uses), picture.now, picture.is_of_now)
    memory.keep_sizes(sizes_now(inventory), inventory.engine, inventory.taken_at)
    return replace(picture, inventory=inventory)


def confirm_engine(client: "Client", wanted: str | None) -> None:
    """Raise RefusedError where the engine has neither the name nor the id that is wanted."""
    engine = client.engine
    if wanted is not None and wanted not in (engine.name, engine.id):
        raise RefusedError(
            f'nothing was removed: the engine at {engine.endpoint} is "{engine.name}" and not "{wanted}", '
            "which --confirm-engine asks for"
        )


def refuse_chosen_now(client: "Client") -> None:
    """Raise UsageError where DOCKERSWEEP_NOW would shift ages in a real removal, on an engine that people need."""
    if os.environ.get("DOCKERSWEEP_NOW") and not client.is_throw_away:
        raise UsageError("nothing was removed: DOCKERSWEEP_NOW is set, so no age is right: unset it, or use --dry-run")


def read_inventory(path: str) -> Inventory:
    """Read a saved inventory; raises DocumentError that names the path."""
    try:
        data = read_named(path, LARGEST_DOCUMENT_BYTES)
    except OddFileError as error:
        raise DocumentError(f"{path} {error.strerror}") from None
    except (OSError, ValueError) as error:
        raise DocumentError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
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
        retry_refused=arguments.retry_refused,
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
