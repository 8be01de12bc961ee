"""Reasons of several objects as one sentence: which of them are alike, and the sentence for these."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from dockersweep.model.age_reasons import Aged, Candidate
from dockersweep.model.naming import PLURAL_OF
from dockersweep.model.reason import (
    Belonging,
    Beyond,
    Doubt,
    Fact,
    FactName,
    ForSpace,
    HeldBy,
    NotMatched,
    OfProject,
    OnlyByRule,
    Reason,
    Recoverable,
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
