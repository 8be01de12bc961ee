"""What a plan removes, as people see it: equal reasons once, the largest first, and on two screens."""

from typing import Any

import pytest
from msgspec.structs import replace

from dockersweep.model.inventory import Image, Object
from dockersweep.model.last_use import PastUse
from dockersweep.model.plan import LayersHeld, Plan, exactly
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.report.detail import Detail
from dockersweep.report.formats import formatted
from dockersweep.report.plan import plan_layout
from tests.policy.explained import built, policy_of
from tests.rig.inventories import NOW, ago, container, image, inventory, network, plan_of, record, volume
from tests.rig.policies import rule_text

SCREEN_LINES = 40


def freeing_all(plan: Plan) -> Plan:
    """A plan of which each removal frees the whole size of the object."""
    sizes = {decision.ref: decision.size_bytes or 0 for decision in plan.decisions}
    steps = tuple(replace(step, reclaim=exactly(sizes[step.ref])) for step in plan.removals)
    total = exactly(sum(step.reclaim.low_bytes for step in steps))
    return replace(plan, removals=steps, reclaim=total, reclaim_of_kinds={"container": total})


def shown(*objects: Object, detail: Detail = "grouped", width: int | None = 80) -> list[str]:
    plan = plan_of(inventory(*objects), DEFAULT_POLICY, NOW)
    return formatted(plan_layout(freeing_all(plan), detail), "table", width).splitlines()


def below_head(rows: list[str]) -> list[str]:
    return rows[rows.index("") + 1 :]


def test_equal_reasons_are_said_once_and_the_small_is_folded() -> None:
    jobs = [container(f"job-{number}", finished=ago(days=2 + number), size=number * 1000) for number in range(1, 11)]
    assert below_head(shown(*jobs, container("web", "running"))) == [
        "10 containers, freeing 55.0 kB: stopped 3 to 12 days ago (limit 24 hours)",
        "  10.0 kB  job-10",
        "  9.00 kB  job-9",
        "  8.00 kB  job-8",
        "  7.00 kB  job-7",
        "  6.00 kB  job-6",
        "  15.0 kB  and 5 more",
        "",
        "Kept (--verbose lists them)",
        "1 container  1 running",
        "",
        "Sizes are as the engine counts: lengths, not disk blocks.",
        "",
        "TO REMOVE   COUNT    FREES",
        "containers     10  55.0 kB",
    ]


def test_one_more_than_has_a_row_is_not_folded() -> None:
    rows = below_head(shown(*(container(f"job-{number}", size=number * 1000) for number in range(1, 7))))
    assert rows[1:7] == [f"  {number}.00 kB  job-{number}" for number in range(6, 0, -1)]


def test_what_frees_nothing_is_folded_first() -> None:
    sizes = {f"job-{number}": 0 for number in range(1, 9)} | {"large": 5000}
    rows = below_head(shown(*(container(name, size=size) for name, size in sizes.items())))
    assert rows[1:3] == ["  5.00 kB  large", "      0 B  and 8 more"]
    nothing = below_head(shown(*(network(f"net-{number}") for number in range(12, 0, -1))))
    assert nothing[:2] == [
        "12 networks: first seen 10 days ago (limit 24 hours); project shop",
        "  net-1, net-2, net-3, net-4, net-5 and 7 more",
    ]


def test_what_stays_for_another_image_is_not_in_use() -> None:
    objects = [image("base"), image("app", "app:1", parent="base"), image("used", "used:1")]
    running = container("web", "running", image="sha256:used")
    kept = " ".join(" ".join(shown(*objects, running)).split())
    assert "3 images 1 in use, 1 needed by images that stay, 1 tagged (add --all-images to include)" in kept
    # What a container that goes has used may be kept for another reason, so that this is less than a scan counts.
    kept = " ".join(" ".join(shown(*objects, running, container("job", image="sha256:app"))).split())
    assert "1 still in use" in kept


def test_one_alone_has_its_own_age() -> None:
    assert below_head(shown(container("web", finished=ago(days=3), size=7)))[:2] == [
        "1 container: stopped 3 days ago (limit 24 hours)",
        "  7 B  web",
    ]


