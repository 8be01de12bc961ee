"""One decision for every object, with its reasons."""
