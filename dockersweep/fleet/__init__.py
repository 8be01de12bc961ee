"""Many hosts at once, without reaching any: which they are, in which order they are swept, and what comes of them."""
