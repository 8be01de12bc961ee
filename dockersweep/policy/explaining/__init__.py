"""Everything about one object: what holds it, which rules match, and when it will be removed."""
