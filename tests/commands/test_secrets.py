"""A password in the address of an engine is never said, whoever it came from and whatever is wrong with it."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from tests.rig.running import dockersweep

SECRET = "hunter2"
ADDRESSES = [
    f"tcp://me:{SECRET}@box:2375",
    f"tcp://me:{SECRET}@box:99999",
    f"tcp://{SECRET}@box",
    f"me:{SECRET}@box:2375",
    f"http://me:{SECRET}@box/path",
    f"https://me:{SECRET}@box:2376",
    f"ssh://me:{SECRET}@box",
    f"ftp://me:{SECRET}@box",
    f"unix://me:{SECRET}@/var/run/docker.sock",
    f"tcp://me:a@{SECRET}@box:2375",
    f"tcp://me:{SECRET}/x@box:2375",
    f"tcp://me:\n{SECRET}@box:2375",
    f"tcp+tls://me:{SECRET}@box",
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("where", ["--host", "DOCKER_HOST", "context"])
def test_a_password_is_not_told(address: str, where: str) -> None:
    if where == "--host":
        run = dockersweep("scan", host=address)
    elif where == "DOCKER_HOST":
        run = dockersweep("scan", DOCKER_HOST=address)
    else:
        folder = Path(os.environ["HOME"], ".docker/contexts/meta", hashlib.sha256(b"far").hexdigest())
        folder.mkdir(parents=True)
        (folder / "meta.json").write_text(json.dumps({"Name": "far", "Endpoints": {"docker": {"Host": address}}}))
        run = dockersweep("-c", "far", "scan")
    assert run.status == 2
    assert SECRET not in run.stderr + run.stdout
    assert "***@" in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_a_socket_may_have_an_at_sign_in_its_path(tmp_path: Path) -> None:
    run = dockersweep("scan", host=f"unix://{tmp_path}/me@box.sock")
    assert run.status == 5
    assert f"unix://{tmp_path}/me@box.sock" in run.stderr
