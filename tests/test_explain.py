"""What is said of one object: what holds it, which rules speak of it, when it can go, what it gives back."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dockersweep.model.documents import read_document, write_document
from dockersweep.model.explanation import Explanation
from dockersweep.model.inventory import KINDS, Image, Inventory, Object
from dockersweep.model.naming import objects_of, ref_of
from dockersweep.model.plan import Decision
from dockersweep.model.policy import EVERYTHING, Keep, Policy, Protections, Remove, Rule
from dockersweep.policy.crossings import reached
from dockersweep.policy.defaults import DEFAULT_POLICY
from dockersweep.policy.explain import explain
from dockersweep.policy.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.lookup import find_objects
from dockersweep.policy.planner import make_plan
from dockersweep.policy.policyfile import read_policy
from dockersweep.policy.rules import evaluate
from dockersweep.report.explanation_text import explanation_text
from dockersweep.units import Age, format_instant, parse_age
from tests.inventories import NOW, ago, container, image, inventory, network, record, volume
from tests.policy_strategies import INVENTORIES
from tests.running import dockersweep
from tests.test_plan_properties import FLAGS, inventories

SECOND = timedelta(seconds=1)


def policy_of(rules: str) -> Policy:
    return read_policy(f"version = 1\n{rules}".encode(), "the policy of the test")


def explained(text: str, objects: Iterable[Object], policy: Policy = DEFAULT_POLICY) -> Explanation:
    there = inventory(*objects)
    (ref,) = find_objects(there, text).matches
    return explain(there, policy, NOW, ref)


def chains_of(told: Explanation) -> list[str]:
    return [
        " <- ".join(f"{link.kind} {link.name} ({', '.join(link.notes)})" for link in chain.links)
        for chain in told.chains
    ]


def built(made: Image, instant: datetime) -> Image:
    return replace(made, built_at=instant)


RELEASES = policy_of("""
[[rule]]
name = "old releases"
kind = "image"
match.repository = "app"
keep.last = 3
remove.older_than = "2d"
""")
APPS = [built(image(f"a{day}", f"app:{day}"), ago(days=day)) for day in range(1, 7)]
MONTHS = policy_of("""
[[rule]]
name = "old volumes"
everything = true
kind = "volume"
remove.older_than = "3mo"
""")
WATCHED = policy_of("""
protect.younger_than = "12d"
[[rule]]
name = "unwatched"
everything = true
kind = "image"
remove.unused_for = "11d"
""")
NO_RULES_FOR_ALL = policy_of("""
[[rule]]
name = "scratch"
kind = "volume"
match.labels = "scratch"
remove.older_than = "3d"
""")
DAILY = policy_of("""
[[rule]]
name = "days"
kind = "image"
keep.last = 1
keep.daily = 2
keep.tags = "v*"
remove.older_than = "2d"
""")
DATED = policy_of("""
[[rule]]
name = "before the move"
everything = true
kind = "volume"
remove.before = 2026-01-01
""")

FORECASTS: dict[str, tuple[Iterable[Object], str, Policy, str]] = {
    # name of the case: objects, the one that is explained, policy, what is said of when it can go
    "a container that stopped just now": (
        [container("web", finished=ago(hours=2))], "web", DEFAULT_POLICY,
        'in 22 hours, at 2026-11-25T10:00:00Z, by rule "stopped containers"',
    ),
    "a container that was never started": (
        [container("web", "created", created=ago(minutes=1))], "web", DEFAULT_POLICY,
        "in 23 hours, at 2026-11-25T11:59:00Z",
    ),
    "a container that can go": ([container("web")], "web", DEFAULT_POLICY, 'now, by rule "stopped containers"'),
    "a container that runs": ([container("web", "running")], "web", DEFAULT_POLICY, "it is running"),
    "a container that restarts": (
        [container("web", restart="always")], "web", DEFAULT_POLICY, "no rule removes it: restarts by itself (always)",
    ),
    "an image is released with its container": (
        [image("a"), container("web", image="sha256:a", finished=ago(hours=2))], "a", DEFAULT_POLICY,
        'in 22 hours, at 2026-11-25T10:00:00Z, by rule "dangling images", together with container web',
    ),
    "a parent is released through its child": (
        [image("p"), image("c", parent="p"), container("web", image="sha256:c", finished=ago(hours=2))], "p",
        DEFAULT_POLICY, 'in 22 hours, at 2026-11-25T10:00:00Z, by rule "dangling images", together with image c',
    ),
    "the last of several holders counts": (
        [image("a"), *(container(f"c{hours}", image="sha256:a", finished=ago(hours=hours)) for hours in (1, 2, 3, 4))],
        "a", DEFAULT_POLICY,
        'at 2026-11-25T11:00:00Z, by rule "dangling images", together with container c1, container c2, container c3 a',
    ),
    "a holder of a holder runs": (
        [image("p"), image("c", parent="p"), container("web", "running", image="sha256:c")], "p", DEFAULT_POLICY,
        "container web holds it and stays: it is running",
    ),
    "several hold it": (
        [image("p"), image("b", "b:1", parent="p"), image("c", "c:1", parent="p")], "p", DEFAULT_POLICY,
        "image b:1 (and 1 more) holds it and stays: no rule removes it: tagged (only --all-images removes such)",
    ),
    "a volume, with its container": (
        [volume("v"), container("web", volumes=["v"], finished=ago(hours=23))], "volume:v", DEFAULT_POLICY,
        'in 60 minutes, at 2026-11-24T13:00:00Z, by rule "anonymous volumes", together with container web',
    ),
    "a named volume": (
        [volume("v", anonymous=False)], "v", DEFAULT_POLICY, "no rule removes it: named (only --named-volumes removes",
    ),
    "a new network": (
        [network("n", created=ago(hours=3))], "network:n", DEFAULT_POLICY, "in 21 hours, at 2026-11-25T09:00:00Z",
    ),
    "a network of the engine": (
        [network("bridge", predefined=True)], "bridge", DEFAULT_POLICY, "made by the engine for itself",
    ),
    "a cache record that another stands on": (
        [record("r1"), record("r2", "r1", last_used=ago(days=2))], "r1", DEFAULT_POLICY,
        'in 5 days, at 2026-11-29T12:00:00Z, by rule "old build cache"',
    ),
    "a cache record in use": ([record("r1", in_use=True)], "r1", DEFAULT_POLICY, "a build uses it"),
    "calendar months": (
        [volume("v", created=datetime(2026, 9, 30, 18, 0, tzinfo=UTC))], "v", MONTHS,
        'in 5 weeks, at 2026-12-30T18:00:00Z, by rule "old volumes"',
    ),
    "a month without such a day": (
        [volume("v", created=datetime(2026, 11, 30, 9, 0, tzinfo=UTC) - timedelta(days=6))], "v",
        MONTHS, "at 2027-02-24T09:00:00Z",
    ),
    "the later of two ages": (
        [image("a", "app:1")], "app:1", WATCHED, 'in 2 days, at 2026-11-26T12:00:00Z, by rule "unwatched"',
    ),
    "no rule of its kind": ([container("web")], "web", NO_RULES_FOR_ALL, "no rule speaks of it"),
    "no rule that matches": (
        [volume("v")], "v", NO_RULES_FOR_ALL, "no rule removes it: it has no label scratch",
    ),
    "kept as one of the last": (
        APPS, "app:3", RELEASES, 'kept by rule "old releases" (last #3 of app): it goes when 1 newer image has come',
    ),
    "kept as the newest": (
        APPS, "app:1", RELEASES, 'kept by rule "old releases" (last #1 of app): it goes when 3 newer images have come',
    ),
    "pushed out": (APPS, "app:4", RELEASES, 'now, by rule "old releases"'),
    "kept, and no rule removes it otherwise": (
        [replace(APPS[0], tags=("app:1", "other:1"))], "app:1", RELEASES,
        'kept by rule "old releases" (app:1: last #1 of app), and if it were not: no rule removes its tag other:1',
    ),
    "kept in several places": (
        [built(image("a", "app:1"), ago(days=3))], "app:1", DAILY,
        "(last #1 of app, daily #1 of app): it goes when 1 newer image has come and newer ones have taken its place",
    ),
    "kept by its tag": (
        [built(image("b", "app:2"), ago(days=1)), built(image("a", "app:v1"), ago(days=1, hours=1))], "app:v1", DAILY,
        'kept by rule "days" (oldest, daily #2 of app, tag matches v*)',
    ),
    "kept as the newest version": (
        [image("a", "app:1.2.3")], "app:1.2.3",
        policy_of('[[rule]]\nname = "minors"\nkind = "image"\nkeep.minors = 3\nremove.older_than = "2d"'),
        'kept by rule "minors" (newest of version 1.2): it goes when a newer version has come',
    ),
    "kept, for nothing tells its time": (
        [image("a", "app:1")], "app:1", RELEASES, 'kept by rule "old releases" (nothing tells when it was built)',
    ),
    "pushed out by what is dated in the future": (
        [*APPS[:3], built(image("new", "app:new"), NOW + timedelta(days=3))], "app:3", RELEASES,
        'in 3 days, at 2026-11-27T12:00:00Z, by rule "old releases"',
    ),
    "protected": (
        [container("web")], "web", policy_from_flags(PolicyFlags(keep_names=("w*",))),
        "its name matches w* (--keep-name)",
    ),
    "protected, and kept by a rule too": (
        APPS, "app:1", replace(RELEASES, protections=policy_from_flags(PolicyFlags(keep_names=("app:1",))).protections),
        'its name matches app:1 (--keep-name); kept by rule "old releases" (last #1 of app)',
    ),
    "a parent, for a child of which one tag stays": (
        [image("p"), built(image("a", "app:1", "other:1", parent="p"), ago(days=9))], "p",
        replace(RELEASES, rules=(replace(RELEASES.rules[0], keep=None), DEFAULT_POLICY.rules[1])),
        "image other:1 holds it and stays: no rule removes its tag other:1",
    ),
    "not asked for": (
        [container("web")], "web", policy_from_flags(PolicyFlags(kinds=("image",))), "only image is asked for",
    ),
    "of unknown age": (
        [replace(image("a"), first_seen_at=None, first_seen_unused_at=None)], "a", DEFAULT_POLICY,
        'age unknown: the engine does not tell it, and rule "dangling images" asks for it',
    ),
    "not before a date": ([volume("v")], "v", DATED, "created 10 days ago, not before 2026-01-01"),
    "not before a date, once its holder is gone": (
        [volume("v"), container("c", volumes=["v"], finished=ago(hours=1))], "v",
        replace(DATED, rules=(*DATED.rules, DEFAULT_POLICY.rules[0])),
        'it is not from before the date that rule "before the move" asks for',
    ),
    "some tags go later": (
        [image("a", "app:1", "other:1", first_seen=ago(days=1))], "app:1",
        replace(RELEASES, rules=(replace(RELEASES.rules[0], keep=None),)),
        "no rule removes its tag other:1; but it will lose the tag app:1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FORECASTS)
def test_when_it_can_go(case: str) -> None:
    objects, text, policy, said = FORECASTS[case]
    forecast = explained(text, objects, policy).forecast
    assert said in forecast.text
    assert forecast.when == ("now" if said.startswith("now") else "later" if " at 20" in f" {said}" else "never")
    if forecast.when == "later":
        assert forecast.removable_at is not None
        assert format_instant(forecast.removable_at) in forecast.text
        assert forecast.wait_seconds == int((forecast.removable_at - NOW).total_seconds())


def test_a_chain_leads_down_to_what_holds_the_whole() -> None:
    told = explained(
        "app:1",
        [
            image("app", "app:1"),
            image("mid", parent="app"),
            image("child", parent="mid"),
            image("leaf", "leaf:1", parent="mid"),
            container("web", "running", image="sha256:child"),
            container("job", image="sha256:app"),
            container("late", image="sha256:child", finished=ago(hours=1)),
        ],
    )
    assert chains_of(told) == [
        "image mid (without a tag) <- image leaf:1 (tagged)",
        "image mid (without a tag) <- image child (without a tag) <- container late (exited 60 minutes ago)",
        "image mid (without a tag) <- image child (without a tag) <- container web (running)",
        "container job (exited 10 days ago, goes in this plan)",
    ]


def test_other_holds_than_the_usual_are_told() -> None:
    objects: list[Object] = [container("app", "running", shares_with=["net"]), container("net", finished=ago(hours=1))]
    assert chains_of(explained("net", objects)) == [
        "container app (running, container app (running) joins its namespaces)"
    ]


def test_a_circle_ends_where_it_closes() -> None:
    objects: list[Object] = [image("a", parent="b"), image("b", parent="a")]
    assert chains_of(explained("a", objects)) == ["image b (without a tag)"]
    assert explained("a", objects).forecast.when == "never"


def test_every_rule_is_told_in_order_or_summed_up() -> None:
    policy = policy_of("""
