"""The findings that are about volumes, and the rules that they offer."""

from typing import Any

import msgspec
import pytest

from dockersweep.model.inventory import Object, Volume
from dockersweep.model.last_use import KnownProject, PastUse
from dockersweep.model.policy import Policy, Protection, Protections
from dockersweep.policy.judging.unmarked_volumes import unmarked_warnings
from dockersweep.policy.language.default_policy import DEFAULT_POLICY, NAMED_VOLUMES
from dockersweep.policy.language.reading import read_policy
from tests.policy.findings_of import GIGA, MEGA, changed, findings_in, idle_image, idle_volume, report
from tests.rig.inventories import NOW, ago, container, inventory, plan_of, report_of, volume


def test_volumes_of_no_use_for_long() -> None:
    old = volume("old", anonymous=False, created=ago(days=90), size=5 * MEGA)
    finding = findings_in(old)["DS003"]
    assert (finding.evidence, finding.size_bytes) == (
        ("old: 5.00 MB, first seen 90 days ago",),
        5 * MEGA,
    )
    assert 'remove.unused_for = "30d"' in finding.fix.text
    used = msgspec.structs.replace(old, first_seen_at=ago(days=80), first_seen_unused_at=ago(days=3))
    assert "DS003" not in findings_in(used, volume("new"), container("c", volumes=["old"]))
    watched = msgspec.structs.replace(old, first_seen_at=ago(days=80), first_seen_unused_at=ago(days=40))
    assert findings_in(watched)["DS003"].evidence == (
        "old: 5.00 MB, not used since 2026-10-15 (watched by dockersweep)",
    )
    job = PastUse(at=ago(days=31), action="unmounted", by="job")
    assert findings_in(msgspec.structs.replace(old, uses=(job,)))["DS003"].evidence == (
        "old: 5.00 MB, last used 31 days ago by job",
    )
    nightly = msgspec.structs.replace(job, at=ago(hours=8))
    assert "DS003" not in findings_in(msgspec.structs.replace(old, uses=(nightly, job)))
    # Before it was first seen it may have been used till the day before.
    newly = msgspec.structs.replace(old, first_seen_at=ago(hours=1), first_seen_unused_at=ago(hours=1))
    assert "DS003" not in findings_in(newly)
    undated = msgspec.structs.replace(
        old, created_at=None, first_seen_at=ago(days=80), first_seen_unused_at=ago(days=80)
    )
    assert findings_in(undated)["DS003"].evidence == ("old: 5.00 MB, first seen 80 days ago",)
    assert "DS003" not in findings_in(old, container("c", volumes=["old"]))
    # What it takes here says nothing of its data.
    assert "DS003" not in findings_in(msgspec.structs.replace(old, options={"type": "tmpfs"}))


def of_shop(**fields: Any) -> KnownProject:
    return msgspec.structs.replace(KnownProject(project="shop", container_at=ago(days=12)), **fields)


def ds004(*objects: Object, **fields: Any) -> tuple[str, ...] | None:
    data = msgspec.structs.replace(volume("shop_data", anonymous=False), project="shop")
    found = findings_in(data, *objects, projects=(of_shop(**fields),)).get("DS004")
    return None if found is None else found.evidence


def test_volumes_of_projects_without_containers() -> None:
    told = "shop_data: 10 B, project shop has had no container here for 12 days"
    assert ds004() == (told,)
    # What is not known is not told.
    assert ds004(working_dir="/srv/shop") == (told,)
    assert ds004(working_dir="/srv/shop", missing=()) == (f"{told}; its folder /srv/shop is still there",)
    files = {"working_dir": "/srv/shop", "config_files": ("/srv/shop/compose.yaml",)}
    assert ds004(**files, missing=("/srv/shop/compose.yaml",)) == (f"{told}; its file /srv/shop/compose.yaml is gone",)
    gone = ("/srv/shop", "/srv/shop/compose.yaml")
    assert ds004(**files, missing=gone) == (f"{told}; its folder /srv/shop is gone",)


