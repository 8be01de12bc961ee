"""Carries out the steps of a restoration, one after the other."""

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.engine.api.creations import CreationRefusedError, Creations
from dockersweep.engine.restoring.container_body import Surroundings
from dockersweep.engine.restoring.containers import make_container
from dockersweep.engine.restoring.images import make_image, put_tag
from dockersweep.engine.restoring.network_body import network_body
from dockersweep.engine.restoring.sources import IsThereError, NotMadeError, Sources
from dockersweep.engine.restoring.volumes import ChangedFilesError, VolumeMaker
from dockersweep.errors import ArchiveError, EngineError, EngineLostError
from dockersweep.model.recovery import RestoreStatus
from dockersweep.model.restoring import RESTORED_FROM, Restored, Step, mark_of


class Restorer(Struct, frozen=True):
    """What all steps need."""

    calls: Creations
    sources: Sources
    volumes: VolumeMaker
    layered_as: Callable[[Step], str]
    """Returns the name of the image that has the writable layer of a container."""

    def carry_out(self, steps: Sequence[Step], is_stopped: Callable[[], bool]) -> Iterator[Restored]:
        """Make one object after the other; yield what became of each, in order.

        Where the engine goes away, or it is stopped, the rest is not attempted.
        """
        done: list[Restored] = []
        around = Surroundings(host_name=self.calls.engine.name, is_podman=self.calls.quirks.is_podman)
        ended: str | None = None
        for step in steps:
            ended = ended or ("interrupted" if is_stopped() else None)
            missing = next((done[place] for place in step.after if not _is_usable(done[place])), None)
            if ended is not None:
                restored = outcome_of(step, "not-attempted", ended)
            elif step.skip is not None:
                restored = skipped_at_once(step, step.skip)
            elif missing is not None:
                text = f"its {missing.kind} {missing.name} was not made: {missing.detail}"
                restored = outcome_of(step, "skipped", text)
            else:
                restored, ended = self._make(step, around)
            around = _with(around, step, restored)
            done.append(restored)
            yield restored

    def _make(self, step: Step, around: Surroundings) -> tuple[Restored, str | None]:
        """Make one object; return what became of it, and why nothing more can be made, if so."""
        try:
            new_id, told = self._made(step, around)
        except NotMadeError as error:
            return replace(outcome_of(step, "skipped", str(error)), is_there=error.is_there), None
        except EngineLostError as error:
            return outcome_of(step, "failed", f"what became of it is not known: {error}"), self._why_lost()
        except (EngineError, ArchiveError, ChangedFilesError) as error:
            return outcome_of(step, "failed", str(error)), None
        restored = outcome_of(step, "restored", None)
        told = (*step.told, *(text for text in told if text not in step.told))
        return replace(restored, new_id=new_id, told=told), None

    def _why_lost(self) -> str | None:
        """Return why the engine cannot be reached any more; None where it answers."""
        try:
            self.calls.check_back()
        except EngineError as error:
            return str(error)
        return None

    def _made(self, step: Step, around: Surroundings) -> tuple[str, tuple[str, ...]]:
        if step.kind == "network":
            return self._make_network(step), ()
        if step.kind == "volume":
            return step.as_name, self.volumes.make(step, self.sources)
        if step.kind == "container":
            return make_container(self.calls, step, self.sources, around, self.layered_as(step))
        if step.removed.action == "tag":
            put_tag(self.calls, step)
            return step.id, ()
        return step.id, make_image(self.calls, step, self.sources)

    def _make_network(self, step: Step) -> str:
        body = network_body(self.sources.document(step.removed), step.as_name, other_subnet=step.other_subnet)
        body["Labels"] = {**body["Labels"], RESTORED_FROM: mark_of(step.removed)}
        try:
            return self.calls.create_network(body)
        except CreationRefusedError as error:
            if "already exists" in str(error):
                raise IsThereError(f"a network called {step.as_name} is there") from None
            if "overlap" in str(error) or "already used" in str(error):
                raise NotMadeError(f"its subnet is taken ({error}); with --as NAME it is made with another") from None
            raise


def skipped_at_once(step: Step, reason: str) -> Restored:
    """Return what became of a step that the plan skips."""
    return replace(outcome_of(step, "skipped", reason), is_there=step.is_there, is_back=step.is_back, told=step.told)


def outcome_of(step: Step, status: RestoreStatus, detail: str | None) -> Restored:
    """Return what became of a step."""
    return Restored(
        kind=step.kind,
        id=step.id,
        name=step.removed.name,
        as_name=step.as_name,
        action=step.removed.action,
        how=step.removed.how,
        run=step.removed.run,
        status=status,
        detail=detail,
        told=step.told if status == "planned" else (),
        needed_by=step.needed_by,
    )


def _is_usable(restored: Restored) -> bool:
    """Whether what needs an object can be made: it was made, or was there."""
    return restored.status == "restored" or restored.is_there


def _with(around: Surroundings, step: Step, restored: Restored) -> Surroundings:
    """Return the surroundings with what was made, so that what named it by its former id finds it."""
    if restored.status != "restored":
        return around
    if step.kind == "network":
        return replace(around, networks={**around.networks, step.id: step.as_name})
    if step.kind == "volume" and not (step.removed.archived is not None and (step.removed.archived.entries or 0) > 1):
        return replace(around, empty_volumes=around.empty_volumes | {step.as_name})
    if step.kind == "container":
        return replace(around, containers={**around.containers, step.id: step.as_name})
    return around
