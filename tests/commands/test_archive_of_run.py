"""The archive of a run: what goes into it, and when again."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dockersweep.commands.running import archiving
from dockersweep.commands.running.archiving import RunArchive
from dockersweep.engine.removing.stopping import StopRequest
from dockersweep.model.archive import ArchivedObject
from dockersweep.model.inventory import Image, Object
from dockersweep.model.naming import name_of, ref_of
from dockersweep.model.plan import Plan, Removal
from dockersweep.model.policy import ArchiveSettings, Space
from dockersweep.model.recovery import Recovery
from dockersweep.policy.judging.survey import Survey
from dockersweep.units import parse_age
from tests.rig.inventories import NOW, image, inventory, volume

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
    archive = RunArchive(cast("Any", None), SETTINGS, records, "here", StopRequest())
    for _ in range(2):
        archive.prepare(plan, survey)
        for removal in removals:
            archive.keep(removal)
            archive.keep(removal)
    # An image is what its id says, whatever became of it meanwhile.
    assert made.written == ["volume", "image", "volume"]
    assert isinstance(objects[1], Image)
