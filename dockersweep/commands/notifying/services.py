"""Tells services, through apprise, in a process of its own: whatever a service does, that can be ended."""

import json
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

import msgspec

from dockersweep.commands.notifying.program import run_program
from dockersweep.model.policy import NotifySettings
from dockersweep.units import format_duration

HOW_TO_INSTALL = "apprise is not installed: install it with `pip install 'dockersweep[notify]'`"
LONGEST_OUTPUT_BYTES = 1 << 20
# The secrets go in by standard input: everybody sees the arguments of a process. -I keeps the current directory out of
# the search for modules.
_START = (
    "import json, sys; task = json.load(sys.stdin); sys.path[:] = task['path']; "
    "from dockersweep.commands.notifying.apprise_process import main; main(task)"
)


class Answer(msgspec.Struct, frozen=True):
    """What became of one address: its place in the settings, and why it failed; None where it did not."""

    place: int
    problem: str | None


def is_apprise_there() -> bool:
    """Return whether apprise is installed, without importing it."""
    return find_spec("apprise") is not None


def tell_services(
    settings: NotifySettings, title: str, text: str, kind: str, stopped_by: Callable[[], str | None]
) -> list[str]:
    """Send title and text to all addresses at the same time; `kind` is one of apprise's: info, success, warning or
    failure. Return what went wrong, a sentence for each address."""
    if not is_apprise_there():
        return [HOW_TO_INSTALL]
    told = _asked(settings, {"title": title, "text": text, "kind": kind}, stopped_by)
    return list(told.values())


def unknown_services(settings: NotifySettings) -> dict[int, str]:
    """Return which addresses apprise cannot use, by their places from 0 on, each with a sentence; sends nothing."""
    return _asked(settings, {}, lambda: None)


def _asked(
    settings: NotifySettings, message: Mapping[str, str], stopped_by: Callable[[], str | None]
) -> dict[int, str]:
    seconds = settings.timeout_seconds
    task = {"path": sys.path, "urls": settings.urls, "seconds": seconds, **message}
    written = bytearray()

    def take(data: bytes) -> None:
        if len(written) < LONGEST_OUTPUT_BYTES:
            written.extend(data)

    why = run_program([sys.executable, "-I", "-c", _START], json.dumps(task).encode(), seconds, take, stopped_by)
    answers = dict(_answers(bytes(written)))
    silent = why or f"did not answer within {format_duration(seconds)}"
    told = [answers.get(place, f"apprise {silent}") for place in range(len(settings.urls))]
    return {
        place: f"address {place + 1} of urls ({service}): {problem}"
        for place, (service, problem) in enumerate(zip(settings.services, told, strict=True))
        if problem is not None
    }


def _answers(written: bytes) -> Any:
    for line in written.splitlines():
        try:
            answer = msgspec.json.decode(line, type=Answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # Something that is not ours has written.
            continue
        yield answer.place, answer.problem
