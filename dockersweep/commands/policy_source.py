"""Which policy file is in force, and whether it can be trusted."""

import os
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dockersweep.commands.trusted_file import read_trusted
from dockersweep.errors import PolicyError
from dockersweep.files import is_there
from dockersweep.model.policy import Policy
from dockersweep.policy.language.default_policy import DEFAULT_POLICY

if TYPE_CHECKING:
    from dockersweep.policy.language.reading import PolicyReading

FILE_NAME = "dockersweep.toml"
SYSTEM_FOLDER = "/etc/dockersweep"
LARGEST_BYTES = 16_000_000
NO_FILE = "default"
"""In place of a path: use the default policy even if there are files."""


def policy_in_force(named: str | None, environment: Mapping[str, str]) -> Policy:
    """Return the policy of the file that is named or found; the default policy if there is none.

    Raises PolicyError where the file cannot be read, is invalid or cannot be trusted.
    """
    path = find_policy(named, environment)
    if path is None:
        return DEFAULT_POLICY
    return read_policy_at(path).valid_policy(f"dockersweep policy check {shlex.quote(readable(path))}")


def default_policy_text() -> str:
    """Return the default policy as a file, every line explained, with examples to uncomment."""
    from importlib.resources import files

    return (files("dockersweep.policy.language") / "default_policy.toml").read_text(encoding="utf-8")


def source_of(path: str) -> str:
    """Return the words for a policy file in output."""
    return "the policy on standard input" if path == "-" else f"the policy in {readable(path)}"


def readable(path: str) -> str:
    """Return a path as text, with bytes that are not UTF-8 escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def find_policy(named: str | None, environment: Mapping[str, str]) -> str | None:
    """Return the path of the file in force: --policy, DOCKERSWEEP_POLICY, the user's, the system's; None for none."""
    chosen = named if named is not None else environment.get("DOCKERSWEEP_POLICY")
    if chosen == NO_FILE:
        return None
    if chosen:
        return chosen
    if chosen is not None and named is not None:
        raise PolicyError("--policy is empty: name a file, - for standard input, or default for the default policy")
    own = environment.get("XDG_CONFIG_HOME") or os.path.join(environment.get("HOME") or "/nonexistent", ".config")
    for folder in (os.path.join(own, "dockersweep"), SYSTEM_FOLDER):
        path = os.path.join(folder, FILE_NAME)
        if _may_be_there(path):
            from pathlib import Path

            # Normalizes doubled slashes from the environment.
            return str(Path(path))
    return None


def _may_be_there(path: str) -> bool:
    """Whether a policy may exist. A folder that cannot be searched may hold one: reading it then fails with an error,
    instead of its protections being ignored."""
    try:
        return is_there(path)
    except OSError:
        return True


def read_policy_at(path: str) -> "PolicyReading":
    """Read the policy file at a path (`-` is standard input), valid or not.

    Raises PolicyError where it cannot be read and, as root, where others can write it.
    """
    # Imported late: without a file, the policy language is not needed.
    from dockersweep.policy.language.reading import read_policy_file

    return read_policy_file(read_trusted(path, "policy file", LARGEST_BYTES, PolicyError), source_of(path))
