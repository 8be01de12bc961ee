"""The files of a volume that go back through the API of real engines, held against what the API can take."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dockersweep.engine.api.connection import Connection
from dockersweep.engine.api.creations import Creations
from dockersweep.engine.api.endpoint import resolve_endpoint
from dockersweep.engine.archiving.volume_containers import VolumeContainers
from dockersweep.engine.disk.stores import Stores
from dockersweep.engine.restoring.sources import IsThereError
from dockersweep.engine.restoring.volumes import ChangedFilesError, VolumeMaker
from dockersweep.errors import ArchiveError, EngineError
from dockersweep.model.restoring import Removed, Step
from tests.rig import hostile_tree
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter

VOLUME = Removed(kind="volume", id="data", name="data", action="create", run=12, removed_at=None, how="archive")
STEP = Step(kind="volume", id="data", removed=VOLUME, as_name="data")


class Tar:
    """The tar of a folder, as the source of a volume."""

    def __init__(self, folder: Path, **document: Any) -> None:
        self._folder = folder
        self._document = {"Driver": "local", "Labels": {"a": "b"}, "Options": None, **document}

    def document(self, removed: Removed) -> dict[str, Any]:
        return self._document

    def files(self, removed: Removed) -> Iterator[bytes]:
        packing = ["tar", "--create", "--format=posix", "--xattrs", "--xattrs-include=*", "--acls", "--sparse", "."]
        yield subprocess.run([*packing, "--numeric-owner"], cwd=self._folder, capture_output=True, check=True).stdout

    def unpack(self, removed: Removed, folder: str) -> list[str]:
        raise AssertionError("nothing is near")

    def image(self, removed: Removed) -> Iterator[bytes]:
        raise AssertionError("it is a volume")


@pytest.fixture
def calls(engine: Engine) -> Iterator[Creations]:
    connection = Connection(resolve_endpoint(engine.url, None, {}, None), 60)
    yield Creations(connection, 600)
    connection.close()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with all that the API of an engine can be sent."""
    folder = tmp_path / "tree"
    folder.mkdir()
    hostile_tree.fill(folder)
    for name in os.listdir(folder):
        # Longer than engines take a path.
        if len(name) > 200:
            subprocess.run(["rm", "-rf", folder / name], check=True)
    os.truncate(folder / "sparse", 50_000_000)
    os.utime(folder / "before", ns=(0, 0))
    for name, owner in (("capable-5", 5), ("capable-too", 0)):
        (folder / name).write_text(name)
        os.chown(folder / name, owner, owner)
        os.setxattr(folder / name, "security.capability", os.getxattr(folder / "capable", "security.capability"))
    os.link(folder / "capable-too", folder / "links" / "capable-too")
    os.utime(folder / "links", ns=(1_000_000_007, 1_000_000_007))
    os.utime(folder, ns=(946_684_800_987_654_321, 946_684_800_987_654_321))
    os.utime(folder, ns=(946_684_800_987_654_321, 946_684_800_987_654_321))
    return folder


@pytest.mark.linux
def test_files_go_back_as_far_as_the_api_takes_them(engine: Engine, calls: Creations, tree: Path) -> None:
    containers = VolumeContainers(calls, "here")
    told = VolumeMaker(calls, containers, None).make(STEP, Tar(tree))
    assert containers.close() is None
    made = engine.wire.call("GET", "/volumes/data")
    assert made["Labels"].pop("dockersweep.restored-from").startswith("12 ")
    assert made["Labels"] == {"a": "b"}
    is_podman = engine.kind.flavour == "podman"
    # What Podman takes of times are microseconds.
    times = "%TY-%Tm-%Td %TH:%TM" if is_podman else "%T@"
    folder = Path(made["Mountpoint"])
    before, after = (set(hostile_tree.told_by_find(one, times=times)) for one in (tree, folder))
    own = {line for line in before if line.startswith("\0")}
    assert before - after == (own if is_podman else set())
    assert hostile_tree.contents(folder) == hostile_tree.contents(tree)
    kept = {"user", "security"} if is_podman else {"user", "trusted", "system", "security"}
    expected = {
        path: {key: value for key, value in of_path.items() if key.partition(".")[0] in kept}
        for path, of_path in hostile_tree.told_of_attributes(tree).items()
        if not path.endswith("capable-too")
    }
    assert hostile_tree.told_of_attributes(folder) == {path: of_path for path, of_path in expected.items() if of_path}
    assert [text.partition(",")[0] for text in told] == (
        ["without ACLs", "its own folder belongs to 0:0"]
        if is_podman
        else ["without the capabilities of files with several names"]
    )
    assert not is_podman or told[1].endswith("belonged to 4294967294:1")
    # What it took is gone.
    assert engine.wire.call("GET", "/containers/json", all="1") == []
    assert engine.wire.images() == []
    engine.wipe()


