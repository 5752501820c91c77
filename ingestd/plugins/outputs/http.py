"""``http``: events in the bodies of requests.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-outputs-http. Unlike there, a request with many
events (`json_batch`, `json_lines`) may have their fields in its URL and headers; and a request is sent again until the
server takes it. What the server refuses becomes a dead letter with the server's answer; of a request with many events,
only those that are refused when sent alone do. The answers 401, 403, 407 and redirects mean that the config is wrong:
events wait until it is fixed. Events are in order only with `pool_max => 1`.

Events whose answer was lost are sent again, so a server may get them twice. Each request has a header
`Idempotency-Key`, which is the same when it is sent again, and by which the input `http` recognises it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, urlsplit

from ingestd.event.batch import Batch
from ingestd.event.fields import Event, FieldRef
from ingestd.event.jsontext import dumps, loads
from ingestd.event.sprintf import Template, to_text
from ingestd.event.tally import Tally
from ingestd.plugins.interfaces import Prepared
from ingestd.plugins.outputs import _http_loki
from ingestd.plugins.outputs._hosts import check_host
from ingestd.plugins.outputs._http_request import HttpRequest
from ingestd.plugins.outputs._retry import Retry
from ingestd.plugins.outputs._tls import CLIENT_TLS_LEGACY, ClientTlsOptions, client_context
from ingestd.plugins.registry import (
    BuildContext,
    OptionError,
    Touch,
    ignored,
    option,
    plugin,
    replaced,
    required,
)

if TYPE_CHECKING:
    from ingestd.plugins.outputs._http_sender import HttpSender

_RETRY_S, _LONGEST_RETRY_S = 0.25, 60.0

_CONTENT_TYPES = {
    "json": "application/json",
    "json_batch": "application/json",
    "json_lines": "application/x-ndjson",
    "form": "application/x-www-form-urlencoded",
    "loki": "application/json",
    "message": "text/plain",
}
_FRAMES = {"json_batch": (b"[", b",", b"]"), "json_lines": (b"", b"\n", b"\n"), "loki": (b"", b"", b"")}
"""What a request with many events has before, between and after them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(ClientTlsOptions):
    """Options of the output ``http``."""

    url: Template = required("Where requests go; may hold %{field}.")
    http_method: str = required("The method.", choices=("put", "post", "patch", "delete", "get", "head"))
    format: str = option(
        "json",
        "`json`: a request for each event; `json_batch`: an array of events; `json_lines`: events, each a line; "
        "`form`: an event's fields as a form; `message`: the text of `message`; `loki`: the streams "
        "of Loki's push API.",
        choices=("json", "json_batch", "json_lines", "form", "message", "loki"),
    )
    content_type: str = option("", "The media type; default: that of the format.")
    headers: dict[str, Template] = option({}, "Headers; may hold %{field}.")
    mapping: dict[str, Template] = option(
        {}, "What is sent instead of the event's fields; for Loki the structured metadata. May hold %{field}."
    )
    message: Template | None = option(
        None,
        "The text that `format => message` sends; the line for Loki, by default the event as JSON. May hold %{field}.",
    )
    labels: dict[str, Template] = option(
        {},
        "With `format => loki`: the labels of the event's stream; may hold %{field}. Without it, a label is left out.",
    )
    retryable_codes: list[int] = option(
        [429, 500, 502, 503, 504], "Statuses after which a request is sent again until the server takes it."
    )
    ignorable_codes: list[int] = option([], "Statuses besides 2xx that count as success.")
    retry_failed: bool = option(
        True, "Send again until it succeeds; false: after `automatic_retries` the events become dead letters."
    )
    automatic_retries: int = option(
        1, "With `retry_failed => false`: how often to send a request again that got no answer."
    )
    user: str = option("", "User name.")
    password: str = option("", "Password.")
    http_compression: bool = option(False, "Compress bodies with gzip.")
    request_timeout: float = option(60, "Seconds for a request.")
    connect_timeout: float = option(10, "Seconds to connect.")
    socket_timeout: float = option(10, "Seconds without any data of the response.")
    pool_max: int = option(50, "Number of concurrent requests.")
    keepalive: bool = option(True, "Reuse connections.")
    cookies: bool = option(True, "Keep cookies, and send them.")
    proxy: str = option("", "URL of an HTTP proxy.")

    def templates(self) -> Iterator[Template]:
        """Yield the texts that may hold fields."""
        yield from (self.url, *self.headers.values(), *self.mapping.values(), *self.labels.values())
        if self.message is not None:
            yield self.message


