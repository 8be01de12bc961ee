"""What the page says and draws, without a browser."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.model.disk import Disk
from dockersweep.model.inventory import KINDS, Kind
from dockersweep.model.plan import Interval
from dockersweep.model.report import Report, ReportedObject, Trend, TrendPoint
from dockersweep.report.disk.page.answers import Answer, answers, first_steps
from dockersweep.report.disk.page.line_drawing import drawing
from dockersweep.report.disk.page.treemap import Box, Leaf, Map, tree, treemap
from dockersweep.report.disk.page.trend_lines import disk_lines, kind_lines
from dockersweep.report.disk.page.words import days, fine_percent, percent, rate
from dockersweep.report.disk.words import state_words, trend_sentence, trend_sentences
from dockersweep.report.headline import NOUN_OF
from tests.rig.inventories import NOW
from tests.rig.reports import (
    GIGABYTE,
    MEGABYTE,
    busy_report,
    exactly,
    finding,
    findings,
    many_objects,
    report,
    reported,
    trend,
    unread,
    with_second_disk,
)

MAYBE_NAMES = st.none() | st.sampled_from(["shop", "a", "registry.example.com/shop/web"])
OBJECTS = st.lists(
    st.builds(
        reported,
        st.sampled_from(KINDS),
        st.text(max_size=30),
        st.none() | st.integers(0, 2**60),
        in_use=st.booleans(),
        goes=st.booleans(),
        project=MAYBE_NAMES,
        repository=MAYBE_NAMES,
    ),
    max_size=60,
)


def answer(seen: Report, question: str) -> Answer:
    """The answer to the question that begins so."""
    return next(one for one in answers(seen) if one.question.startswith(question))


def with_trend(**fields: Any) -> Report:
    """A report with a trend in which these fields are so."""
    return report(many_objects(40), trend=msgspec.structs.replace(trend(), **fields))


def slower(factor: float, seen: Trend) -> Trend:
    """The trend with all growth times that."""
    return msgspec.structs.replace(
        seen,
        growth=tuple(
            msgspec.structs.replace(one, bytes_per_day=int((one.bytes_per_day or 0) * factor)) for one in seen.growth
        ),
    )


def growing(**slopes: int) -> Trend:
    """A trend in which these grow by so many bytes a day."""
    seen = trend()
    growth = tuple(
        msgspec.structs.replace(one, bytes_per_day=slopes.get(one.share, one.bytes_per_day)) for one in seen.growth
    )
    return msgspec.structs.replace(seen, growth=growth)


@given(OBJECTS)
def test_every_tile_lies_in_the_picture_and_all_bytes_are_in_the_tree(objects: list[ReportedObject]) -> None:
    branches = tree(report(objects))
    assert sum(branch.size_bytes for branch in branches) == sum(one.own_bytes or 0 for one in objects)
    for width, height in ((1120, 620), (380, 640)):
        drawn = treemap(branches, width, height)
        for tile in drawn.tiles:
            assert_within(tile.box, Box(0, 0, width, height))


@given(OBJECTS)
def test_tiles_of_a_kind_are_as_large_as_it_is(objects: list[ReportedObject]) -> None:
    branches = tree(report(objects))
    whole = sum(branch.size_bytes for branch in branches)
    drawn = treemap(branches, 1000, 1000)
    kinds = {tile.description.split(":")[0]: tile.box for tile in drawn.tiles if tile.level == 1}
    for branch in branches:
        if branch.size_bytes > whole / 100 and branch.name in kinds:
            # Two units are the gap between tiles.
            box = kinds[branch.name]
            assert (box.width + 2) * (box.height + 2) == pytest.approx(1_000_000 * branch.size_bytes / whole, rel=0.01)


def assert_within(inner: Box, outer: Box) -> None:
    """Fail where a box is not within the other, or is none."""
    assert inner.width > 0
    assert inner.height > 0
    assert inner.x >= outer.x - 0.01
    assert inner.y >= outer.y - 0.01
    assert inner.x + inner.width <= outer.x + outer.width + 0.01
    assert inner.y + inner.height <= outer.y + outer.height + 0.01


def test_small_objects_are_drawn_together_and_counted() -> None:
    drawn = treemap(tree(report(many_objects(10_000))), 1120, 620)
    assert len(drawn.tiles) < 1200
    assert sum(tiles_stand_for(drawn)) == sum(1 for one in many_objects(10_000) if one.own_bytes)


def tiles_stand_for(drawn: Map) -> list[int]:
    """How many objects each tile stands for."""
    nouns = "|".join(f"{noun}s" for noun in (*NOUN_OF.values(), "object"))
    found = [re.match(rf"(\d+) (?:{nouns})\b", tile.description) for tile in drawn.tiles if tile.standing is not None]
    return [int(one[1]) if one else 1 for one in found]


def small(number: int, **fields: Any) -> ReportedObject:
    """A volume of which hundreds are drawn as one tile."""
    return reported("volume", f"data-{number}", 1000, **fields)


def described(objects: Sequence[ReportedObject]) -> list[tuple[str, str]]:
    """The labels of what is drawn of them beside a large volume, and all that is said of each."""
    drawn = treemap(tree(report([reported("volume", "large", 2 * MEGABYTE), *objects])), 1120, 620)
    return [(" ".join(tile.lines), tile.description) for tile in drawn.tiles if tile.level == 3][1:]


def test_small_objects_are_named_by_what_they_share() -> None:
    of_shop = [small(number, project="shop") for number in range(500)]
    assert described(of_shop) == [("500 volumes", "500 volumes of shop: 500 kB, unused, kept")]
    of_many = [small(number, project=f"project-{number}") for number in range(500)]
    told = "500 volumes of 500 projects"
    assert described(of_many) == [(told, f"{told}: 500 kB, unused, kept")]
    assert described([small(number) for number in range(500)]) == [("500 volumes", "500 volumes: 500 kB, unused, kept")]
    versions = [reported("image", f"app{number}:1", 1000, repository=f"app{number}") for number in range(500)]
    assert ("500 images of 500 repositories: 500 kB, unused, kept") in [told for _, told in described(versions)]


def test_small_objects_of_several_kinds_are_one_tile_without_a_frame() -> None:
    kinds: list[Kind] = ["volume", "image"]
    few = [reported(kind, "small", 70, goes=True) for kind in kinds]
    drawn = treemap(tree(report([reported("container", "large", 20_000), *few])), 1000, 100)
    assert [tile.description for tile in drawn.tiles if tile.standing == "goes"] == ["2 objects: 140 B, reclaimable"]


def test_what_several_share_is_drawn_as_what_becomes_of_it() -> None:
    seen = report([reported("image", "app:1", 5 * GIGABYTE, repository="app")])
    shares = tuple(
        msgspec.structs.replace(one, size=exactly(8 * GIGABYTE), unused=exactly(7 * GIGABYTE))
        if one.share == "image"
        else one
        for one in seen.shares
    )
    (images,) = tree(msgspec.structs.replace(seen, shares=shares))
    assert images.size_bytes == 8 * GIGABYTE
    assert images.parts[1:] == (
        Leaf("shared by several images", "image", 2 * GIGABYTE, "kept", is_shared=True),
        Leaf("shared by several images", "image", GIGABYTE, "in-use", is_shared=True),
    )
    drawn = treemap((images,), 600, 300)
    assert [
        " ".join(tile.lines) for tile in drawn.tiles if tile.description.startswith("shared by several images: ")
    ] == [
        "shared",
        "shared",
    ]
    assert not any(
        "…" in " ".join(tile.lines)
        for tile in treemap((images,), 90, 300).tiles
        if tile.description.startswith("shared")
    )


def test_what_several_share_is_not_counted_as_an_object() -> None:
    seen = report([reported("image", f"app:{number}", MEGABYTE) for number in range(5)])
    size = exactly(6 * MEGABYTE)
    shares = [msgspec.structs.replace(one, size=size, unused=size) for one in seen.shares if one.share == "image"]
    data = reported("volume", "data", 400 * MEGABYTE)
    (volumes, images) = tree(msgspec.structs.replace(seen, objects=(*seen.objects, data), shares=tuple(shares)))
    drawn = treemap((volumes, images), 1000, 100)
    told = {tile.description for tile in drawn.tiles if "image" in tile.description}
    assert told == {"5 images: 5.00 MB, unused, kept", "shared by several images: 1.00 MB, unused, kept"}


def test_what_takes_most_says_what_was_not_read() -> None:
    seen = unread(report(many_objects(40)), "container-log", "volume")
    assert "Not read, so not counted: container logs, volumes." in answer(seen, "What uses").sentences
    assert answer(unread(report(), "image"), "What uses").short == "Unknown"


def test_nothing_can_go_where_nothing_does() -> None:
    seen = report([reported("volume", "data", GIGABYTE)])
    assert answer(seen, "What can").short == "Nothing"
    assert answer(seen, "What can").sentences[-1] == (
        "Everything unused would free 1.00 GB. Unused is what no container holds, running or stopped."
    )


@pytest.mark.parametrize(
    ("seen", "short"),
    [
        (report(), "Not enough data yet"),
        (report(trend=msgspec.structs.replace(trend(), growth=())), "Not enough data yet"),
        (report(trend=slower(-1, trend())), "Build cache: 20.0 MB a day"),
        (report(trend=slower(0, trend())), "Nothing"),
        (report(trend=trend()), "Volumes: 310 MB a day"),
        (report(trend=growing(total=MEGABYTE)), "Mostly not the engine"),
    ],
)
def test_what_grows(seen: Report, short: str) -> None:
    assert answer(seen, "What grows").short == short


@pytest.mark.parametrize(
    ("fields", "short"),
    [
        ({}, "In 43 to 96 days"),
        ({"full_in_days_latest": None}, "In 43 days or later"),
        ({"full_in_days": None}, "Not at this rate"),
        ({"full_in_days": None, "growth": ()}, "Not enough data yet"),
        ({"full_in_days_latest": 400.0}, "In 43 days to 13 months"),
        ({"full_in_days_soonest": 0.1, "full_in_days_latest": 0.4}, "In less than a day"),
        ({"full_in_days_soonest": 0.5, "full_in_days_latest": 9.0}, "In less than a day to 9 days"),
    ],
)
def test_when_the_disk_is_full(fields: dict[str, Any], short: str) -> None:
    assert answer(with_trend(**fields), "When").short == short


def test_the_worst_case_is_told_where_the_disk_hardly_grows() -> None:
    told = answer(with_trend(full_in_days=None, full_in_days_latest=None), "When")
    assert (told.short, told.sentences[-1]) == (
        "Not at this rate",
        "Usage hardly grows; at worst, full in 43 days.",
    )


def test_what_is_critical_comes_first_and_the_same_command_is_one_step() -> None:
    steps = first_steps(report(many_objects(9), findings=findings()))
    assert [step.why for step in steps[:2]] == [
        "The disk is nearly full: 91% of its bytes used. Free 6.71 GB",
        "3 container logs grow without a limit",
    ]
    assert steps[2].why.startswith("Check what is unused but kept, 6.62 GB: volume shop_volume_1 (4.82 GB); also")
    assert steps[0].how.startswith("dockersweep sweep; for more than the rules give")


def test_where_there_are_only_notes_the_largest_is_a_step() -> None:
    (step,) = first_steps(report(findings=findings()[2:]))
    assert step.why == "1 repository has many versions"
    assert first_steps(report()) == ()


@pytest.mark.parametrize(
    ("kept", "command"),
    [
        (reported("volume", "data", GIGABYTE), "dockersweep explain volume:data"),
        (reported("volume", "=my data", GIGABYTE), "dockersweep explain 'volume:=my data'"),
        (reported("build-cache", "RUN make", GIGABYTE, id="abc"), "dockersweep explain build-cache:abc"),
    ],
)
def test_what_is_large_unused_and_kept_is_pointed_at(kept: ReportedObject, command: str) -> None:
    (step,) = first_steps(report([kept]))
    assert step.how == f"{command} shows why it is kept"
    assert first_steps(report([kept, reported("image", "app:1", 100 * GIGABYTE, in_use=True)])) == ()


def test_what_is_named_of_more_says_so() -> None:
    kept = [reported("volume", f"data-{number}", (9 - number) * GIGABYTE) for number in range(4)]
    (step,) = first_steps(report(kept))
    assert step.why == (
        "Check what is unused but kept, 30.0 GB: volume data-0 (9.00 GB); also volume data-1 (8.00 GB), volume data-2 "
        "(7.00 GB), among others"
    )
    (step,) = first_steps(report(kept[:3]))
    assert step.why.endswith("volume data-2 (7.00 GB)")


def test_the_note_on_what_is_kept_and_the_look_at_it_are_one_step() -> None:
    look = "dockersweep explain volume:data"
    note = finding("DS003", f"look with {look}; a [[rule]] removes such", look, title="1 volume is old")
    (step,) = first_steps(report([reported("volume", "data", GIGABYTE)], findings=(note,)))
    assert step.why == "1 volume is old. Check what is unused but kept, 1.00 GB: volume data (1.00 GB)"
    assert step.how == note.fix.text


def test_a_disk_that_others_fill_is_told_beside_what_grows() -> None:
    told = answer(report(trend=growing(total=600_000)), "What grows").sentences
    assert told[0] == "The disk fills at 600 MB a day; the engine is 0.1% of that."
    assert told[1].startswith("Within the engine, volumes grow most: 309 MB to 311 MB a day, from 180 scans")
    assert "all of that is the engine" in answer(report(trend=growing(total=GIGABYTE)), "What grows").sentences[-1]


@pytest.mark.parametrize(
    ("goes", "won"),
    [
        (exactly(22 * MEGABYTE), "Freeing 22.0 MB delays that by less than an hour."),
        (exactly(300 * MEGABYTE), "Freeing 300 MB delays that by 12 hours."),
        (Interval(low_bytes=0, high_bytes=6 * GIGABYTE), "delays that by at most 10 days."),
        (Interval(low_bytes=6 * GIGABYTE, high_bytes=None), "delays that by at least 10 days."),
        (Interval(low_bytes=6, high_bytes=None), None),
        (exactly(0), None),
    ],
)
def test_what_can_be_removed_is_told_with_the_delay_that_it_brings(goes: Interval, won: str | None) -> None:
    seen = report(trend=trend(), reclaimable=goes)
    told = answer(seen, "When").sentences[-1]
    assert told.endswith(won) if won else "delays" not in told
    assert trend_sentence(seen).endswith(won) if won else "delays" not in trend_sentence(seen)
    assert "delays" not in trend_sentence(report(reclaimable=goes))


def test_the_largest_is_told_with_what_it_alone_gives_back_and_what_it_was() -> None:
    digest = "sha256:7a1f78b7140300"
    one = reported("image", "7a1f78b71403", 7 * MEGABYTE, id=digest, own_bytes=2 * MEGABYTE, age_source="first seen")
    one = msgspec.structs.replace(one, goes=True)
    assert answer(report([one]), "What uses").sentences[1] == (
        "The largest object is image 7a1f78b71403 (untagged, first seen 40 days ago): 7.00 MB, 2.00 MB of it unique."
    )
    was = msgspec.structs.replace(one, repository="shop/web")
    assert answer(report([was]), "What can").sentences[1] == (
        "The largest: image 7a1f78b71403 (untagged, of shop/web, 2.00 MB)."
    )
    unknown = msgspec.structs.replace(one, age_seconds=None)
    assert state_words(unknown) == "untagged; nothing uses it"


def test_one_scan_says_why_it_is_not_enough() -> None:
    one = msgspec.structs.replace(
        trend(), growth=(msgspec.structs.replace(trend().growth[0], points=1, bytes_per_day=None),),
        full_in_days=None, text="needs 5 scans",
    )  # fmt: skip
    for question in ("What grows", "When"):
        told = answer(report(trend=one), question)
        assert (told.short, told.sentences[0]) == ("Not enough data yet", "Needs 5 scans.")
        assert answer(report(), question).sentences[0] == "Earlier scans are not kept: there is no ledger."
    assert answer(report(trend=one, disk=None), "When").sentences == (
        "Usage unknown, the engine's disk cannot be seen from here.",
    )


def test_lines_break_where_a_size_was_not_known() -> None:
    points = tuple(
        TrendPoint(at=NOW - timedelta(days=9 - day), sizes={"image": None if day == 4 else day * GIGABYTE})
        for day in range(10)
    )
    lines = kind_lines(with_trend(points=points))
    assert [line.name for line in lines] == ["Images"]
    assert drawing(lines, 600, 200, 3, "images").count("<path") > 0
    assert list(disk_lines(with_trend(points=points))) == [("Disk usage over time, all files", ())]


@pytest.mark.parametrize("count", [0, 1])
def test_one_point_is_no_line(count: int) -> None:
    assert drawing(kind_lines(with_trend(points=trend().points[:count])), 600, 200, 3, "nothing") == ""


def test_many_points_are_thinned_and_the_newest_stays() -> None:
    seen = with_trend(points=trend(365, 4).points)
    line = kind_lines(seen)[0]
    assert 100 < len(line.points) <= 240
    assert seen.trend is not None
    assert line.points[-1][0] == seen.trend.points[-1].at


def test_a_disk_line_ends_at_the_size_of_the_disk() -> None:
    seen = msgspec.structs.replace(
        busy_report(), disk=Disk(total_bytes=9 * GIGABYTE, free_bytes=0, total_inodes=None, free_inodes=None)
    )
    [(_, (used, whole))] = disk_lines(seen)
    assert used.last_bytes == trend().points[-1].sizes["disk"]
    assert whole.last_bytes == 9 * GIGABYTE


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (percent(1, 1000), "under 1%"),
        (percent(0, 1000), "0%"),
        (percent(999, 1000), "over 99%"),
        (percent(1, 0), "0%"),
        (rate(310 * MEGABYTE), "310 MB a day"),
        (rate(-2 * MEGABYTE), "-2.00 MB a day"),
        (fine_percent(0.01), "under 0.1%"),
        (fine_percent(46.2), "46%"),
        (days(1.2), "1 day"),
        (days(120), "4 months"),
        (days(900), "2 years"),
    ],
)
def test_words(told: str, text: str) -> None:
    assert told == text


def test_of_several_disks_the_first_that_is_full_is_told() -> None:
    told = answer(with_second_disk(busy_report(40), full_in_days=5), "When")
    assert told.question == "When will a disk be full?"
    assert told.short == "In 4 to 6 days"
    assert told.sentences[1].startswith("/var/lib/docker/volumes: 15.0 GB (94%) used, 1.00 GB free, 14.0 GB")
    later = answer(with_second_disk(busy_report(40), full_in_days=500), "When")
    assert later.short == "In 43 to 96 days"
    assert later.sentences[1].startswith("/var/lib/docker: 91% of 360 GB")


def test_of_several_disks_that_do_not_grow_the_fullest_is_told() -> None:
    still = msgspec.structs.replace(trend(), full_in_days=None, full_in_days_soonest=None, full_in_days_latest=None)
    told = answer(with_second_disk(msgspec.structs.replace(busy_report(40), trend=still)), "When")
    assert told.short == "Not at this rate"
    assert told.sentences[0].startswith("/var/lib/docker/volumes: 15.0 GB (94%)")
    without = answer(with_second_disk(msgspec.structs.replace(busy_report(40), trend=None)), "When")
    assert without.short == "Not enough data yet"
    assert without.sentences[1].startswith("/var/lib/docker/volumes: 15.0 GB (94%)")


def test_what_a_sweep_delays_is_told_of_each_disk() -> None:
    assert trend_sentences(busy_report(40))[0].endswith("delays that by 20 days.")
    seen = with_second_disk(busy_report(40), full_in_days=5)
    assert [sentence.partition("Freeing")[2] for sentence in trend_sentences(seen)] == [
        " 12.3 GB delays that by 20 days.", " 1.00 GB delays that by 40 hours.",
    ]  # fmt: skip
    assert answer(seen, "When").sentences[-1] == "Freeing 1.00 GB delays that by 40 hours."
    assert "delays" not in " ".join(step.why for step in first_steps(seen))
    assert "of that the engine" not in " ".join(answer(seen, "What grows").sentences)


def test_each_disk_has_a_drawing() -> None:
    seen = with_second_disk(busy_report(40), full_in_days=5)
    assert seen.trend is not None
    points = tuple(
        msgspec.structs.replace(point, sizes=point.sizes | {"disk:/var/lib/docker/volumes": 15 * GIGABYTE})
        for point in seen.trend.points
    )
    drawn = dict(disk_lines(msgspec.structs.replace(seen, trend=msgspec.structs.replace(seen.trend, points=points))))
    main, second = drawn.values()
    assert [line.last_bytes for line in second] == [15 * GIGABYTE, 16 * GIGABYTE]
    assert [line.last_bytes for line in main] == [trend().points[-1].sizes["disk"], 360 * GIGABYTE]
    assert list(drawn) == [
        "Usage of /var/lib/docker over time, all files", "Usage of /var/lib/docker/volumes over time, all files",
    ]  # fmt: skip
    assert [lines for _, lines in disk_lines(seen)][1] == ()


def test_what_images_and_build_cache_share_has_a_place_of_its_own() -> None:
    seen = report([reported("image", "app:1", 5 * GIGABYTE, repository="app")])
    size = {"size": exactly(3 * GIGABYTE), "unused": exactly(2 * GIGABYTE), "reclaimable": exactly(GIGABYTE)}
    shares = tuple(msgspec.structs.replace(one, **size) if one.share == "shared" else one for one in seen.shares)
    _, shared = tree(msgspec.structs.replace(seen, shares=shares))
    assert (shared.name, shared.size_bytes) == ("Shared by images and build cache", 3 * GIGABYTE)
    assert [tile.description for tile in treemap((shared,), 600, 300).tiles] == [
        "Shared by images and build cache: 3.00 GB",
        "shared by images and build cache: 1.00 GB, reclaimable",
        "shared by images and build cache: 1.00 GB, unused, kept",
        "shared by images and build cache: 1.00 GB, in use",
    ]
