"""When an object can be removed if nothing changes: judges the inventory of today at later instants."""

from collections.abc import Mapping
from datetime import datetime
from itertools import dropwhile
from operator import attrgetter

from msgspec.structs import replace

from dockersweep.model.age_reasons import Unwatched
from dockersweep.model.explanation import Forecast
from dockersweep.model.inventory import KINDS, Image, Object, ObjectRef
from dockersweep.model.naming import kind_of, objects_of, ref_of
from dockersweep.model.plan import Decision
from dockersweep.policy.explaining.age_crossings import LONGEST_WOBBLE, crossings, has_calendar_ages
from dockersweep.policy.explaining.chains import all_holders
from dockersweep.policy.explaining.why_kept import Staying, stays_until, why_it_stays
from dockersweep.policy.explaining.without_containers import waits_for_removal, without_containers
from dockersweep.policy.judging.judge import Judge
from dockersweep.policy.judging.marks import marked_until
from dockersweep.policy.judging.order import holders_first
from dockersweep.policy.judging.refusals import tried_again
from dockersweep.units import format_duration, format_instant
from dockersweep.words.ages import day_text
from dockersweep.words.lists import first_of

MOST_NAMES = 3
MOST_LOOKED_AT = 200

Decisions = Mapping[ObjectRef, Decision]


class Future:
    """The decisions on one object and all its holders, at any instant."""

    def __init__(self, judge: Judge, ref: ObjectRef) -> None:
        """`judge` is that of today."""
        survey = self._survey = judge.survey
        self.ref = ref
        self.holds = survey.holders
        self.now = survey.now
        self._policy = judge.policy
        self._rules = judge.rules
        concerned = sorted({ref, *all_holders(ref, self.holds)}, key=attrgetter("id"))
        self._objects: list[Object] = []
        for kind in KINDS:
            listed = survey.listing.of_kind(kind)
            places = [listed.places[own.id] for own in concerned if own.kind == kind]
            self._objects += [listed.items[place] for place in holders_first(kind, places, self.holds)]

    def decide(self, at: datetime, counting: bool = True) -> Decisions:
        """Return the rules' decisions at an instant on the object and all its holders.

        Without `counting`, `keep` is ignored in all rules.
        """
        policy = self._policy
        if not counting:
            policy = replace(policy, rules=tuple(replace(rule, keep=None) for rule in policy.rules))
        judge = Judge(self._survey.at(at), policy, self._rules)
        return {ref_of(item): judge.decide(judge.case(item)) for item in self._objects}

    def tags(self) -> dict[ObjectRef, tuple[str, ...]]:
        """Return the tags of those that are images."""
        return {ref_of(item): item.tags for item in self._objects if isinstance(item, Image)}

    def instants(self) -> list[datetime]:
        """Return the instants after now at which any of these decisions may change, in order."""
        # Rules with `keep` count all objects of a kind.
        counting = {kind for rule in self._policy.rules if rule.keep is not None for kind in rule.kinds}
        kinds = {kind_of(item) for item in self._objects} & counting
        inventory = self._survey.inventory
        counted = (item for kind in kinds for item in objects_of(inventory, kind))
        instants = set(crossings(self._policy, self._rules.tests, self._objects, counted, self._survey))
        for ref in map(ref_of, self._objects):
            instants.update(marked_until(self._policy, inventory, ref))
            instants.update(tried_again(self._policy, inventory, ref))
        return sorted(instant for instant in instants if instant > self.now)

    def first_removal(self, instants: list[datetime]) -> tuple[datetime, Decisions] | None:
        """Return the first of these instants at which the object is removed, and the decisions then; None for never.

        Bisects: objects only grow older, so what can be removed once can be removed ever after. Only calendar ages can
        drop again, in the last days of a month.
        """
        if not instants or not self._goes(instants[-1]):
            return None
        stays, goes = -1, len(instants) - 1
        while goes - stays > 1:
            middle = (stays + goes) // 2
            stays, goes = (stays, middle) if self._goes(instants[middle]) else (middle, goes)
        first = instants[goes]
        if has_calendar_ages(self._policy):
            shortly_before = instants[max(0, goes - MOST_LOOKED_AT) : goes]
            wavering = dropwhile(lambda instant: instant < instants[goes] - LONGEST_WOBBLE, shortly_before)
            first = next(filter(self._goes, wavering), first)
        return first, self.decide(first)

    def frees(self, ref: ObjectRef, at: datetime) -> bool:
        """Whether all containers that hold one of these objects are removed at an instant."""
        decisions = self.decide(at)
        holders = (hold.by for hold in self.holds.get(ref, ()) if hold.by.kind == "container")
        return all(decisions[by].verdict == "remove" for by in holders)

    def _goes(self, at: datetime) -> bool:
        return self.decide(at)[self.ref].verdict == "remove"


