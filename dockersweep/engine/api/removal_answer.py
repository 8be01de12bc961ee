"""What an engine answered to a removal, read from the status, the body and the words that each engine has for it."""

from typing import Literal

import msgspec

from dockersweep.engine.api import wire
from dockersweep.engine.api.connection import Answer
from dockersweep.engine.api.decoding import decode

_WORDS_OF_USE = (
    "is running",
    "running or paused",
    "being used",
    "in use",
    "has dependent",
    "multiple tags",
    "one tag",
    "infra container",
)


class RemovalAnswer(msgspec.Struct, frozen=True):
    """What an engine answered to a removal."""

    status: Literal["removed", "gone", "in-use", "failed"]
    detail: str | None = None
    is_refusal: bool = False
    """Whether the engine will not do it, and did not just fail; Podman answers 500 to both."""
    deleted: tuple[str, ...] = ()
    """What the answer says went: ids of images, layers and build-cache records."""
    untagged: tuple[str, ...] = ()
    """The references that it says were taken off an image."""
    reclaimed_bytes: int | None = None
    """What it says it freed; only of build cache, where the engine counts a layer in each record that has it."""


def read_removal_answer(answer: Answer, is_podman: bool) -> RemovalAnswer:
    """Return what the answer to a DELETE means."""
    if answer.status in (200, 202, 204):
        deleted, untagged = _named(answer)
        return RemovalAnswer(status="removed", deleted=deleted, untagged=untagged)
    if answer.status == 404 or means_gone(answer, is_podman):
        return RemovalAnswer(status="gone", detail=answer.message())
    if answer.status == 409 or _is_network_in_use(answer) or (is_podman and _means_in_use(answer)):
        return RemovalAnswer(status="in-use", detail=answer.message(), is_refusal=True)
    forbidden = "it is forbidden: " if answer.status == 403 else ""
    is_refusal = is_podman and answer.status == 500
    return RemovalAnswer(status="failed", detail=forbidden + answer.message(), is_refusal=is_refusal)


def means_gone(answer: Answer, is_podman: bool) -> bool:
    """Return whether an answer means 404: Podman has 500 for what goes while it is being asked for."""
    return is_podman and answer.status == 500 and "no such" in answer.message().lower()


def _is_network_in_use(answer: Answer) -> bool:
    """Docker answers 403 where a network has endpoints or is its own; any other 403 is the word of a proxy."""
    text = answer.message()
    return answer.status == 403 and ("active endpoints" in text or "pre-defined" in text)


def _means_in_use(answer: Answer) -> bool:
    """Podman answers 500 where Docker has a 409 (engine-api.md §6)."""
    return answer.status == 500 and any(words in answer.message().lower() for words in _WORDS_OF_USE)


def _named(answer: Answer) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the ids that an answer says are deleted, and the references that it says are taken off."""
    if not answer.body.startswith(b"["):
        return (), ()
    try:
        entries: list[wire.WireDeleted] = decode(answer.body, list[wire.WireDeleted])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return (), ()
    deleted = tuple(entry.deleted for entry in entries if entry.deleted)
    return deleted, tuple(entry.untagged for entry in entries if entry.untagged)
