"""An explanation for spreadsheets: a row for each reason, tag, holder and rule, and one for what comes of them."""

from collections.abc import Iterator

from dockersweep.model.explanation import Explanation
from dockersweep.report.csv_text import csv_text

HEADINGS = ("kind", "id", "name", "part", "about", "says", "text")


def explanation_csv(told: Explanation) -> str:
    """Return the rows; all begin with the object, so that those of several can be put together."""
    subject = told.subject
    return csv_text(HEADINGS, [(subject.kind, subject.id, subject.name, *row) for row in _rows(told)])


def _rows(told: Explanation) -> Iterator[tuple[str, str, str, str]]:
    """Yield which part a row is, what it is about, what that says, and why."""
    for reason in told.decision.reasons:
        yield "reason", reason.rule, told.decision.verdict, reason.text
    for tag in told.tags:
        yield "tag", tag.tag, "remove" if tag.goes else "keep", tag.why
    for chain in told.chains:
        links = [f"{link.kind} {link.name}" for link in chain.links]
        yield "holder", links[-1], "goes" if chain.links[-1].goes else "stays", " <- ".join(links)
    for rule in told.rules:
        yield "rule", rule.rule, rule.says, rule.text
    for silent in told.silent:
        yield from (("rule", rule, "silent", silent.why) for rule in silent.rules)
    yield "forecast", "", told.forecast.when, told.forecast.text
