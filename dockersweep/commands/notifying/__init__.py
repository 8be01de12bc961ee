"""Tells others how a run ended: runs the program of [notify], and hands a text to services through apprise."""
