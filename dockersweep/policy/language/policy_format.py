"""What `key_checks` says of problems that only a policy file can have."""

from dockersweep.errors import UsageError
from dockersweep.model.policyfile import PolicyFile
from dockersweep.policy.language.key_checks import FileFormat
from dockersweep.policy.language.problems import quoted, written_number
from dockersweep.policy.language.toml_positions import Path
from dockersweep.units import parse_age


def _correction(value: object, path: Path) -> str:
    """Return the key that a value without one was meant for."""
    match path[-1]:
        case "keep" if value == "all":
            return ': write keep.last = "all"'
        case "keep" if isinstance(value, int) and not isinstance(value, bool):
            return f": write keep.last = {written_number(value)}"
        case "remove" if isinstance(value, str) and _is_age(value):
            return f': write remove.older_than = "{value}"'
        case "remove" if value is True:
            return ': write when, say remove.older_than = "7d"'
        case "command" if isinstance(value, str):
            return ": write its path and each argument by itself"
        case "match" | "not" if isinstance(value, str):
            return f": write {path[-1]}.name = {quoted(value)}"
    return ""


def _is_age(text: str) -> bool:
    try:
        parse_age(text)
    except UsageError:
        return False
    return True


POLICY_FORMAT = FileFormat(
    type=PolicyFile,
    several="rule",
    missing={
        "version": "version is missing: this dockersweep reads version 1, so write version = 1 at the top",
        "name": 'a rule needs a name by which the output calls it: write name = "..."',
        "kind": 'a rule needs a kind: write kind = "container", "image", "volume", "network" or "build-cache"',
    },
    correction=_correction,
    secret=frozenset({"notify"}),
)
