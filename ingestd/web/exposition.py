"""Renders the metrics in Prometheus's text format, with its client library."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family

import ingestd
from ingestd import metrics
from ingestd.metrics import Histogram, Metric, Number

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The version that every Prometheus reads; later versions add names with dots, which ingestd does not use."""


class _Collector:
    """Passes the metrics of a registry to the library."""

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
    bounds = [*(str(float(bound)) for bound in metric.buckets), "+Inf"]
    for labels, counts, total in metric.series():
        family.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), total)
    return family


def render(registry: dict[str, Metric] = metrics.REGISTRY) -> tuple[bytes, str]:
    """Return all metrics as text, and its content type.

    Includes ``process_*`` (memory, CPU seconds, open files, start time) of the calling process, read from /proc;
    they are missing on systems without it.
    """
    metrics.BUILD_INFO.set(1, ingestd.__version__, platform.python_version())
    library = CollectorRegistry(auto_describe=False)
    library.register(_Collector(registry))
    ProcessCollector(registry=library)
    return generate_latest(library), CONTENT_TYPE
