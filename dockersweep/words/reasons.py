"""Reasons as sentences. Nothing parses a sentence: everything that code needs of a reason is a field of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, get_args

from dockersweep.model.age_reasons import AfterContainer, Aged, AgeUnknown, Candidate, Unwatched
from dockersweep.model.external import ExternalTool
from dockersweep.model.inventory import KINDS, Kind
from dockersweep.model.naming import PLURAL_OF
from dockersweep.model.reason import (
    About,
    Belonging,
    Beyond,
    DeclaredBy,
    Doubt,
    Excluded,
    Fact,
    FactName,
    ForSpace,
    Group,
    HeldBy,
    InWords,
    Kept,
    KeptTag,
    KeptVersion,
    KeptWithin,
    NameBegins,
    NotMatched,
    OfKubelet,
    OfPod,
    OfProject,
    OfRunningProject,
    OnlyByRule,
    OnlyKinds,
    Protected,
    ProtectedBy,
    Reason,
    Recoverable,
    Refused,
    Scope,
    ServiceUses,
    Skipped,
    State,
    ToolUses,
    Undated,
    Unread,
    Unrecoverable,
)
from dockersweep.units import format_duration, format_instant
from dockersweep.words.ages import (
    after_container_text,
    aged_text,
    asked_text,
    limit_words,
    setting_text,
    unwatched_text,
)
from dockersweep.words.amounts import ordinal
from dockersweep.words.conditions import because_not_matched, doubt_text, not_matched_text, restart_text

_FACTS: Mapping[FactName, str] = {
    "no-rule-matches": "no rule matches",
    "other-tags-only": "the rule matches other tags only",
    "no-single-tag": "no single tag matches all conditions",
    "only-keeps": "the rule only keeps, and does not keep it",
    "only-target": "the rule would remove it, but only the space target may (--only-target)",
    "engine-counts-a-use": "the engine counts a use of it that no container shows",
    "made-by-engine": "made by the engine for itself",
    "made-by-file-system": "no volume: the folder of the disk for what a repair finds",
    "used-by-build": "a build uses it",
    "own-container": "dockersweep itself runs in it",
    "swarm-task": "part of a swarm task, which the swarm itself cleans up",
    "infra-container": "the infra container of a pod, which goes with the pod",
    "unseen-services": "a service of the swarm may use it, and services cannot be seen here (protect.unseen_services)",
    "pause-image": "the pause image, which the kubelet needs for every pod",
    "read-only-store": "in a read-only store (additionalimagestores); it cannot be removed here",
    "no-ledger": "nothing remembers since when it is a candidate: the ledger is not in use",
    "no-age-asked-for": "age unknown, and none is asked for",
    "enough": "enough is freed without it",
    "not-recoverable": "nothing tells that it can be pulled again, and such images never go for space",
    "not-anonymous-local": ("not an anonymous volume of the driver local without mount options: goes only by a rule"),
    "only-here": "exists only here",
    "on-another-disk": "it frees nothing on the disk that is short of space",
    "takes-no-space": "it takes no space: goes only by a rule",
    "not-in-saved-plan": "the saved plan does not name it",
    "named-by-saved-plan": "the plan names it",
    "not-archived": "it could not be archived earlier in this run",
    "unticked": "not ticked in the review",
    "on-other-hosts": "another host has this volume too, and keeps it or did not tell",
}
ANY_AGE = "whatever its age"
"""Why an object is removed by a rule that asks for no age."""
ANY_AGE_OF_SEVERAL = "whatever their age"
_PROTECTED: Mapping[ProtectedBy, str] = {
    "label": "has the label",
    "name": "its name matches",
    "image": "its reference matches",
    "project": "the compose project",
    "service": "it is used by the service",
    "pet": "a development container or cluster node, by the label",
}
_OF_PROJECT: Mapping[Belonging, str] = {
    "certain": "the compose project {} matches",
    "doubtful": "it may be of the compose project {}, which matches",
    "used-last": "last used by the compose project {}, which matches",
}
_TOOLS: Mapping[ExternalTool, str] = {
    "podman build": "a container of a build",
    "CRI-O": "a container of CRI-O",
    "other": "a container of another tool (podman ps --all --external)",
}


def reason_text(reason: Reason) -> str:
    """Return a reason as a sentence without its rule: "stopped 10 days ago (limit 24 hours)"."""
    return with_tag(reason, untagged_text(reason))


def with_tag(reason: Reason, text: str) -> str:
    """Return the text of one or more reasons, with the tag of the first before it."""
    if reason.tag is None:
        return text
    if reason.code == "tag-goes":
        return f"tag {reason.tag} goes (frees 0 B): {text}"
    return f"{reason.tag}: {text}"


def because_text(reason: Reason) -> str:
    """Return a reason to follow "because": "it is tagged (add --all-images to include)"."""
    about = reason.about
    if isinstance(about, NotMatched):
        return because_not_matched(about)
    return "no rule matches it" if about == Fact(name="no-rule-matches") else reason_text(reason)


def untagged_text(reason: Reason) -> str:
    """Return the same without its tag, for where the tag is shown beside it."""
    text = about_text(reason.about)
    # The text of an older version includes it already.
    is_complete = reason.code != "released" or isinstance(reason.about, InWords)
    return text if is_complete else f"{text}, which goes too"


def beyond_text(reason: Reason) -> str:
    """Return a holder that is not an object, a service or another tool: "service web (1 of 1 replicas)"."""
    if isinstance(reason.about, ServiceUses):
        return service_text(reason.about)
    if isinstance(reason.about, ToolUses) and reason.about.is_certain:
        return _user(reason.about)
    return reason_text(reason)


def rule_and_text(reason: Reason) -> str:
    """Return a reason with its rule before it, for logs and CSV."""
    return f"{reason.rule}: {reason_text(reason)}"


def sentences(of_tag: Iterable[Reason]) -> Iterator[str]:
    """Yield the sentences of the reasons of one tag, or of an object without, each without the tag."""
    return told_together(([reason] for reason in of_tag), lambda reasons: untagged_text(reasons[0]))


def told_together(groups: Iterable[Sequence[Reason]], text: Callable[[Sequence[Reason]], str]) -> Iterator[str]:
    """Yield a sentence for each group of reasons of one tag, of which `text` returns the sentence alone.

    An age that no rule asks for is named as such, behind the place in a count that its rule goes by; and what rules do
    not match reads as no reason to keep it: "no rule matches: without a tag".
    """
    unmatched: set[str] = set()
    for reasons, age in with_unasked_ages(groups):
        sentence = text(reasons)
        if sentence in unmatched:
            continue
        if is_unasked_age(reasons[0]):
            sentence = f"{ANY_AGE} ({sentence})"
        elif age is not None:
            sentence += f", {ANY_AGE} ({text(age)})"
        elif isinstance(reasons[0].about, NotMatched) and reasons[0].about.flag is None:
            starts = "" if unmatched else "no rule matches: "
            unmatched.add(sentence)
            sentence = starts + sentence
        yield sentence


def with_unasked_ages(
    groups: Iterable[Sequence[Reason]],
) -> Iterator[tuple[Sequence[Reason], Sequence[Reason] | None]]:
    """Yield groups of equal reasons, with the last place in a count of a rule the age that the rule does not ask for;
    such an age comes by itself only where its rule counts nothing."""
    every = list(groups)
    ages: dict[tuple[str, str | None], Sequence[Reason]] = {}
    counts: dict[tuple[str, str | None], int] = {}
    for place, reasons in enumerate(every):
        if is_unasked_age(reasons[0]):
            ages[reasons[0].rule, reasons[0].tag] = reasons
        elif isinstance(reasons[0].about, Beyond):
            counts[reasons[0].rule, reasons[0].tag] = place
    for place, reasons in enumerate(every):
        key = reasons[0].rule, reasons[0].tag
        if not (is_unasked_age(reasons[0]) and key in counts):
            yield reasons, ages.get(key) if counts.get(key) == place else None


def ages_behind_counts(reasons: Iterable[Reason]) -> Iterator[Reason]:
    """Yield reasons with each age that no rule asks for behind the place in a count that its rule goes by."""
    for of_one, age in with_unasked_ages([reason] for reason in reasons):
        yield from (*of_one, *(age or ()))


def joined(reasons: Iterable[Reason], texts: Callable[[Sequence[Reason]], Iterable[str]] = sentences) -> str:
    """Return the sentences of reasons, each once, with each tag once before its own: "tag app:4 goes (frees 0 B): 4th
    newest of app (keep.last = 3), whatever its age (loaded 10 days ago)". `texts` returns the sentences of the reasons
    of one tag, without the tag."""
    by_tag: dict[str, None] = {}
    for _, of_tag in groupby(reasons, key=lambda reason: (reason.tag, reason.code == "tag-goes")):
        same = list(of_tag)
        by_tag[with_tag(same[0], "; ".join(dict.fromkeys(texts(same))))] = None
    return "; ".join(by_tag)


def joined_by_rule(reasons: Iterable[Reason]) -> str:
    """Return the same with each rule before its own: "dangling images: loaded 30 days ago (limit 24 hours); project
    shop"."""
    by_rule = groupby(reasons, key=lambda reason: reason.rule)
    return "; ".join(f"{rule}: {joined(of_rule)}" for rule, of_rule in by_rule)