def test_a_project_that_may_well_be_in_use_is_not_said_to_have_no_container() -> None:
    assert ds004(container_at=ago(hours=2)) is None
    assert ds004(has_services=False) is None
    assert ds004(changed(container("web"), project="shop")) is None
    assert ds004(changed(container("web"), maybe_project="shop")) is None
    data = msgspec.structs.replace(volume("shop_data", anonymous=False), project="shop")
    assert "DS004" not in findings_in(data)
    assert "DS004" not in findings_in(data, projects=(of_shop(project="blog"),))
    idle = idle_volume("shop_data", "shop")
    assert "DS003" in findings_in(idle)
    assert "DS003" not in findings_in(idle, projects=(of_shop(),))


def test_a_protected_project_is_offered_no_rule_that_does_nothing() -> None:
    seen = msgspec.structs.replace(inventory(idle_volume("shop_data", "shop")), projects=(of_shop(),))

    def found(protected: str) -> set[str]:
        shields = Protections(projects=(Protection(pattern=protected, source="protect.projects"),))
        policy = msgspec.structs.replace(DEFAULT_POLICY, protections=shields)
        return {one.id for one in report_of(seen, policy, None).findings}

    assert "DS004" in found("blog")
    assert "DS004" not in found("sh*")


def test_what_the_plan_removes_anyway_is_no_finding() -> None:
    # The default policy removes anonymous volumes of the driver local, and no others.
    for id_, name, project in (
        ("DS003", "old", None),
        ("DS004", "old", "shop"),
        ("DS005", "buildx_buildkit_b_state", None),
    ):
        kept, goes = (msgspec.structs.replace(idle_volume(name, project), anonymous=one) for one in (False, True))
        assert id_ in findings_in(kept, projects=(of_shop(),))
        assert id_ not in findings_in(goes, projects=(of_shop(),))
        assert id_ in findings_in(msgspec.structs.replace(goes, driver="nfs"), projects=(of_shop(),))
    both = [idle_volume("shop_data", "shop"), msgspec.structs.replace(idle_volume("a" * 64, "shop"), anonymous=True)]
    found = findings_in(*both, projects=(of_shop(),))["DS004"]
    assert (found.objects, found.size_bytes) == (1, 10)


def test_a_fix_names_each_project_that_is_shown_gone_ones_first() -> None:
    folders = {"there": (), "gone": ("/srv/gone",), "unknown": None}
    projects = tuple(
        of_shop(project=name, working_dir=f"/srv/{name}", missing=missing) for name, missing in folders.items()
    )
    volumes = [
        msgspec.structs.replace(idle_volume(f"{name}_{part}", name), size_bytes=GIGA if name == "there" else MEGA)
        for name in folders
        for part in "ab"
    ]
    found = findings_in(*volumes, projects=projects)["DS004"]
    assert [text.partition("_")[0] for text in found.evidence] == [
        "gone",
        "gone",
        "there",
        "there",
        "unknown",
        "unknown",
    ]
    assert found.fix.rule is not None
    assert 'match.project = ["gone", "there", "unknown"]\n' in found.fix.rule
    # A rule takes nothing that is not shown.
    many = [idle_volume(f"v{number:02}", f"p{number:02}") for number in range(12)]
    of_many = tuple(of_shop(project=one.project) for one in many)
    rule = findings_in(*many, projects=of_many)["DS004"].fix.rule
    assert rule is not None
    assert '"p09"]' in rule


def test_volumes_of_gone_builders() -> None:
    state = volume("buildx_buildkit_mine0_state", anonymous=False, size=GIGA, created=ago(days=90))
    findings = findings_in(state)
    assert findings["DS005"].evidence == (
        "buildx_buildkit_mine0_state: 1.00 GB, there is no container buildx_buildkit_mine0",
    )
    assert "DS003" not in findings
    assert "DS005" not in findings_in(state, container("buildx_buildkit_mine0"))
    assert "DS005" not in findings_in(volume("mine_state", anonymous=False))


