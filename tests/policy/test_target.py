"""What goes for a space target: the least recently used, what that releases, and never what nothing allows."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from dockersweep.model.disk import Disk
from dockersweep.model.inventory import Kind, Object
from dockersweep.model.plan import Decision, Plan
from dockersweep.model.policy import Match, Policy, Protections, Remove, Rule, Space, Target
from dockersweep.model.storage import Part, Storage
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.planner import make_plan
from dockersweep.units import parse_age
from dockersweep.words.reasons import reason_text
from tests.rig.inventories import NOW, ago, container, image, inventory, network, plan_of, record, volume

NO_AGE = parse_age("0s")
OLD_IMAGES = Rule(name="old images", kinds=("image",), remove=Remove(older_than=parse_age("5d")))


def plan(
    objects: Iterable[Object], free: int, order: tuple[Kind, ...] = ("container", "image"), rules: tuple[Rule, ...] = ()
) -> Plan:
    target = Target(free_bytes=free, order=order, older_than=NO_AGE)
    policy = Policy(source="a test", protections=Protections(), rules=rules, target=target)
    return plan_of(inventory(*objects), policy, NOW)


def decided(made: Plan) -> dict[str, Decision]:
    return {one.id.removeprefix("sha256:"): one for one in made.decisions}


def gone(made: Plan) -> set[str]:
    return {name for name, one in decided(made).items() if one.verdict == "remove"}


def words(decision: Decision) -> str:
    return "; ".join(map(reason_text, decision.reasons))


def test_what_only_a_container_held_that_goes_for_space_is_judged_again() -> None:
    held = image("held", "held:1", size=1000)
    holder = container("holder", image=held.id, finished=ago(days=10), size=1)
    other = image("other", "other:1", size=1000, first_seen=ago(days=3))
    made = plan([held, holder, other], free=500, rules=(OLD_IMAGES,))
    # The rule takes the image as soon as the container is gone, and that is enough: the other stays.
    assert gone(made) == {"holder", "held"}
    assert [reason.rule for reason in decided(made)["held"].reasons] == ["old images", "old images", "old images"]
    assert "used by container holder (exited 10 days ago), which goes too" in words(decided(made)["held"])
    assert "enough is freed without it" in words(decided(made)["other"])


def test_what_it_released_and_no_rule_removes_waits_for_its_turn() -> None:
    held = image("held", "held:1", size=1000)
    holder = container("holder", image=held.id, finished=ago(days=10), size=1)
    made = plan([held, holder], free=500)
    assert gone(made) == {"holder", "held"}
    assert [reason.code for reason in decided(made)["held"].reasons] == ["space", "released", "only-here"]
    assert [reason.rule for reason in decided(made)["held"].reasons] == ["space target"] * 3


def test_what_stays_is_told_of_as_it_stands_after_the_container_is_gone() -> None:
    held = image("held", "held:1", size=1000)
    made = plan([held, container("holder", image=held.id, size=900)], free=500)
    assert gone(made) == {"holder"}
    assert "used by" not in words(decided(made)["held"])
    assert "enough is freed without it" in words(decided(made)["held"])


def test_a_parent_goes_after_its_child_and_by_the_same_turn() -> None:
    objects = [
        image("parent", size=1000, first_seen=ago(days=9)),
        image("child", parent="parent", size=10, first_seen=ago(days=2)),
        image("last", size=10, first_seen=ago(days=1)),
    ]
    made = plan(objects, free=500, order=("image",))
    assert gone(made) == {"child", "parent"}
    assert [step.id for step in made.removals] == ["sha256:child", "sha256:parent"]


def test_a_rule_takes_a_whole_chain_that_space_released() -> None:
    objects: list[Object] = [
        image("ground", size=1000, first_seen=ago(days=9)),
        image("middle", parent="ground", size=1000, first_seen=ago(days=9)),
        container("holder", image="sha256:middle", finished=ago(days=8), size=1),
        image("used", "used:1"),
        container("other", image="sha256:used", finished=ago(days=2), size=5000),
    ]
    made = plan(objects, free=1500, order=("container",), rules=(OLD_IMAGES,))
    assert gone(made) == {"holder", "middle", "ground"}
    assert made.target is not None
    assert made.target.reached is True


def test_what_nothing_allows_to_go_for_space_says_why() -> None:
    objects: list[Object] = [
        container("always", restart="always"),
        container("unknown", restart=None),
        volume("named", anonymous=False),
        volume("share", options={"type": "nfs"}),
        volume("plugin", driver="nfs"),
        network("lonely"),
        volume("anonymous"),
    ]
    made = plan(objects, free=10**9, order=("container", "volume", "network"))
    assert gone(made) == {"anonymous"}
    told = {name: words(one).rpartition("; ")[2] for name, one in decided(made).items()}
    only_anonymous = "not an anonymous volume of the driver local without mount options: goes only by a rule"
    assert told == {
        "always": "restarts by itself (always): goes only by a rule",
        "unknown": "of unknown restart policy: goes only by a rule",
        "named": only_anonymous,
        "share": only_anonymous,
        "plugin": only_anonymous,
        "net-lonely": "it takes no space: goes only by a rule",
        "anonymous": "first seen 10 days ago, least recently used, removed to free space",
    }
    assert made.target is not None
    assert made.target.reached is False


def test_what_is_of_unknown_age_does_not_go_for_space() -> None:
    unknown = replace(image("a", size=10), first_seen_at=None, first_seen_unused_at=None, built_at=ago(days=900))
    made = plan([unknown], free=5, order=("image",))
    assert gone(made) == set()
    assert "its last use is not known: built 2024-06-07, and nothing tells when it came here" in words(
        decided(made)["a"]
    )


def test_what_gives_back_nobody_knows_how_much_is_the_last() -> None:
    objects = [image("old", size=None, first_seen=ago(days=9)), image("new", size=1000, first_seen=ago(days=1))]
    made = plan(objects, free=500, order=("image",))
    assert gone(made) == {"old"}
    assert made.target is not None
    assert made.target.reached is None


def test_the_cache_goes_record_by_record_from_the_top() -> None:
    objects = [record("ground"), record("top", "ground"), record("new", last_used=ago(hours=1))]
    made = plan(objects, free=1500, order=("build-cache",))
    assert gone(made) == {"top", "ground"}


def test_a_rule_that_speaks_of_nothing_else_takes_its_place_before_the_target() -> None:
    rules = (Rule(name="x", kinds=("image",), match=Match(name=("new*",)), remove=Remove(older_than=NO_AGE)),)
    objects = [image("old", "old:1", size=1000, first_seen=ago(days=9)), image("new", "new:1", size=1000)]
    made = plan(objects, free=1000, order=("image",), rules=rules)
    assert gone(made) == {"new"}


CONTAINERD = "/var/lib/containerd"
SNAPSHOTS = f"{CONTAINERD}/io.containerd.snapshotter.v1.overlayfs/snapshots"


def disk(place: str, total: int, free: int) -> Disk:
    return Disk(
        total_bytes=total, used_bytes=total - free, free_bytes=free, total_inodes=None, free_inodes=None,
        mount_point=place, places=(place,),
    )  # fmt: skip


def on_two_disks(free_of_root: int, free_of_containerd: int, asked_before: tuple[str, ...] = ()) -> Plan:
    """A plan for two disks of 1,000 bytes: images lie on containerd's, containers on both."""
    objects: list[Object] = [
        image("a", "a:1", size=300, first_seen=ago(days=9)),
        image("b", "b:1", size=300, first_seen=ago(days=8)),
        container("c", finished=ago(days=7), size=100),
    ]
    parts = [
        Part(id="image:sha256:a", needs=("snapshot:a",), high_bytes=0),
        Part(id="snapshot:a", low_bytes=300, high_bytes=300, folder=f"{SNAPSHOTS}/1"),
        Part(id="image:sha256:b", needs=("snapshot:b",), high_bytes=0),
        Part(id="snapshot:b", low_bytes=300, high_bytes=300, folder=f"{SNAPSHOTS}/2"),
        Part(id="container:c", low_bytes=100, high_bytes=100, folder="containers/c"),
    ]
    seen = replace(
        inventory(*objects),
        storage=Storage(base="disk", parts=tuple(parts)),
        disk=disk("/var/lib/docker", 1000, free_of_root),
        other_disks=(disk(CONTAINERD, 1000, free_of_containerd),),
    )
    share, stop = Space(text="80%", percent=80), Space(text="70%", percent=70)
    target = Target(start_above=share, stop_below=stop, order=("container", "image"), older_than=NO_AGE)
    policy = Policy(source="a test", protections=Protections(), rules=(), target=target)
    return make_plan(Survey(seen, NOW), policy, asked_before=asked_before)


