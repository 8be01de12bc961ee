"""The explanation of one object for people."""

from collections.abc import Iterator, Sequence

from dockersweep.model.explanation import Chain, Explanation, RuleSays, SilentRules, Subject
from dockersweep.model.naming import short_id
from dockersweep.model.plan import Interval
from dockersweep.report.headline import (
    BASE_WORDS,
    NOUN_OF,
    base_sentence,
    engine_line,
    fold,
    format_interval,
    warning_lines,
)
from dockersweep.report.table import Column, render_table
from dockersweep.report.text import plural, printable, wrap
from dockersweep.units import format_instant, format_size

MOST_CHAINS = 10
INDENT = "  "
_ROWS = (Column("WHAT"), Column("TEXT", wraps=True))
_REASONS = (Column("RULE", shortens=True), Column("TEXT", wraps=True))
_RULES = (Column("RULE", shortens=True), Column("SAYS"), Column("WHY", wraps=True))
_TAGS = (Column("TAG", shortens=True), Column("VERDICT"), Column("WHY", wraps=True))
_SAYS: dict[RuleSays, str] = {
    "removes": "removes",
    "keeps": "keeps",
    "not-yet": "not yet",
    "does-not-remove": "no",
}


def explanation_text(told: Explanation, width: int | None) -> str:
    """Return an explanation in at most `width` columns; None leaves every line as long as it is."""
    parts = [
        engine_line(told.engine, told.taken_at, width) + fold(_title(told.subject), width) + _facts(told, width),
        fold(_verdict(told), width) + _reasons(told, width) + _tags(told, width),
        fold("What holds it", width) + _chains(told, width) if told.chains else fold("Nothing holds it.", width),
        _rules(told, width),
        fold(_forecast(told), width)
        + fold(_gives_back(told), width)
        + "".join(fold(f"The plan is over a limit, so no sweep: {limit}.", width) for limit in told.limits.exceeded),
        fold(base_sentence(told.size_base, told.not_from_disk), width) if told.size_base == "lengths" else "",
        warning_lines(told.warnings, width) if told.warnings else "",
    ]
    return "\n".join(part for part in parts if part)


def _title(subject: Subject) -> str:
    noun = NOUN_OF[subject.kind]
    return f"{noun[0].upper()}{noun[1:]} {subject.name}"


def _facts(told: Explanation, width: int | None) -> str:
    subject = told.subject
    rows = []
    if subject.id != subject.name:
        # A whole digest fits a terminal only without its prefix, and engines take it like that.
        rows.append(("id", subject.id.removeprefix("sha256:")))
    if subject.kind == "image":
        rows.append(("tags", ", ".join(subject.tags) or "none"))
    if subject.digests:
        rows.append(("digests", ", ".join(subject.digests)))
    if subject.kind != "network":
        counted = "" if subject.size_bytes is None else f" {BASE_WORDS[told.size_base]}"
        rows.append(("size", f"{format_size(subject.size_bytes)}{counted}"))
    since = subject.age_counts_from_at
    rows.append(("age", subject.age_text if since is None else f"{subject.age_text}, since {format_instant(since)}"))
    return render_table(_ROWS, rows, width, False)


def _verdict(told: Explanation) -> str:
    goes = told.decision.verdict == "remove"
    tags = told.decision.untag
    what = "It goes" if goes else f"It stays, and loses {plural(len(tags), 'tag')}" if tags else "It stays"
    return f"{what}, by {told.policy_source}:"


def _reasons(told: Explanation, width: int | None) -> str:
    """Return the reasons of the decision; those that are of single tags stand in the table of tags."""
    of_tags = ("its tag ", *(f"{one.tag}: " for one in told.tags)) if told.tags else ()
    rows = [(one.rule, one.text) for one in told.decision.reasons if not one.text.startswith(of_tags)]
    return render_table(_REASONS, rows, width, False) if rows else ""


def _tags(told: Explanation, width: int | None) -> str:
    rows = [(one.tag, "goes" if one.goes else "stays", one.why) for one in told.tags]
    return render_table(_TAGS, rows, width, False) if rows else ""


def _chains(told: Explanation, width: int | None) -> str:
    """Return a line for each chain, from the object to what nothing holds; a long one goes on indented."""
    subject = told.subject
    start = f"{subject.kind} {short_id(subject.id) if subject.kind == 'build-cache' else subject.name}"
    lines = [_fold_hanging(" <- ".join((start, *_links(chain))), width) for chain in told.chains[:MOST_CHAINS]]
    more = len(told.chains) - MOST_CHAINS
    lines += [fold(f"and {plural(more, 'other')}, all of which --format json lists", width)] if more > 0 else []
    return "".join(lines)


def _links(chain: Chain) -> Iterator[str]:
    for link in chain.links:
        notes = f" ({', '.join(link.notes)})" if link.notes else ""
        yield f"{link.kind} {link.name}{notes}"


def _fold_hanging(text: str, width: int | None) -> str:
    """Return a paragraph, made printable, whose lines after the first are indented."""
    clean = printable(text)
    if width is None:
        return f"{clean}\n"
    first = wrap(clean, width)[0]
    words = clean.split(" ")[len(first.split(" ")) :]
    rest = wrap(" ".join(words), width - len(INDENT)) if words else []
    return "".join(f"{line}\n" for line in (first, *(f"{INDENT}{line}" for line in rest)))


def _rules(told: Explanation, width: int | None) -> str:
    head = "Rules that speak of it, in order, each by itself" if told.rules else "No rule speaks of it."
    rows = [(one.rule, _SAYS[one.says], f"{_of_tags(one.tags)}{one.text}") for one in told.rules]
    table = render_table(_RULES, rows, width, False) if rows else ""
    silent = [_silent(one) for one in told.silent]
    return fold(head, width) + table + "".join(_fold_hanging(line, width) for line in silent)


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
