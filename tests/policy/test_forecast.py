"""When an object can go: by cases, and against what the judge decides then."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from dockersweep.model.inventory import KINDS, Inventory, Object
from dockersweep.model.last_use import PastUse, Span
from dockersweep.model.naming import objects_of, ref_of
from dockersweep.model.plan import Decision
from dockersweep.model.policy import EVERYTHING, Keep, Policy, Protections, Remove, Rule
from dockersweep.policy.explaining.age_crossings import reached
from dockersweep.policy.explaining.without_containers import without_containers
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.units import Age, format_instant, parse_age
from tests.policy.explained import APPS, RELEASES, built, explained, policy_of, text_of
from tests.policy.inventory_strategies import INVENTORIES
from tests.policy.test_plan_properties import FLAGS, inventories
from tests.rig.examples import examples
from tests.rig.inventories import (
    NOW,
    ago,
    container,
    decisions_of,
    explanation_of,
    image,
    inventory,
    network,
    record,
    volume,
)
from tests.rig.policies import rule_text

SECOND = timedelta(seconds=1)
MONTHS = policy_of(rule_text("old volumes", "volume", "everything = true", 'remove.older_than = "3mo"'))
WATCHED = policy_of(
    'protect.younger_than = "12d"\n' + rule_text("unwatched", "image", "everything = true", 'remove.unused_for = "11d"')
)
NO_RULES_FOR_ALL = policy_of(rule_text("scratch", "volume", 'match.labels = "scratch"', 'remove.older_than = "3d"'))
DAILY = policy_of(
    rule_text("days", "image", "keep.last = 1", "keep.daily = 2", 'keep.tags = "v*"', 'remove.older_than = "2d"')
)
DATED = policy_of(rule_text("before the move", "volume", "everything = true", "remove.before = 2026-01-01"))

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
        DEFAULT_POLICY,
        'in 22 hours, at 2026-11-25T10:00:00Z, by rule "dangling images", together with image c, container web',
    ),
    "the last of several holders counts": (
        [image("a"), *(container(f"c{hours}", image="sha256:a", finished=ago(hours=hours)) for hours in (1, 2, 3, 4))],
        "a", DEFAULT_POLICY,
        'at 2026-11-25T11:00:00Z, by rule "dangling images", together with container c1, container c2, container c3 a',
    ),
    "a holder of a holder runs": (
        [image("p"), image("c", parent="p"), container("web", "running", image="sha256:c")], "p", DEFAULT_POLICY,
        "held by container web, which is running",
    ),
    "several hold it": (
        [image("p"), image("b", "b:1", parent="p"), image("c", "c:1", parent="p")], "p", DEFAULT_POLICY,
        "held by image b:1 (and 1 more), which stays because it is tagged (add --all-images to include)",
    ),
    "a volume, with its container": (
        [volume("v"), container("web", volumes=["v"], finished=ago(hours=23))], "volume:v", DEFAULT_POLICY,
        (
            'in 25 hours, at 2026-11-25T13:00:00Z, by rule "anonymous volumes", counted from the removal of web on '
            "2026-11-24"
        ),
    ),
    "a volume whose container goes now": (
        [volume("v", free=False), container("web", volumes=["v"])], "volume:v", DEFAULT_POLICY,
        'in 24 hours, at 2026-11-25T12:00:00Z, by rule "anonymous volumes", counted from the removal of web',
    ),
    "a volume whose container never goes": (
        [volume("v"), container("web", volumes=["v"], restart="always")], "volume:v", DEFAULT_POLICY,
        "held by container web, which stays because it restarts by itself (always)",
    ),
    "a named volume": (
        [volume("v", anonymous=False)], "v", DEFAULT_POLICY, "no rule removes it: named (add --named-volumes",
    ),
    "a new network": (
        [network("n", created=ago(hours=3))], "network:n", DEFAULT_POLICY, "in 21 hours, at 2026-11-25T09:00:00Z",
    ),
    "a network of the engine": (
        [network("bridge", predefined=True)], "bridge", DEFAULT_POLICY, "made by the engine for itself",
    ),
    "a cache record that another depends on": (
        [record("r1"), record("r2", "r1", last_used=ago(days=2))], "r1", DEFAULT_POLICY,
        'in 5 days, at 2026-11-29T12:00:00Z, by rule "old build cache"',
    ),
    "a cache record in use": ([record("r1", in_use=True)], "r1", DEFAULT_POLICY, "a build uses it"),
    "calendar months": (
        [volume("v", created=datetime(2026, 9, 30, 18, 0, tzinfo=UTC))], "v", MONTHS,
        'in 36 days, at 2026-12-30T18:00:00Z, by rule "old volumes"',
    ),
    "a month without such a day": (
        [volume("v", created=datetime(2026, 11, 30, 9, 0, tzinfo=UTC) - timedelta(days=6))], "v",
        MONTHS, "at 2027-02-24T09:00:00Z",
    ),
    "the later of two ages": (
        [image("a", "app:1")], "app:1", WATCHED, 'in 2 days, at 2026-11-26T12:00:00Z, by rule "unwatched"',
    ),
    "no rule of its kind": ([container("web")], "web", NO_RULES_FOR_ALL, "no rule matches"),
    "no rule that matches": (
        [volume("v")], "v", NO_RULES_FOR_ALL, "no rule removes it: it has no label scratch",
    ),
    "kept as one of the last": (
        APPS, "app:3", RELEASES,
        'kept until 1 more image of app comes, by rule "old releases": 3rd newest of app (keep.last)',
    ),
    "kept as the newest": (
        APPS, "app:1", RELEASES,
        'kept until 3 more images of app come, by rule "old releases": newest of app (keep.last)',
    ),
    "pushed out": (APPS, "app:4", RELEASES, 'now, by rule "old releases"'),
    "kept, and no rule removes it otherwise": (
        [replace(APPS[0], tags=("app:1", "other:1"))], "app:1", RELEASES,
        (
            'kept by rule "old releases": app:1: newest of app (keep.last); '
            "even without it no rule would remove its tag other:1"
        ),
    ),
    "kept in several places": (
        [built(image("a", "app:1"), ago(days=3))], "app:1", DAILY,
        (
            'kept until 1 more image of app comes and newer ones have taken its place, by rule "days": '
            "newest of app (keep.last), 1st daily of app (keep.daily)"
        ),
    ),
    "kept by its tag": (
        [built(image("b", "app:2"), ago(days=1)), built(image("a", "app:v1"), ago(days=1, hours=1))], "app:v1", DAILY,
        'kept by rule "days": oldest, 2nd daily of app (keep.daily), tag matches v*',
    ),
    "kept as the newest version": (
        [image("a", "app:1.2.3")], "app:1.2.3",
        policy_of('[[rule]]\nname = "minors"\nkind = "image"\nkeep.minors = 3\nremove.older_than = "2d"'),
        'kept until a newer version comes, by rule "minors": newest of version 1.2',
    ),
    "kept, for nothing tells its time": (
        [image("a", "app:1")], "app:1", RELEASES, 'kept by rule "old releases": nothing tells when it was built',
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
        'its name matches app:1 (--keep-name); kept by rule "old releases": newest of app (keep.last)',
    ),
    "a parent, for a child of which one tag stays": (
        [image("p"), built(image("a", "app:1", "other:1", parent="p"), ago(days=9))], "p",
        replace(RELEASES, rules=(replace(RELEASES.rules[0], keep=None), DEFAULT_POLICY.rules[1])),
        "held by image other:1, which stays because no rule removes its tag other:1",
    ),
    "a rule keeps it, and a container that runs holds it": (
        [*APPS, container("web", "running", image="sha256:a1")], "app:1", RELEASES,
        'kept by rule "old releases": newest of app (keep.last), and held by container web, which is running',
    ),
    "a holder that a rule keeps": (
        [image("p"), replace(APPS[0], parent_id="sha256:p"), *APPS[1:]], "p", RELEASES,
        (
            'held by image app:1, which is kept until 3 more images of app come, by rule "old releases": '
            "newest of app (keep.last)"
        ),
    ),
    "a holder that is protected": (
        [image("p"), image("c", "c:1", parent="p")], "p", policy_from_flags(PolicyFlags(keep_names=("c:*",))),
        "held by image c:1, which stays: its name matches c:* (--keep-name)",
    ),
    "a holder that no rule matches": (
        [volume("v"), container("web", volumes=["v"])], "volume:v", NO_RULES_FOR_ALL,
        "held by container web, which stays because no rule matches it",
    ),
    "one of those without a repository": (
        [built(image("a"), ago(days=3))], "a", DAILY,
        "kept until 1 more image without a repository comes and newer ones have taken its place, by rule",
    ),
    "not asked for": (
        [container("web")], "web", policy_from_flags(PolicyFlags(kinds=("image",))), "not asked for (--kind image)",
    ),
    "of unknown age": (
        [replace(image("a"), first_seen_at=None, first_seen_unused_at=None)], "a", DEFAULT_POLICY,
        'age unknown: nothing tells it, and rule "dangling images" asks for it',
    ),
    "not before a date": ([volume("v")], "v", DATED, "first seen 10 days ago (not before 2026-01-01)"),
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


# Ages that end in the middle of nothing, on the days around the ends of months.
DAYS = st.integers(min_value=0, max_value=900)
AGES = st.sampled_from(["1mo", "2mo", "3mo", "1y", "1mo12h", "1mo3d", "36h", "30d", "1s"]).map(parse_age)


@given(DAYS, st.integers(min_value=0, max_value=23), AGES)
@examples(60)
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
    return next(one for one in decisions_of(there, policy, at) if (one.kind, one.id) == (ref.kind, ref.id))


def check_forecast(there: Inventory, policy: Policy, now: datetime, data: st.DataObject) -> None:
    """What a forecast says is what the judge decides then, and no earlier."""
    if not any(objects_of(there)):
        return
    # What is watched before the scan is known, and after it is taken to be watched.
    there = replace(there, taken_at=now)
    seen = data.draw(st.sampled_from(list(objects_of(there))))
    told = explanation_of(there, policy, ref_of(seen), now)
    forecast = told.forecast
    event(forecast.when)
    assert (forecast.when == "now") == (decided(there, policy, now, seen).verdict == "remove")
    if "counted from the removal of" in forecast.text and forecast.removable_at is not None:
        check_after_containers(there, policy, now, seen, forecast.removable_at)
    elif forecast.removable_at is not None and forecast.wait_seconds is not None:
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
        assert all(len(line) <= width for line in text_of(told, width).splitlines())


def check_after_containers(there: Inventory, policy: Policy, now: datetime, seen: Object, at: datetime) -> None:
    """What outlives its containers goes just then, where these are removed now."""
    assert decided(there, policy, at, seen).verdict == "keep"
    survey = Survey(there, now)
    held_by = {hold.by for hold in survey.holders[ref_of(seen)] if hold.by.kind == "container"}
    if all(decided(there, policy, now, survey.objects[by]).verdict == "remove" for by in held_by):
        freed = without_containers(survey, ref_of(seen), now)
        left = freed.objects[ref_of(seen)]
        assert decided(freed.inventory, policy, at, left).verdict == "remove"
        assert decided(freed.inventory, policy, at - SECOND, left).verdict == "keep"


@given(inventories(), FLAGS, st.integers(min_value=-100, max_value=900), st.data())
@examples(100)
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
    after_container=st.booleans(),
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
@examples(300)
def test_a_forecast_holds_where_much_can_go_some_day(
    there: Inventory, policy: Policy, hours: int, data: st.DataObject
) -> None:
    check_forecast(there, policy, ago(hours=hours), data)


def test_what_is_kept_as_nobody_watched_can_go_at_the_earliest_if_it_is_watched() -> None:
    policy = policy_of(rule_text("unused", "image", "everything = true", 'remove.unused_for = "6d"'))
    item = image("a", "app:1", first_seen=ago(days=30))
    hardly = inventory(item, watched=(Span(begins_at=ago(days=2), ends_at=NOW),))
    at_the_earliest = explanation_of(hardly, policy, ref_of(item)).forecast
    assert at_the_earliest.removable_at == ago(days=-1)
    assert at_the_earliest.text == (
        'in 24 hours at the earliest, at 2026-11-25T12:00:00Z, by rule "unused", if it is watched from now on'
    )
    young = replace(item, first_seen_at=ago(days=5), first_seen_unused_at=ago(days=5))
    assert explanation_of(inventory(young), policy, ref_of(young)).forecast.text == (
        'in 24 hours, at 2026-11-25T12:00:00Z, by rule "unused"'
    )


def test_what_a_container_frees_today_counts_from_today_though_it_is_too_young_besides() -> None:
    policy = policy_of(
        'protect.younger_than = "1h"\n'
        + rule_text("all", "container", "everything = true", 'remove.stopped_for = "1h"')
        + rule_text("free", "volume", "everything = true", 'remove.older_than = "2d"', "remove.after_container = true")
    )
    by_a_job = PastUse(at=ago(minutes=30), action="unmounted", by="job")
    used = replace(volume("v"), uses=(by_a_job,))
    told = explanation_of(inventory(used, container("web", volumes=["v"])), policy, ref_of(used))
    assert told.forecast.text == ('in 2 days, at 2026-11-26T12:00:00Z, by rule "free", counted from the removal of web')


def test_the_pause_image_of_another_registry_never_goes_where_pods_are() -> None:
    """What its name means is told by containers that have nothing else to do with it."""
    pause = image("a", "mirror.example.com/pause:3.9")
    pod = container("k8s_web", "running", labels={"io.kubernetes.pod.name": "web"})
    policy = policy_from_flags(PolicyFlags(all_images=True, older_than=parse_age("0s")))
    told = explanation_of(inventory(pause, pod), policy, ref_of(pause))
    assert (told.decision.verdict, told.forecast.when) == ("keep", "never")
    assert "the pause image" in told.forecast.text
    assert explanation_of(inventory(pause), policy, ref_of(pause)).decision.verdict == "remove"


def test_an_image_that_a_volume_names_never_goes_where_podman_does_not_list_its_container() -> None:
    """The name stands in a volume, which has nothing else to do with the image."""
    made, other = image("a", "data:1"), image("b", "other:1")
    named = volume("v", anonymous=False, driver="image", options={"image": "data:1"})
    there = replace(inventory(made, other, named), external=None)
    policy = policy_from_flags(PolicyFlags(all_images=True, older_than=parse_age("0s")))
    told = explanation_of(there, policy, ref_of(made))
    assert (told.decision.verdict, told.forecast.when) == ("keep", "never")
    assert "used by volume v (driver image)" in told.forecast.text
    assert explanation_of(there, policy, ref_of(other)).forecast.when == "now"


def test_at_the_end_of_the_calendar_nothing_comes_after() -> None:
    end = datetime.max.replace(microsecond=0, tzinfo=UTC)
    seen = replace(inventory(image("a"), watched=()), taken_at=end)
    told = explanation_of(seen, WATCHED, ref_of(seen.images[0]), end)
    assert "no rule removes it" not in told.forecast.text
