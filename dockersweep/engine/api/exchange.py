"""One request and its whole answer over a connected socket.

http.client parses the headers of each answer as an e-mail, which takes longer than an engine needs to answer. The
parser of Node.js (llhttp, through httptools) takes a tenth of that, and a scan reads a thousand answers.
"""

import socket
import time

import httptools
from msgspec import Struct

_CHUNK_BYTES = 262_144


class Received:
    """What the parser has reported about an answer so far."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.body: list[bytes] = []
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.is_complete = False
        self.keeps_alive = False
        """Whether the connection can be used again; the parser knows that only until the message is complete."""

    def on_message_begin(self) -> None:
        # A second message answers no request of ours.
        self.keeps_alive = False

    @property
    def has_length(self) -> bool:
        return b"content-length" in self.headers or b"transfer-encoding" in self.headers

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.is_complete:
            self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        if not self.is_complete:
            self.status = self.parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        if not self.is_complete:
            self.body.append(body)

    def on_message_complete(self) -> None:
        if self.is_complete:
            return
        if self.status // 100 == 1:
            # An interim answer; the real one follows.
            self.status, self.headers = 0, {}
            return
        self.is_complete = True
        self.keeps_alive = self.parser.should_keep_alive()


class Exchanged(Struct, frozen=True):
    """An answer, and whether the connection can be used again."""

    status: int
    """The HTTP status."""
    headers: dict[bytes, bytes]
    """By lower-case names, undecoded: hardly any is ever read."""
    body: bytes
    keeps_alive: bool


class BrokenAnswerError(ConnectionError):
    """The connection ended before the answer was complete, or the answer is not HTTP."""


class NoAnswerError(BrokenAnswerError):
    """The connection ended before any byte of the answer."""


class AnswerTooLargeError(Exception):
    """The answer is larger than allowed; the rest of it was not read."""


def exchange(
    connected: socket.socket, method: str, url: str, seconds: float, largest_bytes: int, body: bytes = b""
) -> Exchanged:
    """Send a request, and read its answer.

    `url` is the quoted path with its parameters, `body` JSON. Raises OSError (TimeoutError,
    BrokenAnswerError, ssl.SSLError) if no complete answer came within `seconds`, and AnswerTooLargeError if it has over
    `largest_bytes`, headers included; then the connection cannot be used again.
    """
    deadline = time.monotonic() + seconds
    send(connected, method, url, seconds, body)
    return receive(connected, _until(deadline), largest_bytes)


def send(connected: socket.socket, method: str, url: str, seconds: float, body: bytes = b"") -> None:
    """Send a request as `exchange` does; raises OSError."""
    connected.settimeout(seconds)
    length = f"Content-Length: {len(body)}\r\n" if method == "POST" else ""
    kind = "Content-Type: application/json\r\n" if body else ""
    connected.sendall(head_of(method, url, length + kind) + body)


def head_of(method: str, url: str, headers: str) -> bytes:
    """Return the head of a request; each of the headers ends with a line break."""
    return f"{method} {url} HTTP/1.1\r\nHost: docker\r\nUser-Agent: dockersweep\r\n{headers}\r\n".encode("ascii")


def receive(connected: socket.socket, seconds: float, largest_bytes: int) -> Exchanged:
    """Read the answer to a request that was sent, as `exchange` does."""
    # The limit is for the whole answer: the socket's own time-out would never pass if bytes came one by one.
    deadline = time.monotonic() + seconds
    received = Received()
    read_bytes = 0
    while not received.is_complete:
        connected.settimeout(_until(deadline))
        data = connected.recv(_CHUNK_BYTES)
        if not data and received.status and not received.has_length:
            # Some proxies send no length: then the end of the connection is the end of the answer.
            return Exchanged(received.status, received.headers, b"".join(received.body), keeps_alive=False)
        if not data and not read_bytes:
            raise NoAnswerError("no answer")
        if not data:
            raise BrokenAnswerError(f"it ended after {read_bytes} bytes")
        read_bytes += len(data)
        if read_bytes > largest_bytes:
            raise AnswerTooLargeError
        try:
            received.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise BrokenAnswerError(f"it is not HTTP: {error}") from None
    return Exchanged(received.status, received.headers, b"".join(received.body), received.keeps_alive)


def _until(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
