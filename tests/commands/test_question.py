"""What a person is asked before a sweep, how many of which kind and what comes back, and what each answer does."""

import pytest
from msgspec.structs import replace

from dockersweep.model.inventory import Object
from dockersweep.model.last_use import PastUse
from dockersweep.model.plan import Interval, LayersHeld, Plan, exactly
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.report.plan import plan_layout
from dockersweep.report.question import question
from tests.rig.fake_containers import with_containers
from tests.rig.fake_engine import fake_engine
from tests.rig.inventories import NOW, ago, container, image, inventory, network, plan_of, volume
from tests.rig.running import dockersweep, on_a_terminal


def planned(*objects: Object) -> Plan:
    return plan_of(inventory(*objects), policy_from_flags(PolicyFlags(all_images=True)), NOW)


def asked(plan: Plan, low: int, high: int | None) -> str:
    return question(replace(plan, reclaim=Interval(low_bytes=low, high_bytes=high)))


def test_each_kind_is_counted_and_the_size_is_honest() -> None:
    plan = planned(container("c"), container("d"), image("a"), volume("v"), network("n"))
    what = "Remove 2 containers, 1 image, 1 volume and 1 network"
    what = f"No undo for volume v. {what}"
    assert asked(plan, 1_200_000_000, 1_200_000_000) == f"{what} (freeing 1.20 GB)?"
    assert asked(plan, 1_000, 2_000) == f"{what} (freeing 1.00 kB to 2.00 kB)?"
    assert asked(plan, 5, None) == f"{what} (freeing at least 5 B)?"
    assert asked(plan, 0, None) == f"{what} (freeing an unknown number of bytes)?"


def test_what_containers_wrote_is_named_unless_that_is_nothing() -> None:
    wrote, unknown = container("wrote", size=7), container("unknown", size=None)
    plan = planned(container("empty", size=0), wrote, volume("v"))
    assert asked(plan, 5, 5).startswith("No undo for volume v and files in container wrote. Remove 2 containers")
    assert asked(planned(wrote, unknown), 5, 5).startswith("No undo for files in 2 containers (unknown, wrote). Remove")


def test_an_untagged_image_that_was_loaded_cannot_be_had_again() -> None:
    use = PastUse(at=ago(days=10), action="loaded")
    loaded = replace(image("a", first_unused=ago(days=10)), in_registry=False, uses=(use,))
    built = replace(image("b", first_unused=ago(days=10)), in_registry=False)
    assert asked(planned(loaded, built), 5, 5).startswith("No undo for image a. Remove 2 images")


def local(name: str, in_registry: bool | None = False) -> Object:
    return replace(image(name, f"{name}:1", first_unused=ago(days=10)), in_registry=in_registry)


def test_what_exists_only_here_is_named_before_it_is_asked_for() -> None:
    plan = planned(local("app"), local("pulled", True), local("unknown", None), image("dangling"))
    assert asked(plan, 5, 5) == "No undo for image app:1. Remove 4 images (freeing 5 B)?"
    assert any("1 image exists only here." in one for one in shown(plan))
    many = planned(*(local(f"app{number}") for number in range(7)))
    assert asked(many, 5, 5).startswith(
        "No undo for 7 images (app0:1, app1:1, app2:1, app3:1, app4:1 and 2 more). Remove 7"
    )
    assert any("7 images exist only here." in one for one in shown(many))
    assert not any("only here" in one for one in shown(planned(local("pulled", True))))


def test_all_tags_of_what_exists_only_here_are_named() -> None:
    two = replace(image("api", "api:1", "api:stable", first_unused=ago(days=10)), in_registry=False)
    assert asked(planned(two), 5, 5).startswith("No undo for image api:1 = api:stable. Remove 1 image ")
    assert asked(planned(two, local("worker")), 5, 5).startswith(
        "No undo for 2 images (api:1 = api:stable, worker:1). Remove 2 images "
    )


def shown(plan: Plan) -> list[str]:
    return [text for section in plan_layout(plan, detail="grouped").sections for text in section.sentences]


