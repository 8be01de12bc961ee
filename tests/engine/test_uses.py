"""What events say of uses, in the words of Docker and of Podman."""

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dockersweep.engine.reading.events import EventReading
from dockersweep.engine.reading.uses import noticed_in, uses_of
from dockersweep.model.event_reading import EngineEvent, EventPosition, Held
from dockersweep.model.inventory import Inventory, Kind, ObjectRef
from dockersweep.model.last_use import MOST_USES, PastUse, Span
from tests.rig.inventories import ENGINE, NOW, container, image, inventory, network, volume

SECOND = timedelta(seconds=1)
SHOP = {"com.docker.compose.project": "shop", "com.docker.compose.service": "db"}
APP = image("a" * 64, "app:1")
OTHER = image("b" * 64, "other:1")


def event(second: float, kind: str, action: str, of: str, /, **attributes: str) -> EngineEvent:
    at = NOW + second * SECOND
    return EngineEvent(int(at.timestamp() * 1000) * 10**6, kind, action, of, attributes)


def uses(seen: Inventory, *events: EngineEvent) -> dict[tuple[Kind, str], list[tuple[str, str | None]]]:
    return {(ref.kind, ref.id): [(use.action, use.by) for use in told] for ref, told in uses_of(events, seen).items()}


def test_a_job_of_docker_uses_its_image_volumes_and_networks_under_its_name_and_project() -> None:
    seen = inventory(APP, OTHER, volume("cache"), volume("spare"), network("lan"), network("wan"))
    told = uses_of(
        [
            event(0, "container", "create", "c1", image="app:1", name="job", **SHOP),
            event(1, "volume", "mount", "cache", container="c1"),
            event(1, "network", "connect", seen.networks[0].id, container="c1", name="lan"),
            event(2, "container", "start", "c1", image="app:1", name="job", **SHOP),
            event(3, "network", "disconnect", seen.networks[0].id, container="c1", name="lan"),
            event(3, "volume", "unmount", "cache", container="c1"),
            event(4, "container", "die", "c1", image="app:1", name="job", **SHOP),
            event(5, "container", "destroy", "c1", image="app:1", name="job", **SHOP),
        ],
        seen,
    )

    def by_job(second: int, action: Any) -> tuple[PastUse, ...]:
        at = NOW + second * SECOND
        return (PastUse(at=at, action=action, by="job", by_id="c1", project="shop", service="db"),)

    assert told == {
        ObjectRef(kind="image", id=APP.id): by_job(4, "exited"),
        ObjectRef(kind="volume", id="cache"): by_job(3, "unmounted"),
        ObjectRef(kind="network", id=seen.networks[0].id): by_job(3, "disconnected"),
    }


@pytest.mark.parametrize("removed", ["destroy", "remove"])
def test_what_was_made_again_under_its_name_within_a_second_has_no_uses_of_the_former(removed: str) -> None:
    seen = inventory(volume("cache"), volume("spare"), network("lan"))
    former = [
        event(0.1, "volume", "mount", "cache", container="c1"),
        event(0.1, "volume", "mount", "spare", container="c1"),
        event(0.2, "network", "connect", "c1", network="lan"),
        event(0.3, "volume", removed, "cache"),
        event(0.3, "network", removed, "n" * 64, network="lan"),
        event(0.4, "volume", "create", "cache"),
    ]
    spare = {("volume", "spare"): [("mounted", None)]}
    assert uses(seen, *former) == spare
    mounted = event(0.5, "volume", "mount", "cache", container="c2")
    connected = event(0.5, "network", "connect", "c2", network="lan")
    again = {("volume", "cache"): [("mounted", None)], ("network", seen.networks[0].id): [("connected", None)]}
    assert uses(seen, *former, mounted, connected) == spare | again


def test_a_container_that_is_there_tells_what_it_holds_where_events_do_not() -> None:
    there = replace(container("web", image="app:1", volumes=["data"], networks=["lan"]), image_id=APP.id)
    seen = inventory(there, APP, volume("data"), volume("spare"), network("lan"))
    told = uses(seen, event(1, "container", "die", there.id, image="localhost/app:1", name="web"))
    lan = seen.networks[0].id
    assert told == {
        ("container", there.id): [("exited", None)],
        ("image", APP.id): [("exited", "web")],
        ("volume", "data"): [("exited", "web")],
        ("network", lan): [("exited", "web")],
    }


