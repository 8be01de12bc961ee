"""`explain` of a compose project, a repository, and a name that several objects have."""

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from dockersweep.model.documents import read_document
from dockersweep.model.explanation import GroupExplanation
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from tests.commands.calling import Caller, Said
from tests.rig.inventories import NOW, container, image, inventory, network, plan_of, volume, write_inventory
from tests.rig.policies import VERSION

LABELS = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
SEEN = (
    container("shop-web-1", "running", labels=LABELS, size=5, image=f"sha256:{'a' * 64}", volumes=["data"]),
    container("shop-job-1", labels=LABELS, size=7, logs=0),
    replace(volume("data", anonymous=False, free=False), project="shop"),
    replace(network("shop_default"), project="shop"),
    replace(network("blog_default"), project="blog"),
    image("a" * 64, "app:1", size=90),
    image("b" * 64, "app:2", "registry.example.com:5000/app:2", size=40),
    image("c" * 64, "registry.example.com:5000/app:3"),
    image("d" * 64, "blog:1"),
    image(f"cafe{'e' * 60}", "milk:latest"),
    image(f"cafe{'f' * 60}", "milk:2"),
    container("web"),
    volume("web", anonymous=False),
)


@pytest.fixture
def saved(tmp_path: Path) -> str:
    """An inventory with compose projects, repositories, and names that several have."""
    return write_inventory(tmp_path, inventory(*SEEN))


def explain(call: Caller, saved: str, text: str, *flags: str) -> Said:
    return call("explain", text, "--policy", "default", "--inventory", saved, *flags)


@pytest.mark.parametrize(
    ("text", "by", "names"),
    [
        ("shop", "project", ["shop-job-1", "shop-web-1", "data", "shop_default"]),
        ("project:shop", "project", ["shop-job-1", "shop-web-1", "data", "shop_default"]),
        ("app", "repository", ["app:1", "app:2"]),
        ("docker.io/library/app", "repository", ["app:1", "app:2"]),
        ("registry.example.com:5000/app", "repository", ["app:2", "registry.example.com:5000/app:3"]),
        ("repository:milk", "repository", ["milk:latest", "milk:2"]),
        ("repository:blog", "repository", ["blog:1"]),
        ("web", "name", ["web", "web"]),
    ],
)
def test_all_of_it_is_told(call: Caller, saved: str, text: str, by: str, names: list[str]) -> None:
    said = explain(call, saved, text, "--format", "json")
    told = said.json()
    assert (said.status, told["schema"], told["grouped_by"]) == (0, "dockersweep.group/1", by)
    assert [one["name"] for one in told["decisions"]] == names
    assert sum(one["objects"] for one in told["kinds"]) == len(names)


@pytest.mark.parametrize("text", ["milk", "app:1", "container:web", "milk:2", f"cafe{'f' * 8}"])
def test_one_object_that_is_meant_comes_first(call: Caller, saved: str, text: str) -> None:
    assert explain(call, saved, text, "--format", "json").json()["schema"] == "dockersweep.explanation/1"


def test_a_project_comes_before_the_beginnings_of_ids(call: Caller, tmp_path: Path) -> None:
    cafe = replace(network("net"), project="cafe")
    seen = write_inventory(tmp_path, inventory(cafe, image(f"cafe{'e' * 60}", "milk:latest")))
    assert explain(call, seen, "cafe", "--format", "json").json()["name"] == "cafe"
    assert explain(call, seen, "caf", "--format", "json").json()["subject"]["name"] == "milk:latest"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blog", '"blog" can mean project:blog or repository:blog: write one of these'),
        ("cafe", '"cafe" can mean image:milk:latest or image:milk:2: write one of these'),
        ("project:", 'to a compose project called "": `dockersweep scan --all --verbose` lists what there is'),
        ("project:shp", 'nothing here belongs to a compose project called "shp": did you mean project:shop?'),
        ("repository:ap", 'no image here is of a repository called "ap": did you mean repository:app?'),
        ("repository:zzz", "`dockersweep scan --all --kind image` lists what there is"),
        ("gone", "If it is gone: `dockersweep history --object gone`"),
    ],
)
def test_what_is_not_clear(call: Caller, saved: str, text: str, message: str) -> None:
    said = explain(call, saved, text)
    assert (said.status, said.out) == (2, "")
    assert message in said.err
    assert ("history --object" in said.err) is (text == "gone")


def test_it_says_what_the_plan_says(call: Caller, saved: str) -> None:
    plan = plan_of(inventory(*SEEN), DEFAULT_POLICY)
    verdicts = {(one.kind, one.name): one.verdict for one in plan.decisions}
    told = explain(call, saved, "shop", "--format", "json").json()
    assert all(verdicts[one["kind"], one["name"]] == one["verdict"] for one in told["decisions"])
    assert {one["kind"]: (one["objects"], one["goes"]) for one in told["kinds"]} == {
        "container": (2, 1),
        "volume": (1, 0),
        "network": (1, 1),
    }


