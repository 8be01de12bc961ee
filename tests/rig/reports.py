"""Made-up disk reports of any size, for the tests of their formats."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import cycle, islice
from typing import Any, Literal

import msgspec

from dockersweep.model.disk import Disk
from dockersweep.model.inventory import Kind, ScanWarning
from dockersweep.model.plan import Interval
from dockersweep.model.report import (
    SHARES,
    ArchiveState,
    Filling,
    Finding,
    Fix,
    Group,
    GrowthOfShare,
    KindOnDisk,
    Report,
    ReportedDisk,
    ReportedObject,
    Share,
    SharedLayers,
    ShareOfDisk,
    Trend,
    TrendPoint,
)
from tests.rig.inventories import ENGINE, NOW

MEGABYTE = 1_000_000
GIGABYTE = 1_000_000_000
DAY = 86_400
GROWTH: dict[Share | Literal["total", "disk"], int] = {
    "volume": 310 * MEGABYTE, "image": 190 * MEGABYTE, "container-log": 45 * MEGABYTE, "build-cache": -20 * MEGABYTE,
    "writable-layer": 0, "network": 0, "disk": 600 * MEGABYTE, "total": 525 * MEGABYTE,
}  # fmt: skip
"""How many bytes of each sort come a day."""

_PROJECTS = ("billing", "shop", "monitoring", "ci", None)
_REPOSITORIES = ("registry.example.com/shop/web", "registry.example.com/billing/api", "postgres", "node", None)
_KINDS: tuple[Kind, ...] = ("image", "volume", "image", "container", "build-cache", "image", "container", "network")


def exactly(size_bytes: int) -> Interval:
    """An interval without any doubt."""
    return Interval(low_bytes=size_bytes, high_bytes=size_bytes)


def reported(kind: Kind, name: str, size_bytes: int | None, **fields: Any) -> ReportedObject:
    """An object that is unused, kept and forty days old unless told otherwise; all its bytes are its own."""
    told: dict[str, Any] = {
        "id": f"{kind}-{name}", "project": None, "repository": None, "own_bytes": size_bytes, "in_use": False,
        "goes": False, "age_seconds": 40 * DAY, "age_source": "last used", "why": "nothing uses it", **fields,
    }  # fmt: skip
    return ReportedObject(kind=kind, name=name, size_bytes=size_bytes, **told)


def many_objects(count: int) -> tuple[ReportedObject, ...]:
    """So many objects of all kinds, the largest first: few large ones and a long tail, as on a real engine."""
    return tuple(_one_of_many(number, kind) for number, kind in enumerate(islice(cycle(_KINDS), count)))


def report(objects: Sequence[ReportedObject] = (), **fields: Any) -> Report:
    """A report whose shares add up to these objects; every field can be given."""
    folder = _own(objects)
    told: dict[str, Any] = {
        "schema": "dockersweep.report/1", "engine": ENGINE, "taken_at": NOW, "now": NOW,
        "policy_source": "/etc/dockersweep.toml", "size_base": "disk", "not_from_disk": None,
        "shares": shares_of(objects), "folder_bytes": folder + 40 * MEGABYTE, "remainder_bytes": 40 * MEGABYTE,
        "disk": Disk(total_bytes=2 * folder + GIGABYTE, free_bytes=folder // 3, total_inodes=None, free_inodes=None),
        "reclaimable": exactly(_own(one for one in objects if one.goes)),
        "unused": exactly(_own(one for one in objects if not one.in_use)), "objects": tuple(objects),
        "projects": groups_of(objects, "project"), "repositories": groups_of(objects, "repository"),
        "ages": ages_of(objects), "sharing": (), "findings": (), "silenced": (), "trend": None, "warnings": (),
        **fields,
    }  # fmt: skip
    made = Report(**told)
    return made if made.disk is None or "disks" in fields else msgspec.structs.replace(made, disks=(main_row(made),))


def main_row(made: Report) -> ReportedDisk:
    """The row of the main disk, on which all lies that there is."""
    assert made.disk is not None
    growth = [one for one in (made.trend.growth if made.trend else ()) if one.share == "disk"]
    return ReportedDisk(
        disk=msgspec.structs.replace(made.disk, mount_point="/var/lib/docker", device="/dev/sda1"), share="disk",
        kinds=tuple(
            KindOnDisk(kind=kind, size=exactly(_own(one for one in made.objects if one.kind == kind)))
            for kind in ("image", "build-cache", "container", "volume")
        ),
        folder_bytes=made.folder_bytes, folder_is_whole=made.folder_is_whole, remainder_bytes=made.remainder_bytes,
        reclaimable=made.reclaimable,
        filling=Filling(
            growth=growth[0], full_in_days=made.trend.full_in_days,
            full_in_days_soonest=made.trend.full_in_days_soonest, full_in_days_latest=made.trend.full_in_days_latest,
            text=made.trend.text,
        ) if made.trend and growth else None,
    )  # fmt: skip


def with_second_disk(made: Report, full_in_days: float | None = None) -> Report:
    """The report with the volumes on a disk of their own, 30 GB large and 94% full."""
    main = main_row(made)
    filling = main.filling and msgspec.structs.replace(
        main.filling, full_in_days=full_in_days, full_in_days_soonest=full_in_days and full_in_days - 1,
        full_in_days_latest=full_in_days and full_in_days + 1, text="at this rate the disk is full (from 9 points)",
    )  # fmt: skip
    disk = Disk(
        total_bytes=30 * GIGABYTE, free_bytes=GIGABYTE, used_bytes=15 * GIGABYTE, total_inodes=1000, free_inodes=10,
        device="/dev/sdb1", mount_point="/var/lib/docker/volumes", places=("/var/lib/docker/volumes",),
    )  # fmt: skip
    second = ReportedDisk(
        disk=disk, share="disk:/var/lib/docker/volumes",
        kinds=(KindOnDisk(kind="volume", size=exactly(9 * GIGABYTE)),), folder_bytes=10 * GIGABYTE,
        folder_is_whole=False, remainder_bytes=None, reclaimable=exactly(GIGABYTE), filling=filling,
    )  # fmt: skip
    return msgspec.structs.replace(made, disks=(main, second))


def busy_report(count: int = 400) -> Report:
    """A report of an engine that has everything: findings, a trend, sharing, warnings and unknown sizes."""
    objects = many_objects(count)
    unknown = reported("volume", "nfs_share", None, in_use=True, why="used by container web-1 (running)")
    return report(
        (*objects, unknown), findings=findings(), trend=trend(), silenced=("DS014",),
        disk=Disk(
            total_bytes=360 * GIGABYTE, free_bytes=33 * GIGABYTE, total_inodes=24_000_000, free_inodes=21_000_000
        ),
        sharing=(
            SharedLayers(images=2, layers=14, size_bytes=3 * GIGABYTE),
            SharedLayers(images=9, layers=4, size_bytes=400 * MEGABYTE),
        ),
        warnings=(ScanWarning(about="volume nfs_share", text="its size could not be read: it lies elsewhere"),),
        archive=ArchiveState(
            folder="/srv/dockersweep", objects=12, size_bytes=3 * GIGABYTE, max_bytes=20 * GIGABYTE,
            oldest_at=NOW - timedelta(days=9), newest_at=NOW, free_bytes=33 * GIGABYTE,
            min_free_bytes=GIGABYTE,
        ),
    )  # fmt: skip


def shares_of(objects: Iterable[ReportedObject]) -> tuple[ShareOfDisk, ...]:
    """The shares that these objects add up to; of a container a quarter is its log."""
    return tuple(_share(share, tuple(objects)) for share in SHARES)


def groups_of(objects: Iterable[ReportedObject], by: str) -> tuple[Group, ...]:
    """The objects grouped by that field of theirs, the largest first."""
    grouped: dict[str, list[ReportedObject]] = {}
    for one in objects:
        if name := getattr(one, by):
            grouped.setdefault(name, []).append(one)
    groups = [_group(name, members, by == "repository") for name, members in grouped.items()]
    return tuple(sorted(groups, key=lambda group: -(group.size_bytes or 0)))


def ages_of(objects: Sequence[ReportedObject]) -> tuple[Group, ...]:
    """The bands of age from the youngest on."""
    bands = (("under a day", DAY), ("a day to a week", 7 * DAY), ("a week to a month", 30 * DAY),
             ("a month to a quarter", 91 * DAY), ("older than a quarter", 10**12))  # fmt: skip
    groups = []
    since = 0
    for name, below in bands:
        members = [one for one in objects if one.age_seconds is not None and since <= one.age_seconds < below]
        groups.append(_group(name, members, False))
        since = below
    return (*groups, _group("of unknown age", [one for one in objects if one.age_seconds is None], False))


def trend(days: int = 45, per_day: int = 4) -> Trend:
    """How it grew over so many days, with a clean-up in the middle."""
    count = days * per_day
    points = tuple(_point(number / per_day, days) for number in range(count))
    growth = tuple(
        GrowthOfShare(
            share=share, points=count, span_seconds=days * DAY, bytes_per_day=slope, low_bytes_per_day=slope - MEGABYTE,
            high_bytes_per_day=slope + MEGABYTE, grown_bytes=slope * days,
        )
        for share, slope in GROWTH.items()
    )  # fmt: skip
    return Trend(
        points=points, growth=growth, full_in_days=61.0, full_in_days_soonest=43.0, full_in_days_latest=96.0,
        text=f"at this rate the disk is full in 43 to 96 days (from {count} points)",
    )  # fmt: skip


def finding(id_: str, text: str = "do it", command: str | None = None, **fields: Any) -> Finding:
    """A note on one object, unless told otherwise, whose fix says this and begins with this command."""
    told: dict[str, Any] = {
        "severity": "note", "title": "1 thing is odd", "evidence": ("thing: odd",), "objects": 1, "size_bytes": None,
        **fields,
    }  # fmt: skip
    return Finding(id=id_, fix=Fix(command=command, rule=None, text=text), mend=text, **told)


def findings() -> tuple[Finding, ...]:
    """One of each severity, the worst first."""
    return (
        finding(
            "DS015", "dockersweep sweep; for more than the rules give, a policy with [target] start_above",
            "dockersweep sweep", severity="critical", title="the disk is nearly full: 91% of its bytes used",
            evidence=("/var/lib/docker: 33.0 GB of 360 GB are free",),
        ),
        finding(
            "DS001",
            'write "log-opts": {"max-size": "10m", "max-file": "3"} into /etc/docker/daemon.json, restart the '
            "engine, and make the containers anew",
            severity="warning", title="3 container logs grow without a limit", objects=3, size_bytes=11 * GIGABYTE,
            evidence=("shop-web-1: 7.20 GB, 210 MB a day", "shop-worker-1: 3.10 GB", "billing-api-1: 700 MB"),
        ),
        finding(
            "DS007", 'a [[rule]] with kind = "image" and keep.last = 5 keeps the newest',
            title="1 repository has many versions", objects=14, size_bytes=9 * GIGABYTE,
            evidence=("registry.example.com/shop/web: 14 versions, 9.00 GB",),
        ),
    )  # fmt: skip


def unread(seen: Report, *shares: Share) -> Report:
    """The report with these shares not read."""
    marked = tuple(
        msgspec.structs.replace(
            one, is_known=False, count=0, in_use=0, size=Interval(low_bytes=0, high_bytes=None),
            reclaimable=Interval(low_bytes=0, high_bytes=None), unused=Interval(low_bytes=0, high_bytes=None),
        ) if one.share in shares else one
        for one in seen.shares
    )  # fmt: skip
    return msgspec.structs.replace(seen, shares=marked)


def _one_of_many(number: int, kind: Kind) -> ReportedObject:
    project = _PROJECTS[number % 5] if kind in ("container", "volume", "network") else None
    repository = _REPOSITORIES[(number // 3) % 5] if kind == "image" else None
    in_use = number % 3 == 0
    size = 0 if kind == "network" else int(9 * GIGABYTE / (number + 1) ** 0.9)
    names = {
        "container": f"{project or 'job'}-worker-{number}", "image": f"{repository or '<none>'}:build-{number}",
        "volume": f"{project or 'data'}_volume_{number}", "network": f"{project or 'lone'}_net_{number}",
        "build-cache": f"[build {number % 7}/7] RUN npm ci --omit=dev && npm run build",
    }  # fmt: skip
    why = f"used by container shop-web-{number} (running)" if in_use else "nothing uses it; last used 5 weeks ago"
    return reported(
        kind, names[kind], size, id=f"{kind}{number:060}", project=project, repository=repository, in_use=in_use,
        goes=not in_use and number % 2 == 0, age_seconds=None if number % 11 == 0 else number * 9000, why=why,
    )  # fmt: skip


def _share(share: Share, objects: Sequence[ReportedObject]) -> ShareOfDisk:
    quarters = {"writable-layer": 3, "container-log": 1}.get(share, 4)
    members = [one for one in objects if one.kind == ("container" if quarters < 4 else share)]
    size = _own(members) * quarters // 4
    is_exact = all(one.size_bytes is not None for one in members)
    return ShareOfDisk(
        share=share, is_known=True, count=len(members), in_use=sum(one.in_use and not one.goes for one in members),
        size=exactly(size) if is_exact else Interval(low_bytes=size, high_bytes=None),
        reclaimable=exactly(_own(one for one in members if one.goes) * quarters // 4),
        unused=exactly(_own(one for one in members if not one.in_use) * quarters // 4),
    )  # fmt: skip


def _own(objects: Iterable[ReportedObject]) -> int:
    return sum(one.own_bytes or 0 for one in objects)


def _group(name: str, members: Sequence[ReportedObject], versions: bool) -> Group:
    return Group(
        name=name, objects=len(members), size_bytes=_own(members),
        unused_bytes=_own(one for one in members if not one.in_use),
        versions=len(members) if versions else None,
    )  # fmt: skip


def _point(day: float, days: int) -> TrendPoint:
    swept = 4 * GIGABYTE if day > days / 2 else 0
    sizes: dict[str, int | None] = {
        share: int(max(0, 20 * GIGABYTE + slope * day - (swept if share == "image" else 0)))
        for share, slope in GROWTH.items()
        if share not in ("network", "total", "disk")
    }
    sizes["disk"] = int(300 * GIGABYTE + 600 * MEGABYTE * day - swept)
    return TrendPoint(at=NOW - timedelta(days=days - day), sizes=sizes)