def is_unasked_age(reason: Reason) -> bool:
    """Whether a reason of a removal is only the age of an object, and the rule asks for no age."""
    about = reason.about
    if reason.code not in ("old-enough", "tag-goes") or not isinstance(about, Aged):
        return False
    return not any(asked_text(age) or age.setting for age in (about, *about.also))


def removal_text(reason: Reason) -> str:
    """Return a reason of a removal for the ledger: an age that the rule does not ask for is not the reason."""
    return joined([reason])


def about_text(about: About | InWords) -> str:
    """Return the `about` of a reason as a sentence."""
    words: str = _WORDS[type(about)](about)
    return words


def tasks_text(about: ServiceUses) -> str:
    """Return how many tasks a service has: "0 of 0 replicas", "global, 2 of 3 tasks", "job, 1 task done"."""
    if about.mode.endswith("job"):
        done = about.completed
        return "job" if done is None else f"job, {done} {'task' if done == 1 else 'tasks'} done"
    counted = "" if about.desired is None else f"{about.desired} "
    if about.running is not None:
        counted = f"{about.running} of {counted}"
    if about.mode == "global":
        return f"global, {counted}tasks" if counted else "global"
    return f"{counted}replicas" if counted else "replicated"


def state_text(state: str, stopped_seconds: float | None) -> str:
    """Return the state of a container: "running", "exited 2 hours ago", "created 3 days ago"."""
    return state if stopped_seconds is None else f"{state} {format_duration(stopped_seconds)} ago"


