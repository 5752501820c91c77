"""``otlp``: logs of OpenTelemetry, over OTLP/HTTP: `/v1/logs` with protobuf or JSON.

Follows https://opentelemetry.io/docs/specs/otlp/#otlphttp; Logstash has no such input. OTLP/gRPC is not supported: SDKs
and collectors send over HTTP with `OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=http/protobuf` or the exporter `otlphttp`. Traces
and metrics are refused.

A record becomes an event: a text body becomes `message`, any other body `[body]`; attributes of the record are
in `[attributes]`, those of the resource in `[resource]`, and name, version and attributes of the scope in `[scope]`.
Keys keep their dots: `[resource][service.name]`. Other fields: `level`, `severity_number`, `logger_name` (the name of
the scope), `trace_id`, `span_id`, `trace_flags`, `event_name`, `host` (`host.name` of the resource) and `stack_trace`
(`exception.stacktrace`).

A request is answered only when its records are in the journal and on the disk. A client that gets no answer sends it
again, so its events may be stored twice. A record that is too long becomes a dead letter, and is counted in
`partialSuccess`; a request that cannot be read becomes a dead letter as a whole, and is answered with 400, after which
clients drop it; so does one with more than 500,000 records, or with events that are longer in all than the limit for
the bodies of all requests (`max_content_length`), which is answered with 413. While the journal is full the answer is
429, and clients try again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ingestd.event.jsontext import NotJsonError, loads
from ingestd.plugins.codecs._json import JsonDecoder
from ingestd.plugins.codecs.json_lines import JsonLinesCodec
from ingestd.plugins.ecs import ecs_option, uses_ecs
from ingestd.plugins.inputs._http_server import Frames, HttpServerInput, HttpServerOptions, Reply, Request, parsed
from ingestd.plugins.inputs._otlp_events import lines_of
from ingestd.plugins.inputs._tls import TLS_LEGACY, tls_warnings
from ingestd.plugins.registry import BuildContext, option, plugin
from ingestd.protocols.otlp.answers import answer_body, status_body
from ingestd.protocols.otlp.json_requests import check_size, decode_json
from ingestd.protocols.otlp.protobuf_requests import decode_protobuf
from ingestd.protocols.otlp.records import OtlpError, OtlpTooLargeError, ScopeLogs

_PATH = "/v1/logs"
_JSON, _PROTOBUF = "application/json", "application/x-protobuf"


def _decode_json(body: bytes) -> list[ScopeLogs]:
    check_size(body)
    try:
        return decode_json(loads(body))
    except NotJsonError as error:
        raise OtlpError(f"the body is not JSON: {error}") from None


_DECODERS = {_JSON: _decode_json, _PROTOBUF: decode_protobuf, "application/protobuf": decode_protobuf}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(HttpServerOptions):
    """Options of the input ``otlp``."""

    port: int = option(4318, "Port to listen on; 0 takes a free one.")
    ecs_compatibility: str = ecs_option(
        "With `v1` or `v8`, fields have the names of ECS: `[log][level]`, `[log][logger]`, `[event][severity]`, "
        "`[trace][id]`, `[span][id]`, `[host][name]`, `[service][name]`, `[service][version]`, "
        "`[service][environment]`, `[error][type]`, `[error][message]` and `[error][stack_trace]`."
    )


class OtlpInput(HttpServerInput):
    """Makes events of log records."""

    def __init__(self, opts: Options, context: BuildContext) -> None:
        super().__init__(opts, context, self._take)
        self._lines = partial(lines_of, ecs=uses_ecs(opts))
        self.codec = JsonLinesCodec(JsonDecoder(context.fields, "utf-8", whole=context.whole, reads=context.reads))
        """Decodes what it puts."""

    async def _take(self, request: Request) -> Reply:
        head = request.head
        media_type = head.get("content-type").partition(";")[0].strip().lower()
        as_json = media_type == _JSON
        if head.method in ("GET", "HEAD") and head.path == "/":
            return Reply(200, b"ok")
        if head.path.rstrip("/") != _PATH:
            return _refusal(404, f"there is only {_PATH}, for logs", as_json=as_json)
        if head.method != "POST":
            return _refusal(405, f"only POST is possible at {_PATH}", as_json=as_json)
        if media_type not in _DECODERS:
            return _refusal(415, f"the content type is {_PROTOBUF} or {_JSON}", as_json=as_json)
        try:
            lines = await parsed(partial(self._lines_of, media_type), request.body)
        except OtlpError as error:
            status = 413 if isinstance(error, OtlpTooLargeError) else 400
            return await self.reject_body(request, _refusal(status, str(error), as_json=as_json), str(error))
        return await self._store_lines(request, lines, as_json=as_json)

    def _lines_of(self, media_type: str, body: bytes) -> list[bytes]:
        lines, left = [], self._room_bytes  # each event has all attributes of its resource
        for logs in _DECODERS[media_type](body):
            for line in self._lines(logs):
                left -= len(line)
                if left < 0:
                    raise OtlpTooLargeError(
                        f"the events of the request are longer than {self._room_bytes} bytes; send it in parts"
                    )
                lines.append(line)
        return lines

    async def _store_lines(self, request: Request, lines: Sequence[bytes], *, as_json: bool) -> Reply:
        rejected = 0
        for line in lines:
            if len(line) > self._max_line_bytes:
                if not self.reject(request, line, "the record is longer than max_line_bytes"):
                    return self.busy("a dead letter cannot be written")
                rejected += 1
        kept = [line for line in lines if len(line) <= self._max_line_bytes]
        frames = [Frames(b"\n".join(kept), len(kept))] if kept else []
        if (refusal := await self.store(request, frames, request.connection.stream.fields)) is not None:
            return refusal
        message = f"records are longer than {self._max_line_bytes} bytes (max_line_bytes)" if rejected else ""
        return _reply(200, answer_body(rejected, message, as_json=as_json), as_json=as_json)


def _reply(status: int, body: bytes, *, as_json: bool) -> Reply:
    return Reply(status, body, {"Content-Type": _JSON if as_json else _PROTOBUF})


def _refusal(status: int, message: str, *, as_json: bool) -> Reply:
    return _reply(status, status_body(message, as_json=as_json), as_json=as_json)


@plugin("input", "otlp", Options, listens=True, legacy=TLS_LEGACY, option_warnings=tls_warnings)
def build(opts: Options, context: BuildContext) -> OtlpInput:
    """Logs of OpenTelemetry, acknowledged when they are on the disk."""
    return OtlpInput(opts, context)
