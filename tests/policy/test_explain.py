"""What is said of one object: what holds it, which rules match it, what it frees."""

from pathlib import Path

import pytest
from hypothesis import given
from msgspec.structs import replace

from dockersweep.model.documents import read_document
from dockersweep.model.explanation import Explanation, UseEvidence
from dockersweep.model.inventory import Inventory, Object
from dockersweep.model.last_use import PastUse, Span
from dockersweep.model.naming import objects_of, ref_of
from dockersweep.model.policy import Policy
from dockersweep.policy.explaining.explain import explain
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.report.explanation import explanation_layout
from dockersweep.report.formats import formatted
from dockersweep.words.documents import write_document
from tests.policy.explained import APPS, RELEASES, built, explained, policy_of, text_of
from tests.policy.inventory_strategies import INVENTORIES
from tests.policy.policy_strategies import POLICIES
from tests.rig.examples import examples
from tests.rig.inventories import (
    NOW,
    ago,
    container,
    explanation_of,
    image,
    inventory,
    plan_of,
    volume,
    write_inventory,
)
from tests.rig.policies import rule_text
from tests.rig.running import dockersweep

DATED = policy_of(rule_text("before the move", "volume", "everything = true", "remove.before = 2026-01-01"))


def chains_of(told: Explanation) -> list[str]:
    return [
        " <- ".join(f"{link.kind} {link.name} ({', '.join(link.notes)})" for link in chain.links)
        for chain in told.chains
    ]


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


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        (
            [image("a", "a:1"), image("b", "b:1", first_seen=ago(days=20), size=10**9)],
            "The space target may remove it, when space is so short that its turn comes.",
        ),
        (
            [image("a", "a:1", first_seen=ago(hours=1)), image("b", "b:1", first_seen=ago(days=20), size=10**9)],
            "The space target may remove it from 2026-11-25 11:00:00 UTC on, when space is so short that",
        ),
    ],
    ids=["now", "too young"],
)
def test_what_may_go_for_space_is_not_said_to_stay_for_good(objects: list[Object], said: str) -> None:
    told = explained("a:1", objects, policy_of(f'{TARGET}free = "1kB"'))
    text = " ".join(text_of(told, 200).split())
    assert said in text
    assert "Image a:1 is kept until space is short by" in text
    assert "Will not be removed" not in text


def test_what_may_never_go_for_space_is_said_to_stay() -> None:
    told = explained(
        "a:1", [image("a", "a:1"), container("c", "running", image="a:1")], policy_of(f'{TARGET}free = "1kB"')
    )
    assert told.for_space is None
    assert "until space is short" not in text_of(told, 200)
    assert "Will not be removed under this policy" in text_of(told, 200)


def test_of_an_image_of_which_some_tags_go_each_tag_is_told() -> None:
    told = explained("app:4", [*APPS[:3], built(image("a", "app:4", "keep:4", "app:five"), ago(days=9))], RELEASES)
    assert [(one.tag, one.goes) for one in told.tags] == [("app:4", True), ("keep:4", False), ("app:five", True)]
    place = "4th newest of app (keep.last = 3)"
    assert told.tags[0].why == f'first seen 10 days ago (limit 2 days); {place} (rule "old releases")'
    assert told.tags[1].why == 'the rule matches other tags only (rule "old releases")'
    assert told.rules[0].tags == ("app:4", "app:five")
    assert told.decision.untag == ("app:4", "app:five")


def test_what_it_gives_back() -> None:
    objects: list[Object] = [image("a", size=500), container("c", image="sha256:a", size=7)]
    told = explained("a", objects)
    plan = plan_of(inventory(*objects), DEFAULT_POLICY, NOW)
    row = next(step for step in plan.removals if step.kind == "image")
    assert told.reclaim_in_plan == row.reclaim
    assert told.reclaim_alone == row.reclaim_alone
    assert explained("c", [container("c", "running", size=7)]).reclaim_in_plan is None


def test_a_plan_over_a_limit_is_told() -> None:
    told = explained("web", [container("web")], policy_from_flags(PolicyFlags(max_objects=0)))
    assert "so no sweep: " in text_of(told, 80)


def test_what_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        explanation_of(inventory(), DEFAULT_POLICY, ref_of(container("web")))


EVIL = "e\x1b[31mvil\n\u202e"


def test_names_are_made_printable() -> None:
    objects: list[Object] = [image("a", f"{EVIL}:1"), container(EVIL, image=f"{EVIL}:1"), volume(EVIL)]
    for told in (explained(f"image:{EVIL}:1", objects), explained(f"container:{EVIL}", objects)):
        for width in (None, 80):
            text = text_of(told, width)
            assert "\x1b" not in text
            assert "\u202e" not in text
            assert "e\\x1b[31mvil\\n\\u202e" in text


