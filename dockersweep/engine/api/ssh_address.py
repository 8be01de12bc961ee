"""The address of an engine behind ssh, as docker writes it: ssh://[USER@]HOST[:PORT][/PATH/OF/SOCKET]."""

import re
from urllib.parse import quote, unquote

from msgspec import Struct

_SCHEME = "ssh://"
# A name that begins with "-" would be an option of ssh, and others mean something to a shell that a user's
# configuration of ssh starts (ProxyCommand, Match exec).
_HOST = re.compile(r"\[(?P<six>[0-9A-Fa-f:.]+(%[\w.-]+)?)\]|(?P<name>\w[\w.+-]*)")
_USER = re.compile(r"\w[\w.+@\\-]*\$?")
_URL = re.compile(r"((?P<user>[^@/]*)@)?(?P<host>\[[^]/]*\]|[^@:/\[\]]*)(:(?P<port>[^/]*))?(?P<path>/.*)?", re.DOTALL)
_LARGEST_PORT = 65_535


class SshAddress(Struct, frozen=True):
    """A host that ssh can reach; None for what its configuration is to tell."""

    host: str
    """A name, an alias of the user's configuration, or an address without brackets."""
    user: str | None = None
    port: int | None = None
    path: str | None = None
    """The engine's socket there; None for the one that its client uses."""

    @property
    def url(self) -> str:
        """The address as a URL."""
        user = "" if self.user is None else f"{quote(self.user, safe='+')}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"{_SCHEME}{user}{host}{port}{quote(self.path or '')}"

    @property
    def words(self) -> list[str]:
        """The words that name the host on a command line of ssh, before the command."""
        user = [] if self.user is None else ["-l", self.user]
        port = [] if self.port is None else ["-p", str(self.port)]
        return [*user, *port, "--", self.host]

    @property
    def login(self) -> str:
        """The command by which a person gets there."""
        port = "" if self.port is None else f"-p {self.port} "
        return f"ssh {port}{'' if self.user is None else f'{self.user}@'}{self.host}"


def read_ssh_url(url: str) -> SshAddress:
    """Return the address in an ssh:// URL. Raises ValueError that says what is wrong with it, and nothing of it: it may
    be a secret."""
    if re.search(r"[?#]", url):
        raise ValueError("has a query or a fragment: write ssh://[USER@]HOST[:PORT][/PATH]")
    parts = _URL.fullmatch(url.removeprefix(_SCHEME))
    if parts is None:
        raise ValueError("is not an address: write ssh://[USER@]HOST[:PORT][/PATH]")
    if ":" in (parts["user"] or ""):
        raise ValueError("has a password, which ssh takes from no URL: set up a key, and leave the password out")
    user = None if parts["user"] is None else unquote(parts["user"])
    if user is not None and not _USER.fullmatch(user):
        raise ValueError("has no valid user name before the @")
    host = _HOST.fullmatch(parts["host"])
    if host is None:
        raise ValueError(
            "has no valid host name: write ssh://[USER@]HOST[:PORT][/PATH], with brackets around an IPv6 address"
        )
    port = parts["port"]
    if port is not None and not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) <= _LARGEST_PORT):
        raise ValueError(f"has no valid port: it is a number from 1 to {_LARGEST_PORT}")
    path = unquote(parts["path"] or "")
    if not path.isprintable():
        raise ValueError("has control characters in the path of the socket")
    return SshAddress(
        host["six"] or host["name"], user, None if port is None else int(port), path if path.strip("/") else None
    )
