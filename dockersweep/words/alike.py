"""Reasons of several objects said once: which of them are alike, and the sentence of all that are."""

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
    ANY_AGE,
    beyond_places_text,
    is_unasked_age,
    joined,
    project_text,
    reason_text,
    untagged_text,
    with_tag,
)

MOST_HOLDERS = 2
"""So many are named where there are more than one more."""


def alike(reason: Reason) -> tuple[object, ...]:
    """Return what a reason has in common with those that are said together with it."""
    about = reason.about
    if isinstance(about, HeldBy):
        return HeldBy, about.relation, about.kind, reason.code == "released"
    what = _IN_COMMON.get(type(about))
    return (type(about), untagged_text(reason)) if what is None else (type(about), what(about))


def together(reasons: Iterable[Reason], apart: Callable[[Reason], object] = lambda reason: None) -> list[list[Reason]]:
    """Return reasons with those that are alike together, in order of the first of each. What differs in what `apart`
    returns stays apart."""
    found: defaultdict[object, list[Reason]] = defaultdict(list)
    for reason in reasons:
        found[apart(reason), alike(reason)].append(reason)
    return list(found.values())


def text_of_alike(reasons: Sequence[Reason]) -> str:
    """Return reasons that are alike as one sentence; one alone as it is. A tag is named where all are about it."""
    if len(reasons) == 1:
        return reason_text(reasons[0])
    text = _text_of_several(reasons)
    return with_tag(reasons[0], text) if len({one.tag for one in reasons}) == 1 else text


def joined_alike(reasons: Iterable[Reason]) -> str:
    """Return reasons one behind the other, those that are alike as one sentence, and a tag once for those about it."""
    return joined(reasons, lambda of_tag: map(_without_tag, together(of_tag)))


def _without_tag(reasons: Sequence[Reason]) -> str:
    text = untagged_text(reasons[0]) if len(reasons) == 1 else _text_of_several(reasons)
    return f"{ANY_AGE} ({text})" if is_unasked_age(reasons[0]) else text


def counted_text(reason: Reason) -> str:
    """Return a reason of several objects, to stand behind their number: "2 whose name does not match web-*"."""
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
        holders = [one.about for one in reasons if isinstance(one.about, HeldBy)]
        return _held(holders, go_too=reasons[0].code == "released")
    say = _TOGETHER.get(type(about))
    return untagged_text(reasons[0]) if say is None else say([one.about for one in reasons])


def _held(holders: Sequence[HeldBy], go_too: bool) -> str:
    """Return by what objects are held: "used by containers web-1, web-2 and 16 more, which go too"."""
    first = holders[0]
    names = naturally({holder.id: holder.name for holder in holders}.values())
    if len(names) == 1:
        return f"{_HELD[first.relation]} {first.kind} {names[0]}{', which goes too' if go_too else ''}"
    named = first_of(names, MOST_HOLDERS + (len(names) == MOST_HOLDERS + 1))
    return f"{_HELD[first.relation]} {PLURAL_OF[first.kind]} {named}{', which go too' if go_too else ''}"


def _projects(abouts: Sequence[OfProject]) -> str:
    """Return of which projects objects are: their services are of no matter where they are of several."""
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
