"""Services are told through apprise: real servers on the loopback, good and bad ones."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path
from uuid import uuid4

import pytest
import trustme

from dockersweep.commands.notifying import services
from dockersweep.commands.notifying.services import tell_services, unknown_services
from dockersweep.model.policy import NotifySettings
from tests.rig.services import http_server, smtp_server

SECRET = "hunter2"
TITLE = "dockersweep on ci-1: 2 removals failed"
TEXT = "Failed: image <b>app</b>:1: timed out, certificate refused, error=418\nFreed 3.00 GB & more."
MAIL = "from=a@example.com&to=b@example.com"


@pytest.fixture(autouse=True)
def no_other_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust what requests trusts by itself, and no file of this machine, which another Python's root lacks."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def told(*urls: str, seconds: int = 30, kind: str = "failure") -> list[str]:
    settings = NotifySettings(urls=urls, timeout_seconds=seconds)
    problems = tell_services(settings, TITLE, TEXT, kind, lambda: None)
    assert SECRET not in repr(problems)
    return problems


@pytest.fixture
def tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ssl.SSLContext:
    """A certificate that nobody trusts; `trusted` trusts it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return context


def test_several_are_told_at_once() -> None:
    with http_server() as web, smtp_server() as mail:
        urls = (
            f"json://me:{SECRET}@127.0.0.1:{web.port}/hook",
            f"ntfy://127.0.0.1:{web.port}/disks",
            f"mailto://127.0.0.1:{mail.port}?{MAIL}",
        )
        assert told(*urls) == []
    bodies = {body["type" if "type" in body else "topic"]: body for body in map(json.loads, web.bodies)}
    assert (bodies["failure"]["title"], bodies["failure"]["message"]) == (TITLE, TEXT)
    assert (bodies["disks"]["title"], bodies["disks"]["message"]) == (TITLE, TEXT)
    [message] = mail.mails
    assert message["Subject"] == TITLE
    assert message["To"] == "b@example.com"
    payload = message.get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert payload.decode().splitlines() == TEXT.splitlines()


def test_one_that_fails_keeps_none_of_the_others_from_being_told() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = free.getsockname()[1]
    with http_server() as web:
        assert told(
            f"json://127.0.0.1:{web.port}/{SECRET}/500",
            f"json://127.0.0.1:{web.port}/{SECRET}/403",
            f"json://127.0.0.1:{closed}/{SECRET}",
            f"jsons://127.0.0.1:{web.port}/{SECRET}",
            f"mailto://me:{SECRET}@127.0.0.1:{closed}?{MAIL}",
            f"json://{SECRET}.invalid/hook",
            f"nosuch://{SECRET}",
            f"slack://{SECRET}",
            f"json://127.0.0.1:{web.port}/good",
        ) == [
            "address 1 of urls (json://...): the service answered with the status 500",
            "address 2 of urls (json://...): the service answered with the status 403",
            "address 3 of urls (json://...): the connection was refused",
            "address 4 of urls (jsons://...): it does not speak TLS as it should",
            "address 5 of urls (mailto://...): the connection was refused",
            "address 6 of urls (json://...): there is no such host",
            "address 7 of urls (nosuch://...): apprise does not know such an address, or it lacks a part",
            "address 8 of urls (slack://...): apprise does not know such an address, or it lacks a part",
        ]
        assert "/good" in web.paths


def test_a_slow_one_holds_up_nobody_for_longer_than_the_time() -> None:
    with http_server() as web:
        began = time.monotonic()
        urls = (f"json://127.0.0.1:{web.port}/{SECRET}/never", f"json://127.0.0.1:{web.port}/good")
        assert told(*urls, seconds=5) == ["address 1 of urls (json://...): it did not answer in time"]
        # On a busy machine apprise takes a while to start; the service would never answer.
        assert time.monotonic() - began < 20


