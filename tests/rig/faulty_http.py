"""HTTP between a client and an engine, as far as a proxy needs it: requests without bodies, and whole answers."""

from __future__ import annotations

import os
import re
import select
import socket
from urllib.parse import parse_qs, unquote, urlsplit

import httptools

from tests.rig.faults import Answer
from tests.rig.recorder import Request

_CHUNK = 262_144


def read_request(client: socket.socket) -> bytes | None:
    """Return the next request, whole with its empty line and its body; None where no other comes."""
    told = b""
    while not _is_whole(told):
        data = client.recv(_CHUNK)
        if not data:
            return None
        told += data
    return told


def _is_whole(told: bytes) -> bool:
    head, end, body = told.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    return bool(end) and len(body) == (int(length[1]) if length else 0)


def parse_request(head: bytes) -> Request:
    method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
    url = urlsplit(target)
    path = re.sub(r"^/v1\.\d+(?=/)", "", unquote(url.path))
    return Request(method, path, {key: values[-1] for key, values in parse_qs(url.query).items()}, os.getpid())


class _Reader:
    """What httptools calls."""

    def __init__(self) -> None:
        self.body: list[bytes] = []
        self.is_complete = False

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        self.is_complete = True


def read_answer(engine: socket.socket) -> tuple[Answer, bool]:
    """Return the next answer, and whether the connection stays; raises OSError where it ends before."""
    reader = _Reader()
    parser = httptools.HttpResponseParser(reader)
    raw = bytearray()
    while not reader.is_complete:
        data = engine.recv(_CHUNK)
        if not data:
            raise ConnectionResetError("the engine broke off")
        raw += data
        parser.feed_data(data)
    head = bytes(raw[: raw.index(b"\r\n\r\n") + 4])
    told = Answer(parser.get_status_code(), head, b"".join(reader.body), bytes(raw))
    return told, re.search(rb"\r\nconnection: *close", head, re.IGNORECASE) is None


def hung_up(client: socket.socket, seconds: float) -> bool:
    """Wait; return whether the client went meanwhile. It sends nothing while it waits for an answer."""
    readable, _, _ = select.select([client], [], [], seconds)
    return bool(readable)
