"""Metrics in the text format of Prometheus."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric


def exposition_of(metrics: Iterable[Metric]) -> str:
    """Return metrics in the text format; those without a sample are left out."""
    registry = CollectorRegistry()
    registry.register(_Collected(metrics))
    return generate_latest(registry).decode()


class _Collected:
    """A collector of given metrics, without prometheus_client's own about the process."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = [metric for metric in metrics if metric.samples]

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics that have a sample."""
        yield from self._metrics