def _held(about: HeldBy) -> str:
    if about.relation == "may-mount":
        return f"may be what container {about.name} mounts as {about.mounted_as}"
    if about.relation == "parent":
        return f"parent of {'build-cache record' if about.kind == 'build-cache' else about.kind} {about.name}"
    if about.relation == "lends-configuration":
        return f"lends its configuration to network {about.name}"
    container = f"container {about.name} ({state_text(about.state or '', about.stopped_seconds)})"
    return f"used by {container}" if about.relation == "uses" else f"{container} joins its namespaces"


def _age_unknown(about: AgeUnknown) -> str:
    start = "its last use is not known" if about.asked_for == "last-use" else "age unknown"
    return f"{start}: {unknown_age_text(about)}{setting_text(about.setting)}"


def unknown_age_text(about: AgeUnknown) -> str:
    """Return why an age is not known: "nothing tells it"."""
    if about.asked_for == "unused":
        return "nothing tells since when it is unused"
    if about.asked_for == "created":
        return "the engine does not tell when it was created"
    if about.asked_for == "built":
        return "nothing tells when it was built"
    if about.built_on is not None:
        return f"built {about.built_on}, and nothing tells when it came here"
    return "nothing tells it"


def _candidate(about: Candidate) -> str:
    limit = limit_words(about.limit)
    if about.seconds is None:
        return f"a candidate from now on (limit {limit})"
    return f"a candidate for {format_duration(about.seconds)} (limit {limit})"


