"""Registries with names of their own, which lead to the loopback interface as a name server would have it."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from dockersweep.registry import transport

DIGEST = f"sha256:{'1' * 64}"
OF_A_REGISTRY = {"Docker-Content-Digest": DIGEST}


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this machine trust the authority."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


@pytest.fixture(autouse=True)
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all names that end with .test lead to us."""
    real: Callable[..., Any] = socket.getaddrinfo

    def getaddrinfo(host: Any, *others: Any, **more: Any) -> Any:
        return real("127.0.0.1" if str(host).endswith(".test") else host, *others, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def _no_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's own certificates for registries out of it."""
    monkeypatch.setattr(transport, "CERTIFICATES", (str(tmp_path / "certs.d"),))
