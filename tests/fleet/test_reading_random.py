"""No fleet file does harm: it is read, or each of its problems has a place in it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dockersweep.fleet.reading import read_fleet_file, rollout_of
from dockersweep.policy.language.problems import KeyProblem
from tests.fleet.test_reading import WHOLE
from tests.policy.test_policy_file_random import PIECES, VALUES, hold, written

KEYS = [
    *("name", "host", "context", "groups", "policy", "tlsverify", "tlscacert", "tlscert", "tlskey"),
    *("parallel", "connect_timeout", "canary", "max_failures", "splay", "version", "hosts", "nmae"),
]
OWN_PIECES = ["[[host]]\n", "[host]\n", "[[hosts]]\n", "[defaults]\n", "[rollout]\n", 'host = "/a"\n', "groups = 1\n"]


def check(data: bytes) -> None:
    """Assert that a file is read, or that its problems lie inside of it; whatever is left of it can be used."""
    reading = read_fleet_file(data)
    hold(reading.problems, data)
    found = [KeyProblem((*host.path, "policy"), "elsewhere", at="value") for host in reading.hosts]
    hold(reading.all_problems(found), data)
    assert all(host.table.name for host in reading.hosts)
    assert all((host.table.host is None) != (host.table.context is None) for host in reading.hosts if host.has_address)
    assert (rollout_of(reading.rollout, 7).max_failures or 0) >= 0
    if not reading.problems:
        names = [host.table.name for host in reading.hosts]
        assert names
        assert len(set(names)) == len(names)
        assert all(host.has_address for host in reading.hosts)


@given(st.binary())
def test_no_bytes_do_harm(data: bytes) -> None:
    check(data)


@st.composite
def edited(draw: st.DrawFn) -> str:
    """A valid fleet file of which some pieces are left out, doubled or replaced."""
    text = WHOLE
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        piece = draw(st.sampled_from(["", text[start:end] * 2, *PIECES, *OWN_PIECES]) | st.text(max_size=5))
        text = text[:start] + piece + text[end:]
    return text


@given(edited())
@example("version = 1\n[[host]]\n[[host]]\n")
@example('version = 1\nhost = [1, {name = "a"}, []]\n')
@example("version = 1\n[rollout]\nmax_failures = nan\n")
def test_no_edit_does_harm(text: str) -> None:
    check(text.encode(errors="surrogatepass"))


@st.composite
def tables(draw: st.DrawFn) -> str:
    """A fleet file of known tables and keys whose values are anything."""
    lines = ["version = 1"]
    for table in [*draw(st.lists(st.sampled_from(["[[host]]"]), max_size=3)), "[defaults]", "[rollout]"]:
        pairs = draw(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6))
        lines += [table, *(f"{key} = {written(value)}" for key, value in pairs.items())]
    return "\n".join(lines)


@given(tables())
def test_no_value_does_harm(text: str) -> None:
    check(text.encode())


@pytest.mark.parametrize("count", [2000])
def test_a_long_file_of_problems_is_read(count: int) -> None:
    reading = read_fleet_file(b"version = 1\n" + b'[[host]]\nname = "a"\nhost = 1\nnothing = 2\n' * count)
    assert len(reading.problems) == 3 * count - 1
