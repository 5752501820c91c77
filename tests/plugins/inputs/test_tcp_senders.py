"""When a sender is warned of, and that there is advice for each."""

from __future__ import annotations

import pytest

from ingestd import metrics
from ingestd.plugins.inputs._tcp_senders import ADVICE, SenderReports
from ingestd.protocols.framing.senders import Sender


def test_one_warning_an_hour_for_each_address_and_kind(caplog: pytest.LogCaptureFixture) -> None:
    times = iter([0.0, 1.0, 2.0, 3.0, 3601.0])
    reports = SenderReports("main", "hours", clock=lambda: next(times))
    for sender, host in (
        (Sender.HTTP, "192.0.2.1"),
        (Sender.HTTP, "192.0.2.1"),
        (Sender.HTTP, "192.0.2.2"),
        (Sender.TLS, "192.0.2.1"),
        (Sender.LINES, "192.0.2.1"),
        (Sender.HTTP, "192.0.2.1"),
    ):
        reports.report(sender, host)
    fields = [record.__dict__["fields"] for record in caplog.records]
    assert [(each["kind"], each["client"]) for each in fields] == [
        ("http", "192.0.2.1"),
        ("http", "192.0.2.2"),
        ("tls", "192.0.2.1"),
        ("http", "192.0.2.1"),
    ]
    assert metrics.SENDERS_UNSUPPORTED.value("main", "hours", "http") == 4


def test_memory_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    reports = SenderReports("main", "many")
    for number in range(3000):
        reports.report(Sender.TLS, f"192.0.2.{number}")
    assert len(reports._warnings._warned) == 1000
    reports.report(Sender.TLS, "192.0.2.2999")
    assert len(caplog.records) == 3000


def test_expected_senders_are_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    SenderReports("main", "text", frozenset({Sender.SYSLOG})).report(Sender.SYSLOG, "192.0.2.1")
    assert (caplog.records, metrics.SENDERS_UNSUPPORTED.value("main", "text", "syslog")) == ([], 0)


@pytest.mark.parametrize("sender", [sender for sender in Sender if sender is not Sender.LINES])
def test_every_sender_has_advice(sender: Sender) -> None:
    assert ADVICE[sender].message
    assert ADVICE[sender].help
    assert sender in metrics.SENDERS_UNSUPPORTED.doc
