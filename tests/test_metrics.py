import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingestd import metrics
from ingestd.metrics import MAX_SERIES, Counter, Gauge, Histogram, Metric

PACKAGE = Path(metrics.__file__).parent


def test_counter() -> None:
    counter = Counter("ingestd_seen_events_total", "Seen.", ("pipeline", "input"), registry={})
    counter.add(2, "main", "tcp")
    counter.add(3, "main", "tcp")
    counter.add(1, "main", "udp")
    assert counter.series() == [(("main", "tcp"), 5), (("main", "udp"), 1)]
    assert counter.value("main", "http") == 0


def test_without_labels_it_is_zero_from_the_start() -> None:
    assert Counter("ingestd_seen_events_total", "Seen.", registry={}).series() == [((), 0)]


def test_gauge() -> None:
    gauge = Gauge("ingestd_kept_bytes", "Kept.", ("pipeline",), registry={})
    gauge.add(5, "main")
    gauge.add(-2, "main")
    gauge.set(10, "other")
    assert gauge.series() == [(("main",), 3), (("other",), 10)]


def test_histogram_limits_belong_to_their_bucket() -> None:
    histogram = Histogram("ingestd_wait_seconds", "Wait.", buckets=(1, 2), registry={})
    for value in (0, 1, 1.5, 2, 2.5):
        histogram.observe(value)
    assert histogram.series() == [((), [2, 2, 1], 7.0)]


@pytest.mark.parametrize("labels", [(), ("a",), ("a", "b", "c")])
def test_a_wrong_number_of_labels_is_a_mistake_of_the_caller(labels: tuple[str, ...]) -> None:
    names = ("one", "two")
    with pytest.raises(TypeError, match="expected the labels"):
        Counter("ingestd_seen_events_total", "Seen.", names, registry={}).add(1, *labels)
    with pytest.raises(TypeError, match="expected the labels"):
        Gauge("ingestd_seen_events", "Seen.", names, registry={}).set(1, *labels)
    with pytest.raises(TypeError, match="expected the labels"):
        Histogram("ingestd_wait_seconds", "Wait.", names, buckets=(1,), registry={}).observe(1, *labels)


def _counter() -> tuple[Counter, Callable[[str], None]]:
    counter = Counter("ingestd_seen_events_total", "Seen.", ("client",), registry={})
    return counter, lambda label: counter.add(1, label)


def _gauge() -> tuple[Gauge, Callable[[str], None]]:
    gauge = Gauge("ingestd_seen_events", "Seen.", ("client",), registry={})
    return gauge, lambda label: gauge.set(1, label)


def _histogram() -> tuple[Histogram, Callable[[str], None]]:
    histogram = Histogram("ingestd_wait_seconds", "Wait.", ("client",), buckets=(1,), registry={})
    return histogram, lambda label: histogram.observe(1, label)


@pytest.mark.parametrize("make", [_counter, _gauge, _histogram])
def test_labels_are_bounded(make: Callable[[], tuple[Any, Callable[[str], None]]]) -> None:
    """Data in a label must not eat the memory: what comes late is counted as ``other``."""
    metric, count = make()
    for number in range(MAX_SERIES + 50):
        count(f"client {number}")
    count("client 0")
    series = metric.series()
    assert len(series) == MAX_SERIES + 1
    assert series[-1][0] == ("other",)


def _through_json(metric: Metric) -> Any:
    return json.loads(json.dumps(metric.snapshot()))


def test_replacing_adds_up_the_snapshots_of_several_processes() -> None:
    counter = Counter("ingestd_seen_events_total", "Seen.", ("pipeline",), registry={})
    counter.add(2, "main")
    first = _through_json(counter)
    counter.add(1, "other")
    counter.replace([*first, *_through_json(counter)])
    assert counter.series() == [(("main",), 4), (("other",), 1)]


