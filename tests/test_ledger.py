"""The memory between runs."""

import contextlib
import os
import sqlite3
import stat
from datetime import timedelta
from pathlib import Path

import msgspec

from dockersweep.ledger import FILE_NAME, keep_layers, recall_layers, remember, state_folder
from dockersweep.model.inventory import Image, Inventory
from dockersweep.model.naming import ref_of
from tests.inventories import ENGINE, NOW, image, inventory, record

DAY = timedelta(days=1)
UNSEEN = msgspec.structs.replace(image("a"), first_seen_at=None, first_seen_unused_at=None)
USED = frozenset({ref_of(UNSEEN)})


def first(seen: Inventory) -> Image:
    assert seen.warnings == ()
    return seen.images[0]


def test_what_was_seen_is_remembered_across_runs(tmp_path: Path) -> None:
    one = first(remember(inventory(UNSEEN), (), NOW, tmp_path))
    assert (one.first_seen_at, one.first_seen_unused_at) == (NOW, NOW)
    two = first(remember(inventory(UNSEEN), (), NOW + DAY, tmp_path))
    assert (two.first_seen_at, two.first_seen_unused_at) == (NOW, NOW)


def test_a_use_ends_what_was_unused(tmp_path: Path) -> None:
    remember(inventory(UNSEEN), (), NOW, tmp_path)
    used = first(remember(inventory(UNSEEN), USED, NOW + DAY, tmp_path))
    assert (used.first_seen_at, used.first_seen_unused_at) == (NOW, None)
    unused = first(remember(inventory(UNSEEN), (), NOW + 2 * DAY, tmp_path))
    assert (unused.first_seen_at, unused.first_seen_unused_at) == (NOW, NOW + 2 * DAY)


def test_what_comes_back_is_young_again(tmp_path: Path) -> None:
    remember(inventory(UNSEEN), (), NOW, tmp_path)
    remember(inventory(), (), NOW + DAY, tmp_path)
    assert first(remember(inventory(UNSEEN), (), NOW + 2 * DAY, tmp_path)).first_seen_at == NOW + 2 * DAY


def test_a_build_cache_that_was_not_read_is_not_forgotten(tmp_path: Path) -> None:
    remember(inventory(record("r")), (), NOW, tmp_path)
    remember(inventory(cache_read=False), (), NOW + DAY, tmp_path)
    again = remember(inventory(record("r")), (), NOW + 2 * DAY, tmp_path)
    assert again.build_cache is not None
    assert again.build_cache[0].first_seen_at == NOW


def test_engines_are_kept_apart_and_podman_is_known_by_its_place(tmp_path: Path) -> None:
    podman = msgspec.structs.replace(ENGINE, id=None, flavour="podman")
    other = msgspec.structs.replace(podman, root_dir="/elsewhere")
    remember(inventory(UNSEEN, engine=podman), (), NOW, tmp_path)
    assert first(remember(inventory(UNSEEN, engine=podman), (), NOW + DAY, tmp_path)).first_seen_at == NOW
    assert first(remember(inventory(UNSEEN, engine=other), (), NOW + DAY, tmp_path)).first_seen_at == NOW + DAY
    assert first(remember(inventory(UNSEEN), (), NOW + DAY, tmp_path)).first_seen_at == NOW + DAY


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "dockersweep"
    remember(inventory(UNSEEN), (), NOW, folder)
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(folder / FILE_NAME).st_mode) == 0o600


def test_a_damaged_file_is_said_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 1000)
    seen = remember(inventory(UNSEEN), (), NOW, tmp_path)
    assert seen.images[0].first_seen_at is None
    assert [warning.about for warning in seen.warnings] == ["ledger"]
    assert "file is not a database" in seen.warnings[0].text
    assert (tmp_path / FILE_NAME).read_bytes() == b"no database" * 1000


def test_a_newer_file_is_said_and_left_alone(tmp_path: Path) -> None:
    remember(inventory(UNSEEN), (), NOW, tmp_path)
    database = sqlite3.connect(tmp_path / FILE_NAME)
    database.execute("PRAGMA user_version = 9")
    database.close()
    seen = remember(inventory(UNSEEN), (), NOW, tmp_path)
    assert "it was written by a newer dockersweep (version 9)" in seen.warnings[0].text


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    seen = remember(inventory(UNSEEN), (), NOW, tmp_path / "file" / "state")
    assert "cannot be used" in seen.warnings[0].text


def test_where_it_lies() -> None:
    assert state_folder({"DOCKERSWEEP_STATE_DIR": "/s", "HOME": "/h"}, 0) == Path("/s")
    assert state_folder({"HOME": "/h"}, 0) == Path("/var/lib/dockersweep")
    assert state_folder({"XDG_STATE_HOME": "/x", "HOME": "/h"}, 7) == Path("/x/dockersweep")
    assert state_folder({"HOME": "/h"}, 7) == Path("/h/.local/state/dockersweep")


def test_what_never_changes_is_kept_and_forgotten_with_its_layer(tmp_path: Path) -> None:
    keep_layers(ENGINE, {"layer:a": b"1", "layer:b": b"2"}, tmp_path)
    keep_layers(msgspec.structs.replace(ENGINE, id="ANOTHER"), {"layer:a": b"9"}, tmp_path)
    assert recall_layers(ENGINE, tmp_path) == {"layer:a": b"1", "layer:b": b"2"}
    keep_layers(ENGINE, {"layer:b": b"3"}, tmp_path)
    assert recall_layers(ENGINE, tmp_path) == {"layer:b": b"3"}
    assert recall_layers(msgspec.structs.replace(ENGINE, id="ANOTHER"), tmp_path) == {"layer:a": b"9"}


def test_a_ledger_that_cannot_be_used_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database, and longer than the header of one" * 20)
    keep_layers(ENGINE, {"layer:a": b"1"}, tmp_path)
    assert recall_layers(ENGINE, tmp_path) == {}


def test_a_ledger_of_the_first_version_gets_the_table_of_layers(tmp_path: Path) -> None:
    remember(inventory(UNSEEN), set(), NOW, tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as database, database:
        database.execute("DROP TABLE layers")
        database.execute("PRAGMA user_version = 1")
    keep_layers(ENGINE, {"layer:a": b"1"}, tmp_path)
    assert recall_layers(ENGINE, tmp_path) == {"layer:a": b"1"}
    again = remember(inventory(UNSEEN), set(), NOW + DAY, tmp_path)
    assert again.images[0].first_seen_at == NOW


def test_a_scan_of_images_does_not_forget_what_one_of_layers_kept(tmp_path: Path) -> None:
    keep_layers(ENGINE, {"layer:a": b"1", "layer:b": b"2"}, tmp_path)
    keep_layers(ENGINE, {"image:x": b"3"}, tmp_path)
    assert recall_layers(ENGINE, tmp_path) == {"layer:a": b"1", "layer:b": b"2", "image:x": b"3"}
