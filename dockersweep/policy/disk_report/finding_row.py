"""A finding as a row: its id, severity, title and fix, and the function that finds it.

The rows are in `*_findings.py`, below their functions.
"""

import shlex
from collections.abc import Callable, Iterator, Sequence
from glob import escape

import msgspec
from msgspec import Struct

from dockersweep.model.report import FindingId, Fix, Severity
from dockersweep.policy.disk_report.evidence import Evidence
from dockersweep.policy.disk_report.finding_facts import FindingFacts
from dockersweep.policy.names.patterns import is_regular_expression
from dockersweep.words.lists import both

NEW_FILE = "(no file yet: first `dockersweep policy init -o dockersweep.toml`, which writes the default rules into one)"
"""A note beside what a fix adds to a policy file."""


class FixTemplate(Struct, frozen=True):
    """The fix of a finding, before its evidence is known."""

    text: str
    """{command} is replaced with the one below, {rule} with "add a [[rule]] ...", {name} with the shell-quoted name of
    the first object, and {places} with all files and folders to remove."""
    command: str | None = None
    """The first command to run, if there is one; with {name} as above."""
    rule: tuple[str, ...] = ()
    """The lines of a [[rule]] without its name; {pattern}, as TOML, matches only the first object, {patterns} only the
    shown ones."""

    def of(self, id_: FindingId, shown: Sequence[Evidence]) -> Fix:
        """Return the fix of the finding with this id and this shown evidence."""
        name = shlex.quote(shown[0].name)
        every = list(dict.fromkeys(_pattern(piece.matched_by or piece.name) for piece in shown))
        patterns = every[0] if len(every) == 1 else f"[{', '.join(every)}]"
        command = None if self.command is None else self.command.format(name=name)
        lines = [line.format(pattern=every[0], patterns=patterns) for line in self.rule]
        places = [place for piece in shown for place in piece.places]
        listed = f"add a [[rule]] to your policy file with {both(lines)} {NEW_FILE}" if lines else ""
        return Fix(
            command=command,
            rule="".join(f"{line}\n" for line in ("[[rule]]", f'name = "{id_}"', *lines)) if lines else None,
            text=self.text.format(name=name, command=command, rule=listed, places=both(map(shlex.quote, places))),
            places=tuple(places),
        )


class FindingRow(Struct, frozen=True):
    """A finding that a report can have. Its id never changes: policy files silence findings by id."""

    id: FindingId
    severity: Severity
    title_of_one: str
    """The title for one object; {} is replaced with the title of its evidence."""
    title_of_many: str
    """The title for several objects; {} is replaced with their number, or with the title of the evidence."""
    fix: FixTemplate
    find: Callable[[FindingFacts], Iterator[Evidence]]
    fix_of_the_rest: FixTemplate | None = None
    """The fix where the usual one helps none of the shown evidence."""

    def fix_for(self, shown: Sequence[Evidence]) -> Fix:
        """Return the fix for the shown evidence."""
        rest = self.fix_of_the_rest
        fix = self.fix if rest is None or any(piece.fix_helps for piece in shown) else rest
        return fix.of(self.id, shown)


def _pattern(name: str) -> str:
    """Return, as TOML, the pattern that matches only this name: a project may be named *, which must not become a rule
    for all."""
    glob = escape(name)
    text = msgspec.json.encode(f"[/]{glob[1:]}" if is_regular_expression(glob) else glob).decode()
    # The only character that is allowed in a JSON string, and not in TOML.
    return text.replace("\x7f", r"\u007f")
