"""All metrics of ingestd; ``docs/metrics.md`` is generated from this module.

Metrics are updated once per batch, not per event. ``ingestd.web.exposition`` renders them with prometheus-client.
That library's own metric classes are not used: they have no public way to add up the histograms of several processes,
an update takes eight times as long, and importing them adds 30 to 40 ms and 3 MB to every process.

Names follow the conventions of Prometheus: ``ingestd_<what>_<unit>``, base units, ``_total`` for counters.
"""

from __future__ import annotations

import re
from abc import ABC
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

_UNITS = "events|datagrams|bytes|seconds|requests|connections|messages|indices|files|objects|notifications|firing|info"
_NAME = re.compile(rf"ingestd_[a-z][a-z0-9_]*?_({_UNITS})(_total)?")
_LABEL = re.compile(r"(?!le$)[a-z][a-z0-9_]*")

MAX_SERIES = 500
"""Label combinations kept per metric; any further ones are counted together as ``other``.

Label values come from the config and from fixed lists of reasons, some tens of each. If event data ended up in a
label by mistake, it must not exhaust the memory of the daemon or of the Prometheus server.
"""

REGISTRY: dict[str, Metric] = {}
"""Every metric served at ``/metrics``, by name, in order of declaration."""

Series = tuple[tuple[str, ...], list[float]]
"""Label values, in the order of the declared labels, and the numbers: one, or for a histogram buckets and sum."""

Snapshot = dict[str, Sequence[Sequence[Any]]]
"""The ``Series`` of each metric by name, directly or after a round trip through JSON."""


class _Numbers(dict[tuple[str, ...], list[float]]):
    """The numbers of each series by label values; a missing series starts at zero."""

    def __init__(self, metric: Metric) -> None:
        super().__init__()
        self._metric = metric
        if not metric.labels:
            self[()]  # shown as zero before the first update

    def __missing__(self, labels: tuple[str, ...]) -> list[float]:
        if len(labels) != len(self._metric.labels):
            raise TypeError(f"{self._metric.name}: expected the labels {self._metric.labels}, got {labels}")
        kept = labels if len(self) < MAX_SERIES else ("other",) * len(labels)
        return self.setdefault(kept, [0] * self._metric.width)


class Metric(ABC):
    """A metric with a checked name, a help text and named labels.

    Raises:
        ValueError: The name or a label breaks the rules above or is reserved, the help text does not end in a full
            stop, or the name is already taken.
    """

    kind: ClassVar[Literal["counter", "gauge", "histogram"]]
    width = 1
    """How many numbers each series has."""

    def __init__(
        self, name: str, doc: str, labels: tuple[str, ...] = (), *, registry: dict[str, Metric] = REGISTRY
    ) -> None:
        self.name, self.doc, self.labels = name, doc, labels
        self._check()
        if registry.setdefault(name, self) is not self:
            raise ValueError(f"{name} is declared twice")
        self._numbers = _Numbers(self)

    def _check(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"bad metric name {self.name!r}: use ingestd_<what>_<unit>, with _total for a counter")
        if self.name.endswith("_total") != (self.kind == "counter"):
            raise ValueError(f"bad metric name {self.name!r}: counters, and only they, end in _total")
        if bad := [label for label in self.labels if not _LABEL.fullmatch(label)]:
            raise ValueError(f"{self.name}: bad label name {bad[0]!r}")
        if not self.doc.endswith("."):
            raise ValueError(f"{self.name}: its help text must be a sentence with a full stop")

    def snapshot(self) -> list[Series]:
        """Return a copy of every series; safe while other threads update the metric."""
        return [(labels, numbers.copy()) for labels, numbers in list(self._numbers.items())]

    def replace(self, series: Iterable[Sequence[Any]]) -> None:
        """Replace all series by ``series``; those with the same labels are added up."""
        merged = _Numbers(self)
        for labels, numbers in series:
            total = merged[tuple(labels)]
            total[:] = [a + b for a, b in zip(total, numbers, strict=True)]
        self._numbers = merged


class Number(Metric):
    """A metric with a single number per series."""

    def add(self, amount: float, *labels: str) -> None:
        """Add ``amount``; ``labels`` are the values of the declared labels, in order."""
        self._numbers[labels][0] += amount

    def value(self, *labels: str) -> float:
        """Return the number, 0 if there is no such series yet."""
        return self._numbers.get(labels, (0,))[0]

    def series(self) -> list[tuple[tuple[str, ...], float]]:
        """Return the label values and the number of each series."""
        return [(labels, number) for labels, (number,) in self.snapshot()]


