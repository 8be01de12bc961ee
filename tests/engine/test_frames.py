"""Documents in a container's log: whatever the log does to them, what comes out is the document, or an error."""

import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.engine.api.swarm_jobs import demultiplexed
from dockersweep.engine.jobs.frames import LINE_CHARACTERS, FrameError, framed, unframed

LARGE = os.urandom(40_000)
RUN = "0123456789abcdef"


def lines_of(document: bytes, run: str = RUN) -> list[str]:
    return list(framed(document, run))


def read(lines: list[str], run: str = RUN) -> bytes:
    return unframed("".join(lines).encode(), run)


@given(st.binary())
def test_what_goes_in_comes_out(document: bytes) -> None:
    assert read(lines_of(document)) == document


def test_no_line_is_cut_by_the_engine() -> None:
    assert len(lines_of(LARGE)) > 6
    assert max(map(len, lines_of(LARGE))) < LINE_CHARACTERS + 100 < 16_384


def test_other_lines_the_order_and_doubles_do_not_matter() -> None:
    lines = [*lines_of(LARGE), *lines_of(b"of another run", "fedcba9876543210"), "a warning\n", lines_of(LARGE)[3]]
    random.Random(1).shuffle(lines)
    assert read(lines) == LARGE


@pytest.mark.parametrize("missing", range(len(lines_of(LARGE))))
def test_a_missing_line_is_noticed(missing: int) -> None:
    lines = lines_of(LARGE)
    del lines[missing]
    with pytest.raises(FrameError, match=r"did not come|is cut off"):
        read(lines)


def test_a_log_that_ends_anywhere_is_noticed() -> None:
    text = "".join(lines_of(b"a document")).rstrip("\n")
    for length in range(len(text)):
        with pytest.raises(FrameError):
            unframed(text[:length].encode(), RUN)


def test_what_was_changed_on_the_way_is_noticed() -> None:
    lines = lines_of(LARGE)
    swapped = [lines[0], lines[1].replace(" 0 ", " 1 ", 1), lines[2].replace(" 1 ", " 0 ", 1), *lines[3:]]
    with pytest.raises(FrameError, match="is damaged"):
        read(swapped)
    with pytest.raises(FrameError, match="line 2 came twice, and differs"):
        read([*lines, lines[3][:-9] + "\n"])
    with pytest.raises(FrameError, match="header came twice"):
        read([*lines, lines_of(b"another document")[0]])
    with pytest.raises(FrameError, match="digest is another"):
        read([lines_of(b"document a")[0], *lines_of(b"document b")[1:]])


@pytest.mark.parametrize("header", ["begin", "begin 1", "begin x 1 y", "begin 99999999999999999999 1 y"])
def test_an_odd_header_is_an_error(header: str) -> None:
    with pytest.raises(FrameError):
        read([f"dockersweep-frame/1 {RUN} {header}\n", *lines_of(b"x")[1:]])


def test_a_document_is_unpacked_no_further_than_it_says() -> None:
    bomb = lines_of(b"0" * 10_000_000)
    small = lines_of(b"0" * 10)[0].replace(" 1 10 ", f" {len(bomb) - 2} 10 ")
    with pytest.raises(FrameError, match="its length or digest is another"):
        read([small, *bomb[1:]])


def test_the_streams_of_a_log_are_told_apart() -> None:
    def piece(stream: int, text: bytes) -> bytes:
        return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text

    log = piece(1, b"out\n") + piece(2, b"err\n") + piece(1, b"")
    assert list(demultiplexed(log)) == [(1, b"out\n"), (2, b"err\n"), (1, b"")]
    assert list(demultiplexed(log + piece(1, b"cut off")[:12])) == [*demultiplexed(log), (1, b"cut ")]
    assert list(demultiplexed(b"\1\0\0")) == []
