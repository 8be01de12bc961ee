"""What engines said to removals, word for word, and what it means."""

import json

import pytest

from dockersweep.engine.api.connection import Answer
from dockersweep.engine.api.removal_answer import read_removal_answer

A_CONTAINER = "cannot remove container 67b9 as it is {} - running or paused containers cannot be removed without force"


def answered(status: int, message: str, is_podman: bool) -> str:
    return read_removal_answer(Answer(status, json.dumps({"message": message}).encode()), is_podman).status


@pytest.mark.parametrize(
    "message",
    [
        f"{A_CONTAINER.format('running')}: container state improper",
        f"{A_CONTAINER.format('paused')}: container state improper",
        '"net" has associated containers with it. Use -f to forcibly delete containers and pods: network is being used',
        'unable to delete image "f316" by ID with more than one tag ([localhost/app:2 localhost/app:1]): please force',
        "container 67b9 has dependent containers which must be removed before it: 84c1: container already exists",
    ],
)
def test_what_podman_says_with_a_500_of_what_is_in_use(message: str) -> None:
    assert answered(500, message, is_podman=True) == "in-use"
    assert answered(500, message, is_podman=False) == "failed"


@pytest.mark.parametrize("message", ["default network podman cannot be removed", "no space left on device"])
def test_other_words_of_podman_are_failures(message: str) -> None:
    assert answered(500, message, is_podman=True) == "failed"


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("error while removing network: network net id 55c7 has active endpoints", "in-use"),
        ("bridge is a pre-defined network and cannot be removed", "in-use"),
        ("Forbidden", "failed"),
    ],
)
def test_what_docker_says_with_a_403(message: str, status: str) -> None:
    assert answered(403, message, is_podman=False) == status
