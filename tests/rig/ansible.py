"""Ansible as its users have it: a controller in an environment of its own, and hosts that it reaches over ssh."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.bench.virtual_environment import python_with
from tests.rig.engines.own_image import CHECKOUT, wheels
from tests.rig.engines.roots import Root
from tests.rig.engines.ssh_host import SshHost

HOST = Root("trixie", ("openssh-server", "python3", "python3-venv", "python3-packaging", "python3-requests", "systemd"))
"""A host that Ansible can manage; its Python is the one that the wheels of `own_image` are for."""
CORE = "ansible-core==2.19.14"
SWEEP = CHECKOUT / "share" / "ansible" / "sweep.yml"
"""The playbook that ships."""
_ROLES = SWEEP.parent / "roles"
_PATIENCE = 300.0


@dataclass(frozen=True)
class Play:
    """How a playbook ended."""

    status: int
    output: str
    """Both streams."""

    def recap(self, host: str) -> Mapping[str, int]:
        """Return how many tasks were ok, changed, failed and so on."""
        [counts] = re.findall(rf"^{re.escape(host)} +: (.*)$", self.output, re.MULTILINE)
        return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", counts)}


class Controller:
    """Runs playbooks on hosts, from a folder of its own; its connections end with this context."""

    def __init__(self, folder: Path, hosts: Mapping[str, SshHost], package: str = CORE) -> None:
        """Install that package, unless that has been done."""
        self._program = python_with(package.replace("==", "-"), package).with_name("ansible-playbook")
        self._folder = folder
        # The path of a socket is at most 108 characters long.
        self._connections = Path(tempfile.mkdtemp(prefix="dsw-ansible-", dir="/var/tmp"))
        (folder / "inventory.json").write_text(json.dumps({"all": {"hosts": {n: _how(h) for n, h in hosts.items()}}}))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()
        shutil.rmtree(self._connections)

    def disconnect(self) -> None:
        """End the connections that Ansible keeps for a minute, and wait until their sockets are gone."""
        deadline = time.monotonic() + _PATIENCE
        while connections := list(self._connections.iterdir()):
            assert time.monotonic() < deadline, connections
            for connection in connections:
                command = ["ssh", "-o", f"ControlPath={connection}", "-O", "exit", "box"]
                # One that has ended meanwhile has nobody to ask.
                subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
            time.sleep(0.02)

    def play(self, play: object, *flags: str, **variables: object) -> Play:
        """Run a playbook of this one play."""
        (self._folder / "playbook.json").write_text(json.dumps([play]))
        return self.run("playbook.json", *flags, **variables)

    def run(self, playbook: str | Path, *flags: str, **variables: object) -> Play:
        """Run a playbook with these variables."""
        command = [self._program, "-i", "inventory.json", playbook, *flags, "--extra-vars", json.dumps(variables)]
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        return Play(done.returncode, done.stdout)

    def _environment(self) -> dict[str, str]:
        settings = {
            "ROLES_PATH": _ROLES,
            "LIBRARY": _ROLES / "dockersweep" / "library",
            "PIPELINING": True,
            "SSH_CONTROL_PATH_DIR": self._connections,
        }
        return {
            **{f"ANSIBLE_{name}": str(value) for name, value in settings.items()},
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "LC_ALL": "C.UTF-8",
        }


def _how(host: SshHost) -> dict[str, object]:
    """Return the variables that lead to a host."""
    return {
        "ansible_host": "box",
        # Connections are kept by name and port.
        "ansible_port": host.port,
        "ansible_user": "root",
        "ansible_ssh_common_args": f"-F {host.config}",
        "ansible_python_interpreter": "/usr/bin/python3",
    }


def have_wheels(host: SshHost) -> Mapping[str, str]:
    """Let a host, which has no network, have all wheels that dockersweep needs; return what tells its pip of them."""
    shutil.copytree(wheels(), host.folder / "wheels")
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/host/wheels", "PIP_NO_COMPILE": "1"}


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout into a folder, and return its path."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--find-links", str(wheels())]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(CHECKOUT)], check=True, stdout=subprocess.DEVNULL)
    [wheel] = folder.glob("dockersweep-*.whl")
    return wheel