def test_one_that_drips_is_ended() -> None:
    """Each byte comes within every time-out of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        over = threading.Event()

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                while not over.wait(0.2):
                    try:
                        connection.sendall(b"H")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        try:
            problems = told(f"json://127.0.0.1:{listening.getsockname()[1]}/{SECRET}", seconds=3)
        finally:
            over.set()
            thread.join()
    assert problems == ["address 1 of urls (json://...): apprise did not end within 3 seconds"]
    assert time.monotonic() - began < 8


def test_a_certificate_that_nobody_trusts_is_refused(tls: ssl.SSLContext) -> None:
    with http_server(tls) as web, smtp_server(tls) as mail:
        assert told(
            f"jsons://127.0.0.1:{web.port}/{SECRET}",
            f"mailtos://me:{SECRET}@127.0.0.1:{mail.port}?{MAIL}&mode=starttls",
        ) == [
            "address 1 of urls (jsons://...): its certificate does not hold",
            "address 2 of urls (mailtos://...): its certificate does not hold",
        ]
    assert web.bodies == []
    assert mail.mails == []


def test_a_certificate_that_is_trusted_holds(
    tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with http_server(tls) as web, smtp_server(tls, password=SECRET) as mail:
        assert (
            told(
                f"jsons://localhost:{web.port}/{SECRET}",
                f"mailtos://me:{SECRET}@localhost:{mail.port}?{MAIL}&mode=starttls",
            )
            == []
        )
    assert len(web.bodies) == len(mail.mails) == 1


def test_a_wrong_password_is_told(tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with smtp_server(tls, password="another") as mail:
        url = f"mailtos://me:{SECRET}@localhost:{mail.port}?{MAIL}&mode=starttls"
        assert told(url) == ["address 1 of urls (mailtos://...): it does not accept the user or the password"]
    assert mail.mails == []


def test_a_signal_ends_it() -> None:
    with http_server() as web:
        settings = NotifySettings(urls=(f"json://127.0.0.1:{web.port}/never",), timeout_seconds=60)
        began = time.monotonic()
        problems = tell_services(settings, TITLE, TEXT, "info", lambda: "SIGTERM" if web.paths else None)
    assert problems == ["address 1 of urls (json://...): apprise was ended by SIGTERM"]
    assert time.monotonic() - began < 15


@pytest.mark.linux
def test_no_process_shows_an_address() -> None:
    # Another run of this test has one of its own.
    secret = uuid4().hex
    with http_server() as web:
        settings = NotifySettings(urls=(f"json://127.0.0.1:{web.port}/{secret}/never",), timeout_seconds=60)
        seen: list[bytes] = []

        def look() -> str | None:
            if not web.paths:
                return None
            seen.append(b"".join(map(_shown, filter(str.isdigit, os.listdir("/proc")))))
            return "SIGTERM"

        tell_services(settings, TITLE, TEXT, "info", look)
    [shown] = seen
    assert b"apprise_process" in shown
    assert secret.encode() not in shown


def _shown(pid: str) -> bytes:
    """What everybody may read of a process, and its environment."""
    try:
        return Path("/proc", pid, "cmdline").read_bytes() + Path("/proc", pid, "environ").read_bytes()
    except OSError:
        return b""


def test_nothing_in_the_current_directory_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("json", "apprise", "logging"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(7)\n")
    monkeypatch.chdir(tmp_path)
    with http_server() as web:
        assert told(f"json://127.0.0.1:{web.port}/hook") == []


def test_apprise_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "find_spec", lambda name: None)
    monkeypatch.setattr(subprocess, "Popen", None)
    assert told("json://127.0.0.1/hook") == [
        "apprise is not installed: install it with `pip install 'dockersweep[notify]'`"
    ]


def test_addresses_are_judged_without_a_message() -> None:
    with http_server() as web:
        urls = (f"json://127.0.0.1:{web.port}/hook", f"slack://{SECRET}", "discord://")
        assert unknown_services(NotifySettings(urls=urls, timeout_seconds=30)) == {
            1: "address 2 of urls (slack://...): apprise does not know such an address, or it lacks a part",
            2: "address 3 of urls (discord://...): apprise does not know such an address, or it lacks a part",
        }
    assert web.paths == []


def test_a_text_that_is_too_long_is_cut() -> None:
    with http_server() as web:
        settings = NotifySettings(urls=(f"ntfy://127.0.0.1:{web.port}/disks",), timeout_seconds=30)
        assert tell_services(settings, "t" * 1000, "x" * 1_000_000, "info", lambda: None) == []
    [body] = web.bodies
    assert len(body) < 20_000
