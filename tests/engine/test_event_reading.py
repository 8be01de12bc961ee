"""For which time a reading of events counts: only for that of which none can be missing."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path

import pytest
from msgspec.structs import replace

from dockersweep.engine.api.quirks import Quirks
from dockersweep.engine.reading import events as reading
from dockersweep.engine.reading.engine_process import engine_began
from dockersweep.engine.reading.events import DOCKER_RING, NEVER_FULL, SLACK_NANOS, EventReading, read_events
from dockersweep.errors import EngineError, EngineTooMuchError
from dockersweep.model.event_reading import EngineEvent, EventMark, EventPosition
from dockersweep.model.inventory import Engine
from tests.rig.inventories import ENGINE, NOW

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def nanos(at: datetime) -> int:
    return int(at.timestamp()) * 10**9


def event(at: datetime, name: str = "v", action: str = "unmount") -> EngineEvent:
    return EngineEvent(nanos(at) + 7, "volume", action, name, {})


def mark(told: EngineEvent) -> EventMark:
    return EventMark(at_nanos=told.at_nanos, type=told.type, action=told.action, id=told.id)


@dataclass
class Reads:
    """An engine with this memory of events."""

    memory: tuple[EngineEvent, ...] = ()
    is_podman: bool = False
    clock: datetime | None = NOW
    engine: Engine = ENGINE
    asked: list[tuple[int, datetime]] = field(default_factory=list)

    @property
    def quirks(self) -> Quirks:
        return Quirks(api=(1, 51), version="28.5.2", is_podman=self.is_podman)

    def events(self, since_nanos: int, until: datetime) -> tuple[EngineEvent, ...]:
        """Docker looks from the end, and stops at the first event that is too old."""
        self.asked.append((since_nanos, until))
        told = takewhile(lambda one: since_nanos <= one.at_nanos, reversed(self.memory))
        return tuple(one for one in reversed(tuple(told)) if one.at_nanos <= nanos(until))

    def peer_pid(self) -> int | None:
        return None


LAST_AT = NOW - DAY - MINUTE
LAST = event(LAST_AT)
BEFORE = EventPosition(ends_at=NOW - DAY, anchor=mark(LAST))


def watched(read: EventReading) -> tuple[datetime, datetime] | None:
    return None if read.watched is None else (read.watched.begins_at, read.watched.ends_at)


def test_all_is_watched_since_the_last_reading_where_its_last_event_comes_back() -> None:
    reads = Reads((event(NOW - 2 * DAY), LAST, event(NOW - MINUTE, "w")))
    read = read_events(reads, BEFORE)
    assert watched(read) == (NOW - DAY, NOW)
    # What was told before is not told again.
    assert [one.id for one in read.events] == ["w"]
    assert reads.asked == [(LAST.at_nanos - SLACK_NANOS, NOW)]
    assert read.position == EventPosition(ends_at=NOW, anchor=mark(event(NOW - MINUTE, "w")))


def test_nothing_but_the_anchor_is_enough() -> None:
    read = read_events(Reads((LAST,)), BEFORE)
    assert watched(read) == (NOW - DAY, NOW)
    assert read.position == EventPosition(ends_at=NOW, anchor=mark(LAST))


def test_what_stands_behind_the_last_known_event_is_new_though_it_is_told_as_older() -> None:
    late = event(LAST_AT - timedelta(seconds=1), "late")
    early = event(LAST_AT - timedelta(seconds=1), "early")
    assert [one.id for one in read_events(Reads((early, LAST, late)), BEFORE).events] == ["late"]


@pytest.mark.parametrize("is_podman", [False, True])
def test_after_a_restart_it_is_watched_since_the_first_event_of_the_new_engine(is_podman: bool) -> None:
    read = read_events(Reads((event(NOW - MINUTE),), is_podman), BEFORE)
    assert watched(read) == (NOW - MINUTE + timedelta(seconds=1), NOW)
    assert read.position == EventPosition(ends_at=NOW, anchor=mark(event(NOW - MINUTE)))


@pytest.mark.parametrize("is_podman", [False, True])
def test_a_memory_without_anything_proves_nothing(is_podman: bool) -> None:
    for last in (None, BEFORE, EventPosition(ends_at=NOW - DAY, anchor=None)):
        read = read_events(Reads((), is_podman), last)
        assert (read.watched, read.position) == (None, EventPosition(ends_at=NOW, anchor=None))


def test_the_first_reading_takes_all_that_docker_has_and_a_week_of_podman() -> None:
    old = event(NOW - 30 * DAY)
    assert read_events(Reads((old,)), None).events == (old,)
    reads = Reads((old,), is_podman=True)
    assert read_events(reads, None).events == ()
    assert reads.asked == [(nanos(NOW - 7 * DAY), NOW)]


def test_podman_whose_file_lost_the_anchor_is_read_since_the_last_reading() -> None:
    reads = Reads((event(NOW - MINUTE),), is_podman=True)
    read_events(reads, BEFORE)
    assert reads.asked[-1] == (nanos(NOW - DAY), NOW)
    reads = Reads((event(NOW - MINUTE),), is_podman=True)
    read_events(reads, replace(BEFORE, ends_at=NOW - 90 * DAY))
    assert reads.asked[-1] == (nanos(NOW - 7 * DAY), NOW)


def test_an_engine_without_a_clock_is_not_read() -> None:
    reads = Reads((LAST,), clock=None)
    assert read_events(reads, BEFORE) == EventReading()
    assert reads.asked == []


def test_a_refusal_leaves_one_warning_and_the_former_position(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(since_nanos: int, until: datetime) -> tuple[EngineEvent, ...]:
        raise EngineError("GET /events was answered with 403: no")

    reads = Reads()
    monkeypatch.setattr(reads, "events", refuse)
    read = read_events(reads, BEFORE)
    assert (read.position, read.watched, read.events) == (None, None, ())
    [warning] = read.warnings
    assert (warning.about, warning.reason) == ("events", "GET /events was answered with 403: no")


@pytest.mark.parametrize("last", [None, BEFORE])
def test_of_more_than_can_be_read_the_last_hour_is(last: EventPosition | None, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = Reads((event(NOW - 2 * DAY), event(NOW - MINUTE, "w")), is_podman=True)
    all_of = reads.events

    def some(since_nanos: int, until: datetime) -> tuple[EngineEvent, ...]:
        if since_nanos < nanos(NOW - 60 * MINUTE):
            raise EngineTooMuchError("more than 64 MB")
        return all_of(since_nanos, until)

    monkeypatch.setattr(reads, "events", some)
    read = read_events(reads, last)
    assert [one.id for one in read.events] == ["w"]
    assert watched(read) == (NOW - MINUTE + timedelta(seconds=1), NOW)
    assert [(one.about, one.reason) for one in read.warnings] == [("events", "more than 64 MB")]
    # And the next one goes on from there.
    assert read.position == EventPosition(ends_at=NOW, anchor=mark(event(NOW - MINUTE, "w")))


def full_ring(count: int) -> tuple[EngineEvent, ...]:
    return tuple(event(NOW - timedelta(seconds=count - number), str(number)) for number in range(count))


@pytest.mark.parametrize(("count", "is_since_the_start"), [(0, True), (NEVER_FULL - 1, True), (NEVER_FULL, False)])
def test_a_memory_that_was_never_full_is_of_all_since_the_engine_began(
    count: int, is_since_the_start: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = NOW - 3 * DAY
    monkeypatch.setattr(reading, "engine_began", lambda pid, socket: began)
    span = watched(read_events(Reads(full_ring(count)), BEFORE))
    assert span is not None
    assert (span[0] == began) is is_since_the_start


def test_a_full_memory_is_known_though_events_came_after_the_clock_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "engine_began", lambda pid, socket: NOW - 3 * DAY)
    later = tuple(event(NOW + number * MINUTE) for number in range(1, 21))
    told = full_ring(DOCKER_RING)[: DOCKER_RING - len(later)]
    assert watched(read_events(Reads((*told, *later)), BEFORE)) == (NOW - timedelta(seconds=255), NOW)


def test_what_came_since_a_clock_was_set_back_is_new() -> None:
    ahead = EventPosition(ends_at=NOW + 9 * DAY, anchor=mark(event(NOW + 9 * DAY - MINUTE)))
    read = read_events(Reads((event(NOW - MINUTE, "w"),)), ahead)
    assert [one.id for one in read.events] == ["w"]
    assert read.position == EventPosition(ends_at=NOW, anchor=mark(event(NOW - MINUTE, "w")))
    reads = Reads((), is_podman=True)
    read_events(reads, ahead)
    assert reads.asked == [(nanos(NOW - 7 * DAY), NOW)]


def test_what_came_between_two_readings_while_the_clock_was_set_back_is_not_lost() -> None:
    early = event(LAST_AT - MINUTE * 55, "early")
    read = read_events(Reads((event(NOW - 3 * DAY), LAST, early, event(NOW - MINUTE, "w"))), BEFORE)
    assert [one.id for one in read.events] == ["early", "w"]
    assert watched(read) == (NOW - DAY, NOW)


def test_podmans_service_tells_nothing_of_the_time_before_it_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "engine_began", lambda pid, socket: NOW - 3 * DAY)
    assert read_events(Reads((), is_podman=True), None).watched is None


# The process.

BOOTED = 1_790_000_000


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A machine on which systemd listens for one dockerd, with others of that name beside it."""
    (tmp_path / "net").mkdir()
    (tmp_path / "stat").write_text(f"cpu 1 2\nbtime {BOOTED}\nprocesses 9\n")
    (tmp_path / "net" / "unix").write_text(
        "Num RefCount Protocol Flags Type St Inode Path\n"
        "0: 00000003 00000000 00000000 0001 03 77 /run/docker.sock\n"
        "0: 00000002 00000000 00010000 0001 01 55 /run/docker.sock\n"
        "0: 00000002 00000000 00010000 0001 01 66 /run/other.sock\n"
        "0: 00000002 00000000 00010000 0001 01 88\n"
    )
    process(tmp_path, 1, "systemd", [55, 66])
    process(tmp_path, 300, "dockerd", [55])
    process(tmp_path, 400, "dockerd", [66, 77])
    process(tmp_path, 500, "ssh", [55])
    return tmp_path


