"""What an engine answered to a removal, judged by the status, the body and each engine's own words."""

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
    """The answer to a removal."""

    status: Literal["removed", "gone", "in-use", "failed"]
    detail: str | None = None
    is_refusal: bool = False
    """Whether the engine refused, and did not just fail; Podman answers 500 to both."""
    deleted: tuple[str, ...] = ()
    """What was removed, according to the answer: ids of images, layers and build-cache records."""
    untagged: tuple[str, ...] = ()
    """The references that were removed from an image, according to the answer."""
    reclaimed_bytes: int | None = None
    """What was freed, according to the answer; only for build cache, where a layer counts in each record that has
    it."""


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
    """Return whether an answer means 404: Podman answers 500 for what disappears during the request."""
    return is_podman and answer.status == 500 and "no such" in answer.message().lower()


def _is_network_in_use(answer: Answer) -> bool:
    """Whether Docker answered 403 because a network has endpoints or is predefined; any other 403 is a proxy's."""
    text = answer.message()
    return answer.status == 403 and ("active endpoints" in text or "pre-defined" in text)


def _means_in_use(answer: Answer) -> bool:
    """Whether Podman's 500 means what Docker's 409 does (engine-api.md §6)."""
    return answer.status == 500 and any(words in answer.message().lower() for words in _WORDS_OF_USE)


def _named(answer: Answer) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the deleted ids and the removed references, according to the answer."""
    if not answer.body.startswith(b"["):
        return (), ()
    try:
        entries: list[wire.WireDeleted] = decode(answer.body, list[wire.WireDeleted])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return (), ()
    deleted = tuple(entry.deleted for entry in entries if entry.deleted)
    return deleted, tuple(entry.untagged for entry in entries if entry.untagged)
