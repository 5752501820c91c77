"""``http``: events in the bodies of HTTP requests, such as those of python-logstash-async's HttpTransport.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-inputs-http. The media type chooses the codec:
`application/json` is an object, an array of objects, or an object on each line. Bodies may be compressed with gzip,
deflate or zstd. A request without a body is answered, and makes no event.

A request is answered only when its events are in the journal and on the disk, so what was answered with `response_code`
is not lost, whatever happens afterwards. A client that gets no answer has to send the request again, so its events may
be stored twice; if both requests have the same header `Idempotency-Key`, the events get the same ids, and
Elasticsearch, OpenSearch and the built-in store keep them once. A body that cannot be decompressed, or is not in its
charset, is refused and becomes a dead letter; so does one of several records that is longer than `max_line_bytes`. A
single record of that length, and a JSON body of more than 500,000 records, are answered with 413. While the journal is
full the answer is 429, with `Retry-After`.

Text events get the address of the client and the headers, without Authorization; JSON records get only those that the
config mentions and that they lack, unless the options of the target fields are set.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import compress
from operator import not_

from ingestd.event.fields import Event, FieldRef
from ingestd.plugins.codecs.json import JsonCodec
from ingestd.plugins.ecs import ecs_option, ecs_select, uses_ecs
from ingestd.plugins.inputs._http_codec import MEDIA_TYPE, HttpCodec
from ingestd.plugins.inputs._http_fields import headers_of, request_fields
from ingestd.plugins.inputs._http_server import Frames, HttpServerInput, HttpServerOptions, Reply, Request, parsed
from ingestd.plugins.inputs._tls import TLS_LEGACY, tls_warnings
from ingestd.plugins.interfaces import Codec, grouping_of
from ingestd.plugins.registry import BuildContext, OptionError, Touch, find, ignored, names, option, plugin
from ingestd.protocols.framing.lines import LINE_FEED, count_lines, split_lines
from ingestd.protocols.http.json_bodies import MAX_RECORDS, TooManyRecordsError, json_lines
from ingestd.suggest import did_you_mean

_OF_HOST_NAMES = frozenset({"punycode", "idna"})
"""Charsets of Python that are not for bodies: decoding takes time with the square of the length."""

_OWN_HEADERS = frozenset({"content-length", "transfer-encoding", "connection"})

_HEADERS = FieldRef("[headers]")
_ECS_HEADERS = FieldRef("[@metadata][input][http][request][headers]")
_CLIENT, _ECS_CLIENT = FieldRef("[host]"), FieldRef("[host][ip]")
_CODECS = {
    "application/json": "json",
    **dict.fromkeys(
        ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/jsonlines"), "json_lines"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(HttpServerOptions):
    """Options of the input ``http``."""

    port: int = option(8080, "Port to listen on; 0 takes a free one.")
    additional_codecs: dict[str, str] = option(
        _CODECS,
        "Codecs for certain media types; `codec` is for all others. Default: `json` for JSON, `json_lines` for NDJSON.",
    )
    response_code: int = option(200, "Status of the answer to a request that was accepted: 200, 201, 202 or 204.")
    response_headers: dict[str, str] = option({"Content-Type": "text/plain"}, "Headers of that answer.")
    remote_host_target_field: FieldRef | None = option(
        None, "Field for the address of the client, in every event; default: `[host]`, with ECS `[host][ip]`."
    )
    request_headers_target_field: FieldRef | None = option(
        None,
        "Field for the headers, in every event; default: `[headers]`, with ECS "
        "`[@metadata][input][http][request][headers]`.",
    )
    ecs_compatibility: str = ecs_option(
        "With `v1` or `v8`, headers are in `[@metadata]`, and in the fields of ECS: `[http][method]`, "
        "`[http][version]`, `[http][request][mime_type]`, `[http][request][body][bytes]`, `[url][path]`, "
        "`[url][domain]`, `[url][port]` and `[user_agent][original]`."
    )


class HttpInput(HttpServerInput):
    """Makes events of the bodies of requests."""

    def __init__(self, opts: Options, context: BuildContext) -> None:
        super().__init__(opts, context, self._take)
        self._opts = opts
        self._ecs = uses_ecs(opts)
        self._headers = opts.request_headers_target_field or ecs_select(opts, disabled=_HEADERS, ecs=_ECS_HEADERS)
        self._client = opts.remote_host_target_field or ecs_select(opts, disabled=_CLIENT, ecs=_ECS_CLIENT)
        self.codec = HttpCodec(context.codec, _additional(opts, context), _targets(opts), context)
        """Decodes what it puts."""

    async def _take(self, request: Request) -> Reply:
        media_type, charset = _media_type(request.head.get("content-type"))
        try:
            body = _in_utf8(request.body, charset)
        except (LookupError, UnicodeError):
            reason = f"the body is not text in the charset {charset!r}"
            return await self.reject_body(request, self.refuse(415, reason), reason)
        if body.strip():
            fields = self._fields(request) | {MEDIA_TYPE: media_type}
            try:
                parts = await parsed(partial(frames, self.codec.of(media_type)), body)
            except TooManyRecordsError as error:
                return self.refuse(413, str(error))
            if not self._reject_long(request, parts):
                return self.busy("a dead letter cannot be written")
            if (refusal := await self.store(request, parts, fields)) is not None:
                return refusal
        return Reply(self._opts.response_code, b"ok", self._opts.response_headers)

    def _reject_long(self, request: Request, parts: list[Frames]) -> bool:
        """Make dead letters of the records that are too long, unless the body is one; False: not possible now."""
        fits = [part.frames > 1 or len(part.data) <= self._max_line_bytes for part in parts]
        if len(parts) < 2 or all(fits):
            return True
        reason = f"the record is longer than {self._max_line_bytes} bytes (max_line_bytes)"
        if not all(self.reject(request, part.data, reason) for part in compress(parts, map(not_, fits))):
            return False
        parts[:] = compress(parts, fits)
        return True

    def _fields(self, request: Request) -> Event:
        head = request.head
        headers = headers_of(head.method, head.target, head.version, head.headers)
        return request_fields(headers, request.connection.client[0], self._headers, self._client, ecs=self._ecs)


def frames(codec: Codec, body: bytes) -> list[Frames]:
    """Return a body as the frames of a codec: lines, or messages. Raises TooManyRecordsError."""
    if type(codec) is JsonCodec:
        return [Frames(body, 1) if (lines := json_lines(body)) is None else Frames(*lines)]
    if (grouping := grouping_of(codec)) is not None:
        return [Frames(message, 1) for message in grouping.split(body)]
    if codec.delimiter is None:
        return [Frames(body, 1)]
    if codec.delimiter != LINE_FEED:
        if body.count(codec.delimiter) > MAX_RECORDS:
            raise TooManyRecordsError
        return [Frames(line, 1) for line in split_lines(body, codec.delimiter)]
    return [Frames(body, count_lines(body))]


def _media_type(header: str) -> tuple[str, str]:
    """Return the media type, in lower case, and the charset of a body; empty if they are not given."""
    media_type, *parameters = header.split(";")
    given = [value.strip(' "') for name, _, value in (text.partition("=") for text in parameters) if _is_charset(name)]
    return media_type.strip().lower(), given[0] if given else ""


def _is_charset(name: str) -> bool:
    return name.strip().lower() == "charset"


def _in_utf8(body: bytes, charset: str) -> bytes:
    """Return a body in UTF-8. Raises LookupError or UnicodeError if it is not in its charset."""
    if charset.lower() in ("", "utf-8", "utf8", "us-ascii"):
        return body
    if codecs.lookup(charset).name in _OF_HOST_NAMES:
        raise LookupError
    return body.decode(charset).encode()


def _targets(opts: Options) -> list[FieldRef]:
    """Return the fields that every event gets."""
    return [ref for ref in (opts.request_headers_target_field, opts.remote_host_target_field) if ref is not None]


def _additional(opts: Options, context: BuildContext) -> Mapping[str, Codec]:
    return {media.strip().lower(): _codec(name, opts, context) for media, name in opts.additional_codecs.items()}


def _codec(name: str, opts: Options, context: BuildContext) -> Codec:
    spec = find("codec", name)
    if spec is None or not spec.decodes:
        near = did_you_mean(name, names("codec"))
        hint = f"did you mean {near!r}?" if near else "the codecs are " + ", ".join(names("codec"))
        raise OptionError(f"there is no codec {name!r}", name, hint)
    has_ecs = "ecs_compatibility" in spec.options.__dataclass_fields__
    options = spec.options(**({"ecs_compatibility": opts.ecs_compatibility} if has_ecs else {}))
    codec: Codec = spec.build(options, context)
    return codec


def _touches(opts: Options) -> Touch:
    return Touch(sets=frozenset(ref.text for ref in _targets(opts)))


_LEGACY = {
    **TLS_LEGACY,
    "verify_mode": TLS_LEGACY["ssl_verify_mode"],
    "threads": ignored("a worker serves all of its connections in one thread"),
    "ssl_handshake_timeout": ignored("a client has 10 seconds for the handshake"),
}


@plugin(
    "input",
    "http",
    Options,
    touches=_touches,
    codec="plain",
    listens=True,
    legacy=_LEGACY,
    option_warnings=tls_warnings,
)
def build(opts: Options, context: BuildContext) -> HttpInput:
    """Events from HTTP requests, acknowledged when they are on the disk."""
    if opts.response_code not in (200, 201, 202, 204):
        raise OptionError(
            f"response_code {opts.response_code} is not one of 200, 201, 202, 204", str(opts.response_code)
        )
    for name, value in opts.response_headers.items():
        if name.lower() in _OWN_HEADERS:
            raise OptionError(f"the header {name} is made by the input; leave it out", name)
        if {*(name + value)} & {*"\r\n\0"}:
            raise OptionError(f"a header cannot have a line end: {name}", value)
    return HttpInput(opts, context)
