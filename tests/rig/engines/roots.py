"""The root file systems that the engines run in, one for each Debian release and flavour.

A root is built once with mmdebstrap and kept in a cache folder outside the checkout. Nothing ever writes
into a finished root: engines see it through mount namespaces of their own and keep their state elsewhere.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_MARK = ".complete"
"""The file that a root gets last of all; without it the root is the remains of an interrupted build."""


def _cache_folder() -> Path:
    chosen = os.environ.get("DOCKERSWEEP_TEST_CACHE")
    if chosen:
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "dockersweep-tests"


CACHE = _cache_folder()
"""The folder outside the checkout that keeps what is dear to make. It is settled before any test moves HOME."""


class RootError(Exception):
    """A root file system could not be built."""


@dataclass(frozen=True)
class Root:
    """A Debian release with the engine that it packages."""

    suite: str
    packages: tuple[str, ...]
    and_suite: str | None = None
    """A suite that is offered beside the first, for packages that name it: "podman/experimental"."""

    @property
    def name(self) -> str:
        """A folder name that changes with the recipe, so that a changed recipe is built anew."""
        suites = (self.suite,) if self.and_suite is None else (self.suite, self.and_suite)
        recipe = " ".join((*suites, *sorted(self.packages)))
        return f"{self.suite}-{hashlib.sha256(recipe.encode()).hexdigest()[:8]}"

    @property
    def path(self) -> Path:
        """Where the root is, or will be once it is built."""
        return CACHE / "roots" / self.name

    def build(self) -> Path:
        """Build the root unless that has been done, and return its folder."""
        with locked(self.path.with_name(f"{self.name}.lock")):
            if not (self.path / _MARK).exists():
                _bootstrap(self)
        return self.path


_DOCKER = ("docker.io", "iptables", "ca-certificates", "busybox-static")
_PODMAN = ("podman", "crun", "netavark", "conmon", "busybox-static")

BOOKWORM_DOCKER = Root("bookworm", _DOCKER)
TRIXIE_DOCKER = Root("trixie", (*_DOCKER, "docker-cli"))
FORKY_DOCKER = Root("forky", (*_DOCKER, "docker-cli", "docker-buildx", "docker-compose"))
FORKY_PODMAN = Root("forky", _PODMAN)
# What podman only recommends is named: experimental is never chosen unless it is asked for.
_PODMAN_6 = ("podman", "netavark", "golang-github-containers-common")
EXPERIMENTAL_PODMAN = Root(
    "sid",
    (*(f"{name}/experimental" for name in _PODMAN_6), "aardvark-dns", "catatonit", "crun", "conmon", "busybox-static"),
    and_suite="experimental",
)

ROOTS = (BOOKWORM_DOCKER, TRIXIE_DOCKER, FORKY_DOCKER, FORKY_PODMAN, EXPERIMENTAL_PODMAN)
"""Every root."""


def build_all() -> None:
    """Build every root that is not there yet."""
    # Two at a time: mmdebstrap waits for the disk as much as it computes.
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Root.build, ROOTS))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file lock, so that two runs never build the same root at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _offer_beside(root: Root) -> tuple[str, ...]:
    """Take the second suite from where the first is had from, which mmdebstrap has just written down."""
    if root.and_suite is None:
        return ()
    sources = '"$1/etc/apt/sources.list"'
    return (f"--setup-hook=sed -i 'p;s/ {root.suite} / {root.and_suite} /' {sources}",)


def _bootstrap(root: Root) -> None:
    if shutil.which("mmdebstrap") is None:
        raise RootError("mmdebstrap is not installed; tests/run installs it")
    unfinished = root.path.with_name(f"{root.name}.unfinished")
    for remains in (unfinished, root.path):
        if remains.exists():
            shutil.rmtree(remains)
    # The child has a mount and a PID namespace of its own and dies with us, so that an interrupted build
    # leaves neither mounts inside the folder nor a process that goes on writing into it.
    command = [
        *("setpriv", "--pdeathsig", "KILL"),
        *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
        *("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"),
        # A testing release may be past the date in its Release file; that is no reason not to test.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        "--dpkgopt=force-unsafe-io",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        *_offer_beside(root),
        f"--include={','.join(root.packages)}",
        root.suite,
        str(unfinished),
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RootError(f"mmdebstrap {root.suite} failed with {done.returncode}:\n{done.stderr[-4000:]}")
    (unfinished / _MARK).touch()
    unfinished.rename(root.path)