def test_what_it_frees(call: Caller, saved: str) -> None:
    told = explain(call, saved, "shop", "--format", "json").json()
    assert (told["reclaim"]["low_bytes"], told["reclaim_of_all"]["low_bytes"]) == (7, 22)


def test_the_screen(call: Caller, saved: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    told = explain(call, saved, "shop").out
    assert "\nCompose project shop: 4 objects, 2 to remove by the default policy, freeing" in told
    assert "\nshop-web-1   5 B  keep     it is running\n" in told
    assert told.index("\nContainers\n") < told.index("\nVolumes\n") < told.index("\nNetworks\n")
    assert told.splitlines()[-1].split()[:3] == ["total", "4", "2"]
    assert max(map(len, told.splitlines())) <= 80
    called_web = explain(call, saved, "web").out
    assert "2 objects called web, 1 to remove" in called_web
    assert "\n`dockersweep explain container:web` explains one of them.\n" in called_web
    assert "Repository app: 2 images, none to remove" in explain(call, saved, "app").out


@pytest.mark.parametrize("form", ["csv", "markdown"])
def test_other_formats(call: Caller, saved: str, form: str) -> None:
    told = explain(call, saved, "shop", "--format", form).out
    assert "shop-job-1" in told
    if form == "csv":
        assert len(told.splitlines()) == 5


def test_the_document_reads_back(call: Caller, saved: str) -> None:
    text = explain(call, saved, "shop", "--format", "json").out
    document = read_document(text.encode(), GroupExplanation, "x")
    assert document.decisions[0].reasons[0].rule == "stopped containers"


def test_tags_that_go_are_counted_beside_objects(call: Caller, tmp_path: Path) -> None:
    built = [replace(image(f"{day}" * 64, f"app:{day}"), built_at=NOW - timedelta(days=day)) for day in (1, 2)]
    old = replace(image("c" * 64, "app:old", "app:kept"), built_at=NOW - timedelta(days=9))
    policy = call.policy(
        f'{VERSION}[[rule]]\nname = "apps"\nkind = "image"\nmatch.tag = ["1", "2", "old"]\nkeep.last = 2\n'
        'remove.older_than = "1d"\n'
    )
    seen = write_inventory(tmp_path, inventory(*built, old))
    told = call("explain", "app", "--policy", policy, "--inventory", seen).out
    assert "Repository app: 3 images, none to remove, 1 tag to take off by the policy in " in told
    lines = [" ".join(line.split()) for line in told.splitlines()]
    assert lines[-4:] == ["KIND COUNT TO REMOVE FREES", "images 3 0 0 B", "tags of images that stay 1", "total 3 1 0 B"]
    assert told.count("tag app:old goes (frees 0 B): ") == 1


@pytest.mark.parametrize("state", ["running", None])
def test_those_in_use_are_counted_in_only_where_there_are_any(call: Caller, tmp_path: Path, state: str | None) -> None:
    holder = [] if state is None else [container("web", state, image="sha256:" + "a" * 64)]
    # What another image is built on is needed, not in use.
    child = image("b" * 64, "other:1", parent="a" * 64)
    seen = write_inventory(tmp_path, inventory(image("a" * 64, "app:1"), child, *holder))
    told = " ".join(explain(call, seen, "repository:app").out.split())
    assert f"All of them{'' if state is None else ', those in use too,'} would free " in told


def test_what_exists_only_here_is_no_reason(call: Caller, tmp_path: Path) -> None:
    seen = write_inventory(tmp_path, inventory(*(image(one * 64, f"app:{one}", in_registry=False) for one in "ab")))
    told = explain(call, seen, "app", "--all-images").out
    assert "first seen 10 days ago (limit 24 hours); exists only here" in " ".join(told.split())


def test_names_are_made_printable(call: Caller, tmp_path: Path) -> None:
    odd = replace(network("net"), project="\x1b[31mred")
    seen = write_inventory(tmp_path, inventory(odd))
    said = explain(call, seen, "\x1b[31mred")
    assert said.status == 0
    assert "\nCompose project \\x1b[31mred: 1 network, " in said.out
    assert "\x1b" not in said.out
    assert "\x1b" not in explain(call, seen, "project:\x1b[31mre").err


def test_a_cell_names_at_most_three_holders(call: Caller, tmp_path: Path) -> None:
    mounts = [["data", "less"][: 1 + (number < 4)] for number in range(1, 19)]
    holders = [container(f"web-{number}", "running", volumes=names) for number, names in enumerate(mounts, 1)]
    volumes = [replace(volume(name, anonymous=False, free=False), project="shop") for name in ("data", "less")]
    seen = write_inventory(tmp_path, inventory(*holders, *volumes))
    told = explain(call, seen, "shop").out
    assert "used by containers web-1, web-2 and 16 more" in told
    assert "used by containers web-1, web-2, web-3\n" in told
    assert "web-17" in explain(call, seen, "shop", "--format", "csv").out