def asked(made: Plan) -> dict[str, tuple[bool | None, int | None, bool | None]]:
    assert made.target is not None
    return {one.disk: (one.begins, one.wanted_bytes, one.reached) for one in made.target.disks}


def test_each_disk_is_asked_about_by_itself() -> None:
    made = on_two_disks(free_of_root=500, free_of_containerd=50)
    assert gone(made) == {"a"}
    assert asked(made) == {"/var/lib/docker": (False, 0, True), CONTAINERD: (True, 250, True)}
    assert made.target is not None
    assert (made.target.begins, made.target.wanted_bytes, made.target.reached) == (True, 250, True)
    assert made.target.text == f"{CONTAINERD}: 95% of the disk is used, over 80%; down to 70% takes 250 B"
    assert "it frees nothing on the disk that is short of space" in words(decided(made)["c"])
    assert "enough is freed without it" in words(decided(made)["b"])


def test_what_lies_elsewhere_does_not_help_a_disk() -> None:
    made = on_two_disks(free_of_root=50, free_of_containerd=500)
    assert gone(made) == {"c"}
    assert asked(made)["/var/lib/docker"] == (True, 250, False)
    assert made.target is not None
    assert made.target.reached is False
    assert "it frees nothing on the disk that is short of space" in words(decided(made)["a"])


