"""Real servers on the loopback, as the services that [notify] tells: HTTP, HTTPS and SMTP."""

from __future__ import annotations

import asyncio
import email.message
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from aiosmtpd.smtp import AuthResult, LoginPassword


@dataclass
class Told:
    """A server, and what it was told."""

    port: int
    bodies: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    mails: list[email.message.Message] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    """Answers with the status at the end of a path; `/never` has no answer before the end."""

    told: Told
    end: threading.Event

    def do_POST(self) -> None:
        self.told.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.told.paths.append(self.path)
        last = self.path.rpartition("/")[2]
        if last == "never":
            self.end.wait(60)
            return
        self.send_response(int(last) if last.isdigit() else 200)
        # A secret may come back, as in an error that repeats the request.
        self.end_headers()
        self.wfile.write(self.path.encode())

    do_GET = do_PUT = do_POST  # noqa: N815 - the names are those of the standard library.

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def http_server(tls: ssl.SSLContext | None = None) -> Iterator[Told]:
    """Serve HTTP, or with a context HTTPS."""
    told, end = Told(0), threading.Event()
    handler = type("Handler", (_Handler,), {"told": told, "end": end})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    told.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield told
    finally:
        end.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Mails(Message):
    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told

    def handle_message(self, message: email.message.Message) -> None:
        self._told.mails.append(message)


class _Controller(Controller):
    """Takes any free port."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def smtp_server(tls: ssl.SSLContext | None = None, password: str | None = None) -> Iterator[Told]:
    """Serve SMTP, with a context STARTTLS, which is then required, and with a password only whoever has it."""
    told = Told(0)

    def authenticate(server: object, session: object, envelope: object, mechanism: str, given: object) -> AuthResult:
        is_right = isinstance(given, LoginPassword) and given.password.decode() == password
        return AuthResult(success=is_right, handled=is_right)

    controller = _Controller(
        _Mails(told),
        hostname="127.0.0.1",
        port=0,
        tls_context=tls,
        require_starttls=tls is not None,
        auth_required=password is not None,
        authenticator=authenticate,
    )
    controller.start()
    try:
        told.port = controller.port
        yield told
    finally:
        controller.stop()
