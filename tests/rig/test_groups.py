"""That pytest-xdist is told which tests go together: nothing else would show where it is not."""

import pytest


def test_what_goes_together_is_told_by_the_ids(request: pytest.FixtureRequest) -> None:
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("only a process of pytest-xdist's is told of groups, where --dist loadgroup asks for them")
    assert request.node.nodeid.endswith("@tests/rig/test_groups.py")