def test_volumes_that_look_anonymous() -> None:
    one, other = (volume(f"{digit}" * 64, anonymous=False, size=MEGA) for digit in "ab")
    finding = findings_in(one, other, volume("c" * 64), volume("data", anonymous=False))["DS019"]
    assert (finding.title, finding.size_bytes) == ("2 unused volumes look anonymous but are not marked so", 2 * MEGA)
    assert finding.evidence[0] == f"{'a' * 64}: 1.00 MB, created 2026-11-14"
    assert "DS019" not in findings_in(one, container("c", "running", volumes=[one.name]))
    assert "DS019" not in findings_in(volume("a" * 64, anonymous=False, options={"type": "nfs"}))
    assert "DS019" not in findings_in(volume("a" * 64, anonymous=False, driver="nfs"))
    old = msgspec.structs.replace(one, created_at=ago(days=90))
    assert "DS003" not in findings_in(old)


def test_a_plan_tells_what_looks_anonymous_where_that_matters() -> None:
    def told(policy: Policy, *objects: Object) -> list[str]:
        seen = inventory(*objects)
        return [one.text for one in unmarked_warnings(seen, plan_of(seen, policy, NOW))]

    one = volume("a" * 64, anonymous=False)
    kept = "1 unused volume looks anonymous but is not marked so, and kept; "
    assert told(DEFAULT_POLICY, one) == [f"{kept}`dockersweep report` shows the rule that removes them"]
    assert told(DEFAULT_POLICY, volume("a" * 64), volume("data", anonymous=False)) == []
    assert told(msgspec.structs.replace(DEFAULT_POLICY, silenced_findings=("DS019",)), one) == []
    # Where no rule removes anonymous ones, nothing is missed; and where one speaks of it, that tells why it stays.
    assert told(msgspec.structs.replace(DEFAULT_POLICY, rules=DEFAULT_POLICY.rules[:2]), one) == []
    young = msgspec.structs.replace(one, created_at=ago(minutes=1))
    assert told(msgspec.structs.replace(DEFAULT_POLICY, rules=(*DEFAULT_POLICY.rules, NAMED_VOLUMES)), one, young) == []
    assert told(msgspec.structs.replace(DEFAULT_POLICY, kinds=("image",)), one) == []


def test_a_volume_that_an_unseen_service_may_use_is_not_said_to_be_of_no_use() -> None:
    volumes = (idle_volume("old"), idle_volume("data", "shop"))
    assert {"DS003", "DS004"} <= set(findings_in(*volumes, projects=(of_shop(),)))
    assert not {"DS003", "DS004"} & set(findings_in(*volumes, projects=(of_shop(),), services=None))
    anonymous = msgspec.structs.replace(idle_volume("old"), anonymous=True, driver="nfs")
    assert "DS003" in findings_in(anonymous, services=None)


@pytest.mark.parametrize(
    ("id_", "objects", "goes"),
    [
        ("DS003", [idle_volume("old")], {"old"}),
        ("DS004", [idle_volume("data", "shop")], {"data"}),
        ("DS004", [idle_volume("data", "shop"), idle_volume("old", "blog")], {"data", "old"}),
        # Of these projects the first is a glob for all, and the second an expression for all. There is no rule for
        # billing: it is not known to be idle.
        ("DS004", [idle_volume("data", "*"), idle_volume("old", "billing")], {"data"}),
        ("DS004", [idle_volume("data", "a\x7fb"), idle_volume("old", "billing")], {"data"}),
        ("DS004", [idle_volume("data", "/./"), idle_volume("old", "billing")], {"data"}),
        ("DS004", [idle_volume("data", '"\n[x]')], {"data"}),
        ("DS019", [idle_volume("ab" * 32), idle_volume("a" * 63)], {"ab" * 32}),
        ("DS007", [idle_image(number, "app") for number in range(10)], {f"app:{number}" for number in range(5)}),
    ],
)
def test_the_rule_of_a_fix_holds_and_removes_just_that(id_: str, objects: list[Object], goes: set[str]) -> None:
    seen = inventory(*objects, idle_volume("unasked"), idle_image(1, "other"))
    names = {one.project for one in objects if isinstance(one, Volume) and one.project} - {"billing"}
    seen = msgspec.structs.replace(seen, projects=tuple(of_shop(project=name) for name in names))
    finding = next(one for one in report(seen).findings if one.id == id_)
    policy = read_policy(f"version = 1\n{finding.fix.rule}".encode(), "told")
    decisions = plan_of(seen, policy, NOW).decisions
    assert {one.name for one in decisions if one.verdict == "remove"} == goes