def test_where_none_is_short_all_are_told() -> None:
    made = on_two_disks(free_of_root=500, free_of_containerd=400)
    assert gone(made) == set()
    assert made.target is not None
    of_each = f"/var/lib/docker: 50% {{0}}; {CONTAINERD}: 60% {{0}}"
    assert made.target.text == of_each.format("of the disk is used, not over 80%")


def test_a_further_round_is_for_the_disks_of_the_first_alone() -> None:
    assert gone(on_two_disks(free_of_root=100, free_of_containerd=100)) == {"a", "c"}
    assert gone(on_two_disks(100, 100, asked_before=("/var/lib/docker",))) == {"c"}
    lost = on_two_disks(100, 100, asked_before=("/mnt/gone",))
    assert gone(lost) == set()
    assert lost.target is not None
    assert (lost.target.begins, lost.target.reached) == (None, None)
    assert "/mnt/gone: the engine's disk cannot be measured" in lost.target.text


def test_a_share_is_refused_where_containerd_has_the_images_in_a_folder_that_was_not_found() -> None:
    full = replace(
        inventory(image("a", "a:1", size=300), volume("v", size=900)),
        disk=disk("/var/lib/docker", 1000, 10),
        on_no_known_disk=("container", "image", "build-cache"),
        layers_bytes=300,
    )

    def asking(order: tuple[Kind, ...], text: str, **amount: Any) -> Plan:
        target = Target(start_above=Space(text=text, **amount), order=order, older_than=NO_AGE)
        policy = Policy(source="a test", protections=Protections(), rules=(), target=target)
        return plan_of(full, policy, NOW)

    unknown = asking(("volume", "image"), "80%", percent=80)
    assert gone(unknown) == set()
    assert unknown.target is not None
    assert unknown.target.begins is None
    assert "its folder, containerd's or that of its volumes" in unknown.target.text
    # What is not containerd's lies on the disk that is known, and what the engine holds is known of all.
    assert gone(asking(("volume",), "80%", percent=80)) == {"v"}
    assert gone(asking(("image",), "1kB", size_bytes=1000)) == {"a"}


def test_a_container_does_not_go_for_the_disk_of_its_volumes() -> None:
    seen = replace(
        inventory(container("c", size=100, volumes=["held"]), volume("held", size=900), volume("idle", size=10)),
        disk=disk("/var/lib/docker", 1000, 900),
        other_disks=(disk("/var/lib/docker/volumes", 1000, 10),),
    )
    target = Target(start_above=Space(text="80%", percent=80), order=("container", "volume"), older_than=NO_AGE)
    made = plan_of(seen, Policy(source="a test", protections=Protections(), rules=(), target=target), NOW)
    assert gone(made) == {"idle"}
    assert made.target is not None
    assert made.target.reached is False
