"""How a registry asks for a login: the header WWW-Authenticate (RFC 9110), and the token services it names."""

import re
from itertools import zip_longest
from typing import Literal
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from dockersweep.registry.credentials import Credentials
from dockersweep.registry.names import hostname_of, is_loopback
from dockersweep.registry.transport import Reply, Transport, UnreachableError
from dockersweep.registry.unknown import NotKnownError

CLIENT = "dockersweep"
_LONGEST = 4096
"""Longer headers are cut: the search for pairs takes time quadratic in the length."""
_SCHEME = re.compile(r"(?:^|,)\s*(Basic|Bearer)\s+(?=[\w-]+\s*=)", re.IGNORECASE)
_PARAMETER = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


class Challenge(Struct, frozen=True):
    """The authentication that a registry asks for."""

    scheme: Literal["basic", "bearer"]
    realm: str = ""
    service: str = ""


class Origin(Struct, frozen=True):
    """Where a challenge came from."""

    url: str
    """`https://HOST` or `http://HOST`."""
    is_verified: bool
    """Whether nobody in between can have forged it: TLS with a checked certificate, or this very machine."""


class _Token(Struct):
    token: str = ""
    access_token: str = ""


def challenge_of(reply: Reply) -> Challenge | None:
    """Return what a 401 answer asks for, a token if it accepts one; None where it is no scheme that we know."""
    text = reply.headers.get("WWW-Authenticate", "")[:_LONGEST]
    parameters = {}
    marks = list(_SCHEME.finditer(text))
    for mark, following in zip_longest(marks, marks[1:]):
        own = text[mark.end() : len(text) if following is None else following.start()]
        pairs = {key.lower(): re.sub(r"\\(.)", r"\1", quoted) or bare for key, quoted, bare in _PARAMETER.findall(own)}
        parameters[mark[1].lower()] = pairs
    if "bearer" in parameters:
        return Challenge("bearer", parameters["bearer"].get("realm", ""), parameters["bearer"].get("service", ""))
    return Challenge("basic") if "basic" in parameters else None


def fetch_token(
    transport: Transport, challenge: Challenge, origin: Origin, repository: str, known: Credentials | None
) -> str:
    """Return the token with which a repository can be read; raises NotKnownError where none is given.

    Credentials go to the host that asks for them, and to another host only over TLS and if the origin is verified;
    otherwise the request is anonymous. Plain HTTP is used only with a registry that is itself on plain HTTP.
    """
    realm = _realm(challenge.realm, origin)
    if not _may_know(realm, origin):
        known = None
    scope = f"repository:{repository}:pull"
    query = {"service": challenge.service, "scope": scope} if challenge.service else {"scope": scope}
    # A registry whose certificate is not checked has the same certificate here.
    verifies = origin.is_verified or not _is_same_host(realm, origin)
    try:
        return _token_in(_sent(transport, realm, query, known, verifies))
    except UnreachableError as error:
        raise UnreachableError(f"its token service: {error}") from None


def _sent(transport: Transport, realm: str, query: dict[str, str], known: Credentials | None, verifies: bool) -> Reply:
    """Ask a token service as docker does: an identity token is posted in a form, a name and password go in a header,
    and without either the request is anonymous."""
    if known is not None and known.identity_token:
        form = {"grant_type": "refresh_token", "client_id": CLIENT, "refresh_token": known.identity_token, **query}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return transport.send("POST", realm, headers, urlencode(form).encode(), verifies=verifies)
    basic = None if known is None else known.basic
    url = f"{realm}{'&' if urlsplit(realm).query else '?'}{urlencode(query)}"
    return transport.send("GET", url, {} if basic is None else {"Authorization": basic}, verifies=verifies)


def _realm(realm: str, origin: Origin) -> str:
    """Return the URL of the token service; raises NotKnownError for an invalid or unsafe one."""
    try:
        parts = urlsplit(realm)
        is_url = bool(parts.hostname) and parts.username is None and not parts.fragment and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or parts.scheme not in ("http", "https") or re.search(r"[\x00-\x20\x7f\\]", realm):
        raise NotKnownError("it names no token service")
    if parts.scheme == "http" and not (origin.url.startswith("http:") and _is_same_host(realm, origin)):
        raise NotKnownError("it names a token service without TLS")
    return realm


def _may_know(realm: str, origin: Origin) -> bool:
    return _is_same_host(realm, origin) or (origin.is_verified and realm.startswith("https:"))


def _is_same_host(realm: str, origin: Origin) -> bool:
    host, asker = hostname_of(urlsplit(realm).netloc), hostname_of(urlsplit(origin.url).netloc)
    return host == asker or (is_loopback(host) and is_loopback(asker))


def _token_in(reply: Reply) -> str:
    if reply.status != 200:
        raise NotKnownError(f"its token service answered {reply.status}")
    try:
        answer = msgspec.json.decode(reply.body, type=_Token)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotKnownError("its token service gave no token") from None
    token = answer.token or answer.access_token
    if re.fullmatch(r"[\x21-\x7e]+", token) is None:
        raise NotKnownError("its token service gave no token")
    return token
