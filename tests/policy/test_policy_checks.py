"""What is said of a policy file whose keys do not go together, and where: named for what is wrong."""

import pytest

from dockersweep.errors import PolicyError
from dockersweep.policy.language.reading import read_policy, read_policy_file
from tests.rig.policies import IMAGE, NOTHING, RULE, TARGET, VERSION

CASES: dict[str, tuple[str, str]] = {
    # name of the case: the file, its only problem
    "a name twice": (
        f'{RULE}kind = "network"\nkeep.last = 1\n[[rule]]\nname = "a"\nkind = "network"\nkeep.last = 2\n',
        'line 7, column 8: another rule has the name "a" already: give each its own (line 2)',
    ),
    "nothing but a version": (
        VERSION,
        (
            "line 1, column 1: this policy has no rule and no target: write a [[rule]], or removes_nothing "
            "= true if that is meant"
        ),
    ),
    "a kind twice": (
        RULE + 'kind = ["image", "image"]\nmatch.tagged = false\nremove.older_than = "1d"\n',
        'line 4, column 8: "image" stands there twice: once is enough',
    ),
    "a key that the kind has not": (
        RULE + 'kind = "volume"\nmatch.repository = "x"\nremove.older_than = "1d"\n',
        "line 5, column 7: match.repository is for images, and this rule is for volumes",
    ),
    "a key that one of the kinds has not": (
        RULE + 'kind = ["volume", "network"]\nnot.anonymous = false\nremove.older_than = "1d"\n',
        "line 5, column 5: not.anonymous is for volumes only, and this rule is for networks too: make two rules of it",
    ),
    "labels of build cache": (
        RULE + 'kind = "build-cache"\nmatch.labels = "x"\nremove.older_than = "1d"\n',
        (
            "line 5, column 7: match.labels is for containers, images, volumes and networks, and this rule "
            "is for build cache"
        ),
    ),
    "sizes of networks": (
        RULE + 'kind = "network"\nmatch.size_over = "1GB"\nremove.older_than = "1d"\n',
        (
            "line 5, column 7: match.size_over is for containers, images, volumes and build cache, and this "
            "rule is for networks"
        ),
    ),
    "driver of images": (
        IMAGE + 'match.driver = "local"\nremove.older_than = "1d"\n',
        "line 5, column 7: match.driver is for volumes and networks, and this rule is for images",
    ),
    "stopped images": (
        IMAGE + 'match.tagged = false\nremove.stopped_for = "1d"\n',
        "line 6, column 8: remove.stopped_for is for containers, and this rule is for images",
    ),
    "built volumes": (
        RULE + 'kind = "volume"\nmatch.anonymous = true\nremove.built_over = "1d"\n',
        "line 6, column 8: remove.built_over is for images, and this rule is for volumes",
    ),
    "tags of volumes": (
        RULE + 'kind = "volume"\nkeep.tags = "v*"\n',
        "line 5, column 6: keep.tags is for images, and this rule is for volumes",
    ),
    "groups by repository of volumes": (
        RULE + 'kind = "volume"\nkeep.last = 3\nkeep.group_by = "repository"\n',
        'line 6, column 6: keep.group_by = "repository" is for images, and this rule is for volumes',
    ),
    "groups by label of build cache": (
        RULE + 'kind = "build-cache"\nkeep.last = 3\nkeep.group_by = "label:x"\n',
        (
            'line 6, column 6: keep.group_by = "label:x" is for containers, images, volumes and networks, '
            "and this rule is for build cache"
        ),
    ),
    "neither keep nor remove": (
        IMAGE + "match.tagged = false\n",
        'line 2, column 1: this rule neither keeps nor removes: write, say, keep.last = 5 or remove.older_than = "7d"',
    ),
    "a keep that keeps nothing": (
        IMAGE + 'keep.group_by = "none"\n',
        "line 5, column 1: keep does not say what to keep: write, say, keep.last = 5, or leave it out",
    ),
    "a remove without a when": (
        IMAGE + "match.tagged = false\nremove = {}\n",
        (
            'line 6, column 1: remove does not say when: write, say, remove.older_than = "7d", or "0s" for '
            "whatever its age"
        ),
    ),
    "sizes that exclude each other": (
        IMAGE + 'match = {size_over = "2GB", size_under = "1GB"}\nremove.older_than = "1d"\n',
        "line 5, column 22: nothing is over 2GB and under 1GB: size_over must be the smaller one",
    ),
    "all images": (
        IMAGE + 'remove.older_than = "90d"\n',
        (
            "line 2, column 1: this rule matches all images and keeps none of them: narrow it with match, "
            "not or keep, or write everything = true in it if that is meant"
        ),
    ),
    "all images by a name": (
        IMAGE + 'match.name = "*"\nremove.older_than = "90d"\n',
        (
            "line 2, column 1: this rule matches all images and keeps none of them: narrow it with match, "
            "not or keep, or write everything = true in it if that is meant"
        ),
    ),
    "all networks at once": (
        RULE + 'kind = "network"\nremove.older_than = "0s"\n',
        (
            "line 2, column 1: this rule matches all networks and keeps none of them: narrow it with "
            "match, not or keep, or write everything = true in it if that is meant"
        ),
    ),
    "keeps none": (
        IMAGE + 'keep.last = 0\nremove.older_than = "90d"\n',
        (
            "line 5, column 13: keep.last = 0 keeps nothing: leave it out, or write everything = true in "
            "the rule if that is meant"
        ),
    ),
    "an archive that keeps nothing": (
        NOTHING + '[archive]\nkeep_for = "0s"\n',
        (
            "line 4, column 12: keep_for = 0s would delete each archive as soon as it is made: write how long it "
            "stays, like 14d"
        ),
    ),
    "an archive without any room": (
        NOTHING + '[archive]\nmax_size = "0B"\n',
        "line 4, column 12: nothing fits into an archive of 0 bytes: write more, or leave [archive] out",
    ),
    "an archive on a disk that is free as a whole": (
        NOTHING + '[archive]\nmin_free = "100%"\n',
        "line 4, column 12: no disk can be free as a whole: write less than 100%",
    ),
    "a kind twice in the archive": (
        NOTHING + '[archive]\nkinds = ["volume", "volume"]\n',
        'line 4, column 9: "volume" stands there twice: once is enough',
    ),
    "an empty target": (
        TARGET + 'order = ["image"]\n',
        'line 2, column 2: this target asks for no space: write, say, start_above = "85%" or free = "20GB"',
    ),
    "mixed families": (
        TARGET + 'free = "1GB"\nstart_above = "80%"\n',
        (
            "line 3, column 1: free does not go with start_above: a target is start_above with stop_below "
            "(or inodes_above), or max_used, min_free and reserved, or free"
        ),
    ),
    "stops without a start": (
        TARGET + 'stop_below = "80%"\n',
        "line 3, column 1: stop_below does not tell when to begin: write start_above too",
    ),
    "inodes without a start": (
        TARGET + 'start_above = "90%"\ninodes_below = "80%"\n',
        "line 4, column 1: inodes_below does not tell when to begin: write inodes_above too",
    ),
    "stops above the start": (
        TARGET + 'start_above = "70%"\nstop_below = "80%"\n',
        "line 4, column 14: stop_below = 80% is more than start_above = 70%: it would end before it begins",
    ),
    "stops above the start, in bytes": (
        TARGET + 'start_above = "1GB"\nstop_below = "1GiB"\n',
        "line 4, column 14: stop_below = 1GiB is more than start_above = 1GB: it would end before it begins",
    ),
    "inodes above the start": (
        TARGET + 'inodes_above = "70%"\ninodes_below = "80%"\n',
        "line 4, column 16: inodes_below = 80% is more than inodes_above = 70%: it would end before it begins",
    ),
    "units that cannot be compared": (
        TARGET + 'start_above = "70%"\nstop_below = "8GB"\n',
        (
            "line 4, column 14: stop_below = 8GB and start_above = 70% cannot be compared: write both in %, "
            "or both as sizes"
        ),
    ),
    "reserves more than may be used": (
        TARGET + 'max_used = "10GB"\nreserved = "20GB"\n',
        "line 4, column 12: reserved = 20GB is more than max_used = 10GB, which then could never hold",
    ),
    "reserves what must be free": (
        TARGET + 'min_free = "30%"\nreserved = "80%"\n',
        "line 4, column 12: reserved = 80% and min_free = 30% are more than the disk: both can never hold",
    ),
    "all must be free": (
        TARGET + 'min_free = "100%"\n',
        "line 3, column 12: no disk can be free as a whole: write less than 100%",
    ),
    "only reserves": (
        TARGET + 'reserved = "80%"\n',
        "line 3, column 1: reserved asks for nothing to go: write max_used or min_free too",
    ),
    "an order with a kind twice": (
        TARGET + 'free = "1GB"\norder = ["image", "volume", "image"]\n',
        'line 4, column 9: "image" stands there twice: it can go only once',
    ),
    "removes nothing, and has a rule": (
        NOTHING + '[[rule]]\nname = "a"\nkind = "network"\nremove.older_than = "1d"\n',
        (
            "line 2, column 1: removes_nothing = true contradicts the rules or the target of the file: "
            "leave it or them out"
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_problem(case: str) -> None:
    text, expected = CASES[case]
    assert [problem.words() for problem in read_policy_file(text.encode(), "a test").problems] == [expected]


MANY = """\
version = 1
[protect]
lables = ["keep"]
names = ["web", 5, ""]

[[rule]]
name = "first"
kind = "images"
remove.older = "1d"

[[rule]]
name = "first"
kind = ["container", "image"]
match.state = "exited"
keep = { last = "5", within = "x" }

[target]
free = "1GB"
max_used = "10GB"
order = ["image", "image"]
"""


def test_all_problems_are_found_at_once() -> None:
    assert [problem.words() for problem in read_policy_file(MANY.encode(), "a test").problems] == [
        'line 3, column 1: there is no key "lables" in protect; did you mean "labels"?',
        'line 4, column 17: every value of protect.names must be a text like "web-*", not the number 5',
        (
            'line 4, column 20: protect.names: the pattern "" is empty and matches nothing: '
            "write a name, or one like web-*"
        ),
        (
            'line 8, column 8: kind must be "build-cache", "container", "image", "network" or "volume", '
            'or a list of such, not the text "images"; did you mean "image"?'
        ),
        'line 9, column 8: there is no key "older" in remove; did you mean "older_than"?',
        'line 12, column 8: another rule has the name "first" already: give each its own (line 6)',
        "line 14, column 7: match.state is for containers only, and this rule is for images too: make two rules of it",
        (
            'line 15, column 17: keep.last must be a whole number or "all", not the text "5"; '
            "write it without the quotes: 5"
        ),
        (
            'line 15, column 31: keep.within: "x" is not an age; write a number and a unit, s, m, h, d, w, mo or y, '
            "like 24h, 7d, 2w, 3mo or 1d12h"
        ),
        (
            "line 18, column 1: free does not go with max_used: a target is start_above with stop_below "
            "(or inodes_above), or max_used, min_free and reserved, or free"
        ),
        'line 20, column 9: "image" stands there twice: it can go only once',
    ]


def test_reading_tells_the_first_and_counts_the_others() -> None:
    with pytest.raises(PolicyError) as raised:
        read_policy(MANY.encode(), "the policy in /x")
    assert str(raised.value) == (
        'the policy in /x, line 3, column 1: there is no key "lables" in protect; did you mean "labels"? '
        "(and 10 more problems: see `dockersweep policy check`)"
    )
    with pytest.raises(PolicyError, match=r"\(and 1 more problem: see `dockersweep policy check`\)$"):
        read_policy(b"", "the policy in /x")
