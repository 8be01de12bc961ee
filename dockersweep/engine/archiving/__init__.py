"""Reads objects off an engine for the archive: from its disk as root beside it, otherwise through its API."""
