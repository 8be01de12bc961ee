"""The archive of a run: what goes into it, and when again."""

import gc
import os
import weakref
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from dockersweep.commands.running import archiving
from dockersweep.commands.running.archiving import RunArchive
from dockersweep.commands.running.rounds import PlannedRun
from dockersweep.engine.removing.stopping import StopRequest
from dockersweep.errors import NoRoomError, NotArchivedError
from dockersweep.model.archive import ArchivedObject
from dockersweep.model.inventory import Image, Object
from dockersweep.model.naming import name_of, ref_of
from dockersweep.model.plan import Plan, Removal
from dockersweep.model.policy import ArchiveSettings, Space
from dockersweep.model.recovery import Recovery
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.planning.planner import make_plan
from dockersweep.units import parse_age
from tests.archive.archives import a_run, archive_in, original, tar_with
from tests.archive.archives import settings as archived_settings
from tests.report.test_outcome import DOCUMENT
from tests.rig.inventories import NOW, container, image, inventory, volume

SETTINGS = ArchiveSettings(keep_for=parse_age("14d"), min_free=Space(text="1B", size_bytes=1))


class Writing:
    """An archive that only counts."""

    folder, name, until = "/srv/archive", "2026-12-01T093000Z-1", datetime(2026, 12, 15, tzinfo=UTC)

    def __init__(self, *_: object) -> None:
        self.written: list[str] = []

    def archived(self, item: Object, size_bytes: int | None) -> ArchivedObject:
        ref = ref_of(item)
        self.written.append(ref.kind)
        return ArchivedObject(
            kind=ref.kind, id=ref.id, name=name_of(item), archived_at=NOW, read_from="disk", size_bytes=1, files=()
        )


def test_a_further_round_archives_again_what_stayed_and_may_have_been_used(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Writing()
    monkeypatch.setattr(archiving, "ArchiveWriting", lambda *_: made)
    objects: tuple[Object, ...] = (volume("data"), image("app:1"))
    survey = Survey(inventory(*objects), NOW)
    removals = [
        cast("Removal", SimpleNamespace(ref=ref_of(one), recovery=Recovery(how="archive", text=""))) for one in objects
    ]
    plan = cast("Plan", SimpleNamespace(archive=None, removals=removals))
    records: Any = SimpleNamespace(run=SimpleNamespace(number=1), archived=lambda _: None)
    archive = RunArchive(cast("Any", None), SETTINGS, records, "here", StopRequest(), lambda _: False)
    for _ in range(2):
        archive.prepare(plan, survey)
        for removal in removals:
            archive.archive(removal)
            archive.archive(removal)
    # An image is what its id says, whatever became of it meanwhile.
    assert made.written == ["volume", "image", "volume"]
    assert isinstance(objects[1], Image)


def test_nothing_is_held_of_what_could_not_be_archived(monkeypatch: pytest.MonkeyPatch) -> None:
    class Large:
        """What compresses, or the program that reads."""

    class Failing(Writing):
        held: "weakref.ref[Large]"

        def archived(self, item: Object, size_bytes: int | None) -> ArchivedObject:
            large = Large()
            self.held = weakref.ref(large)
            raise NotArchivedError("it changed while it was read")

    made, one = Failing(), volume("data")
    monkeypatch.setattr(archiving, "ArchiveWriting", lambda *_: made)
    removal = cast("Removal", SimpleNamespace(ref=ref_of(one), recovery=Recovery(how="archive", text="")))
    records: Any = SimpleNamespace(run=SimpleNamespace(number=1), archived=lambda _: None)
    archive = RunArchive(cast("Any", None), SETTINGS, records, "here", StopRequest(), lambda _: False)
    archive.prepare(cast("Plan", SimpleNamespace(archive=None, removals=[removal])), Survey(inventory(one), NOW))
    gc.disable()
    try:
        for _ in range(2):
            with pytest.raises(NotArchivedError, match="it changed while it was read"):
                archive.archive(removal)
        assert made.held() is None
    finally:
        gc.enable()


class Full(Writing):
    """An archive without room."""

    def archived(self, item: Object, size_bytes: int | None) -> ArchivedObject:
        raise NoRoomError("the archive has no room")


def test_without_room_only_what_may_go_without_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "ArchiveWriting", lambda *_: Full())
    objects = (volume("lost"), container("empty", size=0), volume("promised"))
    removals = [
        cast("Removal", SimpleNamespace(ref=ref_of(one), recovery=Recovery(how="archive", text=""))) for one in objects
    ]
    records: Any = SimpleNamespace(run=SimpleNamespace(number=1), archived=lambda _: None)
    archive = RunArchive(cast("Any", None), SETTINGS, records, "here", StopRequest(), lambda ref: ref.id != "promised")
    archive.prepare(cast("Plan", SimpleNamespace(archive=None, removals=removals)), Survey(inventory(*objects), NOW))
    kept = [archive.archive(removal).recovery for removal in removals[:2]]
    assert [(one.how, one.without_data) for one in kept] == [("none", False), ("none", True)]
    with pytest.raises(NotArchivedError, match="no room"):
        archive.archive(removals[2])


def test_what_a_saved_plan_has_a_way_back_for_does_not_go_without() -> None:
    survey = Survey(inventory(volume("v"), volume("w")), NOW)
    policy = replace(policy_from_flags(PolicyFlags()), archive=replace(SETTINGS, when_full="remove"))
    plan = make_plan(survey, policy)
    [first, second] = plan.removals
    lost = replace(second, recovery=Recovery(how="none", text="no room in the archive"))
    run = PlannedRun(plan, policy, survey, "a test")
    assert run.goes_without(first.ref)
    applied = replace(run, saved=replace(plan, removals=(first, lost)))
    assert (applied.goes_without(first.ref), applied.goes_without(second.ref)) == (False, True)
    assert not replace(run, policy=replace(policy, only_recoverable=True)).goes_without(first.ref)


def test_what_goes_to_make_room_is_recorded_and_told(tmp_path: Path) -> None:
    stored = archive_in(tmp_path)
    now = datetime.now(UTC)
    for number, day in ((7, now - timedelta(days=20)), (8, now - timedelta(days=2)), (9, now)):
        with a_run(stored, number, day, archived_settings()) as run:
            run.volume_from_tar(original(f"v{number}"), b"{}", tar_with(os.urandom(100_000)))
    recorded: list[Any] = []
    records: Any = SimpleNamespace(deleted_early=lambda folder, deleted: recorded.append((folder, deleted)))
    settings = replace(SETTINGS, folder=stored.path, max_size=Space(text="150kB", size_bytes=150_000))
    archive = RunArchive(cast("Any", None), settings, records, "here", StopRequest(), lambda _: False)
    ended = archive.ended(DOCUMENT)
    assert [(one.run, one.objects) for one in ended.deleted_early] == [(8, {"volume": 1})]
    assert recorded == [(stored.path, ended.deleted_early)]
    [warning] = ended.warnings
    assert warning.text == "to make room, run 8 (1 volume) was deleted from it before its time"
    assert not warning.is_problem
    assert len(stored.run_names()) == 1