def _group(group: Group | None) -> str:
    """Return the group in which an object was counted; empty where there is only one."""
    if group is None:
        return ""
    of = f" of {PLURAL_OF[group.kind]}" if group.name is None else ""
    return f"{of}{_in_group(group)}"


def _in_group(group: Group) -> str:
    """Return what the objects of a group have in common: " of app", " without a repository"."""
    what, _, key = group.by.partition(":")
    if group.name is None:
        return f" without {f'the label {key}' if key else f'a {what}'}"
    if key:
        return f" of {key}={group.name}"
    return f" of {group.name}" if what == "repository" else f" of project {group.name}"


def more_of_group_text(count: int, kind: Kind, group: Group | None) -> str:
    """Return how many objects have yet to come: "2 more images of app", "1 more image without a repository"."""
    noun = "build-cache record" if kind == "build-cache" else kind
    return f"{count} more {noun}{'' if count == 1 else 's'}{'' if group is None else _in_group(group)}"


def _kept(about: Kept) -> str:
    group = _group(about.group)
    if about.of_all:
        return _kept_with_all(about, group)
    setting = f"(keep.{about.keep})"
    if about.keep != "last":
        return f"{'oldest, ' if about.oldest else ''}{ordinal(about.place)} {about.keep}{group} {setting}"
    newest = "newest" if about.place == 1 else f"{ordinal(about.place)} newest"
    return f"{'as new as the ' if about.as_new_as else ''}{newest}{group} {setting}"


def _kept_with_all(about: Kept, group: str) -> str:
    """Return the same for keep = all, without a place: a place would suggest that others are beyond it."""
    setting = f"(keep.{about.keep} = all)"
    if about.keep == "last":
        return f"keeps all{group} {setting}"
    return f"{'oldest, ' if about.oldest else ''}{about.keep}{group} {setting}"


def beyond_places_text(abouts: Sequence[Beyond]) -> str:
    """Return places beyond the same keep.last: "4th to 24th newest of app (keep.last = 3)"."""
    first = abouts[0]
    least, most = min(about.place for about in abouts), max(about.place for about in abouts)
    places = ordinal(least) if least == most else f"{ordinal(least)} to {ordinal(most)}"
    groups = {about.group for about in abouts}
    group = _group(first.group) if len(groups) == 1 or first.group is None else f" of each {first.group.by}"
    return f"{places} newest{group} (keep.last = {first.count})"


def _undated(about: Undated) -> str:
    if about.dated_at is not None:
        return f"dated in the future ({format_instant(about.dated_at)})"
    return f"nothing tells when it was {'built' if about.is_image else 'created'}"


def service_text(about: ServiceUses) -> str:
    """Return a service and how many tasks it has: "service web (1 of 1 replicas)"."""
    return f"service {about.service} ({tasks_text(about)}){', for a rollback' if about.for_rollback else ''}"


def _pod(about: OfPod) -> str:
    pod = about.pod if about.namespace is None else f"{about.namespace}/{about.pod}"
    return f"part of the Kubernetes pod {pod}, which the kubelet itself cleans up"


def _declared(about: DeclaredBy) -> str:
    by = f" ({about.by})" if about.by is not None else ""
    others = f" and {about.others} more" if about.others else ""
    return f"declared by {about.path}{by}{others}"


def _tool(about: ToolUses) -> str:
    if about.tool == "image mount":
        return _user(about)
    return f"{'' if about.is_certain else 'may be '}used by {_user(about)}"


def _user(about: ToolUses) -> str:
    if about.tool == "image mount":
        # Other tools can mount images on the host too; the command without an argument lists them all.
        return "mounted on the host (podman image mount lists it)"
    return f"volume {about.name} (driver image)" if about.tool == "volume" else f"{about.name}, {_TOOLS[about.tool]}"


