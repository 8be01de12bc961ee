"""A registry that an engine can pull from and push to: the only way to a digest on a graphdriver store.

It runs inside the engine's network namespace, as engines trust plain HTTP on their own loopback interface only.

    python -m tests.rig.engines.scenarios_registry FOLDER
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.rig.engines.engine import Engine, EngineError
from tests.rig.engines.scenarios_layers import Blobs
from tests.rig.engines.wire import Wire

_CHECKOUT = Path(__file__).parents[3]
_PULL_API_OF_PODMAN = "5.0.0"


class Registry:
    """What can be pulled, and takes what is pushed; `address` goes before the names of images."""

    def __init__(self, engine: Engine, folder: Path, port: int) -> None:
        """Serve what is put into the folder."""
        self.address = f"127.0.0.1:{port}"
        self._engine = engine
        self._folder = folder

    def offer(self, tag: str, layers: list[bytes]) -> None:
        """Offer an image of these layers, compressed, under `tag` from now on."""
        blobs = Blobs()
        self._offer(tag, blobs, blobs.add_image(layers, packed=True))

    def offer_platforms(self, tag: str, layers: Mapping[str, list[bytes]]) -> None:
        """Offer an image for several architectures under `tag` from now on."""
        blobs = Blobs()
        self._offer(tag, blobs, blobs.add_platforms(layers, packed=True))

    def _offer(self, tag: str, blobs: Blobs, manifest: dict[str, Any]) -> None:
        for digest, data in blobs.content.items():
            (self._folder / digest).write_bytes(data)
        (self._folder / tag).write_text(json.dumps(manifest))

    def digest(self, tag: str) -> str:
        """The digest of what is offered under `tag`."""
        return str(json.loads((self._folder / tag).read_text())["digest"])

    def pull(self, name: str, tag: str) -> None:
        """Have the engine pull `tag`, which can be a digest, as an image of that name."""
        image = f"{self.address}/{name}"
        if self._engine.kind.flavour == "podman":
            # Its API for docker clients does not let them do without TLS.
            wire = Wire(self._engine.socket, _PULL_API_OF_PODMAN)
            wire.raw(
                "POST", "/libpod/images/pull", reference=f"{image}{'@' if ':' in tag else ':'}{tag}", tlsVerify="false"
            )
        else:
            self._engine.wire.raw("POST", "/images/create", fromImage=image, tag=tag)

    def push(self, name: str, tag: str) -> None:
        """Have the engine push what it has as `tag` of an image of that name, which begins with the address."""
        if self._engine.kind.flavour == "podman":
            wire = Wire(self._engine.socket, _PULL_API_OF_PODMAN)
            told = wire.raw("POST", f"/libpod/images/{name}:{tag}/push", tlsVerify="false")
        else:
            # Without credentials in a header Docker 20.10 wants them in the body.
            told = self._engine.wire.raw("POST", f"/images/{name}/push", {}, tag=tag)
        # What goes wrong later than the first byte of the answer is told in it.
        if b'"error"' in told or not (self._folder / tag).exists():
            raise EngineError(f"{name}:{tag} was not pushed: {told.decode(errors='replace')}")


@contextmanager
def registry(engine: Engine) -> Iterator[Registry]:
    """A registry beside an engine."""
    with tempfile.TemporaryDirectory(prefix="dsw-registry-") as folder:
        server = subprocess.Popen(
            ["nsenter", f"--net=/proc/{engine.pid}/ns/net", sys.executable, "-m", __name__, folder],
            cwd=_CHECKOUT,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            yield Registry(engine, Path(folder), int(server.stdout.readline()))
        finally:
            server.terminate()
            server.communicate()


class _Handler(BaseHTTPRequestHandler):
    folder: Path
    protocol_version = "HTTP/1.1"
    # An engine tries TLS first, and only an answer that begins like one of HTTP tells it that there is none.
    default_request_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with a blob, or with a manifest by its digest or tag."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer as to GET, without the body."""
        self._answer(body=False)

    def do_POST(self) -> None:
        """Begin to take a blob in."""
        self._accepted(202, f"/v2/any/blobs/uploads/{uuid.uuid4().hex}")

    def do_PATCH(self) -> None:
        """Take a piece of a blob in."""
        with self._upload().open("ab") as upload:
            upload.write(self._given())
        self._accepted(202, urlsplit(self.path).path, Range=f"0-{self._upload().stat().st_size - 1}")

    def do_PUT(self) -> None:
        """Keep a blob by the digest that is asked for, or a manifest by its own and its tag."""
        if "/manifests/" in self.path:
            data = self._given()
            digest = "sha256:" + hashlib.sha256(data).hexdigest()
            (self.folder / digest).write_bytes(data)
            asked = self.path.rpartition("/")[2]
            if asked != digest:
                (self.folder / asked).write_text(json.dumps({"digest": digest}))
        else:
            with self._upload().open("ab") as upload:
                upload.write(self._given())
            digest = parse_qs(urlsplit(self.path).query)["digest"][0]
            self._upload().rename(self.folder / digest)
        self._accepted(201, f"{self.path.rpartition('/')[0]}/{digest}", **{"Docker-Content-Digest": digest})

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _upload(self) -> Path:
        return self.folder / f"upload-{urlsplit(self.path).path.rpartition('/')[2]}"

    def _given(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        data = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def _accepted(self, status: int, location: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Location": location, "Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _answer(self, *, body: bool) -> None:
        asked = self.path.rpartition("/")[2]
        if self.path == "/v2/":
            self._send(200, b"{}", "application/json", "", body)
            return
        described = self.folder / asked
        if not described.is_file():
            self._send(404, b'{"errors": []}', "application/json", "", body)
            return
        manifest = json.loads(described.read_text()) if not asked.startswith("sha256:") else {"digest": asked}
        data = (self.folder / manifest["digest"]).read_bytes()
        known = json.loads(data).get("mediaType") if "/manifests/" in self.path else None
        self._send(200, data, known or "application/octet-stream", manifest["digest"], body)

    def _send(self, status: int, data: bytes, media_type: str, digest: str, body: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(data)))
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        self.end_headers()
        if body:
            self.wfile.write(data)


def main(folder: Path) -> None:
    """Serve the folder until the end, after telling the port."""
    _Handler.folder = folder
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
