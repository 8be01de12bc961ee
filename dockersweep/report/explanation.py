"""The explanation of one object; for spreadsheets a row for each reason, tag, holder and rule, and the forecast."""

from collections.abc import Iterator, Sequence

from dockersweep.model.explanation import Chain, Explanation, ForSpace, RuleSays, RuleWord, SilentRules, Subject, Unless
from dockersweep.model.naming import PLURAL_OF, short_id
from dockersweep.model.plan import Decision
from dockersweep.model.quantities import Instant
from dockersweep.model.reason import NotMatched, Reason, ReasonCode, State
from dockersweep.report.headline import (
    BASE_WORDS,
    NOUN_OF,
    base_sentence,
    engine_sentence,
    over_limit_sentences,
    warning_sentences,
)
from dockersweep.report.layout import Column, Layout, Rows, Section
from dockersweep.report.local_time import in_local_time, local_time
from dockersweep.report.text import capital
from dockersweep.units import format_instant, format_size
from dockersweep.words.ages import by_text
from dockersweep.words.alike import text_of_alike, together
from dockersweep.words.amounts import amount_words, layers_text, plural
from dockersweep.words.lists import both, first_of
from dockersweep.words.reasons import (
    ANY_AGE,
    about_text,
    beyond_text,
    is_unasked_age,
    reason_text,
    with_tag,
    with_unasked_ages,
)
from dockersweep.words.recovery import way_back_text

MOST_CHAINS = 10
MOST_NAMES = 3
_FACTS = (Column("WHAT"), Column("TEXT", wraps=True))
_REASONS = (Column("RULE", shortens=True), Column("TEXT", wraps=True))
_USES = (Column("AT"), Column("WHAT"), Column("BY", shortens=True))
_RULES = (Column("RULE", shortens=True), Column("SAYS"), Column("WHY", wraps=True))
_TAGS = (Column("TAG", shortens=True), Column("VERDICT"), Column("WHY", wraps=True))
_UNKNOWN = "an unknown amount"
_HEADINGS = ("kind", "id", "name", "part", "about", "says", "text")
_SAYS: dict[RuleSays, str] = {
    "removes": "removes",
    "keeps": "keeps",
    "not-yet": "not yet",
    "does-not-remove": "no",
}
_HARD = {"hard protection": "protected"}
"""The rule name in documents for what no policy can remove -> what people read."""
_BEYOND: tuple[ReasonCode, ...] = ("external", "service")
"""The codes of reasons that name a holder outside the inventory."""


def explanation_layout(explanation: Explanation) -> Layout:
    """Return the layout of an explanation; all rows begin with the object, so rows of several can be combined."""
    subject = explanation.subject
    rows = ((subject.kind, subject.id, subject.name, *row) for row in _csv_rows(explanation))
    return Layout(_title(subject), _sections(explanation), Rows(_HEADINGS, rows))


def _sections(explanation: Explanation) -> Iterator[Section]:
    """Yield the verdict and why, then only sections that add to it."""
    yield Section(sentences=(engine_sentence(explanation.engine, explanation.taken_at),))
    reasons = _reasons(explanation)
    yield from _verdict(explanation, reasons)
    yield Section(columns=_FACTS, rows=list(_facts(explanation)), header=False)
    yield from _last_uses(explanation)
    tags = [(tag.tag, "goes" if tag.goes else "stays", tag.why) for tag in explanation.tags]
    yield Section("Tags" if tags else None, columns=_TAGS, rows=tags, header=False)
    held_by = [*_beyond_objects(explanation), *_chains(explanation)]
    yield Section("Held by" if held_by else None, items=held_by)
    yield from _matching_rules(explanation, reasons)
    over = over_limit_sentences(explanation.limits, "The plan is over")
    yield Section(sentences=(*_forecast(explanation, reasons), _frees(explanation), *over))
    if explanation.size_base == "lengths":
        yield Section(sentences=(base_sentence(explanation.size_base, explanation.not_from_disk),))
    yield Section(sentences=warning_sentences(explanation.warnings))


