"""From an engine to an inventory."""
