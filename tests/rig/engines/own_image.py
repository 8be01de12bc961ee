"""The image of share/container/Containerfile, built on an engine of the tests without a network.

Its base is a Debian root with Python, and pip finds the wheels there by its own configuration. What was built once is
loaded from then on, by other processes and runs too, as long as nothing of it changes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from functools import cache
from pathlib import Path

from tests.rig.engines.engine import Engine
from tests.rig.engines.podman_cli import podman
from tests.rig.engines.roots import CACHE, Root, locked

CHECKOUT = Path(__file__).parents[3]
RECIPE = "share/container/Containerfile"
NAME = "dockersweep"
_FOLDERS = ("dockersweep", "man", "share")
_FILES = ("pyproject.toml", "README.md", "LICENSE")
"""What the recipe copies."""
_MOST_KEPT = 3
"""Of each kind of engine: other checkouts have images of their own."""
_BASE = Root("trixie", ("python3", "python3-pip", "python3-venv"))
PYTHON = "3.13"
"""That of the base."""
_PIP_CONF = "[global]\nno-index = true\nfind-links = /wheels\n"
_NOT_IN_BASE = ("./dev/*", "./proc/*", "./sys/*", "./var/cache/*", "./var/lib/apt/lists/*", "./usr/share/locale/*")
# There is no network, and fewer limits than the machine of the tests lets Podman set.
_LIMITS = ("--network", "none", "--ulimit", "nofile=2000:2000", "--ulimit", "nproc=1000:1000")


def have_own_image(engine: Engine) -> None:
    """Have the image of this checkout on an engine, by the name `dockersweep`."""
    saved = _saved(engine)
    with locked(saved.with_name(f"{engine.kind.name}.lock")):
        if not saved.exists():
            _build(engine)
            unfinished = saved.with_name(f"{engine.kind.name}.unfinished")
            engine.docker("save", "--output", str(unfinished), NAME)
            os.rename(unfinished, saved)
            _drop_former(saved)
            return
        os.utime(saved)
    engine.docker("load", "--input", str(saved))


def _build(engine: Engine) -> None:
    base = engine.run_directory / "base.tar"
    _write_base(base)
    engine.docker("import", str(base), "base")
    base.unlink()
    if engine.kind.flavour == "podman":
        _build_with_podman(engine)
    else:
        words = ("buildx", "build", "--network", "none", "--provenance=false", "--load", "--build-arg", "BASE=base")
        engine.docker(*words, "--tag", NAME, "--file", str(CHECKOUT / RECIPE), str(CHECKOUT))


def copy_own_image(source: Engine, target: Engine) -> None:
    """Have the image of an engine that `have_own_image` was called for on another one, too."""
    target.docker("load", "--input", str(_saved(source)))


def run_in_container(
    engine: Engine, *words: str, options: tuple[str, ...] = (), check: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run dockersweep in a container of an engine, which gets the engine's socket, and is removed when it ends."""
    socket = ("--volume", f"{engine.socket}:/var/run/docker.sock")
    return engine.docker("run", "--rm", "--network", "none", *socket, *options, NAME, *words, check=check)


def _saved(engine: Engine) -> Path:
    """Return where the image that an engine of this kind has built of this checkout is kept."""
    return CACHE / "images" / f"{engine.kind.name}-{_digest()}.tar"


@cache
def _digest() -> str:
    """Return what is another where anything is that the image is made of."""
    digest = hashlib.sha256(f"{_BASE.name} {wheels().name} {_PIP_CONF}".encode())
    for path in sorted(
        path for name in (*_FOLDERS, *_FILES) for path in (CHECKOUT / name, *(CHECKOUT / name).rglob("*"))
    ):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.relative_to(CHECKOUT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _drop_former(saved: Path) -> None:
    """Remove what no checkout has used for longest."""
    former = saved.parent.glob(f"{saved.name.rpartition('-')[0]}-*.tar")
    for path in sorted(former, key=lambda path: path.stat().st_mtime)[:-_MOST_KEPT]:
        path.unlink()


def _build_with_podman(engine: Engine) -> None:
    """Podman sees of this machine only what is in its run directory."""
    context = engine.run_directory / "context"
    for name in _FOLDERS:
        shutil.copytree(CHECKOUT / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in _FILES:
        shutil.copy(CHECKOUT / name, context)
    words = ("--build-arg", "BASE=base", "--tag", NAME, "--file", str(context / RECIPE), str(context))
    podman(engine, "build", "--quiet", *_LIMITS, *words)


def _write_base(file: Path) -> None:
    """Write the archive of the base: the root, the wheels and what tells pip of them."""
    with tempfile.TemporaryDirectory(prefix="dsw-base-") as folder:
        added = Path(folder)
        shutil.copytree(wheels(), added / "wheels")
        (added / "etc").mkdir()
        (added / "etc/pip.conf").write_text(_PIP_CONF)
        left_out = [f"--exclude={pattern}" for pattern in _NOT_IN_BASE]
        root = ["tar", "-C", str(_BASE.build()), *left_out, "-cf", str(file), "."]
        subprocess.run(root, check=True)
        subprocess.run(["tar", "-C", folder, "-rf", str(file), "wheels", "etc/pip.conf"], check=True)


def wheels() -> Path:
    """Return a folder with the wheels of what dockersweep needs, and of what builds it: anew where pyproject.toml names
    others."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    recipe = hashlib.sha256("\n".join((PYTHON, *wanted)).encode()).hexdigest()[:8]
    folder = CACHE / "wheels" / f"{PYTHON}-{recipe}"
    with locked(folder.with_name(f"{PYTHON}.lock")):
        if not folder.is_dir():
            unfinished = folder.with_name(f"{folder.name}.unfinished")
            for former in folder.parent.glob(f"{PYTHON}-*"):
                shutil.rmtree(former)
            pip = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check"]
            target = ["--only-binary", ":all:", "--python-version", PYTHON, "--dest", str(unfinished)]
            subprocess.run([*pip, *target, *wanted], check=True)
            os.rename(unfinished, folder)
    return folder