def _title(subject: Subject) -> str:
    return f"{capital(NOUN_OF[subject.kind])} {subject.name}"


def _facts(explanation: Explanation) -> Iterator[tuple[str, str]]:
    subject = explanation.subject
    if any(reason.code == "only-here" for reason in explanation.decision.reasons):
        yield "caution", "exists only here, cannot be pulled again"
    if subject.id != subject.name:
        # A digest fits a terminal only without its prefix, and engines accept it so.
        yield "id", subject.id.removeprefix("sha256:")
    if subject.kind == "image":
        yield "tags", ", ".join(subject.tags) or "none"
    if subject.digests:
        yield "digests", ", ".join(subject.digests)
    answer = subject.registry_answer
    if answer is not None:
        what = "does not have it" if answer.reference is None else f"has {answer.reference}"
        yield "registry", f"{what} (asked at {local_time(answer.asked_at)})"
    if subject.owner is not None:
        yield "owner", about_text(subject.owner)
    if subject.last_used_by is not None:
        yield "used", about_text(subject.last_used_by)
    if subject.kind != "network":
        counted = "" if subject.size_bytes is None else f" {BASE_WORDS[explanation.size_base]}"
        yield "size", f"{format_size(subject.size_bytes)}{counted}"
    if explanation.recovery is not None:
        stays = explanation.decision.verdict == "keep"
        yield "recovery", in_local_time(way_back_text(explanation.recovery, stays=stays))
    since = subject.age_counts_from_at
    yield "age", subject.age_text if since is None else f"{subject.age_text} ({local_time(since)})"


def _last_uses(explanation: Explanation) -> Iterator[Section]:
    """Yield the last uses, and the times in which a use would not have been noticed."""
    use = explanation.use
    uses: list[tuple[Instant, str, str]] = [
        (past.at, past.action, by_text(past.by, past.by_id in use.containers_gone).removeprefix(" by "))
        for past in use.uses
    ]
    uses += [
        (at, what, "") for at, what in ((use.written_at, "files written"), (use.built_on_at, "used by a build")) if at
    ]
    if uses:
        # Uses in the same second keep their order.
        uses.sort(key=lambda row: row[0].replace(microsecond=0), reverse=True)
        rows = [(local_time(at), what, by) for at, what, by in uses]
        yield Section("Last known uses", columns=_USES, rows=rows, header=False)
    gaps = [f"{local_time(gap.begins_at)} to {local_time(gap.ends_at)}" for gap in use.gaps or ()]
    if gaps:
        yield Section("Not watched; uses may be missing", items=gaps)


def _verdict(explanation: Explanation, reasons: Sequence[tuple[str, str]]) -> Iterator[Section]:
    """Yield the verdict and why: a single reason within the sentence, several below it."""
    tags = explanation.decision.untag
    goes = explanation.decision.verdict == "remove"
    what = "will be removed" if goes else f"is kept and loses {plural(len(tags), 'tag')}" if tags else "is kept"
    if explanation.for_space is not None and not tags:
        what = "is kept until space is short"
    head = f"{_title(explanation.subject)} {what} by {explanation.policy_source}"
    silent = {reason.rule for reason in explanation.decision.reasons if isinstance(reason.about, NotMatched)}
    if len(reasons) == 1:
        [(rule, text)] = reasons
        names = {name for rules in explanation.silent for name in rules.rules}
        names |= {rule.rule for rule in explanation.rules}
        by = f'rule "{rule}"' if rule in names else rule
        why = f"{head}: {by} does not match it: {text}." if rule in silent else f"{head} ({by}): {text}."
        if explanation.decision.reasons[0].rule in _HARD:
            # It holds under any policy.
            why = f"{_title(explanation.subject)} {what}: {text}."
        yield Section(sentences=(why,))
    else:
        reasons = [(rule, f"does not match: {text}" if rule in silent else text) for rule, text in reasons]
        yield Section(sentences=(f"{head}{':' if reasons else '.'}",), columns=_REASONS, rows=reasons, header=False)


