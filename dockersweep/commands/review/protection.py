"""Adds a protection by name to a policy file, whose text otherwise stays unchanged."""

import glob
import shlex

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

_BYTE_ORDER_MARK = "\ufeff"
"""Some editors begin a file with it."""


def protect_by_name(decision: Decision, path: str) -> str:
    """Add the name of an object to `protect.names` of a policy file; return what was done.

    Raises PolicyError if the object has no name of its own, or if the file is not a valid and trusted policy;
    OutputError if it cannot be written. Then the file is unchanged.
    """
    pattern = _pattern(decision)
    _require_file(path)
    data = read_trusted(path, "policy file", LARGEST_BYTES, PolicyError)
    read_policy(data, source_of(path))
    text = data.decode()
    changed = _with_name(text, pattern)
    if changed == text:
        return f"{readable(path)} keeps {decision.name} already."
    if not _protects(changed, pattern):
        raise _by_hand(pattern)
    write_result(changed, path)
    return f"Added {decision.name} to protect.names in {readable(path)}."


def _require_file(path: str) -> None:
    try:
        there = is_there(path)
    except OSError as error:
        raise PolicyError(f"the policy file {path} cannot be read: {error.strerror}") from None
    if not there:
        # A new file would replace the default policy by one that removes nothing.
        raise PolicyError(f"{path} does not exist: make one with `dockersweep policy init -o {shlex.quote(path)}`")


def _pattern(decision: Decision) -> str:
    # An image without tags is named by its digest's repository and its id, or by its id alone.
    is_tag = ":" in decision.name and "@" not in decision.name
    if decision.kind == "build-cache" or (decision.kind == "image" and not is_tag):
        raise PolicyError("it has no name of its own, by which a policy could keep it: untick it for this run")
    pattern = glob.escape(decision.name)
    if is_regular_expression(pattern):
        raise PolicyError(f"a policy would take {decision.name} for a regular expression: add a pattern by hand")
    return pattern


def _protects(text: str, pattern: str) -> bool:
    """Return whether a changed text is a policy that has the name. tomlkit may write a list that is none: it puts the
    comma behind the comment of a last value."""
    try:
        names = read_policy(text.encode(), "").protections.names
    except PolicyError:
        return False
    return any(name.pattern == pattern for name in names)


def _by_hand(pattern: str) -> PolicyError:
    return PolicyError(
        f"only a person can add to its protect.names without touching the rest: add {_quoted(pattern)} by hand"
    )


def _quoted(pattern: str) -> str:
    """Return a pattern as a TOML file has it."""
    return tomlkit.string(pattern).as_string()


def _with_name(text: str, pattern: str) -> str:
    """Return the text of a policy with the name added below [protect]; unchanged if it is there already."""
    mark, text = text[: text.startswith(_BYTE_ORDER_MARK)], text.removeprefix(_BYTE_ORDER_MARK)
    try:
        document = tomlkit.parse(text)
        protect = document.setdefault("protect", tomlkit.table())
        names = protect.setdefault("names", tomlkit.array())
        if not isinstance(protect, Table | InlineTable) or not isinstance(names, Array):
            raise _by_hand(pattern)
        if pattern in names:
            return mark + text
        names.append(pattern)
        return mark + tomlkit.dumps(document)
    except TOMLKitError as error:
        raise PolicyError(f"it cannot be read to be changed: {error}") from None
