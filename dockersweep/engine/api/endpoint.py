"""Which engine: resolved once, in docker's own order, and then passed on explicitly.

The order: --host, --context, DOCKER_HOST, DOCKER_CONTEXT, the current context of docker's configuration, the default
socket; if that does not exist, the only socket that Docker Desktop and the like have made in the home folder.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dockersweep.errors import UsageError
from dockersweep.files import is_folder, is_plain_file, is_there, read_configuration, state_of
from dockersweep.model.engine_address import TlsFlags, socket_path, socket_url

if TYPE_CHECKING:
    from dockersweep.engine.api.ssh_address import SshAddress

DEFAULT_SOCKET = "unix:///var/run/docker.sock"
_BY_DEFAULT = "the default socket"
_LARGEST_BYTES = 16_000_000
_SSH = "ssh://"
_URLS = "ssh://[USER@]HOST, tcp://HOST:PORT or unix:///PATH"
_NAMED_PIPE = re.compile(r"npipe:|[/\\]{2}[.?][/\\]pipe[/\\]", re.IGNORECASE)


class TlsFiles(msgspec.Struct, frozen=True):
    """The files of a TLS connection; None for missing ones."""

    ca: Path | None
    cert: Path | None
    key: Path | None
    verify: bool
    """Whether the engine's certificate is checked."""


class Endpoint(msgspec.Struct, frozen=True):
    """Where an engine listens: a unix://, tcp:// or ssh:// URL, what named it, and the TLS files."""

    url: str
    source: str
    tls: TlsFiles | None
    context_flag: str | None = None
    """The context that --context named; None if the endpoint came from elsewhere."""
    tls_flags: tuple[str, ...] = ()
    """The TLS flags as they were given."""

    @property
    def is_default(self) -> bool:
        """Whether nothing named an engine."""
        return self.source == _BY_DEFAULT

    @property
    def socket(self) -> str | None:
        """The path of the unix socket; None if it is not on this machine."""
        return socket_path(self.url)

    @property
    def ssh(self) -> "SshAddress | None":
        """The host behind ssh; None if it is reached otherwise."""
        if not self.url.startswith(_SSH):
            return None
        # Imported late, here and below: few runs need it.
        from dockersweep.engine.api.ssh_address import read_ssh_url

        return read_ssh_url(self.url)

    @property
    def is_tcp(self) -> bool:
        """Whether it is reached over TCP, with or without TLS."""
        return self.socket is None and not self.url.startswith(_SSH)


class _DockerConfig(msgspec.Struct):
    current_context: str = msgspec.field(default="", name="currentContext")


class _Settings(msgspec.Struct, frozen=True):
    """Further settings that decide how to reach an engine."""

    environment: Mapping[str, str]
    config_dir: Path
    tls: TlsFlags | None
    dashes: str
    """In front of the names of flags; empty where they are keys of a file."""


def resolve_endpoint(
    host: str | None,
    context: str | None,
    environment: Mapping[str, str],
    tls: TlsFlags | None = None,
    *,
    are_keys: bool = False,
) -> Endpoint:
    """Return the endpoint that flags and environment name, else the default one. With `are_keys` host, context and TLS
    files stand in a file, under the names of the flags without their dashes.

    Raises UsageError for contradicting flags, an invalid URL, a missing context or TLS file, and if several engines are
    there and none is named.
    """
    if host is not None and context is not None:
        raise UsageError("--host and --context name an engine each: give one of them")
    config_dir = docker_config_folder(environment)
    settings = _Settings(environment, config_dir, tls, "" if are_keys else "--")
    if host is not None:
        return _from_url(host, f"{settings.dashes}host", settings)
    if context is not None:
        return _from_context(context, f"{settings.dashes}context", settings)
    if environment.get("DOCKER_HOST"):
        return _from_url(environment["DOCKER_HOST"], "DOCKER_HOST", settings)
    if environment.get("DOCKER_CONTEXT"):
        return _from_context(environment["DOCKER_CONTEXT"], "DOCKER_CONTEXT", settings)
    current = _current_context(config_dir)
    if current:
        return _from_context(current, str(config_dir / "config.json"), settings)
    path, source = _default_socket(environment)
    return _from_url(socket_url(path), source, settings)