class Counter(Number):
    """A number that only goes up: never pass a negative amount to ``add``."""

    kind = "counter"


class Gauge(Number):
    """A number that can go up and down."""

    kind = "gauge"

    def set(self, value: float, *labels: str) -> None:
        """Set the number; ``labels`` are the values of the declared labels, in order."""
        self._numbers[labels][0] = value


class Histogram(Metric):
    """Counts observed values by size.

    ``buckets`` are inclusive upper bounds in ascending order, in the unit of the metric; ``+Inf`` is implied.
    """

    kind = "histogram"

    def __init__(
        self, name: str, doc: str, labels: tuple[str, ...] = (), *, buckets: tuple[float, ...], **kwargs: Any
    ) -> None:
        if not buckets or list(buckets) != sorted(set(buckets)):
            raise ValueError(f"{name}: the buckets must rise")
        self.buckets, self.width = buckets, len(buckets) + 2
        super().__init__(name, doc, labels, **kwargs)

    def observe(self, value: float, *labels: str) -> None:
        """Count ``value``; ``labels`` are the values of the declared labels, in order."""
        numbers = self._numbers[labels]
        numbers[bisect_left(self.buckets, value)] += 1
        numbers[-1] += value

    def series(self) -> list[tuple[tuple[str, ...], list[float], float]]:
        """Return the label values, the count of each bucket (not cumulative; the last is ``+Inf``) and the sum."""
        return [(labels, counts, total) for labels, (*counts, total) in self.snapshot()]


