"""Recognise what a client speaks by the first bytes of its connection. Sans-IO: bytes in, verdict out.

Inputs that read lines get connections of clients that send something else: another handler of Python's ``logging``, a
syslog daemon, Filebeat, a browser, a TLS client, a proxy that puts a header in front. Each of these starts in a way
in which neither a JSON object nor a line of text does.

Sources: ``logging.handlers`` of CPython, RFC 5424 and 6587 (syslog over TCP), the GELF specification of Graylog, the
lumberjack protocol of go-lumber, RFC 9112 (HTTP/1.1), RFC 8446 (TLS 1.3).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum

from ingestd.protocols.framing.proxy_header import MayBeProxyHeader, parse_proxy_header


class Sender(StrEnum):
    """What a client speaks; the values are labels of metrics."""

    LINES = "lines"
    """None of those below: taken for lines of text or of JSON."""
    PICKLE = "pickle"
    """``logging.handlers.SocketHandler``: a length of 4 bytes and a pickle, again and again."""
    SYSLOG = "syslog"
    """``<13>text``, ended by a line feed (RFC 6587, section 3.4.2)."""
    SYSLOG_NUL = "syslog_nul"
    """The same, ended by NUL: ``logging.handlers.SysLogHandler``."""
    SYSLOG_OCTETS = "syslog_octet_counting"
    """``123 <13>text``, without an end (RFC 6587, section 3.4.1)."""
    GELF = "gelf"
    """JSON objects ended by NUL: GELF over TCP."""
    BEATS = "beats"
    """Filebeat, other Beats, logstash-forwarder: lumberjack, versions 1 and 2."""
    HTTP = "http"
    TLS = "tls"
    PROXY = "proxy"
    """The header of the PROXY protocol, complete, version 1 or 2; what follows it is judged on its own."""


MAX_HEAD_BYTES = 1 << 14
"""A first record that is longer and not recognised by then counts as a line."""

_PRI = rb"<(?:[0-9]|[1-9][0-9]|1[0-8][0-9]|19[01])>"  # facility 0 to 23 times 8, plus severity 0 to 7
_SYSLOG, _SYSLOG_START = re.compile(_PRI), re.compile(rb"<[0-9]{0,3}")
_OCTETS, _OCTETS_START = re.compile(rb"[1-9][0-9]{0,6} " + _PRI), re.compile(rb"[1-9][0-9]{0,6}(?: (?:<[0-9]{0,3})?)?")
_TLS_START = b"\x16\x03"
_TLS, _TLS_BYTES = re.compile(rb"\x16\x03[\x00-\x04]..\x01", re.DOTALL), 6  # a record of a ClientHello
_PICKLE = re.compile(rb"\x00...(?:\}q|\(d|\x80[\x02-\x05])", re.DOTALL)  # a dict, in protocol 1, 0, 2 to 5
_PICKLE_BYTES, _SMALLEST_PICKLE = 6, 8
_BEATS = re.compile(rb"[12]W\x00")  # a window of less than 16,777,216 events
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_REQUEST_LINE = re.compile(rb"[A-Z][A-Z-]{2,31} \S+ HTTP/[0-9]\.[0-9]\r\n")
_HEADER_LINE, _HEADER_START = re.compile(rb"\r\n|" + _TOKEN + rb"+:"), re.compile(rb"\r?|" + _TOKEN + rb"+")


def recognise(head: bytes, *, ended: bool = False) -> Sender | None:
    """Return who sends a stream that starts with ``head``; None: more bytes are needed.

    Args:
        head: From the first byte on. More than ``MAX_HEAD_BYTES`` of it are not looked at.
        ended: Nothing will follow; then there is always a verdict.

    A verdict does not change with the bytes that follow. It is never None for lines of JSON or of text: only what
    looks like the start of another protocol up to its last byte needs more, whether it has a line end or not.
    """
    head = head[:MAX_HEAD_BYTES]
    if not head:
        return Sender.LINES if ended else None
    sender = _judge(head)
    if sender is None and (ended or len(head) == MAX_HEAD_BYTES):
        return Sender.SYSLOG if _SYSLOG.match(head) else Sender.LINES
    return sender


def _judge(head: bytes) -> Sender | None:
    return _BY_FIRST_BYTE.get(head[0], _lines)(head)


def _lines(head: bytes) -> Sender:
    return Sender.LINES


def _pickle(head: bytes) -> Sender | None:
    if len(head) < _PICKLE_BYTES:
        return None
    plausible = int.from_bytes(head[:4], "big") >= _SMALLEST_PICKLE and _PICKLE.match(head)
    return Sender.PICKLE if plausible else Sender.LINES


def _tls(head: bytes) -> Sender | None:
    if not _TLS_START.startswith(head[: len(_TLS_START)]):
        return Sender.LINES
    if len(head) < _TLS_BYTES:
        return None
    return Sender.TLS if _TLS.match(head) else Sender.LINES


def _object(head: bytes) -> Sender | None:
    """A JSON object: of GELF if a NUL ends it. Valid JSON contains none."""
    match _first_end(head):
        case 0, at:
            return Sender.GELF if head[at - 1 : at] == b"}" else Sender.LINES
        case None:
            return None
    return Sender.LINES


def _first_end(head: bytes) -> tuple[int, int] | None:
    """Return the first NUL or line feed, and where it is."""
    ends = [(end, at) for end in (0, 10) if (at := head.find(end)) >= 0]
    return min(ends, key=lambda found: found[1], default=None)


def _syslog(head: bytes) -> Sender | None:
    if not _SYSLOG.match(head):
        return None if _SYSLOG_START.fullmatch(head) else Sender.LINES
    match _first_end(head):
        case None:
            return None
        case 0, _:
            return Sender.SYSLOG_NUL
    return Sender.SYSLOG


def _digits(head: bytes) -> Sender | None:
    if _BEATS.match(head):
        return Sender.BEATS
    if _OCTETS.match(head):
        return Sender.SYSLOG_OCTETS
    return None if _OCTETS_START.fullmatch(head) or head in (b"1W", b"2W") else Sender.LINES


def _proxy_or_http(head: bytes) -> Sender | None:
    """Text in capital letters: the PROXY protocol in version 1 ends with its first line, HTTP has a second one."""
    if b"\n" not in head:
        return None
    if _proxy(head) is Sender.PROXY:
        return Sender.PROXY
    request = _REQUEST_LINE.match(head)
    if request is None:
        return Sender.LINES
    if _HEADER_LINE.match(head, request.end()):
        return Sender.HTTP
    return None if _HEADER_START.fullmatch(head, request.end()) else Sender.LINES


def _proxy(head: bytes) -> Sender | None:
    try:
        return Sender.LINES if parse_proxy_header(head) is None else Sender.PROXY
    except MayBeProxyHeader:
        return None


_BY_FIRST_BYTE: dict[int, Callable[[bytes], Sender | None]] = {
    0x00: _pickle,
    0x0D: _proxy,  # version 2
    0x16: _tls,
    ord("<"): _syslog,
    ord("{"): _object,
    **dict.fromkeys(b"123456789", _digits),
    **dict.fromkeys(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", _proxy_or_http),
}


_HTTP_RESPONSE = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)
_HTTP_TEXT = (
    b"This port takes log records as JSON lines over TCP, not HTTP.\n"
    b"The dashboard has a port of its own, by default 9600.\n"
)

ANSWERS = {
    Sender.HTTP: _HTTP_RESPONSE % (len(_HTTP_TEXT), _HTTP_TEXT),
    Sender.TLS: b"\x15\x03\x01\x00\x02\x02\x28",  # RFC 8446, section 6: fatal, handshake_failure
}
"""What is sent to clients that would wait for an answer, before their connection is closed."""
