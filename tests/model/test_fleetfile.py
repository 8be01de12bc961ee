"""The schema of fleet files, for editors."""

import tomllib

import jsonschema
import pytest

from dockersweep.model.fleetfile import fleet_file_schema
from tests.fleet.test_reading import WHOLE

HOST = 'version = 1\n[[host]]\nname = "a"\nhost = "/a"\n'


def is_valid(text: str) -> bool:
    """Whether the schema holds for a fleet file."""
    schema = fleet_file_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema).is_valid(tomllib.loads(text))


@pytest.mark.parametrize("text", [WHOLE, HOST, HOST + "[rollout]\nmax_failures = 3\n"])
def test_it_holds_for_what_holds(text: str) -> None:
    assert is_valid(text)


@pytest.mark.parametrize(
    "text",
    [
        "version = 1\n",
        "version = 1\nhost = []\n",
        HOST.replace("1", "2"),
        HOST + "nothing = 1\n",
        HOST + "groups = 'ci'\n",
        HOST + "[defaults]\nparallel = 0\n",
        HOST + "[defaults]\nconnect_timeout = 20\n",
        HOST + "[defaults]\nconnect_timeout = '2mo'\n",
        HOST + "[rollout]\nmax_failures = '3'\n",
    ],
)
def test_it_does_not_hold_for_what_does_not(text: str) -> None:
    assert not is_valid(text)
