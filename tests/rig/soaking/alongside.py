"""Others at work on an engine while it is swept: whatever a sweep does, it must break none of what they have begun."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.rig.engines.archive import ImageSpec, archive, random_bytes, tar
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import CannotDo
from tests.rig.engines.litter import BASE, Litter
from tests.rig.engines.wire import RefusalError, Wire
from tests.rig.running import dockersweep

_AGE = 6.0
AGGRESSIVE = ("--older-than", f"{_AGE:.0f}s", "--all-images", "--named-volumes", "--keep-image", "*busybox*")
"""Takes everything that nothing holds, names or not, as soon as others have had the time to hold what they have made:
for a moment each of their containers is not yet running, or not yet gone, and each of their images is held by none."""
_PATIENCE = 120.0
# Time for others: all of them at full speed would leave none to the sweeps on a small machine.
_PAUSE = 0.2


@dataclass
class Beside:
    """What was done, by whom, and what broke."""

    done: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    """Each with who it broke for."""
    removed: Counter[str] = field(default_factory=Counter)
    """What the sweeps removed, by kind; the litter that was meant for them."""
    statuses: Counter[int] = field(default_factory=Counter)

    def __str__(self) -> str:
        return (
            f"sweeps by exit status {dict(self.statuses)}; removed {dict(self.removed)}; done beside them "
            f"{dict(self.done)}; broken: {len(self.broken)}"
        )


def work_of(litter: Litter) -> dict[str, Callable[[int], None]]:
    """The things that others do over and over on an engine, by name."""
    works = {"load": _load, "run": _run, "prepare": _prepare}
    kind = litter.engine.kind
    if kind.has_build_cache:
        works["build"] = _build
    if kind.has_legacy_builder or kind.flavour == "podman":
        works["classic build"] = _classic_build
    return {name: lambda number, work=work: work(litter, number) for name, work in works.items()}  # type: ignore[misc]


def _load(litter: Litter, number: int) -> None:
    """As a pull does: layers first, then the image, then its name; and it can be run."""
    wire, tag = litter.engine.wire, f"loaded:{number}"
    spec = ImageSpec((tag,), {"shared": 50_000, f"loaded-{number}": 400_000}, runnable=True)
    wire.raw("POST", "/images/load", archive([spec]))
    made = litter.container(image=tag, state="created", command=f"test -s /layer/loaded-{number}")
    litter.start(made)
    assert litter.wait(made) == 0
    wire.call("DELETE", f"/containers/{made}")
    wire.call("DELETE", f"/images/{tag}")


def _run(litter: Litter, number: int) -> None:
    """As `docker run --rm` does, with a volume of its own."""
    wire, engine = litter.engine.wire, litter.engine
    made = litter.container(
        f"run-{number}", image=BASE, state="created", anonymous_volumes=["/data"], command="touch /data/x"
    )
    litter.start(made)
    assert litter.wait(made) == 0
    volume = wire.call("GET", f"/containers/{made}/json")["Mounts"][0]["Name"]
    assert volume in {one["Name"] for one in engine.wire.call("GET", "/volumes")["Volumes"]}
    wire.call("DELETE", f"/containers/{made}", v="1")


def _prepare(litter: Litter, number: int) -> None:
    """As compose does: a network and a volume first, then the container that needs both."""
    wire, name = litter.engine.wire, f"shop-{number}"
    litter.network(name)
    litter.volume(name)
    made = litter.container(
        name, image=BASE, state="created", volumes={name: "/data"}, networks=[name], command="exit 0"
    )
    litter.start(made)
    assert litter.wait(made) == 0
    _remove_from_network(wire, made)
    wire.call("DELETE", f"/volumes/{name}")
    wire.call("DELETE", f"/networks/{name}")


def _remove_from_network(wire: Wire, container: str) -> None:
    """Podman still takes a container off its network after it has ended, and fails both itself and us when we meet."""
    deadline = time.monotonic() + 10
    while True:
        try:
            wire.call("DELETE", f"/containers/{container}", tolerate=(404,))
            return
        except RefusalError as refusal:
            if "netavark" not in str(refusal) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _build(litter: Litter, number: int) -> None:
    """With BuildKit, on a step that is the same each time, and with others that never are."""
    dockerfile = f"FROM {BASE}\nRUN touch /same\nCOPY payload /payload\nRUN touch /step-{number}\nRUN rm /same\n"
    litter.build(dockerfile, {"payload": random_bytes(f"payload-{number}", 100_000)}, image=f"built:{number}")
    litter.engine.wire.call("DELETE", f"/images/built:{number}")


def _classic_build(litter: Litter, number: int) -> None:
    """With the builder that keeps its steps as containers and nameless images."""
    # Podman runs no steps in our rig, where its crun may not set limits, but keeps each step as an image all the same.
    step = "ENV step=" if litter.engine.kind.flavour == "podman" else "RUN touch /"
    steps = [f"FROM {BASE}", "COPY payload /payload", *(f"{step}classic-{number}-{one}" for one in range(3))]
    context = tar({"Dockerfile": "\n".join(steps).encode(), "payload": random_bytes(f"classic-{number}", 100_000)})
    told = litter.engine.wire.raw("POST", "/build", context, t=f"classic:{number}", networkmode="none", nocache="1")
    assert b'"error"' not in told, told[-500:]
    litter.engine.wire.call("DELETE", f"/images/classic:{number}")


def _litter_a_little(litter: Litter, number: int) -> None:
    """What a sweep is meant to take, so that it has something to do each time."""
    litter.container(f"litter-{number}", image=BASE, state="exited")
    litter.volume(size=1000)
    litter.network(f"litter-{number}")
    # With `litter.image` the images would be listed, and the containerd store answers 404 to that while one goes.
    litter.engine.wire.raw("POST", "/images/load", archive([ImageSpec((), {f"litter-{number}": 1000})]))


def sweep_beside(engine: Engine, sweeps: int, *flags: str, works: tuple[str, ...] = ()) -> Beside:
    """Sweep that many times while others work; what they say and what went is told."""
    litter, beside, over = Litter(engine), Beside(), threading.Event()
    litter.base()
    chosen = {name: work for name, work in work_of(litter).items() if not works or name in works}
    threads = [threading.Thread(target=_over_and_over, args=(name, chosen[name], beside, over)) for name in chosen]
    for thread in threads:
        thread.start()
    try:
        # What is there for the first sweep has to be old by then, and known: some images have no age of their own.
        _litter_a_little(litter, -1)
        dockersweep("scan", host=engine.url)
        over.wait(_AGE + 1)
        for number in range(sweeps):
            _litter_a_little(litter, number)
            run = dockersweep("sweep", "--yes", "--format", "json", *flags, host=engine.url)
            beside.statuses[run.status] += 1
            if run.status not in (0, 3):
                beside.broken.append(f"sweep: {run.status}: {run.stderr}")
                continue
            for one in run.json()["outcomes"]:
                beside.removed[f"{one['kind']} {one['status']}"] += 1
                if one["status"] == "failed":
                    beside.broken.append(f"sweep: {one['kind']} {one['name']}: {one['detail']}")
    finally:
        over.set()
        for thread in threads:
            thread.join(_PATIENCE)
    return beside


def _over_and_over(name: str, work: Callable[[int], None], beside: Beside, over: threading.Event) -> None:
    number = 0
    while not over.wait(_PAUSE):
        number += 1
        try:
            work(number)
            beside.done[name] += 1
        except CannotDo:
            raise
        except Exception as problem:
            beside.broken.append(f"{name} {number}: {type(problem).__name__}: {problem}")