@pytest.mark.parametrize(
    ("action", "word", "has_held"),
    [
        ("commit", "committed", False), ("export", "exported", False), ("archive-path", "copied files", True),
        ("extract-to-dir", "copied files", True), ("copy", "copied files", True),
    ],
)  # fmt: skip
def test_what_is_done_with_a_stopped_container_is_named_and_a_commit_has_no_volumes_in_it(
    action: str, word: str, has_held: bool
) -> None:
    there = replace(container("web", image="app:1", volumes=["data"], networks=["lan"]), image_id=APP.id)
    seen = inventory(there, APP, volume("data"), network("lan"))
    told = uses(seen, event(1, "container", action, there.id, image="app:1", name="web"))
    of_held = {("volume", "data"): [(word, "web")], ("network", seen.networks[0].id): [(word, "web")]}
    of_it: dict[tuple[Kind, str], list[tuple[str, str | None]]] = {
        ("container", there.id): [(word, None)],
        ("image", APP.id): [(word, "web")],
    }
    assert told == (of_it | of_held if has_held else of_it)


def test_a_commit_is_told_of_the_image_that_it_makes() -> None:
    there = replace(container("web", image="app:1"), image_id=APP.id)
    seen = inventory(there, APP, OTHER)
    told = uses(
        seen, event(1, "container", "commit", there.id, image="app:1", name="web", imageID=OTHER.id, imageRef="")
    )
    assert told["image", OTHER.id] == [("made by commit", None)]
    assert told["image", APP.id] == [("committed", "web")]
    # Attributes of an event are a container's labels, too.
    labelled = uses(seen, event(1, "container", "start", there.id, image="app:1", name="web", imageID=OTHER.id))
    assert ("image", OTHER.id) not in labelled
    of_podman = uses(seen, event(1, "container", "commit", there.id, image="app:1", name="web"))
    assert ("image", OTHER.id) not in of_podman


def test_podman_names_volumes_and_networks_in_attributes() -> None:
    seen = inventory(network("lan"), volume("data"))
    lan = seen.networks[0].id
    told = uses(
        seen,
        event(1, "network", "connect", "c1", network="lan", name="web"),
        event(1, "container", "start", "c1", image="localhost/app:1", name="web"),
        # What is made has a date of its own.
        event(2, "volume", "create", "", name="data"),
        event(3, "network", "create", lan, network="lan", driver="bridge"),
    )
    assert told == {("network", lan): [("connected", "web")]}


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("container", "destroy"), ("container", "remove"), ("container", "kill"), ("container", "cleanup"),
        ("container", "health_status: healthy"), ("container", "exec_create: sh"), ("container", "attach"),
        ("container", "exec_die"), ("container", "rename"), ("container", "prune"), ("image", "untag"),
        ("image", "delete"), ("image", "remove"), ("image", "prune"), ("volume", "destroy"), ("volume", "remove"),
        ("network", "destroy"), ("network", "remove"), ("builder", "prune"), ("daemon", "reload"), ("plugin", "enable"),
    ],
)  # fmt: skip
def test_what_removes_or_only_looks_is_no_use(kind: str, action: str) -> None:
    there = replace(container("web"), id="c1")
    seen = inventory(there, APP, volume("app:1"), network("app:1"))
    for name in ("c1", APP.id, "app:1", seen.networks[0].id):
        assert uses(seen, event(1, kind, action, name, image="app:1", name="app:1", container="c1")) == {}


@pytest.mark.parametrize(
    ("action", "name", "word"),
    [
        ("pull", "app:1", "pulled"), ("pull", "app", None), ("load", APP.id, "loaded"),
        ("loadfromarchive", APP.id.removeprefix("sha256:"), "loaded"), ("import", APP.id, "imported"),
        ("tag", APP.id, "tagged"), ("create", APP.id, "built"), ("build", APP.id.removeprefix("sha256:"), "built"),
        ("save", APP.id, "saved"), ("push", "docker.io/library/app:1", "pushed"), ("mount", APP.id, "mounted"),
    ],
)  # fmt: skip
def test_what_is_done_with_an_image(action: str, name: str, word: str | None) -> None:
    told = uses(inventory(APP, OTHER), event(1, "image", action, name, name=name))
    assert told == ({} if word is None else {("image", APP.id): [(word, None)]})


