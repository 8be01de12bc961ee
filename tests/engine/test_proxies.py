"""A socket proxy in front of the engine that allows only some calls: what dockersweep then can do, and says."""

import pytest

from tests.rig.allowed import ALLOWED_CALLS, READING_CALLS, REMOVING_CALLS, allows
from tests.rig.engines.engine import Engine
from tests.rig.engines.heap import everything
from tests.rig.engines.kinds import NEWEST, OLDEST_AND_NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.engines.shared import Filled
from tests.rig.faulty_proxy import faulty
from tests.rig.running import dockersweep

GET_ALONE = (("GET", r"/.*"),)
GET_AND_DELETE = (*GET_ALONE, ("DELETE", r"/.*"))
SWEEP = ("sweep", "--yes", "--yes-first-time", "--no-ledger", "--older-than", "0s", "--format", "json")


@pytest.mark.enough_on(*NEWEST)
def test_what_looks_works_where_only_looking_is_allowed(filled: Filled) -> None:
    verbs = (("scan",), ("plan", "--verbose"), ("report",), ("explain", "volume:shop_old"), ("scan", "--no-sizes"))
    for allowed in (GET_ALONE, READING_CALLS):
        with faulty(filled.engine.recorder.path, allowed=allowed) as proxy:
            for words in verbs:
                run = dockersweep(*words, "--no-ledger", host=proxy.url)
                assert run.status == 0, (words, run.stderr)
                # Without a ledger a plan warns of ages.
                assert all(line.startswith("Warning: ages: ") for line in run.stderr.splitlines()), (words, run.stderr)
                assert "shop_old" in run.stdout or words == ("report",), words
                assert "orbidden" not in run.stdout, words
            assert {request.method for request in proxy.requests} == {"GET"}


@pytest.mark.enough_on(*OLDEST_AND_NEWEST)
def test_a_sweep_works_where_just_the_written_out_calls_are_allowed(engine: Engine, litter: Litter) -> None:
    everything(litter)
    with faulty(engine.recorder.path, allowed=ALLOWED_CALLS) as proxy:
        run = dockersweep(*SWEEP, "--all-images", "--named-volumes", host=proxy.url)
        refused = [str(one) for one in proxy.requests if not allows(ALLOWED_CALLS, one.method, one.path)]
    assert (run.status, run.stderr, refused) == (0, "", [])
    rows = run.json()["outcomes"]
    kinds = {"container", "image", "volume", "network"} | ({"build-cache"} if engine.kind.has_build_cache else set())
    assert {row["kind"] for row in rows} == kinds
    assert {row["status"] for row in rows} == {"removed"}


@pytest.mark.enough_on(*NEWEST)
def test_where_nothing_may_be_posted_all_but_the_build_cache_goes(engine: Engine, litter: Litter) -> None:
    heap = everything(litter)
    with faulty(engine.recorder.path, allowed=GET_AND_DELETE) as proxy:
        run = dockersweep(*SWEEP, host=proxy.url)
    rows = run.json()["outcomes"]
    cache = [row for row in rows if row["kind"] == "build-cache"]
    assert {row["status"] for row in rows if row["kind"] != "build-cache"} == {"removed"}
    assert run.status == (3 if heap.cache else 0)
    assert bool(cache) == bool(heap.cache)
    for row in cache:
        assert row["status"] == "failed"
        assert "forbidden" in row["detail"].lower()
    if heap.cache:
        assert dockersweep(*SWEEP, host=engine.url).status == 0


@pytest.mark.enough_on(*NEWEST)
def test_where_nothing_may_be_removed_nothing_is_and_each_object_says_why(filled: Filled) -> None:
    with faulty(filled.engine.recorder.path, allowed=GET_ALONE) as proxy:
        run = dockersweep(*SWEEP, "--all-images", host=proxy.url)
    assert run.status == 3
    for row in run.json()["outcomes"]:
        assert row["status"] in ("failed", "skipped")
        assert row["detail"]
    forbidden = [row for row in run.json()["outcomes"] if row["status"] == "failed"]
    assert {row["kind"] for row in forbidden} >= {"container", "image", "volume", "network"}
    assert all("forbidden" in row["detail"].lower() for row in forbidden)


def test_the_list_holds_no_call_that_could_do_more() -> None:
    assert {method for method, _ in READING_CALLS} == {"GET"}
    assert {method for method, _ in REMOVING_CALLS} == {"DELETE", "POST"}
    for method, path in [
        ("POST", "/containers/create"),
        ("POST", "/containers/prune"),
        ("POST", "/images/prune"),
        ("POST", "/volumes/prune"),
        ("GET", "/containers/abc/archive"),
        ("GET", "/containers/abc/export"),
        ("GET", "/containers/abc/logs"),
        ("GET", "/images/abc/get"),
        ("GET", "/secrets"),
        ("DELETE", "/secrets/abc"),
        ("DELETE", "/containers/abc/json"),
    ]:
        assert not allows(ALLOWED_CALLS, method, path)
