"""A finding as a row: its id, its severity, its title, its fix, and the function that finds it.

The rows stand below their finders, in the `*_findings.py` of what they are about.
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


class FixTemplate(Struct, frozen=True):
    """The fix of a finding, before its evidence is known."""

    text: str
    """{command} and {rule} stand for those below, {name} for the name of the first object as a shell takes it, and
    {places} for all files and folders that are to be taken away."""
    command: str | None = None
    """Where there is one to begin with; with {name} as above."""
    rule: tuple[str, ...] = ()
    """The lines of a [[rule]] without its name; {pattern}, as TOML has it, matches just the first object, and
    {patterns} just those that are shown."""

    def of(self, id_: FindingId, shown: Sequence[Evidence]) -> Fix:
        """Return the fix of this finding of which this evidence is shown."""
        name = shlex.quote(shown[0].name)
        every = list(dict.fromkeys(_pattern(one.matched_by or one.name) for one in shown))
        patterns = every[0] if len(every) == 1 else f"[{', '.join(every)}]"
        command = None if self.command is None else self.command.format(name=name)
        lines = [line.format(pattern=every[0], patterns=patterns) for line in self.rule]
        places = [place for one in shown for place in one.places]
        listed = f"a [[rule]] with {both(lines)}" if lines else ""
        return Fix(
            command=command,
            rule="".join(f"{line}\n" for line in ("[[rule]]", f'name = "{id_}"', *lines)) if lines else None,
            text=self.text.format(name=name, command=command, rule=listed, places=both(map(shlex.quote, places))),
            places=tuple(places),
        )


class FindingRow(Struct, frozen=True):
    """A finding that a report can have. Ids are for ever: policy files silence by them."""

    id: FindingId
    severity: Severity
    title_of_one: str
    """The title where it is about one object; {} is what its evidence says instead of a number."""
    title_of_many: str
    """The title where it is about several, with their number as {}."""
    fix: FixTemplate
    find: Callable[[FindingFacts], Iterator[Evidence]]
    fix_of_the_rest: FixTemplate | None = None
    """What fixes it where the usual fix does nothing for anything that is shown."""

    def fix_for(self, shown: Sequence[Evidence]) -> Fix:
        """Return the fix where this evidence is shown."""
        rest = self.fix_of_the_rest
        fix = self.fix if rest is None or any(piece.is_mended for piece in shown) else rest
        return fix.of(self.id, shown)


def _pattern(name: str) -> str:
    """Return the TOML of the pattern that matches just this name: a project may be called *, which must not become a
    rule for all."""
    glob = escape(name)
    text = msgspec.json.encode(f"[/]{glob[1:]}" if is_regular_expression(glob) else glob).decode()
    # The one character that JSON takes as it is, and TOML does not.
    return text.replace("\x7f", r"\u007f")
