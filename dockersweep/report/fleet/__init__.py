"""Documents about several hosts, laid out."""
