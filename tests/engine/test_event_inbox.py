"""Events between the thread that receives them and the one that records them."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from dockersweep.engine.reading import event_inbox
from dockersweep.engine.reading.event_inbox import EventInbox, cut, folded, tells
from dockersweep.engine.reading.uses import uses_of
from dockersweep.model.event_reading import EngineEvent, Held
from tests.rig.examples import examples
from tests.rig.inventories import NOW, container, image, inventory, network, volume

SECOND = timedelta(seconds=1)
APP, OTHER = image("a" * 64, "app:1"), image("b" * 64, "other:1")
LAN = network("lan")
THERE = inventory(
    APP, OTHER, volume("v"), volume("w"), LAN, container("here", volumes=["w"], networks=["lan"], image=APP.id)
)


def mount(second: int, of: str = "v", by: str = "c1") -> EngineEvent:
    at = int((NOW + second * SECOND).timestamp()) * 10**9
    return EngineEvent(at, "volume", "mount", of, {"container": by})


IMAGES = {"here": "app:1", "gone": "app:1", "job": "other:1"}
CONTAINER_ACTIONS = ("create", "start", "die", "destroy", "exec_start: sh", "exec_start: ls", "commit", "attach")


@st.composite
def some_events(draw: st.DrawFn) -> list[EngineEvent]:
    """What may happen, second by second."""
    events = []
    for second in range(draw(st.integers(0, 30))):
        at = int((NOW + second * SECOND).timestamp()) * 10**9
        who = draw(st.sampled_from(["here", "gone", "job"]))
        kind = draw(st.sampled_from(["container", "volume", "network", "image"]))
        if kind == "container":
            action = draw(st.sampled_from(CONTAINER_ACTIONS))
            events.append(EngineEvent(at, kind, action, who, {"image": IMAGES[who], "name": who, "unneeded": "x"}))
        elif kind == "image":
            action = draw(st.sampled_from(["pull", "load", "tag", "delete"]))
            # A container that starts twice keeps its image, whatever has the name by then: events do not tell that.
            of = APP.id if action == "tag" else draw(st.sampled_from([APP.id, OTHER.id]))
            events.append(EngineEvent(at, kind, action, of, {"name": "app:1"}))
        else:
            of = draw(st.sampled_from(["v", "w"])) if kind == "volume" else LAN.id
            actions = ("mount", "unmount", "destroy") if kind == "volume" else ("connect", "disconnect", "destroy")
            events.append(EngineEvent(at, kind, draw(st.sampled_from(actions)), of, {"container": who}))
    return events


@examples(300)
@given(some_events())
def test_what_is_folded_tells_the_last_use_of_everything(events: list[EngineEvent]) -> None:
    waiting = folded({}, map(cut, filter(tells, events))).values()
    for ref, uses in uses_of(events, THERE).items():
        kept = uses_of(waiting, THERE).get(ref)
        assert kept is not None, ref
        assert kept[0].at == uses[0].at, ref


def test_what_repeats_takes_no_room_and_is_counted() -> None:
    inbox = EventInbox()
    for second in range(50):
        assert inbox.put([mount(second)], total=3) == 1
    received = inbox.take()
    [event] = received.events.values()
    assert (event.times, event.at_nanos) == (50, mount(49).at_nanos)
    assert (received.total, received.lost) == (150, 0)
    assert received.newest is not None
    assert received.newest.at_nanos == event.at_nanos
    assert inbox.take() == ({}, None, 0, 0, None)


def test_what_there_is_no_room_for_is_counted_as_lost_and_what_repeats_still_fits() -> None:
    inbox = EventInbox(most=2)
    inbox.put([mount(0, "v"), mount(1, "w"), mount(2, "x"), mount(3, "v")], total=4)
    received = inbox.take()
    assert sorted(event.id for event in received.events.values()) == ["v", "w"]
    assert received.lost == 1


def test_what_could_not_be_recorded_comes_again_with_what_came_since() -> None:
    inbox = EventInbox()
    inbox.put([mount(0, "v"), mount(1, "w")], total=2)
    received = inbox.take()
    inbox.put([mount(2, "v")], total=1)
    inbox.put_back(received)
    again = inbox.take()
    times = {event.id: (event.times, event.at_nanos) for event in again.events.values()}
    assert times == {"v": (2, mount(2).at_nanos), "w": (1, mount(1).at_nanos)}
    assert again.total == 3
    assert again.newest is not None
    assert again.newest.at_nanos == mount(2).at_nanos


def test_what_an_older_event_says_of_what_was_held_is_kept() -> None:
    old = mount(0)._replace(held=Held(("v",)))
    [event] = folded({}, [old, mount(1)]).values()
    assert (event.held, event.at_nanos) == (Held(("v",)), mount(1).at_nanos)


def test_only_what_the_last_events_lack_is_missing() -> None:
    inbox = EventInbox()
    inbox.put([mount(second) for second in range(5)], total=5)
    inbox.take()
    assert inbox.missing([mount(4), mount(5), mount(3, "w")]) == [mount(5), mount(3, "w")]


def test_of_a_huge_event_little_is_kept() -> None:
    labels = {f"label-{number}": "x" * 10_000 for number in range(50)}
    huge = EngineEvent(1, "container", "exec_start: " + "y" * 10_000, "c", {**labels, "name": "n" * 10_000})
    kept = cut(huge)
    assert (len(kept.action), list(kept.attributes)) == (event_inbox.LONGEST_ACTION, ["name"])
    assert len(kept.attributes["name"]) == event_inbox.LONGEST_TEXT


def test_events_of_one_engine_are_not_taken_for_another_ones() -> None:
    inbox = EventInbox()
    inbox.begin("one")
    inbox.put([mount(1)], total=1)
    taken = inbox.take()
    assert (taken.of, len(taken.events)) == ("one", 1)
    inbox.put([mount(2)], total=1)
    inbox.begin("other")
    inbox.put_back(taken)
    assert inbox.take() == ({}, None, 0, 0, "other")
    # Also where the next connection is to the same one: nothing is forgotten.
    inbox.put([mount(3)], total=1)
    inbox.begin("other")
    assert len(inbox.take().events) == 1
