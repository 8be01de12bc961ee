"""Why a space target that is missed may not remove an object, in a few words."""

from collections.abc import Iterable

from dockersweep.model.naming import PLURAL_OF
from dockersweep.model.plan import Decision
from dockersweep.model.policy import Target
from dockersweep.model.reason import Fact, HeldBy, OnlyByRule, Reason, ReasonCode, State
from dockersweep.words.alike import KEPT_BECAUSE, holds_of, reason_of_target, younger_words

_TO_FOLLOW_ARE: dict[ReasonCode, str] = {
    "unseen-services": "perhaps used by a service that cannot be seen",
    "project-runs": "needed by a running compose project",
    "unrecoverable": "not recoverable",
    "not-asked-for": "excluded by --kind",
}
_RUNS = ("running", "paused", "restarting")
_ONLY_BY_RULE = "removed only by a rule"
_BEFORE_RULES: tuple[ReasonCode, ...] = (
    "predefined", "swarm", "unread", "external", "read-only", "service", "unseen-services", "kubelet", "project-runs",
    "protected", "refused",
)  # fmt: skip
"""The codes of reasons that keep an object from everything, whatever the rules and the target say."""


def spared_words(decision: Decision, target: Target) -> str | None:
    """Return why a target that needs space does not remove an object that is kept, to follow "are": "younger than 1
    hour (target.older_than)"; None for what it removes next, or what does not help it."""
    reason = reason_of_target(decision)
    if reason is not None:
        return _spared_by_target(reason, target)
    first = decision.reasons[0]
    if first.about == Fact(name="not-archived"):
        # Its outcome says why.
        return None
    if first.code == "in-use":
        return _used(decision, first)
    if decision.kind not in target.order and first.code not in _BEFORE_RULES:
        return "not in target.order"
    return _TO_FOLLOW_ARE.get(first.code) or KEPT_BECAUSE.get(first.code) or "kept"


def _spared_by_target(reason: Reason, target: Target) -> str | None:
    about = reason.about
    if reason.code == "enough" or about in (Fact(name="on-another-disk"), Fact(name="takes-no-space")):
        return None
    if isinstance(about, OnlyByRule) or about == Fact(name="not-anonymous-local"):
        return _ONLY_BY_RULE
    if about == Fact(name="not-recoverable"):
        return "not known to be in a registry (target.spare_registry_less)"
    if reason.code == "unwatched":
        return f"not known to be unused for {target.older_than.words()} (target.older_than)"
    return younger_words(reason, target) or _TO_FOLLOW_ARE.get(reason.code) or KEPT_BECAUSE.get(reason.code) or "kept"


def _used(decision: Decision, first: Reason) -> str:
    if isinstance(first.about, State):
        return first.about.state or "in use"
    holds = holds_of(decision)
    containers = [about for about in holds if about.kind == "container"]
    if containers:
        return _held_by_containers(containers)
    if holds:
        return f"needed by other {PLURAL_OF[holds[0].kind]}"
    return "used by a build" if first.about == Fact(name="used-by-build") else "in use"


def _held_by_containers(holds: Iterable[HeldBy]) -> str:
    states = {about.state for about in holds}
    if not states.isdisjoint(_RUNS):
        return "held by running containers"
    return "held by containers" if None in states else "held by stopped containers"
