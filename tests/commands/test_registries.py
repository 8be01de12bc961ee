"""Registries are asked where the policy says so, and nowhere else."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.rig.fake_engine import EMPTY, FakeEngine, fake_engine, reply
from tests.rig.running import dockersweep
from tests.rig.scripted_http import Asked, Reply, scripted

ASK = "[registries]\nask = true\n"
RULE = '[[rule]]\nname = "a"\nkind = "image"\nmatch.recoverable = true\nremove.older_than = "0s"\n'
VERBS: tuple[tuple[str, ...], ...] = (
    ("plan",), ("sweep", "--dry-run"), ("report",), ("explain", "image:app:0"), ("policy", "check"),
)  # fmt: skip


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def there(asked: Asked) -> Reply:
    return Reply(200, {"Docker-Content-Digest": asked.path.rpartition("/")[2]})


@contextmanager
def engine_with_images(port: int, number: int, containerd: bool = False) -> Iterator[FakeEngine]:
    """An engine on this machine with images app:0, app:1 and so on, that have digests at a registry of ours."""
    info: dict[str, Any] = json.loads(EMPTY["/info"][1]) | {"Name": socket.gethostname()}
    if containerd:
        info |= {"Driver": "overlayfs", "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
    images = [
        {
            "Id": f"sha256:{one + 7:064x}",
            "ParentId": "",
            "RepoTags": [f"app:{one}"],
            "RepoDigests": [f"localhost:{port}/team/app{one}@{digest(one)}"],
            "Created": 1_700_000_000,
            "Size": 1000,
            "SharedSize": 0,
            "Containers": 0,
            "Labels": {},
        }
        for one in range(number)
    ]
    with fake_engine() as engine:
        engine.replies |= {"/info": reply(info), "/images/json": reply(images)}
        yield engine


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.toml"
    file.write_text(f"version = 1\n{ASK}{RULE}")
    return file


@pytest.mark.parametrize("words", VERBS, ids=lambda words: words[0])
def test_every_verb_that_judges_asks_once(words: tuple[str, ...], policy: Path) -> None:
    with scripted(there) as server, engine_with_images(server.port, 3) as engine:
        flags = ("--policy", str(policy), "--no-sizes")
        run = dockersweep(*words, *flags, host=engine.url)
        # Nobody has looked at this engine yet, which a plan warns of.
        assert (run.status, run.beside_warnings.replace(f"{policy}: no problems found\n", "")) == (0, "")
        heads = sorted(path for path in server.paths if path.startswith("HEAD"))
        assert heads == [f"HEAD /v2/team/app{one}/manifests/{digest(one)}" for one in range(3)]
        dockersweep(*words, *flags, host=engine.url)
        assert sum(path.startswith("HEAD") for path in server.paths) == 3


@pytest.mark.programs
def test_nobody_is_asked_unless_the_policy_says_so(policy: Path, tmp_path: Path) -> None:
    with scripted(there) as server, engine_with_images(server.port, 2) as engine:
        saved = tmp_path / "saved.json"
        saved.write_text(dockersweep("scan", "--format", "json", host=engine.url).stdout)
        for words in VERBS:
            dockersweep(*words, "--policy", str(policy), "--inventory", str(saved))
        texts = (RULE, f"[registries]\nask = false\n{RULE}", f"[registries]\n{RULE}")
        # What a verb does depends on no more than what is read of the file.
        for text, verbs in zip(texts, (VERBS, VERBS[:1], VERBS[:1]), strict=True):
            policy.write_text(f"version = 1\n{text}")
            for words in verbs:
                assert dockersweep(*words, "--policy", str(policy), host=engine.url).status == 0
        assert dockersweep("plan", "--policy", "default", host=engine.url).status == 0
        assert server.asked == []


def test_what_they_answer_decides(policy: Path) -> None:
    unknown = Reply(404, {}, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')

    def answer(asked: Asked) -> Reply:
        return unknown if "/app0/" in asked.path else Reply(503) if "/app1/" in asked.path else there(asked)

    # A graphdriver store has all of them from a registry, the containerd store tells nothing from here.
    for containerd, going in ((False, {"app:1", "app:2"}), (True, {"app:2"})):
        with scripted(answer) as server, engine_with_images(server.port, 3, containerd) as engine:
            made = dockersweep(
                "plan", "--policy", str(policy), "--format", "json", "--no-ledger", host=engine.url
            ).json()
            assert {one["name"] for one in made["decisions"] if one["verdict"] == "remove"} == going
            told = [one["text"] for one in made["warnings"] if one["about"] == "registries"]
            why = f"localhost:{server.port}: it answered 503"
            text = f"whether they have 1 of 3 images is not known, and what the engine recorded counts: {why}"
            assert told == [text]


def test_one_warning_tells_of_them_all(policy: Path) -> None:
    def answer(asked: Asked) -> Reply:
        number = int(asked.path.split("/app")[1].partition("/")[0]) if "/app" in asked.path else 0
        return Reply(403) if number < 10 else Reply(410 + number)

    with scripted(answer) as server, engine_with_images(server.port, 16) as engine:
        flags = ("--policy", str(policy), "--no-ledger", "--format", "json")
        made = dockersweep("plan", *flags, host=engine.url).json()
        [told] = [one["text"] for one in made["warnings"] if one["about"] == "registries"]
        assert told.startswith("whether they have 16 of 16 images is not known, ")
        assert f"localhost:{server.port}: access is denied; " in told
        assert told.endswith("; and 4 other reasons")


def test_an_engine_elsewhere_has_another_localhost(policy: Path) -> None:
    with scripted(there) as server, engine_with_images(server.port, 1) as engine:
        info = json.loads(engine.replies["/info"][1]) | {"Name": "elsewhere"}  # type: ignore[index]
        engine.replies["/info"] = reply(info)
        made = dockersweep("plan", "--policy", str(policy), "--format", "json", host=engine.url).json()
        assert any("which is not this one" in one["text"] for one in made["warnings"])
        assert server.asked == []


def test_an_explanation_tells_what_they_answered(policy: Path) -> None:
    with scripted(there) as server, engine_with_images(server.port, 1) as engine:
        told = dockersweep("explain", "--policy", str(policy), "app:0", host=engine.url).stdout
        name = f"localhost:{server.port}/team/app0@{digest(0)}"
        assert f"has {name} (asked at 2026-11-24 12:00:00 UTC)" in " ".join(told.split())


def test_the_policy_in_words_says_that_they_are_asked(policy: Path) -> None:
    sentence = "Registries are asked whether they still have the images that could be removed."
    assert sentence in dockersweep("policy", "show", "--policy", str(policy)).stdout
    policy.write_text(f"version = 1\n{RULE}")
    assert sentence not in dockersweep("policy", "show", "--policy", str(policy)).stdout
