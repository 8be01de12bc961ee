"""Compose projects, played with the real plugin: what worked before a sweep works after it."""

import shutil
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dockersweep.model.inventory import Kind
from tests.rig.engines.compose import Project
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.running import Run, dockersweep

pytestmark = [
    pytest.mark.on_engines("docker-20.10", "docker-26.1", "docker-28.5", "docker-28.5-containerd"),
    # One compose plays on all of them.
    pytest.mark.enough_on("docker-28.5-containerd"),
]

SITUATIONS = Path(__file__).parents[1] / "situations"
DOES_ITS_WORK = "command: [sleep, '1000000']\n    stop_signal: SIGKILL"
REVIEW = f"""
services:
  a:
    build: {{context: ., dockerfile_inline: "FROM base:1\\nRUN touch /a\\n", network: none}}
    {DOES_ITS_WORK}
  db:
    image: base:1
    {DOES_ITS_WORK}
    volumes: [/data]
"""
SHOP = f"""
services:
  web:
    image: base:1
    {DOES_ITS_WORK}
    networks: [backbone]
    volumes: ["by-hand:/by-hand", "/anonymous", "named:/named"]
  api:
    build: {{context: ., dockerfile_inline: "FROM built-on:1\\nRUN touch /api\\n", network: none}}
    {DOES_ITS_WORK}
networks:
  backbone: {{external: true}}
volumes:
  by-hand: {{external: true}}
  named: {{}}
"""
"""With all that a project may have that compose did not label."""
Play = Callable[[str, str], Project]


@pytest.fixture
def play(engine: Engine, tmp_path: Path) -> Play:
    """Returns a project of a compose file."""
    return lambda name, file: Project(engine, tmp_path / name, file, name=name)


def scan(engine: Engine) -> None:
    """Have the ledger see what is there."""
    done = dockersweep("scan", "--no-sizes", host=engine.url)
    assert done.status == 0, done.stderr


