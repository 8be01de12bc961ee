"""What a plan knows of the archive before anything goes there."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from dockersweep.archive.folder import open_archive
from dockersweep.commands.archive_facts import (
    BY_API,
    MOUNTED_BY_PODMAN,
    PODMAN_FROM_AFAR,
    archiving_to,
    gather_archive_facts,
)
from dockersweep.commands.running.archiving import RunArchive
from dockersweep.engine.removing.stopping import StopRequest
from dockersweep.errors import RefusedError
from dockersweep.ledger import Ledger
from dockersweep.model.archive_facts import ArchiveFacts, Reading
from dockersweep.model.disk import Disk
from dockersweep.model.history import ArchivedRow
from dockersweep.model.inventory import Inventory
from dockersweep.model.policy import ArchiveSettings, Space
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.planning.planner import make_plan
from dockersweep.units import parse_age
from tests.archive.archives import BEGUN_AT, a_run, archive_in, original, tar_with
from tests.archive.archives import settings as archived_settings
from tests.commands.calling import Caller, needs_root
from tests.ledger.past_runs import START
from tests.rig.engines.disks import SmallDisk
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import EngineKind, kind
from tests.rig.engines.litter import Litter
from tests.rig.fake_engine import fake_engine
from tests.rig.inventories import ENGINE, NOW, ago, container, image, inventory, volume, write_inventory
from tests.rig.running import dockersweep

SETTINGS = ArchiveSettings(keep_for=parse_age("14d"), min_free=Space(text="1B", size_bytes=1))
FROM_AFAR = replace(ENGINE, endpoint="tcp://10.0.0.1:2375")


def facts(seen: Inventory, folder: Path | str, **settings: Space) -> ArchiveFacts:
    return gather_archive_facts(seen, replace(SETTINGS, folder=str(folder), **settings))


def test_from_afar_everything_comes_through_the_api_and_the_archive_is_on_no_disk_of_the_engine(tmp_path: Path) -> None:
    known = facts(replace(inventory(volume("v")), engine=FROM_AFAR), tmp_path)
    assert (known.volumes, known.mounted_volumes, known.containers) == (BY_API, BY_API, BY_API)
    assert known.images == known.networks == Reading(read_from="api")
    assert (known.on_engine_disk, known.disk, known.problem) == (False, None, None)


def test_podman_keeps_no_owners_from_afar() -> None:
    known = facts(replace(inventory(volume("v")), engine=replace(FROM_AFAR, flavour="podman")), "/srv/none")
    assert (known.volumes, known.mounted_volumes) == (PODMAN_FROM_AFAR, MOUNTED_BY_PODMAN)
    assert known.containers == BY_API


def test_the_folder_is_that_of_the_policy_else_one_beside_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKERSWEEP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert gather_archive_facts(inventory(), SETTINGS).folder == str(tmp_path / "state" / "archive")
    assert facts(inventory(), "~/kept").folder == str(tmp_path / "home" / "kept")
    assert list(tmp_path.iterdir()) == []


def test_the_room_is_what_the_disk_and_the_policy_leave(tmp_path: Path) -> None:
    state = os.statvfs(tmp_path)
    free, total = state.f_bavail * state.f_frsize, state.f_blocks * state.f_frsize
    tenth, small = Space(text="10%", percent=10), Space(text="5MB", size_bytes=5_000_000)
    known = facts(inventory(), tmp_path / "not" / "yet", min_free=tenth).room_bytes
    assert known is not None
    assert abs(known - max(0, free - total // 10)) < 500_000_000
    assert facts(inventory(), tmp_path, max_size=small).room_bytes == 5_000_000
    assert facts(inventory(), tmp_path, min_free=Space(text="100TB", size_bytes=10**17)).room_bytes == 0


@needs_root
def test_a_folder_that_others_can_write_is_told_before_anything_goes(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    for folder in (tmp_path / "open", tmp_path / "open" / "archive"):
        problem = facts(inventory(), folder).problem
        assert problem is not None
        assert f"{tmp_path}/open can be written by others than root" in problem


@pytest.mark.linux
def test_an_archive_in_the_container_of_dockersweep_itself_cannot_be_used(tmp_path: Path) -> None:
    inside = replace(inventory(container("own")), own_container_id="own")
    known = facts(inside, "/srv/no-such-folder/archive")
    assert known.problem is not None
    assert "goes with the container that dockersweep runs in: mount a volume there" in known.problem
    assert facts(inside, "/proc/archive").problem != known.problem
    assert facts(inventory(), "/srv/no-such-folder/archive").problem is None


@pytest.mark.linux
def test_an_archive_in_the_engines_own_folder_cannot_be_used(tmp_path: Path) -> None:
    elsewhere = tmp_path / "disk" / "volumes"
    (elsewhere / "v" / "_data").mkdir(parents=True)
    root = tmp_path / "engine"
    root.mkdir()
    (root / "volumes").symlink_to(elsewhere)
    (tmp_path / "short").symlink_to(elsewhere / "v")
    seen = inventory(replace(volume("v"), mountpoint=f"{root}/volumes/v/_data"))
    seen = replace(seen, engine=replace(seen.engine, root_dir=str(root)))
    for folder in (root / "archive", elsewhere / "v" / "_data" / "archive", tmp_path / "short" / "_data"):
        problem = facts(seen, folder).problem
        assert problem is not None
        assert "is in the engine's own folder" in problem
    assert facts(seen, tmp_path / "engine-archive").problem is None
    # From afar the same path is on another machine.
    assert facts(replace(seen, engine=replace(FROM_AFAR, root_dir=str(root))), root / "archive").problem is None


@pytest.mark.linux
def test_an_archive_in_memory_is_known_as_one() -> None:
    assert facts(inventory(), "/dev/shm/no-such-archive").is_in_memory
    assert not facts(inventory(), "/proc/no-such-archive").is_in_memory


def test_what_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert facts(inventory(), tmp_path / "file").problem == f"{tmp_path}/file is not a directory"


def test_a_plan_warns_of_an_archive_that_cannot_be_used_or_is_too_small(call: Caller, tmp_path: Path) -> None:
    saved = write_inventory(tmp_path, inventory(volume("v", size=7_000_000)))
    (tmp_path / "file").touch()
    plan = ("plan", "--inventory", saved, "--older-than", "0s")
    wrong = call(*plan, "--archive", f"{tmp_path}/file").out
    words = "nothing can go into it, so nothing is removed that needs it"
    assert f"Warning: archive: {words}: {tmp_path}/file is not a directory" in " ".join(wrong.split())
    small = call.policy(
        'version = 1\n[[rule]]\nname = "all"\nkind = "volume"\neverything = true\nremove.older_than = "0s"\n'
        f'[archive]\nfolder = "{tmp_path}/archive"\nmax_size = "1MB"\nmin_free = "1B"\n'
    )
    told = " ".join(call("plan", "--inventory", saved, "--policy", small).out.split())
    assert "up to 7.02 MB go there, and it has room for 1.00 MB: what does not fit is kept" in told
    assert "Warning" not in call(*plan, "--archive", f"{tmp_path}/archive").out.replace("Warning: ages", "")
    problems = ("plan", "--inventory", saved, "--policy", small, "--only-problems")
    assert "archive" not in call(*problems).err
    call.policy(Path(small).read_text().replace('min_free = "1B"', 'min_free = "9000TB"'))
    assert "it has room for 0 B: what does not fit is kept" in call(*problems).err
    assert not (tmp_path / "archive").exists()


def test_a_plan_without_an_archive_knows_nothing_of_one(call: Caller, tmp_path: Path) -> None:
    saved = write_inventory(tmp_path, inventory(volume("v"), container("c"), image("a")))
    plan = call("plan", "--inventory", saved, "--older-than", "0s", "--format", "json").json()
    assert plan["archive"] is None
    assert {step["recovery"]["how"] for step in plan["removals"]} == {"none"}


def test_the_disk_of_the_archive_is_one_of_the_engine(tmp_path: Path) -> None:
    engine = replace(ENGINE, endpoint="unix:///run/test.sock")
    here = Disk(
        total_bytes=1, free_bytes=1, total_inodes=None, free_inodes=None, mount_point="/here", places=(str(tmp_path),)
    )
    elsewhere = replace(here, mount_point="/proc", places=("/proc",))
    on_it = replace(inventory(), engine=engine, disk=elsewhere, other_disks=(here,))
    known = facts(on_it, tmp_path / "archive")
    assert (known.on_engine_disk, known.disk) == (True, "/here")
    apart = facts(replace(on_it, other_disks=()), tmp_path / "archive")
    assert (apart.on_engine_disk, apart.disk) == (False, None)
    assert facts(replace(inventory(), engine=engine), tmp_path).on_engine_disk is None


@needs_root
@pytest.mark.engines
@pytest.mark.parametrize("wanted", [kind("docker-28.5"), kind("podman-5.8")], ids=lambda one: one.name)
def test_beside_a_real_engine_what_goes_to_the_archive_is_told(wanted: EngineKind) -> None:
    with Engine(wanted, disks=(SmallDisk("volumes", "ext4"),)) as engine:
        Litter(engine).volume("data", size=3_000_000)
        plan = ("plan", "--older-than", "0s", "--named-volumes", "--kind", "volume", "--format", "json")
        near, afar = (
            dockersweep(*plan, "--archive", str(folder), host=engine.url).json()
            for folder in (engine.data_root / "volumes" / "archive", "/dev/shm/archive")
        )
    for told, is_there in ((near, True), (afar, False)):
        [step] = told["removals"]
        assert (step["recovery"]["how"], step["recovery"]["text"]) == ("archive", "complete")
        assert told["archive"]["on_engine_disk"] is is_there
        assert told["archive"]["takes"]["high_bytes"] >= 3_000_000


def swept_into(folder: Path, state: Path) -> None:
    """A ledger with a run that has put something into an archive just now."""
    with Ledger(state) as ledger:
        run = ledger.begin(START)
        now = datetime.now(UTC)
        run.archived(
            ArchivedRow(
                kind="volume",
                id="v",
                name="v",
                folder=str(folder),
                path=RUN,
                size_bytes=1,
                archived_at=now,
                until=now + timedelta(days=14),
            )
        )
        run.finish(0, now, None, None)


RUN = "2026-12-01T093000Z-1"


def test_an_archive_of_which_nothing_is_there_though_it_keeps_runs_is_a_disk_that_is_not_mounted(
    tmp_path: Path,
) -> None:
    folder, state = tmp_path / "srv keep", tmp_path / "state"
    swept_into(folder, state)
    settings = replace(SETTINGS, folder=str(folder))

    def known(now: datetime | None = None) -> ArchiveFacts:
        with Ledger(state) as ledger:
            survey = archiving_to(Survey(inventory(volume("v")), now or datetime.now(UTC)), settings, ledger)
        assert survey.archive is not None
        return survey.archive

    problem = (
        f"{folder} has nothing of the archive that keeps a run: mount its disk; where it is lost, begin a new one with "
        f"mkdir -p '{folder}' && touch '{folder}'/lock"
    )
    assert (known().is_missing, known().problem) == (True, problem)
    folder.mkdir(mode=0o700)
    # Neither the end of a sweep nor `archive` make it look as if it were there.
    archive = open_archive(str(folder), make=False)
    archive.prune(datetime.now(UTC), None)
    archive.tidy()
    assert known().is_missing
    # Its time is over.
    assert not known(ago(days=-400)).is_missing
    (folder / RUN).mkdir()
    assert not known().is_missing
    (folder / RUN).rmdir()
    subprocess.run(["sh", "-c", problem.partition("with ")[2]], check=True)
    assert (known().is_missing, known().problem) == (False, None)


def test_what_may_go_for_something_new_is_known_where_the_size_is_limited(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    for day in range(2):
        with a_run(archive, day, BEGUN_AT + day * timedelta(days=1), archived_settings()) as run:
            run.volume_from_tar(original(f"v{day}"), b"{}", tar_with(os.urandom(100_000)))
    small = Space(text="150kB", size_bytes=150_000)
    known = facts(inventory(), archive.path, max_size=small)
    assert [(one.deletion.run, one.deletion.objects) for one in known.runs] == [(0, {"volume": 1}), (1, {"volume": 1})]
    assert known.over_bytes == archive.taken_bytes() - 150_000 > 0
    assert facts(inventory(), archive.path).runs == ()
    assert facts(inventory(), tmp_path / "none", max_size=small).runs == ()


def test_nothing_goes_while_the_archive_is_not_there(call: Caller, tmp_path: Path) -> None:
    archive = RunArchive(cast("Any", None), SETTINGS, cast("Any", None), "here", StopRequest(), lambda _: True)
    facts = ArchiveFacts(problem="it has nothing", is_missing=True)
    survey = Survey(inventory(volume("v")), NOW).archiving_to(facts)
    plan = make_plan(survey, policy_from_flags(PolicyFlags(older_than=parse_age("0s"), archive="")))
    assert [one.recovery.how for one in plan.removals if one.recovery] == ["archive"]
    with pytest.raises(RefusedError, match="nothing removed: it has nothing"):
        archive.prepare(plan, survey)


def test_a_report_tells_that_the_disk_of_the_archive_is_not_mounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, state, policy = tmp_path / "keep", tmp_path / "state", tmp_path / "policy.toml"
    monkeypatch.setenv("DOCKERSWEEP_STATE_DIR", str(state))
    policy.write_text(f'version = 1\nremoves_nothing = true\n[archive]\nfolder = "{folder}"\n')
    with fake_engine() as engine:
        report = ("report", "--policy", str(policy), "--format", "json")
        assert dockersweep(*report, host=engine.url).json()["archive"]["problem"] is None
        swept_into(folder, state)
        told = dockersweep(*report, host=engine.url).json()
    assert told["archive"]["problem"].startswith(f"{folder} has nothing of the archive that keeps a run: mount its")
    assert "DS029" in [finding["id"] for finding in told["findings"]]