EVENTS_RECEIVED = Counter(
    "ingestd_received_events_total",
    "Events received by an input, counted before they are decoded.",
    ("pipeline", "input"),
)
BYTES_RECEIVED = Counter(
    "ingestd_received_bytes_total", "Bytes of complete frames received by an input.", ("pipeline", "input")
)
CONNECTIONS_OPEN = Gauge("ingestd_open_connections", "Open client connections.", ("pipeline", "input"))
CONNECTIONS_ACCEPTED = Counter(
    "ingestd_accepted_connections_total", "Client connections accepted.", ("pipeline", "input")
)
CONNECTIONS_CLOSED = Counter(
    "ingestd_closed_connections_total",
    "Client connections closed. `reason` is end, idle, error, rejected or shutdown.",
    ("pipeline", "input", "reason"),
)
DATAGRAMS_DROPPED = Counter(
    "ingestd_dropped_datagrams_total",
    "Datagrams that the kernel had no room for; senders do not learn of it.",
    ("pipeline", "input"),
)
HTTP_REQUESTS = Counter(
    "ingestd_http_requests_total",
    "Requests that an input of HTTP has answered. `status` is that of the answer: 429 means that the journal was full "
    "or too many requests waited, 401 that a secret was wrong.",
    ("pipeline", "input", "status"),
)
SENDERS_UNSUPPORTED = Counter(
    "ingestd_unsupported_connections_total",
    "Client connections whose first bytes are not what the input is for. `kind` is pickle, syslog, syslog_nul, "
    "syslog_octet_counting, gelf, beats, http, tls or proxy; the log names the clients and what to do.",
    ("pipeline", "input", "kind"),
)
EVENTS_FILTERED = Counter(
    "ingestd_filtered_events_total", "Events passed on by the filters to the outputs.", ("pipeline",)
)
EVENTS_DROPPED = Counter(
    "ingestd_dropped_events_total", "Events dropped by a filter, as configured.", ("pipeline", "filter")
)
EVENTS_FAILED = Counter(
    "ingestd_failed_events_total",
    "Events that a plugin failed to process; they continued with the failure tag given by `reason`.",
    ("pipeline", "plugin", "reason"),
)
EVENTS_DEAD_LETTERED = Counter(
    "ingestd_dead_letter_events_total",
    "Events stored as dead letters. `stage` is framing, codec, filter or output.",
    ("stage", "plugin"),
)
BATCH_EVENTS = Histogram(
    "ingestd_batch_size_events",
    "Events per batch passed to the filters.",
    ("pipeline",),
    buckets=(1, 10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000),
)
FILES_WATCHED = Gauge("ingestd_watched_files", "Files that an input reads or waits for.", ("pipeline", "input"))
FILES_UNREAD_BYTES = Gauge(
    "ingestd_unread_file_bytes",
    "Bytes in files that are not stored yet, of compressed files not counted; half a line waits for its end.",
    ("pipeline", "input"),
)
KAFKA_LAG = Gauge(
    "ingestd_kafka_lag_events",
    "Records of topics that are not in the journal yet, of the partitions that an input reads; every 5 seconds.",
    ("pipeline", "input"),
)
QUEUE_EVENTS = Gauge("ingestd_queue_events", "Events received but not yet delivered by every output.", ("pipeline",))
QUEUE_BYTES = Gauge(
    "ingestd_queue_bytes",
    "Bytes received but not yet delivered by every output; inputs stop reading at the setting journal.max_bytes.",
    ("pipeline",),
)
EVENTS_STALLED = Gauge(
    "ingestd_stalled_events",
    "Events that wait for an output which has delivered nothing for 10 seconds; /health gives the reason.",
    ("pipeline", "output"),
)
EVENTS_DELIVERED = Counter(
    "ingestd_delivered_events_total", "Events delivered by an output, excluding duplicates.", ("pipeline", "output")
)
EVENTS_DUPLICATE = Counter(
    "ingestd_duplicate_events_total",
    "Events that the destination already had, usually from a delivery before a crash; not counted as delivered.",
    ("pipeline", "output"),
)
EVENTS_LOST = Counter(
    "ingestd_lost_events_total",
    "Events that an output did not get, because a part of the journal is damaged or missing.",
    ("pipeline", "output"),
)
BYTES_DELIVERED = Counter(
    "ingestd_delivered_bytes_total", "Bytes delivered by an output, measured as received.", ("pipeline", "output")
)
REQUESTS_RETRIED = Counter(
    "ingestd_retried_requests_total",
    "Deliveries retried, in whole or in part. `reason` is a kind of error such as timeout or disk, an HTTP status, "
    "or item if the server failed only on some of the events.",
    ("output", "reason"),
)
EVENTS_RETRIED = Counter("ingestd_retried_events_total", "Events in retried deliveries.", ("output", "reason"))
BULK_SECONDS = Histogram(
    "ingestd_bulk_duration_seconds",
    "Time from sending a bulk request to receiving its response.",
    ("output",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
BULK_BYTES = Histogram(
    "ingestd_bulk_size_bytes",
    "Size of bulk requests before compression.",
    ("output",),
    buckets=(10_000, 100_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 20_000_000),
)
OBJECTS_UPLOADED = Counter("ingestd_uploaded_objects_total", "Objects that an output s3 has uploaded.", ("output",))
SPOOLED_BYTES = Gauge(
    "ingestd_spooled_bytes",
    "Bytes of events that an output s3 keeps on this machine until they are uploaded.",
    ("output",),
)
INDICES_BACKED_UP = Counter(
    "ingestd_backed_up_indices_total", "Indices backed up by the daemon; each backup was read back and verified."
)
INDICES_DELETED = Counter("ingestd_deleted_indices_total", "Indices deleted by retention.")
INDICES_FAILED = Counter(
    "ingestd_failed_indices_total", "Failures to back up or delete an index; they are retried every hour."
)
INDICES_OVERDUE = Gauge(
    "ingestd_overdue_indices",
    "Indices that the last run failed to back up or delete; while there are any, /health reports degraded.",
)
LIFECYCLE_SUCCESS = Gauge(
    "ingestd_lifecycle_success_timestamp_seconds",
    "Unix time of the last run of backup and retention that had no failures.",
)
ALERT_FIRING = Gauge(
    "ingestd_alert_firing",
    "1 while an alert fires, else 0; it keeps its value while the store does not respond.",
    ("alert",),
)
NOTIFICATIONS_SENT = Counter(
    "ingestd_sent_notifications_total", "Notifications of alerts that a channel has taken.", ("channel",)
)
NOTIFICATIONS_FAILED = Counter(
    "ingestd_failed_notifications_total",
    "Attempts to send a notification of an alert that a channel did not take; they are repeated.",
    ("channel",),
)
LOG_MESSAGES = Counter(
    "ingestd_log_messages_total",
    "Messages logged by the daemon, including those suppressed by its rate limit.",
    ("level",),
)
BUILD_INFO = Gauge(
    "ingestd_build_info", "Always 1; the labels give the versions of ingestd and Python.", ("version", "python")
)
WORKER_CPU_SECONDS = Counter(
    "ingestd_worker_cpu_seconds_total", "User and system CPU time of each worker process.", ("worker",)
)


def snapshot() -> Snapshot:
    """Return the series of every metric of this process."""
    return {name: metric.snapshot() for name, metric in REGISTRY.items()}


def replace(snapshots: Iterable[Snapshot]) -> None:
    """Replace every metric by the sum of the snapshots of several processes."""
    snapshots = list(snapshots)
    for name, metric in REGISTRY.items():
        metric.replace(series for taken in snapshots for series in taken.get(name, ()))
