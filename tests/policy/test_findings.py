"""The findings of a report: each with what it is about, and without."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec
import pytest
from msgspec.structs import replace

from dockersweep.model.disk import Disk
from dockersweep.model.engine_folder import (
    Artifact,
    ArtifactStore,
    CacheLimit,
    EngineFolder,
    LeakedFolder,
    LeakKind,
    LeftStore,
)
from dockersweep.model.external import ExternalContainer, ExternalTool
from dockersweep.model.history import Life
from dockersweep.model.inventory import Container
from dockersweep.model.last_use import Span
from dockersweep.model.policy import Protection, Protections
from dockersweep.model.report import Finding, FindingId, TrendPoint
from dockersweep.model.storage import Part, Storage
from dockersweep.policy.disk_report import Past
from dockersweep.policy.disk_report.evidence import Evidence
from dockersweep.policy.disk_report.finding_row import FindingRow
from dockersweep.policy.disk_report.findings import FINDING_ROWS
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.report.disk.words import sum_sentence
from tests.policy.explained import policy_of
from tests.policy.findings_of import GIGA, MEGA, changed, disk, findings_in, report
from tests.rig.inventories import NOW, ago, container, image, inventory, network, record, report_of, volume
from tests.rig.policies import rule_text


def logging(size: int | None, limited: bool | None, **fields: Any) -> Container:
    told = {"log_is_limited": limited, **fields}
    return changed(container("web", "running", logs=size, created=ago(days=10)), **told)


def test_what_stays_because_nobody_watched() -> None:
    policy = policy_of(
        rule_text("old volumes", "volume", "match.anonymous = false", 'remove.unused_for = "30d"')
        + rule_text("old images", "image", "match.tagged = true", 'remove.unused_for = "30d"')
        + rule_text("old networks", "network", 'remove.unused_for = "7d"')
    )
    kept = volume("data", anonymous=False, created=ago(days=90), size=5 * MEGA)
    young, named = volume("young", anonymous=False), volume("anonymous", created=ago(days=90))
    watched = (Span(begins_at=ago(days=7), ends_at=NOW),)
    seen = inventory(kept, young, named, image("a", "a:1", first_seen=ago(days=90)), network("n"), watched=watched)
    [finding] = [one for one in report_of(seen, policy, None).findings if one.id == "DS020"]
    assert (finding.title, finding.objects) == (
        (
            "not watched for long enough, so kept: 2 objects by 2 rules; dockersweep watched only 7 of the last 30 "
            "days, at least half is needed"
        ),
        2,
    )
    assert finding.evidence[0] == ('volume data: 5.00 MB, rule "old volumes": not in use since 2026-08-26')
    assert finding.fix.command == "dockersweep explain volume:data"
    assert "dockersweep scan" in finding.fix.text
    half = (Span(begins_at=ago(days=15), ends_at=NOW),)
    assert "DS020" not in [one.id for one in report_of(replace(seen, watched=half), policy, None).findings]
    kept_anyway = replace(policy, protections=Protections(names=(Protection(pattern="*", source="x"),)))
    assert "DS020" not in [one.id for one in report_of(seen, kept_anyway, None).findings]
    assert "DS020" not in [one.id for one in report_of(seen, DEFAULT_POLICY, None).findings]


def test_every_id_has_one_row() -> None:
    assert sorted(row.id for row in FINDING_ROWS) == list(get_args(FindingId))
    assert [f"DS{number:03}" for number in range(1, len(FINDING_ROWS) + 1)] == list(get_args(FindingId))


@pytest.mark.parametrize("row", FINDING_ROWS, ids=lambda row: row.id)
def test_a_fix_says_its_command_and_its_rule(row: FindingRow) -> None:
    fix = row.fix.of(row.id, [Evidence("x", name="my data")])
    assert fix.command is None or fix.command in fix.text
    rule = [] if fix.rule is None else fix.rule.splitlines()[2:]
    assert all(line in fix.text for line in rule)
    assert ("[[rule]]" in fix.text) == bool(rule)
    # A file with this rule only would take the place of the default rules.
    adds = "[[rule]]" in fix.text or "[target]" in fix.text
    assert ("first `dockersweep policy init -o dockersweep.toml`" in fix.text) == adds


def test_logs_without_a_limit() -> None:
    finding = findings_in(logging(40 * MEGA, False))["DS001"]
    assert (finding.severity, finding.title, finding.size_bytes) == (
        "warning",
        "1 container log grows without a limit",
        40 * MEGA,
    )
    assert finding.evidence == ("web: 40.0 MB, 4.00 MB a day",)
    assert '{"max-size": "10m", "max-file": "3"}' in finding.fix.text
    fast = logging(9 * MEGA, False, created_at=ago(hours=2))
    assert findings_in(fast)["DS001"].evidence == ("web: 9.00 MB, 108 MB a day",)
    new = logging(20 * MEGA, False, created_at=ago(minutes=2))
    assert findings_in(new)["DS001"].evidence == ("web: 20.0 MB",)


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
    assert "DS001" not in findings_in(one)


def test_large_writable_layers() -> None:
    finding = findings_in(container("db", "running", size=200 * MEGA))["DS002"]
    assert finding.evidence == ("db: 200 MB, 10.0 MB a day",)
    assert "docker diff db shows where" in finding.fix.text
    assert "DS002" not in findings_in(container("db", "running", size=99 * MEGA), container("old", size=GIGA))
    assert "DS002" not in findings_in(container("db", "running", size=None))


def test_images_that_one_old_container_keeps() -> None:
    app, old = image("a", "app:1", size=8 * MEGA), container("job", image="sha256:a", finished=ago(days=40))
    assert findings_in(app, old)["DS006"].evidence == ("app:1: 8.00 MB, job stopped 40 days ago",)
    fix = findings_in(app, old)["DS006"].fix
    assert fix.text.startswith("dockersweep sweep --all-images removes job and the image at once")
    starts = changed(container("server", image="sha256:b", finished=ago(days=40)), restart_policy="always")
    finding = findings_in(app, old, image("b", "big:1", size=MEGA), starts)["DS006"]
    assert finding.fix.text.startswith("docker rm server ")
    assert "DS006" not in findings_in(app, container("job", image="sha256:a"))
    assert "DS006" not in findings_in(app, old, container("new", "running", image="sha256:a"))
    assert "DS006" not in findings_in(app)


OF_OTHERS = ({"com.docker.swarm.task.id": "x"}, {"io.kubernetes.pod.name": "x"})


@pytest.mark.parametrize("labels", OF_OTHERS)
def test_nobody_is_told_to_remove_what_the_swarm_or_the_kubelet_cleans_up(labels: dict[str, str]) -> None:
    """Neither an old container that keeps an image, nor one that is dead for long."""
    app, old = image("a", "app:1", size=8 * MEGA), container("job", image="sha256:a", finished=ago(days=40))
    dead = container("dead", "dead", finished=ago(days=2))
    assert {"DS006", "DS009"} <= set(findings_in(app, old, dead))
    assert not {"DS006", "DS009"} & set(findings_in(app, changed(old, labels=labels), changed(dead, labels=labels)))


def test_many_versions() -> None:
    many = [image(f"{number}", f"app:{number}", size=MEGA) for number in range(10)]
    finding = findings_in(*many)["DS007"]
    assert finding.evidence == ("app: 10 versions, 10.0 MB of 10.0 MB unused",)
    assert 'match.repository = "app"' in finding.fix.text
    assert "DS007" not in findings_in(*many[1:])
    assert "DS007" not in findings_in(*many, *(container(str(n), "running", image=f"sha256:{n}") for n in range(10)))


def test_restart_loops() -> None:
    loop = changed(container("web", "restarting"), restart_count=212, exit_code=1)
    assert findings_in(loop)["DS008"].evidence == ("web: restarting, 212 restarts, last exit code 1",)
    again = changed(container("web", "running"), restart_count=7, started_at=ago(minutes=2))
    assert findings_in(again)["DS008"].evidence == ("web: running, 7 restarts",)
    assert "DS008" not in findings_in(changed(again, started_at=ago(days=2)), changed(again, restart_count=1))


def test_containers_that_are_stuck() -> None:
    finding = findings_in(container("a", "dead"), container("b", "removing", created=ago(days=2)))["DS009"]
    assert finding.title == "2 containers are stuck, dead or being removed"
    assert finding.evidence == ("a: dead for up to 10 days", "b: removing for up to 2 days")
    assert "DS009" not in findings_in(container("a", "dead", finished=ago(minutes=5)), container("b"))


def life(day: int, *names: str, id: str = "sha256:x") -> Life:
    return Life(
        engine_name=None, kind="image", id=id, names=names, first_seen_at=ago(days=day), first_seen_unused_at=None,
        last_seen_at=None, is_there=False,
    )  # fmt: skip


def test_dangling_images_that_return_every_day() -> None:
    daily = Past((), tuple(life(day, "0123456789ab", "app:latest") for day in range(6)))
    finding = findings_in(past=daily)["DS010"]
    assert finding.title == "builds leave dangling images every day: 6 came on 6 of the last 7 days"
    assert finding.evidence == ("app:latest: 6 lost this tag to a newer build",)
    untagged = Past((), tuple(life(day, "0123456789ab") for day in range(5)))
    assert findings_in(past=untagged)["DS010"].evidence == ("none of them ever had a tag",)
    assert "DS010" not in findings_in(past=Past((), tuple(life(1, "0123456789ab") for _ in range(50))))
    parents = Past((), tuple(life(day, "0123456789ab", id="sha256:p") for day in range(6)))
    assert "DS010" not in findings_in(image("c", "app:1", parent="p"), past=parents)


def test_the_limit_of_the_build_cache() -> None:
    step, shared = record("r", size=3 * GIGA), record("s", shared=True, size=9 * GIGA)
    over = CacheLimit(size_bytes=2 * GIGA, source="/etc/docker/daemon.json")
    finding = findings_in(step, shared, cache_limit=over)["DS011"]
    assert finding.title == "the build cache is over the engine's own limit: 3.00 GB, over 2.00 GB"
    assert finding.evidence == ("the limit is from /etc/docker/daemon.json",)
    for limit in (None, CacheLimit(size_bytes=3 * GIGA, source="x")):
        assert not {"DS011", "DS012"} & findings_in(step, shared, cache_limit=limit).keys()
    none = CacheLimit(size_bytes=None, source="the default of Docker 26.1.5")
    assert findings_in(step, cache_limit=none)["DS012"].evidence == (
        "there is no limit by the default of Docker 26.1.5",
    )
    assert "DS012" not in findings_in(shared, cache_limit=none)


def test_stores_that_are_left_behind() -> None:
    left = LeftStore(folder="/var/lib/docker/overlay2", driver="overlay2", size_bytes=4 * GIGA)
    finding = findings_in(folder=EngineFolder(size_bytes=9, left_stores=(left,)))["DS013"]
    assert (finding.size_bytes, finding.evidence) == (4 * GIGA, ("/var/lib/docker/overlay2 (overlay2): 4.00 GB",))
    assert finding.fix.places == ("/var/lib/docker/overlay2",)
    odd = msgspec.structs.replace(left, places=("/data/a b", "/data/image/overlay2"))
    vfs = LeftStore(folder="/data/vfs", driver="vfs", size_bytes=1, places=("/data/vfs",))
    fix = findings_in(folder=EngineFolder(size_bytes=9, left_stores=(vfs, odd)))["DS013"].fix
    assert fix.places == ("/data/a b", "/data/image/overlay2", "/data/vfs")
    assert "remove '/data/a b', /data/image/overlay2 and /data/vfs: all of these" in fix.text
    assert "DS013" not in findings_in(folder=EngineFolder(size_bytes=9))


def leak(kind: LeakKind, size: int | None, hours: float = 2, path: str = "/d/1") -> LeakedFolder:
    return LeakedFolder(kind=kind, path=path, size_bytes=size, changed_at=ago(hours=hours), why="unnamed")


LEAK_IDS: tuple[tuple[LeakKind, str], ...] = (
    ("layer", "DS021"),
    ("containerd", "DS022"),
    ("podman", "DS023"),
    ("volume", "DS024"),
    ("container", "DS025"),
    ("image-mount", "DS027"),
)


@pytest.mark.parametrize(("kind", "id_"), LEAK_IDS)
def test_what_nobody_owns(kind: LeakKind, id_: str) -> None:
    def told(*leaks: LeakedFolder) -> dict[str, Finding]:
        return findings_in(folder=EngineFolder(size_bytes=9, leaks=leaks))

    large, small = leak(kind, 4 * MEGA, 50, "/d/my layer"), leak(kind, 10_000, path="/d/2")
    finding = told(small, large)[id_]
    assert (finding.objects, finding.size_bytes) == (2, 4 * MEGA + 10_000)
    assert finding.evidence == (
        "/d/my layer: 4.00 MB, last changed 2 days ago",
        "/d/2: 10.0 kB, last changed 2 hours ago",
    )
    names = {"podman": "prune --external", "volume": "docker volume rm 'my layer'"}
    assert names.get(kind, "'/d/my layer'") in finding.fix.text
    # Together too small, in the making, of an unknown age.
    unknown = replace(large, changed_at=None)
    assert not set(told(small, leak(kind, 4 * MEGA, 0.9), unknown)) & {name for _, name in LEAK_IDS}
    assert set(told(large)) & {name for _, name in LEAK_IDS} == {id_}
    many = told(*(leak(kind, number * MEGA, path=f"/d/{number}") for number in range(1, 13)))[id_]
    assert (many.objects, len(many.evidence), many.evidence[0][:6]) == (12, 10, "/d/12:")


def test_why_nobody_owns_it() -> None:
    told = [
        replace(leak("containerd", MEGA), why="lease-expired", expired_at=ago(days=3)),
        replace(leak("containerd", MEGA), why="unkept"),
        replace(leak("containerd", MEGA), why="ingest-abandoned"),
        replace(leak("containerd", MEGA), why="removal-unfinished"),
    ]
    finding = findings_in(folder=EngineFolder(size_bytes=9, leaks=tuple(told)))["DS022"]
    assert sorted(text.partition(" ago, ")[2] for text in finding.evidence) == [
        "a download that did not end",
        "its lease expired 3 days ago",
        "left by a removal that did not finish",
        "nothing keeps it",
    ]


def test_artifacts_that_take_much() -> None:
    def found(*sizes: int | None) -> Finding | None:
        artifacts = tuple(Artifact(name=f"team/model:{number}", size_bytes=size) for number, size in enumerate(sizes))
        store = ArtifactStore(folder="/a", size_bytes=sum(size or 0 for size in sizes), artifacts=artifacts)
        return findings_in(folder=EngineFolder(size_bytes=GIGA, artifacts=store)).get("DS026")

    finding = found(MEGA, 110 * MEGA)
    assert finding is not None
    assert (finding.size_bytes, finding.evidence) == (111 * MEGA, ("team/model:1: 110 MB", "team/model:0: 1.00 MB"))
    assert finding.fix.command == "podman artifact rm team/model:1"
    unread = found(None, 100 * MEGA)
    assert unread is not None
    assert unread.size_bytes is None
    assert found(50 * MEGA, 49 * MEGA) is None
    assert "DS026" not in findings_in(folder=EngineFolder(size_bytes=GIGA))


def test_stopped_containers_that_come_back() -> None:
    assert findings_in(container("web", restart="always"))["DS014"].evidence == (
        "web: stopped 10 days ago, restarts always",
    )
    assert "DS014" not in findings_in(
        container("a", "running", restart="always"), container("b", restart="unless-stopped")
    )
    failed = changed(container("web", restart="on-failure"), exit_code=137, retries_left=True)
    assert findings_in(failed)["DS014"].evidence == ("web: stopped 10 days ago, restarts on-failure (exit code 137)",)
    assert "DS014" not in findings_in(changed(failed, exit_code=0), changed(failed, retries_left=False))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (disk(84), None),
        # As df prints it.
        (disk(84.1), ("DS016", "warning", "the disk fills up: 85% of its bytes used")),
        (disk(85), ("DS016", "warning", "the disk fills up: 85% of its bytes used")),
        (disk(95), ("DS015", "critical", "the disk is nearly full: 95% of its bytes used")),
        (disk(100), ("DS015", "critical", "the disk is nearly full: 100% of its bytes used")),
        (disk(20, inodes_used=97), ("DS015", "critical", "the disk is nearly full: 97% of its inodes used")),
        (msgspec.structs.replace(disk(50), total_inodes=None, free_inodes=None), None),
        (Disk(total_bytes=0, free_bytes=0, total_inodes=0, free_inodes=0), None),
        (None, None),
    ],
)
def test_a_full_disk(seen: Disk | None, expected: tuple[str, str, str] | None) -> None:
    told = [(one.id, one.severity, one.title) for one in findings_in(disk=seen).values()]
    assert told == ([] if expected is None else [expected])


def test_a_disk_that_is_full_soon() -> None:
    def past(a_day: int) -> Past:
        return Past(tuple(TrendPoint(at=ago(days=20 - day), sizes={"disk": day * a_day}) for day in range(20)))

    finding = findings_in(disk=disk(50), past=past(5 * GIGA))["DS017"]
    assert finding.title == "the disk is full soon: in about 10 days"
    assert "(from 20 scans over 19 days)" in finding.evidence[0]
    assert "DS017" not in findings_in(disk=disk(50), past=past(GIGA))
    assert "DS017" not in findings_in(disk=disk(50), past=past(-GIGA))


def test_each_of_several_disks_is_told_by_its_name() -> None:
    def mounted(one: Disk, point: str) -> Disk:
        return msgspec.structs.replace(one, mount_point=point, places=(point,))

    full, filling, fine = mounted(disk(97), "/a"), mounted(disk(90), "/b"), mounted(disk(20), "/c")
    told = findings_in(disk=fine, other_disks=(full, filling))
    assert sorted(told) == ["DS015", "DS016"]
    assert told["DS015"].title == "the disk is nearly full: /a: 97% of its bytes used"
    assert told["DS016"].evidence == ("/b: 10.0 GB of 100 GB free",)
    both = findings_in(disk=full, other_disks=(mounted(disk(99), "/b"), fine))["DS015"]
    assert both.title == "the disk is nearly full: /b: 99% of its bytes used"
    assert [one.partition(":")[0] for one in both.evidence] == ["/b", "/a"]
    assert both.objects == 2


@pytest.mark.parametrize(("used", "id_"), [(97, "DS015"), (90, "DS016")])
@pytest.mark.parametrize("where", ["on it", "elsewhere"])
def test_a_sweep_mends_only_a_disk_on_which_it_frees_something(used: float, id_: str, where: str) -> None:
    """An image that dangles goes by the default policy; what is freed on one disk is no room on another."""
    places = ("/var/lib/docker/overlay2",) if where == "on it" else ("/var/lib/docker/volumes",)
    full = msgspec.structs.replace(disk(used), mount_point=places[0], places=places)
    main = msgspec.structs.replace(disk(20), mount_point="/", places=("/var/lib/docker",))
    layer = Part(id="layer:1", low_bytes=GIGA, high_bytes=GIGA, folder="overlay2/1")
    parts = (layer, Part(id="image:sha256:a", needs=("layer:1",), high_bytes=0))
    fields: dict[str, Any] = {"disk": main, "other_disks": (full,), "storage": Storage(base="disk", parts=parts)}
    fix = findings_in(image("a"), **fields)[id_].fix
    assert fix.command == ("dockersweep sweep" if where == "on it" else None)
    assert fix.text.startswith("the rules free nothing there") == (where == "elsewhere")
    unknown = findings_in(**(fields | {"storage": None}))[id_].fix
    assert unknown.command == "dockersweep sweep"


def test_a_disk_other_than_the_main_one_is_full_soon() -> None:
    other = msgspec.structs.replace(disk(50), mount_point="/srv")
    sizes: list[dict[str, int | None]] = [{"disk": 50 * GIGA, "disk:/srv": day * 5 * GIGA} for day in range(20)]
    points = tuple(TrendPoint(at=ago(days=20 - day), sizes=size) for day, size in enumerate(sizes))
    finding = findings_in(disk=disk(50), other_disks=(other,), past=Past(points))["DS017"]
    assert finding.title == "the disk is full soon: /srv: in about 10 days"
    assert finding.evidence[0].startswith("/srv: at this rate (5.00 GB a day)")


def test_what_is_reserved_counts_as_df_counts_it() -> None:
    """31% for df, where 72% of all bytes are not free."""
    seen = msgspec.structs.replace(disk(72), used_bytes=13 * GIGA)
    assert findings_in(disk=seen) == {}
    full = msgspec.structs.replace(disk(80), used_bytes=75 * GIGA)
    assert findings_in(disk=full) == {}
    assert findings_in(disk=msgspec.structs.replace(disk(94), used_bytes=90 * GIGA))["DS016"].title == (
        "the disk fills up: 94% of its bytes used"
    )
    assert "DS015" in findings_in(disk=msgspec.structs.replace(disk(96), used_bytes=90 * GIGA))


def test_a_disk_of_94_and_a_bit_is_nearly_full_and_does_not_also_fill_up() -> None:
    assert sorted(findings_in(disk=disk(94.01, inodes_used=86))) == ["DS015"]
    assert sorted(findings_in(disk=disk(94, inodes_used=86))) == ["DS016"]


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
            volume("old", anonymous=False, created=ago(days=99)),
        ),
        disk=disk(97),
    )
    assert [one.id for one in report(seen).findings] == ["DS015", "DS001", "DS002", "DS003", "DS014"]
    quiet = report(seen, silenced=("DS003", "DS015", "DS009"))
    assert [one.id for one in quiet.findings] == ["DS001", "DS002", "DS014"]
    assert quiet.silenced == ("DS003", "DS015")


def test_at_most_ten_are_told_and_all_are_counted_and_names_cannot_run_anything() -> None:
    many = [container(f"c{n:02}", "running", size=(100 + n) * MEGA) for n in range(12)]
    finding = findings_in(*many, container("$(reboot)", "running", size=GIGA))["DS002"]
    assert (finding.objects, len(finding.evidence)) == (13, 10)
    assert finding.evidence[0].startswith("$(reboot): 1.00 GB")
    assert "docker diff '$(reboot)' shows where" in finding.fix.text


def test_a_report_of_what_is_gone_tomorrow_counts_to_its_own_now() -> None:
    seen = inventory(volume("v", anonymous=False, created=ago(days=29)))
    later = report_of(seen, DEFAULT_POLICY, None, NOW + timedelta(days=2))
    assert [one.id for one in later.findings] == ["DS003"]


def left(name: str, tool: ExternalTool = "podman build", **age: float) -> ExternalContainer:
    return ExternalContainer(
        id=name, name=name, image_id="sha256:a", tool=tool, created_at=ago(**age), size_bytes=3 * MEGA
    )


def test_containers_that_killed_builds_left() -> None:
    old, older = left("ubi-working-container", hours=7), left("go-working-container", days=2)
    finding = findings_in(external=(old, older, left("new-working-container", hours=5)))["DS018"]
    assert (finding.severity, finding.title, finding.size_bytes) == (
        "warning",
        "2 containers of builds were left behind",
        6 * MEGA,
    )
    assert finding.evidence == (
        "go-working-container: 3.00 MB, made 2 days ago",
        "ubi-working-container: 3.00 MB, made 7 hours ago",
    )
    assert finding.fix.text.startswith("podman rm --force go-working-container, unless its build still runs")
    assert "DS018" not in findings_in(
        external=(left("k8s_POD_web", "CRI-O", days=2), left("v+volume", "volume", days=2))
    )
    assert "DS018" not in findings_in(external=None)


def test_containers_of_other_tools_are_counted_with_the_writable_layers() -> None:
    mounted = msgspec.structs.replace(left("/merged", "image mount", hours=7), size_bytes=None)
    told = report(msgspec.structs.replace(inventory(container("web")), external=(left("x", hours=1), mounted)))
    [row] = [one for one in told.shares if one.share == "writable-layer"]
    assert (row.count, row.external, row.external_bytes) == (2, 1, 3 * MEGA)
    words = "Among the writable layers are 1 container of other tools, 3.00 MB: podman ps --all --external lists them."
    assert words in sum_sentence(told)
    assert "other tools" not in sum_sentence(report(inventory(container("web"))))
