"""Each call that reads for the archive goes wrong in each way: what is removed is whole in the archive, what is not
stays, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.test_tcp import forwarded
from tests.rig.allowed import ARCHIVING_CALLS, allows
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.faults import CLOSED_DONE, CLOSED_UNHEARD, DAMAGED, LOSING, TELLING, Fault
from tests.rig.faulty_proxy import Strike, faulty
from tests.rig.running import dockersweep
from tests.rig.stored_archive import half_files_in, stored_in
from tests.whole.test_archive_kills import fill, there
from tests.whole.test_archiving import ALL, nothing_made_to_read_is_left

CALLS = {
    "load": ("POST", "/images/load", "volume"),
    "create": ("POST", "/containers/create", "volume"),
    "archive": ("GET", "/containers/[^/]*/archive", "volume"),
    "changes": ("GET", "/containers/[^/]*/changes", "container"),
    "export": ("GET", "/containers/[^/]*/export", "container"),
    "logs": ("GET", "/containers/[^/]*/logs", "container"),
    "image": ("GET", "/images/[^/]*/get", "image"),
}
"""Method, path, and the kind of the object that is read."""
SHORT = tuple(flag for name in ("engine", "removal", "size") for flag in (f"--{name}-timeout", "2s"))
BODIES_OF_JSON = ("cut-off JSON", "missing key", "null", "a text", "wrong type")
FAULTS = (
    CLOSED_UNHEARD,
    CLOSED_DONE,
    *(fault for fault in LOSING if fault.name not in ("drip", "gone for good")),
    *TELLING,
    *(fault for fault in DAMAGED if fault.name not in BODIES_OF_JSON),
)
ASKED_AGAIN = ("closed", "half", "gone 0.6 s")
"""After these an object is read once more, and then all is well."""
SAYS_NOTHING = ("garbage", "200 MB")
"""A log may have anything in it, and what is behind the list of changes or the word that something is there is white
space."""


@pytest.mark.on_engines("docker-20.10", "docker-28.5-containerd")
@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_goes_wrong_loses_nothing(
    engine: Engine, litter: Litter, tmp_path: Path, name: str, pytestconfig: pytest.Config
) -> None:
    method, path, kind = CALLS[name]
    archive = tmp_path / "archive"
    with faulty(engine.recorder.path) as proxy, forwarded(proxy.path) as port:
        host = f"tcp://127.0.0.1:{port}"
        words = ("sweep", *ALL, "--archive", str(archive), *SHORT)
        for fault in its_share(engine, name, whole=pytestconfig.getoption("--every-engine")):
            made = fill(litter)
            proxy.begin(Strike(fault, method, path))
            run = dockersweep(*words, host=host)
            what = f"{name} | {fault} | {run.status} {run.stderr}"
            assert proxy.struck == [fault], what
            assert run.status in (0, 3, 5), what
            left, stored = there(engine), stored_in(archive)
            assert made - left <= stored.keys(), what
            assert half_files_in(archive) == [], what
            [row] = [row for row in run.json()["outcomes"] if row["kind"] == kind and (kind, row["id"]) in made]
            assert row["status"] == expected(name, fault), f"{what} {row['status']} {row['detail']}"
            if row["status"] == "skipped":
                assert row["detail"].startswith("not archived: "), what
                assert (kind, row["id"]) in left - stored.keys(), what
            proxy.begin()
            run = dockersweep(*words, host=host)
            assert run.status == 0, f"{what}, and then {run.stderr}"
            assert not made & there(engine), what
            assert made <= stored_in(archive).keys(), what
            nothing_made_to_read_is_left(engine)


def its_share(engine: Engine, name: str, *, whole: bool) -> tuple[Fault, ...]:
    """Return the faults that an engine meets with a call.

    Between them the two meet each call with each fault, and in every run half of these: each call with each second
    fault, and each fault with each second call.
    """
    is_oldest = engine.kind.name == "docker-20.10"
    if whole:
        return FAULTS[is_oldest::2]
    first = list(CALLS).index(name) + 2 * is_oldest
    return FAULTS[first % 4 :: 4]


def expected(name: str, fault: Fault) -> str:
    """Return the outcome of the object."""
    if fault.name.startswith(ASKED_AGAIN):
        return "removed"
    if fault.name in SAYS_NOTHING and name in ("logs", "load"):
        return "removed"
    if fault.name == "200 MB" and name == "changes":
        return "removed"
    return "skipped"


def test_these_are_all_calls_that_an_archive_makes() -> None:
    tried = {(method, path.replace("[^/]*", "x")) for method, path, _ in CALLS.values()}
    assert len(tried) == len(ARCHIVING_CALLS)
    assert all(allows(ARCHIVING_CALLS, *call) for call in tried)
