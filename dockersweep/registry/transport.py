"""One HTTP request and its whole answer, within bounds; the only place here that knows urllib3.

Server certificates are checked against the system's roots and those in docker's and Podman's `certs.d`, which also hold
client certificates. Proxies come from the environment. A redirect is returned as an answer, not followed.
"""

import http.client
import ssl
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
import urllib3.exceptions
from msgspec import Struct

from dockersweep import __version__
from dockersweep.files import is_there
from dockersweep.registry.names import hostname_of, is_loopback
from dockersweep.registry.unknown import NotKnownError

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
LARGEST_BYTES = 4_000_000
CERTIFICATES = ("/etc/docker/certs.d", "/etc/containers/certs.d")
_CONNECTIONS = 4
_PIECE_BYTES = 1 << 16


class UnreachableError(NotKnownError):
    """Nothing answers there, or not in HTTP."""


class Reply(Struct, frozen=True):
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """Names are case-insensitive; repeated headers are joined with commas."""
    body: bytes


class Transport:
    """Keeps connections to hosts until `close`. Safe for several threads."""

    def __init__(self, deadline: float) -> None:
        """`deadline` is an instant of `time.monotonic`, after which nothing is sent."""
        self._deadline = deadline
        # Certificates go unchecked only where the user asked for that.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._managers: dict[tuple[str, str, bool], urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close all connections that are not in use."""
        with self._lock:
            for manager in self._managers.values():
                manager.clear()
            self._managers.clear()

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None, verifies: bool = True
    ) -> Reply:
        """Send a request; without `verifies` any certificate will do. Raises UnreachableError, and NotKnownError for
        an answer of more than LARGEST_BYTES or when no time is left."""
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise NotKnownError("no time left")
        timeout = urllib3.Timeout(connect=min(CONNECT_SECONDS, seconds), read=min(READ_SECONDS, seconds))
        sent = {"User-Agent": f"dockersweep/{__version__}", "Accept-Encoding": "identity", **headers}
        try:
            manager = self._manager(url, verifies)
            try:
                return _exchange(manager, method, url, sent, body, timeout)
            except urllib3.exceptions.ProtocolError:
                # The server may close an idle connection just as it is used again.
                if body is not None:
                    raise
                return _exchange(manager, method, url, sent, body, timeout)
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            raise UnreachableError(_why(error)) from None

    def _manager(self, url: str, verifies: bool) -> urllib3.PoolManager:
        """Return the pool of a host: each host may have certificates of its own."""
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc, verifies)
        with self._lock:
            manager = self._managers.get(key)
            if manager is None:
                manager = self._managers[key] = self._made(parts.scheme, parts.netloc, verifies)
            return manager

    def _made(self, scheme: str, host: str, verifies: bool) -> urllib3.PoolManager:
        context = self._context(host, verifies) if scheme == "https" else None
        proxy = None if is_loopback(host) else proxy_of(scheme, host)
        if proxy is None:
            return urllib3.PoolManager(maxsize=_CONNECTIONS, ssl_context=context)
        parts = urlsplit(proxy)
        login = None if parts.username is None else unquote(f"{parts.username}:{parts.password or ''}")
        headers = urllib3.make_headers(proxy_basic_auth=login) if login else None
        return urllib3.ProxyManager(proxy, maxsize=_CONNECTIONS, ssl_context=context, proxy_headers=headers)

    def _context(self, host: str, verifies: bool) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if not verifies:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        for folder in CERTIFICATES:
            _add_certificates(context, Path(folder, host))
        return context


def proxy_of(scheme: str, host: str) -> str | None:
    """Return the proxy that the environment names for a host, as curl and Go read it; None where there is none."""
    proxies = getproxies()
    if proxy_bypass(hostname_of(host)):
        return None
    proxy = proxies.get(scheme) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _add_certificates(context: ssl.SSLContext, folder: Path) -> None:
    """Load a folder as docker does: *.crt are roots, *.cert with its *.key are client certificates."""
    try:
        files = sorted(folder.iterdir()) if is_there(folder) else []
        for file in files:
            if file.suffix == ".crt":
                context.load_verify_locations(file)
            elif file.suffix == ".cert":
                context.load_cert_chain(file, file.with_suffix(".key"))
    except OSError as error:
        raise NotKnownError(f"the certificates in {folder} cannot be used: {error.strerror or error}") from None


def _exchange(
    manager: urllib3.PoolManager,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    timeout: urllib3.Timeout,
) -> Reply:
    answer = manager.request(
        method, url, body=body, headers=headers, timeout=timeout, retries=False, redirect=False,
        preload_content=False, decode_content=False,
    )  # fmt: skip
    return _read(answer)


def _read(answer: urllib3.BaseHTTPResponse) -> Reply:
    is_whole, body = False, b""
    try:
        # urllib3 reports a truncated body only on the read that returns nothing.
        while piece := answer.read(_PIECE_BYTES):
            body += piece
            if len(body) > LARGEST_BYTES:
                raise NotKnownError("the answer is too large")
        is_whole = True
        return Reply(answer.status, answer.headers, body)
    finally:
        # What is left of an answer must not become the next request's.
        if is_whole:
            answer.release_conn()
        else:
            answer.close()


def _why(error: Exception) -> str:
    """Return the innermost error, in the system's words; urllib3's own name objects and URLs."""
    cause: BaseException = error
    while True:
        inner = getattr(cause, "reason", None)
        following = inner if isinstance(inner, BaseException) else cause.__cause__ or cause.__context__
        if following is None or following is cause:
            break
        cause = following
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed: {(cause.reason or 'no reason given').lower().replace('_', ' ')}"
    if isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError):
        return "no answer in time"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return "no answer that is HTTP"
