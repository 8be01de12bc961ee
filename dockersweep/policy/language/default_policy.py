"""The policy without a policy file, and the rules that flags add to it.

`default_policy.toml` is the same as a file, which `policy init` writes; a test compares the two. The rules are here too
because this package reads no files, and because reading that file would take a tenth of the time of planning a small
inventory, in runs that need nothing else of the language.
"""

from msgspec.structs import replace

from dockersweep.model.inventory import STOPPED_STATES
from dockersweep.model.policy import DEFAULT_SOURCE, Match, Policy, Protections, Remove, Rule
from dockersweep.units import parse_age

_AFTER_A_DAY = Remove(older_than=parse_age("24h"))
_A_DAY_AFTER_ITS_CONTAINER = Remove(older_than=parse_age("24h"), after_container=True)

STOPPED_CONTAINERS = Rule(
    name="stopped containers",
    kinds=("container",),
    match=Match(state=STOPPED_STATES, restarts_by_itself=False),
    remove=_AFTER_A_DAY,
)
DANGLING_IMAGES = Rule(
    name="dangling images",
    kinds=("image",),
    match=Match(tagged=False),
    remove=_AFTER_A_DAY,
    flag_for_others="--all-images",
)
TAGGED_IMAGES = Rule(name="unused tagged images", kinds=("image",), match=Match(tagged=True), remove=_AFTER_A_DAY)
TAGGED_PULLED_IMAGES = replace(TAGGED_IMAGES, match=Match(tagged=True, recoverable=True))
ANONYMOUS_VOLUMES = Rule(
    name="anonymous volumes",
    kinds=("volume",),
    match=Match(anonymous=True, driver=("local",), has_options=False),
    remove=_A_DAY_AFTER_ITS_CONTAINER,
    flag_for_others="--named-volumes",
)
NAMED_VOLUMES = Rule(
    name="unused named volumes",
    kinds=("volume",),
    match=Match(anonymous=False, driver=("local",), has_options=False),
    remove=_A_DAY_AFTER_ITS_CONTAINER,
)
_OF_ANY_PROJECT = Match(project=("*",))
COMPOSE_NETWORKS = Rule(name="networks of projects", kinds=("network",), match=_OF_ANY_PROJECT, remove=_AFTER_A_DAY)
HAND_MADE_NETWORKS = Rule(
    name="networks made by hand",
    kinds=("network",),
    excludes=_OF_ANY_PROJECT,
    # Nothing creates them again, so it has to be known that they are unused.
    remove=Remove(unused_for=parse_age("30d")),
)
OLD_BUILD_CACHE = Rule(name="old build cache", kinds=("build-cache",), remove=Remove(older_than=parse_age("7d")))

DEFAULT_RULES = (
    STOPPED_CONTAINERS,
    DANGLING_IMAGES,
    ANONYMOUS_VOLUMES,
    COMPOSE_NETWORKS,
    HAND_MADE_NETWORKS,
    OLD_BUILD_CACHE,
)
DEFAULT_POLICY = Policy(source=DEFAULT_SOURCE, protections=Protections(), rules=DEFAULT_RULES)
