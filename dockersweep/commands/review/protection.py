"""Adds a protection by name to a policy file, whose text otherwise stays unchanged."""

import glob

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Array, InlineTable, Table

from dockersweep.commands.policy_source import LARGEST_BYTES, readable, source_of
from dockersweep.commands.trusted_file import read_trusted
from dockersweep.commands.write import write_result
from dockersweep.errors import PolicyError
from dockersweep.files import is_there
from dockersweep.model.plan import Decision
from dockersweep.policy.language.reading import read_policy
from dockersweep.policy.names.patterns import is_regular_expression


def protect_by_name(decision: Decision, path: str) -> str:
    """Add the name of an object to `protect.names` of a policy file; return what was done.

    Raises PolicyError if the object has no name of its own, or if the file is not a valid and trusted policy;
    OutputError if it cannot be written. Then the file is unchanged.
    """
    pattern = _pattern(decision)
    if not is_there(path):
        # A new file would replace the default policy by one that removes nothing.
        raise PolicyError(f"{path} does not exist: make one with `dockersweep policy init -o {path}`")
    data = read_trusted(path, "policy file", LARGEST_BYTES, PolicyError)
    read_policy(data, source_of(path))
    text = data.decode()
    changed = _with_name(text, pattern)
    if changed == text:
        return f"{readable(path)} keeps {decision.name} already."
    names = read_policy(changed.encode(), source_of(path)).protections.names
    if not any(name.pattern == pattern for name in names):
        raise PolicyError(f"{path} cannot be changed here: add {pattern!r} to names below [protect]")
    write_result(changed, path)
    return f"Added {decision.name} to protect.names in {readable(path)}."


def _pattern(decision: Decision) -> str:
    has_name = decision.kind in ("container", "volume", "network") or ":" in decision.name.removeprefix("sha256:")
    if decision.kind == "build-cache" or not has_name:
        raise PolicyError("it has no name of its own, by which a policy could keep it: untick it for this run")
    pattern = glob.escape(decision.name)
    if is_regular_expression(pattern):
        raise PolicyError(f"a policy would take {decision.name} for a regular expression: add a pattern by hand")
    return pattern


def _with_name(text: str, pattern: str) -> str:
    """Return the text of a policy with the name added below [protect]; unchanged if it is there already."""
    try:
        document = tomlkit.parse(text)
        protect = document.setdefault("protect", tomlkit.table())
        names = protect.setdefault("names", tomlkit.array())
        if not isinstance(protect, Table | InlineTable) or not isinstance(names, Array):
            raise PolicyError('its [protect] is written in a way that only a person can add to: add to "names" by hand')
        if pattern in names:
            return text
        names.append(pattern)
        return tomlkit.dumps(document)
    except TOMLKitError as error:
        raise PolicyError(f"it cannot be read to be changed: {error}") from None
