"""One engine, typed: its lists, its single objects, its events, and removals.

API versions and oddities of engines end in `quirks`, their shapes in `wire` and `translate`, their errors in `session`
and `removal_answer`.
"""

from dockersweep.engine.api.events import Events
from dockersweep.engine.api.lists import Lists
from dockersweep.engine.api.lookups import Lookups
from dockersweep.engine.api.removals import Removals


class Client(Lists, Lookups, Events, Removals):
    """One engine, spoken to in one version of its API. Safe to be used by several threads."""
