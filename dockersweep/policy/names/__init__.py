"""Names, patterns and references: what a text matches, and which objects it names."""
