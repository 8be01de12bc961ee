"""Leaks: files in an engine's folders that nothing owns."""

from dockersweep.engine.disk.leaks.podman import RunRoot
from dockersweep.engine.disk.leaks.reading import LeakReading, leaks_not_in_time, read_leaks

__all__ = ["LeakReading", "RunRoot", "leaks_not_in_time", "read_leaks"]
