"""The policy that holds without a file."""

from dockersweep.model.inventory import STOPPED_STATES
from dockersweep.model.policy import Match, Policy, Protections, Remove, Rule
from dockersweep.units import parse_age

_AFTER_A_DAY = Remove(older_than=parse_age("24h"))

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
ANONYMOUS_VOLUMES = Rule(
    name="anonymous volumes",
    kinds=("volume",),
    match=Match(anonymous=True, driver=("local",), has_options=False),
    remove=_AFTER_A_DAY,
    flag_for_others="--named-volumes",
)
NAMED_VOLUMES = Rule(
    name="unused named volumes",
    kinds=("volume",),
    match=Match(anonymous=False, driver=("local",), has_options=False),
    remove=_AFTER_A_DAY,
)
UNUSED_NETWORKS = Rule(name="unused networks", kinds=("network",), remove=_AFTER_A_DAY)
OLD_BUILD_CACHE = Rule(name="old build cache", kinds=("build-cache",), remove=Remove(older_than=parse_age("7d")))

DEFAULT_RULES = (STOPPED_CONTAINERS, DANGLING_IMAGES, ANONYMOUS_VOLUMES, UNUSED_NETWORKS, OLD_BUILD_CACHE)
DEFAULT_POLICY = Policy(source="the default policy", protections=Protections(), rules=DEFAULT_RULES)