def touches(opts: Options) -> Touch:
    """Return the fields that requests are made of."""
    time = frozenset({"@timestamp"} if opts.format == "loki" else ())
    return Touch(reads=time.union(*(template.reads for template in opts.templates())))


class HttpOutput:
    """Makes requests of events, and sends several at a time."""

    concurrency = 1
    batch_bytes = 1 << 20

    def __init__(self, opts: Options, context: BuildContext, tls: ssl.SSLContext | None) -> None:
        self._opts, self._tls, self._context = opts, tls, context
        self._tops = sorted({FieldRef(name).top for name in touches(opts).reads})
        self._sender: HttpSender | None = None
        self._content_type = opts.content_type or _CONTENT_TYPES[opts.format]

    async def open(self) -> None:
        """Make the client, which connects when it is needed."""
        from ingestd.plugins.outputs._http_sender import HttpSender  # noqa: PLC0415 -- slow to import

        retry = Retry(_RETRY_S, _LONGEST_RETRY_S)
        self._sender = HttpSender(self._opts, self._tls, self._context.plugin_id, self._context.dead_letters, retry)

    def prepare(self, batch: Batch) -> Prepared[list[HttpRequest]]:
        """Return the requests: one for each event, or for those that have the same URL and headers."""
        if not len(batch):
            return Prepared([], 0)
        events = batch.fields(self._tops)
        documents, ids = self._documents(batch, events), [*batch.ids()]
        labels = (
            [_http_loki.labels(self._opts.labels, event) for event in events] if self._opts.format == "loki" else []
        )
        frame = _FRAMES.get(self._opts.format)
        requests: list[HttpRequest] = []
        if frame is None:
            for event, document, event_id in zip(events, documents, ids, strict=True):
                url, headers = self._place(event)
                requests.append(HttpRequest(url, dict(headers), [document], [event_id]))
        else:
            places: dict[tuple[str, tuple[tuple[str, str], ...]], list[int]] = {}
            for row, event in enumerate(events):
                places.setdefault(self._place(event), []).append(row)
            for (url, headers), rows in places.items():
                whole = HttpRequest(url, dict(headers), documents, ids, frame, labels)
                requests.append(whole if len(rows) == len(ids) else whole.pick(rows))
        return Prepared(requests, sum(map(len, documents)))

    def _place(self, event: Event) -> tuple[str, tuple[tuple[str, str], ...]]:
        own = ((name, template.render(event)) for name, template in self._opts.headers.items())
        return self._opts.url.render(event), (("Content-Type", self._content_type), *own)

    def _documents(self, batch: Batch, events: Sequence[Event]) -> list[bytes]:
        """Return what is sent of each event."""
        opts = self._opts
        texts: list[bytes] = []
        if opts.message is not None:
            texts = [opts.message.render(event).encode("utf-8", "replace") for event in events]
        if opts.format == "loki":
            lines = texts or batch.documents()
            pairs = zip(events, lines, strict=True)
            return [_http_loki.entry(event, line, opts.mapping, batch.received_ns) for event, line in pairs]
        if opts.format == "message":
            return texts
        if not opts.mapping and opts.format != "form":
            return batch.documents()
        if opts.mapping:
            fields = [{name: template.render(event) for name, template in opts.mapping.items()} for event in events]
        else:
            fields = [*map(loads, batch.documents())]
        return [*map(_form if opts.format == "form" else dumps, fields)]

    async def deliver(self, payloads: Sequence[list[HttpRequest]]) -> list[Tally]:
        """Return when every event is delivered or a dead letter; waits as long as the server takes nothing."""
        dead = [0] * len(payloads)
        todo = [(number, request) for number, payload in enumerate(payloads) for request in payload]
        jobs = iter(todo)
        assert self._sender is not None  # noqa: S101 -- ``open`` was called
        sender = self._sender

        async def work() -> None:
            for number, request in jobs:
                lost = await sender.send(request)
                dead[number] += lost  # not in one statement: it would add to what others have changed meanwhile

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._opts.pool_max, len(todo))):
                group.create_task(work())
        sizes = [sum(len(request.ids) for request in payload) for payload in payloads]
        return [Tally(delivered=size - lost, dead=lost) for size, lost in zip(sizes, dead, strict=True)]

    def retry_reason(self) -> str:
        """Return why requests are sent again; see ``WithRetries``."""
        return "" if self._sender is None else self._sender.outage.reason

    async def close(self) -> None:
        """Close the connections."""
        if self._sender is not None:
            await self._sender.close()
            self._sender = None