AT_80 = """\
Docker 28.5.2 (overlay2) at unix:///run/test.sock, from --host, 2026-11-24
12:00:00 UTC

Image base@4f2a is kept: parent of image child.

id        4f2a
tags      none
digests   base@sha256:d1
size      21.0 MB as the engine counts
recovery  could be pulled again as base@sha256:d1
age       first seen 10 days ago (2026-11-14 12:00:00 UTC)

Held by
image base@4f2a <- image child (without a tag) <- container web (exited 2 hours
  ago)

Rules
dangling images  would remove  first seen 10 days ago (limit 24 hours); can be
                               pulled again as base@sha256:d1

Can be removed in 22 hours, at 2026-11-25 10:00:00 UTC, by rule "dangling
images", together with image child, container web.
Removing only this frees 21.0 MB.

Sizes are as the engine counts: lengths, not disk blocks.
"""
SHOWN: list[Object] = [
    image("4f2a", digests=["base@sha256:d1"], size=21_000_000),
    image("child", parent="4f2a", size=21_000_000),
    container("web", image="sha256:child", finished=ago(hours=2)),
]


def test_the_whole_text_at_80_columns() -> None:
    assert text_of(explained("4f2a", SHOWN), 80) == AT_80


def test_the_evidence_is_told() -> None:
    uses = (
        PastUse(at=ago(hours=26), action="unmounted", by="backup-1", by_id="gone"),
        PastUse(at=ago(days=3), action="mounted", by="web", by_id="web"),
    )
    used = replace(volume("data", created=ago(days=90)), uses=uses, written_at=ago(hours=27), scans_unused=4)
    watched = (Span(begins_at=ago(days=9), ends_at=ago(hours=20)), Span(begins_at=ago(hours=10), ends_at=NOW))
    there = inventory(used, container("web"), watched=watched)
    told = explanation_of(there, DEFAULT_POLICY, ref_of(used))
    assert told.subject.age_text == "last used 26 hours ago by backup-1 (removed)"
    assert told.use == UseEvidence(
        uses=uses,
        containers_gone=("gone",),
        written_at=ago(hours=27),
        built_on_at=None,
        first_seen_at=ago(days=90),
        unused_since_at=ago(days=90),
        scans_unused=4,
        gaps=(Span(begins_at=ago(hours=20), ends_at=ago(hours=10)),),
    )
    text = text_of(told, 80)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "2026-11-23 10:00:00 UTC unmounted backup-1 (removed)" in lines
    assert "2026-11-21 12:00:00 UTC mounted web" in lines
    assert "2026-11-23 09:00:00 UTC files written" in lines
    first = lines.index("Last known uses") + 1
    assert [" ".join(line.split()[:3]) for line in lines[first : first + 3]] == [
        "2026-11-23 10:00:00 UTC", "2026-11-23 09:00:00 UTC", "2026-11-21 12:00:00 UTC",
    ]  # fmt: skip
    assert "2026-11-23 16:00:00 UTC to 2026-11-24 02:00:00 UTC" in text
    rows = formatted(explanation_layout(told), "csv", None).splitlines()
    assert "volume,data,data,use,2026-11-23T10:00:00Z,unmounted,backup-1" in rows
    assert "volume,data,data,gap,2026-11-23T16:00:00Z,not watched,until 2026-11-24T02:00:00Z" in rows
    # What no ledger tells is not said to be watched.
    unknown = explanation_of(replace(there, watched=None), DEFAULT_POLICY, ref_of(used)).use.gaps
    assert unknown is None


def test_who_used_it_last_is_told_also_where_a_scan_saw_it_unused_since() -> None:
    uses = (PastUse(at=ago(days=12), action="unmounted", by="db-1", by_id="gone"),)
    unused = replace(volume("data", created=ago(days=90)), uses=uses, first_seen_unused_at=ago(days=11))
    told = explanation_of(inventory(unused, volume("other")), DEFAULT_POLICY, ref_of(unused))
    assert (
        told.subject.age_text
        == "11 days: last used by db-1 (removed), not used since 2026-11-13, watched by dockersweep"
    )
    assert told.subject.age_counts_from_at == ago(days=11)


