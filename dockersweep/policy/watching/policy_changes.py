"""What differs between two policies, in the words of their files."""

from collections.abc import Iterator

from dockersweep.model.policy import Policy

_TABLES = {
    "protections": "[protect]",
    "rules": "[[rule]]",
    "limits": "[limits]",
    "target": "[target]",
    "archive": "[archive]",
    "asks_registries": "[registries]",
    "silenced_findings": "[report]",
    "watch": "[watch]",
    "notify": "[notify]",
}


def policy_changes(before: Policy, after: Policy) -> Iterator[str]:
    """Yield the tables that are not as before."""
    if after.source != before.source:
        yield "its place"
    yield from (table for name, table in _TABLES.items() if getattr(before, name) != getattr(after, name))