def sweep(engine: Engine, *arguments: str, days: float) -> Run:
    """Sweep as if so many days had passed."""
    at = (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    done = dockersweep(
        "sweep", "--yes", "--no-sizes", "--format", "json", *arguments, host=engine.url, DOCKERSWEEP_NOW=at
    )
    assert done.status == 0, done.stderr
    assert {one["status"] for one in done.json()["outcomes"]} <= {"removed"}
    return done


def gone(done: Run, kind: Kind) -> set[str]:
    return {one["name"] for one in done.json()["outcomes"] if one["kind"] == kind and one["action"] == "remove"}


def policy(folder: Path, *lines: str, kinds: Sequence[Kind] = ("container", "image", "volume", "network")) -> Path:
    """A policy that takes all that it may."""
    file = folder / "policy.toml"
    text = [
        *("version = 1", *lines, "[[rule]]", 'name = "all that is unused"'),
        *(f"kind = {list(kinds)}".replace("'", '"'), "everything = true", 'remove.older_than = "1h"'),
    ]
    file.write_text("\n".join(text) + "\n")
    return file


def build(engine: Engine, tag: str, dockerfile: str) -> None:
    words = ("--quiet", "--network", "none", "--provenance=false", "--load", "--tag", tag, "-")
    done = engine.docker("buildx", "build", *words, stdin=dockerfile)
    assert done.stdout.startswith("sha256:")


# What is built differs most between these two.
@pytest.mark.enough_on("docker-20.10", "docker-28.5-containerd")
def test_what_is_built_from_a_reviews_image_outlives_the_review(
    engine: Engine, litter: Litter, play: Play, tmp_path: Path
) -> None:
    litter.image("base:1", layers={"base": 1000}, runnable=True)
    review = play("review-7", REVIEW)
    review.run("build", "--quiet")
    review.up()
    build(engine, "prod/app:1", "FROM review-7-a\nENV MODE=nightly\n")
    build(engine, "prod/tool:1", "FROM review-7-a\nRUN touch /tool\n")
    engine.docker("run", "--name", "nightly", "prod/app:1", "true")
    engine.docker("run", "--name", "by-hand", "review-7-a", "true")
    # Nobody looks on for ten days here, and so its ages have to do.
    staging = str(tmp_path / "staging.toml")
    text = (SITUATIONS / "staging.toml").read_text()
    Path(staging).write_text(text.replace("unused_for", "older_than"))
    scan(engine)
    review.run("stop")
    scan(engine)
    done = sweep(engine, "--policy", staging, days=10)
    assert gone(done, "container") == {"review-7-a-1", "review-7-db-1"}
    # The anonymous volume is the review's as well.
    assert len(gone(done, "volume")) == 1
    assert gone(done, "network") == {"review-7_default"}
    # A container that somebody started of it holds it.
    assert gone(done, "image") == set()
    engine.docker("start", "--attach", "nightly")
    engine.docker("rm", "by-hand")
    scan(engine)
    assert gone(sweep(engine, "--policy", staging, days=10), "image") == {"review-7-a:latest"}
    # Nothing but its label tells any more whose it is, and that the ledger knows it from elsewhere.
    engine.docker("rm", "nightly")
    scan(engine)
    last = sweep(engine, "--policy", staging, days=10)
    assert gone(last, "image") == set()
    engine.docker("run", "--rm", "prod/app:1", "true")
    engine.docker("run", "--rm", "prod/tool:1", "true")
    review.run("build", "--quiet")
    review.up()
    assert review.states() == {"a": "running", "db": "running"}


def test_a_protected_project_comes_up_again_after_its_down(
    engine: Engine, litter: Litter, play: Play, tmp_path: Path
) -> None:
    litter.image("base:1", layers={"base": 1000}, runnable=True)
    litter.image("built-on:1", layers={"built-on": 1000}, runnable=True)
    litter.image("nobodys:1", layers={"nobodys": 1000}, runnable=True)
    engine.docker("network", "create", "backbone")
    engine.docker("network", "create", "nobodys")
    engine.docker("volume", "create", "by-hand")
    engine.docker("volume", "create", "nobodys")
    shop, blog = play("shop", SHOP), play("blog", SHOP.replace("base:1", "nobodys:1"))
    shop.run("build", "--quiet")
    shop.up()
    scan(engine)
    shop.run("down")
    scan(engine)
    everything = policy(tmp_path, "[protect]", 'projects = "shop"')
    done = sweep(engine, "--policy", str(everything), days=10)
    assert gone(done, "image") == {"nobodys:1"}
    assert gone(done, "network") == {"nobodys"}
    assert gone(done, "volume") == {"nobodys"}
    shop.up()
    assert shop.states() == {"web": "running", "api": "running"}
    # What another project has used since is that one's.
    shop.run("down")
    litter.image("nobodys:1", layers={"nobodys": 1000}, runnable=True)
    engine.docker("tag", "base:1", "shared:1")
    blog.run("build", "--quiet")
    blog.up()
    scan(engine)
    blog.run("down", "--volumes")
    scan(engine)
    later = sweep(engine, "--policy", str(everything), days=10)
    assert gone(later, "network") == {"backbone"}
    assert "by-hand" in gone(later, "volume")
    assert "shop_named" not in gone(later, "volume")


def test_a_running_project_stops_and_starts_after_a_sweep(engine: Engine, litter: Litter, play: Play) -> None:
    litter.image("base:1", layers={"base": 1000}, runnable=True)
    shop = play(
        "shop",
        f"""
services:
  init:
    image: base:1
    command: ["true"]
  crashed:
    image: base:1
    command: [sh, -c, exit 3]
  web:
    image: base:1
    {DOES_ITS_WORK}
    depends_on:
      init: {{condition: service_completed_successfully}}
""",
    )
    shop.up()
    shop.run("run", "--detach", "--no-deps", "--name", "one-off", "web", "true")
    engine.docker("run", "--name", "by-hand", "base:1", "true")
    _wait_until_ended(engine, "one-off")
    scan(engine)
    done = sweep(engine, days=3)
    assert gone(done, "container") == {"shop-crashed-1", "one-off", "by-hand"}
    shop.run("stop")
    shop.run("start")
    assert shop.states() == {"init": "exited", "web": "running"}
    # All of it at a stand, it goes as any other does, and comes again.
    shop.run("stop")
    assert gone(sweep(engine, days=3), "container") == {"shop-init-1", "shop-web-1"}
    shop.up()
    assert shop.states()["web"] == "running"


def _wait_until_ended(engine: Engine, name: str) -> None:
    deadline = time.monotonic() + 30
    while engine.docker("inspect", "--format", "{{.State.Status}}", name).stdout.strip() != "exited":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_database_without_a_named_volume_has_its_data_after_days_at_a_stand(
    engine: Engine, litter: Litter, play: Play
) -> None:
    litter.image("db:1", layers={"db": 1000}, runnable=True, volumes=("/data",))
    shop = play("shop", f"services:\n  db:\n    image: db:1\n    {DOES_ITS_WORK}\n")
    shop.up()
    shop.run("exec", "-T", "db", "sh", "-c", "echo precious >/data/file")
    (volume,) = engine.docker("volume", "ls", "--quiet").stdout.split()
    litter.container("old", anonymous_volumes=("/scratch",))
    scan(engine)
    shop.run("stop")
    scan(engine)
    # All has stopped a moment ago: a day later the containers go, and their volumes have their hours from then on.
    done = sweep(engine, days=1.2)
    assert gone(done, "container") == {"old", "shop-db-1"}
    assert gone(done, "volume") == set()
    assert (
        engine.docker("run", "--rm", "--volume", f"{volume}:/data", "db:1", "cat", "/data/file").stdout == "precious\n"
    )


def test_a_network_made_by_hand_is_there_when_the_project_comes_back(
    engine: Engine, litter: Litter, play: Play
) -> None:
    litter.image("base:1", layers={"base": 1000}, runnable=True)
    engine.docker("network", "create", "backbone")
    shop = play(
        "shop",
        f"""
services:
  web:
    image: base:1
    {DOES_ITS_WORK}
    networks: [default, backbone]
networks:
  backbone: {{external: true}}
""",
    )
    shop.up()
    scan(engine)
    shop.run("stop")
    scan(engine)
    done = sweep(engine, days=3)
    assert gone(done, "container") == {"shop-web-1"}
    # What compose makes again goes.
    assert gone(done, "network") == {"shop_default"}
    shop.up()
    assert shop.states() == {"web": "running"}
    shop.run("down")
    scan(engine)
    assert gone(sweep(engine, days=40), "network") == {"backbone"}


def test_a_report_tells_for_how_long_a_project_had_no_container_and_if_its_folder_is_there(
    engine: Engine, litter: Litter, play: Play, tmp_path: Path
) -> None:
    litter.image("base:1", layers={"base": 1000}, runnable=True)
    web = f"image: base:1\n    {DOES_ITS_WORK}\n    volumes: ['data:/data']"
    file = f"services:\n  web:\n    {web}\nvolumes: {{data: {{}}}}\n"
    kept, gone_one, job = play("kept", file), play("gone", file), play("job", file)
    for project in (kept, gone_one):
        project.up()
    job.run("run", "--detach", "--name", "one-off", "web", "true")
    _wait_until_ended(engine, "one-off")
    scan(engine)
    for project in (kept, gone_one, job):
        project.run("down", "--remove-orphans")
    shutil.rmtree(tmp_path / "gone")

    def ds004(*arguments: str, days: float) -> list[str]:
        at = (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        done = dockersweep("report", "--format", "json", *arguments, host=engine.url, DOCKERSWEEP_NOW=at)
        assert done.status == 0, done.stderr
        return [text for one in done.json()["findings"] if one["id"] == "DS004" for text in one["evidence"]]

    # Seconds after a down nothing is said, and of what only runs once never.
    assert ds004(days=0.5) == []
    told = sorted(text.partition(", ")[2] for text in ds004(days=12.5))
    assert told == [
        f"project gone has had no container here for 12 days; its folder {tmp_path}/gone is gone",
        f"project kept has had no container here for 12 days; its folder {tmp_path}/kept is still there",
    ]
    protected = policy(tmp_path, "[protect]", 'projects = ["gone", "kept"]', kinds=("network",))
    assert ds004("--policy", str(protected), days=12.5) == []
