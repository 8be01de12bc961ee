"""Documents of engines that may come from an archive: whatever is in them, reading them is no error."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.model.inspect_document import image_id_of, part, parts, values
from tests.rig.examples import examples

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@examples(100)
@given(ANYTHING)
def test_a_value_of_another_type_is_as_if_it_were_not_there(value: Any) -> None:
    document = {"key": value}
    assert part(document, "key") == (value if isinstance(value, dict) else {})
    assert values(document, "key") == (value if isinstance(value, list) else [])
    assert list(parts(document, "key")) == [one for one in values(document, "key") if isinstance(one, dict)]
    assert (part(document, "no"), values(document, "no"), list(parts(document, "no"))) == ({}, [], [])


@pytest.mark.parametrize(
    ("told", "image_id"), [("ab12", "sha256:ab12"), ("sha256:ab12", "sha256:ab12"), ("", ""), (None, "")]
)
def test_the_id_of_an_image_is_written_as_docker_does(told: str | None, image_id: str) -> None:
    assert image_id_of({"Image": told}) == image_id
    assert image_id_of({}) == ""
