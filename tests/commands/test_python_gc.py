"""What an inventory becomes is made without Python's garbage collector, and left alone by it afterwards."""

import gc
from collections.abc import Iterator

import pytest

from dockersweep.commands.python_gc import without_collector
from dockersweep.model.naming import objects_of, ref_of
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from tests.rig.inventories import (
    container,
    explanation_of,
    image,
    inventory,
    network,
    plan_of,
    record,
    report_of,
    volume,
)


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    yield
    gc.unfreeze()


def is_looked_at(value: object) -> bool:
    """Whether the collector walks over a value."""
    return any(one is value for one in gc.get_objects())


def test_the_collector_is_off_meanwhile_and_on_afterwards() -> None:
    with without_collector():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_where_it_was_off_it_stays_off() -> None:
    gc.disable()
    try:
        with without_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_is_made_meanwhile_is_never_looked_at() -> None:
    with without_collector():
        made: list[object] = [[]]
    later: list[object] = [[]]
    assert not is_looked_at(made)
    assert is_looked_at(later)


def test_it_is_on_again_after_an_error() -> None:
    with pytest.raises(KeyError), without_collector():
        raise KeyError
    assert gc.isenabled()


def test_what_is_made_of_an_inventory_holds_no_circles_that_only_the_collector_would_find() -> None:
    seen = inventory(container("c", image="sha256:i"), image("i", "app:1"), volume("v"), network("n"), record("r"))

    def make_all() -> None:
        plan_of(seen, DEFAULT_POLICY)
        report_of(seen, DEFAULT_POLICY, None)
        for item in objects_of(seen):
            explanation_of(seen, DEFAULT_POLICY, ref_of(item))

    # What is imported and kept for later calls is not meant.
    make_all()
    gc.collect()
    gc.disable()
    try:
        make_all()
        assert gc.collect() == 0
    finally:
        gc.enable()
