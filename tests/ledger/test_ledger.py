"""What the ledger keeps of objects, engines, marks, layers and sizes."""

import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from dockersweep.errors import LedgerError
from dockersweep.ledger import FILE_NAME, Ledger, runs, state_folder
from dockersweep.model.history import ShareSize
from dockersweep.model.inventory import Engine, Image, Inventory, Mark
from dockersweep.model.naming import ref_of
from tests.rig.inventories import ENGINE, NOW, container, image, inventory, record, volume

DAY = timedelta(days=1)
UNSEEN = replace(image("a"), first_seen_at=None, first_seen_unused_at=None)
USED = frozenset({ref_of(UNSEEN)})
OTHER = replace(ENGINE, id="ANOTHER")

Reopened = Callable[[], Ledger]


@pytest.fixture
def reopened(tmp_path: Path) -> Iterator[Reopened]:
    """Open the ledger anew, as the next run does."""
    opened: list[Ledger] = []

    def reopen() -> Ledger:
        for ledger in opened:
            ledger.close()
        opened.append(Ledger(tmp_path))
        return opened[-1]

    yield reopen
    for ledger in opened:
        ledger.close()


def first(seen: Inventory) -> Image:
    assert seen.warnings == ()
    return seen.images[0]


def mark(name: str, rule: str = "r", terms: str = "t") -> Mark:
    return Mark(kind="image", id=f"sha256:{name}", rule=rule, terms=terms, marked_at=NOW)


def rows(folder: Path, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / FILE_NAME)) as database:
        return database.execute(question).fetchall()


def test_an_engine_known_by_its_address_is_known_by_its_machine_from_then_on(reopened: Reopened) -> None:
    far = replace(ENGINE, id=None, endpoint="ssh://box", flavour="podman")
    there, another = (replace(far, machine_id=digit * 32) for digit in "ab")
    later, last = NOW + DAY, NOW + 2 * DAY

    def seen_at(engine: Engine, at: datetime) -> datetime | None:
        return first(reopened().update_objects(replace(inventory(UNSEEN), engine=engine), (), at)).first_seen_at

    assert seen_at(far, NOW) == NOW
    reopened().keep_layers(far, {"layer:a": b"1"})
    assert reopened().layers(there) == {"layer:a": b"1"}
    assert seen_at(there, later) == NOW
    assert seen_at(replace(there, endpoint="ssh://alias"), later) == NOW
    # Whatever has that address now: it is not the machine that had it.
    assert seen_at(another, last) == last
    assert seen_at(there, last) == NOW


def test_what_was_seen_is_remembered_across_runs(reopened: Reopened) -> None:
    one = first(reopened().update_objects(inventory(UNSEEN), (), NOW))
    assert (one.first_seen_at, one.first_seen_unused_at) == (NOW, NOW)
    two = first(reopened().update_objects(inventory(UNSEEN), (), NOW + DAY))
    assert (two.first_seen_at, two.first_seen_unused_at) == (NOW, NOW)


def test_a_use_ends_what_was_unused(reopened: Reopened) -> None:
    reopened().update_objects(inventory(UNSEEN), (), NOW)
    used = first(reopened().update_objects(inventory(UNSEEN), USED, NOW + DAY))
    assert (used.first_seen_at, used.first_seen_unused_at) == (NOW, None)
    unused = first(reopened().update_objects(inventory(UNSEEN), (), NOW + 2 * DAY))
    assert (unused.first_seen_at, unused.first_seen_unused_at) == (NOW, NOW + 2 * DAY)


