"""An answer that is read as it comes: a tar of an image may be larger than the memory."""

import select
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

import httptools

from dockersweep.engine.api.connection import Answer
from dockersweep.engine.api.exchange import BrokenAnswerError, NoAnswerError, Received, head_of
from dockersweep.errors import EngineError

_CHUNK_BYTES = 262_144
_LARGEST_MESSAGE_BYTES = 65_536


class StreamedAnswer:
    """The answer to one request, over a connection of its own."""

    def __init__(
        self, connected: socket.socket, idle_seconds: float, error_of: Callable[[Exception], EngineError]
    ) -> None:
        """`error_of` makes what is raised of an error of the connection."""
        self._connected = connected
        self._error_of = error_of
        self._received = Received()
        self._has_begun = False
        connected.settimeout(idle_seconds)

    def ask(self, method: str, url: str, tar: bytes | Iterable[bytes] | None) -> None:
        """Send the request, and wait for the head of its answer. A tar in pieces is sent with its length unknown, and
        no further once the engine has refused it. Raises EngineError."""
        try:
            self._send(method, url, tar)
            while not self._received.status:
                self._read()
        except OSError as error:
            raise self._error_of(error) from error

    def wait_forever(self) -> None:
        """Allow the engine to be silent for as long as it likes, from now on."""
        self._connected.settimeout(None)

    def interrupt(self) -> None:
        """Have the thread that reads the answer find its end. Safe for another thread."""
        with suppress(OSError):
            self._connected.shutdown(socket.SHUT_RDWR)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._received.status

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """By lower-case names."""
        return self._received.headers

    def pieces(self) -> Iterator[bytes]:
        """Yield the body. Raises EngineError where it breaks off."""
        received = self._received
        while True:
            yield from received.body
            received.body.clear()
            if received.is_complete:
                return
            try:
                if not self._read():
                    return
            except OSError as error:
                raise self._error_of(error) from error

    def message(self) -> str:
        """Return the error in the body; never empty."""
        return Answer(self.status, self.beginning(_LARGEST_MESSAGE_BYTES)).message()

    def beginning(self, largest_bytes: int) -> bytes:
        """Return the body, of a longer one its beginning. Raises as `pieces` does."""
        body = bytearray()
        for piece in self.pieces():
            body += piece
            if len(body) > largest_bytes:
                break
        return bytes(body[:largest_bytes])

    def _send(self, method: str, url: str, tar: bytes | Iterable[bytes] | None) -> None:
        if tar is None:
            length = "Content-Length: 0\r\n" if method == "POST" else ""
            self._connected.sendall(head_of(method, url, length))
            return
        kind = "Content-Type: application/x-tar\r\n"
        if isinstance(tar, bytes):
            self._connected.sendall(head_of(method, url, f"{kind}Content-Length: {len(tar)}\r\n") + tar)
            return
        self._connected.sendall(head_of(method, url, f"{kind}Transfer-Encoding: chunked\r\n"))
        # An engine that refuses does not read the rest, but has answered why.
        with suppress(BrokenPipeError, ConnectionResetError):
            for piece in tar:
                if piece and not self._send_unless_answered(b"%x\r\n" % len(piece) + piece + b"\r\n"):
                    return
            self._send_unless_answered(b"0\r\n\r\n")

    def _send_unless_answered(self, data: bytes) -> bool:
        """Send; return False without sending all where the answer comes first."""
        if type(self._connected) is not socket.socket:
            # TLS has bytes of its own to read.
            self._connected.sendall(data)
            return True
        waiting = select.poll()
        waiting.register(self._connected, select.POLLIN | select.POLLOUT)
        seconds = self._connected.gettimeout()
        left = memoryview(data)
        while left:
            ready = waiting.poll(None if seconds is None else seconds * 1000)
            if not ready:
                raise TimeoutError
            if ready[0][1] & select.POLLIN:
                return False
            with suppress(BlockingIOError):
                left = left[self._connected.send(left, socket.MSG_DONTWAIT) :]
        return True

    def _read(self) -> bool:
        """Read on; return False at the end of an answer that ends with its connection."""
        received = self._received
        data = self._connected.recv(_CHUNK_BYTES)
        if not data and received.status and not received.has_length:
            return False
        if not data:
            raise BrokenAnswerError("it ended early") if self._has_begun else NoAnswerError("no answer")
        self._has_begun = True
        try:
            received.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise BrokenAnswerError(f"it is not HTTP: {error}") from None
        return True
