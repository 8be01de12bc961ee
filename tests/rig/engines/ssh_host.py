"""A host with an engine that only ssh reaches: a real sshd on a port of the loopback interface, in namespaces of its
own, with users, keys and known hosts made for it."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.rig.engines.engine import Engine
from tests.rig.engines.roots import FORKY_DOCKER, Root
from tests.rig.recorder import Recorder

SSH = Root("forky", ("openssh-server", "fish", "tcsh"))
_INSIDE = Path(__file__).with_name("ssh_host.sh")
_PATIENCE = 20.0
MACHINE = "0123456789abcdef" * 2
_MEMBER, _GROUP = 4711, 4712

OF_CLIENTS = re.compile(r"(HEAD /_ping|GET /v[\d.]+/libpod/_ping) {} -> 200")
"""What docker's and Podman's clients ask by themselves, to find out what they talk to."""

_CONFIG = """\
{more}
Port {port}
ListenAddress 127.0.0.1
HostKey /host/host_key
AuthorizedKeysFile /host/authorized_keys
StrictModes no
UsePAM no
PidFile none
PerSourcePenalties no
"""
_CLIENT = """\
Host box
    HostName 127.0.0.1
    Port {port}
    User root
    IdentityFile {folder}/key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile /dev/null
"""
_PASSWD = """\
root:x:0:0:root:/root:{shell}
sshd:x:101:65534::/run/sshd:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
ann:x:{member}:{member}::/tmp:/bin/sh
bob:x:{stranger}:{stranger}::/tmp:/bin/sh
"""


@dataclass(frozen=True)
class SshHost:
    """The host, called "box" by the configuration of the ssh on its `path`; ann is of the group that may use
    the engine, bob is not."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    recorder: Recorder
    """What stands in front of the engine there."""

    @property
    def url(self) -> str:
        """What dockersweep is to call it."""
        return "ssh://box"

    @property
    def path(self) -> str:
        """A PATH whose ssh uses the configuration: it looks for that where the user database has the home."""
        return f"{self.folder}/bin:{os.environ['PATH']}"

    @property
    def config(self) -> Path:
        """The configuration of the ssh client."""
        return self.folder / "ssh_config"

    @property
    def log(self) -> str:
        """What sshd has said so far."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def sshd(self) -> int:
        """The process of sshd that listens."""
        return _children(self.process.pid)[0]

    def sessions(self) -> list[int]:
        """Return the processes of sshd that serve a connection: for each one that watches, and its child."""
        watching = _children(self.sshd)
        return [*watching, *(child for one in watching for child in _children(one))]

    def client(self) -> list[str]:
        """Return the command lines of all ssh processes here that go to it."""
        return [words for words in _command_lines() if f"{self.folder}/ssh_config" in words]


@contextmanager
def ssh_host(
    engine: Engine,
    has: Literal["docker", "podman", "none"] = "docker",
    *,
    shell: str = "/bin/sh",
    sshd: str = "",
    authorized: str = "",
    machine: Root = SSH,
) -> Iterator[SshHost]:
    """Start a host beside an engine whose users have that client, with a login shell for root, more settings of sshd,
    options of the authorized key, and a root of its own that has sshd."""
    tops = {"docker": [FORKY_DOCKER.build()], "podman": [engine.kind.root.path], "none": []}[has]
    roots = [*tops, machine.build()]
    folder = Path(tempfile.mkdtemp(prefix="dsw-ssh-", dir="/var/tmp"))
    folder.chmod(0o755)
    recorder = Recorder(folder / "engine.sock", engine.socket)
    try:
        port = _free_port()
        _prepare(folder, port, shell, sshd, authorized)
        recorder.open()
        os.chown(recorder.path, 0, _GROUP)
        recorder.path.chmod(0o660)
        command = [
            *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--cgroup", "--fork", "--kill-child"),
            *("--propagation", "private", "sh", str(_INSIDE)),
            *(":".join(map(str, roots)), str(folder), str(recorder.path)),
        ]
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
            ) as process,
        ):
            try:
                host = SshHost(folder, port, process, recorder)
                _await(host)
                yield host
            finally:
                process.kill()
    finally:
        recorder.close()
        shutil.rmtree(folder)
    asked = [str(request) for request in recorder.forbidden if not OF_CLIENTS.fullmatch(str(request))]
    assert not asked, f"an engine was asked for what is not allowed: {asked}"


def _prepare(folder: Path, port: int, shell: str, sshd: str, authorized: str) -> None:
    for name in ("host_key", "key", "other_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    public = (folder / "key.pub").read_text()
    (folder / "authorized_keys").write_text(f"{authorized} {public}".lstrip())
    (folder / "authorized_keys").chmod(0o644)
    kind, key, _ = (folder / "host_key.pub").read_text().split()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    (folder / "sshd_config").write_text(_CONFIG.format(port=port, more=sshd))
    (folder / "ssh_config").write_text(_CLIENT.format(port=port, folder=folder))
    (folder / "passwd").write_text(_PASSWD.format(shell=shell, member=_MEMBER, stranger=_MEMBER + 10))
    (folder / "group").write_text(f"root:x:0:\nnogroup:x:65534:\ndocker:x:{_GROUP}:ann\n")
    (folder / "machine-id").write_text(f"{MACHINE}\n")
    (folder / "shadow").write_text("".join(f"{name}:*:1::::::\n" for name in ("root", "sshd", "ann", "bob")))
    (folder / "bin").mkdir()
    # The one before ours on the PATH, if a test runs within a test.
    ssh = shlex.quote(shutil.which("ssh") or "ssh")
    (folder / "bin" / "ssh").write_text(f'#!/bin/sh\nexec {ssh} -F {folder}/ssh_config "$@"\n')
    (folder / "bin" / "ssh").chmod(0o755)


def _await(host: SshHost) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", host.port), 1):
            return
        if host.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"sshd does not start:\n{host.log}")
        time.sleep(0.02)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _children(pid: int) -> list[int]:
    # It may have ended since it was listed, before it is opened or while it is read.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _command_lines() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
