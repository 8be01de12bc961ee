"""What is said of a policy file whose text, keys or values do not hold, and where: named for what is wrong."""

import pytest

from dockersweep.errors import PolicyError
from dockersweep.policy.language.problems import Problem
from dockersweep.policy.language.reading import read_policy, read_policy_file
from tests.rig.policies import IMAGE, NOTHING, RULE, TARGET, VERSION

CASES: dict[str, tuple[str, str]] = {
    # name of the case: the file, its only problem
    "syntax: a text without quotes": (
        RULE + "kind = image\n",
        'line 4, column 8: expected a value: a text in "quotes", a number, true, false, a date or a [list]',
    ),
    "syntax: a text that is not closed": (
        VERSION + '[protect]\nnames = ["a]\n',
        "line 3, column 13: a text is not closed: its quotes are missing at the end of the line",
    ),
    "syntax: two keys in a line": (
        "version = 1 removes_nothing = true\n",
        'line 1, column 13: the line must end here: a text stands in "quotes", and each key begins a line',
    ),
    "syntax: a key without a value": (
        VERSION + "removes_nothing\n",
        "line 2, column 16: expected `=` and a value after the key",
    ),
    "syntax: a list that the file ends in": (
        VERSION + '[protect]\nnames = ["a",',
        'line 3, column 14: expected a value: a text in "quotes", a number, true, false, a date or a [list]',
    ),
    "syntax: a key twice": (
        VERSION + "  version = 1\n",
        "line 2, column 3: version has a value already (line 1): it can be written only once",
    ),
    "syntax: a table twice": (
        VERSION + "[protect]\n[limits]\n[protect]\n",
        "line 4, column 1: the table [protect] is there already: it can be written only once",
    ),
    "syntax: a table that is a key": (
        VERSION + "[version]\nx = 1\n",
        "line 2, column 1: [version] is there already as something else: [x] is one table, [[x]] one of several",
    ),
    "syntax: a list of tables that is a table": (
        VERSION + '[rule]\nname = "a"\n[[rule]]\n',
        "line 4, column 1: [[rule]] is there already as something else: [x] is one table, [[x]] one of several",
    ),
    "syntax: a key twice in a table in a line": (
        "version = 1\ntarget = {free = '1GB', free = '2GB'}\n",
        "line 2, column 37: this key has a value already, or is a table: it can be written only once",
    ),
    "syntax: no such date": (
        IMAGE + "remove.before = 2026-02-30\n",
        "line 5, column 17: there is no such date in the calendar",
    ),
    "not TOML at all": (
        "{}",
        "line 1, column 1: a line must be KEY = VALUE, a [table] or a # comment",
    ),
    "no version": (
        "removes_nothing = true\n",
        "line 1, column 1: version is missing: this dockersweep reads version 1, so write version = 1 at the top",
    ),
    "a newer version": (
        '# ours\nversion = 2\nwhat = "ever"\n',
        "line 2, column 11: version is 2: this dockersweep reads version 1",
    ),
    "a version that is a text": (
        'version = "1"\nremoves_nothing = true\n',
        'line 1, column 11: version must be 1, not the text "1"; write it without the quotes: 1',
    ),
    "a version that is true": (
        "version = true\nremoves_nothing = true\n",
        "line 1, column 11: version must be 1, not true",
    ),
    "a version of many digits": (
        f"version = 0x{'f' * 9000}",
        "line 1, column 11: version is 0xfffffffffffffffffffffff...: this dockersweep reads version 1",
    ),
    "unknown at the top": (
        VERSION + "rules = 1\n",
        'line 2, column 1: there is no key "rules" at the top; did you mean "rule"?',
    ),
    "unknown, near to nothing": (
        NOTHING + "[limits]\ncontainers = 3\n",
        'line 4, column 1: there is no key "containers" in limits; there are objects, bytes, share, unrecoverable',
    ),
    "unknown in a rule, but of a table of it": (
        IMAGE + 'match.tagged = true\nremove.older_than="1d"\nlast = 5\n',
        'line 7, column 1: there is no key "last" in a rule; did you mean "keep.last"?',
    ),
    "unknown in one table, but of another": (
        IMAGE + 'match.tagged = true\nremove.older_than="1d"\nkeep.repository = "x"\n',
        'line 7, column 6: there is no key "repository" in keep; did you mean "match.repository"?',
    ),
    "an archive in no folder": (
        NOTHING + 'archive.folder = "srv/archive"\n',
        'line 3, column 18: archive.folder: "srv/archive" is not an absolute path: start it with / or ~/',
    ),
    "an archive in a folder with a control character": (
        NOTHING + 'archive.folder = "/srv/a\\u0000"\n',
        'line 3, column 18: archive.folder: "/srv/a\\x00" has control characters: write it without them',
    ),
    "a kind that no archive has": (
        NOTHING + 'archive.kinds = ["build-cache"]\n',
        (
            'line 3, column 18: every value of archive.kinds must be "container", "image", "network" or "volume", '
            'not the text "build-cache"'
        ),
    ),
    "unknown with an escape sequence": (
        NOTHING + '"\\u001b[31m\\n" = 1\n',
        (
            'line 3, column 1: there is no key "\\x1b[31m\\n" at the top; there are version, protect, limits, '
            "rule, target, archive, watch, registries, report, notify, removes_nothing"
        ),
    ),
    "a table that is a number": (
        NOTHING + "limits = 5\n",
        "line 3, column 10: limits must be a table, not the number 5",
    ),
    "a text for a number": (
        NOTHING + '[limits]\nobjects = "5"\n',
        'line 4, column 11: limits.objects must be a whole number, not the text "5"; write it without the quotes: 5',
    ),
    "a number for a size": (
        NOTHING + "[limits]\nbytes = 500\n",
        'line 4, column 9: limits.bytes must be a size like "20GB", not the number 500',
    ),
    "a fraction": (
        NOTHING + "[limits]\nobjects = 5.5\n",
        "line 4, column 11: limits.objects must be a whole number, not the number 5.5",
    ),
    "a negative limit": (
        NOTHING + "[limits]\nobjects = -1\n",
        "line 4, column 11: limits.objects is -1: it cannot be negative",
    ),
    "a number that no counter holds": (
        NOTHING + "[limits]\nobjects = 99999999999999999999999999\n",
        "line 4, column 11: limits.objects must be a whole number, not the number 9999999999999999999999999...",
    ),
    "more than all": (
        NOTHING + '[limits]\nshare = "160%"\n',
        'line 4, column 9: limits.share: "160%" is not a share: write a number from 0 to 100 and %, like 60%',
    ),
    "a text for true": (
        IMAGE + 'match.tagged = "true"\nremove.older_than = "1d"\n',
        'line 5, column 16: match.tagged must be true or false, not the text "true"; write it without the quotes: true',
    ),
    "a list in a list": (
        NOTHING + '[protect]\nnames = ["a", ["b"]]\n',
        'line 4, column 15: every value of protect.names must be a text like "web-*", not a list',
    ),
    "a bad age": (
        IMAGE + 'match.tagged = false\nremove.older_than = "5 days"\n',
        (
            'line 6, column 21: remove.older_than: "5 days" is not an age: there is no unit "days"; write a '
            "number and a unit, s, m, h, d, w, mo or y, like 24h, 7d, 2w, 3mo or 1d12h"
        ),
    ),
    "an empty age": (
        IMAGE + 'match.tagged = false\nremove.older_than = ""\n',
        (
            "line 6, column 21: remove.older_than: an age is missing: write a number and a unit, s, m, h, "
            "d, w, mo or y, like 24h, 7d, 2w, 3mo or 1d12h"
        ),
    ),
    "a bad size": (
        IMAGE + 'match.size_over = "3"\nremove.older_than = "1d"\n',
        (
            'line 5, column 19: match.size_over: "3" is not a size: write a number and a unit, B, kB, MB, '
            "GB, TB or PB, or KiB, MiB, GiB, TiB or PiB, like 500MB or 20GB"
        ),
    ),
    "a date for an age": (
        IMAGE + "match.tagged = false\nremove.older_than = 2026-01-01\n",
        'line 6, column 21: remove.older_than must be an age like "24h" or "7d", not the date 2026-01-01',
    ),
    "a time for a date": (
        IMAGE + "match.tagged = false\nremove.before = 2026-01-01T10:00:00Z\n",
        "line 6, column 17: remove.before must be a date like 2026-01-01, not the time 2026-01-01T10:00:00+00:00",
    ),
    "a text that is no date": (
        IMAGE + 'match.tagged = false\nremove.before = "new year"\n',
        'line 6, column 17: remove.before must be a date like 2026-01-01, not the text "new year"',
    ),
    "a date in quotes": (
        IMAGE + 'match.tagged = false\nremove.before = "2026-01-01"\n',
        (
            'line 6, column 17: remove.before must be a date like 2026-01-01, not the text "2026-01-01"; '
            "write it without the quotes: 2026-01-01"
        ),
    ),
    "a bad regular expression": (
        NOTHING + '[protect]\nnames = "/a(/"\n',
        (
            "line 4, column 9: protect.names: /a(/ is no regular expression of RE2, which has no "
            "look-around and no back references: missing ): a("
        ),
    ),
    "a pattern that is empty": (
        NOTHING + '[protect]\nimages = ["a", "/"]\n',
        (
            'line 4, column 16: protect.images: the pattern "/" is empty and matches nothing: write a name, '
            "or one like web-*"
        ),
    ),
    "a label without a key": (
        NOTHING + '[protect]\nlabels = "=x"\n',
        'line 4, column 10: protect.labels: "=x" has no key and matches nothing: write KEY or KEY=VALUE',
    ),
    "a label whose key is a regular expression": (
        NOTHING + "[protect]\nlabels = '/^team-/'\n",
        (
            'line 4, column 10: protect.labels: "/^team-/": a key may be a glob, like team.*, '
            "and only a VALUE a /regular expression/"
        ),
    ),
    "a list that is empty": (
        IMAGE + 'match.name = []\nremove.older_than = "1d"\n',
        "line 5, column 14: match.name is an empty list: write at least one value, or leave the key out",
    ),
    "kinds that are empty": (
        RULE + 'kind = []\nremove.older_than = "1d"\n',
        "line 4, column 8: kind is an empty list: write at least one value, or leave the key out",
    ),
    "a kind that does not exist": (
        RULE + 'kind = "volumes"\nremove.older_than = "1d"\n',
        (
            'line 4, column 8: kind must be "build-cache", "container", "image", "network" or "volume", or '
            'a list of such, not the text "volumes"; did you mean "volume"?'
        ),
    ),
    "no kind": (
        RULE + 'match.tagged = false\nremove.older_than = "1d"\n',
        (
            'line 2, column 1: a rule needs a kind: write kind = "container", "image", "volume", "network" '
            'or "build-cache"'
        ),
    ),
    "an empty name": (
        VERSION + '[[rule]]\nname = " "\nkind = "network"\nremove.older_than = "1d"\n',
        "line 3, column 8: name: it is empty: write a text",
    ),
    "groups by nothing that there is": (
        IMAGE + 'keep.last = 3\nkeep.group_by = "repositories"\n',
        (
            'line 6, column 17: keep.group_by: "repositories" is nothing to group by: write "repository", '
            '"project", "label:KEY" or "none"'
        ),
    ),
    "groups by a label without a key": (
        IMAGE + 'keep.last = 3\nkeep.group_by = "label:"\n',
        (
            'line 6, column 17: keep.group_by: "label:" is nothing to group by: write "repository", '
            '"project", "label:KEY" or "none"'
        ),
    ),
    "keeps fewer than none": (
        IMAGE + 'keep.last = -1\nremove.older_than = "90d"\n',
        "line 5, column 13: keep.last is -1: it cannot be negative",
    ),
    "no bucket": (
        IMAGE + 'keep.daily = 0\nremove.older_than = "90d"\n',
        "line 5, column 14: keep.daily is 0: it must be at least 1",
    ),
    "no amount of space": (
        TARGET + 'max_used = "80"\n',
        'line 3, column 12: target.max_used: "80" is no amount of space: write a share like 85% or a size like 120GB',
    ),
    "an order that is empty": (
        TARGET + 'free = "1GB"\norder = []\n',
        "line 4, column 9: target.order is an empty list: write at least one value, or leave the key out",
    ),
    "spares what there is not": (
        TARGET + 'free = "1GB"\nspare_registry_less = "lst"\n',
        (
            'line 4, column 23: target.spare_registry_less must be true or false, "last" or "never", not '
            'the text "lst"; did you mean "last"?'
        ),
    ),
    "a number for what a rule keeps": (
        RULE + 'kind = "image"\n' + "keep = 3\n",
        "line 5, column 8: keep must be a table, not the number 3: write keep.last = 3",
    ),
    "all for what a rule keeps": (
        RULE + 'kind = "image"\n' + 'keep = "all"\n',
        'line 5, column 8: keep must be a table, not the text "all": write keep.last = "all"',
    ),
    "an age for when a rule removes": (
        RULE + 'kind = "image"\n' + 'remove = "14d"\n',
        'line 5, column 10: remove must be a table, not the text "14d": write remove.older_than = "14d"',
    ),
    "a yes for when a rule removes": (
        RULE + 'kind = "image"\n' + "remove = true\n",
        'line 5, column 10: remove must be a table, not true: write when, say remove.older_than = "7d"',
    ),
    "a name for what a rule matches": (
        RULE + 'kind = "image"\n' + 'match = "web-*"\n',
        'line 5, column 9: match must be a table, not the text "web-*": write match.name = "web-*"',
    ),
    "an age without a unit": (
        RULE + 'kind = "image"\n' + "remove.older_than = 14\n",
        (
            'line 5, column 21: remove.older_than must be an age like "24h" or "7d", not the number 14; '
            'did you mean "14d"?'
        ),
    ),
    "a single table for the rules": (
        VERSION + '[rule]\nname = "a"\nkind = "image"\n',
        "line 2, column 2: rule must be tables that each begin with [[rule]], not a table: write [[rule]]",
    ),
}

