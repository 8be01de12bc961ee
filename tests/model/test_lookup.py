"""What a person may mean by a text, and what is suggested where nothing is called that."""

import pytest
from msgspec.structs import replace

from dockersweep.model.inventory import Inventory, Object
from dockersweep.model.lookup import MOST_TEXTS, Named, find_objects, meant_by
from tests.rig.inventories import container, image, inventory, network, record, volume

DIGEST = "sha256:" + "d" * 64
BUILD = "vw1x2y3z4a5b6c7d8e9f0g1h2"


def of_id(seen: Object, full_id: str) -> Object:
    """The same object under an id as engines make them."""
    return replace(seen, id=full_id)


THERE = inventory(
    of_id(container("shop-web-1", "running"), "4f2a" + "0" * 60),
    of_id(container("cache"), "4f2b" + "0" * 60),
    container("data"),
    of_id(image("x", "app:latest", "app:2"), "sha256:aa11" + "0" * 60),
    of_id(image("x", "registry.example.com:5000/team/app:1"), "sha256:aa22" + "0" * 60),
    of_id(image("x", "docker.io/library/redis:7"), "sha256:bb11" + "0" * 60),
    of_id(image("x", digests=[f"team/base@{DIGEST}"]), "sha256:cc11" + "0" * 60),
    of_id(image("x", "image:1"), "sha256:dd11" + "0" * 60),
    volume("data", anonymous=False),
    volume("4f2a-backup", anonymous=False),
    of_id(network("shop_default"), "9e1c" + "0" * 60),
    of_id(network("twin"), "7a01" + "0" * 60),
    of_id(network("twin"), "7a02" + "0" * 60),
    replace(record("x"), id=BUILD, description="mount / from exec /bin/sh -c make"),
)


def names(text: str, there: Inventory = THERE) -> list[str]:
    return [f"{ref.kind}:{ref.id.removeprefix('sha256:')[:4]}" for ref in find_objects(there, text).matches]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("shop-web-1", ["container:4f2a"]),
        ("/shop-web-1", ["container:4f2a"]),
        ("container:shop-web-1", ["container:4f2a"]),
        ("4f2a0", ["container:4f2a"]),
        ("4f2a" + "0" * 60, ["container:4f2a"]),
        ("web", []),
        ("shop-web", []),
        # Whatever tables show of it: an image without a tag by its repository and short id.
        ("team/base@cc1100000000", ["image:cc11"]),
        ("team/base@cc11", []),
        ("/shop_default", ["network:9e1c"]),
        ("/data", ["container:data", "volume:data"]),
        ("app", ["image:aa11"]),
        ("app:latest", ["image:aa11"]),
        ("app:2", ["image:aa11"]),
        ("app:1", []),
        ("docker.io/library/app", ["image:aa11"]),
        ("image:app", ["image:aa11"]),
        ("aa1", ["image:aa11"]),
        ("sha256:aa1", ["image:aa11"]),
        ("sha256:aa11" + "0" * 60, ["image:aa11"]),
        ("image:sha256:aa1", ["image:aa11"]),
        ("registry.example.com:5000/team/app:1", ["image:aa22"]),
        ("registry.example.com:5000/team/app", []),
        ("redis:7", ["image:bb11"]),
        ("library/redis:7", ["image:bb11"]),
        (f"team/base@{DIGEST}", ["image:cc11"]),
        (DIGEST, ["image:cc11"]),
        ("data", ["container:data", "volume:data"]),
        ("volume:data", ["volume:data"]),
        ("volume:dat", []),
        ("dat", ["container:data"]),
        ("volume:4f2a", []),
        ("4f2a-backup", ["volume:4f2a"]),
        ("4f2a-b", []),
        ("shop_default", ["network:9e1c"]),
        ("network:9e1", ["network:9e1c"]),
        ("twin", ["network:7a01", "network:7a02"]),
        ("vw1x", ["build-cache:vw1x"]),
        ("build-cache:vw1x2y3z4a5b", ["build-cache:vw1x"]),
        ("mount / from exec /bin/sh -c make", ["build-cache:vw1x"]),
        ("aa", ["image:aa11", "image:aa22"]),
        # A whole name wins over the beginning of an id, and an image may be called like a kind.
        ("cache", ["container:4f2b"]),
        ("image:1", ["image:dd11"]),
        ("image:", []),
        ("container:", []),
        ("sha256:", []),
        ("", []),
        ("/", []),
        (":", []),
    ],
)
def test_what_is_meant(text: str, meant: list[str]) -> None:
    assert names(text) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("redis:7", [1]),
        ("library/redis:7", [1]),
        ("localhost/redis:7", [1]),
        ("redis", [2]),
        (DIGEST, [3]),
        ("/web", [4]),
        ("image:sha256:b", [2, 3]),
        ("container:b", []),
        ("volume:", []),
    ],
)
def test_what_is_remembered_is_meant_by_the_same_rules(text: str, meant: list[int]) -> None:
    known = [
        Named(1, "image", "sha256:aa", ("docker.io/library/redis:7",)),
        Named(2, "image", "sha256:bb", ("redis:latest",)),
        Named(3, "image", "sha256:bc", (f"team/base@{DIGEST}",)),
        Named(4, "container", "dd", ("web",)),
        Named(5, "volume", "bd", ("bd",)),
    ]
    assert [named.what for named in meant_by(text, known)] == meant


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("data", ("container:data", "volume:data")),
        ("twin", ("network:7a0100000000", "network:7a0200000000")),
        ("aa", ("image:app:latest", "image:registry.example.com:5000/team/app:1")),
        ("cc", ("image:cc1100000000",)),
    ],
)
def test_each_of_several_has_a_text_that_is_clear(text: str, told: tuple[str, ...]) -> None:
    found = find_objects(THERE, text)
    assert found.texts == told
    for ref, one in zip(found.matches, found.texts, strict=True):
        assert find_objects(THERE, one).matches == (ref,)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("shop-web-2", "container:shop-web-1"),
        ("web", "container:shop-web-1"),
        ("app:1", "image:app:latest"),
        ("registry.example.com:5000/team/app", "image:registry.example.com:5000/team/app:1"),
        ("reddis:7", "image:redis:7"),
        ("volume:dta", "volume:data"),
        ("network:shop", "network:shop_default"),
        ("zzzzzz", None),
        ("", None),
    ],
)
def test_what_is_suggested_where_nothing_is_called_that(text: str, first: str | None) -> None:
    found = find_objects(THERE, text)
    assert found.matches == ()
    told = found.texts[0].replace("docker.io/library/", "") if found.texts else None
    assert told == first
    assert all(len(find_objects(THERE, one).matches) == 1 for one in found.texts)


def test_a_suggestion_keeps_to_the_kind_that_is_named() -> None:
    assert all(one.startswith("volume:") for one in find_objects(THERE, "volume:dat").texts)


def test_of_very_many_only_the_first_have_a_text() -> None:
    many = inventory(*(of_id(container(f"web-{number}"), f"ab{number:062d}") for number in range(100)))
    found = find_objects(many, "ab")
    assert (len(found.matches), len(found.texts)) == (100, MOST_TEXTS)
