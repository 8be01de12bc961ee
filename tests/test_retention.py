"""What a rule keeps of what it speaks of: a table of cases, and restic's own published answers."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import chain

import pytest
from msgspec.structs import replace

from dockersweep.errors import UsageError
from dockersweep.model.inventory import Image, Object
from dockersweep.model.naming import id_of
from dockersweep.model.policy import Keep
from dockersweep.policy.retention import kept_by
from dockersweep.policy.versions import version_of
from dockersweep.units import LAST_UNKNOWN_INSTANT, parse_age
from tests.inventories import NOW, ago, container, image, network, record, volume

Spoken = list[tuple[Object, tuple[str, ...]]]


def built(name: str, *tags: str, at: datetime | None = None, project: str | None = None, **more: object) -> Image:
    """An image that was built at that time, or nobody knows when."""
    return replace(image(name, *tags), built_at=at, project=project, **more)


def spoken_of(objects: Iterable[Object]) -> Spoken:
    """What a rule without conditions for tags speaks of."""
    return [(seen, seen.tags if isinstance(seen, Image) else ()) for seen in objects]


def said(keep: Keep, *objects: Object) -> dict[str, str]:
    """What is kept, by its tag or otherwise by its id, with all reasons."""
    return {tag or own: "; ".join(reasons) for (own, tag), reasons in kept_by(keep, spoken_of(objects), NOW).items()}


def series(repository: str, *days: float) -> list[Image]:
    """Images of one repository, each so many days old; the first has the tag 1."""
    return [built(f"{repository}{n}", f"{repository}:{n}", at=ago(days=old)) for n, old in enumerate(days, 1)]


def versions(repository: str, *tags: str) -> list[Image]:
    """Images of one repository, one for each tag, the time of whose build nobody knows."""
    return [built(tag, f"{repository}:{tag}") for tag in tags]


BY_REPOSITORY = "repository"
TEN = series("app", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
REGISTRY = "registry.example.com:5000/team/app"

CASES: dict[str, tuple[Keep, Sequence[Object], dict[str, str]]] = {
    # name of the case: keep, objects, what is kept
    "the newest": (Keep(last=2), TEN, {"app:1": "last #1", "app:2": "last #2"}),
    "more than there are": (
        Keep(last=9), series("app", 2, 1), {"app:2": "last #1", "app:1": "last #2"},
    ),
    "all": (Keep(last="all"), series("app", 1, 2), {"app:1": "last #1", "app:2": "last #2"}),
    "nothing at all to keep": (Keep(last=5, tags=("*",), minors=1), [], {}),
    "nothing is asked for": (Keep(), TEN, {}),
    "each repository by itself": (
        Keep(group_by=BY_REPOSITORY, last=1), [*series("app", 1, 2), *series("other", 8, 9)],
        {"app:1": "last #1 of app", "other:1": "last #1 of other"},
    ),
    "all in one group": (
        Keep(last=1), [*series("app", 1, 2), *series("other", 8, 9)], {"app:1": "last #1"},
    ),
    "the port of a registry is no tag": (
        Keep(group_by=BY_REPOSITORY, last=1), [built("a", f"{REGISTRY}:1", at=ago(days=1))],
        {f"{REGISTRY}:1": f"last #1 of {REGISTRY}"},
    ),
    "a registry that people leave out": (
        Keep(group_by=BY_REPOSITORY, last=1),
        [
            built("a", "docker.io/library/app:1", at=ago(days=1)), built("b", "app:2", at=ago(days=2)),
            built("c", "localhost/app:3", at=ago(days=3)),
        ],
        {"docker.io/library/app:1": "last #1 of app", "localhost/app:3": "last #1 of localhost/app"},
    ),
    "images are counted, not tags": (
        Keep(group_by=BY_REPOSITORY, last=2),
        [built("a", "app:3", "app:latest", "app:edge", at=ago(days=1)), *series("app", 2, 3)],
        {
            "app:3": "last #1 of app", "app:latest": "last #1 of app", "app:edge": "last #1 of app",
            "app:1": "last #2 of app",
        },
    ),
    "a tag in another repository is counted there": (
        Keep(group_by=BY_REPOSITORY, last=1),
        [built("a", "app:1", "other:1", at=ago(days=5)), built("b", "app:2", at=ago(days=1))],
        {"app:2": "last #1 of app", "other:1": "last #1 of other"},
    ),
    "without a tag, by the repository of the digest": (
        Keep(group_by=BY_REPOSITORY, last=1),
        [built("a", at=ago(days=1), digests=(f"{REGISTRY}@sha256:1",)), built("b", f"{REGISTRY}:1", at=ago(days=2))],
        {"sha256:a": f"last #1 of {REGISTRY}"},
    ),
    "without a tag, digests in two repositories": (
        Keep(group_by=BY_REPOSITORY, last=1),
        [built("a", at=ago(days=1), digests=("two@sha256:1", "one@sha256:1"))],
        {"sha256:a": "last #1 of one; last #1 of two"},
    ),
    "without a tag or a digest": (
        Keep(group_by=BY_REPOSITORY, last=1, within=parse_age("1d")),
        [built("a", at=ago(days=1)), built("b", at=ago(days=1, hours=3)), built("c", at=ago(days=3))],
        {
            "sha256:a": "last #1 of images without a repository; "
            "within 1 day of the newest of images without a repository",
            "sha256:b": "within 1 day of the newest of images without a repository",
        },
    ),
    "by compose project": (
        Keep(group_by="project", last=1),
        [
            built("a", "app:1", at=ago(days=2), project="shop"), built("b", "web:1", at=ago(days=1), project="shop"),
            built("c", "app:2", at=ago(days=3)), built("d", "app:3", at=ago(days=4)),
        ],
        {"web:1": "last #1 of project shop", "app:2": "last #1 of images without a project"},
    ),
    "by label": (
        Keep(group_by="label:app", last=1),
        [
            volume("a", created=ago(days=2), labels={"app": "web"}),
            volume("b", created=ago(days=1), labels={"app": "web"}),
            volume("c", created=ago(days=3), labels={"app": ""}),
            volume("d", created=ago(days=3), labels={"other": "web"}),
        ],
        {"b": "last #1 of app=web", "c": "last #1 of app=", "d": "last #1 of volumes without the label app"},
    ),
    "what has no labels and no project": (
        Keep(group_by="project", last=1), [record("a")], {"a": "last #1 of build-cache records without a project"},
    ),
    "what has no labels, by one": (
        Keep(group_by="label:app", last=1), [record("a")],
        {"a": "last #1 of build-cache records without the label app"},
    ),
    "what has no repository is one group": (
        Keep(group_by=BY_REPOSITORY, last=1), [network("a"), network("b", created=ago(days=1))], {"net-b": "last #1"},
    ),
    "containers by their creation": (
        Keep(last=1),
        [container("a", created=ago(days=1), finished=ago(hours=9)), container("b", created=ago(days=2))],
        {"a": "last #1"},
    ),
    "of the same time: which is newer nobody knows": (
        Keep(last=2), [volume("a"), volume("c"), volume("b"), volume("d", created=ago(days=11))],
        {"c": "last #1", "b": "last #2", "a": "as new as the last #2"},
    ),
    "within, counted from the newest and not from now": (
        Keep(group_by=BY_REPOSITORY, within=parse_age("30d")), series("app", 100, 130, 130.01),
        {"app:1": "within 30 days of the newest of app", "app:2": "within 30 days of the newest of app"},
    ),
    "within calendar months": (
        Keep(within=parse_age("1mo")),
        [volume(f"{month:02}-{day:02}", created=datetime(2026, month, day, tzinfo=UTC))
         for month, day in ((3, 31), (3, 1), (2, 28), (2, 27))],
        dict.fromkeys(("03-31", "03-01", "02-28"), "within 1 month of the newest"),
    ),
    "every reason is told": (
        Keep(group_by=BY_REPOSITORY, last=1, within=parse_age("1h"), daily=2, tags=("1*", "*.2.3"), majors=1, minors=1),
        [built("a", "app:1.2.3", at=ago(days=1)), built("b", "app:0.1.0", at=ago(days=3))],
        {
            "app:1.2.3": "last #1 of app; within 1 hour of the newest of app; daily #1 of app; tag matches 1*; "
            "tag matches *.2.3; newest of version 1; newest of version 1.2",
            "app:0.1.0": "daily #2 of app",
        },
    ),
    "the newest of each hour": (
        Keep(hourly=2), series("app", 0.01, 0.02, 0.05, 0.06), {"app:1": "hourly #1", "app:3": "hourly #2"},
    ),
    "days without any are not counted": (
        Keep(daily=2), series("app", 1, 1.1, 7, 8), {"app:1": "daily #1", "app:3": "daily #2"},
    ),
    "weeks begin on Monday, and belong to the year of their Thursday": (
        Keep(weekly=2),
        [volume(name, created=datetime(2021, month, day, tzinfo=UTC) - timedelta(days=back))
         for name, month, day, back in (("Mon", 1, 4, 0), ("Sun", 1, 3, 0), ("Thu", 1, 1, 1), ("older", 1, 1, 9))],
        {"Mon": "weekly #1", "Sun": "weekly #2"},
    ),
    "the same week and the same month of another year": (
        Keep(weekly=2, monthly=2),
        [volume(f"{year}", created=datetime(year, 6, 18, tzinfo=UTC)) for year in (2026, 2025, 2024)],
        {"2026": "weekly #1; monthly #1", "2025": "weekly #2; monthly #2"},
    ),
    "the oldest, while there is room": (
        Keep(yearly=3, monthly=1), series("app", 1, 2, 3),
        {"app:1": "monthly #1; yearly #1", "app:3": "oldest, yearly #2"},
    ),
    "the oldest, where there is no room": (Keep(yearly=1), series("app", 1, 2, 3), {"app:1": "yearly #1"}),
    "the oldest, where all are kept": (
        Keep(group_by=BY_REPOSITORY, yearly="all"), series("app", 1, 2, 3),
        {"app:1": "yearly #1 of app", "app:3": "oldest, yearly #2 of app"},
    ),
    "days are those of UTC": (
        Keep(daily=2),
        [
            volume("a", created=datetime(2026, 11, 3, 0, 30, tzinfo=timezone(timedelta(hours=2)))),
            volume("b", created=datetime(2026, 11, 2, 9, 0, tzinfo=UTC)),
            volume("c", created=datetime(2026, 11, 1, 9, 0, tzinfo=UTC)),
        ],
        {"a": "daily #1", "c": "daily #2"},
    ),
    "of unknown build": (
        Keep(group_by=BY_REPOSITORY, last=1), [built("a", "app:x"), *series("app", 1, 2)],
        {"app:x": "nothing tells when it was built", "app:1": "last #1 of app"},
    ),
    "of unknown build, in two repositories": (
        Keep(group_by=BY_REPOSITORY, last=1), [built("a", digests=("a@sha256:1", "b@sha256:1"))],
        {"sha256:a": "nothing tells when it was built"},
    ),
    "of unknown creation": (
        Keep(daily=1), [replace(volume("a"), created_at=None), volume("b"), volume("c", created=ago(days=40))],
        {"a": "nothing tells when it was created", "b": "daily #1"},
    ),
    "built in 1970, as reproducible builds say": (
        Keep(last=1), [built("a", "app:x", at=datetime(1970, 1, 1, tzinfo=UTC)), *series("app", 1)],
        {"app:x": "nothing tells when it was built", "app:1": "last #1"},
    ),
    "built in 1980, as others say": (
        Keep(last=1), [built("a", "app:x", at=LAST_UNKNOWN_INSTANT)], {"app:x": "nothing tells when it was built"},
    ),
    "in the future": (
        Keep(last=1, within=parse_age("1d")), series("app", -400, 10, 10.5, 12),
        {
            "app:1": "dated in the future (2027-12-29T12:00:00Z)", "app:2": "last #1; within 1 day of the newest",
            "app:3": "within 1 day of the newest",
        },
    ),
    "now is not the future": (Keep(last=1), series("app", 0), {"app:1": "last #1"}),
    "times say nothing where nothing is counted": (
        Keep(tags=("1",)), [built("a", "app:x"), *series("app", -400)], {"app:1": "tag matches 1"},
    ),
    "tags without their repository": (
        Keep(tags=("v*.0.0", "/^stable/")),
        versions(REGISTRY, "v1.0.0", "v1.0.1", "1.0.0", "stable-2", "not-stable"),
        {f"{REGISTRY}:v1.0.0": "tag matches v*.0.0", f"{REGISTRY}:stable-2": "tag matches /^stable/"},
    ),
    "a tag is kept alone, and a pattern told once": (
        Keep(tags=("stable", "stable")), [built("a", "app:stable", "app:1")], {"app:stable": "tag matches stable"},
    ),
    "the newest patch of every minor version": (
        Keep(minors="all"), versions("app", "1.4.2", "1.4.10", "1.5.0", "2.0.0", "2.0.1"),
        {
            "app:2.0.1": "newest of version 2.0", "app:1.5.0": "newest of version 1.5",
            "app:1.4.10": "newest of version 1.4",
        },
    ),
    "the newest minor versions": (
        Keep(minors=2), versions("app", "1.9.0", "1.10.0", "1.8.7"),
        {"app:1.10.0": "newest of version 1.10", "app:1.9.0": "newest of version 1.9"},
    ),
    "the newest major versions": (
        Keep(majors=2), versions("app", "1.9.0", "10.0.0", "9.1.0", "9.0.7"),
        {"app:10.0.0": "newest of version 10", "app:9.1.0": "newest of version 9"},
    ),
    "versions of each repository, however the rest is grouped": (
        Keep(majors=1), [*versions("app", "1.0.0"), *versions("other", "2.0.0")],
        {"app:1.0.0": "newest of version 1", "other:2.0.0": "newest of version 2"},
    ),
    "the same version twice": (
        Keep(majors=1), versions("app", "v1.2.3", "1.2.3", "1.2.2"),
        {"app:v1.2.3": "newest of version 1", "app:1.2.3": "newest of version 1"},
    ),
    "what is no version": (
        Keep(minors="all"),
        versions("app", "latest", "1", "1.2", "v1.2", "1.2.3.4", "01.2.3", "version1.2.3", "vv1.2.3", "..1"),
        {},
    ),
    "a pre-release of what is released": (
        Keep(minors="all"), versions("app", "1.4.0", "1.4.1-rc.1"), {"app:1.4.0": "newest of version 1.4"},
    ),
    "the same pre-release twice": (
        Keep(majors=1), versions("app", "v1.0.0-rc.1", "1.0.0-rc.1"),
        {
            "app:v1.0.0-rc.1": "newest pre-release of version 1", "app:1.0.0-rc.1": "newest pre-release of version 1",
        },
    ),
    "a pre-release of what is to come pushes nothing out": (
        Keep(minors=1), versions("app", "1.4.0", "1.5.0-rc.2", "1.5.0-rc.10", "1.5.0-beta"),
        {"app:1.4.0": "newest of version 1.4", "app:1.5.0-rc.10": "newest pre-release of version 1.5"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    keep, objects, expected = CASES[name]
    assert said(keep, *objects) == expected


def test_only_the_tags_that_a_rule_speaks_of_are_kept() -> None:
    one = built("a", "app:1", "app:2", "other:1", at=ago(days=1))
    keep = Keep(group_by="repository", last=5, tags=("1",), majors=1)
    assert kept_by(keep, [(one, ("app:2",))], NOW) == {(one.id, "app:2"): ("last #1 of app",)}


def test_a_pattern_that_does_not_hold() -> None:
    with pytest.raises(UsageError, match="no regular expression"):
        kept_by(Keep(tags=("/(/",)), spoken_of(TEN), NOW)


def test_versions_of_tags() -> None:
    assert str(version_of("v1.2.3-rc.1")) == "1.2.3-rc.1"
    assert version_of("") is None
    assert version_of("v") is None


# restic's own case: TestApplyPolicy in its internal/data/snapshot_policy_test.go, and the answers in testdata/ beside
# it. A line is a month, its days, and the time of day.
RESTIC_MONTHS = """
2014-08: 08 10 12 13 13.1 15 18 20 21 22
2014-09: 01 02 05 06 08 09 10 11 20 22
2014-10: 01 02 05 06 08 09 10 11 20 22
2014-11: 08 10 12 13 13.1 15 18 20 21 22
2015-08: 08 10 12 13 13.1 15 18 20 21 22
2015-09: 01 02 05 06 08 09 10 11 20 22
2015-10: 01 02 05 06 08 09 10 11 20 22 22 22 22 22
2015-11: 08 10 12 13 13.1 15 18 20 21 22
"""
RESTIC_LAST_DAYS = """
01T01:02 01T01:03 01T07:08 03T07:02 04T10:23 04T11:23 04T12:23 04T12:24 04T12:28 04T12:30 04T16:23 05T09:02 06T08:02
07T10:02 08T20:02 09T21:02 12T21:02 12T21:08 18T12:02
"""
NEWEST_TEN = "2016-01-18 2016-01-12 2016-01-12 2016-01-09 2016-01-08 2016-01-07 2016-01-06 2016-01-05 2016-01-04"
TEN_DAYS = (
    "2016-01-18 2016-01-12 2016-01-09 2016-01-08 2016-01-07 2016-01-06 2016-01-05 2016-01-04 2016-01-03 2016-01-01"
)
RESTIC_ANSWERS: list[tuple[Keep, dict[str, str]]] = [
    # keep, and the days of what is kept by each word
    (Keep(last=10), {"last": f"{NEWEST_TEN} 2016-01-04"}),
    (
        Keep(hourly=20),
        {
            "hourly": "2016-01-18 2016-01-12 2016-01-09 2016-01-08 2016-01-07 2016-01-06 2016-01-05 2016-01-04 "
            "2016-01-04 2016-01-04 2016-01-04 2016-01-03 2016-01-01 2016-01-01 2015-11-22 2015-11-21 2015-11-20 "
            "2015-11-18 2015-11-15 2015-11-13"
        },
    ),
    (Keep(daily=3), {"daily": "2016-01-18 2016-01-12 2016-01-09"}),
    (Keep(daily=10), {"daily": TEN_DAYS}),
    (
        Keep(daily=30),
        {
            "daily": f"{TEN_DAYS} 2015-11-22 2015-11-21 2015-11-20 2015-11-18 2015-11-15 2015-11-13 2015-11-12 "
            "2015-11-10 2015-11-08 2015-10-22 2015-10-20 2015-10-11 2015-10-10 2015-10-09 2015-10-08 2015-10-06 "
            "2015-10-05 2015-10-02 2015-10-01 2015-09-22"
        },
    ),
    (
        Keep(last=5, daily=5),
        {
            "last": "2016-01-18 2016-01-12 2016-01-12 2016-01-09 2016-01-08",
            "daily": "2016-01-18 2016-01-12 2016-01-09 2016-01-08 2016-01-07",
        },
    ),
    (Keep(last=2, daily=10), {"last": "2016-01-18 2016-01-12", "daily": TEN_DAYS}),
    (Keep(weekly=2), {"weekly": "2016-01-18 2016-01-12"}),
    (Keep(weekly=4), {"weekly": "2016-01-18 2016-01-12 2016-01-09 2016-01-03"}),
    (
        Keep(daily=3, weekly=4),
        {"daily": "2016-01-18 2016-01-12 2016-01-09", "weekly": "2016-01-18 2016-01-12 2016-01-09 2016-01-03"},
    ),
    (Keep(monthly=6), {"monthly": "2016-01-18 2015-11-22 2015-10-22 2015-09-22 2015-08-22 2014-11-22"}),
    (
        Keep(daily=2, weekly=2, monthly=6),
        {
            "daily": "2016-01-18 2016-01-12",
            "weekly": "2016-01-18 2016-01-12",
            "monthly": "2016-01-18 2015-11-22 2015-10-22 2015-09-22 2015-08-22 2014-11-22",
        },
    ),
    (Keep(yearly=10), {"yearly": "2016-01-18 2015-11-22 2014-11-22", "oldest, yearly": "2014-08-08"}),
    (
        Keep(daily=7, weekly=2, monthly=3, yearly=10),
        {
            "daily": "2016-01-18 2016-01-12 2016-01-09 2016-01-08 2016-01-07 2016-01-06 2016-01-05",
            "weekly": "2016-01-18 2016-01-12",
            "monthly": "2016-01-18 2015-11-22 2015-10-22",
            "yearly": "2016-01-18 2015-11-22 2014-11-22",
            "oldest, yearly": "2014-08-08",
        },
    ),
    (
        Keep(daily=3, weekly=2, monthly="all", yearly="all"),
        {
            "daily": "2016-01-18 2016-01-12 2016-01-09",
            "weekly": "2016-01-18 2016-01-12",
            "monthly": "2016-01-18 2015-11-22 2015-10-22 2015-09-22 2015-08-22 2014-11-22 2014-10-22 2014-09-22 "
            "2014-08-22",
            "oldest, monthly": "2014-08-08",
            "yearly": "2016-01-18 2015-11-22 2014-11-22",
            "oldest, yearly": "2014-08-08",
        },
    ),
    (Keep(within=parse_age("1d")), {"within": "2016-01-18"}),
    (Keep(within=parse_age("7d")), {"within": "2016-01-18 2016-01-12 2016-01-12"}),
    (Keep(within=parse_age("13d23h")), {"within": NEWEST_TEN}),
]
RESTIC_NUMBERS: list[tuple[Keep, int, str]] = [
    # keep, how many are kept, the day of the oldest of them
    (Keep(last=15), 15, "2016-01-04"),
    (Keep(last=99), 99, "2014-08-13"),
    (Keep(last=200), 103, "2014-08-08"),
    (Keep(last="all"), 103, "2014-08-08"),
    (Keep(last="all", hourly="all"), 103, "2014-08-08"),
    (Keep(hourly="all"), 90, "2014-08-08"),
    (Keep(within=parse_age("2d")), 1, "2016-01-18"),
    (Keep(within=parse_age("1mo")), 19, "2016-01-01"),
    (Keep(within=parse_age("1mo14d")), 19, "2016-01-01"),
    (Keep(within=parse_age("1y1mo1d")), 63, "2015-08-08"),
    (Keep(within=parse_age("2mo2h")), 23, "2015-11-18"),
    (Keep(within=parse_age("1y2mo3d3h")), 68, "2014-11-15"),
]


def restic_snapshots() -> Spoken:
    times = [f"2016-01-{text}:03" for text in RESTIC_LAST_DAYS.split()]
    for line in RESTIC_MONTHS.strip().splitlines():
        month, _, days = line.partition(":")
        for day, _, tenths in (text.partition(".") for text in days.split()):
            times.append(f"{month}-{day}T10:20:30.{tenths or 0}")
    instants = [datetime.fromisoformat(time).replace(tzinfo=UTC) for time in times]
    return spoken_of(volume(f"{n}", created=instant) for n, instant in enumerate(instants))


def days_kept(keep: Keep) -> dict[str, list[str]]:
    """The days of what is kept of restic's snapshots by the beginning of each reason, the newest first."""
    snapshots = restic_snapshots()
    created = {id_of(seen): f"{getattr(seen, 'created_at', None):%Y-%m-%d}" for seen, _ in snapshots}
    found: dict[str, list[str]] = {}
    for (own, _), reasons in kept_by(keep, snapshots, NOW).items():
        for reason in reasons:
            found.setdefault(re.split(r" (?:#|\d)", reason)[0], []).append(created[own])
    return {word: sorted(days, reverse=True) for word, days in found.items()}


@pytest.mark.parametrize(("keep", "expected"), RESTIC_ANSWERS, ids=[str(keep) for keep, _ in RESTIC_ANSWERS])
def test_keeps_what_restic_keeps(keep: Keep, expected: Mapping[str, str]) -> None:
    assert days_kept(keep) == {word: days.split() for word, days in expected.items()}


@pytest.mark.parametrize(("keep", "count", "oldest"), RESTIC_NUMBERS, ids=[str(keep) for keep, *_ in RESTIC_NUMBERS])
def test_keeps_as_much_as_restic_keeps(keep: Keep, count: int, oldest: str) -> None:
    assert len(kept_by(keep, restic_snapshots(), NOW)) == count
    assert min(chain.from_iterable(days_kept(keep).values())) == oldest
