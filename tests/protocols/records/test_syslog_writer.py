"""Writing syslog messages: what is written is read as the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.protocols.records.syslog import SyslogMessage, parse_syslog
from ingestd.protocols.records.syslog_writer import (
    Header,
    bsd_message,
    escaped,
    message_text,
    one_line,
    priority_of_labels,
    priority_of_text,
    structured_message,
)

LABELS = [  # facility, severity, priority; RFC 5424, section 6.2.1
    ("user-level", "notice", 13),
    ("kernel", "emergency", 0),
    ("local0", "debug", 135),
    ("local7", "Debug", 191),
    ("auth", "ERROR", 35),
    ("ftp", "INFO", 94),
    ("ntp", "warn", 100),
    ("authpriv", "crit", 82),
    (" Mail ", "informational", 22),
    ("%{facility}", "%{level}", 13),
    ("", "", 13),
]


@pytest.mark.parametrize(("facility", "severity", "expected"), LABELS)
def test_labels(facility: str, severity: str, expected: int) -> None:
    assert priority_of_labels(facility, severity) == expected


PRIORITIES = [("0", 0), ("191", 191), (" 14 ", 14), ("192", 13), ("-1", 13), ("%{syslog_pri}", 13), ("", 13), ("²", 13)]


@pytest.mark.parametrize(("text", "expected"), PRIORITIES)
def test_priorities(text: str, expected: int) -> None:
    assert priority_of_text(text) == expected


HEADERS = [  # id, header, as RFC 3164, as RFC 5424
    (
        "usual",
        Header(14, "Nov 29 10:00:00", "web1", "shop", "17", "visit"),
        "<14>Nov 29 10:00:00 web1 shop[17]: hi",
        "<14>1 Nov 29 10:00:00 web1 shop 17 visit - hi",
    ),
    (
        "day_below_10",
        Header(14, "Nov 09 10:00:00", "web1", "shop", "-"),
        "<14>Nov  9 10:00:00 web1 shop: hi",
        "<14>1 Nov 09 10:00:00 web1 shop - - - hi",
    ),
    ("nothing", Header(14, "", "", "", ""), "<14> - -: hi", "<14>1 - - - - - - hi"),
    (
        "blanks",
        Header(14, "T", "my host", "a: [b]", "x y", "서울"),
        "<14>T my_host a_b_[x_y]: hi",
        "<14>1 T my_host a:_[b] x_y _ - hi",
    ),
    (
        "long",
        Header(14, "T", "h" * 300, "a" * 50, "p" * 130, "m" * 40),
        f"<14>T {'h' * 255} {'a' * 48}[{'p' * 128}]: hi",
        f"<14>1 T {'h' * 255} {'a' * 48} {'p' * 128} {'m' * 32} - hi",
    ),
]


@pytest.mark.parametrize(("header", "bsd", "structured"), [row[1:] for row in HEADERS], ids=[row[0] for row in HEADERS])
def test_headers(header: Header, bsd: str, structured: str) -> None:
    assert bsd_message(header, "hi") == bsd
    assert structured_message(header, "", "hi") == structured


MESSAGES = [
    ("a\nb\r\nc\rd", r"a\nb\nc\nd"),
    ("a \n\n", "a"),
    ("\na", r"\na"),
    ("", ""),
    ("a\\nb", "a\\nb"),
    ("a\0b", r"a\0b"),
]


@pytest.mark.parametrize(("text", "expected"), MESSAGES)
def test_a_message_is_one_line(text: str, expected: str) -> None:
    assert message_text(text) == expected


WORDS = st.text("abz019._/~!", min_size=1, max_size=20)
HEADERS_READ = st.builds(
    Header, st.integers(0, 191), st.just("2026-11-29T10:00:00.000+00:00"), WORDS, WORDS, st.integers(0).map(str), WORDS
)


@given(HEADERS_READ, st.text(), st.text())
def test_what_is_written_is_read(header: Header, value: str, text: str) -> None:
    value, message = one_line(value), message_text(text.lstrip())
    header = header._replace(pid=header.pid[:10])
    written = structured_message(header, f'[a@1 b="{escaped(value)}"]', message)
    priority, time, host, program, pid, message_id = header
    expected = SyslogMessage(priority, time, host, program, pid, message, 1, message_id, {"a@1": {"b": value}})
    assert parse_syslog(written) == expected._replace(message=message.removeprefix("\ufeff"))
    bsd = bsd_message(header._replace(timestamp="Nov 09 10:00:00"), message)
    assert parse_syslog(bsd) == SyslogMessage(priority, "Nov  9 10:00:00", host, program, pid, message)
