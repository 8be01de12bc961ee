"""What nobody owns in an engine's folders."""

from dockersweep.engine.disk.leaks.podman import RunRoot
from dockersweep.engine.disk.leaks.reading import LeakReading, leaks_not_in_time, read_leaks

__all__ = ["LeakReading", "RunRoot", "leaks_not_in_time", "read_leaks"]
