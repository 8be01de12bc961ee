"""Which calls of an engine dockersweep makes: what a socket proxy in front of it has to let through."""

from __future__ import annotations

import re

_ID = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_IMAGE = r"[A-Za-z0-9][A-Za-z0-9_.:/@-]*"

BASIC_CALLS = (
    ("GET", r"/_ping"),
    ("GET", r"/version"),
    ("GET", r"/info"),
)
"""What every verb asks an engine first."""

READING_CALLS = (
    *BASIC_CALLS,
    ("GET", r"/containers/json"),
    ("GET", rf"/containers/{_ID}/json"),
    ("GET", r"/images/json"),
    ("GET", rf"/images/{_IMAGE}/json"),
    ("GET", rf"/images/{_IMAGE}/history"),
    ("GET", r"/volumes"),
    ("GET", rf"/volumes/{_ID}"),
    ("GET", r"/networks"),
    ("GET", rf"/networks/{_ID}"),
    ("GET", r"/system/df"),
    ("GET", r"/libpod/containers/json"),
    ("GET", r"/libpod/info"),
    ("GET", r"/services"),
    ("GET", r"/events"),
)
"""The method and a regular expression of the whole path, without the version: all that a verb needs that only looks."""

REMOVING_CALLS = (
    ("DELETE", rf"/containers/{_ID}"),
    ("DELETE", rf"/images/{_IMAGE}"),
    ("DELETE", rf"/volumes/{_ID}"),
    ("DELETE", rf"/networks/{_ID}"),
    ("POST", r"/build/prune"),
)
"""What a sweep needs beside them."""

ALLOWED_CALLS = READING_CALLS + REMOVING_CALLS
"""Every call that dockersweep makes of an engine without an archive."""

ARCHIVING_CALLS = (
    ("GET", rf"/images/{_IMAGE}/get"),
    ("GET", rf"/containers/{_ID}/archive"),
    ("GET", rf"/containers/{_ID}/export"),
    ("GET", rf"/containers/{_ID}/changes"),
    ("GET", rf"/containers/{_ID}/logs"),
    ("POST", r"/images/load"),
    ("POST", r"/containers/create"),
)
"""What a sweep with an archive needs beside them."""

RESTORING_CALLS = (
    ("GET", rf"/images/{_IMAGE}/get"),
    ("GET", rf"/containers/{_ID}/archive"),
    ("POST", r"/networks/create"),
    ("POST", rf"/networks/{_ID}/connect"),
    ("POST", r"/volumes/create"),
    ("POST", r"/images/load"),
    ("POST", r"/images/create"),
    ("POST", rf"/images/{_IMAGE}/tag"),
    ("POST", r"/containers/create"),
    ("PUT", rf"/containers/{_ID}/archive"),
    ("DELETE", rf"/containers/{_ID}"),
    ("DELETE", rf"/images/{_IMAGE}"),
    ("DELETE", rf"/volumes/{_ID}"),
)
"""What `restore` needs beside those that read. It deletes volumes that it has made and could not fill, and what it has
made to fill volumes."""

SWARM_CALLS = (
    ("GET", r"/nodes"),
    ("GET", r"/tasks"),
    ("GET", rf"/tasks/{_ID}/logs"),
    ("GET", r"/services"),
    ("GET", r"/configs"),
    ("POST", r"/services/create"),
    ("POST", r"/configs/create"),
    ("DELETE", rf"/services/{_ID}"),
    ("DELETE", rf"/configs/{_ID}"),
)
"""What `swarm` needs of a manager, beside /_ping, /version and /info. No other verb makes these calls."""


def allows(calls: tuple[tuple[str, str], ...], method: str, path: str) -> bool:
    """Return whether a call is one of these; the path is unquoted and has no version."""
    return any(method == allowed and re.fullmatch(pattern, path) for allowed, pattern in calls)
