"""Asks registries as a run does, and tells what became of one image."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from dockersweep.model.registry import RegistryAccess, RegistryQuestion
from dockersweep.registry.asking import Answers, ask_registries
from tests.registry.conftest import DIGEST

DOCKER = RegistryAccess(flavour="docker")


def question(
    *names: str, tags: tuple[str, ...] = (), manifest: str | None = None, image: str = "a"
) -> RegistryQuestion:
    """Ask for repositories, each by DIGEST."""
    return RegistryQuestion(
        image_id=f"sha256:{image}", digests=tuple(f"{name}@{DIGEST}" for name in names), manifest=manifest, tags=tags
    )


def ask(
    *names: str,
    home: Path,
    tags: tuple[str, ...] = (),
    manifest: str | None = None,
    access: RegistryAccess = DOCKER,
    seconds: float = 30,
    environment: Mapping[str, str] | None = None,
) -> str | Literal[False] | None:
    """Return by which name an image is there, False where it is nowhere, and None where it is not known."""
    asked = question(*names, tags=tags, manifest=manifest)
    answers = answers_to([asked], home=home, access=access, seconds=seconds, environment=environment)
    return answers.known[asked.image_id] or False if asked.image_id in answers.known else None


def answers_to(
    questions: list[RegistryQuestion],
    *,
    home: Path,
    access: RegistryAccess = DOCKER,
    seconds: float = 30,
    environment: Mapping[str, str] | None = None,
) -> Answers:
    """Return what becomes of questions, asked by somebody with this home and nothing else."""
    return ask_registries(questions, access, {"HOME": str(home), **(environment or {})}, seconds=seconds)


def why_unknown(*names: str, home: Path, **more: object) -> str:
    """Return why it is not known whether an image is there."""
    asked = question(*names)
    answers = answers_to([asked], home=home, **more)  # type: ignore[arg-type]
    assert answers.known == {}
    return answers.unknown[asked.image_id]
