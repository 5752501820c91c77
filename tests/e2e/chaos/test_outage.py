"""A server that is silent for longer than memory holds: the journal keeps all; when it is full, senders wait."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.chaos.tools import check_exactly, figure, scaled, usage, usage_at_rest
from tests.e2e.chaos.traffic import Sender, events_to_fill
from tests.e2e.daemon import Daemon
from tests.e2e.gate import Gate
from tests.e2e.stub import StubElasticsearch
from tests.waiting import wait_until

CONFIG = """
input { tcp { port => 0 host => "127.0.0.1" codec => json_lines } }
output {
  elasticsearch { hosts => ["%s"] timeout => 5 retry_initial_interval => 0.05 retry_max_interval => 0.2 }
}
"""
EVENTS = scaled(150_000, 2_000_000)
MOST_RSS_GROWTH = 96 << 20


def test_more_than_memory_holds(tmp_path: Path) -> None:
    with StubElasticsearch() as stub, Gate(stub.url) as gate:
        config = CONFIG % gate.url
        with Daemon(tmp_path, config=config, workers="1", queue_bytes="2MB") as daemon:
            before = usage_at_rest(daemon, 1)
            with Sender(daemon.port, EVENTS) as sender:
                sender.join()
            daemon.wait_for_metric("ingestd_queue_events", EVENTS)
            silent = usage(daemon)
            gate.open()
            wait_until(lambda: len(stub.documents) == EVENTS, "all events")
            after = usage(daemon)
    figure(rss_mb=[round(sample.rss / 1e6) for sample in (before, silent, after)], queued_mb=round(sender.sent / 1e6))
    check_exactly(stub.values("n"), range(EVENTS))
    assert silent.rss - before.rss < MOST_RSS_GROWTH
    assert after.rss - before.rss < MOST_RSS_GROWTH


def test_more_than_the_journal_holds(tmp_path: Path) -> None:
    """The sender is held up, and the daemon's own restart changes nothing about it."""
    settings = {"queue_bytes": "1MB", "journal_max_bytes": "8MB", "journal_segment_bytes": "1MB"}
    events = max(EVENTS, events_to_fill(8_000_000))
    with StubElasticsearch() as stub, Gate(stub.url) as gate:
        config = CONFIG % gate.url
        with (
            Daemon(tmp_path, config=config, workers="1", **settings) as daemon,
            Sender(daemon.port, events) as sender,
        ):
            wait_until(lambda: daemon.full, "the journal to be full")
            wait_until(sender.stuck, "the sender to be held up")
            assert daemon.metric("ingestd_queue_bytes") <= 8e6
            assert "its journal is full" in daemon.refusal("/health/ready")
            figure(taken_mb=round(sender.sent / 1e6), journal_mb=round(folder_bytes(daemon.data_dir) / 1e6))
            assert folder_bytes(daemon.data_dir) < 9e6
            gate.open()
            wait_until(lambda: len(stub.documents) == events, "all events")
            sender.join()
    check_exactly(stub.values("n"), range(events))


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
