"""Which removed objects a person means, and the steps that make them again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from dockersweep.errors import UnknownObjectError, UsageError
from dockersweep.model.archive import ArchivedFile, ArchivedObject
from dockersweep.model.inventory import Kind
from dockersweep.model.recovery import How, RestoreAction
from dockersweep.model.restoring import Document, Present, Removed, Step
from dockersweep.policy.restoring.container_needs import needs_of
from dockersweep.policy.restoring.planner import plan_restoration
from dockersweep.policy.restoring.selecting import of_object, of_run
from tests.rig.inventories import NOW

EMPTY = Present(containers={}, volumes=frozenset(), networks={"bridge": "b0"}, subnets={}, images=frozenset(), tags={})


def present(**there: Any) -> Present:
    return Present(**{**{name: getattr(EMPTY, name) for name in EMPTY.__struct_fields__}, **there})


def removed(
    kind: Kind,
    name: str,
    run: int = 12,
    *,
    id: str | None = None,
    how: How = "archive",
    action: RestoreAction = "create",
    document: Mapping[str, Any] | None = None,
    **others: Any,
) -> Removed:
    return Removed(
        kind=kind,
        id=id or (name if kind == "volume" else f"id of {name}"),
        name=name,
        action=action,
        run=run,
        removed_at=NOW + timedelta(days=run),
        how=how,
        why_not="no archive" if how == "none" else None,
        document=None if document is None else Document(document),
        **others,
    )


def container(name: str, run: int = 12, *, image: str = "sha256:a", **host: Any) -> Removed:
    document = {
        "Image": image,
        "Config": {"Image": "app:1"},
        "HostConfig": {"NetworkMode": "front", **host},
        "Mounts": [{"Type": "volume", "Name": "data", "Destination": "/data"}, {"Type": "bind", "Source": "/srv"}],
        "NetworkSettings": {"Networks": {"front": {}}},
    }
    return removed("container", name, run, document=document)


VOLUME = removed("volume", "data")
NETWORK = removed("network", "front", how="recreate", document={"IPAM": {"Config": [{"Subnet": "10.1.0.0/24"}]}})
IMAGE = removed("image", "app:1", id="sha256:a", tags=("app:1", "app:2"))
TAG = removed("image", "app:3", id="sha256:a", action="tag", how="recreate")
WEB = container("web")
ALL = (WEB, IMAGE, VOLUME, NETWORK)
THERE = " is there: remove it first, or give this one another name with --as"


def shape(steps: tuple[Step, ...]) -> list[tuple[str, str | None]]:
    return [(f"{step.kind} {step.removed.name}", step.skip) for step in steps]


# What is meant.


def test_a_run_is_all_that_it_removed_but_tags_that_went_with_their_image() -> None:
    other = removed("volume", "other", 11)
    spared = removed("image", "kept:1", id="sha256:b", action="tag", how="recreate")
    known = (*ALL, TAG, other, spared)
    assert of_run(known, 12) == (*ALL, spared)
    assert of_run(known, 11) == (other,)
    assert of_run(known, 10) == ()


def test_without_a_ledger_a_run_is_called_by_its_folder() -> None:
    archived = removed("volume", "data", folder="/srv/archive/2026-12-01T093000Z-1f2e")
    assert of_run((archived,), "2026-12-01T093000Z-1f2e") == (archived,)


def test_an_object_is_the_latest_of_its_name() -> None:
    older = removed("volume", "data", 11)
    known = (VOLUME, older, IMAGE, TAG)
    assert of_object(known, "data", None) == VOLUME
    assert of_object(known, "data", 11) == older
    assert of_object(known, "volume:data", None) == VOLUME
    assert of_object(known, "app:2", None) == IMAGE
    assert of_object(known, "app:3", None) == TAG
    assert of_object(known, "sha256:a", None) == IMAGE
    assert of_object((container("web", 11), WEB), "web", None) == WEB


def test_another_ledger_numbers_its_runs_for_itself() -> None:
    # Removed before the ledger was lost, and after it was begun anew.
    former = replace(VOLUME, run=900, removed_at=NOW - timedelta(days=1), is_in_ledger=False)
    assert of_object((former, replace(VOLUME, run=1)), "data", None).run == 1
    assert of_object((replace(VOLUME, run=1), former), "data", None).run == 1
    newer = replace(former, run=None, removed_at=NOW + timedelta(days=99))
    assert of_object((VOLUME, newer), "data", None) == newer


@pytest.mark.parametrize("container_first", [True, False])
def test_of_runs_without_a_ledger_each_object_is_that_of_its_own_folder(container_first: bool) -> None:
    older = [replace(one, run=None, folder="/a/1", removed_at=NOW) for one in (WEB, VOLUME, IMAGE, NETWORK)]
    newer = [replace(one, run=None, folder="/a/2", removed_at=NOW + timedelta(days=1)) for one in older]
    wanted = older if container_first else older[::-1]
    assert {step.removed.folder for step in plan_restoration(wanted, (*older, *newer), EMPTY)} == {"/a/1"}
    # What the container alone needs as well.
    assert {step.removed.folder for step in plan_restoration(older[:1], (*newer, *older), EMPTY)} == {"/a/1"}


def test_of_several_images_that_had_a_tag_the_latest_is_meant() -> None:
    newer = removed("image", "app:1", 14, id="sha256:c", tags=("app:1",))
    assert of_object((newer, IMAGE), "app:1", None) == newer
    assert of_object((IMAGE, removed("image", "app:1", 15, id="sha256:d", action="tag")), "app:1", None).run == 15


def test_an_object_that_may_be_two_or_none_is_an_error_that_says_what_to_write() -> None:
    both = (removed("volume", "pg"), container("pg"))
    with pytest.raises(UsageError, match=r'"pg" can mean container:pg or volume:pg: write one of these'):
        of_object(both, "pg", None)
    assert of_object(both, "container:pg", None) == both[1]
    with pytest.raises(UnknownObjectError, match=r'nothing called "x" was removed.*`dockersweep history`'):
        of_object(both, "x", None)
    with pytest.raises(UnknownObjectError, match=r'run 11 removed nothing called "pg": `dockersweep history 11`'):
        of_object(both, "pg", 11)


# What is made, and in which order.


def test_a_run_comes_back_as_networks_volumes_images_tags_and_containers() -> None:
    tag = removed("image", "other:1", id="sha256:b", action="tag", how="recreate")
    steps = plan_restoration((WEB, tag, IMAGE, VOLUME, NETWORK), (*ALL, tag), present(images=frozenset({"sha256:b"})))
    assert shape(steps) == [
        ("network front", None),
        ("volume data", None),
        ("image app:1", None),
        ("image other:1", None),
        ("container web", None),
    ]
    assert sorted(steps[4].after) == [0, 1, 2]
    assert [step.needed_by for step in steps] == [None] * 5
    assert steps[2].tags == ("app:1", "app:2")


def test_what_a_container_cannot_be_without_comes_back_before_it() -> None:
    steps = plan_restoration((WEB,), ALL, EMPTY)
    assert shape(steps) == [
        ("network front", None),
        ("volume data", None),
        ("image app:1", None),
        ("container web", None),
    ]
    assert [step.needed_by for step in steps] == ["web", "web", "web", None]
    there = present(images=frozenset({"sha256:a"}), volumes=frozenset({"data"}), networks={"front": "n1"})
    assert shape(plan_restoration((WEB,), ALL, there)) == [("container web", None)]


def test_what_the_same_run_removed_is_taken_before_what_a_later_one_did() -> None:
    later = removed("volume", "data", 13)
    steps = plan_restoration((WEB,), (VOLUME, later, IMAGE, NETWORK), EMPTY)
    assert [step.removed.run for step in steps if step.kind == "volume"] == [12]
    steps = plan_restoration((container("web", 14),), (VOLUME, later, IMAGE, NETWORK), EMPTY)
    assert [step.removed.run for step in steps if step.kind == "volume"] == [13]


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ((IMAGE, NETWORK), "its volume data is gone, and nothing keeps it: make it first, then restore again"),
        ((IMAGE, VOLUME), "its network front is gone"),
        ((VOLUME, NETWORK), "its image app:1 is gone"),
        ((IMAGE, NETWORK, removed("volume", "data", how="none")), "its volume data is gone"),
    ],
)
def test_a_container_is_not_made_without_what_it_needs(known: tuple[Removed, ...], words: str) -> None:
    # An engine would make an empty volume without a word.
    steps = plan_restoration((WEB,), known, EMPTY)
    assert words in (steps[-1].skip or "")


def test_a_container_is_not_made_where_what_it_needs_is_skipped() -> None:
    taken = present(subnets={"other": ("10.1.0.0/16",)})
    steps = plan_restoration((WEB,), ALL, taken)
    assert (
        steps[0].skip
        == "its subnet 10.1.0.0/24 overlaps that of network other; with --as NAME it is made with another subnet"
    )
    assert steps[-1].skip == f"its network front is not made: {steps[0].skip}"


def test_a_container_whose_namespaces_another_joins_is_made_before_it() -> None:
    first = container("zz")
    second = container("aa", NetworkMode=f"container:{first.id}", Links=["/gone:/aa/gone"])
    there = present(images=frozenset({"sha256:a"}), volumes=frozenset({"data"}), networks={"front": "n1"})
    gone = "container gone, whose namespaces it joins, is gone, and nothing keeps it: make it first, then restore again"
    steps = plan_restoration((first, second), (first, second), there)
    assert shape(steps) == [("container zz", None), ("container aa", gone)]
    each = [container(name, PidMode=f"container:id of {other}") for name, other in (("a", "b"), ("b", "a"))]
    assert len(plan_restoration(each, each, there)) == 2


@pytest.mark.parametrize(
    ("lost", "there", "words"),
    [
        (VOLUME, {"volumes": frozenset({"data"})}, "a volume of this name" + THERE),
        (NETWORK, {"networks": {"front": "x"}}, "a network of this name" + THERE),
        (WEB, {"containers": {"web": "x"}}, "a container of this name" + THERE),
        (IMAGE, {"images": frozenset({"sha256:a"}), "tags": {"app:1": "sha256:a", "app:2": "sha256:a"}}, "it is there"),
        (TAG, {"images": frozenset({"sha256:a"}), "tags": {"app:3": "sha256:a"}}, "it is there"),
        (
            TAG,
            {"images": frozenset({"sha256:a"}), "tags": {"app:3": "sha256:b"}},
            "app:3 names another image by now, b",
        ),
        (TAG, {}, "its image a is gone by now"),
        (removed("volume", "v", how="none"), {}, "it cannot be made again: no archive"),
    ],
)
def test_what_is_there_is_not_touched(lost: Removed, there: dict[str, Any], words: str) -> None:
    steps = plan_restoration((lost,), (lost,), present(**there))
    assert [step.skip for step in steps] == [words]


def test_what_the_same_run_gave_back_before_is_what_is_asked_for() -> None:
    lost = (VOLUME, NETWORK, WEB)
    there: dict[str, Any] = {
        "volumes": frozenset({"data"}), "networks": {"front": "x"}, "containers": {"web": "x"},
        "images": frozenset({"sha256:a"}), "tags": {"app:1": "sha256:a", "app:2": "sha256:a"},
    }  # fmt: skip
    for mark, is_back in (("12", True), ("11", False)):
        marks = {(one.kind, one.name): mark for one in lost}
        steps = plan_restoration((*lost, IMAGE), ALL, present(**there, restored_from=marks))
        assert [(step.is_there, step.is_back) for step in steps] == [
            *((True, is_back) for _ in range(2)),
            (True, True),
            (True, is_back),
        ]
    other = present(**{**there, "tags": {"app:1": "sha256:a", "app:2": "sha256:b"}})
    step = plan_restoration((IMAGE,), ALL, other)[0]
    assert (step.skip, step.is_back) == ("it is there, without all of its tags", False)


def test_of_objects_of_one_name_the_one_that_is_gone_is_meant() -> None:
    both = (removed("volume", "pg"), removed("network", "pg"), removed("volume", "pg", 11))
    assert of_object(both, "pg", None, present(networks={"pg": "x"})) == both[0]
    assert of_object(both, "pg", None, present(volumes=frozenset({"pg"}))) == both[1]
    for there in (EMPTY, present(volumes=frozenset({"pg"}), networks={"pg": "x"})):
        with pytest.raises(UsageError, match=r'"pg" can mean'):
            of_object(both, "pg", None, there)


def test_a_run_that_only_archives_know_has_one_folder() -> None:
    one, other = (
        removed("volume", "v", folder=f"/srv/archive/2026-12-0{day}T093000Z-12", is_in_ledger=False) for day in (1, 2)
    )
    assert of_run((one, VOLUME), 12) == (one, VOLUME)
    with pytest.raises(UsageError, match=r"several runs 12 in the archive: write 2026-12-01T.* or 2026-12-02T"):
        of_run((one, other), 12)


def test_a_new_name_is_for_the_wanted_object_alone() -> None:
    there = present(containers={"web": "x"}, volumes=frozenset({"data"}))
    steps = plan_restoration((WEB,), ALL, there, "web-2")
    assert [(step.kind, step.as_name, step.skip) for step in steps] == [
        ("network", "front", None),
        ("image", "app:1", None),
        ("container", "web-2", None),
    ]
    steps = plan_restoration((VOLUME,), ALL, there, "data")
    assert steps[0].skip == "a volume of this name" + THERE
    taken = present(volumes=frozenset({"data", "data-2"}))
    assert (
        plan_restoration((VOLUME,), ALL, taken, "data-2")[0].skip == "a volume called data-2 is there: remove it first"
    )


def test_a_network_under_another_name_gets_another_subnet_where_its_own_is_taken() -> None:
    taken = present(networks={"front": "x"}, subnets={"front": ("10.1.0.0/24",)})
    step = plan_restoration((NETWORK,), ALL, taken, "front-2")[0]
    assert (step.skip, step.other_subnet) == (None, True)
    assert step.told == ("its subnet 10.1.0.0/24 overlaps that of network front: it gets another subnet",)
    odd = removed("network", "n", how="recreate", document={"IPAM": {"Config": [{"Subnet": "no subnet"}, 1]}})
    assert plan_restoration((odd,), (odd,), taken)[0].skip is None


def test_tags_that_name_another_image_by_now_stay_there() -> None:
    step = plan_restoration((IMAGE,), ALL, present(tags={"app:1": "sha256:b"}))[0]
    assert (step.skip, step.tags) == (None, ("app:2",))
    assert step.told == ("app:1 names another image by now, b, and stays there",)
    again = plan_restoration((IMAGE,), ALL, present(images=frozenset({"sha256:a"}), tags={"app:1": "sha256:a"}))[0]
    assert (again.skip, again.tags, again.told) == (None, ("app:2",), ())
    renamed = plan_restoration((IMAGE,), ALL, present(tags={"app:1": "sha256:b"}), "app:old")[0]
    assert (renamed.tags, renamed.told) == (("app:old",), ())


def test_a_tag_of_an_image_that_a_later_run_removed_brings_it_back() -> None:
    steps = plan_restoration((TAG,), (TAG, IMAGE), EMPTY)
    assert shape(steps) == [("image app:1", None), ("image app:3", None)]
    assert steps[1].after == (0,)


def test_the_image_of_a_container_with_files_of_its_own_is_told() -> None:
    file = ArchivedFile(path="containers/My_Web/layer.tar.zst", size_bytes=1, sha256="0" * 64)
    archived = ArchivedObject(
        kind="container", id="c", name="My_Web", archived_at=NOW, read_from="disk", size_bytes=1, files=(file,)
    )
    lost = removed("container", "My_Web", document={}, archived=archived)
    step = plan_restoration((lost,), (lost,), EMPTY)[0]
    assert step.told == ("its image is dockersweep-restored/my-web:12: My_Web's own files are one more layer of it",)


@pytest.mark.parametrize("value", [None, 1, "x", [1], {"a": [1]}])
def test_an_odd_document_is_no_error(value: Any) -> None:
    for key in ("Image", "Config", "HostConfig", "Mounts", "NetworkSettings"):
        needs_of({key: value})
    for key in ("NetworkMode", "Mounts", "Links", "PidMode"):
        needs_of({"HostConfig": {key: value}, "NetworkSettings": {"Networks": value}})
