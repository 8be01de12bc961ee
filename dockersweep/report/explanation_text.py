"""The explanation of one object for people."""

from collections.abc import Iterator, Sequence

from dockersweep.model.explanation import Chain, Explanation, RuleSays, SilentRules, Subject
from dockersweep.model.naming import short_id
from dockersweep.model.plan import Interval, ReasonCode
from dockersweep.report.headline import (
    BASE_WORDS,
    NOUN_OF,
    base_sentence,
    engine_sentence,
    format_interval,
    warning_sentences,
)
from dockersweep.report.sections import Section, sections_markdown, sections_text
from dockersweep.report.table import Column
from dockersweep.report.text import plural
from dockersweep.units import format_instant, format_size

MOST_CHAINS = 10
_FACTS = (Column("WHAT"), Column("TEXT", wraps=True))
_REASONS = (Column("RULE", shortens=True), Column("TEXT", wraps=True))
_RULES = (Column("RULE", shortens=True), Column("SAYS"), Column("WHY", wraps=True))
_TAGS = (Column("TAG", shortens=True), Column("VERDICT"), Column("WHY", wraps=True))
_SAYS: dict[RuleSays, str] = {
    "removes": "removes",
    "keeps": "keeps",
    "not-yet": "not yet",
    "does-not-remove": "no",
}
_BEYOND: tuple[ReasonCode, ...] = ("external", "service")
"""The codes of reasons that name a holder which is no object."""


def explanation_text(told: Explanation, width: int | None) -> str:
    """Return an explanation in at most `width` columns; None leaves every line as long as it is."""
    return sections_text(_sections(told, (_title(told.subject),)), width)


def explanation_markdown(told: Explanation) -> str:
    """Return an explanation as Markdown."""
    return sections_markdown(_title(told.subject), _sections(told, ()))


def _sections(told: Explanation, title: Sequence[str]) -> Iterator[Section]:
    """Yield what is to be said of an object; the title stands behind the engine where nothing stands above both."""
    sentences = (engine_sentence(told.engine, told.taken_at), *title)
    yield Section(sentences=sentences, columns=_FACTS, rows=list(_facts(told)), header=False)
    yield Section(_verdict(told), columns=_REASONS, rows=_reasons(told), header=False)
    tags = [(one.tag, "goes" if one.goes else "stays", one.why) for one in told.tags]
    yield Section(columns=_TAGS, rows=tags, header=False, goes_on=True)
    held_by = [*_beyond_objects(told), *_chains(told)]
    yield Section("What holds it", items=held_by) if held_by else Section("Nothing holds it.")
    yield Section(
        "Rules that speak of it, in order, each by itself" if told.rules else "No rule speaks of it.",
        columns=_RULES,
        rows=[(one.rule, _SAYS[one.says], f"{_of_tags(one.tags)}{one.text}") for one in told.rules],
        header=False,
        items=[_silent(one) for one in told.silent],
    )
    over = (f"The plan is over a limit, so no sweep: {limit}." for limit in told.limits.exceeded)
    yield Section(sentences=(_forecast(told), _gives_back(told), *over))
    if told.size_base == "lengths":
        yield Section(sentences=(base_sentence(told.size_base, told.not_from_disk),))
    yield Section(sentences=warning_sentences(told.warnings))


def _title(subject: Subject) -> str:
    noun = NOUN_OF[subject.kind]
    return f"{noun[0].upper()}{noun[1:]} {subject.name}"


def _facts(told: Explanation) -> Iterator[tuple[str, str]]:
    subject = told.subject
    if subject.id != subject.name:
        # A whole digest fits a terminal only without its prefix, and engines take it like that.
        yield "id", subject.id.removeprefix("sha256:")
    if subject.kind == "image":
        yield "tags", ", ".join(subject.tags) or "none"
    if subject.digests:
        yield "digests", ", ".join(subject.digests)
    if subject.kind != "network":
        counted = "" if subject.size_bytes is None else f" {BASE_WORDS[told.size_base]}"
        yield "size", f"{format_size(subject.size_bytes)}{counted}"
    since = subject.age_counts_from_at
    yield "age", subject.age_text if since is None else f"{subject.age_text}, since {format_instant(since)}"


def _verdict(told: Explanation) -> str:
    goes = told.decision.verdict == "remove"
    tags = told.decision.untag
    what = "It goes" if goes else f"It stays, and loses {plural(len(tags), 'tag')}" if tags else "It stays"
    return f"{what}, by {told.policy_source}:"


def _reasons(told: Explanation) -> list[tuple[str, str]]:
    """Return the reasons of the decision; those that are of single tags stand in the table of tags."""
    of_tags = ("its tag ", *(f"{one.tag}: " for one in told.tags)) if told.tags else ()
    return [(one.rule, one.text) for one in told.decision.reasons if not one.text.startswith(of_tags)]


def _beyond_objects(told: Explanation) -> list[str]:
    """Return who holds it and is no object of the engine."""
    holders = [one.text.removeprefix("used by ") for one in told.decision.reasons if one.code in _BEYOND]
    return [f"{_start(told.subject)} <- {holder}" for holder in holders]


def _start(subject: Subject) -> str:
    return f"{subject.kind} {short_id(subject.id) if subject.kind == 'build-cache' else subject.name}"


def _chains(told: Explanation) -> list[str]:
    """Return each chain, from the object to what nothing holds."""
    start = _start(told.subject)
    chains = [" <- ".join((start, *_links(chain))) for chain in told.chains[:MOST_CHAINS]]
    more = len(told.chains) - MOST_CHAINS
    return [*chains, f"and {plural(more, 'other')}, all of which --format json lists"] if more > 0 else chains


def _links(chain: Chain) -> Iterator[str]:
    for link in chain.links:
        notes = f" ({', '.join(link.notes)})" if link.notes else ""
        yield f"{link.kind} {link.name}{notes}"


def _silent(silent: SilentRules) -> str:
    *most, last = [f'"{rule}"' for rule in silent.rules]
    return f"{', '.join(most)} and {last} do not: {silent.why}." if most else f"{last} does not: {silent.why}."


def _of_tags(tags: Sequence[str]) -> str:
    return f"of {' and '.join(tags)} only: " if tags else ""


def _forecast(told: Explanation) -> str:
    forecast = told.forecast
    if forecast.when == "never":
        return f"It never goes, if nothing changes: {forecast.text}."
    return f"It can go {forecast.text}."


def _gives_back(told: Explanation) -> str:
    if told.subject.kind == "network":
        return "It takes no space."
    text = f"Removed alone it gives back {_amount(told.reclaim_alone)}"
    in_plan = told.reclaim_in_plan
    if in_plan is None:
        text += "; the plan does not remove it."
    else:
        text += f"; in the plan, after what goes before it, {_amount(in_plan)}."
    why = dict.fromkeys(one.reason for one in (told.reclaim_alone, in_plan) if one is not None and one.reason)
    return f"{text} Not exact: {'; '.join(why)}." if why else text


def _amount(interval: Interval) -> str:
    shown = format_interval(interval)
    return "an unknown amount" if shown == "unknown" else shown
