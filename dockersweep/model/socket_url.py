"""The URL of a unix socket: "unix:///var/run/docker.sock"."""

_SCHEME = "unix://"


def socket_url(path: str) -> str:
    """Return the URL of the socket at a path."""
    return f"{_SCHEME}{path}"


def socket_path(url: str) -> str | None:
    """Return the path of the socket in a URL; None for other URLs, like tcp://HOST:PORT."""
    return url.removeprefix(_SCHEME) if url.startswith(_SCHEME) else None