@pytest.mark.enough_on("docker-28.5", "podman-6.1")
def test_a_volume_that_cannot_be_filled_is_removed_again(engine: Engine, calls: Creations, tree: Path) -> None:
    class Damaged(Tar):
        def files(self, removed: Removed) -> Iterator[bytes]:
            yield next(super().files(removed))[:100_000]
            raise ArchiveError("the archive is damaged")

    containers = VolumeContainers(calls, "here")
    with pytest.raises(ArchiveError, match=r"^the archive is damaged$"):
        VolumeMaker(calls, containers, None).make(STEP, Damaged(tree))
    containers.close()
    assert not engine.wire.call("GET", "/volumes")["Volumes"]
    engine.wipe()


@pytest.mark.enough_on("docker-28.5", "podman-6.1")
def test_a_volume_that_is_there_is_not_touched(engine: Engine, calls: Creations, litter: Litter, tree: Path) -> None:
    litter.volume("data", labels={"dockersweep.restored-from": "12 0000"})
    with pytest.raises(IsThereError, match="a volume called data is there"):
        VolumeMaker(calls, VolumeContainers(calls, "here"), None).make(STEP, Tar(tree))
    made = engine.wire.call("GET", "/volumes/data")
    assert made["Labels"] == {"dockersweep.restored-from": "12 0000"}
    assert os.listdir(made["Mountpoint"]) == []
    engine.wipe()


class Near(Tar):
    """Files that are unpacked on the disk of the engine, while something else happens."""

    def __init__(self, tree: Path, meanwhile: Callable[[Path], None]) -> None:
        super().__init__(tree)
        self._meanwhile = meanwhile
        self.differences: list[str] = []

    def unpack(self, removed: Removed, folder: str) -> list[str]:
        (Path(folder) / "first").write_text("first")
        self._meanwhile(Path(folder).parent / "_data")
        (Path(folder) / "last").write_text("last")
        return self.differences


def near_maker(engine: Engine, calls: Creations) -> VolumeMaker:
    stores = cast("Stores", SimpleNamespace(places=[SimpleNamespace(path=engine.data_root)]))
    return VolumeMaker(calls, VolumeContainers(calls, "here"), stores)


def files_in(engine: Engine) -> list[str]:
    """What is in the volume, and no folder of ours is beside it."""
    folder = Path(engine.wire.call("GET", "/volumes/data")["Mountpoint"])
    assert [path.name for path in folder.parent.iterdir() if path.name.startswith(".")] == []
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.enough_on("docker-28.5", "podman-6.1")
def test_nobody_reaches_the_files_of_a_volume_before_all_are_there(
    engine: Engine, calls: Creations, litter: Litter, tree: Path
) -> None:
    def mounted(place: Path) -> None:
        assert list(place.iterdir()) == []
        litter.container("early", volumes={"data": "/data"}, state="created")

    assert near_maker(engine, calls).make(STEP, Near(tree, mounted)) == ()
    assert files_in(engine) == ["first", "last"]
    engine.wipe()


@pytest.mark.enough_on("docker-28.5", "podman-6.1")
def test_a_volume_with_which_a_container_runs_already_is_not_replaced(
    engine: Engine, calls: Creations, litter: Litter, tree: Path
) -> None:
    def started(place: Path) -> None:
        litter.container("early", volumes={"data": "/data"}, state="running")

    with pytest.raises(EngineError, match=r"container early runs with it already: stop it.* docker volume rm data"):
        near_maker(engine, calls).make(STEP, Near(tree, started))
    assert list(Path(engine.wire.call("GET", "/volumes/data")["Mountpoint"]).iterdir()) == []
    engine.wipe()


