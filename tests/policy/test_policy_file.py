"""What a policy file that holds means, and what `policy init` writes."""

import itertools
import re
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from dockersweep.commands.policy_source import default_policy_text
from dockersweep.model.policy import (
    ArchiveSettings,
    Keep,
    LimitSettings,
    Match,
    Policy,
    Protection,
    Protections,
    Remove,
    Rule,
    Space,
    Target,
)
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.policy.language.lint import lint_policy
from dockersweep.policy.language.reading import read_policy, read_policy_file
from dockersweep.units import parse_age
from tests.rig.policies import ISSUE, uncommented


def read(text: str) -> Policy:
    return read_policy(text.encode(), "a test")


def only_rule(text: str) -> Rule:
    (rule,) = read(f'version = 1\n[[rule]]\nname = "a"\n{text}').rules
    return rule


def protected(key: str, *patterns: str) -> tuple[Protection, ...]:
    return tuple(Protection(pattern=pattern, source=f"protect.{key}") for pattern in patterns)


def test_the_example_of_the_issue() -> None:
    assert read(ISSUE) == Policy(
        source="a test",
        protections=Protections(
            labels=protected("labels", "keep", "env=prod"),
            names=protected("names", "prod-*", "/^db-[0-9]+$/"),
            images=protected("images", "registry.example.com/base/*", "*:stable"),
            projects=protected("projects", "billing"),
            younger_than=parse_age("1h"),
        ),
        rules=(
            Rule(
                name="old releases",
                kinds=("image",),
                match=Match(repository=("registry.example.com/app",)),
                keep=Keep(group_by="repository", last=5, within=parse_age("30d"), tags=("v*.0.0",)),
                remove=Remove(unused_for=parse_age("14d")),
            ),
            Rule(
                name="scratch volumes",
                kinds=("volume",),
                match=Match(labels=("scratch=true",)),
                remove=Remove(older_than=parse_age("3d")),
            ),
        ),
        limits=LimitSettings(objects=500, size_bytes=200_000_000_000, share_percent=60),
        target=Target(
            start_above=Space(text="85%", percent=85),
            stop_below=Space(text="70%", percent=70),
            order=("build-cache", "image"),
            spare_registry_less="last",
            older_than=parse_age("1h"),
        ),
    )
    assert lint_policy(read_policy_file(ISSUE.encode(), "a test")) == ()


def test_an_archive_with_its_defaults_and_with_all_of_its_keys() -> None:
    assert read("version = 1\nremoves_nothing = true\n[archive]\n").archive == ArchiveSettings(
        keep_for=parse_age("14d"), min_free=Space(text="10%", percent=10)
    )
    keys = 'folder = "/srv/a"\nkinds = ["image"]\nkeep_for = "1mo"\nmax_size = "20GB"\nmin_free = "5GB"'
    text = f'version = 1\nremoves_nothing = true\n[archive]\n{keys}\nwhen_full = "remove"\n'
    assert read(text).archive == ArchiveSettings(
        folder="/srv/a",
        kinds=("image",),
        keep_for=parse_age("1mo"),
        max_size=Space(text="20GB", size_bytes=20_000_000_000),
        min_free=Space(text="5GB", size_bytes=5_000_000_000),
        when_full="remove",
    )


def test_a_rule_with_all_of_its_tables() -> None:
    rule = only_rule(
        """
        kind = ["container", "volume"]
        match = {name = "web-*", size_over = "1kB", size_under = "1MB", project = ["a", "b"]}
        not = {labels = "keep"}
        keep = {daily = 7, yearly = "all", group_by = "label:team"}
        remove = {before = 2026-01-01, older_than = "1mo"}
        """
    )
    assert rule == Rule(
        name="a",
        kinds=("container", "volume"),
        match=Match(name=("web-*",), size_over_bytes=1_000, size_under_bytes=1_000_000, project=("a", "b")),
        excludes=Match(labels=("keep",)),
        keep=Keep(group_by="label:team", daily=7, yearly="all"),
        remove=Remove(before=datetime(2026, 1, 1, tzinfo=UTC), older_than=parse_age("1mo")),
    )


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ('kind = "image"', "repository"),
        ('kind = ["image"]', "repository"),
        ('kind = ["image", "volume"]\nkeep.group_by = "none"', "none"),
        ('kind = "volume"', "none"),
        ('kind = "image"\nkeep.group_by = "none"', "none"),
    ],
)
def test_images_are_counted_by_repository(text: str, group: str) -> None:
    assert only_rule(f"{text}\nkeep.last = 1").keep == Keep(group_by=group, last=1)


