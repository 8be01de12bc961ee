"""For which time uses would have been noticed."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dockersweep.model.last_use import Span
from dockersweep.policy.judging.watch import Watch, WatchedTime
from tests.rig.inventories import NOW, ago, image, inventory, volume

HOUR = timedelta(hours=1)
HOURS = st.integers(min_value=0, max_value=60)


def spans(*hours: tuple[int, int]) -> tuple[Span, ...]:
    """Spans that began and ended so many hours ago."""
    return tuple(Span(begins_at=ago(hours=begin), ends_at=ago(hours=end)) for begin, end in hours)


def test_how_much_of_a_time_was_watched() -> None:
    time = WatchedTime(spans((20, 18), (10, 4), (2, 0)), NOW)
    assert time.between(ago(hours=30), NOW) == 10 * HOUR
    assert time.between(ago(hours=19), ago(hours=9)) == 2 * HOUR
    assert time.between(ago(hours=18), ago(hours=10)) == timedelta()
    assert time.between(ago(hours=1), NOW) == HOUR
    assert not time.is_enough(ago(hours=21), NOW)
    assert time.is_enough(ago(hours=16), NOW)


@given(st.lists(st.tuples(HOURS, HOURS), max_size=6), HOURS, HOURS)
def test_time_that_is_told_twice_or_backwards_counts_once_or_not_at_all(
    pairs: list[tuple[int, int]], one: int, other: int
) -> None:
    first, last = max(one, other), min(one, other)
    # An hour is named by how many hours ago it began.
    watched = {hour for begin, end in pairs for hour in range(end + 1, begin + 1)}
    time = WatchedTime(spans(*pairs), NOW)
    assert time.between(ago(hours=first), ago(hours=last)) == HOUR * len(watched & set(range(last + 1, first + 1)))


def test_what_comes_after_the_scan_counts_as_watched() -> None:
    never = WatchedTime((), NOW)
    assert never.between(ago(hours=5), NOW + 3 * HOUR) == 3 * HOUR
    assert never.between(NOW + HOUR, NOW + 3 * HOUR) == 2 * HOUR


def test_the_gaps_are_what_was_not_watched() -> None:
    time = WatchedTime(spans((20, 18), (10, 4)), NOW)
    assert time.gaps(ago(hours=19), NOW + HOUR) == [(ago(hours=18), ago(hours=10)), (ago(hours=4), NOW)]
    assert time.gaps(ago(hours=9), ago(hours=5)) == []
    assert WatchedTime((), NOW).gaps(ago(hours=2), ago(hours=1)) == [(ago(hours=2), ago(hours=1))]


@given(st.lists(HOURS, max_size=8, unique=True), HOURS, HOURS, HOURS)
def test_gaps_and_what_was_watched_are_all(edges: list[int], one: int, other: int, taken: int) -> None:
    edges.sort(reverse=True)
    pairs = zip(edges[::2], edges[1::2], strict=False)
    begin, end = sorted((ago(hours=one), ago(hours=other)))
    time = WatchedTime(spans(*pairs), ago(hours=taken))
    gaps = time.gaps(begin, end)
    assert sum((late - early for early, late in gaps), timedelta()) + time.between(begin, end) == end - begin
    assert all(early < late for early, late in gaps)
    assert gaps == sorted(gaps)


def test_what_containers_of_podman_held_is_watched_for_itself() -> None:
    partly = (replace(spans((10, 5))[0], of_held=False), *spans((5, 0)))
    watch = Watch(inventory(watched=partly))

    def watched(item_of: object, since: datetime) -> timedelta:
        return watch.of(item_of).between(since, NOW)  # type: ignore[arg-type]

    assert watched(image("a"), ago(hours=10)) == 10 * HOUR
    assert watched(volume("v"), ago(hours=10)) == 5 * HOUR


def test_nothing_is_known_where_nothing_remembers_it() -> None:
    assert not Watch(inventory(watched=None)).is_known
    assert Watch(inventory(watched=())).is_known
