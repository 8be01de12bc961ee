"""How flags and files write the address of an engine: the URL of its socket, and the TLS flags beside a tcp:// URL."""

from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

_SCHEME = "unix://"


def socket_url(path: str) -> str:
    """Return the URL of the socket at a path."""
    return f"{_SCHEME}{path}"


def socket_path(url: str) -> str | None:
    """Return the path of the socket in a URL; None for other URLs, like tcp://HOST:PORT."""
    return url.removeprefix(_SCHEME) if url.startswith(_SCHEME) else None


_TLS_FILES = {"--tlscacert": "ca", "--tlscert": "cert", "--tlskey": "key"}


class TlsFlags(Struct, frozen=True, kw_only=True):
    """The TLS flags, as docker has them; they take precedence over its variables."""

    verify: bool = False
    """Speak TLS and check the engine's certificate."""
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    """The files in place of ca.pem, cert.pem and key.pem in the folder of certificates."""

    def written(self) -> tuple[str, ...]:
        """Return the flags as words of a command line."""
        files = (("--tlscacert", self.ca), ("--tlscert", self.cert), ("--tlskey", self.key))
        words = [word for flag, path in files if path is not None for word in (flag, path)]
        return (*(["--tlsverify"] if self.verify else []), *words)


def tls_flags_of(words: Sequence[str]) -> TlsFlags | None:
    """Return the flags of their words, as `TlsFlags.written` returns them; None for none."""
    if not words:
        return None
    files = {_TLS_FILES[flag]: path for flag, path in pairwise(words) if flag in _TLS_FILES}
    return TlsFlags(verify="--tlsverify" in words, **files)