def test_one_kind_is_asked_for_alone() -> None:
    assert asked(planned(network("n"), network("m")), 0, 0) == "Remove 2 networks (freeing 0 B)?"


def test_tags_of_images_that_stay_are_told_apart() -> None:
    plan = planned(volume("v"))
    [decision] = plan.decisions
    plan = replace(plan, decisions=(replace(decision, untag=("app:1", "app:2")),))
    assert asked(plan, 0, 0) == "No undo for volume v. Remove 1 volume and 2 tags of images that stay (freeing 0 B)?"
    plan = replace(plan, decisions=(replace(decision, untag=("app:1",)),))
    assert asked(plan, 0, 0).endswith("Remove 1 volume and 1 tag of an image that stays (freeing 0 B)?")


def test_without_a_terminal_a_sweep_needs_a_yes() -> None:
    with fake_engine() as engine:
        with_containers(engine, "web")
        run = dockersweep("sweep", "--older-than", "0s", host=engine.url)
        assert engine.asked == []
    assert run.status == 4
    assert run.stderr == (
        "dockersweep: nothing removed: there is no terminal to ask on; give --yes to remove, or --dry-run to look\n"
    )


@pytest.mark.parametrize(
    ("answer", "status", "removes"),
    [
        ("\n", 0, False),
        ("n\n", 0, False),
        ("\x04", 0, False),
        ("yep\n", 0, False),
        ("y\n", 0, True),
        ("YES\n", 0, True),
    ],
)
def test_on_a_terminal_it_shows_the_plan_and_asks(answer: str, status: int, removes: bool) -> None:
    with fake_engine() as engine:
        with_containers(engine, "web")
        engine.replies["/containers/web"] = (204, b"")
        arguments = ["-H", engine.url, "sweep", "--older-than", "0s", "--no-ledger"]
        ended, shown = on_a_terminal(arguments, answer)
        assert (("DELETE", "/containers/web") in engine.asked) == removes
    assert ended == status, shown
    assert "1 container: whatever its age (stopped" in " ".join(shown.split())
    assert "Remove 1 container (freeing an unknown number of bytes)? [y/N]" in " ".join(shown.split())
    assert ("Removed 1 container" in shown) == removes
    assert removes or "nothing removed: not confirmed" in shown


def test_a_question_that_is_interrupted_ends_with_130() -> None:
    with fake_engine() as engine:
        with_containers(engine, "web")
        ended, shown = on_a_terminal(["-H", engine.url, "sweep", "--older-than", "0s", "--no-ledger"], "\x03")
        assert ("DELETE", "/containers/web") not in engine.asked
    assert ended == 130
    assert "Traceback" not in shown


def test_with_nothing_to_remove_nothing_is_asked() -> None:
    with fake_engine() as engine:
        ended, shown = on_a_terminal(["-H", engine.url, "sweep", "--no-ledger"], "")
    assert ended == 0
    assert "Nothing to remove, by the default policy." in shown


def test_it_says_what_would_be_freed_with_the_records_that_hold_layers() -> None:
    seven = LayersHeld(by="build-cache", count=7, with_them=exactly(38_000_000))
    plan = replace(planned(image("a"), image("b")), layers_held=seven)
    assert asked(plan, 5, 5) == (
        "Remove 2 images (freeing 5 B; 38.0 MB with 7 build-cache records that hold layers of these images)?"
    )
    sentence = " 7 build-cache records hold layers of these images; with them, 38.0 MB would be freed."
    assert any(one.endswith(sentence) for one in shown(plan))
    one = replace(plan, layers_held=replace(seven, count=1))
    assert "1 build-cache record that holds layers of these images" in asked(one, 5, 5)
    lone = replace(planned(image("a")), layers_held=seven)
    assert asked(lone, 5, 5).endswith("with 7 build-cache records that hold layers of this image)?")
    assert any("7 build-cache records hold layers of this image; with them" in text for text in shown(lone))
    many = replace(plan, layers_held=replace(seven, count=None))
    assert any(" Over 100 build-cache records hold layers" in text for text in shown(many))
