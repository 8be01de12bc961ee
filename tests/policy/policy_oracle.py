"""A slow evaluator of policies, written from the words of the specification and not from the code.

It takes every object, and of an image every tag, by itself, asks every rule anew and builds no index: what it says is
meant to be seen to be right. Only who holds what, and which tag is the newest version, it takes from the program.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from dockersweep.model.inventory import (
    STOPPED_STATES,
    BuildCacheRecord,
    Container,
    Image,
    Inventory,
    Kind,
    Network,
    Object,
    ObjectRef,
    Volume,
)
from dockersweep.model.naming import id_of, kind_of, objects_of, ref_of
from dockersweep.model.plan import Decision
from dockersweep.model.policy import Policy, Remove, Rule
from dockersweep.model.recovery import How
from dockersweep.policy.judging.holders import Holder
from dockersweep.policy.judging.services import ServiceHolds
from dockersweep.policy.judging.survey import Survey
from dockersweep.units import Age
from tests.policy.oracle_matching import fits, is_doubtful, is_protected, matches
from tests.policy.oracle_retention import retained, time_of
from tests.rig.inventories import NOW

Key = tuple[Kind, str]
Pair = tuple[frozenset[str], str]
"""A reason: its code, or several of which any may be told, and the rule that speaks."""

HARD, PROTECTION, PROTECTED = "hard protection", "protection", "protected"


class OracleVerdict(NamedTuple):
    """What is to become of one object."""

    verdict: Literal["keep", "remove"]
    untag: frozenset[str]
    reasons: frozenset[Pair]

    def agrees_with(self, pairs: Iterable[tuple[str, str]]) -> bool:
        """Whether these codes and rules are just the reasons that are to be told."""
        told = set(pairs)
        return all(any(code in codes and rule == by for codes, by in self.reasons) for code, rule in told) and all(
            any((code, by) in told for code in codes) for codes, by in self.reasons
        )


def way_back(inventory: Inventory, policy: Policy, now: datetime, seen: Object) -> How:
    """Return how an object comes back, where an archive can keep everything."""
    return _Oracle(inventory, policy, now).way_back(seen)


def judge(inventory: Inventory, policy: Policy, now: datetime) -> dict[Key, OracleVerdict]:
    """Return what is to become of every object."""
    oracle = _Oracle(inventory, policy, now)
    return {(kind_of(seen), id_of(seen)): oracle.verdict(seen) for seen in objects_of(inventory)}


def pair(code: str, rule: str) -> Pair:
    """Return a reason that has only one code."""
    return frozenset({code}), rule


def units_of(seen: Object) -> Sequence[str | None]:
    """Return what is judged by itself: each tag of an image, None for what has no tag."""
    return seen.tags if isinstance(seen, Image) and seen.tags else (None,)


def is_one_off(seen: Container) -> bool:
    """Whether `docker compose run` made it."""
    return seen.labels.get("com.docker.compose.oneoff") == "True"


class Forbidden:
    """What no rule and no target may do, other than to take what something that stays holds."""

    def __init__(self, inventory: Inventory, policy: Policy, now: datetime) -> None:
        self._oracle = _Oracle(inventory, policy, now)

    def to_remove(self, seen: Object) -> Iterator[str]:
        """Yield what forbids to remove an object whatever holds it."""
        yield from self._oracle.hard(seen)
        yield from self._oracle.elsewhere(seen)
        if self._oracle.is_protected(seen):
            yield "protected"
        if self._oracle.is_needed_to_start(seen):
            yield "project-runs"
        if self._oracle.may_be_named_unseen(seen):
            yield "unseen-services"
        if kind_of(seen) not in self._oracle.policy.kinds:
            yield "not-asked-for"

    def keeps(self, seen: Object, unit: str | None) -> frozenset[Pair]:
        """Return the rules that keep an object, or one of its tags."""
        return self._oracle.keeps(seen, unit)


class _Oracle:
    def __init__(self, inventory: Inventory, policy: Policy, now: datetime) -> None:
        self.inventory = inventory
        self.policy = policy
        self.now = now
        self.holds = Survey(inventory, now).holders
        self.services = ServiceHolds(inventory)
        self.objects = {ref_of(seen): seen for seen in objects_of(inventory)}
        self.known: dict[ObjectRef, OracleVerdict] = {}
        self.asked: set[ObjectRef] = set()

    def verdict(self, seen: Object) -> OracleVerdict:
        ref = ref_of(seen)
        if ref not in self.known:
            self.asked.add(ref)
            self.known[ref] = self.decide(seen)
        return self.known[ref]

    def goes(self, hold: Holder) -> bool:
        """Whether a holder goes; what is asked for while it is being decided hangs in a circle, and stays."""
        if hold.by in self.asked and hold.by not in self.known:
            return False
        return self.verdict(self.objects[hold.by]).verdict == "remove"

    def decide(self, seen: Object) -> OracleVerdict:
        bars = frozenset(self.bars(seen))
        if bars:
            kept = [self.keeps(seen, unit) for unit in units_of(seen)]
            return OracleVerdict("keep", frozenset(), bars.union(*kept))
        removed: dict[str | None, frozenset[Pair]] = {}
        stay: set[Pair] = set()
        for unit in units_of(seen):
            goes, reasons = self.rules_say(seen, unit)
            if goes:
                removed[unit] = reasons
            else:
                stay |= reasons
        if not stay and self.policy.only_recoverable and self.way_back(seen) == "none":
            return OracleVerdict("keep", frozenset(), frozenset({pair("unrecoverable", "--only-recoverable")}))
        if not stay:
            return OracleVerdict("remove", frozenset(), frozenset().union(*removed.values()))
        tags_going = {pair("tag-goes", rule) for reasons in removed.values() for _, rule in reasons}
        return OracleVerdict("keep", frozenset(tag for tag in removed if tag), frozenset(stay | tags_going))

    def way_back(self, seen: Object) -> How:
        """Return how an object comes back, where an archive can keep everything."""
        archive, kind = self.policy.archive, kind_of(seen)
        if archive is not None and kind in archive.kinds:
            return "archive"
        match seen:
            case BuildCacheRecord():
                return "rebuild"
            case Network() if self.inventory.marks is not None:
                return "recreate"
            case Image() if seen.in_registry and seen.digests:
                return "pull"
            case Image() if archive is not None:
                return "archive"
        return "none"

    def rules_say(self, seen: Object, unit: str | None) -> tuple[bool, frozenset[Pair]]:
        """Return whether a rule removes an object, or one of its tags, and why."""
        kept = self.keeps(seen, unit)
        if kept:
            return False, kept
        of_kind = [rule for rule in self.policy.rules if kind_of(seen) in rule.kinds]
        speaking = [rule for rule in of_kind if matches(rule, seen, unit, self.services_of(seen))]
        why_not: set[Pair] = set()
        for rule in speaking:
            if rule.remove is None:
                why_not.add(pair("no-rule", rule.name))
                continue
            if is_doubtful(rule, seen, self.services_of(seen)):
                why_not.add(pair("no-rule", rule.name))
                continue
            failing = self.failing_ages(rule.remove, seen)
            if rule.remove.after_container and self.loses_a_container(seen):
                failing = self.failing_from_now(rule.remove) or failing
            if not failing and self.policy.only_target:
                failing = frozenset({"no-rule"})
            if not failing:
                return True, frozenset({pair("old-enough", rule.name), *self.also_told(seen, rule)})
            why_not.add((failing, rule.name))
        if not speaking:
            why_not = {pair("no-rule", rule.name) for rule in of_kind} or {pair("no-rule", "no rule")}
        return False, frozenset(why_not)

    def also_told(self, seen: Object, rule: Rule) -> Iterator[Pair]:
        if rule.keep is not None and isinstance(rule.keep.last, int) and time_of(seen) is not None:
            yield pair("beyond", rule.name)
        if self.holds.get(ref_of(seen)):
            yield pair("released", rule.name)
        if isinstance(seen, Image) and seen.in_registry and not seen.tags:
            yield pair("recoverable", rule.name)
        not_built = any(use.action in ("loaded", "imported", "made by commit") for use in getattr(seen, "uses", ()))
        if isinstance(seen, Image) and seen.in_registry is False and (seen.tags or not_built):
            yield pair("only-here", rule.name)
        if getattr(seen, "project", None) or getattr(seen, "maybe_project", None):
            yield pair("project", rule.name)

    def keeps(self, seen: Object, unit: str | None) -> frozenset[Pair]:
        """Return the rules that keep a unit."""
        return frozenset(
            pair("kept", rule.name)
            for rule in self.policy.rules
            if kind_of(seen) in rule.kinds and rule.keep is not None and (id_of(seen), unit) in self.kept(rule, seen)
        )

    def kept(self, rule: Rule, seen: Object) -> set[tuple[str, str | None]]:
        """Return all that a rule keeps of the kind of an object."""
        assert rule.keep is not None
        units = [
            (one, unit)
            for one in objects_of(self.inventory, kind_of(seen))
            for unit in units_of(one)
            if matches(rule, one, unit, self.services_of(one))
        ]
        # What it may not mean is kept in doubt, and counts for nothing.
        doubtful = {(id_of(one), unit) for one, unit in units if is_doubtful(rule, one, self.services_of(one))}
        certain = [(one, unit) for one, unit in units if (id_of(one), unit) not in doubtful]
        return retained(rule.keep, certain, self.now) | doubtful

    def bars(self, seen: Object) -> Iterator[Pair]:
        """Yield what forbids the removal of an object whatever the rules say."""
        for code in self.hard(seen):
            yield pair(code, PROTECTED if code in ("service", "kubelet") else HARD)
        yield from (pair(code, PROTECTED) for code in self.elsewhere(seen))
        if any(not self.goes(hold) for hold in self.holds.get(ref_of(seen), ())):
            yield pair("in-use", HARD)
        if self.is_protected(seen):
            yield pair("protected", PROTECTION)
        if self.is_needed_to_start(seen):
            yield pair("project-runs", PROTECTION)
        if self.may_be_named_unseen(seen):
            yield pair("unseen-services", PROTECTION)
        if self.policy.protections.younger_than is not None:
            failing = self.failing_ages(Remove(older_than=self.policy.protections.younger_than), seen)
            if failing:
                yield failing, PROTECTION
        if kind_of(seen) not in self.policy.kinds:
            yield pair("not-asked-for", "--kind")

    def elsewhere(self, seen: Object) -> Iterator[str]:
        """Yield what no policy overrides of an image that another tool or another store has."""
        if isinstance(seen, Image) and seen.read_only:
            yield "read-only"
        if isinstance(seen, Image) and any(one.image_id == seen.id for one in self.inventory.external or ()):
            yield "external"

    def is_protected(self, seen: Object) -> bool:
        patterns = self.policy.protections.services
        named = [name for one in patterns for name in self.services_of(seen) or () if fits(one.pattern, name)]
        return is_protected(self.policy, seen) or bool(named)

    def services_of(self, seen: Object) -> tuple[str, ...] | None:
        """Return the services that name an object."""
        return () if isinstance(seen, BuildCacheRecord) else self.services.names(seen)

    def is_needed_to_start(self, seen: Object) -> bool:
        """Whether a container has ended that its compose project, which runs, needs to start again."""
        if not self.policy.protections.init_containers or not isinstance(seen, Container) or seen.project is None:
            return False
        own = [one for one in self.inventory.containers if one.project == seen.project]
        wanted = [one.labels.get("com.docker.compose.depends_on", "") for one in own if not is_one_off(one)]
        service = seen.labels.get("com.docker.compose.service", "?")
        return (
            seen.state in ("exited", "dead")
            and not is_one_off(seen)
            and any(one.state not in ("created", "exited", "dead") for one in own)
            and (seen.exit_code in (0, None) or any(f",{service}:" in f",{text}" for text in wanted))
        )

    def may_be_named_unseen(self, seen: Object) -> bool:
        """Whether a service may name an object where services cannot be seen, and the policy minds that."""
        if self.inventory.services is not None or not self.policy.protections.unseen_services:
            return False
        match seen:
            case Volume():
                return not seen.anonymous
            case Network():
                return seen.driver == "overlay" or seen.config_only
            case Image():
                return not seen.in_registry
        return False

    def hard(self, seen: Object) -> Iterator[str]:
        """Yield what no policy overrides, other than what holds it."""
        is_podman = self.inventory.engine.flavour == "podman"
        if not isinstance(seen, Container) and self.services_of(seen):
            yield "service"
        if isinstance(seen, Image) and any(label.startswith("io.kubernetes.") for label in seen.labels):
            yield "kubelet"
        match seen:
            case Container():
                told = {
                    "in-use": seen.id == self.inventory.own_container_id or seen.state not in STOPPED_STATES,
                    "swarm": "com.docker.swarm.task.id" in seen.labels,
                    "kubelet": any(label.startswith("io.kubernetes.") for label in seen.labels),
                    "predefined": is_podman and seen.name.endswith("-infra"),
                    "unread": seen.unread is not None,
                }
                yield from (code for code, is_so in told.items() if is_so)
            case Volume():
                others = [one.name for one in self.inventory.volumes if one.name != seen.name]
                is_none = seen.driver == "local" and seen.name == "lost+found"
                if not seen.free_by_engine and not self.holds.get(ref_of(seen)):
                    yield "in-use"
                elif any(one.startswith(seen.name) for one in others) if is_podman else is_none:
                    yield "predefined"
            case Network():
                if seen.predefined:
                    yield "predefined"
                elif seen.scope != "local":
                    yield "swarm"
            case BuildCacheRecord():
                if seen.in_use:
                    yield "in-use"

    def uses(self, seen: Object) -> list[datetime]:
        """Return when those that hold it and go in the same plan last used it, and when events tell that of others."""
        holds = self.holds.get(ref_of(seen), ())
        told = [] if isinstance(seen, BuildCacheRecord) else [use.at for use in seen.uses]
        return [*(hold.until for hold in holds if hold.until is not None and self.goes(hold)), *told]

    def loses_a_container(self, seen: Object) -> bool:
        """Whether a container that goes in the same plan holds an object."""
        holds = self.holds.get(ref_of(seen), ())
        return any(hold.by.kind == "container" and self.goes(hold) for hold in holds)

    def failing_from_now(self, remove: Remove) -> frozenset[str]:
        """Return the code of an age that does not hold of what counts from now, if it asks for any."""
        ages = (remove.older_than, remove.stopped_for, remove.unused_for)
        asks = any(age is not None and not age.is_zero for age in ages)
        is_before = remove.before is None or self.now < remove.before
        return frozenset({"too-young"}) if asks or not is_before else frozenset()

    def is_watched(self, asked: Age, seen: Object) -> bool:
        """Whether uses would have been noticed in half of the time before now; of the time after the scan they are."""
        begin, taken = asked.before(self.now), self.inventory.taken_at
        spans = [
            (span.begins_at, min(span.ends_at, taken))
            for span in self.inventory.watched or ()
            if isinstance(seen, Image) or span.of_held
        ]
        parts = [(max(one, begin), min(two, self.now)) for one, two in [*spans, (taken, self.now)]]
        return 2 * sum((max(two - one, timedelta()) for one, two in parts), timedelta()) >= self.now - begin

    def failing_ages(self, remove: Remove, seen: Object) -> frozenset[str]:
        """Return the codes of the ages that do not hold, if any."""
        age, unused, built = self.age(seen), self.unused(seen), getattr(seen, "built_at", None)
        at_least = (
            (remove.older_than, age),
            (remove.stopped_for, age),
            (remove.unused_for, unused),
            (remove.built_over, built),
            (remove.created_over, None if isinstance(seen, Image) else seen.created_at),
        )
        failing = {is_as_old(asked, since, self.now) for asked, since in at_least if asked and not asked.is_zero}
        asked = remove.unused_for
        if asked and not asked.is_zero and not isinstance(seen, Container | BuildCacheRecord):
            failing.add(None if self.is_watched(asked, seen) else "unwatched")
        for date, since in ((remove.before, age), (remove.built_before, built)):
            if date is not None:
                failing.add("age-unknown" if since is None else None if since < date else "too-young")
        return frozenset(code for code in failing if code is not None)

    def age(self, seen: Object) -> datetime | None:
        """Return since when an object is of no use."""
        if isinstance(seen, Container):
            after = [use.at for use in seen.uses if use.action in ("copied files", "committed", "exported")][:1]
            if seen.finished_at is not None:
                return max(time for time in (seen.finished_at, seen.started_at, *after) if time is not None)
            never_ran = seen.started_at is None and seen.state == "created"
            return max([seen.created_at, *after]) if never_ran and seen.created_at else None
        if isinstance(seen, BuildCacheRecord):
            return seen.last_used_at or seen.created_at
        if self.is_of_unknown_use(seen):
            return None
        known = self.uses(seen)
        first, unused = seen.first_seen_at, seen.first_seen_unused_at
        if first is not None and unused is not None and unused > first:
            known.append(unused)
        return self.or_written(seen, max(known) if known else first)

    def unused(self, seen: Object) -> datetime | None:
        """Return since when somebody has watched that an object is unused."""
        if isinstance(seen, Container | BuildCacheRecord):
            return self.age(seen)
        if self.is_of_unknown_use(seen):
            return None
        watched = [] if seen.first_seen_unused_at is None else [seen.first_seen_unused_at]
        return self.or_written(seen, max([*self.uses(seen), *watched], default=None))

    def or_written(self, seen: Object, since: datetime | None) -> datetime | None:
        """Return when a volume was written, where that is later than its last use as far as that is known."""
        written = seen.written_at if isinstance(seen, Volume) else None
        return since if since is None or written is None else max(since, written)

    def is_of_unknown_use(self, seen: Object) -> bool:
        """Whether a container that goes as well used it until nobody knows when."""
        holds = self.holds.get(ref_of(seen), ())
        return any(hold.until is None and hold.by.kind == "container" and self.goes(hold) for hold in holds)


def is_as_old(asked: Age, since: datetime | None, now: datetime) -> str | None:
    """Return what speaks against an age."""
    if since is None:
        return "age-unknown"
    return None if since <= asked.before(now) else "too-young"


def going(decisions: tuple[Decision, ...]) -> set[ObjectRef]:
    """Return what goes by these decisions."""
    return {one.ref for one in decisions if one.verdict == "remove"}


def is_told_as_old_as(age: Age, decision: Decision) -> bool:
    """Whether a decision tells an age that is at least the one asked for; an age of zero asks for nothing."""
    if age.is_zero or decision.age_seconds is None:
        return age.is_zero
    return is_as_old(age, NOW - timedelta(seconds=decision.age_seconds), NOW) is None
