"""What came of policy tests: a line for each case, what differs below it, and the count."""

from collections import Counter
from collections.abc import Iterator, Sequence

from dockersweep.model.policycase import CaseResult
from dockersweep.report.text import printable
from dockersweep.words.amounts import plural

_INDENT = " " * 8
_WORDS = {"passed": "ok    ", "failed": "FAILED", "broken": "BROKEN"}


def cases_text(results: Sequence[CaseResult]) -> str:
    """Return the results for people; what cases say of themselves is made printable."""
    counts = Counter(one.result for one in results)
    told = [f"{counts['passed']} passed", f"{counts['failed']} failed"]
    told += [f"{counts['broken']} broken"] if counts["broken"] else []
    return "".join(f"{line}\n" for line in (*_lines(results), f"{plural(len(results), 'case')}: {', '.join(told)}"))


def _lines(results: Sequence[CaseResult]) -> Iterator[str]:
    is_one = len({one.policy for one in results if one.policy is not None}) <= 1
    for one in results:
        name = one.file if one.shows is None else f"{one.shows} ({one.file})"
        by = "" if is_one or one.policy is None else f", by {one.policy}"
        yield printable(f"{_WORDS[one.result]}  {name}{by}")
        for line in one.told:
            yield f"{_INDENT}{printable(line)}"