@pytest.mark.parametrize(
    ("reference", "is_it"),
    [
        ("app:1", True), ("docker.io/library/app:1", True), ("index.docker.io/app:1", True), (APP.id, True),
        (APP.id.removeprefix("sha256:")[:12], True), ("app:2", False), ("app", False), ("localhost/app:1", False),
        ("registry.example.com/app:1", False), ("", False), ("aaa", False),
        (f"app@sha256:{'d' * 64}", True), (f"app:9@sha256:{'d' * 64}", True), (f"app@sha256:{'e' * 64}", False),
    ],
)  # fmt: skip
def test_the_name_of_an_image_in_whatever_way_it_is_written(reference: str, is_it: bool) -> None:
    app = replace(APP, digests=(f"app@sha256:{'d' * 64}",))
    told = uses(inventory(app, OTHER), event(1, "container", "start", "gone", image=reference, name="job"))
    assert told == ({("image", APP.id): [("started", "job")]} if is_it else {})


def test_without_a_tag_latest_is_meant() -> None:
    latest = image("c" * 64, "app:latest")
    told = uses(inventory(APP, latest), event(1, "container", "start", "gone", image="app", name="job"))
    assert list(told) == [("image", latest.id)]


def test_a_tag_that_moved_between_two_scans_means_at_each_time_what_had_it() -> None:
    seen = inventory(APP, OTHER)
    moved = event(5, "image", "tag", OTHER.id, name="app:1")
    back = event(9, "image", "tag", APP.id, name="app:1")
    jobs = [event(at, "container", "die", f"c{at}", image="app:1", name=f"job-{at}") for at in (3, 7, 11)]
    told = uses(seen, moved, back, *jobs)
    # What had it before the first of them is not known.
    assert told[("image", OTHER.id)] == [("exited", "job-7"), ("tagged", None)]
    assert told[("image", APP.id)] == [("exited", "job-11"), ("tagged", None)]


def test_a_health_check_is_no_use_and_a_person_that_runs_a_command_is() -> None:
    there = replace(container("web", state="running"), id="c1")
    probes = [event(at, "container", "exec_start: /bin/sh -c curl -f localhost", "c1", name="web") for at in range(9)]
    by_hand = event(20, "container", "exec_start: sh", "c1", name="web")
    assert uses(inventory(there), *probes) == {}
    assert uses(inventory(there), *probes, by_hand)[("container", "c1")] == [("ran a command", None)]


def test_the_container_that_dockersweep_runs_in_uses_nothing() -> None:
    seen = inventory(APP, volume("state"), network("lan"))
    own = [
        event(1, "container", "start", "own", image="app:1", name="dockersweep"),
        event(1, "volume", "mount", "state", container="own"),
        event(1, "network", "connect", seen.networks[0].id, container="own"),
    ]
    assert len(uses(seen, *own)) == 3
    assert uses(replace(seen, own_container_id="own"), *own) == {}


def reading(*events: EngineEvent) -> EventReading:
    return EventReading(events, EventPosition(ends_at=NOW, anchor=None), Span(begins_at=NOW - SECOND, ends_at=NOW))


@pytest.mark.parametrize(
    ("flavour", "container_id", "action", "of_held"),
    [
        ("docker", "gone", "die", True), ("podman", "gone", "die", False), ("podman", "gone", "create", False),
        ("podman", "c1", "die", True), ("podman", "gone", "remove", True), ("podman", "gone", "cleanup", True),
    ],
)  # fmt: skip
def test_on_podman_time_with_a_container_that_is_gone_is_not_watched_for_what_it_held(
    flavour: Any, container_id: str, action: str, of_held: bool
) -> None:
    there = replace(container("web"), id="c1")
    seen = replace(inventory(there), engine=replace(ENGINE, flavour=flavour))
    _, noticed = noticed_in(reading(event(1, "container", action, container_id, image="x", name="job")), seen)
    assert noticed is not None
    assert noticed.watched == Span(begins_at=NOW - SECOND, ends_at=NOW, of_held=of_held)


def test_nothing_was_read_where_nothing_tells_where_to_go_on() -> None:
    seen = inventory(APP)
    assert noticed_in(EventReading(), seen) == (seen, None)


ACTIONS = st.sampled_from(("mount", "unmount"))
EVENTS = st.lists(st.tuples(st.integers(0, 30), ACTIONS, st.integers(0, 9)), max_size=40)


@given(EVENTS)
def test_the_last_of_each_container_are_told_the_latest_first(happened: list[tuple[int, str, int]]) -> None:
    events = [event(at, "volume", action, "v", container=f"c{by}") for at, action, by in happened]
    told = uses_of(events, inventory(volume("v"))).get(ObjectRef(kind="volume", id="v"), ())
    last: dict[str, datetime] = {}
    for at, _, by in happened:
        last[f"c{by}"] = max(last.get(f"c{by}", NOW), NOW + at * SECOND)
    expected = sorted(last.values(), reverse=True)[:MOST_USES]
    assert [use.at for use in told] == expected
    assert all(last[use.by_id or ""] == use.at for use in told)