def test_the_size_is_told_where_it_is_not_what_comes_free() -> None:
    plan = plan_of(inventory(container("a", size=5), container("b", size=6)), DEFAULT_POLICY, NOW)
    for frees, note in ((1, "  size 5 B"), (5, "")):
        steps = tuple(replace(step, reclaim=exactly(frees)) for step in plan.removals)
        rows = formatted(plan_layout(replace(plan, removals=steps), "grouped"), "table", 80).splitlines()
        assert f"  {frees} B  a{note}" in rows


def test_two_thousand_five_hundred_fit_two_screens_of_80_columns() -> None:
    objects: list[Object] = [container(f"ci-job-{n}", finished=ago(days=2 + n % 9), size=n) for n in range(100)]
    objects += [image(f"{n:064x}", size=5_000_000 + n) for n in range(200)]
    objects += [volume(f"{n:064x}", size=n * 100_000) for n in range(200)]
    objects += [network(f"net-{n}") for n in range(100)]
    objects += [record(f"r{n}", size=n * 40_000) for n in range(1900)]
    plan = plan_of(inventory(*objects), DEFAULT_POLICY, NOW)
    assert len(plan.removals) == 2500
    rows = shown(*objects)
    assert len(rows) <= 2 * SCREEN_LINES
    assert max(map(len, rows)) <= 80
    assert len(shown(*objects, detail="totals")) <= SCREEN_LINES
    assert len(shown(*objects, detail="all")) > 2500


def test_many_projects_do_not_make_it_longer() -> None:
    made = [replace(container(f"job-{n}", finished=ago(days=2)), project=f"test-{n % 50}") for n in range(2500)]
    rows = shown(*made)
    assert "2500 containers, freeing 0 B: stopped 2 days ago" in " ".join(rows)
    assert "projects test-0, test-1 and 48 more" in " ".join(rows)
    assert len(rows) < SCREEN_LINES


@pytest.mark.parametrize("detail", ["totals", "grouped"])
def test_the_totals_stand_at_the_end(detail: Detail) -> None:
    rows = shown(container("a", size=5), container("b", size=6), network("n"), detail=detail)
    assert rows[-4:] == [
        "TO REMOVE   COUNT  FREES",
        "containers      2   11 B",
        "networks        1",
        "total           3   11 B",
    ]
    assert "TO REMOVE" not in "".join(shown(container("a", "running"), detail=detail))


def test_tags_of_images_that_stay_are_told_by_reason() -> None:
    policy = policy_of('[[rule]]\nname = "old"\nkind = "image"\nmatch.tag = "old-*"\nremove.older_than = "1d"')
    tags = [f"app:old-{number}" for number in range(12, 0, -1)]
    plan = plan_of(inventory(image("a", "app:new", *tags)), policy, NOW)
    rows = formatted(plan_layout(plan, "grouped"), "table", 80).splitlines()
    assert rows[rows.index("") + 1 :][:2] == [
        "12 tags go, their images stay (frees 0 B): first seen 10 days ago (limit 1 day)",
        "  app:old-1, app:old-2, app:old-3, app:old-4, app:old-5 and 7 more",
    ]


def test_a_row_says_who_holds_the_layers_of_an_image() -> None:
    plan = plan_of(inventory(image("a", size=38_000_000), image("b", size=5_000_000)), DEFAULT_POLICY, NOW)
    held = {
        "sha256:a": LayersHeld(by="build-cache", count=7, with_them=exactly(38_000_000)),
        "sha256:b": LayersHeld(by="image", count=1),
    }
    frees = {"sha256:a": exactly(12_000), "sha256:b": exactly(0)}
    steps = tuple(replace(one, layers_held=held[one.id], reclaim=frees[one.id]) for one in plan.removals)
    plan = replace(plan, removals=steps)
    rows = below_head(formatted(plan_layout(plan, "grouped"), "table", 80).splitlines())
    assert rows[1:3] == [
        "  12.0 kB  a  size 38.0 MB, held by 7 build-cache records that stay",
        "      0 B  b  size 5.00 MB, shared with 1 image that stays",
    ]
    every = formatted(plan_layout(plan, "all"), "table", None)
    assert "; its layers are held by 7 build-cache records that stay; with them it would free 38.0 MB; cannot" in every
    assert "; its layers are shared with 1 image that stays; cannot be recovered (no archive)\n" in every