def test_replacing_adds_up_the_buckets_of_histograms() -> None:
    histogram = Histogram("ingestd_wait_seconds", "Wait.", ("output",), buckets=(1, 2), registry={})
    histogram.observe(0.5, "es")
    first = _through_json(histogram)
    histogram.observe(3, "es")
    histogram.replace([*first, *_through_json(histogram)])
    assert histogram.series() == [(("es",), [2, 0, 1], 4.0)]


def test_replacing_by_nothing_leaves_zero() -> None:
    gauge = Gauge("ingestd_kept_bytes", "Kept.", registry={})
    gauge.set(5)
    gauge.replace([])
    assert gauge.series() == [((), 0)]


@pytest.mark.parametrize("make", [_counter, _gauge, _histogram])
def test_labels_of_several_processes_are_bounded(make: Callable[[], tuple[Any, Callable[[str], None]]]) -> None:
    snapshots: list[Any] = []
    for process in ("a", "b"):
        metric, count = make()
        for number in range(MAX_SERIES):
            count(f"client {process} {number}")
        snapshots += _through_json(metric)
    metric.replace(snapshots)
    assert len(metric.series()) == MAX_SERIES + 1
    assert metric.series()[-1][0] == ("other",)


def test_a_snapshot_is_a_copy() -> None:
    counter = Counter("ingestd_seen_events_total", "Seen.", registry={})
    before = counter.snapshot()
    counter.add(1)
    assert before == [((), [0])]


BAD = [  # id, how it is declared, what the error says
    ("namespace", lambda r: Counter("seen_events_total", "Seen.", registry=r), "bad metric name"),
    ("unit", lambda r: Counter("ingestd_seen_apples_total", "Seen.", registry=r), "bad metric name"),
    ("milliseconds", lambda r: Gauge("ingestd_wait_milliseconds", "Wait.", registry=r), "bad metric name"),
    ("case", lambda r: Counter("ingestd_Seen_events_total", "Seen.", registry=r), "bad metric name"),
    ("counter_no_total", lambda r: Counter("ingestd_seen_events", "Seen.", registry=r), "end in _total"),
    ("gauge_total", lambda r: Gauge("ingestd_seen_events_total", "Seen.", registry=r), "end in _total"),
    ("label", lambda r: Gauge("ingestd_a_bytes", "A.", ("__x",), registry=r), "bad label name '__x'"),
    ("reserved", lambda r: Gauge("ingestd_a_bytes", "A.", ("le",), registry=r), "bad label name 'le'"),
    ("doc", lambda r: Gauge("ingestd_a_bytes", "no sentence", registry=r), "full stop"),
    ("no_buckets", lambda r: Histogram("ingestd_a_bytes", "A.", buckets=(), registry=r), "must rise"),
    ("falling", lambda r: Histogram("ingestd_a_bytes", "A.", buckets=(2, 1), registry=r), "must rise"),
]


@pytest.mark.parametrize(("declare", "error"), [c[1:] for c in BAD], ids=[c[0] for c in BAD])
def test_bad_declarations(declare: Callable[[dict[str, Metric]], Metric], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        declare({})


def test_a_name_is_declared_once() -> None:
    registry: dict[str, Metric] = {}
    Gauge("ingestd_a_bytes", "A.", registry=registry)
    with pytest.raises(ValueError, match="declared twice"):
        Gauge("ingestd_a_bytes", "A.", registry=registry)


def test_every_metric_is_declared_in_one_module() -> None:
    declared = re.compile(r"\b(Counter|Gauge|Histogram)\(\s*[\"']")
    files = [path for path in PACKAGE.rglob("*.py") if declared.search(path.read_text("utf-8"))]
    assert files == [PACKAGE / "metrics.py"]


def test_every_metric_is_set_somewhere() -> None:
    """A metric that nothing sets would stand in the documentation and say 0 forever."""
    code = "\n".join(p.read_text("utf-8") for p in PACKAGE.rglob("*.py") if p.name != "metrics.py")
    words = set(re.findall(r"\w+", code))
    names = [name for name, value in vars(metrics).items() if isinstance(value, Metric)]
    assert len(names) == len(metrics.REGISTRY)
    assert [name for name in names if name not in words] == []
