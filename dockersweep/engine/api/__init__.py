"""Speaking to an engine: which one, each call and its answer, in our words."""
