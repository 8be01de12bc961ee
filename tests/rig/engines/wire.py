"""One request to an engine's socket: the test rig's own way to talk, with nothing in between."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode


class RefusalError(Exception):
    """The engine answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        """Keep the status beside the message."""
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass(frozen=True)
class Wire:
    """A way to an engine; every call has a connection of its own, so threads may share it."""

    socket: Path
    version: str
    patience: float = 600.0
    headers: tuple[tuple[str, str], ...] = ()
    """For every request."""

    def call(
        self, method: str, path: str, body: object = None, /, *, tolerate: tuple[int, ...] = (), **params: object
    ) -> Any:
        """The decoded answer to a request; None for an answer that was tolerated or is empty."""
        return self._decoded(self.raw(method, path, body, tolerate=tolerate, **params))

    def raw(
        self, method: str, path: str, body: object = None, /, *, tolerate: tuple[int, ...] = (), **params: object
    ) -> bytes:
        """The bytes of an answer. A body of bytes is sent as it is, anything else as JSON."""
        given = {name: value for name, value in params.items() if value is not None}
        address = f"/v{self.version}{path}" + (f"?{urlencode(given)}" if given else "")
        content, kind = _encoded(body)
        headers: Mapping[str, str] = {"Host": "engine", "Content-Type": kind, **dict(self.headers)}
        connection = _Connection(self.socket, self.patience)
        try:
            connection.request(method, address, content, headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            if answer.status in tolerate:
                return b""
            raise RefusalError(answer.status, text.decode(errors="replace").strip())
        return text

    def images(self, *, intermediates: bool = False) -> Any:
        """The list of images. The containerd store answers 404 while one of them goes, and is then asked again."""
        asked = "1" if intermediates else None
        for _ in range(20):
            try:
                return self.call("GET", "/images/json", all=asked)
            except RefusalError as refusal:
                if refusal.status != 404:
                    raise
                time.sleep(0.1)
        return self.call("GET", "/images/json", all=asked)

    @staticmethod
    def _decoded(text: bytes) -> Any:
        return json.loads(text) if text.strip() else None


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, patience: float) -> None:
        super().__init__("engine", timeout=patience)
        self._path = path

    def connect(self) -> None:
        plug = socket.socket(socket.AF_UNIX)
        plug.settimeout(self.timeout)
        try:
            plug.connect(str(self._path))
        except OSError:
            plug.close()
            raise
        self.sock = plug


def _encoded(body: object) -> tuple[bytes | None, str]:
    if body is None:
        return None, "application/json"
    if isinstance(body, bytes):
        return body, "application/x-tar"
    return json.dumps(body).encode(), "application/json"