def _reasons(explanation: Explanation) -> list[tuple[str, str]]:
    """Return (rule, text) of the decision's reasons, equal ones merged. Reasons about single tags are left to the table
    of tags, and what exists only here to the facts."""
    shown = (reason for reason in explanation.decision.reasons if reason.tag is None or not explanation.tags)
    shown = (reason for reason in shown if reason.code != "only-here")
    alike = together(shown, apart=lambda reason: (reason.rule, reason.tag))
    return [(_HARD.get(same[0].rule, same[0].rule), _why(same, age)) for same, age in with_unasked_ages(alike)]


def _why(alike: Sequence[Reason], age: Sequence[Reason] | None) -> str:
    """Return equal reasons as a sentence. An age that no rule asks for is left to the facts."""
    if is_unasked_age(alike[0]):
        return with_tag(alike[0], ANY_AGE)
    text = text_of_alike(alike)
    return text if age is None else f"{text}, {ANY_AGE}"


def _beyond_objects(explanation: Explanation) -> list[str]:
    """Return the holders that are not objects of the engine."""
    holders = [beyond_text(reason) for reason in explanation.decision.reasons if reason.code in _BEYOND]
    return [f"{_start(explanation.subject)} <- {holder}" for holder in holders]


def _start(subject: Subject) -> str:
    return f"{subject.kind} {short_id(subject.id) if subject.kind == 'build-cache' else subject.name}"


def _chains(explanation: Explanation) -> list[str]:
    """Return each chain of holders, from the object to the last one."""
    start = _start(explanation.subject)
    chains = [" <- ".join((start, *_links(chain))) for chain in explanation.chains[:MOST_CHAINS]]
    more = len(explanation.chains) - MOST_CHAINS
    return [*chains, f"and {plural(more, 'other')}, all of which --format json lists"] if more > 0 else chains


def _links(chain: Chain) -> Iterator[str]:
    for link in chain.links:
        notes = f" ({', '.join(link.notes)})" if link.notes else ""
        yield f"{link.kind} {link.name}{notes}"


def _matching_rules(explanation: Explanation, stated: Sequence[tuple[str, str]]) -> Iterator[Section]:
    """Yield the rules that add to the verdict, whose reasons are `stated` already, and the rules that do not match."""
    rules = [
        (rule.rule, _says(rule, explanation.decision), f"{_of_tags(rule.tags)}{rule.text}")
        for rule in explanation.rules
        if (rule.rule, rule.text) not in stated and not _is_in_verdict(rule, explanation.decision)
    ]
    stated_whys = {f"not for {PLURAL_OF[explanation.subject.kind]}", *(text for _, text in stated)}
    silent = [_silent(rules) for rules in explanation.silent if rules.why not in stated_whys]
    yield Section("Rules" if rules or silent else None, columns=_RULES, rows=rules, header=False, items=silent)


def _is_in_verdict(rule: RuleWord, decision: Decision) -> bool:
    """Whether a rule removes the whole object, so that the verdict has its reasons."""
    is_of_verdict = any(reason.rule == rule.rule for reason in decision.reasons)
    return decision.verdict == "remove" and rule.says == "removes" and is_of_verdict and not rule.tags


def _says(rule: RuleWord, decision: Decision) -> str:
    """Return what a rule does; what something else keeps it would remove."""
    is_kept = decision.verdict == "keep" and not decision.untag
    return "would remove" if rule.says == "removes" and is_kept else _SAYS[rule.says]


def _silent(silent: SilentRules) -> str:
    do = "does" if len(silent.rules) == 1 else "do"
    rules = (f'"{rule}"' for rule in silent.rules)
    return f"{both(rules)} {do} not match: {silent.why}."


def _of_tags(tags: Sequence[str]) -> str:
    return f"of {' and '.join(tags)} only: " if tags else ""


