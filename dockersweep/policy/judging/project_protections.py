"""Why an object stays for a compose project that the policy protects, with all that is theirs."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from dockersweep.model.inventory import Container, Image, Network, Volume
from dockersweep.model.policy import Protection
from dockersweep.model.reason import Belonging, Protected, Reason
from dockersweep.policy.names.patterns import Test, compile_patterns

MANY = 10_000
"""For how many projects answers are remembered: objects share theirs."""


class NeededBy(NamedTuple):
    """A project that an object may be needed by."""

    project: str
    how: Belonging


def projects_of(item: Container | Image | Volume | Network) -> tuple[NeededBy, ...]:
    """Return the projects that an object belongs to, may belong to, and that used it last."""
    # Asked of every object, and most are of one project that has many others, or of none.
    if item.project is not None:
        own = _sole(item.project, "certain")
    elif isinstance(item, Container | Image) and item.maybe_project is not None:
        own = _sole(item.maybe_project, "doubtful")
    else:
        own = ()
    if type(item) is Container or not item.last_projects:
        return own
    found = {use.project: NeededBy(use.project, "used-last") for use in item.last_projects}
    found.update((one.project, one) for one in own)
    return tuple(found.values())


@lru_cache(MANY)
def _sole(project: str, how: Belonging) -> tuple[NeededBy, ...]:
    return (NeededBy(project, how),)


def any_project_test(patterns: Sequence[str]) -> Callable[[tuple[NeededBy, ...]], bool]:
    """Return the test whether any of an object's projects matches any of some patterns."""
    test = compile_patterns(patterns)
    return lru_cache(MANY)(lambda projects: any(test(one.project) for one in projects))


def project_reasons(protection: Protection) -> Callable[[tuple[NeededBy, ...]], tuple[Reason, ...]]:
    """Return what tells why an object stays for one pattern: a reason for each of its projects that it matches."""
    test: Test = lru_cache(MANY)(compile_patterns([protection.pattern]))

    @lru_cache(MANY)
    def reason(project: str, how: Belonging) -> Reason:
        about = Protected(by="project", pattern=protection.pattern, source=protection.source, project=project, how=how)
        return Reason(code="protected", rule="protection", about=about)

    return lru_cache(MANY)(lambda projects: tuple([reason(*one) for one in projects if test(one.project)]))
