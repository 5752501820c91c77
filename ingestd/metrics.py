"""All metrics of ingestd, declared here and nowhere else; ``docs/metrics.md`` is made from here.

On the hot path a metric is a number in a dict, touched once per batch and not once per event. Its text format
is written in ``ingestd.web.exposition``, by the Prometheus client library.
Names follow Prometheus's naming rules: ``ingestd_<what>_<unit>``, base units, ``_total`` on what only grows.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

_UNITS = "events|bytes|seconds|requests|connections|messages|indices|info"
_NAME = re.compile(rf"ingestd_[a-z][a-z0-9_]*?_({_UNITS})(_total)?")
_LABEL = re.compile(r"[a-z][a-z0-9_]*")

MAX_SERIES = 500
"""Label combinations that one metric keeps; later ones are counted together as ``other``.

Labels come from the config and from fixed lists of reasons, some tens of each. A mistake that puts data into
a label must not eat the daemon's memory, nor that of the Prometheus behind it.
"""

REGISTRY: dict[str, Metric] = {}
"""Every metric that ``/metrics`` shows, by name, in the order of declaration."""


class Metric(ABC):
    """What all kinds of metrics have in common: a checked name, a sentence, and named labels.

    Raises:
        ValueError: A name breaks the rules above, the sentence has no full stop, or the name is taken.
    """

    kind: ClassVar[Literal["counter", "gauge", "histogram"]]

    def __init__(
        self, name: str, doc: str, labels: tuple[str, ...] = (), *, registry: dict[str, Metric] = REGISTRY
    ) -> None:
        match = _NAME.fullmatch(name)
        if not match:
            raise ValueError(f"bad metric name {name!r}: use ingestd_<what>_<unit>, with _total for a counter")
        if (match[2] is not None) != (self.kind == "counter"):
            raise ValueError(f"bad metric name {name!r}: counters, and only they, end in _total")
        if wrong := [label for label in labels if not _LABEL.fullmatch(label) or label == "le"]:
            raise ValueError(f"{name}: bad label name {wrong[0]!r}")
        if not doc.endswith("."):
            raise ValueError(f"{name}: its documentation is a sentence, with a full stop")
        if name in registry:
            raise ValueError(f"{name} is declared twice")
        self.name, self.doc, self.labels = name, doc, labels
        registry[name] = self

    @property
    def unit(self) -> str:
        """What is counted: ``events``, ``bytes``, ``seconds`` ..."""
        match = _NAME.fullmatch(self.name)
        return match[1] if match else ""

    @abstractmethod
    def series(self) -> Sequence[Sequence[Any]]:
        """Return every series: labels, then numbers."""

    @abstractmethod
    def set_series(self, series: Iterable[Sequence[Any]]) -> None:
        """Replace all series; those with the same labels are added up."""

    def _series(self, labels: tuple[str, ...], known: int) -> tuple[str, ...]:
        """Return the labels to keep a value under that is the first of its series; ``known``: series so far."""
        if len(labels) != len(self.labels):
            raise TypeError(f"{self.name}: expected the labels {self.labels}, got {labels}")
        return labels if known < MAX_SERIES else ("other",) * len(labels)


class Number(Metric):
    """A metric that is one number per series; one without labels is 0 from the start."""

    def __init__(self, name: str, doc: str, labels: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(name, doc, labels, **kwargs)
        self._values: dict[tuple[str, ...], float] = {} if labels else {(): 0}

    def add(self, amount: float, *labels: str) -> None:
        """Add ``amount``; ``labels`` are the values of the declared labels, in their order."""
        try:
            self._values[labels] += amount
        except KeyError:
            kept = self._series(labels, len(self._values))
            self._values[kept] = self._values.get(kept, 0) + amount

    def value(self, *labels: str) -> float:
        """Return the number, 0 if there is none yet."""
        return self._values.get(labels, 0)

    def series(self) -> list[tuple[tuple[str, ...], float]]:
        """Return the labels and the number of each series."""
        return list(self._values.items())

    def set_series(self, series: Iterable[Sequence[Any]]) -> None:
        """Replace all series; those with the same labels are added up."""
        self._values = {} if self.labels else {(): 0}
        for labels, value in series:
            self.add(value, *labels)


class Counter(Number):
    """A number that only grows: what is given to ``add`` is never negative."""

    kind = "counter"


class Gauge(Number):
    """A number that rises and falls."""

    kind = "gauge"

    def set(self, value: float, *labels: str) -> None:
        """Set the number; ``labels`` are the values of the declared labels, in their order."""
        if labels not in self._values:
            labels = self._series(labels, len(self._values))
        self._values[labels] = value


class Histogram(Metric):
    """How often values of which size came. ``buckets`` are upper limits, rising, in the metric's unit."""

    kind = "histogram"

    def __init__(
        self, name: str, doc: str, labels: tuple[str, ...] = (), *, buckets: tuple[float, ...], **kwargs: Any
    ) -> None:
        super().__init__(name, doc, labels, **kwargs)
        if not buckets or list(buckets) != sorted(set(buckets)):
            raise ValueError(f"{name}: the buckets must rise")
        self.buckets = buckets
        self._counts: dict[tuple[str, ...], list[int]] = {}  # one per bucket, and one for what is above the last
        self._sums: dict[tuple[str, ...], float] = {}

    def observe(self, value: float, *labels: str) -> None:
        """Count ``value``; ``labels`` are the values of the declared labels, in their order."""
        if labels not in self._counts:
            labels = self._series(labels, len(self._counts))
            self._counts.setdefault(labels, [0] * (len(self.buckets) + 1))
        self._counts[labels][bisect_left(self.buckets, value)] += 1
        self._sums[labels] = self._sums.get(labels, 0) + value

    def series(self) -> list[tuple[tuple[str, ...], list[int], float]]:
        """Return the labels, the counts (one per bucket, one for what is above the last) and the sum of each."""
        return [(labels, counts, self._sums[labels]) for labels, counts in list(self._counts.items())]

    def set_series(self, series: Iterable[Sequence[Any]]) -> None:
        """Replace all series; those with the same labels are added up."""
        self._counts, self._sums = {}, {}
        for names, counts, total in series:
            labels = tuple(names)
            before = self._counts.get(labels, [0] * len(counts))
            self._counts[labels] = [one + other for one, other in zip(before, counts, strict=True)]
            self._sums[labels] = self._sums.get(labels, 0) + total