def process(proc: Path, pid: int, name: str, sockets: list[int], ticks: int = 12_345) -> None:
    folder = proc / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "comm").write_text(f"{name}\n")
    (folder / "stat").write_text(f"{pid} ({name} ) x) S 1 " + " ".join(["0"] * 17) + f" {ticks} 0 0\n")
    for number, inode in enumerate(sockets):
        (folder / "fd" / str(number)).symlink_to(f"socket:[{inode}]")
    (folder / "fd" / "99").symlink_to("/dev/null")


STARTED = datetime.fromtimestamp(BOOTED + 123 + 2, UTC)


@pytest.mark.parametrize(
    ("peer", "socket", "began"),
    [
        (300, "/run/docker.sock", STARTED),
        (1, "/run/docker.sock", STARTED),
        (1, "/run/other.sock", STARTED),
        (1, "/run/none.sock", None),
        (500, "/run/docker.sock", None),
        (999, "/run/docker.sock", None),
        (None, "/run/docker.sock", None),
        (300, None, None),
    ],
)
def test_when_an_engine_began(proc: Path, peer: int | None, socket: str | None, began: datetime | None) -> None:
    assert engine_began(peer, socket, proc) == began


def test_two_that_hold_the_socket_prove_nothing(proc: Path) -> None:
    process(proc, 600, "dockerd", [55])
    assert engine_began(1, "/run/docker.sock", proc) is None
    assert engine_began(1, "/run/other.sock", proc) == STARTED


def test_a_process_that_ends_meanwhile_proves_nothing(proc: Path) -> None:
    (proc / "300" / "stat").unlink()
    assert engine_began(300, "/run/docker.sock", proc) is None
