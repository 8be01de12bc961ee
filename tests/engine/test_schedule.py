"""The order in which a plan is carried out: kinds side by side, and nothing before what holds it has gone."""

import threading
from collections import Counter
from collections.abc import Callable
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dockersweep.engine.api.quirks import Quirks
from dockersweep.engine.api.removal_answer import RemovalAnswer
from dockersweep.engine.removing.executor import Carried, carry_out
from dockersweep.engine.removing.reconnect import Reconnect
from dockersweep.engine.removing.removal import ListsNow, RemovalContext
from dockersweep.engine.removing.schedule import Schedule
from dockersweep.engine.removing.stopping import StopRequest
from dockersweep.model.inventory import Inventory, Kind, Object, ObjectRef
from dockersweep.model.plan import NOTHING, Plan, Removal
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.units import parse_age
from tests.rig.inventories import NOW, container, image, inventory, network, plan_of, record, volume
from tests.rig.recording_engine import RecordingEngine

EVERYTHING = policy_from_flags(PolicyFlags(all_images=True, named_volumes=True, older_than=parse_age("0s")))


def carried(seen: Inventory, engine: RecordingEngine, change: Callable[[Plan], Plan] = lambda plan: plan) -> Carried:
    """Carry out a plan that removes everything."""
    stop = StopRequest()
    reconnect = Reconnect(engine.check_back, 0, stop)
    context = RemovalContext(engine, engine, reconnect, ListsNow(engine), {}, frozenset(), frozenset(), archiver=engine)
    return carry_out(change(plan_of(seen, EVERYTHING, NOW)), context, stop)


class MeetingEngine(RecordingEngine):
    """An engine in which the first removal of each kind waits for those of the others, but for containers and the
    build cache."""

    def __init__(self, seen: Inventory) -> None:
        super().__init__(seen)
        self._all_there = threading.Barrier(3, timeout=20)

    def remove_image(self, image_id: str, is_nameless: bool) -> RemovalAnswer:
        self._all_there.wait()
        return super().remove_image(image_id, is_nameless)

    def remove_volume(self, name: str) -> RemovalAnswer:
        self._all_there.wait()
        return super().remove_volume(name)

    def remove_network(self, reference: str) -> RemovalAnswer:
        self._all_there.wait()
        return super().remove_network(reference)


def test_kinds_that_nothing_holds_go_at_once() -> None:
    seen = inventory(container("c", image="sha256:i", volumes=["v"], networks=["n"]), *held_by_c())
    engine = MeetingEngine(seen)
    assert {one.status for one in carried(seen, engine).outcomes} == {"removed"}
    assert engine.asked[0] == ("container", "c", "remove", "")


def held_by_c() -> tuple[Object, ...]:
    return image("i"), volume("v"), network("n")


class StuckEngine(RecordingEngine):
    """An engine in which the removal of the container c ends only when the volume `free` has gone."""

    def __init__(self, seen: Inventory) -> None:
        super().__init__(seen)
        self._went = threading.Event()

    def remove_container(self, container_id: str) -> RemovalAnswer:
        assert self._went.wait(20)
        return super().remove_container(container_id)

    def remove_volume(self, name: str) -> RemovalAnswer:
        answer = super().remove_volume(name)
        if name == "free":
            self._went.set()
        return answer


def test_a_container_that_takes_long_holds_up_only_what_it_holds() -> None:
    seen = inventory(container("c", volumes=["held"]), volume("held"), volume("free"))
    engine = StuckEngine(seen)
    assert {one.status for one in carried(seen, engine).outcomes} == {"removed"}
    assert [own_id for _, own_id, _, _ in engine.asked] == ["free", "c", "held"]


def test_most_of_what_is_under_way_are_containers_which_others_wait_for() -> None:
    each: tuple[Kind, ...] = ("container", "volume", "image")
    kinds = [kind for kind in each for _ in range(20)]
    schedule = Schedule([removal(number, set(), kinds) for number in range(60)], cache_comes_last=False)

    def begun(count: int) -> Counter[Kind]:
        places = [begun for _ in range(count) if (begun := schedule.begin())]
        return Counter(unit[0].kind for _, unit in places)

    assert begun(12) == {"container": 9, "volume": 3}
    # Nothing ended: images are begun as soon as no container is to be begun.
    assert begun(15) == {"container": 11, "volume": 4}
    assert begun(1)["image"] == 1


def test_where_usage_is_told_as_a_whole_the_build_cache_comes_last() -> None:
    """Reading the cache walks all the rest there, and stumbles over what goes meanwhile."""
    seen = inventory(record("r"), *(image(f"i{number}") for number in range(50)), *held_by_c())
    engine = RecordingEngine(seen)
    engine.quirks = Quirks(api=(1, 41), version="20.10.24")
    assert {one.status for one in carried(seen, engine).outcomes} == {"removed"}
    assert engine.asked[-1] == ("build-cache", "r", "remove", "")


def test_objects_that_a_spoiled_plan_has_in_a_circle_go_in_its_order() -> None:
    def in_a_circle(plan: Plan) -> Plan:
        first, second = plan.removals
        return replace(plan, removals=(replace(first, after=(second.ref,)), replace(second, after=(first.ref,))))

    seen = inventory(volume("a"), volume("b"))
    engine = RecordingEngine(seen)
    assert len(carried(seen, engine, in_a_circle).outcomes) == 2
    assert [own_id for _, own_id, _, _ in engine.asked] == ["a", "b"]


def removal(number: int, holders: set[int], kinds: list[Kind]) -> Removal:
    after = tuple(ref(holder, kinds) for holder in sorted(holders))
    own = ref(number, kinds)
    return Removal(kind=own.kind, id=own.id, name=own.id, action="remove", judged={}, reclaim=NOTHING, after=after)


def ref(number: int, kinds: list[Kind]) -> ObjectRef:
    return ObjectRef(kind=kinds[number], id=str(number))


HELD_KINDS: st.SearchStrategy[Kind] = st.sampled_from(["container", "image", "volume", "network"])


@given(st.lists(st.tuples(HELD_KINDS, st.sets(st.integers(0, 20))), max_size=20), st.randoms(use_true_random=False))
def test_each_object_is_begun_once_after_all_that_hold_it_and_of_its_kind_in_order(
    plan: list[tuple[Kind, set[int]]], random: Random
) -> None:
    kinds = [kind for kind, _ in plan]
    holders = [{holder for holder in held_by if holder < number} for number, (_, held_by) in enumerate(plan)]
    schedule = Schedule([removal(number, holders[number], kinds) for number in range(len(plan))], False)
    under_way: list[int] = []
    begun: set[int] = set()
    ended: set[int] = set()
    while len(ended) < len(plan):
        can_begin = [number for number, held in enumerate(holders) if number not in begun and held <= ended]
        if can_begin and (not under_way or random.random() < 0.7):
            next_one = schedule.begin()
            assert next_one is not None
            place, _ = next_one
            assert place == min(number for number in can_begin if kinds[number] == kinds[place])
            begun.add(place)
            under_way.append(place)
        else:
            place = under_way.pop(random.randrange(len(under_way)))
            schedule.end(place)
            ended.add(place)
    assert schedule.begin() is None