def forecast(judge: Judge, item: Object) -> Forecast:
    """Return when the rules of a policy remove an object if nothing changes; `judge` is that of today."""
    first = _forecast(judge, item)
    if first.when != "never":
        return first
    after = _after_its_containers(judge, ref_of(item))
    return first if after is None else after


def _after_its_containers(judge: Judge, ref: ObjectRef) -> Forecast | None:
    """Return when an object is removed whose age counts from the removal of its last container; None where it does not,
    or where that container stays."""
    removes = [rule.remove for rule in judge.policy.rules if rule.remove is not None and ref.kind in rule.kinds]
    is_held = any(hold.by.kind == "container" for hold in judge.survey.holders.get(ref, ()))
    if not is_held or not any(remove.after_container for remove in removes):
        return None
    future = Future(judge, ref)
    instants = [future.now, *future.instants()]
    if not any(waits_for_removal(future.decide(at)[ref]) for at in instants):
        return None
    # The object may be too young then as well, and be kept for that.
    freed = next(at for at in instants if future.frees(ref, at))
    survey = without_containers(judge.survey, ref, freed)
    after = _forecast(Judge(survey, judge.policy), survey.objects[ref])
    if after.removable_at is None:
        return after if after.when == "never" else None
    seconds = int((after.removable_at - future.now).total_seconds())
    names = [hold.about.name for hold in future.holds[ref] if hold.by.kind == "container"]
    when = "" if freed == future.now else f" on {day_text(freed)}"
    text = (
        f"in {format_duration(seconds)}, at {format_instant(after.removable_at)}, {_by(after.rules)}, counted from the "
        f"removal of {first_of(names, MOST_NAMES)}{when}"
    )
    return replace(after, wait_seconds=seconds, text=text)


def _forecast(judge: Judge, item: Object) -> Forecast:
    """Return the same, with all its holders in place."""
    ref = ref_of(item)
    future = Future(judge, ref)
    today = future.decide(future.now)
    if today[ref].verdict == "remove":
        rules = _rules(today[ref])
        return Forecast(when="now", text=f"now, {_by(rules)}{_with(today, future)}", rules=rules)
    instants = future.instants()
    first = future.first_removal(instants)
    if first is not None:
        return _later(future, *first)
    last = instants[-1] if instants else future.now
    staying = Staying(
        policy=judge.policy,
        holds=future.holds,
        tags=future.tags(),
        today=today,
        in_the_end=future.decide(last),
        without_counts=future.decide(last, counting=False),
    )
    tags_to_go = _tags_to_go(staying.in_the_end[ref], today[ref])
    until = None if tags_to_go else stays_until(ref, staying)
    return Forecast(when="never", text=f"{why_it_stays(ref, staying)}{tags_to_go}", until=until)


def _later(future: Future, at: datetime, decisions: Decisions) -> Forecast:
    rules = _rules(decisions[future.ref])
    seconds = int((at - future.now).total_seconds())
    watched = _if_it_is_watched(future)
    earliest = " at the earliest" if watched else ""
    when = f"in {format_duration(seconds)}{earliest}, at {format_instant(at)}"
    text = f"{when}, {_by(rules)}{_with(decisions, future)}{watched}"
    return Forecast(when="later", text=text, removable_at=at, wait_seconds=seconds, rules=rules)


def _if_it_is_watched(future: Future) -> str:
    """Return the condition on a forecast where unwatched time keeps the object now; otherwise empty."""
    reasons = future.decide(future.now)[future.ref].reasons
    is_kept_by_that = any(isinstance(reason.about, Unwatched) for reason in reasons)
    return ", if it is watched from now on" if is_kept_by_that else ""


def _tags_to_go(in_the_end: Decision, today: Decision) -> str:
    """Return a phrase with the tags that an image loses later, while it stays; empty where there are none."""
    tags = [tag for tag in in_the_end.untag if tag not in today.untag]
    return f"; but it will lose the tag{'s' if len(tags) > 1 else ''} {' and '.join(tags)}" if tags else ""


def _rules(decision: Decision) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reason.rule for reason in decision.reasons))


def _by(rules: tuple[str, ...]) -> str:
    names = " and ".join(f'"{rule}"' for rule in rules)
    return f"by {'rules' if len(rules) > 1 else 'rule'} {names}"


def _with(decisions: Decisions, future: Future) -> str:
    """Return a phrase with the holders that are removed together with the object; empty where there are none."""
    holders = all_holders(future.ref, future.holds)
    names = [f"{by.kind} {decisions[by].name}" for by in holders]
    if not names or future.ref.kind == "build-cache":
        return ""
    return f", together with {first_of(names, MOST_NAMES)}"