def _forecast(explanation: Explanation, reasons: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield until when the object stays; if for good, why (unless the verdict says so); and what would change that."""
    forecast = explanation.forecast
    stated = [text for _, text in reasons]
    if explanation.for_space is not None:
        yield _for_space(explanation.for_space)
    if forecast.until is not None:
        yield f"Stays until {forecast.until}."
    elif forecast.when == "never" and explanation.for_space is None:
        is_stated = forecast.text.removeprefix("no rule removes it: ") in stated
        about = explanation.decision.reasons[0].about
        state = f" while it is {about.state}" if isinstance(about, State) and about.state else ""
        yield f"Will not be removed under this policy{state if is_stated else f': {forecast.text}'}."
    elif forecast.when == "later" or (forecast.when == "now" and explanation.decision.verdict == "keep"):
        yield f"Can be removed {forecast.text}."
    if explanation.unless is not None:
        yield _unless(explanation.unless)


def _for_space(for_space: ForSpace) -> str:
    since = "" if for_space.from_at is None else f" from {local_time(for_space.from_at)} on"
    return f"The space target may remove it{since}, when space is so short that its turn comes."


def _unless(unless: Unless) -> str:
    """Return what would allow the removal, and when: "With --named-volumes, it can be removed now, by rule "unused
    named volumes"."."""
    be = "is" if len(unless.containers) == 1 else "are"
    noun = "container" if len(unless.containers) == 1 else "containers"
    steps = [] if unless.flag is None else [f"with {unless.flag}"]
    if unless.containers:
        steps.append(f"if {noun} {first_of(unless.containers, MOST_NAMES)} {be} removed now")
    text = f"{' and '.join(steps)}, it can be removed {unless.forecast.text}."
    return capital(text)


def _frees(explanation: Explanation) -> str:
    if explanation.subject.kind == "network":
        return "It takes no space."
    text = f"Removing only this frees {amount_words(explanation.reclaim_alone, _UNKNOWN)}"
    in_plan, plan = explanation.reclaim_in_plan, "this plan"
    unless = explanation.unless
    if unless is not None and unless.reclaim_in_plan is not None:
        in_plan, plan = unless.reclaim_in_plan, f"a plan with {unless.flag}"
    if in_plan is not None and in_plan != explanation.reclaim_alone:
        held = "layers" if explanation.subject.kind in ("image", "build-cache") else "data"
        text += f". In {plan}, where what holds its {held} goes first, it frees {amount_words(in_plan, _UNKNOWN)}"
    frees = (explanation.reclaim_alone, in_plan)
    why = dict.fromkeys(interval.reason for interval in frees if interval is not None and interval.reason)
    held = _layers_held(explanation)
    return f"{text}.{held} Not exact: {'; '.join(why)}." if why else f"{text}.{held}"


def _layers_held(explanation: Explanation) -> str:
    held = explanation.layers_held
    if held is None:
        return ""
    text = layers_text(held, explanation.subject.kind)
    return f" {capital(text)}."


def _csv_rows(explanation: Explanation) -> Iterator[tuple[str, str, str, str]]:
    """Yield the cells "part", "about", "says" and "text" of each row."""
    for reason in explanation.decision.reasons:
        yield "reason", reason.rule, explanation.decision.verdict, reason_text(reason)
    for use in explanation.use.uses:
        yield "use", format_instant(use.at), use.action, use.by or ""
    for gap in explanation.use.gaps or ():
        yield "gap", format_instant(gap.begins_at), "not watched", f"until {format_instant(gap.ends_at)}"
    for tag in explanation.tags:
        yield "tag", tag.tag, "remove" if tag.goes else "keep", tag.why
    for chain in explanation.chains:
        links = [f"{link.kind} {link.name}" for link in chain.links]
        yield "holder", links[-1], "goes" if chain.links[-1].goes else "stays", " <- ".join(links)
    for rule in explanation.rules:
        yield "rule", rule.rule, rule.says, rule.text
    for silent in explanation.silent:
        yield from (("rule", rule, "silent", silent.why) for rule in silent.rules)
    yield "forecast", "", explanation.forecast.when, explanation.forecast.text
