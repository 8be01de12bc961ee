"""The typed client of one engine: lists, single objects, events, and removals.

`quirks` hides differences between API versions and engines, `wire` and `translate` the shapes of answers, `session` and
`removal_answer` their errors.
"""

from dockersweep.engine.api.events import Events
from dockersweep.engine.api.lists import Lists
from dockersweep.engine.api.lookups import Lookups
from dockersweep.engine.api.removals import Removals


class Client(Lists, Lookups, Events, Removals):
    """The client of one engine, in one version of its API. Safe for several threads."""
