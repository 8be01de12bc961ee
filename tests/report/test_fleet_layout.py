"""The table of several hosts: what did not end well first and loud, then rows, then sums."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from dockersweep.fleet.folding import fold, status_of
from dockersweep.model.fleet import Amount, Fleet, FleetHost, FleetVerb, HostSums, RolloutOutcome
from dockersweep.model.inventory import Kind
from dockersweep.model.plan import Interval, exactly
from dockersweep.model.recovery import How
from dockersweep.report.fleet.layout import fleet_layout
from dockersweep.report.fleet.question import fleet_question, lost_section
from dockersweep.report.formats import formatted
from dockersweep.report.formats.terminal import sections_text
from dockersweep.report.text import display_width

NOW = datetime(2026, 12, 1, tzinfo=UTC)
GIGABYTE = 10**9


def host(name: str, exit_status: int | None = 0, message: str | None = None, volumes: int = 0) -> FleetHost:
    """A host that would remove so many volumes of a gigabyte each."""
    freed: dict[Kind, Amount] = (
        {"volume": Amount(objects=volumes, bytes=exactly(volumes * GIGABYTE))} if volumes else {}
    )
    is_reached = exit_status in (0, 4, 3)
    return FleetHost(
        name=name,
        address=f"ssh://{name}",
        status="not-begun" if exit_status is None else status_of(exit_status, is_reached),
        engine_identity=f"engine of {name}" if is_reached else None,
        exit_status=exit_status,
        message=message,
        sums=HostSums(freed=freed, total=exactly(volumes * GIGABYTE), used_bytes=40 * GIGABYTE)
        if is_reached
        else HostSums(),
    )


def fleet(*hosts: FleetHost, verb: FleetVerb = "plan", rollout: RolloutOutcome | None = None) -> Fleet:
    return fold(verb, hosts, NOW, NOW, 0, rollout)


EACH = (
    host("quiet"),
    host("build1", volumes=3),
    host("down", 5, "cannot reach the engine at ssh://down: Connection refused"),
    host("full", 4, "over a limit: more than 5 objects"),
    host("odd", 3),
)


def text_of(shown: Fleet, width: int | None = 80) -> str:
    return formatted(fleet_layout(shown), "table", width)


def test_what_was_not_reached_comes_first_then_the_hosts_by_what_they_free() -> None:
    text = text_of(fleet(*EACH))
    headings = [line for line in text.splitlines() if line.endswith(("host", "hosts")) and ":" in line]
    assert headings == ["NOT REACHED: 1 host", "Failed: 1 host", "Refused: 1 host"]
    rows = [line.split()[0] for line in text.partition("HOST ")[2].splitlines()[1:] if line and line[0].isalpha()]
    assert rows == ["down", "odd", "full", "build1", "quiet", "total"]
    assert "5 hosts: 1 not reached, 1 failed, 1 refused, 2 done." in text
    assert "3, 3.00 GB" in text


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_it_fits_the_terminal(width: int) -> None:
    crowded = [
        FleetHost(
            name=f"a-host-with-a-long-name-{number}.example.org",
            address="ssh://x",
            status="done",
            engine_identity=str(number),
            exit_status=0,
            sums=HostSums(
                freed={
                    kind: Amount(objects=12_345, bytes=Interval(low_bytes=10**10, high_bytes=10**12))
                    for kind in ("container", "image", "volume", "build-cache")
                },
                total=Interval(low_bytes=10**11, high_bytes=10**13),
                used_bytes=10**13,
            ),
        )
        for number in range(3)
    ]
    lines = text_of(fleet(*crowded, *EACH), width).splitlines()
    assert max(map(display_width, lines)) <= width


def test_of_hosts_that_were_not_begun_the_reason_is_said_once() -> None:
    rollout = RolloutOutcome(canary=1, max_failures=None, stopped="full, which goes first, did not end well")
    hosts = host("full", 4, "over a limit"), host("b", None), host("c", None)
    text = text_of(fleet(*hosts, verb="sweep", rollout=rollout))
    assert text.count("did not end well") == 1
    assert "Not begun: 2 hosts\n  Stopped: full, which goes first, did not end well.\n  b, c\n" in text


def test_text_of_hosts_cannot_move_the_cursor() -> None:
    name = "evil\x1b[2J\nname"
    bad = host(name, 5, "its \x1b[31mmessage\x07")
    for form in ("table", "markdown"):
        text = formatted(fleet_layout(fleet(bad, host("b"))), form, 80)
        assert "\x1b" not in text
        assert "\x07" not in text
    row = formatted(fleet_layout(fleet(host('=cmd|"x"'), host("b"))), "csv", None).splitlines()[1]
    assert not row.startswith("=")


def test_a_spreadsheet_has_a_row_for_each_host_in_their_order() -> None:
    rows = formatted(fleet_layout(fleet(*EACH)), "csv", None).splitlines()
    assert [row.partition(",")[0] for row in rows] == ["host", *(one.name for one in EACH)]
    assert rows[0].startswith("host,address,groups,engine_id,same_as,swarm_node_id,status,exit_status,message")


def test_the_question_is_about_all_hosts_and_names_what_is_lost_on_each() -> None:
    hosts = [host("a", volumes=2), host("b", volumes=1)]
    assert fleet_question(hosts) == "Remove 3 volumes on 2 hosts (freeing 3.00 GB)?"
    ways: list[dict[How, int]] = [{"pull": 2, "archive": 1, "none": 1}, {"archive": 3, "rebuild": 4}]
    told = [replace(one, sums=replace(one.sums, ways_back=way)) for one, way in zip(hosts, ways, strict=True)]
    words = "2 can be pulled again, 4 can be built again, 4 go to the archive; 1 cannot be recovered. "
    assert fleet_question(told).startswith(f"{words}Remove 3 volumes on 2 hosts")
    assert words.strip() in formatted(fleet_layout(fleet(*told)), "table", None)
    assert fleet_question(told[:1]).startswith("2 can be pulled again, 1 goes to the archive; 1 cannot be recovered. ")
    lost = [
        FleetHost(name="a", address="x", status="done", sums=HostSums(lost="volume pg-old")),
        FleetHost(name="b", address="x", status="done"),
    ]
    assert sections_text([lost_section(lost)], 80) == "Cannot be recovered\n  a  volume pg-old\n"
    assert lost_section(hosts).is_empty
