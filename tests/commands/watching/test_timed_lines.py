"""What a sweep of a watcher tells as text has its time, a line each."""

import io
import re

from dockersweep.commands.watching.timed_lines import TimedLines

TIME = re.compile(r"^[0-9-]{10} [0-9:]{8} ")


def written(*texts: str) -> list[str]:
    buffer = io.BytesIO()
    below = io.TextIOWrapper(buffer, "utf-8")
    stream = TimedLines(below)
    for text in texts:
        assert stream.write(text) == len(text)
    stream.flush()
    lines = buffer.getvalue().decode().splitlines()
    below.detach()
    return lines


def test_each_line_has_its_time_and_none_is_empty() -> None:
    lines = written("one\n", "t", "wo\nthree\n\n", "\nfour")
    assert all(TIME.match(line) for line in lines)
    assert [TIME.sub("", line) for line in lines] == ["one", "two", "three", "four"]


def test_a_line_is_there_once_it_has_its_end() -> None:
    buffer = io.BytesIO()
    below = io.TextIOWrapper(buffer, "utf-8")
    stream = TimedLines(below)
    stream.write("one")
    assert buffer.getvalue() == b""
    stream.write("\n")
    assert buffer.getvalue().endswith(b" one\n")
    below.detach()