def _default_socket(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the socket to use if no engine is named, and its description. Of several in the home folder none is used,
    not even the only one that answers: a nightly sweep must not go to another engine because the usual one is
    stopped."""
    path, home = DEFAULT_SOCKET.removeprefix("unix://"), environment.get("HOME")
    if not home or _may_be_there(path):
        return path, _BY_DEFAULT
    # Imported late: few machines lack the default socket.
    from dockersweep.engine.api.other_sockets import sockets_in_home

    sockets = sockets_in_home(home)
    if len(sockets) > 1:
        from shlex import quote

        commands = " or ".join(f"`dockersweep -H {quote(socket)} ...`" for socket in sockets)
        raise UsageError(
            f"nothing names an engine, {path} does not exist, and {home} has {len(sockets)} others: choose with "
            f"{commands}"
        )
    return (sockets[0], f"the only socket found in {home}") if sockets else (path, _BY_DEFAULT)


def _may_be_there(path: str) -> bool:
    """Return whether a path may exist. A dangling link, such as Docker Desktop leaves behind, does not."""
    try:
        return state_of(path) is not None
    except OSError:
        return True


def docker_config_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of docker's own configuration, contexts and plugins."""
    if environment.get("DOCKER_CONFIG"):
        return Path(environment["DOCKER_CONFIG"])
    return Path(environment.get("HOME") or "/root") / ".docker"


def _current_context(config_dir: Path) -> str:
    file = config_dir / "config.json"
    try:
        if not is_there(file):
            return ""
        return msgspec.json.decode(read_configuration(file, _LARGEST_BYTES), type=_DockerConfig).current_context
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # Ignoring a damaged configuration could lead to the wrong engine.
        raise UsageError(f"{file} cannot be read: {_why(error)}; fix it, or name the engine with --host") from None


def _from_context(name: str, source: str, settings: _Settings) -> Endpoint:
    environment, config_dir = settings.environment, settings.config_dir
    context_flag = name if source == "--context" else None
    if name == "default":
        host = environment.get("DOCKER_HOST")
        url, source = (host, "DOCKER_HOST") if host else (DEFAULT_SOCKET, "the default context")
        return msgspec.structs.replace(_from_url(url, source, settings), context_flag=context_flag)
    dashes, named = settings.dashes, f'context "{name}"{_origin(source)}'
    if settings.tls is not None:
        raise UsageError(
            f"{named} has its own certificates: leave out {dashes}tlsverify, "
            f"{dashes}tlscacert, {dashes}tlscert and {dashes}tlskey, or name the engine with {dashes}host"
        )
    # Imported late: few runs name a context.
    from dockersweep.engine.api.contexts import folder_of, read_endpoint

    try:
        docker = read_endpoint(name, config_dir)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"there is no {named} under {config_dir}; `docker context ls` lists them") from None
    if docker is None or not docker.host:
        raise UsageError(f"{named} names no docker endpoint; name the engine with {dashes}host")
    source = f"context {name} ({source})" if dashes else f"context {name}"
    url = _checked_url(docker.host, source, settings, encrypted=False)
    if socket_path(url) is not None or url.startswith(_SSH):
        return Endpoint(url=url, source=source, tls=None, context_flag=context_flag)
    files = config_dir / "contexts" / "tls" / folder_of(name) / "docker"
    has_files, verify = _has_tls_entry(files, name), not docker.skip_tls_verify
    tls = _tls_files(files, verify, TlsFlags(), dashes) if has_files or not verify else None
    url = _checked_url(docker.host, source, settings, encrypted=has_files)
    return Endpoint(url=url, source=source, tls=tls, context_flag=context_flag)


def _has_tls_entry(files: Path, name: str) -> bool:
    """Return whether a context has TLS files. Raises UsageError where that cannot be known, rather than use plain
    text."""
    try:
        for folder in (files.parents[1], files.parent, files):
            if not is_there(folder):
                return False
            if not is_folder(folder):
                raise UsageError(f'the TLS files of context "{name}" cannot be read: {folder} is not a directory')
    except OSError as error:
        raise UsageError(f'the TLS files of context "{name}" cannot be read: {files}: {error.strerror}') from None
    return True


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _from_url(url: str, source: str, settings: _Settings) -> Endpoint:
    environment, flags, dashes = settings.environment, settings.tls or TlsFlags(), settings.dashes
    verify = flags.verify or bool(environment.get("DOCKER_TLS_VERIFY"))
    encrypted = verify or bool(environment.get("DOCKER_TLS"))
    if settings.tls is not None and not encrypted:
        raise UsageError(
            f"{dashes}tlscacert, {dashes}tlscert and {dashes}tlskey encrypt nothing by themselves: give "
            f"{dashes}tlsverify as well"
        )
    checked = _checked_url(url, source, settings, encrypted)
    if socket_path(checked) is not None or checked.startswith(_SSH):
        if flags.verify:
            what = "reached over ssh" if checked.startswith(_SSH) else "a unix socket"
            raise UsageError(
                f"{dashes}tlsverify: {checked}{_origin(source)} is {what}, which has no TLS; name the engine with "
                f"{dashes}host tcp://HOST:PORT"
            )
        return Endpoint(url=checked, source=source, tls=None)
    if not encrypted:
        return Endpoint(url=checked, source=source, tls=None)
    folder = Path(environment["DOCKER_CERT_PATH"]) if environment.get("DOCKER_CERT_PATH") else settings.config_dir
    try:
        if flags.ca is None and not is_folder(folder):
            by = f"{dashes}tlsverify is given" if flags.verify else "DOCKER_TLS_VERIFY is set"
            raise UsageError(f"{by}, but its certificates are not there: {folder} is not a directory")
    except OSError as error:
        raise UsageError(f"the certificates in {folder} cannot be read: {error.strerror}") from None
    files = _tls_files(folder, verify, flags, dashes)
    return Endpoint(url=checked, source=source, tls=files, tls_flags=flags.written())