def _form(fields: Event) -> bytes:
    pairs = (f"{quote_plus(name)}={quote_plus(to_text(value))}" for name, value in fields.items())
    return "&".join(pairs).encode()


def _check_url(name: str, url: str) -> None:
    """Raise OptionError unless requests can go to the host of a URL."""
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in {"http", "https"} else ""
    except ValueError:  # brackets that do not match
        host = ""
    if not host:
        raise OptionError(f"{name} is not a URL like https://host/path", url)
    check_host(host)


_LEGACY = CLIENT_TLS_LEGACY | {
    "cacert": replaced("ssl_certificate_authorities"),
    "client_cert": replaced("ssl_certificate"),
    "client_key": replaced("ssl_key"),
    "keystore_type": CLIENT_TLS_LEGACY["keystore"],
    **dict.fromkeys(("truststore", "truststore_password", "truststore_type"), CLIENT_TLS_LEGACY["ssl_truststore_path"]),
    "follow_redirects": ignored("a redirect shows where to send requests instead; events wait"),
    "retry_non_idempotent": ignored("every request is sent again until the server takes it"),
    "validate_after_inactivity": ignored("a request over a connection that was closed is sent again"),
    "pool_max_per_route": ignored("pool_max limits the number of concurrent requests"),
}


@plugin("output", "http", Options, touches=touches, legacy=_LEGACY)
def build(opts: Options, context: BuildContext) -> HttpOutput:
    """A server that takes requests, such as ingestd's input `http`, Loki, VictoriaLogs or ClickHouse."""
    for name, url in (("url", opts.url.static), ("proxy", opts.proxy or None)):
        if url is not None:
            _check_url(name, url)
    if opts.format != "loki" and (opts.format == "message") != (opts.message is not None):
        raise OptionError("message and format => message need each other", opts.format)
    if opts.labels and opts.format != "loki":
        raise OptionError("labels needs format => loki", next(iter(opts.labels)))
    if wrong := next((name for name in opts.labels if not _http_loki.is_label(name)), None):
        raise OptionError(f"{wrong!r} is not a valid label of Loki: use letters, digits and _", wrong)
    if opts.format == "message" and opts.mapping:
        raise OptionError("mapping has no effect with format => message", opts.format, "leave it out")
    if opts.pool_max < 1:
        raise OptionError("pool_max is 1 or more", str(opts.pool_max))
    if bool(opts.user) != bool(opts.password):
        raise OptionError("user and password must be given together", opts.user)
    for name, template in opts.headers.items():
        if {"\r", "\n"} & {*(name + template.text)}:
            raise OptionError("a header has no line ends", template.text)
    plain = opts.url.text.lower().startswith("http:")  # else the scheme may be that of an event
    return HttpOutput(opts, context, None if plain else client_context(opts))