SEVERAL = {
    "below one table": (
        VERSION + '[rule]\nname = "a"\nkind = "imag"\nkeep.lst = 3\n',
        [(2, "write [[rule]]"), (4, 'did you mean "image"?'), (5, 'did you mean "last"?')],
    ),
    "below a misspelled name": (
        VERSION + '[[rules]]\nname = "a"\nkind = "imag"\nkeep.lst = 3\n',
        [(2, 'did you mean "rule"?'), (4, 'did you mean "image"?'), (5, 'did you mean "last"?')],
    ),
}


@pytest.mark.parametrize("case", SEVERAL)
def test_problems_below_a_wrong_header_are_told_in_the_same_round(case: str) -> None:
    text, expected = SEVERAL[case]
    found = read_policy_file(text.encode(), "x").problems
    assert [(one.line, one.text.endswith(end)) for one, (_, end) in zip(found, expected, strict=True)] == [
        (line, True) for line, _ in expected
    ]


@pytest.mark.parametrize("case", CASES)
def test_problem(case: str) -> None:
    text, expected = CASES[case]
    assert [problem.words() for problem in read_policy_file(text.encode(), "a test").problems] == [expected]


@pytest.mark.parametrize("case", CASES)
def test_reading_tells_the_same(case: str) -> None:
    text, expected = CASES[case]
    with pytest.raises(PolicyError) as raised:
        read_policy(text.encode(), "the policy in /x/dockersweep.toml")
    assert str(raised.value) == f"the policy in /x/dockersweep.toml, {expected}"
    assert raised.value.exit_status == 2


