"""The findings of a report: each with what it is about, and without."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from dockersweep.model.history import Life
from dockersweep.model.inventory import (
    CacheLimit,
    Container,
    Disk,
    EngineFolder,
    ExternalContainer,
    ExternalTool,
    Image,
    Inventory,
    LeftStore,
    Object,
    Volume,
)
from dockersweep.model.policy import Policy
from dockersweep.model.report import Finding, Report, TrendPoint
from dockersweep.policy.defaults import DEFAULT_POLICY, NAMED_VOLUMES
from dockersweep.policy.disk_report import Past, make_report
from dockersweep.policy.disk_report.catalogue import CATALOGUE
from dockersweep.policy.disk_report.findings import FINDERS
from dockersweep.policy.planner import make_plan
from dockersweep.policy.policyfile import read_policy
from dockersweep.policy.unmarked_volumes import unmarked_warnings
from dockersweep.report.disk_words import sum_sentence
from tests.inventories import NOW, ago, container, image, inventory, record, volume

MEGA, GIGA = 1_000_000, 1_000_000_000


def report(seen: Inventory, past: Past | None = None, silenced: tuple[str, ...] = ()) -> Report:
    policy = msgspec.structs.replace(DEFAULT_POLICY, silenced_findings=silenced)
    return make_report(seen, make_plan(seen, policy, NOW), past)


def found(*objects: Object, past: Past | None = None, **fields: Any) -> dict[str, Finding]:
    """Return what is found in an inventory of these objects, by id."""
    seen = msgspec.structs.replace(inventory(*objects), **fields)
    return {one.id: one for one in report(seen, past).findings}


def changed(one: Container, **fields: Any) -> Container:
    return msgspec.structs.replace(one, **fields)


def disk(percent_used: float, inodes_used: float = 1) -> Disk:
    return Disk(
        total_bytes=100 * GIGA,
        free_bytes=round((100 - percent_used) * GIGA),
        total_inodes=1000,
        free_inodes=round(1000 - 10 * inodes_used),
    )


def logging(size: int | None, limited: bool | None, **fields: Any) -> Container:
    told = {"log_is_limited": limited, **fields}
    return changed(container("web", "running", logs=size, created=ago(days=10)), **told)


def test_every_id_has_a_row_and_a_function() -> None:
    assert list(CATALOGUE) == list(FINDERS)
    assert [f"DS{number:03}" for number in range(1, len(CATALOGUE) + 1)] == list(CATALOGUE)


def test_logs_without_a_limit() -> None:
    told = found(logging(40 * MEGA, False))["DS001"]
    assert (told.severity, told.title, told.size_bytes) == (
        "warning",
        "1 container log grows without a limit",
        40 * MEGA,
    )
    assert told.evidence == ("web: 40.0 MB, 4.00 MB a day",)
    assert '{"max-size": "10m", "max-file": "3"}' in told.mend
    fast = logging(9 * MEGA, False, created_at=ago(hours=2))
    assert found(fast)["DS001"].evidence == ("web: 9.00 MB, 108 MB a day",)
    new = logging(20 * MEGA, False, created_at=ago(minutes=2))
    assert found(new)["DS001"].evidence == ("web: 20.0 MB",)


@pytest.mark.parametrize(
    "one",
    [
        logging(40 * MEGA, True),
        logging(40 * MEGA, None),
        logging(None, False),
        logging(1 * MEGA, False),
        logging(40 * MEGA, False, state="exited"),
    ],
)
def test_logs_that_are_no_matter(one: Container) -> None:
    assert "DS001" not in found(one)


def test_large_writable_layers() -> None:
    told = found(container("db", "running", size=200 * MEGA))["DS002"]
    assert told.evidence == ("db: 200 MB, 10.0 MB a day",)
    assert "docker diff db shows where" in told.mend
    assert "DS002" not in found(container("db", "running", size=99 * MEGA), container("old", size=GIGA))
    assert "DS002" not in found(container("db", "running", size=None))


def test_volumes_of_no_use_for_long() -> None:
    old = volume("old", anonymous=False, created=ago(days=90), size=5 * MEGA)
    told = found(old)["DS003"]
    assert (told.evidence, told.size_bytes) == (("old: 5.00 MB, created 3 months ago, never seen in use",), 5 * MEGA)
    assert 'remove.unused_for = "30d"' in told.mend
    used = msgspec.structs.replace(old, first_seen_at=ago(days=80), first_seen_unused_at=ago(days=3))
    assert "DS003" not in found(used, volume("new"), container("c", volumes=["old"]))
    watched = msgspec.structs.replace(old, first_seen_at=ago(days=80), first_seen_unused_at=ago(days=40))
    assert found(watched)["DS003"].evidence == ("old: 5.00 MB, not used for 5 weeks",)
    # Before it was first seen it may have been used till the day before.
    newly = msgspec.structs.replace(old, first_seen_at=ago(hours=1), first_seen_unused_at=ago(hours=1))
    assert found(newly)["DS003"].evidence == ("old: 5.00 MB, created 3 months ago, never seen in use",)
    undated = msgspec.structs.replace(
        old, created_at=None, first_seen_at=ago(days=80), first_seen_unused_at=ago(days=80)
    )
    assert found(undated)["DS003"].evidence == ("old: 5.00 MB, first seen 2 months ago, never in use",)
    assert "DS003" not in found(old, container("c", volumes=["old"]))


def test_volumes_of_gone_projects() -> None:
    data = msgspec.structs.replace(volume("shop_data", anonymous=False), project="shop")
    assert found(data)["DS004"].evidence == ("shop_data: 10 B, project shop",)
    assert "DS004" not in found(data, changed(container("web"), project="shop"))
    assert "DS004" not in found(msgspec.structs.replace(data, created_at=ago(hours=2)))
    assert "DS003" not in found(msgspec.structs.replace(data, created_at=ago(days=90)))


def test_volumes_of_gone_builders() -> None:
    state = volume("buildx_buildkit_mine0_state", anonymous=False, size=GIGA, created=ago(days=90))
    told = found(state)
    assert told["DS005"].evidence == (
        "buildx_buildkit_mine0_state: 1.00 GB, there is no container buildx_buildkit_mine0",
    )
    assert "DS003" not in told
    assert "DS005" not in found(state, container("buildx_buildkit_mine0"))
    assert "DS005" not in found(volume("mine_state", anonymous=False))


def test_volumes_that_look_anonymous() -> None:
    one, other = (volume(f"{digit}" * 64, anonymous=False, size=MEGA) for digit in "ab")
    told = found(one, other, volume("c" * 64), volume("data", anonymous=False))["DS019"]
    assert (told.title, told.size_bytes) == ("2 unused volumes look anonymous but are not marked so", 2 * MEGA)
    assert told.evidence[0] == f"{'a' * 64}: 1.00 MB, created 2026-11-14"
    assert "DS019" not in found(one, container("c", "running", volumes=[one.name]))
    assert "DS019" not in found(volume("a" * 64, anonymous=False, options={"type": "nfs"}))
    assert "DS019" not in found(volume("a" * 64, anonymous=False, driver="nfs"))
    old = msgspec.structs.replace(one, created_at=ago(days=90))
    assert "DS003" not in found(old)


def test_a_plan_tells_what_looks_anonymous_where_that_matters() -> None:
    def told(policy: Policy, *objects: Object) -> list[str]:
        seen = inventory(*objects)
        return [one.text for one in unmarked_warnings(seen, make_plan(seen, policy, NOW))]

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


def test_images_that_one_old_container_keeps() -> None:
    app, old = image("a", "app:1", size=8 * MEGA), container("job", image="sha256:a", finished=ago(days=40))
    assert found(app, old)["DS006"].evidence == ("app:1: 8.00 MB, job stopped 5 weeks ago",)
    assert found(app, old)["DS006"].mend.startswith("docker rm job ")
    assert "DS006" not in found(app, container("job", image="sha256:a"))
    assert "DS006" not in found(app, old, container("new", "running", image="sha256:a"))
    assert "DS006" not in found(app)


OF_OTHERS = ({"com.docker.swarm.task.id": "x"}, {"io.kubernetes.pod.name": "x"})


@pytest.mark.parametrize("labels", OF_OTHERS)
def test_nobody_is_told_to_remove_what_the_swarm_or_the_kubelet_cleans_up(labels: dict[str, str]) -> None:
    """Neither an old container that keeps an image, nor one that is dead for long."""
    app, old = image("a", "app:1", size=8 * MEGA), container("job", image="sha256:a", finished=ago(days=40))
    dead = container("dead", "dead", finished=ago(days=2))
    assert {"DS006", "DS009"} <= set(found(app, old, dead))
    assert not {"DS006", "DS009"} & set(found(app, changed(old, labels=labels), changed(dead, labels=labels)))


def test_a_volume_that_an_unseen_service_may_use_is_not_said_to_be_of_no_use() -> None:
    volumes = (idle_volume("old"), idle_volume("data", "shop"))
    assert {"DS003", "DS004"} <= set(found(*volumes))
    assert not {"DS003", "DS004"} & set(found(*volumes, services=None))
    assert "DS003" in found(msgspec.structs.replace(idle_volume("old"), anonymous=True), services=None)


def idle_volume(name: str, project: str | None = None) -> Volume:
    """A volume that scans have seen unused for long."""
    seen = volume(name, anonymous=False, created=ago(days=90))
    seen_at = {"first_seen_at": ago(days=80), "first_seen_unused_at": ago(days=40)}
    return msgspec.structs.replace(seen, project=project, **seen_at)


def idle_image(number: int, repository: str) -> Image:
    seen = image(f"{repository}{number}", f"{repository}:{number}", first_unused=ago(days=40))
    return msgspec.structs.replace(seen, built_at=ago(days=100 - number))


@pytest.mark.parametrize(
    ("id_", "objects", "goes"),
    [
        ("DS003", [idle_volume("old")], {"old"}),
        ("DS004", [idle_volume("data", "shop")], {"data"}),
        # Of these projects the first is a glob for all, and the second an expression for all.
        ("DS004", [idle_volume("data", "*"), idle_volume("old", "billing")], {"data"}),
        ("DS004", [idle_volume("data", "a\x7fb"), idle_volume("old", "billing")], {"data"}),
        ("DS004", [idle_volume("data", "/./"), idle_volume("old", "billing")], {"data"}),
        ("DS004", [idle_volume("data", '"\n[x]')], {"data"}),
        ("DS019", [idle_volume("ab" * 32), idle_volume("a" * 63)], {"ab" * 32}),
        ("DS007", [idle_image(number, "app") for number in range(10)], {f"app:{number}" for number in range(5)}),
    ],
)
def test_a_rule_that_mends_holds_and_removes_just_that(id_: str, objects: list[Object], goes: set[str]) -> None:
    seen = inventory(*objects, idle_volume("unasked"), idle_image(1, "other"))
    told = next(one for one in report(seen).findings if one.id == id_)
    lines = re.split(", | and ", re.split(r"\[\[rule]] with | removes| keeps", told.mend)[1])
    policy = read_policy("\n".join(["version = 1", "[[rule]]", 'name = "as told"', *lines]).encode(), "told")
    decisions = make_plan(seen, policy, NOW).decisions
    assert {one.name for one in decisions if one.verdict == "remove"} == goes


def test_many_versions() -> None:
    many = [image(f"{number}", f"app:{number}", size=MEGA) for number in range(10)]
    told = found(*many)["DS007"]
    assert told.evidence == ("app: 10 versions, 10.0 MB of 10.0 MB unused",)
    assert 'match.repository = "app"' in told.mend
    assert "DS007" not in found(*many[1:])
    assert "DS007" not in found(*many, *(container(str(n), "running", image=f"sha256:{n}") for n in range(10)))


def test_restart_loops() -> None:
    loop = changed(container("web", "restarting"), restart_count=212, exit_code=1)
    assert found(loop)["DS008"].evidence == ("web: restarting, 212 restarts, ended with 1",)
    again = changed(container("web", "running"), restart_count=7, started_at=ago(minutes=2))
    assert found(again)["DS008"].evidence == ("web: running, 7 restarts",)
    assert "DS008" not in found(changed(again, started_at=ago(days=2)), changed(again, restart_count=1))


def test_containers_that_are_stuck() -> None:
    told = found(container("a", "dead"), container("b", "removing", created=ago(days=2)))["DS009"]
    assert told.title == "2 containers are dead or in removal for long"
    assert told.evidence == ("a: dead for up to 10 days", "b: removing for up to 2 days")
    assert "DS009" not in found(container("a", "dead", finished=ago(minutes=5)), container("b"))


def life(day: int, *names: str, id: str = "sha256:x") -> Life:
    return Life(
        engine_name=None, kind="image", id=id, names=names, first_seen_at=ago(days=day), first_seen_unused_at=None,
        last_seen_at=None, is_there=False,
    )  # fmt: skip


def test_dangling_images_that_return_every_day() -> None:
    daily = Past((), tuple(life(day, "0123456789ab", "app:latest") for day in range(6)))
    told = found(past=daily)["DS010"]
    assert told.title == "dangling images return every day: 6 came on 6 of the last 7 days"
    assert told.evidence == ("app:latest: 6 lost this tag to a newer build",)
    untagged = Past((), tuple(life(day, "0123456789ab") for day in range(5)))
    assert found(past=untagged)["DS010"].evidence == ("none of them ever had a tag",)
    assert "DS010" not in found(past=Past((), tuple(life(1, "0123456789ab") for _ in range(50))))
    parents = Past((), tuple(life(day, "0123456789ab", id="sha256:p") for day in range(6)))
    assert "DS010" not in found(image("c", "app:1", parent="p"), past=parents)


def test_the_limit_of_the_build_cache() -> None:
    step, shared = record("r", size=3 * GIGA), record("s", shared=True, size=9 * GIGA)
    over = CacheLimit(size_bytes=2 * GIGA, source="/etc/docker/daemon.json")
    told = found(step, shared, cache_limit=over)["DS011"]
    assert told.title == "the build cache is over the engine's own limit: 3.00 GB, over 2.00 GB"
    assert told.evidence == ("the limit is from /etc/docker/daemon.json",)
    for limit in (None, CacheLimit(size_bytes=3 * GIGA, source="x")):
        assert not {"DS011", "DS012"} & found(step, shared, cache_limit=limit).keys()
    none = CacheLimit(size_bytes=None, source="the default of Docker 26.1.5")
    assert found(step, cache_limit=none)["DS012"].evidence == ("there is no limit by the default of Docker 26.1.5",)
    assert "DS012" not in found(shared, cache_limit=none)


def test_stores_that_are_left_behind() -> None:
    left = LeftStore(folder="/var/lib/docker/overlay2", driver="overlay2", size_bytes=4 * GIGA)
    told = found(folder=EngineFolder(size_bytes=9, left_stores=(left,)))["DS013"]
    assert (told.size_bytes, told.evidence) == (4 * GIGA, ("/var/lib/docker/overlay2 (overlay2): 4.00 GB",))
    assert "DS013" not in found(folder=EngineFolder(size_bytes=9))


def test_stopped_containers_that_come_back() -> None:
    assert found(container("web", restart="always"))["DS014"].evidence == ("web: stopped for 10 days, restarts always",)
    assert "DS014" not in found(container("a", "running", restart="always"), container("b", restart="unless-stopped"))
    failed = changed(container("web", restart="on-failure"), exit_code=137, retries_left=True)
    assert found(failed)["DS014"].evidence == ("web: stopped for 10 days, restarts on-failure (exit code 137)",)
    assert "DS014" not in found(changed(failed, exit_code=0), changed(failed, retries_left=False))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (disk(84.9), None),
        (disk(85), ("DS016", "warning", "the disk fills up: 85 % of its bytes are used")),
        (disk(95), ("DS015", "critical", "the disk is nearly full: 95 % of its bytes are used")),
        (disk(100), ("DS015", "critical", "the disk is nearly full: 100 % of its bytes are used")),
        (disk(20, inodes_used=97), ("DS015", "critical", "the disk is nearly full: 97 % of its inodes are used")),
        (msgspec.structs.replace(disk(50), total_inodes=None, free_inodes=None), None),
        (Disk(total_bytes=0, free_bytes=0, total_inodes=0, free_inodes=0), None),
        (None, None),
    ],
)
def test_a_full_disk(seen: Disk | None, expected: tuple[str, str, str] | None) -> None:
    told = [(one.id, one.severity, one.title) for one in found(disk=seen).values()]
    assert told == ([] if expected is None else [expected])


def test_a_disk_that_is_full_soon() -> None:
    def past(a_day: int) -> Past:
        return Past(tuple(TrendPoint(at=ago(days=20 - day), sizes={"disk": day * a_day}) for day in range(20)))

    told = found(disk=disk(50), past=past(5 * GIGA))["DS017"]
    assert told.title == "the disk is full soon: in about 10 days"
    assert "(from 20 scans over 2 weeks)" in told.evidence[0]
    assert "DS017" not in found(disk=disk(50), past=past(GIGA))
    assert "DS017" not in found(disk=disk(50), past=past(-GIGA))


@pytest.mark.parametrize("ahead", [NOW + timedelta(minutes=1), datetime(9999, 12, 31, tzinfo=UTC)])
def test_a_point_of_a_clock_that_was_ahead_hides_no_others(ahead: datetime) -> None:
    points = tuple(TrendPoint(at=ago(days=19 - day), sizes={"disk": day * 5 * GIGA}) for day in range(20))
    seen = msgspec.structs.replace(inventory(), disk=disk(50))
    told = report(seen, Past((*points, TrendPoint(at=ahead, sizes={"disk": 0})))).trend
    assert told == report(seen, Past(points)).trend
    assert told is not None
    assert told.points[-1].at == NOW


def test_the_worst_comes_first_and_what_is_silenced_is_only_named() -> None:
    seen = msgspec.structs.replace(
        inventory(
            container("big", "running", size=300 * MEGA),
            container("back", restart="always"),
            logging(400 * MEGA, False),
            volume("old", created=ago(days=99)),
        ),
        disk=disk(97),
    )
    assert [one.id for one in report(seen).findings] == ["DS015", "DS001", "DS002", "DS003", "DS014"]
    quiet = report(seen, silenced=("DS003", "DS015", "DS009"))
    assert [one.id for one in quiet.findings] == ["DS001", "DS002", "DS014"]
    assert quiet.silenced == ("DS003", "DS015")


def test_at_most_ten_are_told_and_all_are_counted_and_names_cannot_run_anything() -> None:
    many = [container(f"c{n:02}", "running", size=(100 + n) * MEGA) for n in range(12)]
    told = found(*many, container("$(reboot)", "running", size=GIGA))["DS002"]
    assert (told.objects, len(told.evidence)) == (13, 10)
    assert told.evidence[0].startswith("$(reboot): 1.00 GB")
    assert "docker diff '$(reboot)' shows where" in told.mend


def test_a_report_of_what_is_gone_tomorrow_counts_to_its_own_now() -> None:
    seen = inventory(volume("v", created=ago(days=29)))
    later = make_report(seen, make_plan(seen, DEFAULT_POLICY, NOW + timedelta(days=2)), None)
    assert [one.id for one in later.findings] == ["DS003"]


def left(name: str, tool: ExternalTool = "podman build", **age: float) -> ExternalContainer:
    return ExternalContainer(
        id=name, name=name, image_id="sha256:a", tool=tool, created_at=ago(**age), size_bytes=3 * MEGA
    )


def test_containers_that_killed_builds_left() -> None:
    old, older = left("ubi-working-container", hours=7), left("go-working-container", days=2)
    told = found(external=(old, older, left("new-working-container", hours=5)))["DS018"]
    assert (told.severity, told.title, told.size_bytes) == (
        "warning",
        "2 containers of builds were left behind",
        6 * MEGA,
    )
    assert told.evidence == (
        "go-working-container: 3.00 MB, made 2 days ago",
        "ubi-working-container: 3.00 MB, made 7 hours ago",
    )
    assert told.mend.startswith("podman rm --force go-working-container, unless its build still runs")
    assert "DS018" not in found(external=(left("k8s_POD_web", "CRI-O", days=2), left("v+volume", "volume", days=2)))
    assert "DS018" not in found(external=None)


def test_containers_of_other_tools_are_counted_with_the_writable_layers() -> None:
    mounted = msgspec.structs.replace(left("/merged", "image mount", hours=7), size_bytes=None)
    told = report(msgspec.structs.replace(inventory(container("web")), external=(left("x", hours=1), mounted)))
    [row] = [one for one in told.shares if one.share == "writable-layer"]
    assert (row.count, row.external, row.external_bytes) == (2, 1, 3 * MEGA)
    words = "Among the writable layers are 1 container of other tools, 3.00 MB: podman ps --all --external lists them."
    assert words in sum_sentence(told)
    assert "other tools" not in sum_sentence(report(inventory(container("web"))))
