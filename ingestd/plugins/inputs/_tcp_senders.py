"""Clients of the input ``tcp`` that speak something other than lines: what is logged, counted and answered.

What becomes of their bytes, by ``ingestd.protocols.framing.senders.Sender``:

- Pickles become dead letters, each with its bytes: they are never loaded, since loading one can run any code.
- Lines of syslog are events, as any other lines. So are its messages and the JSON objects of GELF that NUL ends: NUL
  counts as the line end of such a connection.
- Connections of Beats are closed; they keep their events, and send them again until a server acknowledges them.
- HTTP and TLS get an answer that their clients understand, then they are closed.
- The header of the PROXY protocol is not an event and is skipped; what follows it is read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from ingestd import metrics
from ingestd.event.chunk import Stream
from ingestd.plugins.inputs._client_warnings import ClientWarnings
from ingestd.plugins.interfaces import Sink
from ingestd.protocols.framing.pickles import PREFIX_BYTES, split_pickles
from ingestd.protocols.framing.senders import Sender

_PICKLED = "a pickle of Python's SocketHandler, which is never loaded: use logstash.TCPLogstashHandler instead"

CLOSED = frozenset({Sender.BEATS, Sender.HTTP, Sender.TLS})
"""Senders of whom nothing can be read."""


class Advice(NamedTuple):
    """``message``: what a sender is and what becomes of its records; ``help``: what to do."""

    message: str
    help: str


_HANDLER = "use logstash.TCPLogstashHandler (package python-logstash)"

ADVICE: dict[Sender, Advice] = {
    Sender.PICKLE: Advice(
        "a client sends pickles, as SocketHandler of Python's logging does; they are kept as dead letters",
        f"{_HANDLER} instead of logging.handlers.SocketHandler",
    ),
    Sender.SYSLOG: Advice(
        "a client sends syslog to an input for JSON; its lines become events with the tag _jsonparsefailure",
        f"from Python, {_HANDLER}; for a syslog daemon, add an input syslog on a port of its own",
    ),
    Sender.SYSLOG_NUL: Advice(
        "a client sends syslog ended by NUL, as SysLogHandler of Python's logging does, to an input for JSON",
        f"{_HANDLER} instead of logging.handlers.SysLogHandler, or add an input syslog for it",
    ),
    Sender.SYSLOG_OCTETS: Advice(
        "a client sends syslog with octet counting to an input for lines: messages without a line end run together",
        "add an input syslog on a port of its own, or have the client end messages with a line feed (rsyslog: "
        "TCP_Framing traditional; syslog-ng: network() instead of syslog())",
    ),
    Sender.GELF: Advice(
        "a client sends GELF; its records become events with GELF's field names",
        f"{_HANDLER} instead of a GELF handler, or add an input gelf with use_tcp => true",
    ),
    Sender.BEATS: Advice(
        "a client speaks the protocol of Beats to an input for lines; it was disconnected, and keeps its events",
        "add an input beats on a port of its own, usually 5044 (for the built-in pipeline set beats_port), and point "
        "the client at it",
    ),
    Sender.HTTP: Advice(
        "a client speaks HTTP to an input for log records; it got status 400 and was disconnected",
        "the dashboard, /metrics and /health have a port of their own (setting http, default 9600); log records over "
        f"HTTP are for the input http; this one takes JSON lines over TCP: {_HANDLER}",
    ),
    Sender.TLS: Advice(
        "a client speaks TLS to an input without it; it got an alert and was disconnected",
        "TLS is not configured on this port: set ssl_enabled, ssl_certificate and ssl_key on the input, or turn it off "
        "in the client (ssl_enable=False in python-logstash-async)",
    ),
    Sender.PROXY: Advice(
        "a proxy puts a header of the PROXY protocol before the records of its clients; it was skipped",
        "set proxy_protocol => true on this input to get the clients' addresses, or turn it off in the proxy "
        "(send-proxy in HAProxy, proxy_protocol in nginx, proxy protocol v2 of an AWS target group)",
    ),
}


class SenderReports:
    """Counts connections of other senders, and logs a warning for each address and sender, once an hour.

    Args:
        pipeline: Its name.
        input_id: The id of the input.
        expected: Senders that this input is meant for.
        clock: Seconds since any moment.
    """

    def __init__(
        self,
        pipeline: str,
        input_id: str,
        expected: frozenset[Sender] = frozenset(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._labels, self._expected = (pipeline, input_id), expected
        self._warnings = ClientWarnings(pipeline, input_id, clock)

    def report(self, sender: Sender, host: str) -> None:
        """Count a connection from ``host`` and, unless that was done within the hour, warn of it."""
        if sender is Sender.LINES or sender in self._expected:
            return
        metrics.SENDERS_UNSUPPORTED.add(1, *self._labels, sender)
        advice = ADVICE[sender]
        self._warnings.warn(host, advice.message, kind=str(sender), help=advice.help)


def reject_pickles(sink: Sink, stream: Stream, data: bytes, offset: int) -> int:
    """Make a dead letter of each pickle in ``data``, whole frames that start at ``offset`` of the stream.

    Returns how many bytes that took, less than all if the next one cannot be kept now.
    """
    taken = 0
    for pickle in split_pickles(data):
        end = min(taken + PREFIX_BYTES + len(pickle), len(data))
        if not sink.reject(pickle, _PICKLED, stream, offset + taken + PREFIX_BYTES, offset + end):
            return taken
        taken = end
    return len(data)
