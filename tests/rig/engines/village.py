"""A village: an engine with what the ten situations of dockersweep.toml(5) speak of, each thing known by its name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.rig.engines.archive import ImageSpec, random_bytes, tar
from tests.rig.engines.litter import Litter
from tests.rig.engines.scenarios_registry import Registry

_PROJECT = "com.docker.compose.project"
REVIEW, SHOP = {_PROJECT: "review-7"}, {_PROJECT: "shop"}
_BY_COMPOSE = {"com.docker.compose.config-hash": "1f", "com.docker.compose.oneoff": "False"}
"""What compose writes to containers alone: without it a container may have its label from its image."""
TEMPORARY = {"temporary": "true"}
RELEASES = tuple(f"registry.example.com/app/web:1.{minor}.0" for minor in range(8))
"""The oldest first, ten days between each and the next."""
ALSO_DEPLOYED = "deploy/current:1"
"""A second name of the oldest of them."""


def village(litter: Litter, source: Registry) -> None:
    """Make all of it; a few seconds."""
    litter.images([*_images(), *_releases()])
    litter.image(None, layers={"dangling": 5_000})
    for tag in ("1.0.0", "1.1.0", "1.2.0"):
        source.offer(tag, [tar({tag: random_bytes(tag, 5_000)})])
        source.pull("mirror/tool", tag)
    for name, image, labels in (
        ("job-1", "ci/job:1", {}),
        ("review-web", "review/web:1", REVIEW | _BY_COMPOSE),
        ("shop-web", "shop/web:1", SHOP | _BY_COMPOSE),
        ("temporary", "ci/tmp:1", TEMPORARY),
        ("kept", "busybox:latest", {"keep": ""}),
    ):
        litter.base()
        litter.container(name, image=image, labels=labels)
    litter.container("daemon", state="created", restart="always")
    litter.container("runner", image="ci/runner:1", state="running", restart="unless-stopped")
    litter.anonymous_volume(3_000)
    for name, labels in (
        ("data", {}),
        ("runner-1-cache-x", {}),
        ("review-data", REVIEW),
        ("shop-data", SHOP),
        ("tmp-vol", TEMPORARY),
        ("kept-vol", {"keep": ""}),
    ):
        litter.volume(name, labels=labels, size=1_000)
    for name, labels in (("review_net", REVIEW), ("lonely", {}), ("tmp_net", TEMPORARY)):
        litter.network(name, labels=labels)
    if litter.engine.kind.has_build_cache:
        litter.build_cache("village", records=2, size=10_000)


def _images() -> list[ImageSpec]:
    labels = {"review/web:1": REVIEW, "scratch/img:1": TEMPORARY}
    unused = ("debian:12", "registry.example.com/base/os:1", "scratch/img:1")
    used = ("ci/job:1", "ci/runner:1", "ci/tmp:1", "review/web:1", "shop/web:1")
    return [ImageSpec((tag,), {tag: 5_000}, labels.get(tag, {}), runnable=tag in used) for tag in (*unused, *used)]


def _releases() -> list[ImageSpec]:
    last = datetime(2026, 6, 30, tzinfo=UTC)
    return [
        ImageSpec(
            (tag, ALSO_DEPLOYED) if number == 0 else (tag,),
            {tag: 5_000},
            created=(last - timedelta(days=10 * (len(RELEASES) - 1 - number))).isoformat().replace("+00:00", "Z"),
        )
        for number, tag in enumerate(RELEASES)
    ]
