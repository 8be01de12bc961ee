"""Logs of containers as lines of JSON."""

import json
import random

from hypothesis import given
from hypothesis import strategies as st

from dockersweep.engine.archiving.container_log import json_lines
from tests.rig.examples import examples

TIME = "2026-12-01T09:24:14.124126650Z"
# JSON has no place for bytes that are no text.
texts = st.binary(max_size=50)


def frame(stream: int, content: bytes) -> bytes:
    return bytes((stream, 0, 0, 0)) + len(content).to_bytes(4, "big") + content


def cut(data: bytes, seed: int) -> list[bytes]:
    """Cut it anywhere."""
    chance = random.Random(seed)
    pieces = []
    while data:
        size = chance.randint(1, 40)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def read(pieces: list[bytes], has_terminal: bool = False) -> list[dict[str, str]]:
    return [json.loads(line) for line in json_lines(pieces, has_terminal)]


@examples(50)
@given(st.lists(st.tuples(st.sampled_from([1, 2]), texts)), st.integers(0, 10_000))
def test_each_piece_of_a_log_is_a_line(log: list[tuple[int, bytes]], seed: int) -> None:
    data = b"".join(frame(stream, f"{TIME} ".encode() + text) for stream, text in log)
    assert read(cut(data, seed)) == [
        {"log": text.decode("utf-8", "replace"), "stream": {1: "stdout", 2: "stderr"}[stream], "time": TIME}
        for stream, text in log
    ]


def test_with_a_terminal_each_line_is_one() -> None:
    data = f"{TIME} hi\r\n{TIME} there\r\n{TIME} no".encode()
    for seed in range(5):
        lines = read(cut(data, seed), has_terminal=True)
        assert [line["log"] for line in lines] == ["hi\r\n", "there\r\n", "no"]
        assert {line["time"] for line in lines} == {TIME}


def test_what_is_cut_off_is_there_as_far_as_it_came() -> None:
    assert read([frame(1, f"{TIME} whole\n".encode()), frame(2, f"{TIME} cut off".encode())[:-4]]) == [
        {"log": "whole\n", "stream": "stdout", "time": TIME},
        {"log": "cut", "stream": "stderr", "time": TIME},
    ]


def test_what_has_no_time_is_kept() -> None:
    assert read([frame(1, b"no time\n")]) == [{"log": "no time\n", "stream": "stdout", "time": ""}]
