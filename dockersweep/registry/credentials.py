"""The user's registry credentials: what `docker login` and `podman login` saved, in files or credential helpers.

Read as docker's command line reads config.json (cli/config/configfile) and containers/image reads auth.json:
`credHelpers` first, then `credsStore`, then `auths`. Nothing here is ever shown.
"""

import base64
import binascii
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct, field

from dockersweep.files import is_there, read_configuration, what_is_wrong
from dockersweep.registry.names import HUB
from dockersweep.registry.unknown import NotKnownError

PROGRAM_SECONDS = 10.0
_LARGEST_BYTES = 16_000_000
_HUB_KEY = "https://index.docker.io/v1/"
_OF_HUB = (HUB, "index.docker.io", "registry-1.docker.io")
_TOKEN_USER = "<token>"
_NONE_KEPT = "credentials not found"
"""What a helper writes if it has none for a registry (docker-credential-helpers/credentials/error.go)."""


class Credentials(Struct, frozen=True):
    """What to show to a registry: a name and a password, or a token in their place."""

    username: str = ""
    password: str = ""
    identity_token: str = ""
    """The registry's token service exchanges it for access tokens."""
    registry_token: str = ""
    """Sent to the registry itself."""

    @property
    def basic(self) -> str | None:
        """The value of a header for basic authentication."""
        if not self.username:
            return None
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


class _Entry(Struct):
    auth: str = ""
    username: str = ""
    password: str = ""
    identity_token: str = field(default="", name="identitytoken")
    registry_token: str = field(default="", name="registrytoken")


class _File(Struct):
    auths: dict[str, _Entry] = field(default_factory=dict)
    helpers: dict[str, str] = field(default_factory=dict, name="credHelpers")
    store: str = field(default="", name="credsStore")


class _Kept(Struct):
    """What a credential helper answers."""

    username: str = field(default="", name="Username")
    secret: str = field(default="", name="Secret")


class CredentialFiles:
    """The user's credentials, read when the first registry asks for them. Safe for several threads."""

    def __init__(
        self,
        environment: Mapping[str, str],
        flavour: Literal["docker", "podman"],
        seconds: float = PROGRAM_SECONDS,
    ) -> None:
        """`seconds` is how long a credential helper may take."""
        self._environment = environment
        self._paths = tuple(_paths(environment, flavour))
        self._seconds = seconds
        self._files: list[_File] | None = None
        self._kept: dict[tuple[str, str], Credentials | NotKnownError | None] = {}
        """What helpers answered, or why they did not: each is asked once per server."""
        self._lock = threading.Lock()

    def of(self, registry: str, repository: str) -> Credentials | None:
        """Return the credentials for a repository of a registry, None where there are none. Raises NotKnownError where
        a file cannot be read or a helper fails."""
        with self._lock:
            if self._files is None:
                self._files = [_read(path) for path in self._paths if _is_there(path)]
            for file in self._files:
                credentials = self._in(file, registry, repository)
                if credentials is not None:
                    return credentials
        return None

    def _in(self, file: _File, registry: str, repository: str) -> Credentials | None:
        server = _HUB_KEY if registry == HUB else registry
        keys = tuple(_keys(registry, repository))
        helpers = {_plain(key): program for key, program in file.helpers.items()}
        program = next((helpers[key] for key in keys if key in helpers), file.store)
        if program:
            known = self._kept_by(program, server)
            if known is not None:
                return known
        entries = {_plain(key): entry for key, entry in file.auths.items()}
        return next(filter(None, (_of_entry(entries[key]) for key in keys if key in entries)), None)

    def _kept_by(self, program: str, server: str) -> Credentials | None:
        if (program, server) not in self._kept:
            try:
                self._kept[program, server] = _ask_program(program, server, self._environment, self._seconds)
            except NotKnownError as error:
                self._kept[program, server] = error
        kept = self._kept[program, server]
        if isinstance(kept, NotKnownError):
            raise NotKnownError(str(kept))
        return kept


def _paths(environment: Mapping[str, str], flavour: str) -> Iterator[Path]:
    home = Path(environment.get("HOME") or "/root")
    if flavour == "podman":
        if environment.get("REGISTRY_AUTH_FILE"):
            yield Path(environment["REGISTRY_AUTH_FILE"])
        yield Path(environment.get("XDG_RUNTIME_DIR") or "/run", "containers", "auth.json")
        yield Path(f"/run/containers/{os.geteuid()}/auth.json")
        yield Path(environment.get("XDG_CONFIG_HOME") or home / ".config", "containers", "auth.json")
    yield Path(environment.get("DOCKER_CONFIG") or home / ".docker", "config.json")


def _is_there(path: Path) -> bool:
    try:
        return is_there(path)
    except OSError as error:
        raise NotKnownError(f"the credentials cannot be read: {what_is_wrong(error)}") from None


def _read(path: Path) -> _File:
    try:
        return msgspec.json.decode(read_configuration(path, _LARGEST_BYTES), type=_File)
    except OSError as error:
        raise NotKnownError(f"the credentials cannot be read: {what_is_wrong(error)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # The decoder's message may quote the file, secrets included.
        raise NotKnownError(f"the credentials in {path} cannot be read: it is no such JSON") from None


def _plain(key: str) -> str:
    """Return the host (and path) of a key; docker also writes whole URLs."""
    scheme, separator, rest = key.partition("://")
    return (rest.partition("/")[0] if separator else scheme.removesuffix("/")).lower()


def _keys(registry: str, repository: str) -> Iterator[str]:
    """Yield the keys that may hold credentials for a repository, narrowest first: Podman also uses parts of
    repository names."""
    parts = repository.split("/")
    for host in _OF_HUB if registry == HUB else (registry.lower(),):
        for length in range(len(parts), -1, -1):
            yield "/".join((host, *parts[:length]))


def _of_entry(entry: _Entry) -> Credentials | None:
    username, password = entry.username, entry.password
    if entry.auth:
        try:
            username, _, password = base64.b64decode(entry.auth, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise NotKnownError("the credentials are no base64 text") from None
    credentials = Credentials(username, password.rstrip("\0"), entry.identity_token, entry.registry_token)
    return None if credentials == Credentials() else credentials


def _ask_program(program: str, server: str, environment: Mapping[str, str], seconds: float) -> Credentials | None:
    """Return what `docker-credential-PROGRAM get` keeps for a server."""
    name = f"docker-credential-{program}"
    if re.fullmatch(r"[\w.-]+", program) is None:
        raise NotKnownError("the credentials are with a program whose name cannot be one")
    try:
        with subprocess.Popen(
            [name, "get"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environment),
            # What it started in turn (gpg, a dialog) ends with it.
            start_new_session=True,
        ) as running:
            try:
                output, _ = running.communicate(server.encode(), seconds)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)
                raise NotKnownError(f"{name} did not answer within {seconds:g} seconds") from None
    except OSError as error:
        raise NotKnownError(f"{name} cannot be run: {error.strerror}") from None
    if running.returncode != 0:
        if _NONE_KEPT in output.decode(errors="replace"):
            return None
        raise NotKnownError(f"{name} failed with exit status {running.returncode}")
    try:
        kept = msgspec.json.decode(output, type=_Kept)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotKnownError(f"{name} answered something else than credentials") from None
    if kept.username == _TOKEN_USER:
        return Credentials(identity_token=kept.secret)
    return Credentials(kept.username, kept.secret) if kept.username else None
