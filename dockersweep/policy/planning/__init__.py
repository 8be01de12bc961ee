"""From decisions to a plan; saved plans, and runs that did not end."""
