"""The memory between runs: objects, engines, marks, layers and sizes."""

import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from dockersweep.errors import LedgerError
from dockersweep.ledger import FILE_NAME, Memory, state_folder
from dockersweep.model.history import ShareSize
from dockersweep.model.inventory import Image, Inventory, Mark
from dockersweep.model.naming import ref_of
from tests.inventories import ENGINE, NOW, container, image, inventory, record, volume

DAY = timedelta(days=1)
UNSEEN = replace(image("a"), first_seen_at=None, first_seen_unused_at=None)
USED = frozenset({ref_of(UNSEEN)})
OTHER = replace(ENGINE, id="ANOTHER")

Reopened = Callable[[], Memory]


@pytest.fixture
def reopened(tmp_path: Path) -> Iterator[Reopened]:
    """Open the ledger anew, as the next run does."""
    opened: list[Memory] = []

    def reopen() -> Memory:
        for memory in opened:
            memory.close()
        opened.append(Memory(tmp_path))
        return opened[-1]

    yield reopen
    for memory in opened:
        memory.close()


def first(seen: Inventory) -> Image:
    assert seen.warnings == ()
    return seen.images[0]


def mark(name: str, rule: str = "r", terms: str = "t") -> Mark:
    return Mark(kind="image", id=f"sha256:{name}", rule=rule, terms=terms, marked_at=NOW)


def rows(folder: Path, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / FILE_NAME)) as database:
        return database.execute(question).fetchall()


def test_what_was_seen_is_remembered_across_runs(reopened: Reopened) -> None:
    one = first(reopened().remember(inventory(UNSEEN), (), NOW))
    assert (one.first_seen_at, one.first_seen_unused_at) == (NOW, NOW)
    two = first(reopened().remember(inventory(UNSEEN), (), NOW + DAY))
    assert (two.first_seen_at, two.first_seen_unused_at) == (NOW, NOW)


def test_a_use_ends_what_was_unused(reopened: Reopened) -> None:
    reopened().remember(inventory(UNSEEN), (), NOW)
    used = first(reopened().remember(inventory(UNSEEN), USED, NOW + DAY))
    assert (used.first_seen_at, used.first_seen_unused_at) == (NOW, None)
    unused = first(reopened().remember(inventory(UNSEEN), (), NOW + 2 * DAY))
    assert (unused.first_seen_at, unused.first_seen_unused_at) == (NOW, NOW + 2 * DAY)


def test_what_comes_back_is_young_again_and_its_former_life_is_kept(reopened: Reopened, tmp_path: Path) -> None:
    reopened().remember(inventory(UNSEEN), (), NOW)
    reopened().remember(inventory(UNSEEN), (), NOW + DAY)
    reopened().remember(inventory(), (), NOW + 2 * DAY)
    assert first(reopened().remember(inventory(UNSEEN), (), NOW + 3 * DAY)).first_seen_at == NOW + 3 * DAY
    told = rows(tmp_path, "SELECT id, first_seen, last_seen FROM former_objects")
    assert told == [("sha256:a", NOW.timestamp(), (NOW + DAY).timestamp())]


def test_a_build_cache_that_was_not_read_is_not_gone(reopened: Reopened, tmp_path: Path) -> None:
    reopened().remember(inventory(record("r"), record("s")), (), NOW)
    reopened().remember(inventory(cache_read=False), (), NOW + DAY)
    again = reopened().remember(inventory(record("r")), (), NOW + 2 * DAY)
    assert again.build_cache is not None
    assert again.build_cache[0].first_seen_at == NOW
    assert rows(tmp_path, "SELECT id, last_seen FROM former_objects") == [("s", NOW.timestamp())]


def test_engines_are_kept_apart_and_podman_is_known_by_its_place(reopened: Reopened) -> None:
    podman = replace(ENGINE, id=None, flavour="podman")
    other = replace(podman, root_dir="/elsewhere")
    reopened().remember(inventory(UNSEEN, engine=podman), (), NOW)
    memory = reopened()
    assert first(memory.remember(inventory(UNSEEN, engine=podman), (), NOW + DAY)).first_seen_at == NOW
    assert first(memory.remember(inventory(UNSEEN, engine=other), (), NOW + DAY)).first_seen_at == NOW + DAY
    assert first(memory.remember(inventory(UNSEEN), (), NOW + DAY)).first_seen_at == NOW + DAY


def test_an_instant_that_somebody_chose_is_no_memory(reopened: Reopened, tmp_path: Path) -> None:
    chosen = first(reopened().remember(inventory(UNSEEN), (), NOW + 90 * DAY, writes=False))
    assert chosen.first_seen_at == NOW + 90 * DAY
    assert rows(tmp_path, "SELECT * FROM objects") == rows(tmp_path, "SELECT * FROM engines") == []
    assert first(reopened().remember(inventory(UNSEEN), (), NOW)).first_seen_at == NOW


def test_a_new_name_goes_before_those_that_it_had(reopened: Reopened, tmp_path: Path) -> None:
    reopened().remember(inventory(image("a", "app:1", "app:2"), volume("v"), container("c\nd")), (), NOW)
    assert rows(tmp_path, "SELECT names FROM objects ORDER BY kind") == [("c d",), ("app:1\napp:2",), ("v",)]
    reopened().remember(inventory(image("a", "app:3")), (), NOW)
    assert rows(tmp_path, "SELECT names FROM objects") == [("app:3\napp:1\napp:2",)]
    for number in range(20):
        reopened().remember(inventory(image("a", f"b:{number}", "app:3")), (), NOW)
    [(names,)] = rows(tmp_path, "SELECT names FROM objects")
    assert str(names).split("\n")[:3] == ["b:19", "app:3", "b:18"]
    assert len(str(names).split("\n")) == 10


