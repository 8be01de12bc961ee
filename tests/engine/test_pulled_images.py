"""Which images can be pulled again, in cases that take an engine long: what is labelled when decides.

Times are seconds; the labels are those that containerd 2.1 and BuildKit 0.25 leave (test_in_registry.py has engines).
"""

from typing import Any

import pytest

from dockersweep.engine.disk.pulled_images import recoverable_images
from tests.rig.containerd_store import Tree, blob, image, namespace

SOURCE, CHILD = "containerd.io/distribution.source.", "containerd.io/gc.ref.content."


def made(created: float, updated: float, repositories: str = "", **children: str) -> Tree:
    """A blob from a registry's repositories, none if it has no such label, with its children by their roles."""
    source = {SOURCE + "registry.lan": repositories} if repositories else {}
    named = {CHILD + role.replace("_", ".").lstrip("."): digest for role, digest in children.items()}
    return blob(created, updated, **source, **named)


def pulled(name: str, at: float, *below: str, repository: str = "team/app") -> dict[str, Tree]:
    """A manifest with its configuration and a layer of its own, as a pull leaves them."""
    layers = {f"l_{number}": layer for number, layer in enumerate((*below, f"{name}-layer"))}
    return {
        name: made(at, at + 0.1, repository, config=f"{name}-config", **layers),
        f"{name}-config": made(at + 0.2, at + 0.3, repository),
        f"{name}-layer": made(at + 1, at + 2, repository),
    }


def built(name: str, at: float, *layers: str, used_at: float = 0, repository: str = "team/app") -> dict[str, Tree]:
    """What BuildKit makes of layers that are there, and labels once a build has used it as its base."""
    children = {f"_{number}": layer for number, layer in enumerate((f"{name}-config", *layers))}
    source = repository if used_at else ""
    return {
        name: made(at, used_at or at, source, **children),
        f"{name}-config": made(at + 0.1, used_at or at, source),
    }


def recoverable(monkeypatch: pytest.MonkeyPatch, blobs: Any, *images: str) -> set[str]:
    """Which of these images, each known by the name of its manifest, can be pulled again."""
    seen = namespace(monkeypatch, blobs=blobs, images={name: image(name) for name in images})
    return {one.removeprefix("blob:") for one in recoverable_images(seen)}


def test_what_was_pulled(monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = pulled("a", 10) | pulled("b", 20, "a-layer", repository="team/b")
    assert recoverable(monkeypatch, blobs, "a") == {"a"}
    # What lies below another has nothing for itself, and would free nothing.
    assert recoverable(monkeypatch, blobs, "a", "b") == {"b"}
    # A build looks at its manifest and configuration again.
    again = blobs | {"a": made(10, 99, "team/app", config="a-config", l_0="a-layer")}
    assert recoverable(monkeypatch, again, "a") == {"a"}


def test_an_own_configuration_is_not_pulled_with_its_base(monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = pulled("base", 10) | built("own", 50, "base-layer", used_at=60)
    assert recoverable(monkeypatch, blobs, "base", "own") == set()
    assert recoverable(monkeypatch, blobs, "own") == set()
    # The base was pushed or pulled after that, and so its layer labelled once more.
    later = blobs | {"base-layer": made(11, 80, "team/app")}
    assert recoverable(monkeypatch, later, "own") == set()


def test_what_was_pushed(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = {"layer": made(1, 70.2, "team/app,team/other")}
    assert recoverable(monkeypatch, built("own", 50, "layer", used_at=70) | layer, "own") == {"own"}
    # Of the two that its layer was pushed to, its manifest names neither.
    elsewhere = built("own", 50, "layer", used_at=70, repository="team/own")
    assert recoverable(monkeypatch, elsewhere | layer, "own") == set()


@pytest.mark.parametrize(
    "missing",
    [
        {"a": made(10, 10.1, config="a-config", l_0="shared", l_1="a-layer")},
        {"a-config": made(10.2, 10.3)},
        {"a-layer": made(11, 12)},
        {"shared": made(1, 1)},
        {"a-config": made(10.2, 10.3, "team/b")},
        {"a-layer": made(11, 12, "team/b")},
        {"a-layer": made(9, 9, "team/app")},
        {"a-layer": {"labels": {SOURCE + "registry.lan": "team/app"}}},
    ],
)
def test_in_doubt_it_is_not_recoverable(monkeypatch: pytest.MonkeyPatch, missing: Any) -> None:
    blobs = pulled("a", 10, "shared") | {"shared": made(1, 2, "library/base")}
    assert recoverable(monkeypatch, blobs, "a") == {"a"}
    assert recoverable(monkeypatch, blobs | missing, "a") == set()


def test_of_an_index_what_is_there_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = pulled("a", 10) | {"index": made(9, 9.1, "team/app", m_0="a", m_1="not-here")}
    assert recoverable(monkeypatch, blobs, "index") == {"index"}
    # A push of one platform of it labels the manifest alone.
    alone = blobs | {"index": made(9, 9.1, m_0="a", m_1="not-here")}
    assert recoverable(monkeypatch, alone, "index") == set()
    assert recoverable(monkeypatch, {"index": made(9, 9.1, "team/app", m_1="not-here")}, "index") == set()
    assert recoverable(monkeypatch, {}, "index") == set()


def test_what_buildkit_ties_a_layer_to_is_no_content_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = pulled("a", 10)
    other = {CHILD + "blob-sha256:x": "packed", CHILD + "blob-sha256:y": "a-layer"}
    blobs["a-layer"] = {**blobs["a-layer"], "labels": {**blobs["a-layer"]["labels"], **other}}
    assert recoverable(monkeypatch, blobs | {"packed": made(90, 90)}, "a") == {"a"}
