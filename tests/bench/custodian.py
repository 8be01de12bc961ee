"""docker-custodian, in a virtual environment of its own in the cache folder."""

from __future__ import annotations

from pathlib import Path

from tests.bench.virtual_environment import python_with

_REQUIREMENT = "docker_custodian==0.7.4"


def python() -> Path:
    """The interpreter that has docker-custodian; installed when it is not there yet."""
    return python_with(_REQUIREMENT.replace("==", "-"), _REQUIREMENT)