EVENTS_RECEIVED = Counter(
    "ingestd_received_events_total",
    "Events that an input took in and its codec decoded.",
    ("pipeline", "input"),
)
BYTES_RECEIVED = Counter(
    "ingestd_received_bytes_total",
    "Bytes that an input took in, before decompression and framing.",
    ("pipeline", "input"),
)
CONNECTIONS_OPEN = Gauge(
    "ingestd_open_connections",
    "Connections of clients that are open now.",
    ("pipeline", "input"),
)
CONNECTIONS_ACCEPTED = Counter(
    "ingestd_accepted_connections_total",
    "Connections accepted from clients.",
    ("pipeline", "input"),
)
CONNECTIONS_CLOSED = Counter(
    "ingestd_closed_connections_total",
    "Connections of clients that ended. `reason` is end, idle, limit, error or shutdown.",
    ("pipeline", "input", "reason"),
)
EVENTS_FILTERED = Counter(
    "ingestd_filtered_events_total",
    "Events that came out of the filters, on their way to the outputs.",
    ("pipeline",),
)
EVENTS_DROPPED = Counter(
    "ingestd_dropped_events_total",
    "Events that a filter of the config dropped, as it was told to.",
    ("pipeline", "filter"),
)
EVENTS_FAILED = Counter(
    "ingestd_failed_events_total",
    "Events that a plugin could not process; they went on with the failure tag named by `reason`.",
    ("pipeline", "plugin", "reason"),
)
EVENTS_DEAD_LETTERED = Counter(
    "ingestd_dead_letter_events_total",
    "Events kept as dead letters. `stage` is framing, codec, filter or output.",
    ("stage", "plugin"),
)
BATCH_EVENTS = Histogram(
    "ingestd_batch_size_events",
    "Events that went through the filters at once.",
    ("pipeline",),
    buckets=(1, 10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000),
)
QUEUE_EVENTS = Gauge(
    "ingestd_queue_events",
    "Events taken in and not yet delivered.",
    ("pipeline",),
)
QUEUE_BYTES = Gauge(
    "ingestd_queue_bytes",
    "Bytes taken in and not yet delivered; at the setting journal.max_bytes the inputs stop reading.",
    ("pipeline",),
)
EVENTS_DELIVERED = Counter(
    "ingestd_delivered_events_total",
    "Events that an output has handed over for good.",
    ("pipeline", "output"),
)
EVENTS_DUPLICATE = Counter(
    "ingestd_duplicate_events_total",
    "Events that the destination had already, mostly from a delivery before a crash. Not among the delivered.",
    ("pipeline", "output"),
)
BYTES_DELIVERED = Counter(
    "ingestd_delivered_bytes_total",
    "Bytes of the documents that an output has handed over for good.",
    ("pipeline", "output"),
)
REQUESTS_RETRIED = Counter(
    "ingestd_retried_requests_total",
    "Deliveries tried again, in whole or in part. `reason` is a kind of error, such as timeout, an HTTP status, "
    "or item where the server could not take single events.",
    ("output", "reason"),
)
EVENTS_RETRIED = Counter(
    "ingestd_retried_events_total",
    "Events in the deliveries tried again.",
    ("output", "reason"),
)
BULK_SECONDS = Histogram(
    "ingestd_bulk_duration_seconds",
    "Time from sending a bulk request to its answer.",
    ("output",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
BULK_BYTES = Histogram(
    "ingestd_bulk_size_bytes",
    "Size of the bulk requests, before compression.",
    ("output",),
    buckets=(10_000, 100_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 20_000_000),
)
INDICES_BACKED_UP = Counter(
    "ingestd_backed_up_indices_total",
    "Indices that the daemon has backed up; each backup was read again and found whole.",
)
INDICES_DELETED = Counter(
    "ingestd_deleted_indices_total",
    "Indices that retention has deleted.",
)
INDICES_FAILED = Counter(
    "ingestd_failed_indices_total",
    "Indices that could not be backed up or deleted; they are tried again each hour.",
)
INDICES_OVERDUE = Gauge(
    "ingestd_overdue_indices",
    "Indices that the last run could not back up or delete; while there are any, /health says degraded.",
)
LIFECYCLE_SUCCESS = Gauge(
    "ingestd_lifecycle_success_timestamp_seconds",
    "When backup and retention last did all that was due.",
)
LOG_MESSAGES = Counter(
    "ingestd_log_messages_total",
    "Messages of the daemon's own log, those suppressed by its rate limit included.",
    ("level",),
)
BUILD_INFO = Gauge(
    "ingestd_build_info",
    "Always 1; the labels say which ingestd and which Python this is.",
    ("version", "python"),
)
WORKER_CPU_SECONDS = Counter(
    "ingestd_worker_cpu_seconds_total",
    "CPU time, user and system, of each worker process.",
    ("worker",),
)

Snapshot = dict[str, list[list[Any]]]
"""The series of each metric as JSON: labels and number, or for a histogram labels, counts and sum."""


def snapshot() -> Snapshot:
    """Return all numbers of this process."""
    return {name: [list(one) for one in metric.series()] for name, metric in REGISTRY.items()}


def replace(snapshots: list[Snapshot]) -> None:
    """Set every metric to the sum of what several processes counted."""
    for name, metric in REGISTRY.items():
        metric.set_series([series for one in snapshots for series in one.get(name, [])])
