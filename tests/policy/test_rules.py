"""Which object goes, which stays, and what is said about it: one case a line, named for what it shows."""

import msgspec
import pytest
from msgspec.structs import replace

from dockersweep.errors import UsageError
from dockersweep.model.external import ExternalContainer, ExternalTool
from dockersweep.model.inventory import Inventory, Object
from dockersweep.model.plan import Decision, Plan
from dockersweep.model.policy import Policy, Protection, Protections
from dockersweep.policy.judging.coverage import findings
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.judging.use import describe_use
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.units import parse_age
from dockersweep.words.reasons import reason_text
from tests.rig.inventories import (
    ENGINE,
    NOW,
    ago,
    container,
    decisions_of,
    image,
    inventory,
    network,
    plan_of,
    record,
    volume,
)

DEFAULT = PolicyFlags()
NOW_FLAGS = PolicyFlags(older_than=parse_age("0s"))


def judge(objects: Inventory, flags: PolicyFlags = DEFAULT) -> dict[str, Decision]:
    policy: Policy = policy_from_flags(flags)
    return {decision.id: decision for decision in decisions_of(objects, policy, NOW)}


def words(decision: Decision) -> str:
    return "; ".join(map(reason_text, decision.reasons))


CASES: dict[str, tuple[tuple[Object, ...], PolicyFlags, str, str, str]] = {
    # name of the case: objects, flags, id that is judged, verdict, reason
    "stopped for long": ((container("web"),), DEFAULT, "web", "remove", "stopped 10 days ago (limit 24 hours)"),
    "stopped just now": (
        (container("web", finished=ago(hours=3)),), DEFAULT, "web", "keep", "stopped 3 hours ago (limit 24 hours)",
    ),
    "stopped a minute ago, created long ago": (
        (container("web", finished=ago(minutes=1), created=ago(days=900)),), DEFAULT, "web", "keep", "60 seconds",
    ),
    "never started": (
        (container("web", "created", created=ago(days=3)),), DEFAULT, "web", "remove",
        "created 3 days ago and never started (limit 24 hours)",
    ),
    "created a second ago": (
        (container("web", "created", created=ago(seconds=1)),), DEFAULT, "web", "keep", "(limit 24 hours)",
    ),
    "running": ((container("web", "running"),), NOW_FLAGS, "web", "keep", "it is running"),
    "paused": ((container("web", "paused"),), NOW_FLAGS, "web", "keep", "it is paused"),
    "in removal": ((container("web", "removing"),), NOW_FLAGS, "web", "keep", "it is removing"),
    "a state that nobody knows": ((container("web", "odd"),), NOW_FLAGS, "web", "keep", "it is odd"),
    "restarts by itself": (
        (container("web", restart="always"),), NOW_FLAGS, "web", "keep", "restarts by itself (always)",
    ),
    "restarts unless stopped": (
        (container("web", restart="unless-stopped"),), NOW_FLAGS, "web", "keep", "unless-stopped",
    ),
    "on-failure, did not fail": (
        (container("web", restart="on-failure"),), DEFAULT, "web", "remove", "stopped 10 days ago",
    ),
    "on-failure, failed, retries unknown": (
        (replace(container("web", restart="on-failure"), exit_code=1),), NOW_FLAGS, "web", "keep",
        "not known whether it restarts by itself (on-failure)",
    ),
    "on-failure, exit code unknown": (
        (replace(container("web", restart="on-failure"), exit_code=None, retries_left=True),), NOW_FLAGS, "web",
        "keep", "not known whether it restarts by itself",
    ),
    "on-failure, exit code unknown, no retries": (
        (replace(container("web", restart="on-failure"), exit_code=None, retries_left=False),), DEFAULT, "web",
        "remove", "stopped 10 days ago",
    ),
    "restart policy unknown": (
        (container("web", restart=None),), NOW_FLAGS, "web", "keep", "of unknown restart policy",
    ),
    "swarm task": (
        (container("web", labels={"com.docker.swarm.task.id": "x"}),), NOW_FLAGS, "web", "keep", "swarm",
    ),
    "not read in full": ((container("web", unread="it hung"),), NOW_FLAGS, "web", "keep", "in full: it hung"),
    "dangling": ((image("a"),), DEFAULT, "sha256:a", "remove", "first seen 10 days ago (limit 24 hours)"),
    "dangling, just seen": (
        (image("a", first_seen=ago(hours=1)),), DEFAULT, "sha256:a", "keep", "first seen 60 minutes ago (limit",
    ),
    "dangling, can be pulled again": (
        (image("a", digests=["app@sha256:1"]),), DEFAULT, "sha256:a", "remove", "can be pulled again as app@sha256:1",
    ),
    "tagged": ((image("a", "app:1"),), DEFAULT, "sha256:a", "keep", "tagged (add --all-images to include)"),
    "tagged, all images": (
        (image("a", "app:1"),), PolicyFlags(all_images=True), "sha256:a", "remove", "first seen 10 days ago",
    ),
    "held by a container that stays": (
        (image("a"), container("web", image="sha256:a", finished=ago(hours=2))), DEFAULT, "sha256:a", "keep",
        "used by container web (exited 2 hours ago)",
    ),
    "held by a container that goes": (
        (image("a"), container("web", image="sha256:a")), DEFAULT, "sha256:a", "remove",
        "last used 10 days ago (limit 24 hours); used by container web (exited 10 days ago), which goes too",
    ),
    "named by a container without its id": (
        (image("a", "app:1"), container("web", "running", image="app:1")), PolicyFlags(all_images=True), "sha256:a",
        "keep", "used by container web (running)",
    ),
    "parent of a tagged image": (
        (image("p"), image("a", "app:1", parent="p")), NOW_FLAGS, "sha256:p", "keep", "parent of image app:1",
    ),
    "parent of a dangling image": (
        (image("p"), image("a", parent="p")), NOW_FLAGS, "sha256:p", "remove", "parent of image a, which goes too",
    ),
    "just out of use, by the ledger": (
        (image("a", first_seen=ago(days=90), first_unused=ago(hours=2)),), DEFAULT, "sha256:a", "keep",
        "not used since 2026-11-24 (2 hours, limit 24 hours, watched by dockersweep)",
    ),
    "anonymous volume": ((volume("v"),), DEFAULT, "v", "remove", "first seen 10 days ago (limit 24 hours)"),
    "named volume": ((volume("v", anonymous=False),), DEFAULT, "v", "keep", "add --named-volumes to include"),
    "named volume, asked for": (
        (volume("v", anonymous=False),), PolicyFlags(named_volumes=True), "v", "remove", "first seen 10 days ago",
    ),
    "volume of another driver": ((volume("v", driver="nfs"),), NOW_FLAGS, "v", "keep", "of the driver nfs"),
    "volume with options": (
        (volume("v", options={"type": "nfs"}),), NOW_FLAGS, "v", "keep", "with mount options",
    ),
    "volume that only the engine counts": (
        (volume("v", free=False),), NOW_FLAGS, "v", "keep", "the engine counts a use of it that no container shows",
    ),
    "volume of a stopped container that stays": (
        (volume("v", free=False), container("web", volumes=["v"], finished=ago(hours=1))), DEFAULT, "v", "keep",
        "used by container web (exited 60 minutes ago)",
    ),
    "volume of a container that goes": (
        (volume("v", free=False), container("web", volumes=["v"])), DEFAULT, "v", "keep",
        "kept for 24 hours after container web is removed (until 2026-11-25 if removed now)",
    ),
    "volume of a container that goes, whatever its age": (
        (volume("v", free=False), container("web", volumes=["v"])), NOW_FLAGS, "v", "remove",
        "web (exited 10 days ago)",
    ),
    "volume that the engine calls free and a container mounts": (
        (volume("v"), container("web", "running", volumes=["v"])), NOW_FLAGS, "v", "keep", "used by container web",
    ),
    "volume with a folder bound into a container": (
        (volume("v"), container("web", "running", binds=["/var/lib/docker/volumes/v/_data/sub"])), NOW_FLAGS, "v",
        "keep", "used by container web (running)",
    ),
    "network": ((network("n"),), DEFAULT, "net-n", "remove", "first seen 10 days ago (limit 24 hours)"),
    "network made by hand": (
        (network("n", project=None),), DEFAULT, "net-n", "keep",
        "made by hand, not used since 2026-11-14 (10 days, limit 30 days, watched by dockersweep)",
    ),
    "network that a stopped container names": (
        (network("n"), container("web", networks=["n"], finished=ago(hours=1))), NOW_FLAGS, "net-n", "remove",
        "which goes too",
    ),
    "network that a container that stays names": (
        (network("n"), container("web", networks=["net-n"], restart="always")), NOW_FLAGS, "net-n", "keep",
        "used by container web (exited 10 days ago)",
    ),
    "predefined network": ((network("n", predefined=True),), NOW_FLAGS, "net-n", "keep", "made by the engine"),
    "swarm network": ((network("n", scope="swarm"),), NOW_FLAGS, "net-n", "keep", "its scope is swarm"),
    "network that lends its configuration": (
        (network("n"), network("m", config_from="n", created=ago(hours=1))), DEFAULT, "net-n", "keep",
        "lends its configuration to network m",
    ),
    "old cache": ((record("r"),), DEFAULT, "r", "remove", "last used 10 days ago (limit 7 days)"),
    "young cache": ((record("r", last_used=ago(days=6)),), DEFAULT, "r", "keep", "6 days ago (limit 7 days)"),
    "cache in use": ((record("r", in_use=True),), NOW_FLAGS, "r", "keep", "a build uses it"),
    "cache under a record that stays": (
        (record("p"), record("r", "p", last_used=ago(days=1))), DEFAULT, "p", "keep", "parent of build-cache record r",
    ),
    "protected by label": (
        (container("web", labels={"keep": ""}),), PolicyFlags(keep_labels=("keep",)), "web", "keep",
        "has the label keep (--keep-label)",
    ),
    "label with another value": (
        (container("web", labels={"env": "dev"}),), PolicyFlags(keep_labels=("env=prod",)), "web", "remove", "stopped",
    ),
    "one of several labels protects": (
        (container("web", labels={"b": "1"}),), PolicyFlags(keep_labels=("a", "b=1")), "web", "keep", "the label b=1",
    ),
    "protected by name": (
        (volume("db-1"),), PolicyFlags(keep_names=("db-*",)), "db-1", "keep", "its name matches db-* (--keep-name)",
    ),
    "protected by repository": (
        (image("a", "app:1"),), PolicyFlags(all_images=True, keep_images=("app",)), "sha256:a", "keep", "matches app",
    ),
    "protected by any of its tags": (
        (image("a", "app:1", "app:stable"),), PolicyFlags(all_images=True, keep_images=("*:stable",)), "sha256:a",
        "keep", "matches *:stable",
    ),
    "protected without Podman's prefix": (
        (image("a", "localhost/app:1"),), PolicyFlags(all_images=True, keep_images=("app:1",)), "sha256:a", "keep",
        "matches app:1",
    ),
    "registry with a port is no tag": (
        (image("a", "host:5000/app:1"),), PolicyFlags(all_images=True, keep_images=("host:5000/app",)), "sha256:a",
        "keep", "matches host:5000/app",
    ),
    "a kind that is not asked for": (
        (container("web"),), PolicyFlags(kinds=("image",)), "web", "keep", "not asked for (--kind image)",
    ),
    "an age for all kinds": (
        (record("r", last_used=ago(hours=2)),), PolicyFlags(older_than=parse_age("1h")), "r", "remove",
        "last used 2 hours ago (limit 1 hour)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_becomes_of(case: str) -> None:
    objects, flags, judged, verdict, reason = CASES[case]
    decision = judge(inventory(*objects), flags)[judged]
    assert (decision.verdict, reason in words(decision)) == (verdict, True), words(decision)


def test_a_container_whose_network_another_joins_stays_as_long_as_that_one() -> None:
    kept = judge(inventory(container("donor"), container("late", "running", shares_with=["donor"])))["donor"]
    assert (kept.verdict, words(kept)) == ("keep", "container late (running) joins its namespaces")
    both = judge(inventory(container("donor"), container("late", shares_with=["donor"])))
    assert {one.verdict for one in both.values()} == {"remove"}


PODMAN = msgspec.structs.replace(ENGINE, flavour="podman", id=None)


def test_podman_takes_the_beginning_of_a_volume_s_name_for_the_name() -> None:
    told = judge(inventory(volume("app"), volume("app_data"), engine=PODMAN), NOW_FLAGS)
    assert words(told["app"]) == "Podman could remove app_data in its place"
    assert told["app_data"].verdict == "remove"
    assert judge(inventory(volume("app"), volume("app_data")), NOW_FLAGS)["app"].verdict == "remove"


def external(name: str, tool: ExternalTool, image_id: str | None = "sha256:a") -> ExternalContainer:
    return ExternalContainer(id=f"id-{name}", name=name, image_id=image_id, tool=tool, created_at=ago(hours=8))


HOLDERS = {
    "a container of a build": (external("ubi-working-container", "podman build"), "used by ubi-working-container, a "),
    "a container of CRI-O": (external("k8s_POD_web", "CRI-O"), "used by k8s_POD_web, a container of CRI-O"),
    "a volume of the driver image": (external("v+volume", "volume"), "used by volume v (driver image)"),
    "a mount": (external("/var/x/merged", "image mount"), "mounted on the host (podman image mount lists it)"),
    "something else": (external("x", "other"), "used by x, a container of another tool"),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_what_other_tools_hold_stays_with_its_parents_and_nothing_else_does(holder: str) -> None:
    outside, text = HOLDERS[holder]
    seen = inventory(image("a", "app:1", parent="p"), image("p"), image("b", "b:1"), engine=PODMAN)
    seen = msgspec.structs.replace(seen, external=(outside, external("scratch", "podman build", None)))
    told = judge(seen, PolicyFlags(all_images=True, older_than=parse_age("0s")))
    assert [told[f"sha256:{one}"].verdict for one in "apb"] == ["keep", "keep", "remove"]
    assert (told["sha256:a"].reasons[0].code, told["sha256:a"].reasons[0].rule) == ("external", "protected")
    assert words(told["sha256:a"]).startswith(text)
    in_use = {use.id for use in describe_use(Survey(seen, NOW)) if use.in_use}
    assert in_use == {"sha256:a", "sha256:p"}


def test_of_several_holders_the_running_one_is_told_first() -> None:
    made = container("a-made", "created", image="sha256:a", created=ago(days=1))
    seen = inventory(image("a", "app:1"), made, container("b-runs", "running", image="sha256:a"))
    [why] = [use.why for use in describe_use(Survey(seen, NOW)) if use.kind == "image"]
    assert why == "used by container b-runs (running) and 1 more"


def test_what_lies_in_a_read_only_store_stays() -> None:
    told = judge(inventory(image("a", read_only=True), image("b"), engine=PODMAN), NOW_FLAGS)
    assert (told["sha256:a"].reasons[0].code, told["sha256:a"].reasons[0].rule) == ("read-only", "protected")
    assert words(told["sha256:a"]) == "in a read-only store (additionalimagestores); it cannot be removed here"
    assert told["sha256:b"].verdict == "remove"


def test_where_other_tools_are_not_told_a_volume_holds_the_image_that_it_names() -> None:
    by_name = volume("v", driver="image", options={"image": "app:1"}, anonymous=False)
    images = image("a", "localhost/app:1"), image("old"), image("b", "b:1")
    flags = PolicyFlags(all_images=True, older_than=parse_age("0s"))
    told = judge(msgspec.structs.replace(inventory(by_name, *images, engine=PODMAN), external=None), flags)
    assert words(told["sha256:a"]) == "used by volume v (driver image)"
    # The tag may have moved there since.
    assert words(told["sha256:old"]) == "may be used by volume v (driver image)"
    assert told["sha256:b"].verdict == "remove"
    known = judge(inventory(by_name, *images, engine=PODMAN), flags)
    assert {known[one.id].verdict for one in images} == {"remove"}


def test_the_infra_container_of_a_pod_stays() -> None:
    told = judge(inventory(container("pod-infra"), engine=PODMAN), NOW_FLAGS)["pod-infra"]
    assert words(told) == "the infra container of a pod, which goes with the pod"


def test_what_one_rule_speaks_of_is_not_told_by_the_others() -> None:
    young = image("a", "app:1", first_seen=ago(hours=1))
    told = judge(inventory(young), PolicyFlags(all_images=True))["sha256:a"]
    assert words(told) == "first seen 60 minutes ago (limit 24 hours)"


def test_what_spare_local_spares_says_that_it_exists_only_here() -> None:
    flags = replace(NOW_FLAGS, all_images=True, spare_local=True)
    decisions = judge(
        inventory(image("built", "app:1", in_registry=False), image("x", "db:1", in_registry=True)), flags
    )
    assert decisions["sha256:x"].verdict == "remove"
    assert decisions["sha256:built"].verdict == "keep"
    assert reason_text(decisions["sha256:built"].reasons[0]) == "it exists only here"


@pytest.mark.parametrize(
    "pattern",
    [
        "docker.io/library/nginx:1.25", "docker.io/nginx", "library/nginx:1.25", "nginx", "ngin?:*", "1234567",
        "sha256:123456789012", "sha256:" + "1234567890" * 6 + "abcd",
    ],
)  # fmt: skip
def test_the_ways_in_which_people_write_an_image(pattern: str) -> None:
    nginx = msgspec.structs.replace(image("x", "nginx:1.25"), id="sha256:" + "1234567890" * 6 + "abcd")
    flags = PolicyFlags(all_images=True, keep_images=(pattern,))
    assert judge(inventory(nginx), flags)[nginx.id].verdict == "keep"


def idle_of(plan: Plan) -> list[str]:
    """Return the patterns of which a plan warns that they match nothing."""
    return [f"{one.about}: {one.text.removesuffix(' matches nothing here')}" for one in plan.warnings]


def test_a_pattern_that_matches_nothing_is_told_and_an_empty_one_refused() -> None:
    flags = PolicyFlags(keep_names=("web", "wbe"), keep_labels=("nope",))
    plan = plan_of(inventory(container("web")), policy_from_flags(flags), NOW)
    assert idle_of(plan) == ["--keep-label: nope", "--keep-name: wbe"]
    with pytest.raises(UsageError, match="--keep-name is empty and would protect nothing"):
        policy_from_flags(PolicyFlags(keep_names=("",)))


def test_layers_that_only_a_container_holds_are_not_promised() -> None:
    homeless = container("old", "running", image="sha256:forced-away")
    plan = plan_of(inventory(image("a", size=100), homeless, record("r")), policy_from_flags(NOW_FLAGS), NOW)
    assert (plan.reclaim.low_bytes, plan.reclaim.high_bytes) == (0, 1100)
    gone = plan_of(inventory(container("old", image="sha256:forced-away")), policy_from_flags(NOW_FLAGS), NOW)
    assert gone.reclaim.high_bytes is None


def test_the_container_that_dockersweep_runs_in_stays_with_all_it_holds() -> None:
    seen = inventory(container("me", image="sha256:a", volumes=["v"]), image("a"), volume("v"), own_container="me")
    decisions = judge(seen, NOW_FLAGS)
    assert {decision.verdict for decision in decisions.values()} == {"keep"}
    assert words(decisions["me"]) == "dockersweep itself runs in it"


def test_an_unknown_age_is_said_and_passes_only_where_no_age_is_asked_for() -> None:
    unseen = msgspec.structs.replace(image("a"), first_seen_at=None, first_seen_unused_at=None, built_at=ago(days=900))
    kept = judge(inventory(unseen))["sha256:a"]
    assert words(kept) == "age unknown: built 2024-06-07, and nothing tells when it came here"
    assert kept.age_seconds is None
    assert kept.age_source is None
    gone = judge(inventory(unseen), NOW_FLAGS)["sha256:a"]
    assert (gone.verdict, words(gone)) == ("remove", "age unknown, and none is asked for")


def test_a_finish_that_lies_before_the_start_is_left_from_an_earlier_run() -> None:
    again = msgspec.structs.replace(container("web", finished=ago(days=30)), started_at=ago(hours=2))
    assert words(judge(inventory(again))["web"]) == "stopped 2 hours ago (limit 24 hours)"


def test_chains_of_a_legacy_build_are_released_down_to_their_root() -> None:
    chain = [image("i0")] + [image(f"i{step}", parent=f"i{step - 1}") for step in range(1, 30)]
    assert {decision.verdict for decision in judge(inventory(*chain), NOW_FLAGS).values()} == {"remove"}


def test_parents_in_a_circle_are_kept() -> None:
    circle = [image("a", parent="b"), image("b", parent="a")]
    assert {decision.verdict for decision in judge(inventory(*circle), NOW_FLAGS).values()} == {"keep"}


def test_a_protection_of_services_is_not_called_idle_where_services_cannot_be_seen() -> None:
    protections = Protections(
        names=(Protection(pattern="pord-*", source="protect.names"),),
        # One that is written twice is one.
        services=(Protection(pattern="db-*", source="protect.services"),) * 2,
    )
    policy = replace(DEFAULT_POLICY, protections=protections)
    seen = inventory(volume("db-data", anonymous=False))
    for services, idle in (
        ((), ["protect.names: pord-*", "protect.services: db-*"]),
        (None, ["protect.names: pord-*"]),
    ):
        there = replace(seen, services=services)
        assert idle_of(plan_of(there, policy, NOW)) == idle
        found = [one.removesuffix(" protects nothing that is there") for one in findings(Survey(there, NOW), policy)]
        assert found[-len(idle) :] == [one.replace(": ", " ") for one in idle]