def test_thousands_of_events_of_what_is_gone_are_not_held_against_each_image_or_tag() -> None:
    many = inventory(*(image(f"{number:064x}", f"app:{number}") for number in range(4000)))
    began = time.process_time()
    tagged = (event(number, "image", "tag", f"sha256:{number:064x}", name="app:1") for number in range(4000))
    ran = (
        event(number, "container", "die", f"c{number}", image=name, name="job")
        for number in range(4000)
        for name in ("gone:1", "app:1", f"sha256:{'d' * 64}")
    )
    told = uses_of([*tagged, *ran], many)
    # One by one it would be tens of millions of comparisons.
    assert time.process_time() - began < 2
    assert {use.by_id for use in told[ObjectRef(kind="image", id=f"sha256:{5:064x}")]} == {None, "c5"}


def test_what_a_watcher_saw_a_container_hold_was_used_by_it() -> None:
    seen = inventory(APP, volume("cache"), volume("spare"), network("lan"))
    held = Held(("cache", "no-more"), ("lan",))
    told = uses(
        seen,
        event(0, "container", "create", "c1", image="app:1", name="job")._replace(held=held),
        event(1, "container", "die", "c1", image="app:1", name="job")._replace(held=held),
        event(2, "container", "export", "c2", name="other")._replace(held=Held(("spare",))),
    )
    assert told == {
        ("image", APP.id): [("exited", "job")],
        ("volume", "cache"): [("exited", "job")],
        ("network", seen.networks[0].id): [("exited", "job")],
    }


def test_a_volume_that_podman_removed_is_another_one_than_that_of_its_name_now() -> None:
    seen = inventory(volume("cache"), volume("spare"))
    held = Held(("cache", "spare"))
    told = uses(
        seen,
        event(0, "container", "die", "c1", name="job")._replace(held=held),
        # Podman tells no id.
        event(1, "volume", "remove", "", name="cache"),
    )
    assert told == {("volume", "spare"): [("exited", "job")]}


def test_a_health_check_that_was_folded_is_none_of_the_uses() -> None:
    seen = inventory(container("c1"))
    check, once = event(0, "container", "exec_start: probe", "c1"), event(1, "container", "exec_start: sh", "c1")
    told = uses(seen, check._replace(times=3), once._replace(times=2))
    assert told["container", "c1"] == [("ran a command", None)]
    assert uses_of([check._replace(times=3)], seen) == {}


def test_what_a_watcher_recorded_is_used_with_what_the_engine_tells_since() -> None:
    seen = inventory(volume("cache"), volume("spare"))
    recorded = (event(0, "volume", "mount", "cache", container="c1"), event(9, "volume", "mount", "spare"))
    since = reading(event(1, "volume", "unmount", "cache", container="c1"))
    _, told = noticed_in(since, seen, recorded)
    assert told is not None
    assert told.pending == recorded
    assert since.position is not None
    by_name = {ref.id: [(use.action, use.at) for use in uses] for ref, uses in told.uses.items()}
    # The clock was set back since the second one was recorded.
    assert by_name == {
        "cache": [("unmounted", NOW + SECOND)],
        "spare": [("mounted", min(NOW + 9 * SECOND, since.position.ends_at))],
    }


def test_where_the_engine_tells_no_events_those_that_were_recorded_count() -> None:
    seen = inventory(volume("cache"))
    recorded = (event(0, "volume", "mount", "cache"),)
    _, told = noticed_in(EventReading(), seen, recorded)
    assert told is not None
    assert (told.position, told.watched, [ref.id for ref in told.uses]) == (None, None, ["cache"])
    assert noticed_in(EventReading(), seen)[1] is None


def test_a_container_of_podman_whose_volumes_a_watcher_saw_leaves_its_time_watched() -> None:
    seen = inventory(volume("cache"), engine=replace(ENGINE, flavour="podman"))
    gone = event(0, "container", "die", "c1")
    for recorded, of_held in (((gone._replace(held=Held()),), True), ((), True)):
        _, told = noticed_in(reading(), seen, recorded)
        assert told is not None
        assert told.watched is not None
        assert told.watched.of_held is of_held
    _, told = noticed_in(reading(gone), seen)
    assert told is not None
    assert told.watched is not None
    assert told.watched.of_held is False
