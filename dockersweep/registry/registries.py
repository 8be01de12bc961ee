"""All registries of a run, reached as the engine would reach them: the same URLs, mirrors and certificate checks."""

import socket
import threading
from collections.abc import Iterator

from dockersweep.model.registry import RegistryAccess
from dockersweep.registry.credentials import CredentialFiles
from dockersweep.registry.names import HUB, Name, hostname_of, is_in, is_loopback
from dockersweep.registry.registry import Registry
from dockersweep.registry.transport import Transport
from dockersweep.registry.unknown import NotKnownError


class Registries:
    """Finds the registries of names. Safe for several threads."""

    def __init__(self, access: RegistryAccess, transport: Transport, credentials: CredentialFiles) -> None:
        """`credentials` are shown to the registries themselves, not to mirrors."""
        self._access = access
        self._transport = transport
        self._credentials = credentials
        self._made: dict[str, Registry] = {}
        self._lock = threading.Lock()

    def have(self, name: Name) -> bool:
        """Return whether a registry has a manifest by its digest; raises NotKnownError where that stays open. Only the
        "yes" of a mirror counts: what it lacks may still be at its source."""
        for mirror in self._mirrors(name):
            try:
                if mirror.has(name):
                    return True
            except NotKnownError:
                continue
        return self._of(name).has(name)

    def have_config(self, name: Name, config: str) -> bool:
        """Return whether a tag names the image whose configuration has this digest; raises NotKnownError where that
        stays open."""
        return self._of(name).has_config(name, config)

    def _mirrors(self, name: Name) -> Iterator[Registry]:
        if name.registry != HUB:
            return
        for url in self._access.hub_mirrors:
            host = url.partition("://")[2].rstrip("/")
            if not host or not url.startswith(("http://", "https://")) or self._is_out_of_reach(host):
                continue
            with self._lock:
                if url not in self._made:
                    verifies = not self._is_insecure(host)
                    self._made[url] = Registry([url.rstrip("/")], verifies, self._transport, None)
                made = self._made[url]
            yield made

    def _of(self, name: Name) -> Registry:
        host = name.host
        if self._is_out_of_reach(host):
            raise NotKnownError("it is on the engine's own machine, which is not this one")
        with self._lock:
            if name.registry not in self._made:
                is_insecure = self._is_insecure(host)
                urls = [f"https://{host}", f"http://{host}"] if is_insecure else [f"https://{host}"]
                self._made[name.registry] = Registry(urls, not is_insecure, self._transport, self._credentials)
            return self._made[name.registry]

    def _is_out_of_reach(self, host: str) -> bool:
        return not self._access.has_our_loopback and is_loopback(host)

    def _is_insecure(self, host: str) -> bool:
        """Decide as moby does (registry/config.go: isSecureIndex), but resolve the name only if the engine lists a
        network other than loopback."""
        if is_loopback(host) or host in self._access.insecure_hosts:
            return True
        networks = tuple(
            network for network in self._access.insecure_networks if not is_loopback(network.partition("/")[0])
        )
        return bool(networks) and any(is_in(address, networks) for address in _addresses(hostname_of(host)))


def _addresses(name: str) -> tuple[str, ...]:
    try:
        return tuple(str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        return ()