def test_what_is_meant_is_allowed() -> None:
    rule = only_rule('kind = "volume"\neverything = true\nkeep.last = 0\nremove.older_than = "0s"')
    assert rule == Rule(name="a", kinds=("volume",), remove=Remove(older_than=parse_age("0s")))
    assert read("version = 1\nremoves_nothing = true").rules == ()
    assert read("version = 1\nremoves_nothing = true\n[limits]\nobjects = 0\n").limits == LimitSettings(objects=0)


TARGETS = {
    'start_above = "80%"': Target(
        start_above=Space(text="80%", percent=80),
        stop_below=Space(text="80%", percent=80),
        older_than=parse_age("1h"),
    ),
    'inodes_above = "90%"\nolder_than = "2d"\norder = ["volume"]': Target(
        inodes_above_percent=90, inodes_below_percent=90, order=("volume",), older_than=parse_age("2d")
    ),
    'max_used = "75%"\nmin_free = "20GB"\nreserved = "10GiB"\nspare_registry_less = "never"': Target(
        max_used=Space(text="75%", percent=75),
        min_free=Space(text="20GB", size_bytes=20_000_000_000),
        reserved=Space(text="10GiB", size_bytes=10 * 2**30),
        spare_registry_less="never",
        older_than=parse_age("1h"),
    ),
    'free = "20GB"\nspare_registry_less = false': Target(free_bytes=20_000_000_000, older_than=parse_age("1h")),
}


@pytest.mark.parametrize("text", TARGETS)
def test_target(text: str) -> None:
    assert read(f"version = 1\n[target]\n{text}\n").target == TARGETS[text]


def test_a_byte_order_mark_is_left_out() -> None:
    assert read_policy(b"\xef\xbb\xbf" + ISSUE.encode(), "a test") == read(ISSUE)
    (problem,) = read_policy_file(b"\xef\xbb\xbfversion = 2", "a test").problems
    assert (problem.line, problem.column) == (1, 11)


def test_init_writes_the_default_policy() -> None:
    policy = read(default_policy_text())
    # The flags that its rules name are those of the command line alone.
    rules = tuple(replace(rule, flag_for_others=None) for rule in DEFAULT_POLICY.rules)
    assert policy == replace(DEFAULT_POLICY, source="a test", rules=rules)
    assert lint_policy(read_policy_file(default_policy_text().encode(), "a test")) == ()


def test_init_writes_the_header_that_editors_read() -> None:
    assert default_policy_text().splitlines()[0] == "#:schema ./dockersweep.policy.schema.json"


EXAMPLES = [part for part in default_policy_text().split("\n\n") if re.search(r"^#\[", part, re.MULTILINE)]


@pytest.mark.parametrize("part", EXAMPLES)
def test_each_example_of_init_holds(part: str) -> None:
    text = default_policy_text().replace(part, uncommented(part))
    reading = read_policy_file(text.encode(), "a test")
    assert reading.problems == ()
    assert lint_policy(reading) == ()
    assert read(text) != read(default_policy_text())


def test_all_examples_of_init_hold_together() -> None:
    policy = read(uncommented(default_policy_text()))
    assert len(EXAMPLES) == 9
    assert policy.target is not None
    assert policy.limits != LimitSettings()
    assert policy.protections.projects
    assert policy.archive is not None
    assert policy.watch is not None
    assert policy.rules[-1].keep is not None


def test_init_explains_every_line() -> None:
    """Above each key stand words, and lines stay short enough for a terminal."""
    lines = default_policy_text().splitlines()
    for above, line in itertools.pairwise(lines):
        assert len(line) <= 120
        if re.match(r"#?(protect|limits|match|not|keep|target|version|older_than|start_above)\b", line):
            assert above.startswith("# "), line
