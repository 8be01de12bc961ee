"""What a person is asked before a sweep: how many of which kind, and what comes back."""

from msgspec.structs import replace

from dockersweep.model.inventory import Object
from dockersweep.model.plan import Interval, Plan
from dockersweep.policy.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.planner import make_plan
from dockersweep.report.plan_table import question
from tests.inventories import NOW, container, image, inventory, network, volume


def planned(*objects: Object) -> Plan:
    return make_plan(inventory(*objects), policy_from_flags(PolicyFlags(all_images=True)), NOW)


def asked(plan: Plan, low: int, high: int | None) -> str:
    return question(replace(plan, reclaim=Interval(low_bytes=low, high_bytes=high)))


def test_each_kind_is_counted_and_the_size_is_honest() -> None:
    plan = planned(container("c"), container("d"), image("a"), volume("v"), network("n"))
    what = "Remove 2 containers, 1 image, 1 volume and 1 network"
    assert asked(plan, 1_200_000_000, 1_200_000_000) == f"{what} (giving back 1.20 GB)?"
    assert asked(plan, 1_000, 2_000) == f"{what} (giving back 1.00 kB to 2.00 kB)?"
    assert asked(plan, 5, None) == f"{what} (giving back at least 5 B)?"
    assert asked(plan, 0, None) == f"{what} (giving back an unknown number of bytes)?"


def test_one_kind_is_asked_for_alone() -> None:
    assert asked(planned(network("n"), network("m")), 0, 0) == "Remove 2 networks (giving back 0 B)?"


def test_tags_of_images_that_stay_are_told_apart() -> None:
    plan = planned(volume("v"))
    [decision] = plan.decisions
    plan = replace(plan, decisions=(replace(decision, untag=("app:1", "app:2")),))
    assert asked(plan, 0, 0) == "Remove 1 volume and 2 tags of images that stay (giving back 0 B)?"
