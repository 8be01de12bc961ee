"""Images with layers that hold nothing, on a real engine."""

import random

from tests.rig.engines.archive import ImageSpec
from tests.rig.engines.litter import Litter

GRAPHDRIVERS = ("docker-20.10", "docker-26.1", "docker-28.5")

DOCKERFILE = """FROM shop/base:1
WORKDIR /srv/app
ENV A=1
COPY payload /srv/app/payload
RUN touch /srv/app/x
RUN rm /srv/app/payload
COPY other /srv/app/other
RUN mkdir -p /a && cp /srv/app/other /a/b && ln /a/b /a/c && ln -s b /a/d
CMD ["/bin/true"]
"""


def litter_with_empty_layers(litter: Litter) -> None:
    """Images on one base, with layers and steps of nothing in many places."""
    litter.images([ImageSpec(("shop/base:1",), {"base-1": 500_000, "base-2": 200_000}, runnable=True)])
    litter.images(
        [
            ImageSpec(("shop/web:1",), {"base-1": 500_000, "web-1": 300_000}),
            ImageSpec(("shop/web:2",), {"base-1": 500_000, "web-2": 0, "web-3": 100_000}),
            ImageSpec(("shop/alone:1",), {"alone": 70_000}),
        ]
    )
    if litter.engine.kind.has_build_cache:
        files = {"payload": random.Random(1).randbytes(1_500_001), "other": random.Random(2).randbytes(700_003)}
        litter.build(DOCKERFILE, files, image="shop/app:1")
        again = DOCKERFILE.replace("FROM shop/base:1", "FROM shop/app:1").replace(" /a", " /e")
        litter.build(again, files, image="shop/app:2")
    if litter.engine.kind.has_legacy_builder and litter.engine.kind.image_store == "overlay2":
        litter.legacy_build("shop/legacy:1", steps=3, size=400_000)
