"""For how long answers of registries are believed, and to which questions."""

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from dockersweep.ledger import FILE_NAME, Ledger
from dockersweep.model.registry import RegistryAnswer, RegistryQuestion
from tests.rig.inventories import NOW, image, inventory

ENGINE = inventory().engine
OTHER = replace(ENGINE, id="another")
QUESTION = RegistryQuestion(image_id="sha256:a", digests=("registry.test/a@sha256:1",), tags=("registry.test/a:1",))
HERE = RegistryAnswer(reference="registry.test/a@sha256:1", asked_at=NOW)
NOWHERE = RegistryAnswer(reference=None, asked_at=NOW)
HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path) as opened:
        yield opened


def test_a_yes_holds_for_a_day_and_a_no_for_an_hour(ledger: Ledger) -> None:
    for answer, limit in ((HERE, DAY), (NOWHERE, HOUR)):
        ledger.keep_registry_answers(ENGINE, {QUESTION: answer}, NOW)
        for later in (timedelta(), limit - SECOND):
            assert ledger.registry_answers(ENGINE, [QUESTION], NOW + later) == {"sha256:a": answer}
        # Also where a clock was set back.
        for wrong in (limit, -SECOND):
            assert ledger.registry_answers(ENGINE, [QUESTION], NOW + wrong) == {}


def test_it_holds_for_that_question_and_engine_only(ledger: Ledger) -> None:
    ledger.keep_registry_answers(ENGINE, {QUESTION: NOWHERE}, NOW)
    for other in (
        replace(QUESTION, image_id="sha256:b"),
        replace(QUESTION, digests=("registry.test/b@sha256:1",)),
        replace(QUESTION, tags=()),
        replace(QUESTION, manifest="sha256:2"),
    ):
        assert ledger.registry_answers(ENGINE, [other], NOW) == {}
    assert ledger.registry_answers(OTHER, [QUESTION], NOW) == {}
    assert ledger.registry_answers(ENGINE, [QUESTION], NOW) == {"sha256:a": NOWHERE}


def test_what_holds_no_longer_is_forgotten(ledger: Ledger, tmp_path: Path) -> None:
    ledger.keep_registry_answers(ENGINE, {QUESTION: HERE}, NOW)
    second = replace(QUESTION, image_id="sha256:b")
    ledger.keep_registry_answers(ENGINE, {second: replace(HERE, asked_at=NOW + DAY)}, NOW + DAY)
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        assert database.execute("SELECT image FROM registry_answers").fetchall() == [("sha256:b",)]
    database.close()


def test_the_tags_of_what_has_none_any_more(ledger: Ledger) -> None:
    tagged = [image("a", "registry.test/a:1"), image("b", "b:1", "c:1"), image("d")]
    ledger.update_objects(inventory(*tagged), (), NOW)
    assert ledger.former_tags(ENGINE) == {}
    ledger.update_objects(inventory(image("a", "registry.test/a:2"), image("b"), image("d")), (), NOW)
    assert ledger.former_tags(ENGINE) == {"sha256:b": ("b:1", "c:1")}
    assert ledger.former_tags(OTHER) == {}


def test_without_a_ledger_nothing_is_known() -> None:
    with Ledger(None) as none:
        none.keep_registry_answers(ENGINE, {QUESTION: HERE}, NOW)
        assert none.registry_answers(ENGINE, [QUESTION], NOW) == {}