[[rule]]
name = "first"
kind = "volume"
match.labels = "x"
remove.older_than = "1d"
[[rule]]
name = "second"
everything = true
kind = ["volume", "image"]
remove.older_than = "30d"
[[rule]]
name = "third"
kind = "volume"
keep.last = 1
[[rule]]
name = "fourth"
everything = true
kind = "volume"
remove.older_than = "2d"
[[rule]]
name = "fifth"
everything = true
kind = "container"
remove.older_than = "2d"
[target]
free = "1GB"
order = ["image"]
""")
    told = explained("v", [volume("v"), volume("w", created=ago(days=20))], policy)
    assert [(one.rule, one.says) for one in told.rules] == [
        ("second", "not-yet"), ("third", "keeps"), ("fourth", "removes"),
    ]  # fmt: skip
    assert [(one.rules, one.why) for one in told.silent] == [
        (("first",), "it has no label x"), (("fifth", "space target"), "not for volumes"),
    ]  # fmt: skip


TARGET = """
[[rule]]
name = "none"
everything = true
kind = "network"
remove.older_than = "1d"
[target]
order = ["image"]
older_than = "1d"
"""


@pytest.mark.parametrize(
    ("objects", "free", "says", "when"),
    [
        ([image("a", "a:1")], "1GB", "removes", "now"),
        ([image("a", "a:1"), image("b", "b:1", first_seen=ago(days=20), size=10**9)], "1kB", "not-yet", "never"),
        ([image("a", "a:1", first_seen=ago(hours=1))], "1GB", "does-not-remove", "never"),
        ([image("a", "a:1"), container("c", "running", image="a:1")], "1GB", "does-not-remove", "never"),
    ],
)
def test_the_space_target_is_told_like_a_rule(objects: list[Object], free: str, says: str, when: str) -> None:
    told = explained("a:1", objects, policy_of(f'{TARGET}free = "{free}"'))
    assert [(one.rule, one.says) for one in told.rules] == [("space target", says)]
    assert told.forecast.when == when


def test_of_an_image_of_which_some_tags_go_each_tag_is_told() -> None:
    told = explained("app:4", [*APPS[:3], built(image("a", "app:4", "keep:4", "app:five"), ago(days=9))], RELEASES)
    assert [(one.tag, one.goes) for one in told.tags] == [("app:4", True), ("keep:4", False), ("app:five", True)]
    assert told.tags[0].why == 'first seen 10 days ago, over 2 days (rule "old releases")'
    assert told.tags[1].why == 'it speaks of other tags only (rule "old releases")'
    assert told.rules[0].tags == ("app:4", "app:five")
    assert told.decision.untag == ("app:4", "app:five")


def test_what_it_gives_back() -> None:
    objects: list[Object] = [image("a", size=500), container("c", image="sha256:a", size=7)]
    told = explained("a", objects)
    plan = make_plan(inventory(*objects), DEFAULT_POLICY, NOW)
    row = next(step for step in plan.removals if step.kind == "image")
    assert told.reclaim_in_plan == row.reclaim
    assert told.reclaim_alone == row.reclaim_alone
    assert explained("c", [container("c", "running", size=7)]).reclaim_in_plan is None


def test_a_plan_over_a_limit_is_told() -> None:
    told = explained("web", [container("web")], policy_from_flags(PolicyFlags(max_objects=0)))
    assert "so no sweep: " in explanation_text(told, 80)


def test_what_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        explain(inventory(), DEFAULT_POLICY, NOW, ref_of(container("web")))


# Ages that end in the middle of nothing, on the days around the ends of months.
DAYS = st.integers(min_value=0, max_value=900)
AGES = st.sampled_from(["1mo", "2mo", "3mo", "1y", "1mo12h", "1mo3d", "36h", "30d", "1s"]).map(parse_age)


@given(DAYS, st.integers(min_value=0, max_value=23), AGES)
@settings(max_examples=60)
def test_an_age_is_reached_where_it_was_not_a_second_before(days: int, hours: int, age: Age) -> None:
    instant = datetime(2026, 1, 1, hours, 30, tzinfo=UTC) + timedelta(days=days)
    found = list(reached(age, instant))
    for one in found:
        assert age.before(one) >= instant
        assert age.before(one - SECOND) < instant
    hour_by_hour = (instant + timedelta(hours=number) for number in range(24 * 400))
    assert next(one for one in hour_by_hour if age.before(one) >= instant) - found[0] < timedelta(hours=1)


def decided(there: Inventory, policy: Policy, at: datetime, seen: Object) -> Decision:
    ref = ref_of(seen)
    return next(one for one in evaluate(there, policy, at) if (one.kind, one.id) == (ref.kind, ref.id))


def check_forecast(there: Inventory, policy: Policy, now: datetime, data: st.DataObject) -> None:
    """What a forecast says is what the judge decides then, and no earlier."""
    if not any(objects_of(there)):
        return
    seen = data.draw(st.sampled_from(list(objects_of(there))))
    told = explain(there, policy, now, ref_of(seen))
    forecast = told.forecast
    event(forecast.when)
    assert (forecast.when == "now") == (decided(there, policy, now, seen).verdict == "remove")
    if forecast.removable_at is not None and forecast.wait_seconds is not None:
        then = decided(there, policy, forecast.removable_at, seen)
        assert then.verdict == "remove"
        assert {reason.rule for reason in then.reasons} == set(forecast.rules)
        assert decided(there, policy, forecast.removable_at - SECOND, seen).verdict == "keep"
        earlier = now + timedelta(seconds=data.draw(st.integers(min_value=0, max_value=forecast.wait_seconds - 1)))
        assert decided(there, policy, earlier, seen).verdict == "keep"
    if forecast.when == "never":
        later = now + timedelta(hours=data.draw(st.integers(min_value=0, max_value=20_000)))
        assert decided(there, policy, later, seen).verdict == "keep"
    assert forecast.text
    assert {one.rule for one in told.rules} | {rule for one in told.silent for rule in one.rules} == {
        rule.name for rule in policy.rules
    }
    for width in (80, 200):
        assert all(len(line) <= width for line in explanation_text(told, width).splitlines())


@given(inventories(), FLAGS, st.integers(min_value=-100, max_value=900), st.data())
@settings(max_examples=100)
def test_a_forecast_holds_under_the_default_rules(
    there: Inventory, flags: PolicyFlags, hours: int, data: st.DataObject
) -> None:
    check_forecast(there, policy_from_flags(flags), ago(hours=hours), data)


ANY_AGE = st.sampled_from(["0s", "1h", "24h", "2d", "1w", "1mo", "2mo", "1mo12h"]).map(parse_age)
KEEPS = st.builds(
    Keep,
    last=st.sampled_from([None, 1, 2]),
    within=st.none() | ANY_AGE,
    daily=st.sampled_from([None, 1]),
    group_by=st.sampled_from(["none", "repository"]),
)
REMOVES = st.builds(
    Remove,
    older_than=st.none() | ANY_AGE,
    unused_for=st.sampled_from([None, None, parse_age("2d")]),
    built_over=st.sampled_from([None, None, parse_age("1mo")]),
    before=st.sampled_from([None, None, ago(days=3)]),
)
GREEDY = st.builds(
    lambda kinds, keeps, removes, youngest: Policy(
        source="the policy of the test",
        protections=Protections(younger_than=youngest),
        rules=tuple(
            Rule(name=f"rule {number}", kinds=tuple(of), match=EVERYTHING, keep=keep, remove=remove)
            for number, (of, keep, remove) in enumerate(zip(kinds, keeps, removes, strict=True))
        ),
    ),
    st.lists(st.just(KINDS) | st.sets(st.sampled_from(KINDS), min_size=1), min_size=2, max_size=2),
    st.lists(st.sampled_from([None, None]) | KEEPS, min_size=2, max_size=2),
    st.lists(REMOVES, min_size=2, max_size=2),
    st.none() | ANY_AGE,
)
"""Policies under which much can go some day."""


def _stopped(there: Inventory) -> Inventory:
    """The same where every container can go some day."""
    return replace(
        there,
        own_container_id=None,
        containers=tuple(
            replace(one, state="exited", unread=None, labels={}, finished_at=one.finished_at or one.created_at)
            for one in there.containers
        ),
    )


@given(INVENTORIES.map(_stopped), GREEDY, st.integers(min_value=-100, max_value=900), st.data())
@settings(max_examples=300)
def test_a_forecast_holds_where_much_can_go_some_day(
    there: Inventory, policy: Policy, hours: int, data: st.DataObject
) -> None:
    check_forecast(there, policy, ago(hours=hours), data)


EVIL = "e\x1b[31mvil\n\u202e"


def test_names_are_made_printable() -> None:
    objects: list[Object] = [image("a", f"{EVIL}:1"), container(EVIL, image=f"{EVIL}:1"), volume(EVIL)]
    for told in (explained(f"image:{EVIL}:1", objects), explained(f"container:{EVIL}", objects)):
        for width in (None, 80):
            text = explanation_text(told, width)
            assert "\x1b" not in text
            assert "\u202e" not in text
            assert "e\\x1b[31mvil\\n\\u202e" in text


AT_80 = """\
Docker 28.5.2 (overlay2) at unix:///run/test.sock, from --host,
2026-11-24T12:00:00Z
Image base@4f2a
id       4f2a
tags     none
digests  base@sha256:d1
size     21.0 MB as the engine counts
age      first seen 10 days ago, since 2026-11-14T12:00:00Z

