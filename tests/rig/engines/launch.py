"""The command lines that start an engine inside namespaces of its own."""

from __future__ import annotations

import os
from pathlib import Path

from dockersweep.engine.api.throw_away import MARKER_LABEL
from tests.rig.engines import cgroups
from tests.rig.engines.disks import SYSTEM_CONTAINERD
from tests.rig.engines.kinds import EngineKind, ImageStore
from tests.rig.engines.roots import FORKY_DOCKER

_INSIDE = Path(__file__).with_name("inside.sh")
PLUGINS = "usr/libexec/docker/cli-plugins"
"""Where Debian has the plugins of docker's client, below a root."""
SYSTEM_CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
"""Of a containerd that is a service of its own, as the engine sees it."""
_STORES: dict[ImageStore, tuple[str, ...]] = {
    "overlay2": (),
    "containerd": ("--feature", "containerd-snapshotter=true"),
    "btrfs": ("--storage-driver=btrfs",),
}
_NAMESPACES = ("--mount", "--pid", "--net", "--ipc", "--uts")
_JOIN_CGROUP = 'echo $$ >"$0/cgroup.procs"; exec "$@"'

_CONTAINERS_CONF = """\
[containers]
# The test machine's unified hierarchy has no pids controller.
pids_limit = 0
[engine]
# Each container and each volume takes one, and the usual 2048 are too few for a benchmark.
num_locks = 8192
# Containers that a test leaves running must not hold up the end of the engine.
stop_timeout = 1
[network]
# There is no firewall to talk to, and no need for one.
firewall_driver = "none"
# Beside the data, so that networks outlive a restart.
network_config_dir = "{run}/networks"
"""


def command(
    kind: EngineKind, run: Path, socket: Path, data: Path, options: tuple[str, ...], network_of: int | None
) -> list[str]:
    """The command that becomes the engine, with all it needs prepared; in a network of its own, or in that of a
    process."""
    inside = ["sh", str(_INSIDE), str(kind.root.path), str(run)]
    # The whole of it ends when the keeper, our parent, does; see keeper.py.
    tied = ["setpriv", "--pdeathsig", "KILL"]
    apart = ["unshare", *_NAMESPACES, "--fork", "--kill-child", "--propagation", "private"]
    if network_of is not None:
        apart.remove("--net")
        apart = ["nsenter", f"--net=/proc/{network_of}/ns/net", *apart]
    if kind.flavour == "docker":
        return [*tied, *apart, *inside, *_dockerd(kind, run, socket, data, options)]
    cgroups.make(run.name)
    (run / "containers.conf").write_text(_CONTAINERS_CONF.format(run=run))
    join = ["sh", "-c", _JOIN_CGROUP, str(cgroups.unified() / run.name)]
    return [*tied, *join, *apart, "--cgroup", *inside, *_podman(run, socket, data, options)]


def environment(
    kind: EngineKind, run: Path, *, system_containerd: bool = False, without_packages: bool = False
) -> dict[str, str]:
    """The environment of the engine itself: nothing of ours."""
    clean = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}
    if kind.flavour == "podman":
        clean |= {"OWN_CGROUP": "1", "CONTAINERS_CONF": str(run / "containers.conf")}
    if without_packages:
        clean |= {"WITHOUT_PACKAGES": "1"}
    if system_containerd:
        clean |= {"SYSTEM_CONTAINERD": SYSTEM_CONTAINERD}
    return clean


def client_environment(run: Path, url: str) -> dict[str, str]:
    """The environment of a tool that is to see this engine and nothing of the user's configuration."""
    private = ("DOCKER", "BUILDKIT", "BUILDX", "COMPOSE", "CONTAINER", "XDG_")
    ours = {name: value for name, value in os.environ.items() if not name.startswith(private)}
    config = run / "home" / ".docker"
    plugins = config / "cli-plugins"
    binaries = run / "bin"
    if not binaries.exists():
        plugins.mkdir(parents=True)
        for name in ("docker-buildx", "docker-compose"):
            (plugins / name).symlink_to(FORKY_DOCKER.path / PLUGINS / name)
        binaries.mkdir()
        # The newest client talks to every engine here, and needs nothing newer than this machine has.
        (binaries / "docker").symlink_to(FORKY_DOCKER.path / "usr/bin/docker")
    return ours | {
        "PATH": f"{binaries}:{os.environ.get('PATH', os.defpath)}",
        "HOME": str(config.parent),
        "DOCKER_CONFIG": str(config),
        "DOCKER_HOST": url,
        "LANG": "C.UTF-8",
    }


def client(*arguments: str) -> tuple[list[str], Path]:
    """The command that does what docker does with these arguments, and the program of it.

    A plugin is its own program: docker would first start all its plugins, to ask them what they are.
    """
    if arguments[:1] in (("buildx",), ("compose",)):
        plugin = f"docker-{arguments[0]}"
        return [plugin, *arguments[1:]], FORKY_DOCKER.path / PLUGINS / plugin
    return ["docker", *arguments], FORKY_DOCKER.path / "usr/bin/docker"


def run_root(run: Path) -> Path:
    """Where Podman notes what is mounted: in the run directory, to be seen from outside as on a real machine."""
    return run / "runroot"


def podman(run: Path, data: Path) -> list[str]:
    """The podman command on an engine's storage, inside its namespaces."""
    return ["podman", "--root", str(data), "--runroot", str(run_root(run)), "--cgroup-manager=cgroupfs"]


def _dockerd(kind: EngineKind, run: Path, socket: Path, data: Path, options: tuple[str, ...]) -> list[str]:
    return [
        "dockerd",
        *("--data-root", str(data), "--exec-root", "/run/dk", "--pidfile", "/run/dockerd.pid"),
        *("-H", f"unix://{socket}", "--cgroup-parent", f"/{run.name}"),
        *("--label", MARKER_LABEL),
        *("--iptables=false", "--ip6tables=false", "--shutdown-timeout", "1"),
        *_STORES[kind.image_store],
        *options,
    ]


def _podman(run: Path, socket: Path, data: Path, options: tuple[str, ...]) -> list[str]:
    return [
        *podman(run, data),
        *options,
        *("system", "service", "--time=0", f"unix://{socket}"),
    ]
