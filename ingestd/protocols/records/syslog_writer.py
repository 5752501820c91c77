"""Write syslog messages. Pure; ``syslog`` reads them.

Sources: RFC 3164 (BSD syslog), RFC 5424 (structured data). Labels: those of Logstash's plugins, and the keywords of
syslog.conf(5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ingestd.protocols.records.syslog import DEFAULT_PRIORITY, MAX_PRIORITY

_FACILITIES: Sequence[Sequence[str]] = (
    ("kernel", "kern"),
    ("user-level", "user"),
    ("mail",),
    ("daemon", "system"),
    ("security/authorization", "auth", "security"),
    ("syslogd", "syslog"),
    ("line printer", "lpr"),
    ("network news", "news"),
    ("uucp",),
    ("clock", "cron"),
    ("authpriv",),
    ("ftp",),
    ("ntp",),
    ("log audit",),
    ("log alert",),
    (),  # a second clock daemon
    *((f"local{number}",) for number in range(8)),
)
_SEVERITIES: Sequence[Sequence[str]] = (
    ("emergency", "emerg", "panic"),
    ("alert",),
    ("critical", "crit", "fatal"),
    ("error", "err"),
    ("warning", "warn"),
    ("notice",),
    ("informational", "info"),
    ("debug",),
)


def _numbers(labels: Sequence[Sequence[str]]) -> dict[str, int]:
    return {label: number for number, same in enumerate(labels) for label in same}


_FACILITY_NUMBERS: Mapping[str, int] = _numbers(_FACILITIES)
_SEVERITY_NUMBERS: Mapping[str, int] = _numbers(_SEVERITIES)

NIL = "-"
"""What stands for a part of the header that is not known: RFC 5424, section 6."""

_HEADER_LENGTHS = (255, 48, 128, 32)  # RFC 5424, section 6: host, program, process id, message id

_NOT_IN_HEADER = re.compile(r"[^!-~]+")
_NOT_IN_TAG = re.compile(r"[^!-9;-Z\\^-~]+")  # nor a colon or brackets
_MESSAGE_END = re.compile(r"\r?\n|[\r\0]")
_ESCAPED = re.compile(r'(["\\\]])')


def priority_of_labels(facility: str, severity: str) -> int:
    """Return the priority of labels, whatever their case; user-level and notice for those that are none."""
    default_facility, default_severity = divmod(DEFAULT_PRIORITY, 8)
    number = _FACILITY_NUMBERS.get(facility.strip().lower(), default_facility)
    return number * 8 + _SEVERITY_NUMBERS.get(severity.strip().lower(), default_severity)


def priority_of_text(text: str) -> int:
    """Return the priority that a text says, the default one if it says none."""
    digits = text.strip()
    number = int(digits) if digits.isdecimal() and len(digits) <= 3 else DEFAULT_PRIORITY
    return number if number <= MAX_PRIORITY else DEFAULT_PRIORITY


def header_text(text: str, max_length: int) -> str:
    """Return a part of a header: printable ASCII without blanks, of a limited length, never empty."""
    return _NOT_IN_HEADER.sub("_", text.strip())[:max_length] or NIL


def tag_text(text: str, max_length: int) -> str:
    """Return a part of the tag of RFC 3164: as in a header, and without its brackets and colon."""
    return _NOT_IN_TAG.sub("_", text.strip())[:max_length] or NIL


def one_line(text: str) -> str:
    r"""Return a text without what ends a message on a stream: line ends become ``\n``, and NUL becomes ``\0``.

    Receivers may take either for the end: RFC 6587, section 3.4.2.
    """
    if "\n" in text or "\r" in text or "\0" in text:
        return _MESSAGE_END.sub(lambda end: r"\0" if end[0] == "\0" else r"\n", text)
    return text


def message_text(text: str) -> str:
    """Return the text of a message on one line, without blanks and line ends at its end."""
    return one_line(text.rstrip())


def escaped(text: str) -> str:
    """Return a text as the value of a parameter of structured data: RFC 5424, section 6.3.3."""
    return _ESCAPED.sub(r"\\\1", text)


class Header(NamedTuple):
    """The parts of a header, as an event has them: with any characters, empty if it lacks them."""

    priority: int
    timestamp: str
    host: str
    program: str
    pid: str
    message_id: str = ""


def bsd_message(header: Header, message: str) -> str:
    """Return a message of RFC 3164. Its timestamp is like ``Nov 09 10:00:00``, with a zero before a day below 10."""
    priority, time, host, program, pid, _ = header
    if time[4:5] == "0":
        time = f"{time[:4]} {time[5:]}"
    host, program, pid = header_text(host, 255), tag_text(program, 48), tag_text(pid, 128)
    tag = program if pid == NIL else f"{program}[{pid}]"
    return f"<{priority}>{time} {host} {tag}: {message}"


def structured_message(header: Header, data: str, message: str) -> str:
    """Return a message of RFC 5424. ``data``: its structured data; empty: none. Fields may have put line ends there."""
    data = one_line(data) or NIL
    parts = [header_text(text, length) for text, length in zip(header[2:], _HEADER_LENGTHS, strict=True)]
    return f"<{header.priority}>1 {header.timestamp or NIL} {' '.join(parts)} {data} {message}".rstrip()
