"""What can go wrong with an answer of an engine: each fault strikes one request.

It may strike before the engine hears of it or after the engine has done it, which for a removal is all the difference.
`tests/rig/faulty_proxy.py` is where they strike.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

_PADDING = b" " * 1_000_000
_FOR_EVER = 3600.0


@dataclass(frozen=True)
class Answer:
    """What an engine answered: the head as it came, with the empty line, and the body without its transfer coding."""

    status: int
    head: bytes
    body: bytes
    raw: bytes
    """All of it as it came."""


Parts = Iterable[bytes | float]
"""What a client gets: bytes, and for how many seconds nothing comes."""


@dataclass(frozen=True)
class Fault:
    """One thing that can go wrong with one request."""

    name: str
    parts: Callable[[Answer], Parts]
    """What is sent in place of the engine's answer; of one that was not asked for it, this gets `UNHEARD`."""
    acts: bool = True
    """Whether the engine gets the request, and does what it says, before the fault strikes."""
    ends: bool = True
    """Whether the connection ends behind it."""
    gone_seconds: float = 0.0
    """For how long nothing listens at the socket from then on, and every connection is broken off."""

    def __str__(self) -> str:
        return self.name


UNHEARD = Answer(0, b"", b"", b"")


def answer(status: int, body: bytes, kind: str = "application/json") -> bytes:
    """Return a whole answer as it goes over the wire."""
    length = b"" if status == 204 else f"Content-Length: {len(body)}\r\n".encode()
    return f"HTTP/1.1 {status} Told\r\nContent-Type: {kind}\r\n".encode() + length + b"\r\n" + body


def _with_a_body(true: Answer) -> int:
    """Return the status of the same answer where it is to have a body."""
    return 200 if true.status in (0, 204) else true.status


def _nothing(_: Answer) -> Parts:
    return ()


def _half_of_headers(true: Answer) -> Parts:
    yield true.head[: len(true.head) // 2] or b"HTTP/1.1 200 OK\r\nContent-Ty"


def _half_of_body(true: Answer) -> Parts:
    whole = answer(_with_a_body(true), true.body or b"{}")
    yield whole[: -(len(true.body or b"{}") + 1) // 2]


def _stall(_: Answer) -> Parts:
    yield _FOR_EVER


def _drip(true: Answer) -> Parts:
    for one in answer(_with_a_body(true), true.body + b" " * 10_000):
        yield bytes((one,))
        yield 0.02


def _large(true: Answer) -> Parts:
    """White space behind what is meant: who reads on to the end, however much comes, gets a right answer."""
    size = 200_000_000
    head = f"HTTP/1.1 {_with_a_body(true)} Told\r\nContent-Length: {size}\r\n\r\n".encode()
    yield head + true.body
    left = size - len(true.body)
    while left > 0:
        yield _PADDING[:left]
        left -= len(_PADDING)


def _cut_off(body: bytes) -> bytes:
    """Return a half of it, that is no whole JSON even where an event ends just there."""
    return body[: len(body) // 2].rstrip(b"}\n") or b'{"a'


def with_status(status: int, body: bytes, kind: str = "application/json") -> Callable[[Answer], Parts]:
    return lambda _: (answer(status, body, kind),)


def _with_body(change: Callable[[bytes], bytes]) -> Callable[[Answer], Parts]:
    """The answer with another body. A removal that answers with nothing gets one that is no better."""
    return lambda true: (answer(200, change(true.body)),)


def _each_object(told: Any, change: Callable[[dict[str, Any], str], None]) -> Any:
    """Change every object that has an id or a name of its own, by the key of that."""
    if isinstance(told, list):
        for one in told:
            _each_object(one, change)
    elif isinstance(told, dict):
        key = next((key for key in ("ApiVersion", "Id", "ID", "Name", "CachesDeleted", "Deleted") if key in told), None)
        if key is not None:
            change(told, key)
        else:
            for one in told.values():
                _each_object(one, change)
    return told


def _changed(change: Callable[[dict[str, Any], str], None]) -> Callable[[bytes], bytes]:
    """What has no objects, as nothing and the answer to a ping, gets one that is no better."""
    return lambda body: (
        b"{}" if body.strip() in (b"", b"OK") else json.dumps(_each_object(json.loads(body), change)).encode()
    )


def _without(told: dict[str, Any], key: str) -> None:
    del told[key]


def _of_another_type(told: dict[str, Any], key: str) -> None:
    told[key] = 7


def _error(text: str) -> bytes:
    return json.dumps({"message": text}).encode()


_HTML = b"<html>\n<body><h1>Bad Gateway</h1></body>\n</html>\n"
CLOSED_UNHEARD = Fault("closed, not heard", _nothing, acts=False)
CLOSED_DONE = Fault("closed, done", _nothing)
FORBIDDEN = Fault("403", with_status(403, b"<html><body>403 Forbidden</body></html>", "text/html"), False, ends=False)
LOSING = (
    Fault("half of headers", _half_of_headers),
    Fault("half of body", _half_of_body),
    Fault("stall", _stall),
    Fault("drip", _drip),
    Fault("200 MB", _large),
    Fault("500 JSON", with_status(500, _error("it broke")), ends=False),
    Fault("gone 0.6 s", _nothing, gone_seconds=0.6),
    Fault("gone for good", _nothing, gone_seconds=math.inf),
)
"""Faults by which one does not learn what became of a request: for a removal each strikes before and after the act."""
TELLING = (
    Fault("500 HTML", with_status(500, _HTML, "text/html"), acts=False, ends=False),
    Fault("500 empty", with_status(500, b""), acts=False, ends=False),
    Fault("404", with_status(404, _error("no such thing")), acts=False, ends=False),
    Fault("409", with_status(409, _error("conflict: it is in use")), acts=False, ends=False),
    FORBIDDEN,
)
"""Faults by which somebody says that nothing was done."""
DAMAGED = (
    Fault("garbage", _with_body(lambda body: b"\x00\xff\xfe{"), ends=False),
    Fault("cut-off JSON", _with_body(_cut_off), ends=False),
    Fault("missing key", _with_body(_changed(_without)), ends=False),
    Fault("null", _with_body(lambda body: b"null"), ends=False),
    Fault("a text", _with_body(lambda body: b'"text"'), ends=False),
    Fault("wrong type", _with_body(_changed(_of_another_type)), ends=False),
)
"""Answers with status 200, after the act, that are not what they should be."""


def before(fault: Fault) -> Fault:
    """Return the fault as it strikes before the engine hears of the request."""
    return Fault(f"{fault.name}, not heard", fault.parts, False, fault.ends, fault.gone_seconds)


def after(fault: Fault) -> Fault:
    """Return the fault as it strikes after the engine has done what was asked for."""
    return Fault(f"{fault.name}, done", fault.parts, True, fault.ends, fault.gone_seconds)


READING_FAULTS = (CLOSED_UNHEARD, CLOSED_DONE, *LOSING, *TELLING, *DAMAGED)
REMOVING_FAULTS = (
    CLOSED_UNHEARD,
    CLOSED_DONE,
    *(variant for fault in LOSING for variant in (before(fault), after(fault))),
    *TELLING,
    *DAMAGED,
)
