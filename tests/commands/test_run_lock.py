"""One run at a time on an engine: for all who can reach its socket, and kept from running by nobody else."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from dockersweep.commands.running.run_lock import LockFolders, RunLock, run_lock
from dockersweep.commands.running.shared_lock import EngineSocket, open_shared_lock, shared_lock_path
from dockersweep.errors import RefusedError
from dockersweep.model.inventory import Engine as EngineSeen
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.inventories import ENGINE
from tests.rig.recorder import Request
from tests.rig.running import Run, dockersweep

pytestmark = pytest.mark.programs

DOCKER_GROUP = 64242
MEMBER, OTHER_MEMBER, STRANGER = 65001, 65002, 65003
AFAR = msgspec.structs.replace(ENGINE, endpoint="tcp://engine.test:2375")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")


class Place:
    """An engine's socket, and the folders of the locks."""

    def __init__(self, folder: Path) -> None:
        """Like the socket of an engine of root's with a group for those who may use it."""
        self.folder = folder
        self.shared = folder / "lock"
        self.shared.mkdir()
        self.shared.chmod(0o1777)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / "docker.sock"))
        self.socket = folder / "docker.sock"
        self.socket.chmod(0o660)
        self.engine = msgspec.structs.replace(ENGINE, endpoint=f"unix://{self.socket}")

    @property
    def file(self) -> Path:
        """The lock file."""
        return shared_lock_path(EngineSocket(str(self.socket), 0, 0, 0), self.shared)

    @contextmanager
    def run(self, timeout: float = 0, engine: EngineSeen | None = None) -> Iterator[RunLock]:
        """What a run of whoever we are does, with a ledger of its own."""
        own = self.folder / f"state-{os.geteuid()}"
        with run_lock(engine or self.engine, LockFolders(own, self.shared), timeout) as lock:
            yield lock

    def problem(self) -> str | None:
        """What a run that gets its lock has to say of it."""
        with self.run() as lock:
            return lock.problem

    def is_refused(self) -> bool:
        """Whether a run is refused."""
        try:
            with self.run():
                return False
        except RefusedError:
            return True


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that others can write; those of pytest are for its user alone."""
    folder = Path(tempfile.mkdtemp(prefix="dsl-", dir="/tmp"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def place(open_folder: Path) -> Iterator[Place]:
    made = Place(open_folder)
    yield made
    made.listener.close()


@pytest.fixture
def engine_of_root(place: Place) -> Place:
    os.chown(place.socket, 0, DOCKER_GROUP)
    return place


@contextmanager
def user(number: int, *groups: int) -> Iterator[None]:
    """Be that user, with a group of the same number and these; what root may is gone for so long."""
    before = os.getgroups()
    os.setgroups(list(groups))
    os.setegid(number)
    os.seteuid(number)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


def environment_of_member(folder: Path) -> dict[str, str]:
    """The environment of a user to whom the folder is home; anybody may write into the folder of locks in it."""
    lock = folder / "lock"
    lock.mkdir()
    lock.chmod(0o1777)
    own = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "DOCKERSWEEP_STATE_DIR": f"{folder}/state"}
    return {**os.environ, **own, "DOCKERSWEEP_LOCK_DIR": str(lock)}


@as_root
def test_root_and_a_member_of_the_group_see_each_other_whoever_was_first(engine_of_root: Place) -> None:
    place = engine_of_root
    with user(MEMBER, DOCKER_GROUP), place.run() as lock:
        assert lock == RunLock(is_alone=True, problem=None)
        seen = place.file.stat()
        assert (seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)) == (MEMBER, DOCKER_GROUP, 0o660)
        os.seteuid(0)
        with pytest.raises(RefusedError, match=f"process {os.getpid()}"), place.run(0.1):
            pass
    place.file.unlink()
    with place.run() as lock:
        assert lock == RunLock(is_alone=True, problem=None)
        seen = place.file.stat()
        assert (seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)) == (0, DOCKER_GROUP, 0o660)
        with user(MEMBER, DOCKER_GROUP):
            assert place.is_refused()
        with user(OTHER_MEMBER, DOCKER_GROUP):
            assert place.is_refused()
    with user(MEMBER, DOCKER_GROUP):
        assert place.problem() is None


@as_root
def test_the_locks_of_two_engines_are_two_and_the_names_of_one_socket_are_one(engine_of_root: Place) -> None:
    place = engine_of_root
    (place.folder / "run").symlink_to(place.folder)
    linked = msgspec.structs.replace(place.engine, endpoint=f"unix://{place.folder}/run/docker.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place.folder / "other.sock"))
        other = msgspec.structs.replace(place.engine, endpoint=f"unix://{place.folder}/other.sock")
        with place.run(), user(MEMBER, DOCKER_GROUP):
            with pytest.raises(RefusedError), place.run(engine=linked):
                pass
            with place.run(engine=other) as lock:
                assert lock.is_alone


@as_root
@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_a_file_of_somebody_who_cannot_reach_the_socket_keeps_nobody_from_running(
    engine_of_root: Place, mode: int
) -> None:
    place = engine_of_root
    with user(STRANGER):
        squatted = open_shared_lock(place.file, EngineSocket(str(place.socket), STRANGER, STRANGER, mode))
        os.lockf(squatted, os.F_LOCK, 0)
    said = f"{place.file} belongs to the user {STRANGER}"
    for groups in ((), (DOCKER_GROUP,)):
        with user(MEMBER if groups else 0, *groups):
            problem = place.problem()
        assert problem is not None
        assert problem.startswith(said)
        assert problem.endswith("remove it: a run of another user would not be noticed")
    assert os.fstat(squatted).st_size == 0
    os.close(squatted)
    place.file.unlink()
    assert place.problem() is None


def _fifo(file: Path) -> None:
    os.mkfifo(file, 0o666)


def _link(file: Path) -> None:
    file.with_name("precious").write_text("precious")
    file.symlink_to("precious")


def _dangling(file: Path) -> None:
    file.symlink_to("nothing")


def _hard_link(file: Path) -> None:
    file.with_name("precious").write_text("precious")
    file.hardlink_to(file.with_name("precious"))


@as_root
@pytest.mark.parametrize("lay", [_fifo, _link, _dangling, _hard_link, Path.mkdir])
def test_what_is_no_plain_file_is_told_and_left_alone(engine_of_root: Place, lay: Callable[[Path], None]) -> None:
    place = engine_of_root
    lay(place.file)
    problem = place.problem()
    assert problem is not None
    assert problem.startswith(f"{place.file} ")
    precious = place.file.with_name("precious")
    assert precious.read_text() == "precious" if lay in (_link, _hard_link) else True
    assert not place.file.with_name("nothing").is_symlink()
    assert [one.name for one in place.shared.iterdir() if one.name == "nothing"] == []


@as_root
def test_a_file_that_its_maker_had_no_time_to_share_is_shared_by_root(engine_of_root: Place) -> None:
    place = engine_of_root
    os.close(os.open(place.file, os.O_CREAT, 0o600))
    with user(MEMBER, DOCKER_GROUP):
        assert "belongs to root and cannot be opened" in str(place.problem())
    assert place.problem() is None
    with place.run(), user(MEMBER, DOCKER_GROUP):
        assert place.is_refused()


@as_root
def test_where_no_file_can_be_made_only_those_hear_of_it_whom_it_concerns(place: Place) -> None:
    place.shared.chmod(0o755)
    os.chown(place.socket, MEMBER, MEMBER)
    with user(MEMBER):
        # The engine of a user, which besides him only root can reach.
        assert place.problem() is None
    os.chown(place.socket, 0, DOCKER_GROUP)
    with user(MEMBER, DOCKER_GROUP), place.run() as lock:
        assert lock.is_alone
        assert lock.problem == (
            f"{place.file} cannot be made (Permission denied): a run of another user would not be noticed"
        )
        # Their own runs see each other all the same.
        assert place.is_refused()
    assert not place.file.exists()


@as_root
def test_root_and_the_user_of_a_rootless_engine_see_each_other(place: Place) -> None:
    os.chown(place.socket, MEMBER, MEMBER)
    with place.run() as lock:
        assert lock.problem is None
        with user(MEMBER):
            assert place.is_refused()
    with user(MEMBER):
        assert place.problem() is None
    with user(STRANGER), pytest.raises(PermissionError):
        place.file.read_bytes()


def test_many_starters_at_once_share_one_file(place: Place) -> None:
    """Each has a ledger of its own, so that only the shared lock is between them."""
    at_once = threading.Barrier(8)
    inside: list[int] = []
    most: list[int] = []

    def start(number: int) -> None:
        at_once.wait(10)
        with run_lock(place.engine, LockFolders(place.folder / str(number), place.shared), 20) as lock:
            assert lock.problem is None
            inside.append(number)
            most.append(len(inside))
            inside.remove(number)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert most == [1] * 8
    assert [one.name for one in place.shared.iterdir()] == [place.file.name]


def test_a_run_waits_for_both_locks_no_longer_than_it_is_told(place: Place) -> None:
    with place.run():
        for own in ("mine", f"state-{os.geteuid()}"):
            with (
                pytest.raises(RefusedError),
                run_lock(place.engine, LockFolders(place.folder / own, place.shared), 0.2),
            ):
                pass
    with run_lock(place.engine, LockFolders(place.folder / "mine", place.shared), 0.2) as lock:
        assert lock.is_alone


def test_one_that_was_killed_is_not_named(place: Place) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    with place.run():
        place.file.write_text(json.dumps({"pid": ended.pid, "started_at": "2026-11-24T12:00:00Z"}))
        mine = LockFolders(place.folder / "mine", place.shared)
        with pytest.raises(RefusedError, match="another run is at work"), run_lock(place.engine, mine, 0):
            pass
    assert place.file.read_text() == ""


def test_the_lock_beside_the_ledger_is_for_one_engine(place: Place) -> None:
    with place.run(engine=AFAR) as lock:
        assert lock.problem is None
        with place.run(engine=msgspec.structs.replace(AFAR, id="ANOTHER")) as other:
            assert other.problem is None
        with pytest.raises(RefusedError, match=f"process {os.getpid()}"), place.run(0.1, AFAR):
            pass
    with place.run(engine=AFAR) as again:
        assert again.problem is None


def test_a_lock_that_cannot_be_had_is_said_and_one_of_the_two_is_enough(place: Place) -> None:
    (place.folder / "file").write_text("")
    no_own = LockFolders(place.folder / "file", place.shared)
    with run_lock(AFAR, no_own, 0) as lock:
        assert not lock.is_alone
        assert str(lock.problem).endswith("another run on this engine would not be noticed")
    with run_lock(place.engine, no_own, 0) as lock:
        assert lock == RunLock(is_alone=True, problem=None)


def test_an_engine_without_a_socket_here_has_the_lock_beside_the_ledger(place: Place) -> None:
    with place.run(engine=AFAR) as lock:
        assert lock == RunLock(is_alone=True, problem=None)
    assert list(place.shared.iterdir()) == []


@as_root
@pytest.mark.enough_on(*NEWEST)
def test_root_and_a_member_of_the_group_do_not_sweep_a_real_engine_at_once(
    engine: Engine, litter: Litter, open_folder: Path
) -> None:
    """In both directions: what the second one is told while the first removes."""
    member = ["setpriv", f"--reuid={MEMBER}", f"--regid={MEMBER}", f"--groups={DOCKER_GROUP}", "--inh-caps=-all"]
    program = [*member, sys.executable, "-m", "dockersweep"]
    if subprocess.run([*program, "--version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("other users cannot read this checkout")
    place = Path(engine.url.removeprefix("unix://"))
    os.chown(place, 0, DOCKER_GROUP)
    place.chmod(0o660)
    of_member = environment_of_member(open_folder)
    flags = ["-H", engine.url, "sweep", "--yes", "--yes-first-time", "--kind", "container", "--older-than", "0s"]
    refused: list[str] = []

    def by_member() -> subprocess.CompletedProcess[str]:
        return subprocess.run([*program, *flags], env=of_member, capture_output=True, text=True, check=False)

    def by_root() -> Run:
        return dockersweep(*flags, DOCKERSWEEP_LOCK_DIR=of_member["DOCKERSWEEP_LOCK_DIR"])

    def root_too(request: Request) -> None:
        if request.method == "DELETE":
            refused.append(by_root().stderr)

    def member_too(request: Request) -> None:
        if request.method == "DELETE":
            refused.append(by_member().stderr)

    for first, hook in ((by_member, root_too), (by_root, member_too)):
        litter.container(state="created")
        with engine.recorder.recording() as recording:
            recording.before = hook
            run = first()
        assert len(refused) == 1, run
        assert "is at work on the engine at" in refused.pop()
    assert by_member().returncode == 0
