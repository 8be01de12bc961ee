"""Many stopped containers on one image, which a scan has to look at."""

from concurrent.futures import ThreadPoolExecutor

from tests.rig.engines.litter import Litter

_THREADS = 4


def make_stopped(litter: Litter, count: int) -> None:
    """Make so many, called stopped-0 and on."""
    # The image that all have is made for the first.
    litter.container("stopped-0")
    with ThreadPoolExecutor(_THREADS) as threads:
        for made in [threads.submit(litter.container, f"stopped-{number}") for number in range(1, count)]:
            made.result()
