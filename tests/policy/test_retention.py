"""What a rule keeps of what it matches: a table of cases."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest
from msgspec.structs import replace

from dockersweep.errors import UsageError
from dockersweep.model.inventory import Object
from dockersweep.model.policy import Keep
from dockersweep.model.reason import Group, Kept
from dockersweep.policy.judging.retention import retain
from dockersweep.policy.names.versions import version_of
from dockersweep.units import LAST_UNKNOWN_INSTANT, parse_age
from tests.policy.kept_images import built, matched, said, series, versions
from tests.rig.inventories import NOW, ago, container, network, record, volume

BY_REPOSITORY = "repository"
TEN = series("app", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
REGISTRY = "registry.example.com:5000/team/app"

CASES: dict[str, tuple[Keep, Sequence[Object], dict[str, str]]] = {
    # name of the case: keep, objects, what is kept
    "the newest": (Keep(last=2), TEN, {"app:1": "newest (keep.last)", "app:2": "2nd newest (keep.last)"}),
    "more than there are": (
        Keep(last=9), series("app", 2, 1), {"app:2": "newest (keep.last)", "app:1": "2nd newest (keep.last)"},
    ),
    "all": (
        Keep(last="all"), series("app", 1, 2),
        {"app:1": "keeps all (keep.last = all)", "app:2": "keeps all (keep.last = all)"},
    ),
    "nothing at all to keep": (Keep(last=5, tags=("*",), minors=1), [], {}),
    "nothing is asked for": (Keep(), TEN, {}),
    "each repository by itself": (
        Keep(group_by=BY_REPOSITORY, last=1), [*series("app", 1, 2), *series("other", 8, 9)],
        {"app:1": "newest of app (keep.last)", "other:1": "newest of other (keep.last)"},
    ),
    "all in one group": (
        Keep(last=1), [*series("app", 1, 2), *series("other", 8, 9)], {"app:1": "newest (keep.last)"},
    ),
    "the port of a registry is no tag": (
        Keep(group_by=BY_REPOSITORY, last=1), [built("a", f"{REGISTRY}:1", at=ago(days=1))],
        {f"{REGISTRY}:1": f"newest of {REGISTRY} (keep.last)"},
    ),
    "a registry that people leave out": (
        Keep(group_by=BY_REPOSITORY, last=1),
        [
            built("a", "docker.io/library/app:1", at=ago(days=1)), built("b", "app:2", at=ago(days=2)),
            built("c", "localhost/app:3", at=ago(days=3)),
        ],
        {"docker.io/library/app:1": "newest of app (keep.last)",
        "localhost/app:3": "newest of localhost/app (keep.last)"},
    ),
    "images are counted, not tags": (
        Keep(group_by=BY_REPOSITORY, last=2),
        [built("a", "app:3", "app:latest", "app:edge", at=ago(days=1)), *series("app", 2, 3)],
        {
            "app:3": "newest of app (keep.last)", "app:latest": "newest of app (keep.last)",
            "app:edge": "newest of app (keep.last)",
            "app:1": "2nd newest of app (keep.last)",
        },
    ),
    "a tag in another repository is counted there": (
        Keep(group_by=BY_REPOSITORY, last=1),
        [built("a", "app:1", "other:1", at=ago(days=5)), built("b", "app:2", at=ago(days=1))],
        {"app:2": "newest of app (keep.last)", "other:1": "newest of other (keep.last)"},
    ),
    "without a tag, by the repository of the digest": (
        Keep(group_by=BY_REPOSITORY, last=1),
        [built("a", at=ago(days=1), digests=(f"{REGISTRY}@sha256:1",)), built("b", f"{REGISTRY}:1", at=ago(days=2))],
        {"sha256:a": f"newest of {REGISTRY} (keep.last)"},
    ),
    "without a tag, digests in two repositories": (
        Keep(group_by=BY_REPOSITORY, last=1),
        [built("a", at=ago(days=1), digests=("two@sha256:1", "one@sha256:1"))],
        {"sha256:a": "newest of one (keep.last); newest of two (keep.last)"},
    ),
    "without a tag or a digest": (
        Keep(group_by=BY_REPOSITORY, last=1, within=parse_age("1d")),
        [built("a", at=ago(days=1)), built("b", at=ago(days=1, hours=3)), built("c", at=ago(days=3))],
        {
            "sha256:a": "newest of images without a repository (keep.last); "
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
        {"web:1": "newest of project shop (keep.last)", "app:2": "newest of images without a project (keep.last)"},
    ),
    "by label": (
        Keep(group_by="label:app", last=1),
        [
            volume("a", created=ago(days=2), labels={"app": "web"}),
            volume("b", created=ago(days=1), labels={"app": "web"}),
            volume("c", created=ago(days=3), labels={"app": ""}),
            volume("d", created=ago(days=3), labels={"other": "web"}),
        ],
        {"b": "newest of app=web (keep.last)", "c": "newest of app= (keep.last)",
        "d": "newest of volumes without the label app (keep.last)"},
    ),
    "what has no labels and no project": (
        Keep(group_by="project", last=1), [record("a")],
        {"a": "newest of build-cache records without a project (keep.last)"},
    ),
    "what has no labels, by one": (
        Keep(group_by="label:app", last=1), [record("a")],
        {"a": "newest of build-cache records without the label app (keep.last)"},
    ),
    "what has no repository is one group": (
        Keep(group_by=BY_REPOSITORY, last=1), [network("a"), network("b", created=ago(days=1))],
        {"net-b": "newest (keep.last)"},
    ),
    "containers by their creation": (
        Keep(last=1),
        [container("a", created=ago(days=1), finished=ago(hours=9)), container("b", created=ago(days=2))],
        {"a": "newest (keep.last)"},
    ),
    "of the same time: which is newer nobody knows": (
        Keep(last=2), [volume("a"), volume("c"), volume("b"), volume("d", created=ago(days=11))],
        {"c": "newest (keep.last)", "b": "2nd newest (keep.last)", "a": "as new as the 2nd newest (keep.last)"},
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
            "app:1.2.3": "newest of app (keep.last); within 1 hour of the newest of app; "
            "1st daily of app (keep.daily); tag matches 1*; "
            "tag matches *.2.3; newest of version 1; newest of version 1.2",
            "app:0.1.0": "2nd daily of app (keep.daily)",
        },
    ),
    "the newest of each hour": (
        Keep(hourly=2), series("app", 0.01, 0.02, 0.05, 0.06), {"app:1": "1st hourly (keep.hourly)",
        "app:3": "2nd hourly (keep.hourly)"},
    ),
    "days without any are not counted": (
        Keep(daily=2), series("app", 1, 1.1, 7, 8), {"app:1": "1st daily (keep.daily)",
        "app:3": "2nd daily (keep.daily)"},
    ),
    "weeks begin on Monday, and belong to the year of their Thursday": (
        Keep(weekly=2),
        [volume(name, created=datetime(2021, month, day, tzinfo=UTC) - timedelta(days=back))
         for name, month, day, back in (("Mon", 1, 4, 0), ("Sun", 1, 3, 0), ("Thu", 1, 1, 1), ("older", 1, 1, 9))],
        {"Mon": "1st weekly (keep.weekly)", "Sun": "2nd weekly (keep.weekly)"},
    ),
    "the same week and the same month of another year": (
        Keep(weekly=2, monthly=2),
        [volume(f"{year}", created=datetime(year, 6, 18, tzinfo=UTC)) for year in (2026, 2025, 2024)],
        {"2026": "1st weekly (keep.weekly); 1st monthly (keep.monthly)",
        "2025": "2nd weekly (keep.weekly); 2nd monthly (keep.monthly)"},
    ),
    "the oldest, while there is room": (
        Keep(yearly=3, monthly=1), series("app", 1, 2, 3),
        {"app:1": "1st monthly (keep.monthly); 1st yearly (keep.yearly)", "app:3": "oldest, 2nd yearly (keep.yearly)"},
    ),
    "the oldest, where there is no room": (Keep(yearly=1), series("app", 1, 2, 3),
    {"app:1": "1st yearly (keep.yearly)"}),
    "the oldest, where all are kept": (
        Keep(group_by=BY_REPOSITORY, yearly="all"), series("app", 1, 2, 3),
        {"app:1": "yearly of app (keep.yearly = all)", "app:3": "oldest, yearly of app (keep.yearly = all)"},
    ),
    "days are those of UTC": (
        Keep(daily=2),
        [
            volume("a", created=datetime(2026, 11, 3, 0, 30, tzinfo=timezone(timedelta(hours=2)))),
            volume("b", created=datetime(2026, 11, 2, 9, 0, tzinfo=UTC)),
            volume("c", created=datetime(2026, 11, 1, 9, 0, tzinfo=UTC)),
        ],
        {"a": "1st daily (keep.daily)", "c": "2nd daily (keep.daily)"},
    ),
    "of unknown build": (
        Keep(group_by=BY_REPOSITORY, last=1), [built("a", "app:x"), *series("app", 1, 2)],
        {"app:x": "nothing tells when it was built", "app:1": "newest of app (keep.last)"},
    ),
    "of unknown build, in two repositories": (
        Keep(group_by=BY_REPOSITORY, last=1), [built("a", digests=("a@sha256:1", "b@sha256:1"))],
        {"sha256:a": "nothing tells when it was built"},
    ),
    "of unknown creation": (
        Keep(daily=1), [replace(volume("a"), created_at=None), volume("b"), volume("c", created=ago(days=40))],
        {"a": "nothing tells when it was created", "b": "1st daily (keep.daily)"},
    ),
    "built in 1970, as reproducible builds say": (
        Keep(last=1), [built("a", "app:x", at=datetime(1970, 1, 1, tzinfo=UTC)), *series("app", 1)],
        {"app:x": "nothing tells when it was built", "app:1": "newest (keep.last)"},
    ),
    "built in 1980, as others say": (
        Keep(last=1), [built("a", "app:x", at=LAST_UNKNOWN_INSTANT)], {"app:x": "nothing tells when it was built"},
    ),
    "in the future": (
        Keep(last=1, within=parse_age("1d")), series("app", -400, 10, 10.5, 12),
        {
            "app:1": "dated in the future (2027-12-29T12:00:00Z)",
            "app:2": "newest (keep.last); within 1 day of the newest",
            "app:3": "within 1 day of the newest",
        },
    ),
    "now is not the future": (Keep(last=1), series("app", 0), {"app:1": "newest (keep.last)"}),
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
    first = Kept(keep="last", place=1, group=Group(by="repository", kind="image", name="app"))
    assert retain(keep, [(one, ("app:2",))], NOW).kept == {(one.id, "app:2"): (first,)}


def test_a_pattern_that_does_not_hold() -> None:
    with pytest.raises(UsageError, match="no regular expression"):
        retain(Keep(tags=("/(/",)), matched(TEN), NOW)


def test_versions_of_tags() -> None:
    assert str(version_of("v1.2.3-rc.1")) == "1.2.3-rc.1"
    assert version_of("") is None
    assert version_of("v") is None
