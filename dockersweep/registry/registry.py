"""One registry: whether it has a manifest by its digest, or under a tag the image with a configuration.

By the distribution specification (opencontainers/distribution-spec, "Pulling manifests"). A HEAD does not count as a
pull, so that it is free where pulls are counted.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal
from urllib.parse import urljoin, urlsplit

import msgspec
from msgspec import Struct, field

from dockersweep.registry.challenge import Challenge, Origin, challenge_of, fetch_token
from dockersweep.registry.credentials import CredentialFiles
from dockersweep.registry.names import Name, is_loopback
from dockersweep.registry.transport import Reply, Transport, UnreachableError
from dockersweep.registry.unknown import NotKnownError

_MOST_REDIRECTS = 5
_MOST_SERVER_ERRORS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_TOO_MANY = 429
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)
_NOT_THERE = frozenset({"MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"})
"""Error codes that say that a manifest or its repository is not there; the last one is Harbor's."""
_WORDS = {
    401: "it wants a login: run docker login",
    403: "access is denied",
    _TOO_MANY: "it wants fewer requests (429)",
}


class _Error(Struct):
    code: str = ""


class _Errors(Struct):
    errors: list[_Error] | None = None


class _Config(Struct):
    digest: str = ""


class _Manifest(Struct):
    config: _Config = field(default_factory=_Config)


class Registry:
    """One registry at one URL. Safe for several threads."""

    def __init__(
        self, urls: Sequence[str], verifies: bool, transport: Transport, credentials: CredentialFiles | None
    ) -> None:
        """`urls` are tried in turn until something answers (`https://HOST`, `http://HOST`). Without `verifies` any
        certificate will do; without credentials requests are anonymous."""
        self._urls = tuple(urls)
        self._verifies = verifies
        self._transport = transport
        self._credentials = credentials
        self._url: str | None = urls[0] if len(urls) == 1 else None
        self._challenge: Challenge | None = None
        self._tokens: dict[str, str] = {}
        self._trouble: str | None = None
        self._server_errors = 0
        self._lock = threading.Lock()

    def has(self, name: Name) -> bool:
        """Return whether it has a manifest by its digest; raises NotKnownError where that stays open."""
        reply = self._ask("HEAD", name)
        if reply.status == 404:
            # Only the body shows whether the registry answered, or a proxy in front of it.
            reply = self._ask("GET", name)
        if reply.status == 200:
            return _proved(reply, name.reference)
        return _denied(reply)

    def has_config(self, name: Name, config: str) -> bool:
        """Return whether a tag is there and names the image whose configuration has this digest: the same image.
        Raises NotKnownError where that stays open."""
        reply = self._ask("GET", name)
        if reply.status != 200:
            return _denied(reply)
        try:
            return msgspec.json.decode(reply.body, type=_Manifest).config.digest == config
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise NotKnownError("it answered something else than a manifest") from None

    def _ask(self, method: Literal["GET", "HEAD"], name: Name) -> Reply:
        """Send a request, with credentials once the registry has asked for them; raises NotKnownError where that
        fails."""
        if self._trouble is not None:
            raise NotKnownError(self._trouble)
        try:
            path = f"/v2/{name.repository}/manifests/{name.reference}"
            reply = self._follow(method, self._base() + path, self._authorization(name))
            challenge = challenge_of(reply) if reply.status == 401 else None
            if challenge is not None:
                self._challenge = challenge
                self._tokens.pop(name.repository, None)
                shown = self._authorization(name)
                if not shown:
                    raise NotKnownError(_words(401))
                reply = self._follow(method, self._base() + path, shown)
        except UnreachableError as error:
            self._trouble = str(error)
            raise
        if reply.status >= 500:
            self._server_errors += 1
        if reply.status == _TOO_MANY or self._server_errors >= _MOST_SERVER_ERRORS:
            self._trouble = _words(reply.status)
        return reply

    def _base(self) -> str:
        """Return the first URL at which anything answers."""
        with self._lock:
            if self._url is None:
                self._url = self._answering()
            return self._url

    def _answering(self) -> str:
        last: UnreachableError | None = None
        for url in self._urls:
            try:
                self._transport.send("GET", f"{url}/v2/", {}, verifies=self._verifies)
                return url
            except UnreachableError as error:
                last = error
        assert last is not None
        raise last

    def _authorization(self, name: Name) -> Mapping[str, str]:
        """Return the Authorization header for a repository; empty until the registry asks for one, and where there are
        no credentials."""
        challenge = self._challenge
        if challenge is None:
            return {}
        known = None if self._credentials is None else self._credentials.of(name.registry, name.repository)
        if known is not None and known.registry_token:
            return {"Authorization": f"Bearer {known.registry_token}"}
        if challenge.scheme == "basic":
            basic = None if known is None else known.basic
            return {} if basic is None else {"Authorization": basic}
        token = self._tokens.get(name.repository)
        if token is None:
            token = fetch_token(self._transport, challenge, self._origin(), name.repository, known)
            self._tokens[name.repository] = token
        return {"Authorization": f"Bearer {token}"}

    def _origin(self) -> Origin:
        url = self._base()
        return Origin(url, is_loopback(urlsplit(url).netloc) or (url.startswith("https:") and self._verifies))

    def _follow(self, method: str, url: str, authorization: Mapping[str, str]) -> Reply:
        """Send a request and follow redirects: no credentials to another host, and never from TLS to plain HTTP."""
        accept = {"Accept": ", ".join(MANIFESTS)}
        start = urlsplit(url)
        for _ in range(_MOST_REDIRECTS + 1):
            here = urlsplit(url)
            is_home = (here.scheme, here.netloc) == (start.scheme, start.netloc)
            sent = {**accept, **authorization} if is_home else accept
            reply = self._transport.send(method, url, sent, verifies=self._verifies or not is_home)
            if reply.status not in _REDIRECTS:
                if reply.status == 401 and not is_home:
                    # The challenge is another host's, and our credentials are not for that host.
                    raise NotKnownError("it sends on to where a login is wanted")
                return reply
            url = _next(url, reply.headers.get("Location", ""))
        raise NotKnownError("it sends on and on")


def _next(url: str, location: str) -> str:
    try:
        following = urljoin(url, location)
        parts, here = urlsplit(following), urlsplit(url)
        is_safe = parts.scheme == "https" or (parts.scheme == here.scheme and parts.hostname == here.hostname)
        is_safe = is_safe and bool(location) and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        is_safe = False
    if not is_safe:
        raise NotKnownError("it sends on to where nothing is asked")
    return following


def _proved(reply: Reply, digest: str) -> bool:
    """Whether a 200 answer is a registry's, about this digest; raises NotKnownError where it may be a page of
    something in front of it."""
    named = reply.headers.get("Docker-Content-Digest")
    media_type = reply.headers.get("Content-Type", "").partition(";")[0].strip()
    if named == digest or (named is None and media_type in MANIFESTS):
        return True
    raise NotKnownError("what answered is no registry")


def _denied(reply: Reply) -> Literal[False]:
    """Return False where a registry says that there is no such manifest; raises NotKnownError for all else."""
    if reply.status != 404:
        raise NotKnownError(_words(reply.status))
    if not _NOT_THERE.intersection(_codes(reply)):
        raise NotKnownError("what answered 404 is no registry")
    return False


def _codes(reply: Reply) -> Iterator[str]:
    try:
        answer = msgspec.json.decode(reply.body, type=_Errors)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    yield from (error.code for error in answer.errors or ())


def _words(status: int) -> str:
    return _WORDS.get(status, f"it answered {status}")
