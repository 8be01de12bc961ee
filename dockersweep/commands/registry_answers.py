"""Asks registries about the images that a policy could remove, if the policy says so."""

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from dockersweep.commands.progress import show_progress
from dockersweep.model.inventory import Image, Inventory, ScanWarning
from dockersweep.model.policy import Policy
from dockersweep.model.registry import RegistryAccess, RegistryAnswer, RegistryQuestion
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.registry_questions import registry_questions
from dockersweep.words.amounts import plural

if TYPE_CHECKING:
    from dockersweep.ledger import Ledger

_MOST_PROBLEMS = 3


def with_registry_answers(
    survey: Survey, policy: Policy, access: RegistryAccess, ledger: "Ledger", shows_progress: bool
) -> Survey:
    """Return the survey with the answers of registries: new ones, or recent ones from the ledger. If some registries do
    not answer, one warning says so; for their images the engine's own records count."""
    inventory = survey.inventory
    questions = registry_questions(survey, policy, ledger.former_tags(inventory.engine))
    known = dict(ledger.registry_answers(inventory.engine, questions, inventory.taken_at))
    waiting = tuple(question for question in questions if question.image_id not in known)
    warnings: tuple[ScanWarning, ...] = ()
    if waiting:
        from dockersweep.registry.asking import ask_registries

        with show_progress("asking registries", shows_progress) as progress:
            answers = ask_registries(waiting, access, os.environ, progress)
        new = {
            question: RegistryAnswer(reference=answers.known[question.image_id], asked_at=inventory.taken_at)
            for question in waiting
            if question.image_id in answers.known
        }
        ledger.keep_registry_answers(inventory.engine, new, inventory.taken_at)
        known |= {question.image_id: answer for question, answer in new.items()}
        warnings = tuple(_warnings(answers.unknown, questions))
    return survey.with_inventory(_with_answers(inventory, known, warnings))


def _with_answers(
    inventory: Inventory, known: Mapping[str, RegistryAnswer], warnings: tuple[ScanWarning, ...]
) -> Inventory:
    images = tuple(_with_answer(image, known.get(image.id)) for image in inventory.images)
    return replace(inventory, images=images, warnings=(*inventory.warnings, *warnings))


def _with_answer(image: Image, answer: RegistryAnswer | None) -> Image:
    if answer is None:
        return image
    return replace(image, in_registry=answer.reference is not None, registry_answer=answer)


def _warnings(unknown: Mapping[str, str], questions: Collection[RegistryQuestion]) -> Iterator[ScanWarning]:
    """Yield one warning with the most frequent reasons; nothing if all answers are known."""
    if not unknown:
        return
    problems = Counter(unknown.values()).most_common()
    shown = [problem for problem, _ in problems[:_MOST_PROBLEMS]]
    more = len(problems) - len(shown)
    reason = "; ".join([*shown, *([f"and {plural(more, 'other reason')}"] if more else [])])
    number = f"{len(unknown)} of {plural(len(questions), 'image')}"
    text = f"whether they have {number} is not known, and what the engine recorded counts: {reason}"
    yield ScanWarning(about="registries", text=text, reason=reason)
