"""Brings images back, and puts tags on them that nothing else has."""

from dockersweep.engine.api.creations import Creations
from dockersweep.engine.restoring.sources import IsThereError, NotMadeError, Sources
from dockersweep.errors import EngineError
from dockersweep.model.naming import short_id
from dockersweep.model.restoring import Step


def make_image(calls: Creations, step: Step, sources: Sources) -> tuple[str, ...]:
    """Bring an image back, by its archive or from a registry, with those of its tags that nothing has; return what is
    not as it was. Raises EngineError and ArchiveError."""
    removed = step.removed
    if calls.image(removed.id) is None:
        # A tag that the engine does not take is refused while there is nothing without a tag yet.
        for tag in step.tags:
            calls.image(tag)
        if removed.how == "archive":
            calls.load_images(sources.image(removed))
        else:
            _pull(calls, removed.references)
        if calls.image(removed.id) is None:
            raise EngineError(f"the engine does not have it under its id {short_id(removed.id)}")
    return _put_tags(calls, step)


def put_tag(calls: Creations, step: Step) -> None:
    """Put a tag back on an image. Raises NotMadeError where another has it by now, or the image is gone, and
    EngineError."""
    if calls.image(step.id) is None:
        raise NotMadeError(f"its image {short_id(step.id)} is gone by now")
    for text in _put_tags(calls, step):
        raise IsThereError(text)


def _put_tags(calls: Creations, step: Step) -> tuple[str, ...]:
    told = []
    for tag in step.tags:
        # Another image would lose it.
        holder = calls.image(tag)
        if holder is None:
            calls.tag_image(step.id, tag)
        elif holder.id != step.id:
            told.append(f"{tag} names another image by now, {short_id(holder.id)}, and stays there")
    return tuple(told)


def _pull(calls: Creations, references: tuple[str, ...]) -> None:
    """Pull an image by the first of its references that a registry has. Raises EngineError for the last."""
    for reference in references:
        try:
            calls.pull_image(reference)
            return
        except EngineError as error:
            if reference == references[-1]:
                raise EngineError(
                    f"it cannot be pulled: {error}; if its registry wants a login: docker pull {reference}"
                ) from None
