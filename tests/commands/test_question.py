"""What a person is asked before a sweep, how many of which kind and what comes back, and what each answer does."""

import pytest
from msgspec.structs import replace

from dockersweep.model.archive_facts import ArchiveFacts
from dockersweep.model.inventory import Image, Object
from dockersweep.model.last_use import PastUse
from dockersweep.model.plan import Interval, LayersHeld, Plan, exactly
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.planning.planner import make_plan
from dockersweep.report.plan import plan_layout
from dockersweep.report.question import question
from tests.rig.fake_containers import with_containers
from tests.rig.fake_engine import fake_engine
from tests.rig.inventories import NOW, ago, container, image, inventory, network, plan_of, volume
from tests.rig.running import dockersweep, on_a_terminal

WITHOUT_ARCHIVE = PolicyFlags(all_images=True)


def planned(*objects: Object, flags: PolicyFlags = WITHOUT_ARCHIVE) -> Plan:
    return plan_of(inventory(*objects), policy_from_flags(flags), NOW)


def asked(plan: Plan, low: int, high: int | None) -> str:
    return question(replace(plan, reclaim=Interval(low_bytes=low, high_bytes=high)))


def test_each_kind_is_counted_and_the_size_is_honest() -> None:
    plan = planned(container("c"), container("d"), image("a"), volume("v", size=5), network("n"))
    what = "Remove 2 containers, 1 image, 1 volume and 1 network"
    lost = "1 cannot be recovered: volume v (5 B); 4 more hold no data"
    what = f"{lost}: 2 containers, 1 image left by builds, 1 network. {what}"
    assert asked(plan, 1_200_000_000, 1_200_000_000) == f"{what} (freeing 1.20 GB)?"
    assert asked(plan, 1_000, 2_000) == f"{what} (freeing 1.00 kB to 2.00 kB)?"
    assert asked(plan, 5, None) == f"{what} (freeing at least 5 B)?"
    assert asked(plan, 0, None) == f"{what} (freeing an unknown number of bytes)?"


def test_what_containers_wrote_is_named_before_what_has_only_settings_and_logs() -> None:
    wrote, unknown = container("wrote", size=7), container("unknown", size=None)
    plan = planned(container("empty", size=0), wrote, volume("v", size=5))
    assert asked(plan, 5, 5).startswith(
        "2 cannot be recovered: volume v (5 B), container wrote (7 B); 1 more holds no data: container empty. Remove 2 "
        "containers"
    )
    assert asked(planned(wrote, unknown), 5, 5).startswith(
        "2 cannot be recovered: container wrote (7 B), container unknown. Remove"
    )
    assert asked(planned(container("a", size=0), container("b", size=0)), 0, 0).startswith(
        "2 cannot be recovered, and hold no data: container a, container b. Remove"
    )


def test_an_untagged_image_that_was_loaded_is_named_as_one_that_builds_do_not_make_again() -> None:
    use = PastUse(at=ago(days=10), action="loaded")
    loaded = replace(image("a", first_unused=ago(days=10)), in_registry=False, uses=(use,))
    built = replace(image("b", first_unused=ago(days=10)), in_registry=False)
    assert asked(planned(loaded, built), 5, 5).startswith(
        "1 cannot be recovered: image a (100 B); 1 more holds no data: 1 image left by builds. Remove 2"
    )


def local(name: str, in_registry: bool | None = False) -> Image:
    return replace(image(name, f"{name}:1", first_unused=ago(days=10)), in_registry=in_registry)


def pulled(name: str) -> Image:
    return replace(local(name, True), digests=(f"{name}@sha256:1",))


def test_five_of_what_cannot_be_recovered_are_named_before_it_is_asked_for() -> None:
    plan = planned(local("app"), pulled("pulled"), local("unknown", None), image("dangling"))
    lost = "2 cannot be recovered: image app:1 (100 B), image unknown:1 (100 B)"
    ways = f"1 can be pulled again; {lost}; 1 more holds no data: 1 image left by builds"
    assert asked(plan, 5, 5) == f"{ways}. Remove 4 images (freeing 5 B)?"
    assert f"{ways}; see --archive." in shown(plan)
    many = planned(*(local(f"app{number}") for number in range(7)), container("c", size=0))
    assert asked(many, 5, 5).startswith(
        "7 cannot be recovered: image app0:1 (100 B), image app1:1 (100 B), image app2:1 (100 B), image app3:1 "
        "(100 B), image app4:1 (100 B) and 2 more; 1 more holds no data: 1 container. Remove 1 container and 7"
    )
    assert asked(planned(pulled("app")), 5, 5) == "1 can be pulled again. Remove 1 image (freeing 5 B)?"


def test_the_largest_volume_is_named_first_and_made_up_names_are_shortened() -> None:
    made_up = "0123456789ab" + "c" * 52
    plan = planned(volume("small", size=1), volume(made_up, size=2), volume("large", size=3), container("c", size=9))
    assert asked(plan, 5, 5).startswith(
        "4 cannot be recovered: volume large (3 B), volume 0123456789ab (2 B), volume small (1 B), container c (9 B)."
    )


