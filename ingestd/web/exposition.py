"""The metrics in Prometheus's text format, written by its client library."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family

import ingestd
from ingestd import metrics
from ingestd.metrics import Histogram, Metric, Number

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The version every Prometheus reads; what later ones add concerns names with dots, which we have not."""


class _Collector:
    """The metrics of a registry, collected anew whenever the library asks."""

    def __init__(self, registry: dict[str, Metric]) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Family]:
        return (_family(metric) for metric in self._registry.values())


def _family(metric: Metric) -> Family:
    if isinstance(metric, Histogram):
        return _histogram(metric)
    assert isinstance(metric, Number)  # noqa: S101 -- there are three kinds
    make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = make(metric.name, metric.doc, labels=metric.labels)
    for labels, value in metric.series():
        family.add_metric(labels, value)
    return family


def _histogram(metric: Histogram) -> Family:
    family = HistogramMetricFamily(metric.name, metric.doc, labels=metric.labels)
    limits = [*(str(float(limit)) for limit in metric.buckets), "+Inf"]
    for labels, counts, amount in metric.series():
        total, rows = 0, []
        for limit, count in zip(limits, counts, strict=True):
            total += count
            rows.append((limit, total))
        family.add_metric(labels, rows, amount)
    return family


def render(registry: dict[str, Metric] = metrics.REGISTRY) -> tuple[bytes, str]:
    """Return all metrics as text, and its content type.

    ``process_*`` (memory, CPU seconds, open files, start time) come with them, read from Linux's /proc; on other
    systems they are left out.
    """
    metrics.BUILD_INFO.set(1, ingestd.__version__, platform.python_version())
    library = CollectorRegistry(auto_describe=False)
    library.register(_Collector(registry))
    ProcessCollector(registry=library)
    return generate_latest(library), CONTENT_TYPE
