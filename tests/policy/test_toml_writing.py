"""Tables that are written as TOML are read as the same."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dockersweep.policy.language.toml_writing import written_toml
from tests.rig.examples import examples

TEXTS = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    TEXTS
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.dates()
    | st.times()
    | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=12,
)


@examples(200)
@given(st.dictionaries(TEXTS, VALUES))
def test_what_is_written_is_read_as_the_same(tables: dict[str, Any]) -> None:
    assert tomllib.loads(written_toml(tables)) == tables


def test_a_value_of_each_sort() -> None:
    tables = {
        "text": 'a "quoted" \\ one\n\x7f\x00é🐳',
        "a key": {"with.dots": [1, 2.5, True]},
        "day": date(2026, 12, 1),
        "at": datetime(2026, 12, 1, 4, 30, tzinfo=UTC),
        "time": time(4, 30),
        "many": float("inf"),
        "tables": [{"a": 1}, {}],
    }
    assert tomllib.loads(written_toml(tables)) == tables
