"""What freed bytes mean for an engine in a virtual machine, and how the file of the machine's disk gets smaller.

Where each is from:

- Docker Desktop: docker/docs, content/manuals/desktop/troubleshoot-and-support/faqs/macfaqs.md.
- OrbStack: its maintainers in orbstack/orbstack#29. Nothing was found that says when its disk gets smaller.
- Colima: abiosoft/colima, docs/FAQ.md ("How can disk space be recovered?").
- Rancher Desktop: its maintainers in rancher-sandbox/rancher-desktop#3158 and #3442.
- Lima: lima-vm/lima#1102, which lets fstrim give back what is unused.
- WSL2: microsoft/WSL#4699, and Microsoft's reference of Optimize-VHD.
- Podman's machine: nothing was found that its maintainers say of it.
"""

from typing import Literal

from dockersweep.model.inventory import Engine

Machine = Literal["docker-desktop", "orbstack", "colima", "lima", "rancher-desktop", "podman-machine", "wsl2"]
_BY_SYSTEM: dict[str | None, Machine] = {"Docker Desktop": "docker-desktop", "OrbStack": "orbstack"}
_BY_NAME: tuple[tuple[str, Machine], ...] = (
    ("lima-rancher-desktop", "rancher-desktop"),
    ("colima", "colima"),
    ("lima-", "lima"),
)
"""Prefixes of the host names that these products give; Colima's is "colima" or "colima-PROFILE"."""
_BY_PATH: tuple[tuple[str, Machine], ...] = (
    ("/podman-machine-", "podman-machine"),
    ("/podman/machine/", "podman-machine"),
    ("/.colima/", "colima"),
    ("/.lima/", "lima"),
    ("/.rd/", "rancher-desktop"),
)
"""Parts of the paths of their sockets."""
_NAMES: dict[Machine, str] = {
    "docker-desktop": "Docker Desktop",
    "orbstack": "OrbStack",
    "colima": "Colima",
    "lima": "Lima",
    "rancher-desktop": "Rancher Desktop",
    "podman-machine": "podman machine",
    "wsl2": "WSL2",
}
_MAY_STAY = "The file of that disk may stay as large as it is."
_SMALLER: dict[Machine, str] = {
    "docker-desktop": (
        "The file of that disk, Docker.raw, gets smaller a few seconds after images are removed; "
        "`docker run --privileged --pid=host docker/desktop-reclaim-space` makes it smaller at any time."
    ),
    "orbstack": "The file of that disk is sparse: ls shows 8 TB, and du what it takes.",
    "colima": (
        "The file of that disk gets smaller when Colima starts again, or at once by `colima ssh -- sudo fstrim -a` "
        "(Colima 0.5 or newer)."
    ),
    "rancher-desktop": (
        "The file of that disk gets smaller when Rancher Desktop stops (`rdctl shutdown`), or at once by "
        "`rdctl shell sudo fstrim /mnt/data`."
    ),
    "lima": "The file of that disk gets smaller by `limactl shell INSTANCE sudo fstrim -a`.",
    "wsl2": (
        "That disk is a .vhdx file of Windows, which does not get smaller by itself: quit Docker Desktop if that has "
        "it, run `wsl --shutdown`, and compact the file with Optimize-VHD or diskpart."
    ),
}


def sentences_on_machine(engine: Engine) -> list[str]:
    """Return sentences on where the freed bytes are, and how the host gets them back; none where the engine may be on
    another machine."""
    machine = _machine_of(engine)
    if machine is not None:
        where = f"The engine runs in a virtual machine ({_NAMES[machine]})"
        return [f"{where}: what is removed frees space inside its virtual disk. {_SMALLER.get(machine, _MAY_STAY)}"]
    if engine.socket is None:
        return []
    where = "The engine runs on another kernel than this machine"
    return [f"{where}: if that is a virtual machine here, space is freed inside its virtual disk. {_MAY_STAY}"]


def _machine_of(engine: Engine) -> Machine | None:
    """Return the product of the engine's virtual machine. A host name or a path counts only for another kernel behind a
    socket: any server may have such a name."""
    if engine.kernel is not None and "microsoft" in engine.kernel.lower():
        return "wsl2"
    if engine.operating_system in _BY_SYSTEM:
        return _BY_SYSTEM[engine.operating_system]
    path = engine.socket
    if path is None or not engine.on_other_kernel:
        return None
    named = [machine for start, machine in _BY_NAME if (engine.name or "").startswith(start)]
    return next(iter([*named, *(machine for part, machine in _BY_PATH if part in path)]), None)