@pytest.mark.enough_on("docker-28.5", "podman-6.1")
def test_what_somebody_else_puts_into_a_new_volume_stays(
    engine: Engine, calls: Creations, litter: Litter, tree: Path
) -> None:
    def written(place: Path) -> None:
        litter.container("early", volumes={"data": "/data"}, state="created")
        (place / "theirs").touch()

    with pytest.raises(EngineError, match=r"somebody else has put files into it .*left: docker volume rm data"):
        near_maker(engine, calls).make(STEP, Near(tree, written))
    assert (Path(engine.wire.call("GET", "/volumes/data")["Mountpoint"]) / "theirs").exists()
    engine.wipe()


@pytest.mark.enough_on("docker-28.5", "podman-6.1")
def test_a_volume_that_somebody_makes_in_the_place_of_ours_stays(
    engine: Engine, calls: Creations, litter: Litter, tree: Path
) -> None:
    def replaced(place: Path) -> None:
        folder = next(path for path in place.parent.iterdir() if path.name.startswith("."))
        engine.wire.call("DELETE", "/volumes/data")
        litter.volume("data", labels={"of": "others"})
        folder.mkdir()

    with pytest.raises(EngineError, match=r"^somebody else has removed it meanwhile, before its files were back$"):
        near_maker(engine, calls).make(STEP, Near(tree, replaced))
    made = engine.wire.call("GET", "/volumes/data")
    assert made["Labels"] == {"of": "others"}
    assert list(Path(made["Mountpoint"]).iterdir()) == []
    engine.wipe()


@pytest.mark.enough_on("docker-28.5")
def test_a_volume_that_somebody_makes_in_the_place_of_ours_from_afar_stays(
    engine: Engine, calls: Creations, litter: Litter, tree: Path
) -> None:
    class Replaced(Tar):
        def files(self, removed: Removed) -> Iterator[bytes]:
            engine.wire.call("DELETE", "/volumes/data")
            litter.volume("data", labels={"of": "others"})
            return super().files(removed)

    with pytest.raises(EngineError, match=r"^somebody else has removed it meanwhile"):
        VolumeMaker(calls, VolumeContainers(calls, "here"), None).make(STEP, Replaced(tree))
    made = engine.wire.call("GET", "/volumes/data")
    assert made["Labels"] == {"of": "others"}
    assert list(Path(made["Mountpoint"]).iterdir()) == []
    engine.wipe()


@pytest.mark.enough_on("docker-28.5")
def test_files_that_are_back_and_not_as_they_were_stay_there(engine: Engine, calls: Creations, tree: Path) -> None:
    source = Near(tree, lambda _: None)
    for differences, told in ((["./first"], "./first"), (["./1", "./2", "./3", "./4"], "./1, ./2, ./3 and others")):
        source.differences = differences
        words = re.escape(f"not as they were archived: {told}; to try again: docker volume rm data")
        with pytest.raises(ChangedFilesError, match=words):
            near_maker(engine, calls).make(STEP, source)
        assert files_in(engine) == ["first", "last"]
        engine.wipe()


@pytest.mark.on_engines("docker-28.5")
def test_what_a_volume_mounts_keeps_its_files(engine: Engine, calls: Creations, tree: Path) -> None:
    share = engine.data_root / "share"
    share.mkdir()
    (share / "mine").write_text("mine")
    options = {"type": "none", "o": "bind", "device": str(share)}
    told = VolumeMaker(calls, VolumeContainers(calls, "here"), None).make(STEP, Tar(tree, Options=options))
    assert told == ("its files are where they were, so none were put there",)
    assert os.listdir(share) == ["mine"]
    assert engine.wire.call("GET", "/volumes/data")["Options"] == options
    engine.wire.call("DELETE", "/volumes/data")
    (share / "mine").unlink()
    VolumeMaker(calls, VolumeContainers(calls, "here"), None).make(STEP, Tar(tree, Options=options))
    assert hostile_tree.contents(share) == hostile_tree.contents(tree)
    engine.spoil()
    engine.wipe()


@pytest.mark.on_engines("docker-28.5")
def test_an_engine_that_does_not_make_it_says_why(engine: Engine, calls: Creations, tree: Path) -> None:
    with pytest.raises(EngineError, match="no-such-driver"):
        VolumeMaker(calls, VolumeContainers(calls, "here"), None).make(STEP, Tar(tree, Driver="no-such-driver"))