def test_all_tags_of_what_exists_only_here_are_named() -> None:
    two = replace(image("api", "api:1", "api:stable", first_unused=ago(days=10)), in_registry=False)
    assert asked(planned(two), 5, 5).startswith("1 cannot be recovered: image api:1 = api:stable (100 B). Remove 1 ")
    assert asked(planned(two, local("worker")), 5, 5).startswith(
        "2 cannot be recovered: image api:1 = api:stable (100 B), image worker:1 (100 B). Remove 2 images "
    )


ARCHIVED = PolicyFlags(all_images=True, archive="")


def test_every_removal_has_its_way_back_in_the_whole_plan() -> None:
    plan = planned(pulled("app"), volume("v", size=5), flags=ARCHIVED)
    rows = [row for section in plan_layout(plan, "all").sections for row in section.rows]
    assert [row[-1].rpartition("; ")[2] for row in rows[:2]] == ["can be pulled again", "goes to the archive"]


def test_what_goes_to_the_archive_is_counted_with_its_size_and_for_how_long() -> None:
    plan = planned(pulled("app"), local("own"), volume("v", size=5), container("c", size=7), flags=ARCHIVED)
    ways = "1 can be pulled again, 3 go to the archive (up to 49.3 kB, kept 14 days)"
    takes = "all of which the archive may take until 8 Dec: maybe no net gain"
    assert asked(plan, 112, 112).startswith(
        f"{ways}. Remove 1 container, 2 images and 1 volume (freeing 112 B, {takes})"
    )
    assert f"{ways}." in shown(plan)
    unknown = planned(volume("v", size=None), flags=ARCHIVED)
    assert asked(unknown, 0, None).startswith("1 goes to the archive (of unknown size, kept 14 days). Remove")
    some = planned(volume("v", size=None), volume("w", size=7), flags=ARCHIVED)
    assert "2 go to the archive (of unknown size, kept 14 days)" in asked(some, 0, None)


@pytest.mark.parametrize(
    ("on_engine_disk", "words"),
    [
        (True, "(freeing 50.0 kB, of which the archive takes up to 16.4 kB until 8 Dec)?"),
        (None, "(freeing 50.0 kB, of which the archive may take up to 16.4 kB until 8 Dec)?"),
        (False, "(freeing 50.0 kB)?"),
    ],
)
def test_what_the_archive_takes_of_the_same_disk_is_told(on_engine_disk: bool | None, words: str) -> None:
    facts = ArchiveFacts(on_engine_disk=on_engine_disk, folder="/srv/keep", is_new=on_engine_disk is None)
    survey = Survey(inventory(volume("v", size=5)), NOW).archiving_to(facts)
    plan = make_plan(survey, policy_from_flags(ARCHIVED))
    assert asked(plan, 50_000, 50_000).endswith(words)
    enough = replace(plan, reclaim=exactly(50_000))
    of_which = words.strip("()?").partition(", ")[2] or "freeing 50.0 kB as the engine counts, by"
    assert any(of_which in text for text in shown(enough))
    # As much as that takes, or more.
    none = "all of which the archive may take until 8 Dec: maybe no net gain)?"
    assert asked(plan, 5, 5).endswith(none) == (on_engine_disk is not False)
    # The question stands below the plan, which names the folder.
    made = ", which will be made" if on_engine_disk is None else ""
    assert f"1 goes to the archive in /srv/keep{made} (up to 16.4 kB, kept 14 days)." in shown(plan)
    assert "/srv/keep" not in asked(plan, 5, 5)


def test_a_plan_of_an_older_version_says_nothing_of_ways_back() -> None:
    plan = planned(volume("v", size=5))
    plan = replace(plan, removals=tuple(replace(step, recovery=None) for step in plan.removals))
    assert asked(plan, 5, 5) == "Remove 1 volume (freeing 5 B)?"
    assert not any("recovered" in text for text in shown(plan))


def shown(plan: Plan) -> list[str]:
    return [text for section in plan_layout(plan, detail="grouped").sections for text in section.sentences]


def test_one_kind_is_asked_for_alone() -> None:
    plan = plan_of(replace(inventory(network("n"), network("m")), marks=()), DEFAULT_POLICY, NOW)
    assert asked(plan, 0, 0) == "2 can be created again. Remove 2 networks (freeing 0 B)?"


def test_tags_of_images_that_stay_are_told_apart() -> None:
    plan = planned(volume("v", size=5))
    [decision] = plan.decisions
    plan = replace(plan, decisions=(replace(decision, untag=("app:1", "app:2")),))
    assert asked(plan, 0, 0) == (
        "2 tags can be put back; 1 cannot be recovered: volume v (5 B). Remove 1 volume and 2 tags of images that stay "
        "(freeing 0 B)?"
    )
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
    assert asked(plan, 5, 5).endswith(
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
