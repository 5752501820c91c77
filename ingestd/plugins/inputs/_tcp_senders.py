"""Clients of the input ``tcp`` that speak something else than lines: what is logged, counted and answered.

What becomes of their bytes, by ``ingestd.protocols.senders.Sender``:

- Pickles become dead letters, each with its bytes: they are never loaded, since loading one can run any code.
- Lines of syslog are events, as any other lines. So are its messages and the JSON objects of GELF that NUL ends: NUL
  counts as the line end of such a connection.
- Connections of Beats are closed; they keep their events, and send them again until somebody acknowledges them.
- HTTP and TLS get an answer that their clients understand, then they are closed.
- The header of the PROXY protocol is no event and is skipped; what follows it is read.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from ingestd import metrics
from ingestd.event.chunk import Stream
from ingestd.logs import get_logger
from ingestd.plugins.interfaces import Sink
from ingestd.protocols.pickles import PREFIX_BYTES, split_pickles
from ingestd.protocols.senders import Sender

log = get_logger(__name__)

_REPEAT_SECONDS = 3600.0
_MAX_REMEMBERED = 1000
"""Of how many addresses and senders a process knows when it warned of them last: some 200 kB."""

_PICKLED = "a pickle of Python's SocketHandler, which is never loaded: use logstash.TCPLogstashHandler instead"

KEPT_FRAMING = frozenset({Sender.SYSLOG_NUL, Sender.GELF, Sender.PICKLE})
"""Senders whose records do not end with a line feed: the next reader of a connection has to recognise them too."""

CLOSED = frozenset({Sender.BEATS, Sender.HTTP, Sender.TLS})
"""Senders of whom nothing can be read."""

_TEXT_INPUT = "or give it an input of its own with codec => line"

ADVICE: dict[Sender, tuple[str, str]] = {
    Sender.PICKLE: (
        "a client sends pickles, as SocketHandler of Python's logging does; they are kept as dead letters",
        "use logstash.TCPLogstashHandler (package python-logstash) instead of logging.handlers.SocketHandler",
    ),
    Sender.SYSLOG: (
        "a client sends syslog to an input for JSON; its lines become events with the tag _jsonparsefailure",
        f"from Django use logstash.TCPLogstashHandler (package python-logstash); for a syslog daemon {_TEXT_INPUT[3:]}",
    ),
    Sender.SYSLOG_NUL: (
        "a client sends syslog ended by NUL, as SysLogHandler of Python's logging does, to an input for JSON",
        "use logstash.TCPLogstashHandler (package python-logstash) instead of logging.handlers.SysLogHandler, "
        + _TEXT_INPUT,
    ),
    Sender.SYSLOG_OCTETS: (
        "a client sends syslog with octet counting, which is not supported: records without a line end run together",
        'let it end messages with a line feed: in rsyslog TCP_Framing="traditional", in syslog-ng network() instead '
        "of syslog(); the input needs codec => line",
    ),
    Sender.GELF: (
        "a client sends GELF; its records become events under GELF's field names",
        "use logstash.TCPLogstashHandler (package python-logstash) instead of a GELF handler, or rename short_message, "
        "host and level with the filter mutate",
    ),
    Sender.BEATS: (
        "a client speaks the protocol of Beats, which is not supported; it is closed, and keeps its events",
        "point Filebeat at Elasticsearch (output.elasticsearch), or have it write files for ingestd import",
    ),
    Sender.HTTP: (
        "a client speaks HTTP to an input for log records; it got status 400 and is closed",
        "the dashboard, /metrics and /health have a port of their own (setting http.port, default 9600); "
        "log handlers must send JSON lines over TCP, such as logstash.TCPLogstashHandler",
    ),
    Sender.TLS: (
        "a client speaks TLS to an input without it; it got an alert and is closed",
        "TLS is not configured on this port: switch it off in the client (ssl_enable=False in python-logstash-async), "
        "or let stunnel, HAProxy or nginx's stream module decrypt it before this port",
    ),
    Sender.PROXY: (
        "a proxy puts a header of the PROXY protocol in front of its clients' records; it is skipped",
        "set proxy_protocol => true on this input to get the clients' addresses, or switch it off in the proxy: "
        "send-proxy in HAProxy, proxy_protocol in nginx, the target group's attribute in AWS",
    ),
}
"""Of each sender: what it is and what becomes of its records; what to do."""


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
        self._pipeline, self._input, self._expected, self._clock = pipeline, input_id, expected, clock
        self._warned: OrderedDict[tuple[str, Sender], float] = OrderedDict()

    def report(self, sender: Sender, host: str) -> None:
        """Count a connection from ``host`` and, unless that was done within the hour, warn of it."""
        if sender is Sender.LINES or sender in self._expected:
            return
        metrics.SENDERS_UNSUPPORTED.add(1, self._pipeline, self._input, sender)
        now, key = self._clock(), (host, sender)
        if now - self._warned.get(key, float("-inf")) < _REPEAT_SECONDS:
            return
        self._warned[key] = now
        self._warned.move_to_end(key)
        if len(self._warned) > _MAX_REMEMBERED:
            self._warned.popitem(last=False)
        message, advice = ADVICE[sender]
        log.warning(message, pipeline=self._pipeline, input=self._input, client=host, kind=str(sender), help=advice)


def reject_pickles(sink: Sink, stream: Stream, data: bytes, offset: int) -> None:
    """Make a dead letter of each pickle in ``data``, whole frames that start at ``offset`` of the stream."""
    for pickle in split_pickles(data):
        # ``reject`` counts a line end after the bytes; a frame has its length before them.
        sink.reject(pickle, _PICKLED, stream, offset=offset + PREFIX_BYTES - 1)
        offset += PREFIX_BYTES + len(pickle)
