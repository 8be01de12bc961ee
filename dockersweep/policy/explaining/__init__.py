"""Everything about one object: what holds it, which rules match, until when it stays."""
