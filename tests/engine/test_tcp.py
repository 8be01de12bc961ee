"""A real engine over TCP, plain and with TLS, by docker's variables and by a context's files."""

import hashlib
import json
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from tests.rig.engines.engine import Engine
from tests.rig.engines.heap import everything
from tests.rig.engines.litter import Litter
from tests.rig.running import dockersweep

on_one_engine = pytest.mark.on_engines("docker-28.5")


@contextmanager
def forwarded(upstream: Path, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Listen on a port of this machine and pass connections on to a unix socket; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()
        threads = [threading.Thread(target=_accept, args=(listener, upstream, context, stop))]
        threads[0].start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            threads[0].join()


def _accept(listener: socket.socket, upstream: Path, context: ssl.SSLContext | None, stop: threading.Event) -> None:
    listener.settimeout(0.05)
    served: list[threading.Thread] = []
    while not stop.is_set():
        try:
            plain, _ = listener.accept()
        except TimeoutError:
            continue
        served.append(threading.Thread(target=_serve, args=(plain, upstream, context)))
        served[-1].start()
    for thread in served:
        thread.join()


def _serve(plain: socket.socket, upstream: Path, context: ssl.SSLContext | None) -> None:
    plain.settimeout(20)
    with plain, socket.socket(socket.AF_UNIX) as engine:
        try:
            client = plain if context is None else context.wrap_socket(plain, server_side=True)
            engine.connect(str(upstream))
        except (ssl.SSLError, OSError):
            return
        back = threading.Thread(target=_pump, args=(engine, client))
        back.start()
        _pump(client, engine)
        back.join()
        client.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    # Also where one end was killed: the other would wait for ever.
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificates(authority: trustme.CA, tmp_path: Path) -> Path:
    """A folder as DOCKER_CERT_PATH wants it."""
    folder = tmp_path / "certs"
    folder.mkdir()
    client = authority.issue_cert("client@example.org")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    client.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    client.private_key_pem.write_to_path(str(folder / "key.pem"))
    return folder


def server_context(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@on_one_engine
def test_plain_tcp_does_the_main_job(engine: Engine, litter: Litter) -> None:
    heap = everything(litter)
    with forwarded(engine.socket) as port:
        url = f"tcp://127.0.0.1:{port}"
        run = dockersweep("sweep", "--yes", "--older-than", "0s", "--kind", "container", host=url)
    assert run.status == 0, run.stderr
    assert f"at {url}, from --host" in run.stdout
    assert heap.stopped_container not in engine.docker("ps", "-aq", "--no-trunc").stdout


@on_one_engine
def test_tls_by_docker_s_variables(engine: Engine, authority: trustme.CA, certificates: Path) -> None:
    with forwarded(engine.socket, server_context(authority)) as port:
        url = f"tcp://127.0.0.1:{port}"
        run = dockersweep("scan", DOCKER_HOST=url, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(certificates))
    assert run.status == 0, run.stderr
    assert f"at {url}, from DOCKER_HOST" in run.stdout


@on_one_engine
def test_tls_by_docker_s_flags(engine: Engine, authority: trustme.CA, certificates: Path, tmp_path: Path) -> None:
    """Before the verb and after it, with the folder of the variable and with files of any name."""
    elsewhere = {"--tlscacert": "ca.pem", "--tlscert": "cert.pem", "--tlskey": "key.pem"}
    files = [word for flag, name in elsewhere.items() for word in (flag, str(certificates / name))]
    with forwarded(engine.socket, server_context(authority)) as port:
        url = f"tcp://127.0.0.1:{port}"
        by_folder = dockersweep("--tlsverify", "scan", host=url, DOCKER_CERT_PATH=str(certificates))
        by_files = dockersweep("scan", "--tlsverify", *files, host=url, DOCKER_CONFIG=str(tmp_path / "none"))
        plain = dockersweep("scan", host=url)
        of_others = dockersweep("scan", "--tlsverify", host=url, DOCKER_CONFIG=str(tmp_path / "none"))
    assert (by_folder.status, by_files.status) == (0, 0), (by_folder.stderr, by_files.stderr)
    assert f"at {url}, from --host" in by_files.stdout
    assert plain.status == 5
    assert of_others.status == 2
    assert "--tlsverify is given, but its certificates are not there" in of_others.stderr


@on_one_engine
def test_tls_by_the_files_of_a_context(
    engine: Engine, authority: trustme.CA, certificates: Path, tmp_path: Path
) -> None:
    folder = hashlib.sha256(b"far").hexdigest()
    with forwarded(engine.socket, server_context(authority)) as port:
        meta = tmp_path / "contexts" / "meta" / folder / "meta.json"
        meta.parent.mkdir(parents=True)
        meta.write_text(json.dumps({"Name": "far", "Endpoints": {"docker": {"Host": f"tcp://127.0.0.1:{port}"}}}))
        shutil.copytree(certificates, tmp_path / "contexts" / "tls" / folder / "docker")
        run = dockersweep("-c", "far", "scan", DOCKER_CONFIG=str(tmp_path))
    assert run.status == 0, run.stderr
    assert "from context far (--context)" in " ".join(run.stdout.split())


@on_one_engine
def test_a_certificate_of_somebody_else_is_refused(engine: Engine, certificates: Path) -> None:
    with forwarded(engine.socket, server_context(trustme.CA())) as port:
        url = f"tcp://127.0.0.1:{port}"
        run = dockersweep("scan", DOCKER_HOST=url, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(certificates))
    assert (run.status, run.stdout) == (5, "")
    assert "TLS failed" in run.stderr
    assert "check its certificates, and DOCKER_CERT_PATH or --tlscacert" in run.stderr


@on_one_engine
def test_a_certificate_for_another_host_is_refused(engine: Engine, authority: trustme.CA, certificates: Path) -> None:
    with forwarded(engine.socket, server_context(authority, "elsewhere.example.org")) as port:
        url = f"tcp://127.0.0.1:{port}"
        run = dockersweep("scan", DOCKER_HOST=url, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(certificates))
    assert run.status == 5
    assert "TLS failed" in run.stderr


@on_one_engine
def test_plain_http_to_a_tls_port_is_said(engine: Engine, authority: trustme.CA) -> None:
    with forwarded(engine.socket, server_context(authority)) as port:
        run = dockersweep("scan", host=f"tcp://127.0.0.1:{port}")
    assert run.status == 5
    assert len(run.stderr.splitlines()) == 1
