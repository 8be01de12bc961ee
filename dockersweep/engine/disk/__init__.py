"""Reads an engine's data on this machine's disk: the parts of its storage, what each needs, and their disk blocks.

Nothing is ever written, and only metadata files are opened; of all others only sizes are read.
"""