def test_an_engine_is_known_once_somebody_looked_at_it(reopened: Reopened) -> None:
    memory = reopened()
    memory.remember(inventory(UNSEEN), (), NOW)
    memory.keep_layers(ENGINE, {"layer:a": b"1"})
    assert not memory.is_known(ENGINE)
    memory.looked_at(ENGINE, NOW)
    assert memory.is_known(ENGINE)
    assert reopened().is_known(ENGINE)
    assert not reopened().is_known(OTHER)


def test_marks_keep_their_first_instant_and_go_when_they_are_no_candidates(reopened: Reopened) -> None:
    both = inventory(image("a"), image("b"))
    assert reopened().remember(both, (), NOW).marks == ()
    reopened().mark(ENGINE, [mark("a"), mark("b")], [("r", "t")], NOW)
    reopened().mark(ENGINE, [mark("a")], [("r", "t")], NOW + DAY)
    assert reopened().remember(both, (), NOW + DAY).marks == (mark("a"),)


def test_marks_of_other_rules_terms_and_engines_stay(reopened: Reopened) -> None:
    memory = reopened()
    for engine in (ENGINE, OTHER):
        memory.remember(inventory(image("a"), engine=engine), (), NOW)
        marks = [mark("a"), mark("a", "s"), mark("a", terms="u")]
        memory.mark(engine, marks, [(one.rule, one.terms) for one in marks], NOW)
    memory.mark(ENGINE, [], [("r", "t")], NOW)
    assert memory.remember(inventory(image("a")), (), NOW).marks == (mark("a", terms="u"), mark("a", "s"))
    assert len(memory.remember(inventory(image("a"), engine=OTHER), (), NOW).marks or ()) == 3


def test_what_is_gone_takes_its_marks_with_it(reopened: Reopened) -> None:
    memory = reopened()
    memory.remember(inventory(image("a")), (), NOW)
    memory.mark(ENGINE, [mark("a")], [("r", "t")], NOW)
    memory.remember(inventory(), (), NOW)
    assert memory.remember(inventory(image("a")), (), NOW).marks == ()


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
    memory = reopened()
    total = ShareSize(share="image", base="disk", objects=1, size_bytes=1)
    for day, seen in enumerate((inventory(image("a"), image("b")), inventory(image("b")), inventory())):
        memory.remember(seen, (), NOW + day * DAY)
        memory.keep_sizes([total], ENGINE, NOW + day * DAY)
    memory.forget_before(NOW + DAY)
    assert rows(tmp_path, "SELECT id FROM former_objects") == [("sha256:b",)]
    assert rows(tmp_path, "SELECT count(*) FROM sizes") == [(2,)]


def test_images_that_came_lately_without_a_tag_are_told_there_or_gone(reopened: Reopened) -> None:
    memory = reopened()
    dangling, named = image("0" * 64), image("1" * 64, "app:1")
    lost = replace(image("2" * 64, "app:2"), first_seen_at=None)
    memory.remember(inventory(dangling, named, lost, volume("0" * 12)), (), NOW)
    memory.remember(inventory(named, replace(lost, tags=())), (), NOW + DAY)
    memory.remember(inventory(image("3" * 64, digests=["app@sha256:9"]), engine=OTHER), (), NOW)
    told = {one.id: one for one in memory.dangling_since(ENGINE, NOW - DAY)}
    assert told.keys() == {dangling.id, lost.id}
    assert (told[dangling.id].is_there, told[dangling.id].names) == (False, ("0" * 12,))
    assert (told[lost.id].is_there, told[lost.id].names) == (True, ("2" * 12, "app:2"))
    assert memory.dangling_since(ENGINE, NOW + DAY) == ()
    assert [one.names for one in memory.dangling_since(OTHER, NOW)] == [("app@" + "3" * 12,)]


def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "dockersweep"
    with Memory(folder) as memory:
        memory.remember(inventory(UNSEEN), (), NOW)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert modes == {FILE_NAME: 0o600, f"{FILE_NAME}-wal": 0o600, f"{FILE_NAME}-shm": 0o600}
    assert [file.name for file in folder.iterdir()] == [FILE_NAME]


def test_without_a_ledger_nothing_is_known_and_nothing_written() -> None:
    with Memory(None, required=True) as memory:
        assert (memory.problem, memory.is_used) == (None, False)
        seen = memory.remember(inventory(UNSEEN), (), NOW)
        assert (seen.marks, seen.images[0].first_seen_at, seen.warnings) == (None, None, ())
        memory.looked_at(ENGINE, NOW)
        assert not memory.is_known(ENGINE)
        assert memory.layers(ENGINE) == {}


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with Memory(tmp_path / "file" / "state") as memory:
        seen = memory.remember(inventory(UNSEEN), (), NOW)
    assert not memory.is_used
    assert [warning.about for warning in seen.warnings] == ["ledger"]
    assert seen.marks is None
    assert seen.warnings[0].text == (
        f"{tmp_path}/file/state/{FILE_NAME} cannot be used: Not a directory; this run goes on without a ledger; "
        "what was first seen when is not known"
    )
    with pytest.raises(LedgerError, match="Not a directory"):
        Memory(tmp_path / "file" / "state", required=True)


def test_where_it_lies() -> None:
    assert state_folder({"DOCKERSWEEP_STATE_DIR": "/s", "HOME": "/h"}, 0) == Path("/s")
    assert state_folder({"HOME": "/h"}, 0) == Path("/var/lib/dockersweep")
    assert state_folder({"XDG_STATE_HOME": "/x", "HOME": "/h"}, 7) == Path("/x/dockersweep")
    assert state_folder({"HOME": "/h"}, 7) == Path("/h/.local/state/dockersweep")
