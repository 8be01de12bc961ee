"""Why an object is kept for a compose project that the policy protects, with everything that belongs to it."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from dockersweep.model.inventory import Container, Image, Network, Volume
from dockersweep.model.policy import Protection
from dockersweep.model.reason import Belonging, Protected, Reason
from dockersweep.policy.names.patterns import Test, compile_patterns

MANY = 10_000
"""How many projects are cached: objects of one project share the answer."""


class NeededBy(NamedTuple):
    """A project that may need an object."""

    project: str
    how: Belonging


def projects_of(item: Container | Image | Volume | Network) -> tuple[NeededBy, ...]:
    """Return the projects that an object belongs to, may belong to, and that used it last."""
    # Runs for every object: most share one project with many others, or have none.
    if item.project is not None:
        own = _sole(item.project, "certain")
    elif isinstance(item, Container | Image) and item.maybe_project is not None:
        own = _sole(item.maybe_project, "doubtful")
    else:
        own = ()
    if type(item) is Container or not item.last_projects:
        return own
    needed_by = {use.project: NeededBy(use.project, "used-last") for use in item.last_projects}
    needed_by.update((need.project, need) for need in own)
    return tuple(needed_by.values())


@lru_cache(MANY)
def _sole(project: str, how: Belonging) -> tuple[NeededBy, ...]:
    return (NeededBy(project, how),)


def any_project_test(patterns: Sequence[str]) -> Callable[[tuple[NeededBy, ...]], bool]:
    """Return the test whether any project of an object matches any of the patterns."""
    test = compile_patterns(patterns)
    return lru_cache(MANY)(lambda projects: any(test(need.project) for need in projects))


def project_reasons(protection: Protection) -> Callable[[tuple[NeededBy, ...]], tuple[Reason, ...]]:
    """Return the function that finds the reasons of one pattern: one for each project that it matches."""
    test: Test = lru_cache(MANY)(compile_patterns([protection.pattern]))

    @lru_cache(MANY)
    def reason(project: str, how: Belonging) -> Reason:
        about = Protected(by="project", pattern=protection.pattern, source=protection.source, project=project, how=how)
        return Reason(code="protected", rule="protection", about=about)

    return lru_cache(MANY)(lambda projects: tuple([reason(*need) for need in projects if test(need.project)]))
