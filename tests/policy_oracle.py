"""A slow evaluator of policies, written from the words of the specification and not from the code.

It takes every object, and of an image every tag, by itself, asks every rule anew and builds no index: what it says is
meant to be seen to be right. Only who holds what, and which tag is the newest version, it takes from the program.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

from msgspec.structs import asdict

from dockersweep.model.inventory import (
    STOPPED_STATES,
    BuildCacheRecord,
    Container,
    Image,
    Inventory,
    Kind,
    Network,
    Object,
    Volume,
)
from dockersweep.model.naming import id_of, kind_of, name_of, objects_of, ref_of, size_of
from dockersweep.model.plan import ObjectRef
from dockersweep.model.policy import Count, Keep, Match, Policy, Protection, Remove, Rule
from dockersweep.policy.references import Hold, find_holds
from dockersweep.policy.retention import kept_by
from dockersweep.policy.services import ServiceHolds
from dockersweep.units import Age

Key = tuple[Kind, str]
Pair = tuple[frozenset[str], str]
"""A reason: its code, or several of which any may be told, and the rule that speaks."""

HARD, PROTECTION, PROTECTED = "hard protection", "protection", "protected"
OF_NAMES = ("name", "repository", "tag")
PERIODS: dict[str, Callable[[datetime], Hashable]] = {
    "hourly": lambda time: time.strftime("%Y-%m-%d %H"),
    "daily": lambda time: time.strftime("%Y-%m-%d"),
    "weekly": lambda time: time.strftime("%G-%V"),
    "monthly": lambda time: time.strftime("%Y-%m"),
    "yearly": lambda time: time.strftime("%Y"),
}


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
        self.holds = find_holds(inventory, now)
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

    def goes(self, hold: Hold) -> bool:
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
        if not stay:
            return OracleVerdict("remove", frozenset(), frozenset().union(*removed.values()))
        tags_going = {pair("tag-goes", rule) for reasons in removed.values() for _, rule in reasons}
        return OracleVerdict("keep", frozenset(tag for tag in removed if tag), frozenset(stay | tags_going))

    def rules_say(self, seen: Object, unit: str | None) -> tuple[bool, frozenset[Pair]]:
        """Return whether a rule removes an object, or one of its tags, and why."""
        kept = self.keeps(seen, unit)
        if kept:
            return False, kept
        of_kind = [rule for rule in self.policy.rules if kind_of(seen) in rule.kinds]
        speaking = [rule for rule in of_kind if speaks_of(rule, seen, unit, self.services_of(seen))]
        why_not: set[Pair] = set()
        for rule in speaking:
            if rule.remove is None:
                why_not.add(pair("no-rule", rule.name))
                continue
            if is_doubtful(rule, seen, self.services_of(seen)):
                why_not.add(pair("no-rule", rule.name))
                continue
            failing = self.failing_ages(rule.remove, seen)
            if not failing:
                return True, frozenset({pair("old-enough", rule.name), *self.also_told(seen, rule)})
            why_not.add((failing, rule.name))
        if not speaking:
            why_not = {pair("no-rule", rule.name) for rule in of_kind} or {pair("no-rule", "no rule")}
        return False, frozenset(why_not)

    def also_told(self, seen: Object, rule: Rule) -> Iterator[Pair]:
        if self.holds.get(ref_of(seen)):
            yield pair("released", rule.name)
        if isinstance(seen, Image) and seen.in_registry and not seen.tags:
            yield pair("recoverable", rule.name)

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
            if speaks_of(rule, one, unit, self.services_of(one))
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
                if not seen.free_by_engine and not self.holds.get(ref_of(seen)):
                    yield "in-use"
                elif is_podman and any(one.startswith(seen.name) for one in others):
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
        """Return when those that hold it and go in the same plan last used it."""
        holds = self.holds.get(ref_of(seen), ())
        return [hold.until for hold in holds if hold.until is not None and self.goes(hold)]

    def failing_ages(self, remove: Remove, seen: Object) -> frozenset[str]:
        """Return the codes of the ages that do not hold, if any."""
        age, unused, built = self.age(seen), self.unused(seen), getattr(seen, "built_at", None)
        at_least = (
            (remove.older_than, age),
            (remove.stopped_for, age),
            (remove.unused_for, unused),
            (remove.built_over, built),
        )
        failing = {is_as_old(asked, since, self.now) for asked, since in at_least if asked and not asked.is_zero}
        for date, since in ((remove.before, age), (remove.built_before, built)):
            if date is not None:
                failing.add("age-unknown" if since is None else None if since < date else "too-young")
        return frozenset(code for code in failing if code is not None)

    def age(self, seen: Object) -> datetime | None:
        """Return since when an object is of no use."""
        if isinstance(seen, Container):
            if seen.finished_at is not None:
                return max(time for time in (seen.finished_at, seen.started_at) if time is not None)
            never_ran = seen.started_at is None and seen.state == "created"
            return seen.created_at if never_ran else None
        if isinstance(seen, BuildCacheRecord):
            return seen.last_used_at or seen.created_at
        if self.is_of_unknown_use(seen):
            return None
        known = self.uses(seen)
        first, unused = seen.first_seen_at, seen.first_seen_unused_at
        if first is not None and unused is not None and unused > first:
            known.append(unused)
        if not isinstance(seen, Image) and seen.created_at is not None:
            known.append(seen.created_at)
        return max(known) if known else first

    def unused(self, seen: Object) -> datetime | None:
        """Return since when somebody has watched that an object is unused."""
        if isinstance(seen, Container | BuildCacheRecord):
            return self.age(seen)
        if self.is_of_unknown_use(seen):
            return None
        watched = [] if seen.first_seen_unused_at is None else [seen.first_seen_unused_at]
        return max([*self.uses(seen), *watched], default=None)

    def is_of_unknown_use(self, seen: Object) -> bool:
        """Whether a container that goes as well used it until nobody knows when."""
        holds = self.holds.get(ref_of(seen), ())
        return any(hold.until is None and hold.by.kind == "container" and self.goes(hold) for hold in holds)


def is_doubtful(rule: Rule, seen: Object, services: Sequence[str] | None) -> bool:
    """Whether it is not known whether an object is excluded, or can be pulled again where that is asked for."""
    asked = conditions(rule.excludes)
    if isinstance(seen, Image) and seen.in_registry is None and "recoverable" in {*asked, *conditions(rule.match)}:
        return True
    if services is None and "service" in {*asked, *conditions(rule.match)}:
        return True
    unknown = {"size_over_bytes": size_of(seen), "size_under_bytes": size_of(seen)}
    if isinstance(seen, Container):
        unknown["restarts_by_itself"] = None if comes_back(seen) is None else 1
        unknown["exit_code"] = seen.exit_code if seen.state in ("exited", "dead") else 1
    return any(field in asked and value is None for field, value in unknown.items())


def comes_back(seen: Container) -> bool | None:
    """Whether a container starts again by itself; None where that is not known."""
    if seen.restart_policy != "on-failure" or seen.state == "created" or seen.exit_code == 0:
        return None if seen.restart_policy is None else seen.restart_policy in ("always", "unless-stopped")
    if seen.retries_left is False or (seen.retries_left and seen.exit_code):
        return seen.retries_left
    return None


def is_as_old(asked: Age, since: datetime | None, now: datetime) -> str | None:
    """Return what speaks against an age."""
    if since is None:
        return "age-unknown"
    return None if since <= asked.before(now) else "too-young"


def fits(pattern: str, text: str) -> bool:
    """Whether a glob speaks of the whole text, or a regular expression of a part of it."""
    if len(pattern) > 2 and pattern[0] == pattern[-1] == "/":
        return re.search(pattern[1:-1], text) is not None
    return fnmatchcase(text, pattern)


def has_pair(patterns: Iterable[str], pairs: dict[str, str]) -> bool:
    """Whether there is any of `key` or `key=value`."""
    for pattern in patterns:
        key, is_pair, value = pattern.partition("=")
        if any(fits(key, own) and (not is_pair or fits(value, held)) for own, held in pairs.items()):
            return True
    return False


def short(reference: str) -> str:
    """Return a reference without what engines put before it."""
    return re.sub(r"^(localhost/)?(docker\.io/)?(library/)?", "", reference)


def whole(repository: str) -> str:
    """Return a repository with its registry."""
    host, slash, _ = repository.partition("/")
    if slash and (host == "localhost" or "." in host or ":" in host):
        return repository
    return f"docker.io/{repository if slash else f'library/{repository}'}"


def named(pattern: str, reference: str, and_whole: bool = False) -> bool:
    """Whether a pattern speaks of a reference or a repository, as an engine tells it.

    A registry that people leave out may be left out in either. A glob that begins with one speaks of just that
    registry: of Docker's own where an image has none, and that has two spellings of its library.
    """
    if not re.match(r"(localhost|docker\.io|library)/.*[*?[]", pattern):
        if re.search(r"[*?[]", pattern) or pattern[0] == pattern[-1] == "/":
            spellings = {reference, short(reference)} | ({whole(reference)} if and_whole else set())
            return any(fits(pattern, one) for one in spellings)
        return short(pattern) == short(reference)
    full = whole(reference)
    wanted = f"docker.io/{pattern}" if pattern.startswith("library/") else pattern
    return fits(wanted, full) or fits(wanted, full.replace("docker.io/library/", "docker.io/"))


def parts(reference: str) -> tuple[str, str]:
    """Return the repository and the tag of a reference: `host:5000/app:1.2` has both, `app@sha256:...` only one."""
    found = re.fullmatch(r"(.*?)(?:@sha256:.*|:([^/:@]*))?", reference)
    assert found is not None
    return found[1], found[2] or ""


def is_protected(policy: Policy, seen: Object) -> bool:
    """Whether a pattern of the policy protects an object."""
    if isinstance(seen, BuildCacheRecord):
        return False
    protections = policy.protections
    names = [seen.name, seen.id] if isinstance(seen, Container) else [] if isinstance(seen, Image) else [seen.name]
    if isinstance(seen, Image):
        for one in (*seen.tags, *seen.digests):
            names += [one, parts(one)[0]]
        names.append(seen.id.removeprefix("sha256:"))

    def any_fits(patterns: Iterable[Protection], texts: Sequence[str]) -> bool:
        return any(named(one.pattern, text, isinstance(seen, Image)) for one in patterns for text in texts)

    return (
        has_pair([one.pattern for one in protections.labels], seen.labels)
        or any_fits(protections.names, names)
        or (isinstance(seen, Image) and any_fits(protections.images, names))
        or (seen.project is not None and any_fits(protections.projects, [seen.project]))
    )


def speaks_of(rule: Rule, seen: Object, unit: str | None, services: Sequence[str] | None) -> bool:
    """Whether a rule speaks of an object, of an image of this tag of it."""
    own = unit or name_of(seen)
    names = seen.digests if isinstance(seen, Image) and unit is None else (own,)
    wanted, excluded = conditions(rule.match), conditions(rule.excludes)
    of_names = {field: value for field, value in wanted.items() if field in OF_NAMES}
    # What may be lost for ever a rule may keep; that it is not removed is said by is_doubtful.
    if "recoverable" in wanted and isinstance(seen, Image) and seen.in_registry is None:
        del wanted["recoverable"]
    asked, forbidden = wanted.pop("service", None), excluded.pop("service", ())
    if asked is not None and services is not None and not any(fits(one, name) for one in asked for name in services):
        return False
    if any(fits(one, name) for one in forbidden for name in services or ()):
        return False
    if not all(holds(field, value, seen) for field, value in wanted.items() if field not in OF_NAMES):
        return False
    if of_names and not any(all(of_name(field, value, one) for field, value in of_names.items()) for one in names):
        return False
    return not any(
        any(of_name(field, value, one) for one in names) if field in OF_NAMES else holds(field, value, seen)
        for field, value in excluded.items()
    )


def conditions(match: Match) -> dict[str, Any]:
    """Return the fields of a match that ask anything."""
    return {field: value for field, value in asdict(match).items() if value is not None}


def of_name(field: str, patterns: Iterable[str], name: str) -> bool:
    """Whether one name of an object is what a condition asks for. A reference by digest has no tag."""
    if field == "name":
        return any(named(pattern, name) for pattern in patterns)
    if field == "repository":
        return any(named(pattern, parts(name)[0]) for pattern in patterns)
    return "@" not in name and any(fits(pattern, parts(name)[1]) for pattern in patterns)


def holds(field: str, wanted: Any, seen: Any) -> bool:
    """Whether an object as a whole is what a condition asks for."""
    match field:
        case "digest":
            spellings = [text for one in seen.digests for text in (one, one.partition("@")[2])]
            return any(named(pattern, text) for pattern in wanted for text in spellings)
        case "labels" | "options":
            return has_pair(wanted, getattr(seen, field))
        case "project" | "driver" | "type":
            text = getattr(seen, field)
            return text is not None and any(fits(pattern, text) for pattern in wanted)
        case "state" | "exit_code":
            return bool(getattr(seen, field) in wanted)
        case "size_over_bytes":
            return bool(seen.size_bytes is not None and seen.size_bytes > wanted)
        case "size_under_bytes":
            return bool(seen.size_bytes is not None and seen.size_bytes < wanted)
        case "anonymous":
            return bool(seen.anonymous == wanted)
        case "recoverable":
            return bool(seen.in_registry is not None and seen.in_registry == wanted)
        case "has_options" | "tagged":
            there = {"has_options": "options", "tagged": "tags"}[field]
            return bool(wanted) == bool(getattr(seen, there))
        case "restarts_by_itself":
            return comes_back(seen) is wanted
    raise AssertionError(f"the oracle does not know {field}")


class _Member(NamedTuple):
    """An object in a group, and those of its tags that are in it."""

    time: datetime
    id: str
    units: frozenset[str | None]


def retained(keep: Keep, units: Sequence[tuple[Object, str | None]], now: datetime) -> set[tuple[str, str | None]]:
    """Return what a keep table keeps of what its rule speaks of."""
    kept: set[tuple[str, str | None]] = {
        (id_of(seen), unit) for seen, unit in units if unit and any(fits(one, parts(unit)[1]) for one in keep.tags)
    }
    if keep.majors is not None or keep.minors is not None:
        spoken_of = [(seen, (unit,)) for seen, unit in units if unit is not None]
        kept |= set(kept_by(Keep(majors=keep.majors, minors=keep.minors), spoken_of, now))
    counts: dict[str, Count] = {word: count for word in PERIODS if (count := getattr(keep, word)) is not None}
    if keep.last is None and keep.within is None and not counts:
        return kept
    dated = [(time_of(seen), seen, unit) for seen, unit in units]
    kept |= {(id_of(seen), unit) for time, seen, unit in dated if time is None or time > now}
    counted = [(time, seen, unit) for time, seen, unit in dated if time is not None and time <= now]
    names = {name for _, seen, unit in counted for name in groups_of(keep.group_by, seen, unit)}
    for name in names:
        group = [(time, seen, unit) for time, seen, unit in counted if name in groups_of(keep.group_by, seen, unit)]
        members = {
            _Member(time, id_of(seen), frozenset(other for _, one, other in group if id_of(one) == id_of(seen)))
            for time, seen, _ in group
        }
        newest_first = sorted(members, key=lambda member: (member.time, member.id), reverse=True)
        for member in {*by_number(keep, newest_first), *by_periods(counts, newest_first)}:
            kept |= {(member.id, unit) for unit in member.units}
    return kept


def time_of(seen: Object) -> datetime | None:
    """Return what says how new an object is."""
    return seen.built_at if isinstance(seen, Image) else seen.created_at


def groups_of(group_by: str, seen: Object, unit: str | None) -> set[str | None]:
    """Return the groups that an object, or one tag of it, is counted in."""
    if group_by == "repository":
        assert isinstance(seen, Image)
        if unit is not None:
            return {whole(parts(unit)[0])}
        return {whole(parts(digest)[0]) for digest in seen.digests} or {None}
    if group_by == "project":
        return {getattr(seen, "project", None)}
    if group_by.startswith("label:"):
        return {getattr(seen, "labels", {}).get(group_by.removeprefix("label:"))}
    return {None}


def by_number(keep: Keep, newest_first: Sequence[_Member]) -> Iterator[_Member]:
    """Yield the last ones, all that are as new as the last of them, and those within a time before the newest."""
    last = len(newest_first) if keep.last == "all" else keep.last
    for number, member in enumerate(newest_first):
        if last is not None and (number < last or member.time == newest_first[last - 1].time):
            yield member
        if keep.within is not None and member.time >= keep.within.before(newest_first[0].time):
            yield member


def by_periods(counts: dict[str, Count], newest_first: Sequence[_Member]) -> Iterator[_Member]:
    """Yield the newest of each of the last hours, days and so on, and the oldest of all while there is room."""
    for word, count in counts.items():
        newest: dict[Hashable, _Member] = {}
        for member in newest_first:
            newest.setdefault(PERIODS[word](member.time.astimezone(UTC)), member)
        chosen = list(newest.values())
        yield from chosen if count == "all" else chosen[:count]
        if count == "all" or len(chosen) < count:
            yield newest_first[-1]
