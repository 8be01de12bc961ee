"""From decisions to a plan, and what becomes of saved and unfinished ones."""
