"""What several hosts say of the objects of one name: a row for each."""

from collections.abc import Iterator, Sequence

from dockersweep.model.explanation import Explanation, GroupExplanation
from dockersweep.model.fleet import Fleet
from dockersweep.model.plan import Decision
from dockersweep.report.explanation import explanation_layout
from dockersweep.report.fleet.layout import problem_sections
from dockersweep.report.group import group_layout
from dockersweep.report.headline import NOUN_OF
from dockersweep.report.layout import Column, Layout, Rows, Section
from dockersweep.words.reasons import rule_and_text

_COLUMNS = (
    Column("HOST", shortens=True),
    Column("OBJECT", shortens=True),
    Column("VERDICT"),
    Column("WHY", wraps=True),
)
_HEADINGS = ("host", "kind", "id", "name", "verdict", "reasons")


def explanations_layout(fleet: Fleet, explained: Sequence[Explanation | GroupExplanation | None]) -> Layout:
    """Return the layout of the explanations of each host, in their order; None for a host without one."""
    decisions = [(host.name, _decisions(about)) for host, about in zip(fleet.hosts, explained, strict=True)]
    rows = [
        (name, decision.kind, decision.id, decision.name, decision.verdict, _why(decision))
        for name, of_host in decisions
        for decision in of_host
    ]
    return Layout("What several hosts say", _sections(fleet, decisions), Rows(_HEADINGS, rows))


def explained_layout(explained: Explanation | GroupExplanation) -> Layout:
    """Return the layout of what one host says, as in `explain` of one engine."""
    return explanation_layout(explained) if isinstance(explained, Explanation) else group_layout(explained)


def _sections(fleet: Fleet, decisions: Sequence[tuple[str, Sequence[Decision]]]) -> Iterator[Section]:
    yield from problem_sections(fleet)
    rows = []
    of_status = {host.name: host.status for host in fleet.hosts}
    for name, of_host in decisions:
        if not of_host and of_status[name] == "done":
            rows.append((name, "", "", "not there"))
        for decision in of_host:
            rows.append((name, f"{NOUN_OF[decision.kind]} {decision.name}", decision.verdict, _why(decision)))
    yield Section(columns=_COLUMNS, rows=rows)
    yield Section(
        sentences=("For all that one host says, ask it alone: --only HOST with a fleet file, else -H or -c.",)
    )


def _decisions(about: Explanation | GroupExplanation | None) -> tuple[Decision, ...]:
    if about is None:
        return ()
    return (about.decision,) if isinstance(about, Explanation) else about.decisions


def _why(decision: Decision) -> str:
    return "; ".join(rule_and_text(reason) for reason in decision.reasons)
