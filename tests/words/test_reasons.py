"""Reasons: each kind has its sentence, and comes back out of a document as it went in."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import msgspec
import pytest
from msgspec.structs import replace

from dockersweep.model.age_reasons import AfterContainer, Aged, AgeUnknown, Candidate, Unwatched
from dockersweep.model.document_schemas import json_schema
from dockersweep.model.documents import read_document
from dockersweep.model.plan import Plan
from dockersweep.model.reason import (
    About,
    Beyond,
    DeclaredBy,
    Doubt,
    Excluded,
    Fact,
    FactName,
    ForSpace,
    Group,
    HeldBy,
    InWords,
    Kept,
    KeptTag,
    KeptVersion,
    KeptWithin,
    NameBegins,
    NotMatched,
    OfKubelet,
    OfPod,
    OfProject,
    OfRunningProject,
    OnlyByRule,
    OnlyKinds,
    Protected,
    Reason,
    Recoverable,
    Refused,
    Restart,
    Scope,
    ServiceUses,
    Skipped,
    State,
    ToolUses,
    Undated,
    Unread,
    Unrecoverable,
)
from dockersweep.units import DAY
from dockersweep.words.documents import write_document
from dockersweep.words.reasons import (
    about_text,
    beyond_text,
    joined,
    joined_by_rule,
    reason_text,
    removal_text,
    untagged_text,
)
from tests.model.test_documents import PLAN
from tests.rig.inventories import as_read

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
APP = Group(by="repository", kind="image", name="team/app")

SENTENCES: tuple[tuple[About, str], ...] = (
    (
        DeclaredBy(path="/srv/shop/compose.yaml", line=3, by="service db"),
        "declared by /srv/shop/compose.yaml (service db)",
    ),
    (
        DeclaredBy(path="/etc/containers/systemd/db.volume", others=2),
        "declared by /etc/containers/systemd/db.volume and 2 more",
    ),
    (
        Protected(by="pet", pattern="manager=distrobox", source="protect.pets"),
        "a development container or cluster node, by the label manager=distrobox (protect.pets)",
    ),
    (Fact(name="used-by-build"), "a build uses it"),
    (
        HeldBy(relation="uses", kind="container", id="1", name="web", state="exited", stopped_seconds=7200),
        "used by container web (exited 2 hours ago)",
    ),
    (
        HeldBy(relation="joins-namespaces", kind="container", id="1", name="web", state="running"),
        "container web (running) joins its namespaces",
    ),
    (
        HeldBy(relation="may-mount", kind="container", id="1", name="web", mounted_as="app:1"),
        "may be what container web mounts as app:1",
    ),
    (HeldBy(relation="parent", kind="build-cache", id="r1", name="r1"), "parent of build-cache record r1"),
    (
        HeldBy(relation="lends-configuration", kind="network", id="n", name="net"),
        "lends its configuration to network net",
    ),
    (Aged(measure="stopped", seconds=864_000, limit="24h"), "stopped 10 days ago (limit 24 hours)"),
    (
        Aged(measure="created", seconds=3600, limit="24h", is_reached=False, setting="protect.younger_than"),
        "created 60 minutes ago (limit 24 hours, protect.younger_than)",
    ),
    (
        Aged(
            measure="unused",
            seconds=864_000,
            limit="1d",
            also=(Aged(measure="built", seconds=9_999_999, date="2026-01-31"),),
        ),
        "not in use for 10 days (limit 1 day), built 3 months ago (before 2026-01-31)",
    ),
    (
        Aged(measure="last-used", seconds=93_600, by="backup-1", by_is_gone=True, action="exited"),
        "last used 26 hours ago by backup-1 (removed)",
    ),
    (Aged(measure="last-used", seconds=93_600, action="pulled"), "pulled 26 hours ago"),
    (Aged(measure="last-used", seconds=30 * DAY, limit="30d"), "last used 30 days ago (limit 30 days)"),
    (Aged(measure="last-used", seconds=31 * DAY, limit="1mo"), "last used 31 days ago (limit 1 month)"),
    (
        Aged(measure="last-used", seconds=30 * DAY - 1, limit="30d", is_reached=False),
        "last used 29 days ago (limit 30 days)",
    ),
    (Aged(measure="last-used", seconds=101 * DAY, limit="30d"), "last used 3 months ago (limit 30 days)"),
    (Aged(measure="last-used", seconds=30 * DAY, limit="24h"), "last used 30 days ago (limit 24 hours)"),
    (Aged(measure="last-used", seconds=36 * 3600, limit="1d"), "last used 36 hours ago (limit 1 day)"),
    (Candidate(seconds=30 * DAY, limit="30d", is_reached=True), "a candidate for 30 days (limit 30 days)"),
    (Aged(measure="written", seconds=7_200), "written 2 hours ago"),
    (
        Aged(measure="unused", seconds=26 * DAY, since_at=AT - timedelta(days=26), watched_seconds=26 * DAY - 1),
        "not used since 2026-11-04 (watched by dockersweep)",
    ),
    (
        Aged(measure="unused", seconds=26 * DAY, since_at=AT - timedelta(days=26), watched_seconds=26 * DAY - 24),
        "not used since 2026-11-04 (watched by dockersweep but for 24 seconds)",
    ),
    (
        Aged(measure="unused", seconds=26 * DAY, since_at=AT - timedelta(days=26), watched_seconds=26 * DAY - 121),
        "not in use since 2026-11-04 (25 of 26 days watched by dockersweep)",
    ),
    (
        Aged(measure="unused", seconds=28, since_at=AT - timedelta(seconds=28), watched_seconds=4),
        "not in use since 2026-11-30 (4 of 28 seconds watched by dockersweep)",
    ),
    (
        Aged(
            measure="unused",
            seconds=26 * DAY,
            since_at=AT - timedelta(days=26),
            watched_seconds=26 * DAY,
            builds_unseen=True,
        ),
        "not used since 2026-11-04 (watched by dockersweep; uses by builds not seen)",
    ),
    (
        Aged(
            measure="seen-unused", seconds=26 * DAY, since_at=AT - timedelta(days=26), watched_seconds=9 * DAY, scans=14
        ),
        "not in use in any of 14 scans since 2026-11-04 (9 of 26 days watched by dockersweep)",
    ),
    (
        Aged(measure="seen-unused", seconds=400 * DAY, since_at=AT - timedelta(days=400), scans=1, limit="30d"),
        "not in use since 2025-10-26 (13 months, limit 30 days)",
    ),
    (
        Aged(
            measure="unused",
            seconds=20 * 3600,
            since_at=AT - timedelta(hours=20),
            watched_seconds=20 * 3600,
            limit="24h",
            is_reached=False,
            by="web-1",
            by_is_gone=True,
            action="exited",
        ),
        "last used by web-1 (removed), not used since 2026-11-29 (20 hours, limit 24 hours, watched by dockersweep)",
    ),
    (
        Aged(measure="first-seen", seconds=3 * DAY, made_by_hand=True, limit="30d", is_reached=False),
        "made by hand, first seen 3 days ago (limit 30 days)",
    ),
    (
        Aged(measure="written", seconds=3 * DAY, only_copy_of="shop-db-1", limit="24h"),
        "written 3 days ago (limit 24 hours); holds the only copy of what shop-db-1 wrote",
    ),
    (
        Unwatched(
            age=Aged(
                measure="seen-unused", seconds=26 * DAY, since_at=AT - timedelta(days=26), watched_seconds=1, scans=14
            ),
            watched_seconds=2 * DAY,
            asked_seconds=7 * DAY,
            limit="7d",
        ),
        (
            "not in use in any of 14 scans since 2026-11-04; dockersweep watched only 2 of the last 7 days, at least "
            "half is needed"
        ),
    ),
    (
        Unwatched(
            age=Aged(measure="last-used", seconds=9 * DAY),
            watched_seconds=0,
            asked_seconds=7 * DAY,
            limit="7d",
            builds_unseen=True,
        ),
        (
            "last used 9 days ago; dockersweep watched none of the last 7 days, at least half is needed; "
            "uses by builds not seen"
        ),
    ),
    (
        AfterContainer(name="db", limit="24h", goes_at=AT, only_copy_of="db", more=1),
        (
            "kept for 24 hours after container db and 1 more are removed (until 2026-11-30 if removed now); "
            "holds the only copy of what db wrote"
        ),
    ),
    (AgeUnknown(asked_for="age"), "age unknown: nothing tells it"),
    (
        AgeUnknown(asked_for="last-use", built_on="2026-01-31"),
        "its last use is not known: built 2026-01-31, and nothing tells when it came here",
    ),
    (Candidate(seconds=None, limit="48h", is_reached=False), "a candidate from now on (limit 48 hours)"),
    (Candidate(seconds=172_800, limit="48h", is_reached=True), "a candidate for 2 days (limit 48 hours)"),
    (Kept(keep="last", place=3, group=APP), "3rd newest of team/app (keep.last)"),
    (Kept(keep="last", place=6, group=APP, of_all=True), "keeps all of team/app (keep.last = all)"),
    (Kept(keep="daily", place=6, of_all=True), "daily (keep.daily = all)"),
    (Kept(keep="daily", place=9, oldest=True, of_all=True), "oldest, daily (keep.daily = all)"),
    (Beyond(place=4, count=3, group=APP), "4th newest of team/app (keep.last = 3)"),
    (Kept(keep="daily", place=2, oldest=True), "oldest, 2nd daily (keep.daily)"),
    (Kept(keep="last", place=2, as_new_as=True), "as new as the 2nd newest (keep.last)"),
    (
        KeptWithin(limit="30d", group=Group(by="label:stage", kind="image")),
        "within 30 days of the newest of images without the label stage",
    ),
    (KeptTag(pattern="v*"), "tag matches v*"),
    (KeptVersion(version="1.4"), "newest of version 1.4"),
    (KeptVersion(version="2", pre_release=True), "newest pre-release of version 2"),
    (Undated(dated_at=AT), "dated in the future (2026-11-30T12:00:00Z)"),
    (Undated(is_image=True), "nothing tells when it was built"),
    (Doubt(condition="recoverable", keeps=True), "in doubt: nothing tells whether it can be pulled again"),
    (Doubt(condition="exit_code", excludes=True), "it is not known whether not.exit_code excludes it"),
    (NotMatched(condition="tagged", wanted=False, flag="--all-images"), "tagged (add --all-images to include)"),
    (NotMatched(condition="exit_code", wanted=(1, 2), has=0), "its exit code is 0"),
    (NotMatched(condition="name", wanted=("a*", "b*")), "its name does not match a* or b*"),
    (
        NotMatched(
            condition="restarts_by_itself",
            wanted=False,
            restart=Restart(policy="on-failure", restarts=True, exit_code=3),
        ),
        "restarts by itself (on-failure, exit code 3)",
    ),
    (Excluded(condition="labels"), "excluded by not.labels"),
    (
        Protected(by="project", pattern="sh*", source="protect.projects", project="shop", how="certain"),
        "the compose project shop matches sh* (protect.projects)",
    ),
    (
        Protected(by="project", pattern="sh*", source="protect.projects", project="shop", how="doubtful"),
        "it may be of the compose project shop, which matches sh* (protect.projects)",
    ),
    (
        Protected(by="project", pattern="sh*", source="protect.projects", project="shop", how="used-last"),
        "last used by the compose project shop, which matches sh* (protect.projects)",
    ),
    (OfProject(project="shop", how="certain"), "project shop"),
    (
        OfProject(project="shop", how="certain", service="db", files=("/srv/shop/compose.yaml", "/srv/shop/more.yaml")),
        "project shop, service db, from /srv/shop/compose.yaml, /srv/shop/more.yaml",
    ),
    (OfProject(project="shop", how="certain", service="web", lost_its_tag=True), "formerly shop/web"),
    (
        OfProject(project="shop", how="doubtful", service="web"),
        "perhaps of project shop, service web: its label may be inherited from an image",
    ),
    (OfProject(project="shop", how="used-last", service="db"), "last used by project shop, service db"),
    (Fact(name="only-here"), "exists only here"),
    (
        OfRunningProject(project="shop", running="shop-web-1"),
        "the compose project shop runs (shop-web-1) and needs it to start again (protect.init_containers)",
    ),
    (Protected(by="label", pattern="keep", source="protect.labels"), "has the label keep (protect.labels)"),
    (OnlyKinds(kinds=("image", "volume")), "not asked for (--kind image --kind volume)"),
    (
        OnlyKinds(kinds=("container", "image", "network", "build-cache")),
        "not asked for (--not-kind volume)",
    ),
    (State(state="running"), "it is running"),
    (Scope(scope="swarm"), "its scope is swarm: other nodes may use it"),
    (Unread(problem="timed out"), "it could not be read in full: timed out"),
    (NameBegins(volume="data2"), "Podman could remove data2 in its place"),
    (
        ServiceUses(service="web", mode="replicated", desired=2, running=0, for_rollback=True),
        "used by service web (0 of 2 replicas), for a rollback",
    ),
    (OfPod(pod="web-0", namespace="shop"), "part of the Kubernetes pod shop/web-0, which the kubelet itself cleans up"),
    (OfKubelet(label="io.kubernetes.x"), "it has the label io.kubernetes.x, so it belongs to the kubelet"),
    (ToolUses(tool="CRI-O", name="k8s_1"), "used by k8s_1, a container of CRI-O"),
    (ToolUses(tool="volume", name="v", is_certain=False), "may be used by volume v (driver image)"),
    (
        Refused(runs=3, answer="it is used", retried_at=AT),
        "the engine refused it in 3 runs: it is used (tried again on 2026-11-30, or with --retry-refused)",
    ),
    (Recoverable(digest="app@sha256:1"), "can be pulled again as app@sha256:1"),
    (
        ForSpace(age=Aged(measure="last-used", seconds=864_000)),
        "last used 10 days ago, least recently used, removed to free space",
    ),
    (
        OnlyByRule(restart=Restart(policy="unless-stopped", restarts=True)),
        "its restart policy is unless-stopped (stays down if stopped by hand): goes only by a rule",
    ),
    (OnlyByRule(restart=Restart(policy="always", restarts=True)), "restarts by itself (always): goes only by a rule"),
    (Skipped(why="in use: a build uses it"), "in use: a build uses it"),
    (Unrecoverable(why="no archive"), "it cannot be recovered (no archive)"),
)


@pytest.mark.parametrize(("about", "text"), SENTENCES, ids=[text for _, text in SENTENCES])
def test_each_has_its_sentence(about: About, text: str) -> None:
    assert about_text(about) == text


def test_each_kind_is_shown_here() -> None:
    assert {type(about) for about, _ in SENTENCES} == set(get_args(About))


@pytest.mark.parametrize("name", get_args(FactName))
def test_each_fact_has_its_sentence(name: FactName) -> None:
    assert about_text(Fact(name=name))


def plan_with(*reasons: Reason) -> Plan:
    (decision, *_) = PLAN.decisions
    return msgspec.structs.replace(PLAN, decisions=(msgspec.structs.replace(decision, reasons=reasons),))


def test_values_come_back_out_of_a_document() -> None:
    plan = plan_with(*(Reason(code="no-rule", rule="a", tag="app:1", about=about) for about, _ in SENTENCES))
    assert read_document(write_document(plan).encode(), Plan, "x") == as_read(plan)


def written(plan: Plan) -> list[dict[str, object]]:
    reasons: list[dict[str, object]] = msgspec.json.decode(write_document(plan))["decisions"][0]["reasons"]
    return reasons


def test_documents_have_the_sentence_too() -> None:
    about = Aged(measure="stopped", seconds=864_000, limit="24h")
    assert written(plan_with(Reason(code="tag-goes", rule="old", tag="app:1", about=about))) == [
        {
            "code": "tag-goes",
            "rule": "old",
            "text": "tag app:1 goes (frees 0 B): stopped 10 days ago (limit 24 hours)",
            "tag": "app:1",
            "about": {"what": "age", "measure": "stopped", "seconds": 864_000, "limit": "24h"},
        }
    ]


def test_what_an_older_version_wrote_keeps_its_sentence() -> None:
    plan = plan_with(Reason(code="kept", rule="a", about=InWords(text="last #3")))
    assert written(plan) == [{"code": "kept", "rule": "a", "text": "last #3"}]
    assert read_document(write_document(plan).encode(), Plan, "x") == as_read(plan)


def test_what_a_newer_version_says_is_read_by_its_sentence() -> None:
    plan = msgspec.json.decode(write_document(plan_with(Reason(code="kept", rule="a", about=KeptTag(pattern="v*")))))
    plan["decisions"][0]["reasons"][0]["about"] = {"what": "something new", "moon": "full"}
    (decision,) = read_document(msgspec.json.encode(plan), Plan, "x").decisions
    assert decision.reasons == (Reason(code="kept", rule="a", about=InWords(text="tag matches v*")),)


def test_the_schema_has_text_and_values() -> None:
    reason = json_schema("plan")["$defs"]["Reason"]
    assert {"code", "rule", "text", "tag", "about"} == set(reason["properties"])
    assert reason["required"] == ["code", "rule", "text"]


def test_the_tag_stands_before_the_sentence_or_beside_it() -> None:
    reason = Reason(code="kept", rule="a", tag="app:1", about=Kept(keep="last", place=1))
    assert (reason_text(reason), untagged_text(reason)) == ("app:1: newest (keep.last)", "newest (keep.last)")


def test_reasons_are_joined_with_each_sentence_rule_and_tag_once() -> None:
    aged = Aged(measure="last-used", seconds=864_000, action="loaded")
    place = Beyond(place=4, count=3)
    of_tag = [Reason(code="tag-goes", rule="old", tag="app:4", about=one) for one in (replace(aged, limit="2d"), place)]
    assert joined_by_rule(of_tag) == (
        "old: tag app:4 goes (frees 0 B): loaded 10 days ago (limit 2 days); 4th newest (keep.last = 3)"
    )
    only_here = Reason(code="only-here", rule="dangling images", about=Fact(name="only-here"))
    loaded = Reason(code="old-enough", rule="dangling images", about=aged)
    assert joined_by_rule([loaded, only_here]) == (
        "dangling images: whatever its age (loaded 10 days ago); exists only here"
    )
    kept = [Reason(code="kept", rule="a", about=Kept(keep="last", place=1))] * 2
    assert joined(kept) == "newest (keep.last)"
    assert removal_text(loaded) == "whatever its age (loaded 10 days ago)"
    young = replace(loaded, code="too-young", about=replace(aged, is_reached=False))
    assert removal_text(young) == "loaded 10 days ago"


def test_what_is_released_says_so() -> None:
    about = HeldBy(relation="uses", kind="container", id="1", name="web", state="exited")
    reason = Reason(code="released", rule="a", about=about)
    assert reason_text(reason) == "used by container web (exited), which goes too"


def test_who_holds_it_beyond_objects() -> None:
    tool = Reason(code="external", rule="protected", about=ToolUses(tool="podman build", name="b-1"))
    service = Reason(code="service", rule="protected", about=ServiceUses(service="web", mode="global"))
    assert (beyond_text(tool), beyond_text(service)) == ("b-1, a container of a build", "service web (global)")


def test_ages_that_a_document_nests_are_not_followed_down() -> None:
    nested = Aged(measure="created", seconds=3600)
    for _ in range(10_000):
        nested = Aged(measure="stopped", seconds=7200, also=(nested,))
    assert about_text(nested) == "stopped 2 hours ago, stopped 2 hours ago"


@pytest.mark.parametrize("seconds", [10**15, -(10**15)])
def test_an_age_that_no_calendar_has_is_still_told(seconds: int) -> None:
    about = Aged(measure="seen-unused", seconds=seconds, since_at=AT, watched_seconds=0, scans=3)
    reason = Reason(code="too-young", rule="r", about=about)
    assert " since " in reason_text(reason)