def _protected(about: Protected) -> str:
    phrase = _PROTECTED[about.by]
    if about.project is not None and about.how is not None:
        phrase = _OF_PROJECT[about.how].format(about.project)
    return f"{phrase} {about.pattern} ({about.source})"


def project_text(about: OfProject) -> str:
    """Return the project and service of an object."""
    if about.lost_its_tag and about.service is not None:
        return f"formerly {about.project}/{about.service}"
    project = f"project {about.project}" + (f", service {about.service}" if about.service else "")
    if about.how == "doubtful":
        return f"perhaps of {project}: its label may be inherited from an image"
    if about.how == "used-last":
        return f"last used by {project}"
    return project + (f", from {', '.join(about.files)}" if about.files else "")


def _refused(about: Refused) -> str:
    again, _, _ = format_instant(about.retried_at).partition("T")
    return (
        f"the engine refused it in {about.runs} runs: {about.answer} (tried again on {again}, or with --retry-refused)"
    )


def _recoverable(about: Recoverable) -> str:
    as_what = ": it was pulled from a registry or pushed to one" if about.digest is None else f" as {about.digest}"
    asked = "" if about.asked_at is None else f" (the registry had it at {format_instant(about.asked_at)})"
    return f"can be pulled again{as_what}{asked}"


def _not_asked_for(about: OnlyKinds) -> str:
    """Return the flags that exclude the object, in their shorter form."""
    others = [kind for kind in KINDS if kind not in about.kinds]
    flag, kinds = ("--kind", about.kinds) if len(about.kinds) <= len(others) else ("--not-kind", others)
    return f"not asked for ({' '.join(f'{flag} {kind}' for kind in kinds)})"


def _for_space(about: ForSpace) -> str:
    return f"{'' if about.age is None else f'{aged_text(about.age)}, '}least recently used, removed to free space"


_WORDS: Mapping[type, Callable[[Any], str]] = {
    Fact: lambda about: _FACTS[about.name],
    HeldBy: _held,
    Aged: aged_text,
    Unwatched: unwatched_text,
    AfterContainer: after_container_text,
    AgeUnknown: _age_unknown,
    Candidate: _candidate,
    Kept: _kept,
    Beyond: lambda about: beyond_places_text([about]),
    KeptWithin: lambda about: f"within {limit_words(about.limit)} of the newest{_group(about.group)}",
    KeptTag: lambda about: f"tag matches {about.pattern}",
    KeptVersion: lambda about: f"newest {'pre-release ' if about.pre_release else ''}of version {about.version}",
    Undated: _undated,
    Doubt: doubt_text,
    NotMatched: not_matched_text,
    Excluded: lambda about: f"excluded by not.{about.condition}",
    Protected: _protected,
    OfProject: project_text,
    OfRunningProject: lambda about: (
        f"the compose project {about.project} runs ({about.running}) and needs it to start again "
        "(protect.init_containers)"
    ),
    DeclaredBy: _declared,
    OnlyKinds: _not_asked_for,
    State: lambda about: f"it is {about.state or 'in an unknown state'}",
    Scope: lambda about: f"its scope is {about.scope or 'unknown'}: other nodes may use it",
    Unread: lambda about: f"it could not be read in full: {about.problem}",
    NameBegins: lambda about: f"Podman could remove {about.volume} in its place",
    ServiceUses: lambda about: f"used by {service_text(about)}",
    OfPod: _pod,
    OfKubelet: lambda about: f"it has the label {about.label}, so it belongs to the kubelet",
    ToolUses: _tool,
    Refused: _refused,
    Recoverable: _recoverable,
    ForSpace: _for_space,
    OnlyByRule: lambda about: f"{restart_text(about.restart)}: goes only by a rule",
    Skipped: lambda about: about.why,
    Unrecoverable: lambda about: f"it cannot be recovered ({about.why})",
    InWords: lambda about: about.text,
}
assert set(_WORDS) == {*get_args(About), InWords}, "every kind of reason needs its words"
