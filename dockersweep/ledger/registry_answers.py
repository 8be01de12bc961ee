"""What registries answered, kept as long as it counts without asking again."""

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import timedelta

from dockersweep.ledger.rows import instant, storable
from dockersweep.model.image_references import tag_of
from dockersweep.model.registry import RegistryAnswer, RegistryQuestion

YES_SECONDS = int(timedelta(days=1).total_seconds())
NO_SECONDS = int(timedelta(hours=1).total_seconds())
"""Shorter: people push an image that no registry has, and then look again."""


def answers_to(
    database: sqlite3.Connection, engine: int, questions: Iterable[RegistryQuestion], now: int
) -> dict[str, RegistryAnswer]:
    """Return the answers that still count, by image. An answer to a different question, or from the future, does
    not."""
    asked = {storable(question.image_id): (question.image_id, text_of(question)) for question in questions}
    answers = {}
    for image, question, reference, asked_at in database.execute(
        "SELECT image, question, reference, asked_at FROM registry_answers WHERE engine = ?", (engine,)
    ).fetchall():
        image_id, text = asked.get(image, (None, None))
        if image_id is not None and question == text and 0 <= now - asked_at < _seconds(reference):
            answers[image_id] = RegistryAnswer(reference=reference, asked_at=instant(asked_at))
    return answers


def keep_answers(
    database: sqlite3.Connection,
    engine: int,
    answers: Mapping[RegistryQuestion, RegistryAnswer],
    now: int,
) -> None:
    """Keep new answers, and delete those too old to count."""
    rows = [
        (
            engine,
            storable(question.image_id),
            text_of(question),
            None if answer.reference is None else storable(answer.reference),
            int(answer.asked_at.timestamp()),
        )
        for question, answer in answers.items()
    ]
    database.executemany("INSERT OR REPLACE INTO registry_answers VALUES (?, ?, ?, ?, ?)", rows)
    database.execute("DELETE FROM registry_answers WHERE engine = ? AND asked_at <= ?", (engine, now - YES_SECONDS))


def former_tags(database: sqlite3.Connection, engine: int) -> dict[str, tuple[str, ...]]:
    """Return the former tags of images that have none now, by image."""
    rows = database.execute(
        "SELECT id, names FROM objects WHERE engine = ? AND kind = 'image' AND has_tag = 0 AND names LIKE ?",
        (engine, "%\n%"),
    ).fetchall()
    # The first name is the current one.
    return {image: tuple(name for name in names.split("\n")[1:] if tag_of(name)) for image, names in rows}


def text_of(question: RegistryQuestion) -> str:
    """Return all that was asked about an image, a line each."""
    names = (*question.digests, *question.tags)
    return storable("\n".join((*names, question.manifest) if question.manifest else names))


def _seconds(reference: str | None) -> int:
    return NO_SECONDS if reference is None else YES_SECONDS
