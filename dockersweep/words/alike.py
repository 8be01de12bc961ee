"""Reasons of several objects as one sentence: which of them are alike, and the sentence for these."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from dockersweep.model.age_reasons import AfterContainer, Aged, Candidate
from dockersweep.model.naming import PLURAL_OF
from dockersweep.model.plan import Decision
from dockersweep.model.policy import SPACE_TARGET, Target
from dockersweep.model.reason import (
    Belonging,
    Beyond,
    Doubt,
    Fact,
    FactName,
    ForSpace,
    HeldBy,
    Kept,
    NotMatched,
    OfProject,
    OnlyByRule,
    Reason,
    ReasonCode,
    Recoverable,
    State,
)
from dockersweep.words.ages import limit_words
from dockersweep.words.ages_together import ages_text, alike_ages
from dockersweep.words.conditions import counted_not_matched
from dockersweep.words.lists import first_of, naturally
from dockersweep.words.reasons import (
    beyond_places_text,
    joined,
    project_text,
    reason_text,
    told_together,
    untagged_text,
    with_tag,
)

MOST_HOLDERS = 2
"""At most this many holders are named if at least two more follow."""


def alike(reason: Reason) -> tuple[object, ...]:
    """Return the key of reasons that can share one sentence."""
    about = reason.about
    if isinstance(about, HeldBy):
        return HeldBy, about.relation, about.kind, reason.code == "released"
    what = _IN_COMMON.get(type(about))
    return (type(about), untagged_text(reason)) if what is None else (type(about), what(about))


def together(reasons: Iterable[Reason], apart: Callable[[Reason], object] = lambda reason: None) -> list[list[Reason]]:
    """Return reasons grouped by key, in order of the first of each. Reasons for which `apart` returns different values
    stay in different groups."""
    groups: defaultdict[object, list[Reason]] = defaultdict(list)
    for reason in reasons:
        groups[apart(reason), alike(reason)].append(reason)
    return list(groups.values())


def text_of_alike(reasons: Sequence[Reason]) -> str:
    """Return one sentence for reasons with one key, including the tag if all have the same."""
    if len(reasons) == 1:
        return reason_text(reasons[0])
    text = _text_of_several(reasons)
    return with_tag(reasons[0], text) if len({reason.tag for reason in reasons}) == 1 else text


def joined_alike(reasons: Iterable[Reason]) -> str:
    """Return the sentences of reasons, one for each key, with each tag once before its own."""
    return joined(reasons, lambda of_tag: told_together(together(of_tag), _without_tag))


def _without_tag(reasons: Sequence[Reason]) -> str:
    return untagged_text(reasons[0]) if len(reasons) == 1 else _text_of_several(reasons)


def counted_text(reason: Reason) -> str:
    """Return a reason of several objects, as a phrase after their number: "2 whose name does not match web-*"."""
    about = reason.about
    if isinstance(about, NotMatched):
        return counted_not_matched(about)
    if isinstance(about, Doubt):
        return "of which it is not known whether a rule matches"
    if isinstance(about, Candidate):
        return f"not yet a candidate for {limit_words(about.limit)}"
    if isinstance(about, OnlyByRule):
        return _COUNTED["not-anonymous-local"]
    return (_COUNTED.get(about.name) if isinstance(about, Fact) else None) or untagged_text(reason)


def kept_words(decision: Decision, in_use: str, target: Target | None) -> str:
    """Return why an object is kept, as a phrase after a number: "protected by the policy", "that no rule matches".

    What the target had to say of it comes first; `in_use` is the phrase for what is used. An object that is only needed
    by another one is not called in use.
    """
    of_target = reason_of_target(decision)
    if of_target is not None and target is not None:
        return younger_words(of_target, target) or KEPT_BECAUSE.get(of_target.code) or counted_text(of_target)
    first = decision.reasons[0]
    if isinstance(first.about, Kept) and first.about.as_new_as:
        return "kept by a rule in a tie"
    if isinstance(first.about, AfterContainer):
        return f"kept for {limit_words(first.about.limit)} after its container goes"
    if first.code != "in-use":
        return KEPT_BECAUSE.get(first.code) or counted_text(first)
    if isinstance(first.about, State):
        return first.about.state or in_use
    holds = holds_of(decision)
    relations = {about.relation for about in holds}
    is_below = relations in ({"parent"}, {"lends-configuration"})
    return f"needed by {PLURAL_OF[decision.kind]} that stay" if is_below else in_use


def reason_of_target(decision: Decision) -> Reason | None:
    """Return why the space target does not remove an object; None where it had nothing to say."""
    return next((reason for reason in decision.reasons if reason.rule == SPACE_TARGET), None)


def younger_words(reason: Reason, target: Target) -> str | None:
    """Return that an object is too young for a target, whose reason this is; None for another reason."""
    if reason.code != "too-young":
        return None
    return f"younger than {target.older_than.words()} (target.older_than)"


def holds_of(decision: Decision) -> list[HeldBy]:
    """Return what holds an object, as far as its reasons name it."""
    return [reason.about for reason in decision.reasons if isinstance(reason.about, HeldBy)]


def _text_of_several(reasons: Sequence[Reason]) -> str:
    about = reasons[0].about
    if isinstance(about, HeldBy):
        holders = [reason.about for reason in reasons if isinstance(reason.about, HeldBy)]
        return _held(holders, go_too=reasons[0].code == "released")
    say = _TOGETHER.get(type(about))
    return untagged_text(reasons[0]) if say is None else say([reason.about for reason in reasons])


def _held(holders: Sequence[HeldBy], go_too: bool) -> str:
    """Return the holders of objects: "used by containers web-1, web-2 and 16 more, which go too"."""
    first = holders[0]
    names = naturally({holder.id: holder.name for holder in holders}.values())
    if len(names) == 1:
        return f"{_HELD[first.relation]} {first.kind} {names[0]}{', which goes too' if go_too else ''}"
    named = first_of(names, MOST_HOLDERS + (len(names) == MOST_HOLDERS + 1))
    return f"{_HELD[first.relation]} {PLURAL_OF[first.kind]} {named}{', which go too' if go_too else ''}"


def _projects(abouts: Sequence[OfProject]) -> str:
    """Return the projects of objects; without services if these differ."""
    if len(set(abouts)) == 1:
        return project_text(abouts[0])
    names = naturally({about.project for about in abouts})
    if len(names) == 1:
        return project_text(replace(abouts[0], service=None, files=(), lost_its_tag=False))
    named = first_of(names, MOST_HOLDERS + (len(names) == MOST_HOLDERS + 1))
    return _OF_PROJECTS[abouts[0].how].format(f"projects {named}")


def _for_space(abouts: Sequence[ForSpace]) -> str:
    ages = [about.age for about in abouts if about.age is not None]
    return f"{f'{ages_text(ages)}, ' if ages else ''}least recently used, removed to free space"


def _age_for_space(about: ForSpace) -> tuple[object, ...]:
    return () if about.age is None else alike_ages(about.age)


KEPT_BECAUSE: Mapping[ReasonCode, str] = {
    "predefined": "created by the engine",
    "swarm": "part of a swarm",
    "unread": "not read in full",
    "external": "used by other tools",
    "read-only": "in a read-only store",
    "service": "used by a service",
    "unseen-services": "may be used by a service that cannot be seen",
    "kubelet": "of the kubelet",
    "project-runs": "needed by a running compose project",
    "protected": "protected by the policy",
    "not-asked-for": "not asked for",
    "too-young": "under the age limit",
    "unwatched": "not watched long enough",
    "age-unknown": "of unknown age",
    "kept": "kept by a rule",
    "refused": "refused by the engine",
    "unrecoverable": "that cannot be recovered",
}
_COUNTED: Mapping[FactName, str] = {
    "no-rule-matches": "that no rule matches",
    "other-tags-only": "with other tags only",
    "no-single-tag": "of which no single tag matches",
    "only-keeps": "of a rule that only keeps",
    "only-target": "that a rule would remove, but only the space target may (--only-target)",
    "enough": "not needed to free enough",
    "not-recoverable": "not known to be in a registry",
    "not-anonymous-local": "to be removed only by a rule",
    "on-another-disk": "on another disk",
    "takes-no-space": "that take no space",
}
_HELD: Mapping[str, str] = {
    "uses": "used by",
    "may-mount": "may be mounted by",
    "joins-namespaces": "lends its namespaces to",
    "parent": "parent of",
    "lends-configuration": "lends its configuration to",
}
_OF_PROJECTS: Mapping[Belonging, str] = {
    "certain": "{}",
    "doubtful": "perhaps of {}: their labels may be inherited from images",
    "used-last": "last used by {}",
}
_IN_COMMON: Mapping[type, Callable[[Any], Iterable[object]]] = {
    Aged: alike_ages,
    Beyond: lambda about: (about.count, None if about.group is None else (about.group.by, about.group.kind)),
    ForSpace: _age_for_space,
    OfProject: lambda about: (about.how,),
    Recoverable: lambda about: (about.asked_at is None,),
}
_TOGETHER: Mapping[type, Callable[[Any], str]] = {
    Aged: ages_text,
    Beyond: beyond_places_text,
    ForSpace: _for_space,
    OfProject: _projects,
    Recoverable: lambda abouts: "can be pulled again",
}