def test_what_a_running_container_holds_is_in_use_now() -> None:
    used = replace(volume("data", created=ago(days=90)), uses=(PastUse(at=ago(days=3), action="mounted", by="web"),))
    told = explained("volume:data", [used, container("web", "running", volumes=["data"])])
    assert (told.subject.age_text, told.subject.age_counts_from_at) == ("in use now", None)
    stopped = explained("volume:data", [used, container("web", volumes=["data"], finished=ago(hours=1))])
    assert stopped.subject.age_text == "last used 3 days ago by web"


def ending(told: Explanation) -> str:
    text = " ".join(text_of(told, None).split())
    return text[text.index("Will not be removed") : text.index(" Removing only")]


def test_what_would_let_go_of_what_is_kept_is_told() -> None:
    kept = volume("kept", anonymous=False)
    with_flag = 'With --named-volumes, it can be removed now, by rule "unused named volumes".'
    assert ending(explained("kept", [kept])) == f"Will not be removed under this policy. {with_flag}"
    at = "in 24 hours, at 2026-11-25 12:00:00 UTC, by rule"
    why = "Will not be removed under this policy: held by container web, which is running."
    web = container("web", "running", volumes=["data", "kept"])
    told = explained("volume:data", [volume("data"), web])
    assert ending(told) == f'{why} If container web is removed now, it can be removed {at} "anonymous volumes".'
    assert (told.unless and told.unless.containers, told.forecast.when) == (("web",), "never")
    both = "With --named-volumes and if container web is removed now, it can be removed"
    assert ending(explained("kept", [kept, web])) == f'{why} {both} {at} "unused named volumes".'
    assert ending(explained("web", [web])) == "Will not be removed under this policy while it is running."
    named = policy_from_flags(PolicyFlags(named_volumes=True, kinds=("image",)))
    assert explained("kept", [kept], named).unless is None


def test_what_newer_ones_push_out_stays_until_they_exist() -> None:
    told = explained("app:1", APPS, RELEASES)
    assert told.forecast.until == "3 more images of app come"
    lines = text_of(told, None).splitlines()
    assert "Stays until 3 more images of app come." in lines
    assert not any("Will not be removed" in line for line in lines)


def test_what_no_rule_removes_is_not_said_to_wait_for_newer_ones() -> None:
    keeping = policy_of(rule_text("releases", "image", "keep.last = 3"))
    told = explained("app:2", APPS[:3], keeping)
    assert told.forecast.text == (
        'kept by rule "releases": 2nd newest of app (keep.last); even without it no rule would remove it'
    )
    assert told.forecast.until is None
    dated = replace(keeping, rules=(replace(keeping.rules[0], remove=DATED.rules[0].remove),))
    assert explained("app:2", APPS[:3], dated).forecast.text.endswith(
        '; even without it, it would stay: it is not from before the date that rule "releases" asks for'
    )


ONLY_HERE = image("a", "app:1", in_registry=False, size=500)
ANY_IMAGE = policy_of(rule_text("all", "image", "everything = true", 'remove.older_than = "0s"'))


def test_that_it_exists_only_here_is_a_caution_and_no_reason() -> None:
    told = explained("app:1", [ONLY_HERE], policy_from_flags(PolicyFlags(all_images=True)))
    text = text_of(told, None)
    assert text.count("only here") == 1
    assert "\nrecovery  cannot be recovered (no archive)\n" in text
    archived = explained("app:1", [ONLY_HERE], policy_from_flags(PolicyFlags(all_images=True, archive="")))
    assert "\nrecovery  goes to the archive (complete, until 2026-12-08 12:00:00 UTC)\n" in text_of(archived, None)
    assert "\ncaution   exists only here, cannot be pulled again\n" in text
    assert "only-here" in [reason.code for reason in told.decision.reasons]
    # The verdict has the reasons of the rule that removes it.
    assert "unused tagged images  removes" not in text


def test_an_age_that_no_rule_asks_for_is_no_reason() -> None:
    told = explained("app:1", [image("a", "app:1")], ANY_IMAGE)
    text = text_of(told, None)
    assert 'will be removed by the policy of the test (rule "all"): whatever its age.' in text
    assert text.count("first seen 10 days ago") == 1
    assert "age first seen 10 days ago (2026-11-14 12:00:00 UTC)" in " ".join(text.split())
    held = explained("app:1", [image("a", "app:1"), container("c", "running", image="app:1")], ANY_IMAGE)
    assert "\nall  would remove  whatever its age (first seen 10 days ago)\n" in text_of(held, None)