def test_the_other_tags_of_an_image_come_first() -> None:
    plan = plan_of(
        inventory(image("a", "api:1", "api:stable", size=2_180_000)),
        policy_from_flags(PolicyFlags(all_images=True)),
        NOW,
    )
    held = LayersHeld(by="image", count=16)
    steps = tuple(replace(one, layers_held=held, reclaim=exactly(12_000)) for one in plan.removals)
    plan = replace(plan, removals=steps)
    rows = formatted(plan_layout(plan, "grouped"), "table", 80).splitlines()
    [row] = [row for row in rows if "also tagged" in row]
    assert row == "  12.0 kB  api:1  also tagged api:stable; size 2.18 MB …"
    every = " ".join(formatted(plan_layout(plan, "all"), "table", None).split())
    assert "also tagged api:stable; exists only here; its layers are shared with 16 images that stay" in every


COUNTING = policy_of(
    rule_text("apps", "image", 'match.repository = "app"', "keep.last = 2", 'remove.older_than = "0s"')
)


def counted(*days: int) -> list[Image]:
    """Images that are counted from the newest on, with an age that nobody asked for."""
    loaded = PastUse(at=ago(days=1), action="loaded")
    made = [built(image(f"a{day}", f"app:{day}"), ago(days=day)) for day in days]
    return [replace(one, uses=(loaded,)) if day % 2 else one for day, one in zip(days, made, strict=True)]


def test_an_age_that_no_rule_asks_for_stands_behind_the_place_in_a_count() -> None:
    plan = plan_of(inventory(*counted(*range(1, 6))), COUNTING, NOW)
    titles = [line for line in formatted(plan_layout(plan, "grouped"), "table", None).splitlines() if ": " in line]
    assert titles[1] == (
        "3 images that exist only here, freeing 300 B: 3rd to 5th newest of app (keep.last = 2), whatever their age"
    )
    alone = plan_of(inventory(*counted(1, 2, 3)), COUNTING, NOW)
    assert "1 image that exists only here: 3rd newest of app (keep.last = 2), whatever its age" in formatted(
        plan_layout(alone, "grouped"), "table", None
    )
    every = formatted(plan_layout(alone, "all"), "table", None)
    assert (
        "3rd newest of app (keep.last = 2), whatever its age (loaded 24 hours ago); exists only here; cannot be"
        in every
    )


def test_tags_that_go_by_a_count_go_whatever_their_age() -> None:
    old = built(image("c", "app:old", "other:1"), ago(days=9))
    plan = plan_of(inventory(*counted(1, 2), old), COUNTING, NOW)
    why = "3rd newest of app (keep.last = 2), whatever its age"
    assert f"1 tag goes, its image stays (frees 0 B): {why}\n" in formatted(plan_layout(plan, "grouped"), "table", None)
    assert f"  {why} (first seen 10 days ago)\n" in formatted(plan_layout(plan, "all"), "table", None)


def test_what_no_rule_matches_does_not_read_as_if_that_kept_it() -> None:
    tagged = policy_of(rule_text("tagged", "image", "match.tagged = true", 'remove.older_than = "1d"'))
    plan = plan_of(inventory(image("a"), image("b", "app:1")), tagged, NOW)
    assert "1 image  1 that no rule matches" in formatted(plan_layout(plan, "grouped"), "table", 80)
    assert "  no rule matches: without a tag\n" in formatted(plan_layout(plan, "all"), "table", 80)


def test_equal_counts_of_what_is_kept_are_in_a_fixed_order() -> None:
    bridge = network("bridge", predefined=True)
    objects: list[Object] = [network("used"), bridge, container("web", "running", networks=["used"])]
    for order in (objects, objects[::-1]):
        assert "2 networks   1 created by the engine, 1 in use" in shown(*order)


@pytest.mark.parametrize(
    ("width", "note"),
    [(80, "  size 2.13 MB, shared with 224 images that stay"), (60, "  size 2.13 MB …"), (40, "…00000000000000")],
)
def test_no_number_of_a_note_is_cut(width: int, note: str) -> None:
    plan = plan_of(inventory(*(image(f"{n:064x}", size=2_130_000) for n in range(3))), DEFAULT_POLICY, NOW)
    held = LayersHeld(by="image", count=224)
    steps = tuple(replace(one, layers_held=held, reclaim=exactly(12_000)) for one in plan.removals)
    named = tuple(replace(one, name=one.id.removeprefix("sha256:")) for one in plan.decisions)
    shown = formatted(plan_layout(replace(plan, removals=steps, decisions=named), "grouped"), "table", width)
    rows = [line for line in shown.splitlines() if line.startswith("  12.0 kB")]
    assert len(rows) == 3
    assert rows[0].endswith(note)
    assert max(map(len, rows)) <= width


