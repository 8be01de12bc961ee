"""How much of a plan people see."""

from typing import Literal

Detail = Literal["totals", "grouped", "all"]
"""How many of each kind, what goes by kind and reason, or every object with every reason."""
