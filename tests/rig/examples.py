"""How many examples a property is tried with."""

from hypothesis import settings

WHOLE = 100
QUICK = 30
FEWEST = 10
"""Where the whole suite has tried a property already, and only the machine is another."""


def examples(count: int) -> settings:
    """Return the setting for so many examples, of which a quick run tries a share."""
    return settings(max_examples=max(1, count * settings().max_examples // WHOLE))