It stays, by the default policy:
hard protection  parent of image child

What holds it
image base@4f2a <- image child (without a tag) <- container web (exited 2 hours
  ago)

Rules that speak of it, in order, each by itself
dangling images  removes  first seen 10 days ago, over 24 hours; can be pulled
                          again as base@sha256:d1
"stopped containers", "anonymous volumes", "unused networks" and "old build
  cache" do not: not for images.

It can go in 22 hours, at 2026-11-25T10:00:00Z, by rule "dangling images",
together with image child.
Removed alone it gives back 21.0 MB; the plan does not remove it.

Sizes are as the engine counts: lengths, not disk blocks.
"""
SHOWN: list[Object] = [
    image("4f2a", digests=["base@sha256:d1"], size=21_000_000),
    image("child", parent="4f2a", size=21_000_000),
    container("web", image="sha256:child", finished=ago(hours=2)),
]


def test_the_whole_text_at_80_columns() -> None:
    assert explanation_text(explained("4f2a", SHOWN), 80) == AT_80


def test_very_many_chains_are_summed_up() -> None:
    objects: list[Object] = [
        image("a"),
        *(container(f"web-{number}", "running", image="sha256:a") for number in range(30)),
    ]
    text = explanation_text(explained("a", objects), 80)
    assert text.count(" <- container ") == 10
    assert "and 20 others, all of which --format json lists" in text


def test_the_document_reads_back_as_it_was_written() -> None:
    told = explained("4f2a", SHOWN)
    assert read_document(write_document(told).encode(), Explanation, "x") == told


@pytest.fixture
def saved(tmp_path: Path) -> str:
    file = tmp_path / "inventory.json"
    file.write_text(write_document(inventory(*SHOWN, volume("web", anonymous=False), volume("data"))))
    return str(file)


def test_the_command_line(saved: str, tmp_path: Path) -> None:
    run = dockersweep("explain", "4f2a", "--inventory", saved, COLUMNS="80")
    assert (run.status, run.stdout, run.stderr) == (0, AT_80, "")
    document = dockersweep("explain", "image:sha256:4f", "--format", "json", "--inventory", saved).json()
    assert (document["schema"], document["subject"]["name"]) == ("dockersweep.explanation/1", "base@4f2a")
    written = tmp_path / "told.txt"
    assert dockersweep("explain", "data", "--inventory", saved, "-o", str(written)).stdout == ""
    assert "Volume data\n" in written.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("web", '"web" can mean container:web or volume:web: write one of these'),
        ("dta", 'nothing here is called "dta", and no id begins so: did you mean volume:data?'),
        ("zzz", 'nothing here is called "zzz", and no id begins so: `dockersweep scan --all` lists what there is'),
        ("", "the name of the object is empty: write a name, a tag, the beginning of an id, or KIND:NAME"),
    ],
)
def test_what_is_not_clear_is_refused_with_what_it_could_be(saved: str, text: str, message: str) -> None:
    run = dockersweep("explain", text, "--inventory", saved)
    assert (run.status, run.stdout, run.stderr) == (2, "", f"dockersweep: {message}\n")


def test_the_pause_image_of_another_registry_never_goes_where_pods_are() -> None:
    """What its name means is told by containers that have nothing else to do with it."""
    pause = image("a", "mirror.example.com/pause:3.9")
    pod = container("k8s_web", "running", labels={"io.kubernetes.pod.name": "web"})
    policy = policy_from_flags(PolicyFlags(all_images=True, older_than=parse_age("0s")))
    told = explain(inventory(pause, pod), policy, NOW, ref_of(pause))
    assert (told.decision.verdict, told.forecast.when) == ("keep", "never")
    assert "the pause image" in told.forecast.text
    assert explain(inventory(pause), policy, NOW, ref_of(pause)).decision.verdict == "remove"


def test_an_image_that_a_volume_names_never_goes_where_podman_does_not_list_its_container() -> None:
    """The name stands in a volume, which has nothing else to do with the image."""
    made, other = image("a", "data:1"), image("b", "other:1")
    named = volume("v", anonymous=False, driver="image", options={"image": "data:1"})
    there = replace(inventory(made, other, named), external=None)
    policy = policy_from_flags(PolicyFlags(all_images=True, older_than=parse_age("0s")))
    told = explain(there, policy, NOW, ref_of(made))
    assert (told.decision.verdict, told.forecast.when) == ("keep", "never")
    assert "used by volume v (driver image)" in told.forecast.text
    assert explain(there, policy, NOW, ref_of(other)).forecast.when == "now"
