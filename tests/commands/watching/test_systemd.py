"""What a watcher tells systemd, by its own socket, and what else sweeps the machine."""

import socket
from pathlib import Path

import pytest

from dockersweep.commands.watching import systemd
from dockersweep.commands.watching.systemd import Systemd, sweeps_beside


def told(listener: socket.socket) -> list[str]:
    listener.setblocking(False)
    lines = []
    while True:
        try:
            lines.append(listener.recv(4096).decode())
        except BlockingIOError:
            return lines


@pytest.mark.parametrize("is_abstract", [False, pytest.param(True, marks=pytest.mark.linux)])
def test_it_tells_when_it_is_ready_goes_round_and_ends(tmp_path: Path, is_abstract: bool) -> None:
    name = f"dsw-{tmp_path.name}" if is_abstract else str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}" if is_abstract else name)
        manager = Systemd({"NOTIFY_SOCKET": f"@{name}" if is_abstract else name})
        manager.ready()
        manager.alive("watching")
        manager.alive("watching")
        manager.alive("sweeping\nfor space")
        manager.reloading()
        manager.stopping()
        lines = told(listener)
    assert lines[:4] == [
        "READY=1",
        "WATCHDOG=1\nSTATUS=watching",
        "WATCHDOG=1",
        "WATCHDOG=1\nSTATUS=sweeping for space",
    ]
    assert lines[4].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert lines[5:] == ["STOPPING=1"]


@pytest.mark.parametrize("address", ["", "relative", "/nonexistent/socket", "tcp://1"])
def test_where_nobody_listens_nothing_happens(address: str) -> None:
    Systemd({"NOTIFY_SOCKET": address} if address else {}).ready()


def test_what_a_sweep_runs_cannot_speak_for_the_watcher() -> None:
    environment = {"NOTIFY_SOCKET": "/nonexistent/socket", "HOME": "/"}
    Systemd(environment).ready()
    assert environment == {"HOME": "/"}


def test_a_manager_that_does_not_read_holds_nothing_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "s"))
        manager = Systemd({"NOTIFY_SOCKET": str(tmp_path / "s")})
        for number in range(5000):
            manager.alive(f"watching {number}")


def test_what_sweeps_beside_it_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timer, cron = tmp_path / "dockersweep.timer", tmp_path / "dockersweep"
    monkeypatch.setattr(systemd, "TIMER", str(timer))
    monkeypatch.setattr(systemd, "CRON", str(cron))
    assert sweeps_beside() is None
    cron.write_text("")
    assert sweeps_beside() == f"{cron} is there"
    # As `systemctl enable` leaves it, even if the unit is elsewhere here.
    timer.symlink_to("/nonexistent/dockersweep.timer")
    assert sweeps_beside() == "dockersweep.timer is enabled"
