"""How many examples a property is tried with."""

from hypothesis import settings

WHOLE = 100
QUICK = 20
FEWEST = 10
"""Where the whole suite has tried a property already, and only the machine is another."""


def examples(count: int) -> settings:
    """Return the setting for so many examples, of which a quick run tries a share."""
    return settings(max_examples=share(count))


def share(count: int) -> int:
    """Return how many of so many examples this run tries, at least one."""
    return max(1, count * settings().max_examples // WHOLE)
