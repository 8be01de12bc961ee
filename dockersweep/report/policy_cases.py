"""The results of policy tests: a line for each case, the differences below it, and the counts."""

from collections import Counter
from collections.abc import Iterator, Sequence

from dockersweep.model.policycase import CaseResult
from dockersweep.report.text import printable
from dockersweep.words.amounts import plural

_INDENT = " " * 8
_WORDS = {"passed": "ok    ", "failed": "FAILED", "broken": "BROKEN"}


def cases_text(results: Sequence[CaseResult]) -> str:
    """Return the results for people, with texts from the cases made printable."""
    counts = Counter(result.result for result in results)
    counted = [f"{counts['passed']} passed", f"{counts['failed']} failed"]
    counted += [f"{counts['broken']} broken"] if counts["broken"] else []
    return "".join(f"{line}\n" for line in (*_lines(results), f"{plural(len(results), 'case')}: {', '.join(counted)}"))


def _lines(results: Sequence[CaseResult]) -> Iterator[str]:
    has_one_policy = len({result.policy for result in results if result.policy is not None}) <= 1
    for result in results:
        name = result.file if result.shows is None else f"{result.shows} ({result.file})"
        by = "" if has_one_policy or result.policy is None else f", by {result.policy}"
        yield printable(f"{_WORDS[result.result]}  {name}{by}")
        for line in result.told:
            yield f"{_INDENT}{printable(line)}"