OF_BYTES: dict[str, tuple[bytes, Problem]] = {
    "not UTF-8": (
        b"version = 1\n# \xc3\xa4 \xff\n",
        Problem(2, 5, "the byte 0xff is not UTF-8: save the file as UTF-8"),
    ),
    "cut in the middle of a character": (
        b"version = 1 # \xc3",
        Problem(1, 15, "the byte 0xc3 is not UTF-8: save the file as UTF-8"),
    ),
    "UTF-16": ("\ufeffversion = 1".encode("utf-16-le"), Problem(1, 1, "this is UTF-16 text: save the file as UTF-8")),
    "nested without end": (
        b"a = " + b"[" * 100_000,
        Problem(None, None, "lists or tables are nested too deep to be read"),
    ),
    "thousands of digits": (
        b"version = " + b"9" * 5000,
        Problem(None, None, "a number has more digits than can be read"),
    ),
}


@pytest.mark.parametrize("case", OF_BYTES)
def test_problem_of_bytes(case: str) -> None:
    data, expected = OF_BYTES[case]
    assert read_policy_file(data, "a test").problems == (expected,)


def test_a_problem_without_a_place() -> None:
    with pytest.raises(PolicyError) as raised:
        read_policy(b"a = " + b"[" * 100_000, "standard input")
    assert str(raised.value) == "standard input: lists or tables are nested too deep to be read"
