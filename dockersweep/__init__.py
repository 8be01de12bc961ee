"""dockersweep: see what a Docker engine no longer needs, read why, and remove just that."""

__version__ = "0.1.0"