def test_what_a_removed_container_held_is_unused_since_its_removal(reopened: Reopened) -> None:
    seen = inventory(UNSEEN, volume("v"), volume("w"))
    held = USED | {ref_of(one) for one in seen.volumes}
    reopened().update_objects(seen, held, NOW)
    reopened().freed(ENGINE, [ref_of(seen.volumes[0])], NOW + timedelta(seconds=9))
    again = reopened().update_objects(seen, {ref_of(UNSEEN)}, NOW + timedelta(days=1))
    freed, other = again.volumes
    assert (freed.first_seen_unused_at, freed.scans_unused) == (NOW + timedelta(seconds=9), 1)
    assert (other.first_seen_unused_at, other.scans_unused) == (NOW + timedelta(days=1), 1)
    # What was unused before stays so since then, and a use ends it as it does for all others.
    reopened().freed(ENGINE, [ref_of(freed)], NOW + timedelta(days=2))
    assert reopened().update_objects(seen, (), NOW + timedelta(days=3)).volumes[0] == replace(freed, scans_unused=2)
    assert reopened().update_objects(seen, held, NOW + timedelta(days=4)).volumes[0].first_seen_unused_at is None


def test_what_comes_back_is_young_again_and_its_former_life_is_kept(reopened: Reopened, tmp_path: Path) -> None:
    reopened().update_objects(inventory(UNSEEN), (), NOW)
    reopened().update_objects(inventory(UNSEEN), (), NOW + DAY)
    reopened().update_objects(inventory(), (), NOW + 2 * DAY)
    assert first(reopened().update_objects(inventory(UNSEEN), (), NOW + 3 * DAY)).first_seen_at == NOW + 3 * DAY
    told = rows(tmp_path, "SELECT id, first_seen, last_seen FROM former_objects")
    assert told == [("sha256:a", NOW.timestamp(), (NOW + DAY).timestamp())]


def test_a_build_cache_that_was_not_read_is_not_gone(reopened: Reopened, tmp_path: Path) -> None:
    reopened().update_objects(inventory(record("r"), record("s")), (), NOW)
    reopened().update_objects(inventory(cache_read=False), (), NOW + DAY)
    again = reopened().update_objects(inventory(record("r")), (), NOW + 2 * DAY)
    assert again.build_cache is not None
    assert again.build_cache[0].first_seen_at == NOW
    assert rows(tmp_path, "SELECT id, last_seen FROM former_objects") == [("s", NOW.timestamp())]


def test_engines_are_kept_apart_and_podman_is_known_by_its_place(reopened: Reopened) -> None:
    podman = replace(ENGINE, id=None, flavour="podman")
    other = replace(podman, root_dir="/elsewhere")
    reopened().update_objects(inventory(UNSEEN, engine=podman), (), NOW)
    ledger = reopened()
    assert first(ledger.update_objects(inventory(UNSEEN, engine=podman), (), NOW + DAY)).first_seen_at == NOW
    assert first(ledger.update_objects(inventory(UNSEEN, engine=other), (), NOW + DAY)).first_seen_at == NOW + DAY
    assert first(ledger.update_objects(inventory(UNSEEN), (), NOW + DAY)).first_seen_at == NOW + DAY


def test_an_instant_that_somebody_chose_is_no_memory(reopened: Reopened, tmp_path: Path) -> None:
    chosen = first(reopened().update_objects(inventory(UNSEEN), (), NOW + 90 * DAY, writes=False))
    assert chosen.first_seen_at == NOW + 90 * DAY
    assert rows(tmp_path, "SELECT * FROM objects") == rows(tmp_path, "SELECT * FROM engines") == []
    assert first(reopened().update_objects(inventory(UNSEEN), (), NOW)).first_seen_at == NOW


def test_a_new_name_goes_before_those_that_it_had(reopened: Reopened, tmp_path: Path) -> None:
    reopened().update_objects(inventory(image("a", "app:1", "app:2"), volume("v"), container("c\nd")), (), NOW)
    assert rows(tmp_path, "SELECT names FROM objects ORDER BY kind") == [("c d",), ("app:1\napp:2",), ("v",)]
    reopened().update_objects(inventory(image("a", "app:3")), (), NOW)
    assert rows(tmp_path, "SELECT names FROM objects") == [("app:3\napp:1\napp:2",)]
    for number in range(20):
        reopened().update_objects(inventory(image("a", f"b:{number}", "app:3")), (), NOW)
    [(names,)] = rows(tmp_path, "SELECT names FROM objects")
    assert str(names).split("\n")[:3] == ["b:19", "app:3", "b:18"]
    assert len(str(names).split("\n")) == 10


