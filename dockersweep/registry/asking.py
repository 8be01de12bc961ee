"""Asks registries about many images at once, within bounds of time and number."""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from dockersweep.model.image_references import with_registry
from dockersweep.model.registry import RegistryAccess, RegistryQuestion
from dockersweep.registry.credentials import CredentialFiles
from dockersweep.registry.names import Name, name_of
from dockersweep.registry.registries import Registries
from dockersweep.registry.transport import Transport
from dockersweep.registry.unknown import NotKnownError

SECONDS = 30.0
"""The limit for all questions together."""
THREADS = 16
AT_ONCE = 4
"""How many images each registry is asked about at the same time. A question counts under its first registry only."""
Progress = Callable[[int, int], None]


class Answers(Struct, frozen=True):
    """The answers, by image id."""

    known: Mapping[str, str | None]
    """The name under which a registry has the image; None where none has it."""
    unknown: Mapping[str, str]
    """Why no answer is known, with the host, for a person."""


def ask_registries(
    questions: Sequence[RegistryQuestion],
    access: RegistryAccess,
    environment: Mapping[str, str],
    progress: Progress = lambda done, total: None,
    seconds: float = SECONDS,
) -> Answers:
    """Return what registries answer within `seconds`; the rest is not known."""
    transport = Transport(time.monotonic() + seconds)
    registries = Registries(access, transport, CredentialFiles(environment, access.flavour))
    try:
        return _Asking(questions, registries, progress).answers(seconds)
    finally:
        transport.close()


class _Asking:
    """The state of asking. Its threads do not keep the process alive."""

    def __init__(self, questions: Sequence[RegistryQuestion], registries: Registries, progress: Progress) -> None:
        self._questions = questions
        self._waiting: defaultdict[str, deque[RegistryQuestion]] = defaultdict(deque)
        """By the registry that is asked first."""
        for question in questions:
            self._waiting[with_registry(question.digests[0]).partition("/")[0]].append(question)
        self._under_way = dict.fromkeys(self._waiting, 0)
        self._registries = registries
        self._progress = progress
        self._known: dict[str, str | None] = {}
        self._unknown: dict[str, str] = {}
        self._errors: list[BaseException] = []
        self._changed = threading.Condition()

    def answers(self, seconds: float) -> Answers:
        deadline = time.monotonic() + seconds
        for _ in range(min(THREADS, len(self._questions))):
            threading.Thread(target=self._work, daemon=True).start()
        with self._changed:
            self._changed.wait_for(self._is_done, max(0.0, deadline - time.monotonic()))
            self._waiting.clear()
            self._changed.notify_all()
            if self._errors:
                raise self._errors[0]
            known, unknown = dict(self._known), dict(self._unknown)
        for question in self._questions:
            if question.image_id not in known:
                unknown.setdefault(question.image_id, f"no answer within {seconds:g} seconds")
        return Answers(known, unknown)

    def _take(self) -> tuple[str, RegistryQuestion] | None:
        """Return the next question of the registry with the fewest requests under way, and wait while all of them are
        at their limit. None when there are no more."""
        with self._changed:
            while any(self._waiting.values()):
                free = [host for host, waiting in self._waiting.items() if waiting and self._under_way[host] < AT_ONCE]
                if free:
                    registry = min(free, key=self._under_way.__getitem__)
                    self._under_way[registry] += 1
                    return registry, self._waiting[registry].popleft()
                self._changed.wait()
        return None

    def _is_done(self) -> bool:
        return bool(self._errors) or len(self._known) + len(self._unknown) == len(self._questions)

    def _work(self) -> None:
        try:
            self._answer_all()
        except BaseException as error:
            with self._changed:
                self._errors.append(error)
                self._changed.notify_all()

    def _answer_all(self) -> None:
        while (taken := self._take()) is not None:
            registry, question = taken
            name: str | None = None
            problem: str | None = None
            try:
                name = _answer(question, self._registries)
            except NotKnownError as error:
                problem = str(error)
            with self._changed:
                self._under_way[registry] -= 1
                if problem is None:
                    self._known[question.image_id] = name
                else:
                    self._unknown[question.image_id] = problem
                self._progress(len(self._known) + len(self._unknown), len(self._questions))
                self._changed.notify_all()


def _answer(question: RegistryQuestion, registries: Registries) -> str | None:
    """Return the name under which a registry has an image, None where none has it. Raises NotKnownError where a
    registry that does not answer may have it."""
    problem: NotKnownError | None = None
    for reference in (*question.digests, *question.tags):
        try:
            name = name_of(reference)
            if "@" in reference:
                is_there = _has_digest(name, question, registries)
            else:
                is_there = registries.have_config(name, question.image_id)
            if is_there:
                return reference
        except NotKnownError as error:
            problem = problem or NotKnownError(f"{_host(reference)}: {error}")
    if problem is not None:
        raise problem
    return None


def _has_digest(name: Name, question: RegistryQuestion, registries: Registries) -> bool:
    """Whether both the digest and this platform's own manifest are there. A registry deletes the manifests of an index
    separately, and without this one the image cannot be pulled."""
    manifest = question.manifest
    if not registries.have(name):
        return False
    return manifest in (None, name.reference) or registries.have(Name(name.registry, name.repository, manifest or ""))


def _host(reference: str) -> str:
    try:
        return name_of(reference).registry
    except NotKnownError:
        return reference
