"""The text that Prometheus reads, read back by its own client library."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ingestd import metrics
from ingestd.metrics import Counter, Gauge, Histogram, Metric
from ingestd.web.exposition import render


def scrape(registry: dict[str, Metric]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return what a scrape shows: (name, labels sorted) -> value."""
    text, _ = render(registry)
    families = text_string_to_metric_families(text.decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_every_kind() -> None:
    registry: dict[str, Metric] = {}
    counter = Counter("ingestd_seen_events_total", "Seen.", ("pipeline",), registry=registry)
    gauge = Gauge("ingestd_kept_bytes", "Kept.", registry=registry)
    histogram = Histogram("ingestd_wait_seconds", "Wait.", ("output",), buckets=(0.5, 1), registry=registry)
    counter.add(3, 'a"b\\c\n서울')
    gauge.set(7)
    for seconds in (0.5, 0.75, 30):
        histogram.observe(seconds, "es")
    shown = {key: value for key, value in scrape(registry).items() if key[0].startswith("ingestd")}
    assert shown == {
        ("ingestd_seen_events_total", (("pipeline", 'a"b\\c\n서울'),)): 3,
        ("ingestd_kept_bytes", ()): 7,
        ("ingestd_wait_seconds_bucket", (("le", "0.5"), ("output", "es"))): 1,
        ("ingestd_wait_seconds_bucket", (("le", "1.0"), ("output", "es"))): 2,
        ("ingestd_wait_seconds_bucket", (("le", "+Inf"), ("output", "es"))): 3,
        ("ingestd_wait_seconds_count", (("output", "es"),)): 3,
        ("ingestd_wait_seconds_sum", (("output", "es"),)): 31.25,
    }


@pytest.mark.parametrize("name", ["process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"])
def test_the_process_is_shown(name: str) -> None:
    assert scrape({})[name, ()] > 0


def test_all_declared_metrics_are_shown_with_their_sentence() -> None:
    text, content_type = render()
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    for metric in metrics.REGISTRY.values():
        assert f"# HELP {metric.name} {metric.doc}".encode() in text
        assert f"# TYPE {metric.name} {metric.kind}".encode() in text
    assert b"ingestd_build_info{" in text