def test_an_engine_is_known_once_somebody_looked_at_it(reopened: Reopened) -> None:
    ledger = reopened()
    ledger.update_objects(inventory(UNSEEN), (), NOW)
    ledger.keep_layers(ENGINE, {"layer:a": b"1"})
    assert not ledger.is_known(ENGINE)
    ledger.looked_at(ENGINE, NOW)
    assert ledger.is_known(ENGINE)
    assert reopened().is_known(ENGINE)
    assert not reopened().is_known(OTHER)


def test_marks_keep_their_first_instant_and_go_when_they_are_no_candidates(reopened: Reopened) -> None:
    both = inventory(image("a"), image("b"))
    assert reopened().update_objects(both, (), NOW).marks == ()
    reopened().mark(ENGINE, [mark("a"), mark("b")], [("r", "t")], NOW)
    reopened().mark(ENGINE, [mark("a")], [("r", "t")], NOW + DAY)
    assert reopened().update_objects(both, (), NOW + DAY).marks == (mark("a"),)


def test_marks_of_other_rules_terms_and_engines_stay(reopened: Reopened) -> None:
    ledger = reopened()
    for engine in (ENGINE, OTHER):
        ledger.update_objects(inventory(image("a"), engine=engine), (), NOW)
        marks = [mark("a"), mark("a", "s"), mark("a", terms="u")]
        ledger.mark(engine, marks, [(one.rule, one.terms) for one in marks], NOW)
    ledger.mark(ENGINE, [], [("r", "t")], NOW)
    assert ledger.update_objects(inventory(image("a")), (), NOW).marks == (mark("a", terms="u"), mark("a", "s"))
    assert len(ledger.update_objects(inventory(image("a"), engine=OTHER), (), NOW).marks or ()) == 3


def test_what_is_gone_takes_its_marks_with_it(reopened: Reopened) -> None:
    ledger = reopened()
    ledger.update_objects(inventory(image("a")), (), NOW)
    ledger.mark(ENGINE, [mark("a")], [("r", "t")], NOW)
    ledger.update_objects(inventory(), (), NOW)
    assert ledger.update_objects(inventory(image("a")), (), NOW).marks == ()


def test_layers_are_kept_and_forgotten_with_their_image(reopened: Reopened) -> None:
    reopened().keep_layers(ENGINE, {"layer:a": b"1", "layer:b": b"2"})
    reopened().keep_layers(OTHER, {"layer:a": b"9"})
    assert reopened().layers(ENGINE) == {"layer:a": b"1", "layer:b": b"2"}
    reopened().keep_layers(ENGINE, {"layer:b": b"3"})
    assert reopened().layers(ENGINE) == {"layer:b": b"3"}
    assert reopened().layers(OTHER) == {"layer:a": b"9"}


def test_a_scan_of_images_does_not_forget_what_one_of_layers_kept(reopened: Reopened) -> None:
    reopened().keep_layers(ENGINE, {"layer:a": b"1", "layer:b": b"2"})
    reopened().keep_layers(ENGINE, {"image:x": b"3"})
    assert reopened().layers(ENGINE) == {"layer:a": b"1", "layer:b": b"2", "image:x": b"3"}


def test_what_is_older_than_history_is_kept_is_forgotten(reopened: Reopened, tmp_path: Path) -> None:
    ledger = reopened()
    total = ShareSize(share="image", base="disk", objects=1, size_bytes=1)
    for day, seen in enumerate((inventory(image("a"), image("b")), inventory(image("b")), inventory())):
        ledger.update_objects(seen, (), NOW + day * DAY)
        ledger.keep_sizes([total], ENGINE, NOW + day * DAY)
    ledger.forget_before(NOW + DAY)
    assert rows(tmp_path, "SELECT id FROM former_objects") == [("sha256:b",)]
    assert rows(tmp_path, "SELECT count(*) FROM sizes") == [(2,)]