def test_a_place_in_a_count_and_an_age_that_is_not_asked_for_are_one_reason() -> None:
    counting = policy_of(
        rule_text("apps", "image", 'match.repository = "app"', "keep.last = 2", 'remove.older_than = "0s"')
    )
    text = text_of(explained("app:3", APPS[:3], counting), None)
    assert '(rule "apps"): 3rd newest of app (keep.last = 2), whatever its age.' in text
    two = explained("app:3", [*APPS[:2], built(image("c", "app:3", "other:1"), ago(days=3))], counting)
    assert [tag.why for tag in two.tags if tag.goes] == [
        '3rd newest of app (keep.last = 2), whatever its age (rule "apps")'
    ]


def test_a_sentence_that_holds_of_two_tags_is_said_once() -> None:
    one = built(image("a", "app:1", "app:latest"), ago(days=3))
    assert [rule.text for rule in explained("app:1", [one], RELEASES).rules] == ["newest of app (keep.last)"]


def test_a_flag_says_what_then_goes_before_it() -> None:
    parts = image("a", "app:1", size=500), container("c", image="sha256:a", size=7)
    told = explained("app:1", parts)
    assert told.unless is not None
    plan = plan_of(inventory(*parts), policy_from_flags(PolicyFlags(all_images=True)), NOW)
    [row] = [step for step in plan.removals if step.kind == "image"]
    assert told.unless.reclaim_in_plan == row.reclaim
    less = replace(told, reclaim_alone=replace(row.reclaim, low_bytes=0, high_bytes=0))
    assert (
        "Removing only this frees 0 B. "
        "In a plan with --all-images, where what holds its layers goes first, it frees 500 B."
    ) in text_of(less, None)


def test_containers_that_hold_each_other_let_nothing_go() -> None:
    joined = container("a", "running", shares_with=["b"]), container("b", "running", shares_with=["a"])
    assert explained("a", list(joined)).unless is None


def test_very_many_chains_are_summed_up() -> None:
    objects: list[Object] = [
        image("a"),
        *(container(f"web-{number}", "running", image="sha256:a") for number in range(30)),
    ]
    text = text_of(explained("a", objects), 80)
    assert text.count(" <- container ") == 10
    assert "and 20 others, all of which --format json lists" in text


def test_the_document_reads_back_as_it_was_written() -> None:
    told = explained("4f2a", SHOWN)
    assert read_document(write_document(told).encode(), Explanation, "x") == told


@pytest.fixture
def saved(tmp_path: Path) -> str:
    return write_inventory(tmp_path, inventory(*SHOWN, volume("web", anonymous=False), volume("data")))


def test_the_command_line(saved: str, tmp_path: Path) -> None:
    run = dockersweep("explain", "4f2a", "--inventory", saved, COLUMNS="80")
    assert (run.status, run.stdout, run.stderr) == (0, AT_80, "")
    document = dockersweep("explain", "image:sha256:4f", "--format", "json", "--inventory", saved).json()
    assert (document["schema"], document["subject"]["name"]) == ("dockersweep.explanation/1", "base@4f2a")
    written = tmp_path / "told.txt"
    assert dockersweep("explain", "data", "--inventory", saved, "-o", str(written)).stdout == ""
    assert "Volume data will be removed" in written.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "dta",
            (
                'nothing here is called "dta", and no id begins so: did you mean volume:data? '
                "If it is gone: `dockersweep history --object dta`"
            ),
        ),
        (
            "zzz",
            (
                'nothing here is called "zzz", and no id begins so: `dockersweep scan --all` lists what there is. '
                "If it is gone: `dockersweep history --object zzz`"
            ),
        ),
        ("", "the name of the object is empty: write a name, a tag, the beginning of an id, or KIND:NAME"),
    ],
)
def test_what_is_not_clear_is_refused_with_what_it_could_be(saved: str, text: str, message: str) -> None:
    run = dockersweep("explain", text, "--inventory", saved)
    assert (run.status, run.stdout, run.stderr) == (2, "", f"dockersweep: {message}\n")


@given(INVENTORIES, POLICIES)
@examples(60)
def test_an_explanation_says_of_each_object_what_the_plan_says(seen: Inventory, policy: Policy) -> None:
    plan = plan_of(seen, policy, NOW)
    decisions = {one.ref: one for one in plan.decisions}
    rows = {one.ref: one.reclaim for one in plan.removals if one.action == "remove"}
    for ref in map(ref_of, objects_of(seen)):
        explanation = explain(Survey(seen, NOW), policy, ref)
        assert explanation.decision == decisions[ref]
        assert (explanation.warnings, explanation.limits) == (plan.warnings, plan.limits)
        assert explanation.reclaim_in_plan == rows.get(ref)
