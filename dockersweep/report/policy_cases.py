"""The results of policy tests: a line for each case, the differences below it, and the counts."""

from collections import Counter
from collections.abc import Iterator, Sequence

from dockersweep.model.policycase import CaseResult
from dockersweep.report.text import fold
from dockersweep.words.amounts import plural

_INDENT = " " * 8
_WORDS = {"passed": "ok    ", "failed": "FAILED", "broken": "BROKEN"}


def cases_text(results: Sequence[CaseResult], width: int | None) -> str:
    """Return the results for people, with texts from the cases made printable, in at most `width` columns; None leaves
    lines as they are."""
    counts = Counter(result.result for result in results)
    counted = [f"{counts['passed']} passed", f"{counts['failed']} failed"]
    counted += [f"{counts['broken']} broken"] if counts["broken"] else []
    return "".join((*_paragraphs(results, width), f"{plural(len(results), 'case')}: {', '.join(counted)}\n"))


def _paragraphs(results: Sequence[CaseResult], width: int | None) -> Iterator[str]:
    has_one_policy = len({result.policy for result in results if result.policy is not None}) <= 1
    for result in results:
        name = result.file if result.shows is None else f"{result.shows} ({result.file})"
        by = "" if has_one_policy or result.policy is None else f", by {result.policy}"
        text = fold(f"{name}{by}", width, len(_INDENT), shortens=False)
        yield f"{_WORDS[result.result]}  {text.removeprefix(_INDENT)}"
        for line in result.told:
            # A table that can be copied into the case has to stay on one line (TOML 1.0).
            is_table = line.startswith(" ")
            yield fold(line, None if is_table else width, len(_INDENT), shortens=False)