def local(name: str, **fields: Any) -> Image:
    """An image that no registry is known to have."""
    return replace(image(name, f"{name}:1", in_registry=False, **fields), first_seen_unused_at=ago(days=10))


def test_the_groups_mark_as_many_as_the_head_counts() -> None:
    """One of those that are alike may exist only here, and the others not."""
    policy = policy_of('[[rule]]\nname = "all"\nkind = "image"\neverything = true\nremove.older_than = "1d"')
    plan = plan_of(inventory(local("a"), local("b"), image("c", "c:1", in_registry=True)), policy, NOW)
    grouped = formatted(plan_layout(plan, "grouped"), "table", None)
    assert [line for line in grouped.splitlines() if "only here" in line or line.startswith("1 image:")] == [
        "2 images that exist only here, freeing 200 B: first seen 10 days ago (limit 1 day)",
        "1 image: first seen 10 days ago (limit 1 day)",
    ]
    every = formatted(plan_layout(plan, "all"), "table", None)
    assert (
        every.count("first seen 10 days ago (limit 1 day); exists only here; cannot be recovered (no archive)\n") == 2
    )


def test_what_outlives_its_container_is_not_called_under_the_age_limit() -> None:
    policy = policy_of(
        '[[rule]]\nname = "v"\nkind = "volume"\neverything = true\nremove.older_than = "24h"\n'
        "remove.after_container = true\n"
        '[[rule]]\nname = "c"\nkind = "container"\neverything = true\nremove.older_than = "24h"'
    )
    plan = plan_of(inventory(container("job", volumes=["data"]), volume("data")), policy, NOW)
    assert "1 volume  1 kept for 24 hours after its container goes" in formatted(
        plan_layout(plan, "grouped"), "table", None
    )


def test_every_row_says_a_reason_once() -> None:
    """Two rules may leave a volume alone for the same reason, and a tag may go for two."""
    rules = "\n".join(
        f'[[rule]]\nname = "{name}"\nkind = "volume"\nmatch.has_options = false\nremove.older_than = "1d"'
        for name in "ab"
    )
    there = inventory(volume("mounted", anonymous=False, options={"type": "nfs"}))
    rows = formatted(plan_layout(plan_of(there, policy_of(rules), NOW), "all"), "table", None).splitlines()
    assert [line for line in rows if line.startswith("mounted")] == [
        "mounted  10 B  no rule matches: with mount options (its data may be elsewhere)"
    ]
    kept = '[[rule]]\nname = "t"\nkind = "image"\nmatch.repository = "app"\nkeep.tags = ["v*"]\nkeep.last = 1\n'
    built = {name: ago(days=days) for name, days in (("a", 9), ("b", 1))}
    images = [image("a", "app:v1", "app:old"), image("b", "app:new")]
    there = inventory(*(replace(one, built_at=built[one.id.removeprefix("sha256:")]) for one in images))
    plan = plan_of(there, policy_of(f'{kept}remove.older_than = "1d"'), NOW)
    [row] = [one for one in formatted(plan_layout(plan, "all"), "table", None).splitlines() if one.startswith("app:v1")]
    assert (
        row.count("tag app:old goes (frees 0 B): first seen 10 days ago (limit 1 day); 2nd newest of app (keep.") == 1
    )
    assert row.count("app:old") == 1


def test_a_name_without_a_note_takes_the_room_of_both() -> None:
    large, small = "copy payload into /srv/application/cache", "from local"
    plan = plan_of(inventory(record(large, size=5_000_000), record(small)), DEFAULT_POLICY, NOW)
    frees = {large: exactly(5_000_000), small: exactly(0)}
    held = {small: LayersHeld(by="image", count=7)}
    steps = tuple(replace(one, reclaim=frees[one.id], layers_held=held.get(one.id)) for one in plan.removals)
    rows = below_head(formatted(plan_layout(replace(plan, removals=steps), "grouped"), "table", 80).splitlines())
    assert rows[1:3] == [
        "  5.00 MB  step copy payload into /srv/application/cache",
        "      0 B  step from local  size 1.00 kB, shared with 7 images that stay",
    ]
