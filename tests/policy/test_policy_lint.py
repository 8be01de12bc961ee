"""What `policy check` finds in a policy file that holds: one case a line, named for what it shows."""

import pytest

from dockersweep.policy.language.covering import is_longer, pairs_cover, patterns_cover
from dockersweep.policy.language.lint import lint_policy
from dockersweep.policy.language.reading import read_policy_file
from dockersweep.units import parse_age
from tests.rig.policies import VERSION


def rule(text: str, name: str = "a") -> str:
    return f'[[rule]]\nname = "{name}"\n{text}\n'


OLD = 'remove.older_than = "7d"'
IMAGE = f'kind = "image"\n{OLD}\n'
VOLUME = f'kind = "volume"\n{OLD}\n'
CONTAINER = f'kind = "container"\n{OLD}\n'

FINDINGS: dict[str, tuple[str, str]] = {
    # name of the case: the file behind its version, its only finding
    "an age that a protection makes void": (
        '[protect]\nyounger_than = "2d"\n' + rule('kind = "network"\nremove.older_than = "1d"'),
        'line 7, column 21: older_than = "1d" is void: protect.younger_than keeps what is younger than 2d (line 3)',
    ),
    "a time unused that a protection makes void": (
        '[protect]\nyounger_than = "1mo"\n' + rule('kind = "build-cache"\nremove.unused_for = "27d"'),
        'line 7, column 21: unused_for = "27d" is void: protect.younger_than keeps what is younger than 1mo (line 3)',
    ),
    "a time stopped that a protection makes void": (
        '[protect]\nyounger_than = "2h"\n' + rule('kind = "container"\nremove.stopped_for = "1h"'),
        'line 7, column 22: stopped_for = "1h" is void: protect.younger_than keeps what is younger than 2h (line 3)',
    ),
    "an age of the target that a protection makes void": (
        '[protect]\nyounger_than = "2d"\n[target]\nfree = "1GB"\nolder_than = "1d"\n',
        "line 6, column 14: older_than is void: protect.younger_than keeps what is younger than 2d (line 3)",
    ),
    "an age of the removal that is not asked for": (
        rule('kind = "volume"\nmatch.name = "a"\nremove.older_than = "0s"\nremove.after_container = true'),
        "line 7, column 8: after_container is void: the rule asks for no age that counts from the last use",
    ),
    "before all that is known": (
        rule('kind = "network"\nremove.before = 1970-01-01'),
        "line 5, column 17: nothing is before 1970-01-01: times until 1980-01-02 stand for an unknown one",
    ),
    "everything, but narrowed": (
        rule(VOLUME + 'everything = true\nmatch.name = "tmp-*"\nkeep.last = 1'),
        "line 6, column 1: everything = true says nothing here: the rule has match and keep",
    ),
    "what is asked for is excluded": (
        rule(VOLUME + 'match.name = ["a", "b*"]\nnot.name = ["a*", "b*", "c"]'),
        "line 7, column 5: this rule can never match: not.name excludes all that match.name asks for (line 6)",
    ),
    "the label that is asked for is excluded by its key": (
        rule(VOLUME + 'match.labels = "a=1"\nnot.labels = "a"'),
        "line 7, column 5: this rule can never match: not.labels excludes all that match.labels asks for (line 6)",
    ),
    "a repository with a tag": (
        rule(IMAGE + 'match.repository = ["shop/web:*", "host:5000/app"]'),
        'line 6, column 20: a repository has no tag: write "shop/web", or match.name = "shop/web:*"',
    ),
    "a repository with a digest that is excluded": (
        rule(IMAGE + 'match.tag = "v*"\nnot.repository = "shop/web@sha256:ab"'),
        'line 7, column 18: a repository has no digest: write "shop/web", or match.digest',
    ),
    "a tag with its repository": (
        rule(IMAGE + 'match.tag = "web:1.*"'),
        'line 6, column 13: "web:1.*" is no tag: write what stands behind the colon, or match.name',
    ),
    "a digest without its algorithm": (
        rule(IMAGE + 'match.digest = "0123"'),
        'line 6, column 16: a digest has its algorithm before it: write "sha256:0123"',
    ),
    "a container with a slash": (
        rule(CONTAINER + 'match.name = "/web-1"'),
        'line 6, column 14: the name of a container has no /, : or @: "/web-1" matches nothing',
    ),
    "anonymous and not": (
        rule(VOLUME + "match.anonymous = true\nnot.anonymous = true"),
        (
            "line 7, column 5: this rule can never match: "
            "not.anonymous excludes all that match.anonymous asks for (line 6)"
        ),
    ),
    "sizes that are excluded": (
        rule(VOLUME + 'match.size_over = "2GB"\nnot.size_over = "1GB"'),
        (
            "line 7, column 5: this rule can never match: "
            "not.size_over excludes all that match.size_over asks for (line 6)"
        ),
    ),
    "states that are excluded": (
        rule(CONTAINER + 'match.state = "dead"\nnot.state = ["exited", "dead"]'),
        "line 7, column 5: this rule can never match: not.state excludes all that match.state asks for (line 6)",
    ),
    "a tag of what has none": (
        rule(IMAGE + 'match.tagged = false\nmatch.tag = "v*"'),
        "line 7, column 7: this rule can never match: an image without a tag has none",
    ),
    "options of what has none": (
        rule(VOLUME + 'match.has_options = false\nmatch.options = "type=nfs"'),
        "line 7, column 7: this rule can never match: it asks for volumes without options",
    ),
    "states in which nothing is removed": (
        rule(CONTAINER + 'match.state = ["running", "paused"]'),
        "line 6, column 15: this rule can never remove: a container that is running or paused is always kept",
    ),
    "all states in which something is removed are excluded": (
        rule(CONTAINER + 'not.state = ["created", "exited", "dead"]'),
        (
            "line 6, column 13: this rule can never remove: "
            "only containers that are created, exited or dead can be removed"
        ),
    ),
    "a protected project": (
        '[protect]\nprojects = ["bill*"]\n' + rule(VOLUME + 'match.project = "billing"'),
        "line 8, column 7: this rule can never remove: protect.projects keeps all that it matches (line 3)",
    ),
    "a protected label": (
        '[protect]\nlabels = "team"\n' + rule(IMAGE + 'match.labels = "team=a"'),
        "line 8, column 7: this rule can never remove: protect.labels keeps all that it matches (line 3)",
    ),
    "a protected name": (
        '[protect]\nnames = "db-*"\n' + rule(VOLUME + 'match.name = ["db-1", "db-*"]'),
        "line 8, column 7: this rule can never remove: protect.names keeps all that it matches (line 3)",
    ),
    "a rule that keeps all": (
        rule(VOLUME + 'keep.last = "all"'),
        "line 5, column 1: this rule can never remove: its own keep keeps all that it matches (line 6)",
    ),
    "a rule that keeps all tags": (
        rule(IMAGE + 'match.tagged = true\nkeep.tags = "*"'),
        "line 5, column 1: this rule can never remove: its own keep keeps all that it matches (line 7)",
    ),
    "a rule that keeps the tags that it asks for": (
        rule(IMAGE + 'match.tag = "v1.0"\nkeep.tags = "v*"'),
        "line 5, column 1: this rule can never remove: its own keep keeps all that it matches (line 7)",
    ),
    "a rule of which another keeps all": (
        rule(VOLUME + 'match.name = "web-1"')
        + rule('kind = ["volume", "network"]\nmatch.name = "web-*"\nkeep.last = "all"', "b"),
        'line 5, column 1: this rule can never remove: the keep of rule "b" keeps all that it matches (line 11)',
    ),
    "a shadow": (
        rule(VOLUME + 'match.name = "web-*"')
        + rule('kind = "volume"\nmatch.name = "web-1"\nremove.older_than = "30d"', "b"),
        'line 7, column 1: this rule decides nothing: rule "a" before it already decides all it matches (line 2)',
    ),
    "a shadow of a rule that keeps some": (
        rule(IMAGE + 'match.repository = "docker.io/library/app"\nkeep.last = 5')
        + rule('kind = "image"\nmatch.repository = "app"\nremove.older_than = "1y"', "b"),
        'line 8, column 1: this rule decides nothing: rule "a" before it already decides all it matches (line 2)',
    ),
    "a shadow that keeps the same": (
        rule(IMAGE + "match.tagged = true\nkeep.last = 5")
        + rule('kind = "image"\nmatch.tagged = true\nkeep.last = 5\nremove.older_than = "8d"', "b"),
        'line 8, column 1: this rule decides nothing: rule "a" before it already decides all it matches (line 2)',
    ),
    "a shadow of a rule for all networks": (
        rule('kind = "network"\nremove.older_than = "24h"')
        + rule('kind = "network"\nmatch.project = "ci"\nremove.older_than = "1d"\nremove.before = 2026-01-01', "b"),
        'line 6, column 1: this rule decides nothing: rule "a" before it already decides all it matches (line 2)',
    ),
    "a shadow of a rule for whatever name": (
        rule('kind = "network"\nmatch.name = "*"\n' + OLD) + rule('kind = "network"\n' + OLD, "b"),
        'line 7, column 1: this rule decides nothing: rule "a" before it already decides all it matches (line 2)',
    ),
    "a shadow by what is not excluded": (
        rule(VOLUME + "match.anonymous = true") + rule(VOLUME + "not.anonymous = false", "b"),
        'line 7, column 1: this rule decides nothing: rule "a" before it already decides all it matches (line 2)',
    ),
    "small sizes that are excluded": (
        rule(VOLUME + 'match.size_under = "1GB"\nnot.size_under = "2GB"'),
        (
            "line 7, column 5: this rule can never match: "
            "not.size_under excludes all that match.size_under asks for (line 6)"
        ),
    ),
    "a shadow by excludes": (
        rule(VOLUME + 'not.anonymous = true\nnot.labels = "keep=yes"')
        + rule(VOLUME + 'match.anonymous = false\nnot.labels = "keep"', "b"),
        'line 8, column 1: this rule decides nothing: rule "a" before it already decides all it matches (line 2)',
    ),
    "a shadow by the states that can go at all": (
        rule(CONTAINER + 'match.state = ["created", "exited", "dead"]') + rule(CONTAINER + 'match.name = "ci-*"', "b"),
        'line 7, column 1: this rule decides nothing: rule "a" before it already decides all it matches (line 2)',
    ),
    "only keeps": (
        rule('kind = "volume"\nkeep.last = 3'),
        "line 2, column 1: no rule has a remove and there is no target: this policy never removes anything",
    ),
    "an archive for what is never removed": (
        rule(VOLUME + 'match.name = "x"') + '[archive]\nkinds = ["volume", "container", "image"]\n',
        "line 8, column 9: this policy removes no containers or images, so none are archived",
    ),
    "a target that never begins": (
        '[target]\nstart_above = "100%"\n',
        "line 3, column 15: this target begins, if ever, when the disk is full: write less than 100%",
    ),
    "a target for inodes that never begins": (
        '[target]\ninodes_above = "100%"\n',
        "line 3, column 16: this target begins, if ever, when the disk is full: write less than 100%",
    ),
    "a target of nothing": (
        '[target]\nfree = "0B"\n',
        "line 3, column 8: this target asks for nothing: 0 bytes are always free",
    ),
    "asks about images that do not go": (
        '[registries]\nask = true\n' + rule('kind = "volume"\nremove.older_than = "9d"\nmatch.anonymous = true'),
        "line 3, column 1: registries are asked about images that may go, and this policy removes no images",
    ),
    "spares images that do not go": (
        '[target]\nfree = "1GB"\norder = ["volume"]\nspare_registry_less = true\n',
        "line 5, column 1: spare_registry_less says nothing: order has no images (line 4)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FINDINGS)
def test_finding(case: str) -> None:
    text, expected = FINDINGS[case]
    data = (VERSION + text).encode()
    reading = read_policy_file(data, "a test")
    assert reading.problems == ()
    assert [finding.words() for finding in lint_policy(reading)] == [expected]


NO_FINDINGS = {
    "no age, on purpose": (
        '[protect]\nyounger_than = "2d"\n' + rule('kind = "volume"\nmatch.name = "a*"\nremove.older_than = "0s"')
    ),
    "an age as long as that of the protection": (
        '[protect]\nyounger_than = "2d"\n' + rule('kind = "network"\nremove.older_than = "2d"')
    ),
    "a month that may be shorter": (
        '[protect]\nyounger_than = "1mo"\n' + rule('kind = "network"\nremove.older_than = "30d"')
    ),
    "a volume that was watched for less time than it is old": (
        '[protect]\nyounger_than = "2d"\n' + rule('kind = "volume"\nmatch.anonymous = true\nremove.unused_for = "1d"')
    ),
    "an archive of what is removed": rule(VOLUME + 'match.name = "x"') + '[archive]\nkinds = ["volume"]\n',
    "an archive of whatever is removed": rule(VOLUME + 'match.name = "x"') + "[archive]\n",
    "the target's own age": '[protect]\nyounger_than = "2d"\n[target]\nfree = "1GB"\n',
    "one value of several is excluded": rule(VOLUME + 'match.name = ["a", "b*"]\nnot.name = "a"'),
    "a narrower glob": rule(VOLUME + 'match.name = "a*"\nnot.name = "ab*"'),
    "a size that is not excluded": rule(VOLUME + 'match.size_over = "1GB"\nnot.size_over = "2GB"'),
    "the repository of a digest": rule(IMAGE + 'match.tagged = false\nmatch.repository = "app"'),
    "only running, only kept": (
        rule('kind = "container"\nmatch.state = "running"\nkeep.last = 3') + rule(CONTAINER, "b")
    ),
    "what has no tag goes": rule(IMAGE + 'keep.tags = "*"'),
    "another kind": rule(VOLUME + 'match.name = "a"') + rule('kind = "network"\nmatch.name = "a"\n' + OLD, "b"),
    "a later rule that is sooner": (
        rule(VOLUME + 'match.name = "*-1"') + rule('kind = "volume"\nmatch.name = "a-1"\nremove.older_than = "1d"', "b")
    ),
    "a later rule that asks for another age": (
        rule(VOLUME + 'match.name = "a*"') + rule('kind = "volume"\nmatch.name = "a"\nremove.unused_for = "30d"', "b")
    ),
    "a later rule that asks for no date": (
        rule('kind = "network"\nremove.before = 2026-01-01') + rule('kind = "network"\n' + OLD, "b")
    ),
    "a later rule that keeps more": (
        rule(IMAGE + "match.tagged = true\nkeep.last = 5") + rule(IMAGE + "match.tagged = true\nkeep.last = 6", "b")
    ),
    "a later rule that excludes less": (
        rule(VOLUME + 'match.name = "a*"\nnot.labels = "x"') + rule(VOLUME + 'match.name = "a"', "b")
    ),
    "a rule for what has a known restart policy": (
        rule(CONTAINER + "match.restarts_by_itself = true") + rule(CONTAINER + "not.restarts_by_itself = false", "b")
    ),
    "everything, meant": rule(IMAGE + "everything = true") + rule(VOLUME + "everything = true\nkeep.last = 0", "b"),
    "keeps and has a target": rule('kind = "image"\nkeep.last = 3') + '[target]\nfree = "1GB"\n',
    "nothing, meant": "removes_nothing = true\n",
}  # fmt: skip


@pytest.mark.parametrize("case", NO_FINDINGS)
def test_no_finding(case: str) -> None:
    data = (VERSION + NO_FINDINGS[case]).encode()
    reading = read_policy_file(data, "a test")
    assert reading.problems == ()
    assert lint_policy(reading) == ()


def test_a_file_that_does_not_hold_has_no_findings() -> None:
    assert lint_policy(read_policy_file(b"version = 2", "a test")) == ()
    assert lint_policy(read_policy_file(b"\xff", "a test")) == ()


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        (("a",), ("a",), True),
        (("a*",), ("ab",), True),
        (("a*",), ("ab*",), False),
        (("/^a/",), ("ab",), True),
        (("a",), ("a", "b"), False),
        (("*",), ("/x/", "y*"), True),
        (("app",), ("docker.io/library/app",), True),
        (("a?",), ("a[bc]",), False),
        ((), ("a",), False),
    ],
)
def test_patterns_cover(wide: tuple[str, ...], narrow: tuple[str, ...], covered: bool) -> None:
    assert patterns_cover(wide, narrow) is covered


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        (("k",), ("k=v",), True),
        (("k=v",), ("k",), False),
        (("k*",), ("key=a*",), True),
        (("k=v*",), ("k=vw",), True),
        (("k=v*",), ("k=vw*",), False),
        (("k",), ("k*",), False),
        (("k=a", "k=b"), ("k=a", "k=c"), False),
    ],
)
def test_pairs_cover(wide: tuple[str, ...], narrow: tuple[str, ...], covered: bool) -> None:
    assert pairs_cover(wide, narrow) is covered


@pytest.mark.parametrize(
    ("one", "other", "longer"),
    [
        ("2d", "1d", True),
        ("24h", "1d", False),
        ("1mo", "27d", True),
        ("1mo", "28d", False),
        ("32d", "1mo", True),
        ("31d", "1mo", False),
        ("1y", "364d", True),
        ("1y", "12mo", False),
        ("366d", "1y", False),
        ("367d", "1y", True),
    ],
)
def test_longer_whatever_the_calendar(one: str, other: str, longer: bool) -> None:
    assert is_longer(parse_age(one), parse_age(other)) is longer