def _tls_files(folder: Path, verify: bool, flags: TlsFlags, dashes: str) -> TlsFiles:
    """Return the files that flags name, else those that exist in the folder."""

    def there(name: str, flag: str, given: str | None) -> Path | None:
        path = Path(given) if given is not None else folder / name
        is_file = is_plain_file(path)
        if given is not None and not is_there(path):
            raise UsageError(f"{dashes}{flag}: {path} does not exist; a certificate or key is expected there")
        if is_there(path) and not is_file:
            raise UsageError(f"{path} is not a file; a certificate or key is expected there")
        return path if is_file else None

    try:
        files = TlsFiles(
            ca=there("ca.pem", "tlscacert", flags.ca),
            cert=there("cert.pem", "tlscert", flags.cert),
            key=there("key.pem", "tlskey", flags.key),
            verify=verify,
        )
    except OSError as error:
        is_named = str(error.filename) in (flags.ca, flags.cert, flags.key)
        what = error.filename if is_named else f"the certificates in {folder}"
        raise UsageError(f"{what} cannot be read: {error.strerror}") from None
    if (files.cert is None) != (files.key is None):
        if flags.cert is not None or flags.key is not None:
            raise UsageError(f"a client certificate needs both {dashes}tlscert and {dashes}tlskey")
        raise UsageError(f"{folder} holds only one of cert.pem and key.pem; a client certificate needs both")
    return files


def _origin(source: str) -> str:
    """Return where an address comes from; nothing for a key of a file: its place is told."""
    return "" if source in ("host", "context") else f" (from {source})"


def _checked_url(url: str, source: str, settings: _Settings, encrypted: bool) -> str:
    named = f'"{_without_password(url)}"{_origin(source)}'
    if _NAMED_PIPE.match(url.strip()):
        raise UsageError(
            f"{named} is a named pipe of Windows, which dockersweep does not speak: "
            "run it inside WSL2, where Docker Desktop has the engine's socket at /var/run/docker.sock (Settings > "
            "Resources > WSL integration)"
        )
    if url.startswith("/"):
        return socket_url(url)
    scheme, separator, rest = url.strip().partition("://")
    if not separator:
        scheme, rest = "tcp", url.strip()
    if scheme == "unix" and not _names_a_user(rest):
        return socket_url(rest) if rest else DEFAULT_SOCKET
    if scheme in ("tcp", "http"):
        address = rest.rstrip("/")
        if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[\w-]+(\.[\w-]+)*\.?)(:\d{1,5})?", address):
            raise UsageError(f"{named} is not an engine: write {_URLS}")
        port = re.search(r":(\d+)$", address)
        if port is None:
            address += ":2376" if encrypted else ":2375"
        elif not 0 < int(port[1]) < 65_536:
            raise UsageError(f"{named} has no such port: {port[1]}; they end at 65535")
        return f"tcp://{address}"
    if scheme == "ssh":
        return _checked_ssh(url.strip(), named)
    if scheme == "https":
        raise UsageError(
            f"{named}: write tcp://{_without_password(rest)}, and give {settings.dashes}tlsverify to encrypt"
        )
    raise UsageError(f"{named} is not an engine: write {_URLS}")


def _checked_ssh(url: str, named: str) -> str:
    from dockersweep.engine.api.ssh_address import read_ssh_url

    try:
        return read_ssh_url(url).url
    except ValueError as error:
        raise UsageError(f"{named} {error}") from None


def _names_a_user(rest: str) -> bool:
    """Whether a URL without its scheme begins like USER:PASSWORD@. (The path of a socket may contain an @, but begins
    with a slash.)"""
    return "@" in rest.partition("/")[0].partition(":")[2]


def _without_password(url: str) -> str:
    """Return the URL without what precedes an @: it may be a secret, even in an invalid URL."""
    return re.sub(r"^(\w*://)?.*@", r"\1***@", url, flags=re.DOTALL)
