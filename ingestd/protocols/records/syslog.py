"""Syslog: parse messages, and split connections into them. Sans-IO, like ``lines``.

Sources: RFC 3164 (BSD syslog), RFC 5424 (structured data), RFC 6587 (framing over TCP).
"""

from __future__ import annotations

import re
from typing import NamedTuple

DEFAULT_PRIORITY = 13
"""Facility user-level, severity notice: of a message without a priority, RFC 3164, section 4.3.3."""

MAX_PRIORITY = 191  # facility 23, severity 7

StructuredData = dict[str, dict[str, str | list[str]]]
"""The parameters of each element; one that occurs several times has all of its values."""


class SyslogMessage(NamedTuple):
    """One message. Texts are empty if the message lacks them.

    ``timestamp`` is as it came: ``Nov 29 16:15:17`` or ISO 8601. ``version`` is 0 for RFC 3164.
    """

    priority: int
    timestamp: str = ""
    host: str = ""
    program: str = ""
    pid: str = ""
    message: str = ""
    version: int = 0
    msgid: str = ""
    structured_data: StructuredData = {}  # noqa: RUF012 -- never changed in place


_PRIORITY = re.compile(r"<(0|[1-9][0-9]{0,2})>")

_BSD_TIME = r"[A-Z][a-z]{2} (?:[ 0-3]?[0-9]) [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
_ISO_TIME = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_PROGRAM = r"([!-Z\\^-~]{1,255}?)(?:\[([0-9]{1,10})\])?:(?= |$)"

_BSD = re.compile(rf"({_BSD_TIME}|{_ISO_TIME}) (?:([^\s\[\]]{{0,254}}[^\s\[\]:])(?: {_PROGRAM})?(?= |$)|{_PROGRAM}) ?")
"""Time, host, program, PID; or, as in messages to /dev/log, time, program, PID."""

_HEADER = re.compile(r"([1-9][0-9]{0,2}) +(\S+) +(\S+) +(\S+) +(\S+) +(\S+)(?: +|$)")
"""Version, time, host, program, PID, message id."""

_NAME, _VALUE = r'[^\s=\]"\[]{1,255}', r'(?:[^"\\]|\\.)*+'
_ELEMENT = re.compile(rf'\[({_NAME})((?: +{_NAME}="{_VALUE}")*+) *\]', re.DOTALL)
_PARAMETERS = re.compile(rf' +({_NAME})="({_VALUE})"', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\\]])')


def priority(text: str) -> int | None:
    """Return the priority at the start of a message, None if there is none or it is larger than 191."""
    match = _PRIORITY.match(text)
    return int(match[1]) if match is not None and int(match[1]) <= MAX_PRIORITY else None


def parse_syslog(text: str) -> SyslogMessage | None:
    """Return the parts of a message, None if it is neither RFC 3164 nor RFC 5424.

    More is accepted than the RFCs allow: ISO 8601 in a message of RFC 3164, as rsyslog forwards it, messages without
    a host, as programs write them to /dev/log, and messages of RFC 5424 without structured data.
    """
    found = priority(text)
    if found is None:
        return None
    start = text.index(">") + 1
    if match := _BSD.match(text, start):
        timestamp, host, program, pid, *local = match.groups(default="")
        program, pid = (program, pid) if host else local
        return SyslogMessage(found, timestamp, host, program, pid, _message(text, match.end()))
    if match := _HEADER.match(text, start):
        version, *header = match.groups()
        timestamp, host, program, pid, msgid = ("" if part == "-" else part for part in header)
        data, end = _structured_data(text, match.end())
        message = _message(text, end).removeprefix("\ufeff")
        return SyslogMessage(found, timestamp, host, program, pid, message, int(version), msgid, data)
    return None


def _message(text: str, start: int) -> str:
    return text[start:].rstrip("\0\r\n")


def _structured_data(text: str, start: int) -> tuple[StructuredData, int]:
    """Return the elements at ``start``, and where the message starts. What is not an element belongs to the message."""
    if text.startswith("-", start) and text[start + 1 : start + 2] in ("", " "):
        return {}, start + 2
    data: StructuredData = {}
    end = start
    while match := _ELEMENT.match(text, end):
        element = data.setdefault(match[1], {})
        for name, value in _PARAMETERS.findall(match[2]):
            _add(element, name, _ESCAPED.sub(r"\1", value))
        end = match.end()
    return data, end + 1 if text.startswith(" ", end) and data else end


def _add(element: dict[str, str | list[str]], name: str, value: str) -> None:
    before = element.get(name)
    if before is None:
        element[name] = value
    else:
        element[name] = [*before, value] if isinstance(before, list) else [before, value]


_LENGTH = re.compile(rb"([1-9][0-9]{0,8}) ")
_LENGTH_START = re.compile(rb"[1-9][0-9]{0,8} ?")


class FrameError(ValueError):
    """What follows is not a frame with an octet count: there is no way to find the next one."""


def frame_end(data: bytes | bytearray, start: int = 0, size: int | None = None) -> int | None:
    """Return where the frame ends that starts at ``start``, beyond ``size`` or not; None: that is not known yet.

    A frame is ``MSG-LEN SP SYSLOG-MSG``: RFC 6587, section 3.4.1.

    Raises:
        FrameError: It does not start with its length.
    """
    size = len(data) if size is None else size
    match = _LENGTH.match(data, start, size)
    if match is not None:
        return match.end() + int(match[1])
    if start == size or _LENGTH_START.fullmatch(data, start, size):
        return None
    raise FrameError("the message does not start with its length")


def whole_frames(data: bytearray, size: int) -> int:
    """Return how many of the first ``size`` bytes are whole frames, up to what is not a frame."""
    whole = 0
    try:
        while (end := frame_end(data, whole, size)) is not None and end <= size:
            whole = end
    except FrameError:
        return whole
    return whole


def frame_fault(data: bytearray, size: int, max_bytes: int) -> str:
    """Return why the first ``size`` bytes will never be a frame, empty if they may.

    ``max_bytes``: of a frame, with its length.
    """
    try:
        end = frame_end(data, 0, size)
    except FrameError as error:
        return f"{error}: no other can be found, so the connection was closed"
    if end is not None and end > max_bytes:
        return (
            f"the message is longer than max_line_bytes: {end} of {max_bytes} bytes allowed; the connection was closed"
        )
    return ""


def frames_as_lines(data: bytes) -> bytes:
    """Return frames as lines at the same offsets: see ``message_of_line``. The last frame may be cut."""
    lines: list[bytes] = []
    start = 0
    while match := _LENGTH.match(data, start):
        end = match.end() + int(match[1])
        filler = b"\0" * (match.end() - start - 1)
        message = data[match.end() : end].replace(b"\n", b"\0")
        lines.append(filler + message + b"\n")
        start = end
    return b"".join(lines) + data[start:].replace(b"\n", b"\0")


_SWAPPED = bytes.maketrans(b"\0\n", b"\n\0")


def nul_ended_as_lines(data: bytes) -> bytes:
    """Return messages that NUL ends as lines at the same offsets: see ``message_of_line``."""
    return data.translate(_SWAPPED)


def message_of_line(line: bytes) -> bytes:
    """Return the message of a line without its line feed.

    A message over TCP may hold line feeds if its length or a NUL says where it ends. In lines these are NULs, which
    messages do not hold: RFC 5424, section 8.2.
    """
    return line.lstrip(b"\0").replace(b"\0", b"\n") if b"\0" in line else line