def test_of_objects_that_are_gone_only_so_many_are_known(
    reopened: Reopened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "MOST_FORMER_OBJECTS", 2)
    ledger = reopened()
    for day in range(5):
        ledger.update_objects(inventory(volume(f"v{day}")), (), NOW + day * DAY)
    ledger.forget_before(NOW - DAY)
    # The last one is there.
    assert rows(tmp_path, "SELECT id FROM former_objects ORDER BY id") == [("v2",), ("v3",)]


def test_images_that_came_lately_without_a_tag_are_told_there_or_gone(reopened: Reopened) -> None:
    ledger = reopened()
    dangling, named = image("0" * 64), image("1" * 64, "app:1")
    lost = replace(image("2" * 64, "app:2"), first_seen_at=None)
    ledger.update_objects(inventory(dangling, named, lost, volume("0" * 12)), (), NOW)
    ledger.update_objects(inventory(named, replace(lost, tags=())), (), NOW + DAY)
    ledger.update_objects(inventory(image("3" * 64, digests=["app@sha256:9"]), engine=OTHER), (), NOW)
    told = {one.id: one for one in ledger.dangling_since(ENGINE, NOW - DAY)}
    assert told.keys() == {dangling.id, lost.id}
    assert (told[dangling.id].is_there, told[dangling.id].names) == (False, ("0" * 12,))
    assert (told[lost.id].is_there, told[lost.id].names) == (True, ("2" * 12, "app:2"))
    assert ledger.dangling_since(ENGINE, NOW + DAY) == ()
    assert [one.names for one in ledger.dangling_since(OTHER, NOW)] == [("app@" + "3" * 12,)]


def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "dockersweep"
    with Ledger(folder) as ledger:
        ledger.update_objects(inventory(UNSEEN), (), NOW)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert modes == {FILE_NAME: 0o600, f"{FILE_NAME}-wal": 0o600, f"{FILE_NAME}-shm": 0o600}
    assert [file.name for file in folder.iterdir()] == [FILE_NAME]


def test_without_a_ledger_nothing_is_known_and_nothing_written() -> None:
    with Ledger(None, required=True) as ledger:
        assert (ledger.problem, ledger.is_used) == (None, False)
        seen = ledger.update_objects(inventory(UNSEEN), (), NOW)
        assert (seen.marks, seen.images[0].first_seen_at, seen.warnings) == (None, None, ())
        ledger.looked_at(ENGINE, NOW)
        assert not ledger.is_known(ENGINE)
        assert ledger.layers(ENGINE) == {}


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with Ledger(tmp_path / "file" / "state") as ledger:
        seen = ledger.update_objects(inventory(UNSEEN), (), NOW)
    assert not ledger.is_used
    assert [warning.about for warning in seen.warnings] == ["ledger"]
    assert seen.marks is None
    assert seen.warnings[0].text == (
        f"{tmp_path}/file/state/{FILE_NAME} cannot be used: Not a directory; this run goes on without a ledger; "
        "what was first seen when is not known"
    )
    with pytest.raises(LedgerError, match="Not a directory"):
        Ledger(tmp_path / "file" / "state", required=True)


def test_where_it_lies() -> None:
    assert state_folder({"DOCKERSWEEP_STATE_DIR": "/s", "HOME": "/h"}, 0) == Path("/s")
    assert state_folder({"HOME": "/h"}, 0) == Path("/var/lib/dockersweep")
    assert state_folder({"XDG_STATE_HOME": "/x", "HOME": "/h"}, 7) == Path("/x/dockersweep")
    assert state_folder({"HOME": "/h"}, 7) == Path("/h/.local/state/dockersweep")
