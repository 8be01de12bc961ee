"""How much of a plan to show."""

from typing import Literal

Detail = Literal["totals", "grouped", "all"]
"""Counts by kind; removals grouped by kind and reason; or every object with every reason."""
